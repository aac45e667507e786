#include "death/demangle.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace hotspare::death {

std::string demangle(const char* symbol) {
  if (symbol == nullptr) return {};
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
  // Only names that begin with _Z: "f" would otherwise be demangled as the type float.
  return status == 0 && name && symbol[0] == '_' && symbol[1] == 'Z' ? name.get() : symbol;
}

std::string demangle_type(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
  return text ? text.get() : name;
}

std::string short_name(std::string_view function) {
  constexpr std::string_view kCall = "operator()";
  constexpr std::string_view kAnonymous = "(anonymous namespace)";
  int depth = 0;
  for (std::size_t i = 0; i < function.size(); ++i) {
    const std::string_view rest = function.substr(i);
    if (rest.starts_with(kCall)) {
      i += kCall.size() - 1;
    } else if (rest.starts_with(kAnonymous)) {
      i += kAnonymous.size() - 1;
    } else if (rest.starts_with("operator")) {
      const std::size_t parenthesis = function.find('(', i);
      if (parenthesis == std::string_view::npos) break;
      i = parenthesis - 1;
    } else if (function[i] == '<' || function[i] == '{') {
      ++depth;
    } else if (function[i] == '>' || function[i] == '}') {
      --depth;
    } else if (function[i] == '(' && depth <= 0 && i > 0) {
      // A lambda's home, "f(int)::{lambda()#1}::operator()() const", goes on behind its parameters.
      const std::size_t further = function.find(")::", i);
      if (further == std::string_view::npos) return std::string(function.substr(0, i));
      i = further + 2;
    }
  }
  return std::string(function);
}

}  // namespace hotspare::death
