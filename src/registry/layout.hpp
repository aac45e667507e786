#pragma once

#include "os/process_identity.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What a segment is, as a file: /dev/shm/hotspare.SCOPE.NAME, its head first, its bytes from data_at on.
namespace hotspare::registry {

inline constexpr std::string_view file_prefix = "hotspare.";
/// A multiple of all page sizes, so that the head is never mapped with the bytes. What lies between takes no memory.
inline constexpr std::uint64_t data_at = 65536;
inline constexpr std::array<char, 16> magic{'h', 'o', 't', 's', 'p', 'a', 'r', 'e', ' ', 's', 'e', 'g', ' ', '1', '\n'};
/// As far as a file offset goes, with room for the head.
inline constexpr std::uint64_t max_bytes = std::uint64_t{1} << 47;

/// Complete before the file has a name. Only size changes later.
struct Head {
  std::array<char, 16> signature = magic;
  os::ProcessIdentity owner;
  std::int64_t created_ns = 0;  ///< CLOCK_REALTIME
  /// The bytes that the segment has. The file is as long or longer, never shorter: it is not cut while it has a name, so
  /// that no user is sent a SIGBUS.
  std::atomic<std::uint64_t> size{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// A copy of what was found, checked.
struct HeadSeen {
  os::ProcessIdentity owner;
  std::int64_t created_ns = 0;
  std::uint64_t size = 0;
};
/// Nothing: this is not the head of a segment, or says more bytes than the file has.
std::optional<HeadSeen> check(const Head& head, std::uint64_t file_size);

struct Names {
  std::string scope;
  std::string name;
};
bool good_scope(std::string_view scope);
bool good_name(std::string_view scope, std::string_view name);
std::string file_name(std::string_view scope, std::string_view name);
/// Nothing: no segment is called so.
std::optional<Names> names_of(std::string_view file);

}  // namespace hotspare::registry
