#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace transit {

/// A folder of a test's own, gone at its end.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "transit-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    path_ = pattern;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

inline std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Folder of real light curves; empty where it is absent.
inline std::filesystem::path real_light_curves() {
  const char* named = std::getenv("HOTSPARE_SHARED_DATA");
  const std::filesystem::path folder =
      std::filesystem::path(named != nullptr ? named : HOTSPARE_SHARED_DATA) / "lightcurves";
  return std::filesystem::is_directory(folder) ? folder : std::filesystem::path();
}

#define SKIP_WITHOUT_REAL_LIGHT_CURVES() \
  if (real_light_curves().empty()) GTEST_SKIP() << "no real light curves in " HOTSPARE_SHARED_DATA

}  // namespace transit
