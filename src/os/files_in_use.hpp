#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>

namespace hotspare::os {

struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const FileId&) const = default;
};

/// Which processes have which files, as /proc tells.
struct FilesInUse {
  std::map<FileId, std::set<pid_t>> mapped;
  std::map<FileId, std::set<pid_t>> open;  ///< By descriptor.
  std::set<pid_t> unseen;                  ///< Processes that this one may not look into: they may have anything.
};

/// The file of one line of /proc/PID/maps; nothing: it is of none.
std::optional<FileId> file_of_mapping(const std::string& line);
/// Looks at every process, for files on this device: some 0.1 ms for each process. What is opened or closed meanwhile may be
/// seen or not. WARNING: a process that ends while it is looked at lets go of its files a moment later than otherwise.
FilesInUse files_in_use(std::uint64_t device);

}  // namespace hotspare::os
