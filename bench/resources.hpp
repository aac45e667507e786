#pragma once

#include <cstdint>
#include <string>

namespace bench {

/// What this process and the machine's shared memory hold now: held against what it was before.
struct Resources {
  std::uint64_t descriptors = 0;
  std::uint64_t threads = 0;
  std::uint64_t children = 0;      ///< Zombies among them.
  std::uint64_t shared_files = 0;  ///< In /dev/shm.
  std::uint64_t mappings = 0;
  std::uint64_t resident_kb = 0;

  static Resources now();
  std::string text() const;
};

}  // namespace bench
