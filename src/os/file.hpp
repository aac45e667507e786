#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Files that last: made whole, locked, and brought to the disk when that is asked for.
namespace hotspare::os {

/// What the kernel says of a path.
struct FileFacts {
  bool exists = false;
  bool regular = false;
  std::uint64_t size = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t changed_ns = 0;  ///< CLOCK_REALTIME: when it was last written to.
  std::uint32_t owner = 0;      ///< User id.
  /// The same file, not only the same name.
  bool is(const FileFacts& other) const { return exists && device == other.device && inode == other.inode; }
};
/// A path that does not exist is no failure.
Result<FileFacts> file_facts(const std::string& path);
Result<FileFacts> file_facts(const Fd& fd);
/// Whose the link is that has this path; nothing if it is none.
Result<std::optional<std::uint32_t>> link_owner(const std::string& path);
/// Whose files this process makes, and reads without misgivings: its effective user's.
std::uint32_t own_user() noexcept;

/// Opens for reading and writing; makes it if it is not there. A link in its place is a failure (ELOOP).
Result<Fd> open_or_create(const std::string& path);
Result<Fd> open_for_reading(const std::string& path);
/// A new empty file for writing; one of that name is emptied. A link in its place is a failure (ELOOP).
Result<Fd> create_empty(const std::string& path);
Status create_folder(const std::string& path);

/// Reads as many bytes as are there, at most those that fit.
Result<std::size_t> read_at(const Fd& fd, std::uint64_t offset, std::span<std::byte> to);
Status write_at(const Fd& fd, std::uint64_t offset, std::span<const std::byte> from);
Result<std::vector<std::byte>> read_whole(const std::string& path);

/// Waits until the file's bytes are on the disk.
Status sync_file(const Fd& fd);
/// The same for the names in a folder.
Status sync_folder(const std::string& path);

/// Replaces what has that name.
Status rename_file(const std::string& from, const std::string& to);
/// A file that is not there is no failure.
Status remove_file(const std::string& path);
/// A second name for a file.
Status link_file(const std::string& from, const std::string& to);

/// The whole file for this process and none else; false if another has it. Ends with the descriptor and all copies of it,
/// those of forked children among them.
Result<bool> lock_exclusively(const Fd& fd);

/// What kind of file system a path is on (statfs's f_type).
Result<std::uint64_t> file_system_type(const std::string& path);
/// Its name if it is one that other machines may write to, or may be; else empty.
std::string network_file_system(std::uint64_t type);

/// This machine's name; empty if it has none.
std::string host_name();

}  // namespace hotspare::os
