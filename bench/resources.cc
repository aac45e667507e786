#include "resources.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace bench {
namespace {

std::uint64_t entries(const char* folder) {
  std::error_code ignored;
  const std::filesystem::directory_iterator all(folder, ignored);
  return static_cast<std::uint64_t>(std::distance(begin(all), end(all)));
}

std::uint64_t words_in(const std::string& file) {
  std::ifstream in(file);
  return static_cast<std::uint64_t>(std::distance(std::istream_iterator<std::string>(in), {}));
}

std::uint64_t children_of_all_threads() {
  std::uint64_t all = 0;
  std::error_code ignored;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", ignored))
    all += words_in(thread.path() / "children");
  return all;
}

std::uint64_t lines_in(const char* file) {
  std::ifstream in(file);
  std::uint64_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  return lines;
}

std::uint64_t resident_now_kb() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  in >> size >> resident;
  return resident * 4;
}

}  // namespace

Resources Resources::now() {
  return {.descriptors = entries("/proc/self/fd"),
          .threads = entries("/proc/self/task"),
          .children = children_of_all_threads(),
          .shared_files = entries("/dev/shm"),
          .mappings = lines_in("/proc/self/maps"),
          .resident_kb = resident_now_kb()};
}

std::string Resources::text() const {
  return std::to_string(descriptors) + " descriptors, " + std::to_string(threads) + " threads, " +
         std::to_string(children) + " children, " + std::to_string(shared_files) + " shared files, " +
         std::to_string(mappings) + " mappings, " + std::to_string(resident_kb) + " kB resident";
}

}  // namespace bench
