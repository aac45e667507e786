#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

namespace transit {

/// Why a file could not be read: names the file, what is wrong with it, and what was expected.
/// A std::runtime_error and no type of its own, so that it crosses from a worker as what it is.
inline std::runtime_error read_error(const std::filesystem::path& file, const std::string& wrong,
                                     const std::string& expected) {
  return std::runtime_error(file.string() + ": " + wrong + "; expected " + expected);
}

}  // namespace transit
