#include "os/mappings.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string_view>

namespace hotspare::os {
namespace {

/// One line of /proc/<pid>/maps, or the first one of an entry of smaps.
struct Mapping {
  bool shared = false;
  std::uint64_t inode = 0;
  bool nameless = false;
};

bool is_nameless(std::string_view path) {
  constexpr std::string_view removed = " (deleted)";
  if (path.starts_with("/memfd:")) return !path.starts_with("/memfd:hotspare-");
  if (path.starts_with("/SYSV")) return true;
  return path.ends_with(removed) && (path.starts_with("/dev/zero") || path.starts_with("/dev/shm/"));
}

bool parse_mapping(const std::string& line, Mapping& into) {
  char shared = 0;
  unsigned long long inode = 0;
  int path = 0;
  if (std::sscanf(line.c_str(), "%*[^ ] %*c%*c%*c%c %*[^ ] %*[^ ] %llu %n", &shared, &inode, &path) != 2 || path == 0)
    return false;
  into = {shared == 's', inode, is_nameless(std::string_view(line).substr(static_cast<std::size_t>(path)))};
  return true;
}

std::string of_process(const std::string& root, pid_t pid, const char* file) {
  return root + "/proc/" + std::to_string(pid) + "/" + file;
}

/// The figures of one entry of smaps, bytes.
struct Figures {
  std::uint64_t share = 0;
  std::uint64_t alone = 0;
  std::uint64_t anonymous = 0;
};

void add(const Mapping& mapping, const Figures& figures, const std::set<std::uint64_t>& elsewhere, Mapped& sum) {
  if (!mapping.shared) {
    // A private mapping of a file has pages of the file beside its own copies, which are seldom shared.
    const bool of_file = mapping.inode != 0;
    sum.anonymous += figures.anonymous;
    sum.anonymous_alone += of_file ? std::min(figures.alone, figures.anonymous) : figures.alone;
    sum.anonymous_share += of_file ? std::min(figures.share, figures.anonymous) : figures.share;
  } else if (mapping.nameless && !elsewhere.contains(mapping.inode)) {
    sum.nameless_share += figures.share;
  }
}

}  // namespace

Mapped mapped(pid_t pid, const std::set<std::uint64_t>& elsewhere, const std::string& root) {
  Mapped sum;
  Mapping mapping;
  Figures figures;
  std::ifstream file(of_process(root, pid, "smaps"));
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] < 'A' || line[0] > 'Z') {  // an address: the next entry
      add(mapping, figures, elsewhere, sum);
      figures = {};
      if (!parse_mapping(line, mapping)) mapping = {};
      continue;
    }
    char name[32];
    unsigned long long kilobytes = 0;
    if (std::sscanf(line.c_str(), "%31[^:]: %llu kB", name, &kilobytes) != 2) continue;
    const std::string_view figure = name;
    if (figure == "Pss") figures.share = kilobytes * 1024;
    if (figure == "Private_Clean" || figure == "Private_Dirty") figures.alone += kilobytes * 1024;
    if (figure == "Anonymous") figures.anonymous = kilobytes * 1024;
  }
  add(mapping, figures, elsewhere, sum);
  return sum;
}

std::set<std::uint64_t> nameless_memory(pid_t pid, const std::string& root) {
  std::set<std::uint64_t> inodes;
  std::ifstream file(of_process(root, pid, "maps"));
  Mapping mapping;
  for (std::string line; std::getline(file, line);)
    if (parse_mapping(line, mapping) && mapping.shared && mapping.nameless) inodes.insert(mapping.inode);
  return inodes;
}

}  // namespace hotspare::os
