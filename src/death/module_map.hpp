#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hotspare::death {

/// One executable mapping of a worker.
struct MappedCode {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;  ///< In the file, of `start`.
  std::string path;          ///< Empty for code that was generated; "[vdso]" for the kernel's.

  bool is_file() const { return !path.empty() && path.front() == '/'; }
};

/// Reads text in the form of /proc/PID/maps. It may come from a dying process: what is not ascending and well formed is
/// left out, and at most some thousand lines are taken.
std::vector<MappedCode> parse_maps(std::string_view text);

/// The mapping that holds `address`, null if none does. `map` as parse_maps() returned it.
const MappedCode* find_code(const std::vector<MappedCode>& map, std::uint64_t address);

}  // namespace hotspare::death
