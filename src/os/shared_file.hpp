#pragma once

#include "os/fd.hpp"
#include "os/memory.hpp"
#include "os/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// Files that processes share by name, and the locks on them with which they tell the kernel that they use them.
///
/// The locks are those of open file descriptions (fcntl(2), F_OFD_SETLK). The kernel drops them with the last descriptor
/// *and* mapping that came of one open(), in whatever process, however it ended: what is locked is in use, and what is in
/// use through such an open() is locked.
namespace hotspare::os {

/// Where shm_open(3) has its files.
inline constexpr const char* shared_memory_folder = "/dev/shm";

/// A new file for this user alone, without a name (O_TMPFILE): gone with its last descriptor until name_file.
Result<Fd> make_nameless_file(const std::string& folder);
/// Gives it its name. EEXIST if that is taken.
Status name_file(const Fd& fd, const std::string& path);
/// Opens what is there; follows no symbolic link and waits for no pipe.
Result<Fd> open_shared_file(const std::string& path, Access access);
/// Opens it once more: another open(), with locks of its own.
Result<Fd> open_again(const Fd& fd);
/// Its name now, if somebody renamed it; of one that was removed " (deleted)" is the end. Empty without /proc.
std::string path_of(const Fd& fd);
/// EEXIST if the new name is taken.
Status rename_if_free(const std::string& from, const std::string& to);

/// WARNING: to cut it would send SIGBUS to whoever uses what is cut off.
Status set_length(const Fd& fd, std::uint64_t bytes);
/// Takes memory for this part of the file, which grows if need be: ENOSPC now instead of SIGBUS later.
Status reserve(const Fd& fd, std::uint64_t from, std::uint64_t bytes);
/// Gives the pages of this part back; it reads zeros from now on, and the file stays as long as it is.
Status give_back(const Fd& fd, std::uint64_t from, std::uint64_t bytes);

/// False: another one has it alone.
Result<bool> lock_shared(const Fd& fd);
/// False: another one has it, alone or shared.
Result<bool> lock_alone(const Fd& fd);
enum class Locked : unsigned char { no, shared, alone };
/// How others have it. Asks without taking it, so nobody is disturbed.
Result<Locked> locked_by_others(const Fd& fd);

/// The names in a folder, but for "." and "..".
Result<std::vector<std::string>> names_in(const std::string& folder);

}  // namespace hotspare::os
