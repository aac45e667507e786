#pragma once

#include <string>
#include <string_view>

namespace hotspare::death {

/// C++ name of a symbol; the symbol itself if it is not one of C++.
std::string demangle(const char* symbol);
/// The same for the name of a type, as typeid gives it.
std::string demangle_type(const char* name);

/// "image::decode(std::string const&)" → "image::decode": what fits into a line for people.
std::string short_name(std::string_view function);

}  // namespace hotspare::death
