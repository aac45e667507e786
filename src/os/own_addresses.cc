#include "os/own_addresses.hpp"

#include "os/self_memory.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <link.h>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace hotspare::os {
namespace {

constexpr std::uintptr_t no_addresses_from = std::uintptr_t{1} << 56;  // five levels of pages

/// Larger ones are a sanitizer's shadow of all memory: half of all small numbers would be an address in it.
constexpr std::uintptr_t most_of_one_piece = std::uintptr_t{1} << 40;

struct Range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  Memory what = Memory::none;
};

/// Of /proc/self/maps: "begin-end rw-p offset dev inode path".
Range range_of(const std::string& line) {
  Range range;
  std::array<char, 5> access{};
  unsigned long inode = 0;
  int path_at = 0;
  if (std::sscanf(line.c_str(), "%lx-%lx %4s %*x %*s %lu %n", &range.begin, &range.end, access.data(), &inode,
                  &path_at) < 4)
    return {};
  const std::string path = line.substr(std::min(line.size(), static_cast<std::size_t>(path_at)));
  const bool kernels = path.starts_with("[v");  // vdso, vvar, vsyscall
  if (range.end - range.begin > most_of_one_piece) return {};
  range.what = Memory::mapping;
  if (access[3] == 'p' && inode == 0 && !kernels) range.what = path == "[stack]" ? Memory::stack : Memory::heap;
  return range;
}

std::vector<Range> read_ranges() {
  std::string text;
  std::array<char, 4096> piece;
  OwnMaps maps;
  while (const std::size_t size = maps.read(piece.data(), piece.size())) text.append(piece.data(), size);
  std::vector<Range> ranges;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (const Range range = range_of(text.substr(at, end - at)); range.end != 0) ranges.push_back(range);
    at = end + 1;
  }
  return ranges;
}

class Ranges {
 public:
  std::uintptr_t lowest() const { return lowest_.load(std::memory_order_relaxed); }
  /// none: nothing that is known.
  Memory find(std::uintptr_t address) const {
    const std::shared_lock lock(mutex_);
    const auto after = std::upper_bound(all_.begin(), all_.end(), address,
                                        [](std::uintptr_t each, const Range& range) { return each < range.begin; });
    return after != all_.begin() && address < std::prev(after)->end ? std::prev(after)->what : Memory::none;
  }
  void read() {
    std::vector<Range> now = read_ranges();
    const std::unique_lock lock(mutex_);
    all_ = std::move(now);
    if (!all_.empty()) lowest_.store(all_.front().begin, std::memory_order_relaxed);
  }

 private:
  mutable std::shared_mutex mutex_;
  std::vector<Range> all_;
  std::atomic<std::uintptr_t> lowest_{no_addresses_from};
};

Ranges& ranges() {
  static Ranges& one = *new Ranges;  // tasks may be submitted while the program ends
  return one;
}

struct Sought {
  std::uintptr_t address;
  Memory found = Memory::none;
};
int look_at_module(dl_phdr_info* module, std::size_t, void* sought_at) {
  Sought& sought = *static_cast<Sought*>(sought_at);
  for (int i = 0; i < module->dlpi_phnum; ++i) {
    const auto& segment = module->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || sought.address - module->dlpi_addr - segment.p_vaddr >= segment.p_memsz) continue;
    sought.found = module->dlpi_addr == 0 ? Memory::program : Memory::module;
    return 1;
  }
  return 0;
}

bool is_mapped(std::uintptr_t address) {
  const auto page = static_cast<std::uintptr_t>(::getpagesize());
  unsigned char resident = 0;
  return ::mincore(reinterpret_cast<void*>(address / page * page), 1, &resident) == 0;
}

}  // namespace

Memory memory_at(std::uintptr_t address) {
  static const bool read_once = (ranges().read(), true);
  static_cast<void>(read_once);
  if (address < ranges().lowest() || address >= no_addresses_from) return Memory::none;
  Memory found = ranges().find(address);
  if (found == Memory::none) {
    if (!is_mapped(address)) return Memory::none;
    ranges().read();
    found = ranges().find(address);
  }
  // Static objects without a value of their own lie in memory of no file, too.
  Sought sought{address};
  ::dl_iterate_phdr(look_at_module, &sought);
  if (sought.found != Memory::none) return sought.found;
  const auto here = reinterpret_cast<std::uintptr_t>(&sought);
  constexpr std::uintptr_t near = std::uintptr_t{1} << 23;
  const bool near_this_frame = address - here < near || here - address < near;
  return found == Memory::heap && near_this_frame ? Memory::stack : found;
}

}  // namespace hotspare::os
