#include "inputs.hpp"

#include "options.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#ifndef HOTSPARE_DEFAULT_LIGHT_CURVES
#define HOTSPARE_DEFAULT_LIGHT_CURVES ""
#endif

namespace transit {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->is_regular_file(error) && !entry->path().filename().string().starts_with('.'))
      files.push_back(entry->path().string());
  if (error) throw UsageError(folder.string() + ": the folder cannot be read: " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<std::string> find_inputs(const std::vector<std::string>& named) {
  std::vector<std::string> files;
  for (const std::string& path : named) {
    std::error_code error;
    const auto kind = fs::status(path, error).type();
    if (kind == fs::file_type::not_found) throw UsageError(path + ": there is no such file or folder");
    if (kind == fs::file_type::directory) {
      const std::vector<std::string> inside = files_in(path);
      files.insert(files.end(), inside.begin(), inside.end());
    } else {
      files.push_back(path);
    }
  }
  return files;
}

std::vector<std::string> default_inputs() {
  const char* from_environment = std::getenv("HOTSPARE_LIGHT_CURVES");
  const fs::path folder = from_environment != nullptr ? from_environment : HOTSPARE_DEFAULT_LIGHT_CURVES;
  if (folder.empty()) throw UsageError("no input: name files or a folder, or set HOTSPARE_LIGHT_CURVES to one");
  std::vector<std::string> files = files_in(folder);
  std::erase_if(files, [](const std::string& file) {
    const std::string name = fs::path(file).filename().string();
    return !name.starts_with("EPIC") || !name.ends_with(".csv");
  });
  if (files.empty())
    throw UsageError(folder.string() + ": there are no EPIC*.csv in the folder of default light curves");
  return files;
}

}  // namespace transit
