#pragma once

#include "os/fd.hpp"
#include "os/shared_file.hpp"
#include "registry/crash_point.hpp"
#include "registry/layout.hpp"

#include <cstdint>
#include <optional>
#include <string>

/// The protocol over a segment's file. What keeps it sound:
/// - a file has a name only when it is whole, and locked by its creator;
/// - who uses it has it locked, shared;
/// - a name is taken from a file only by who has that file locked alone, or, in a rename, by the owner who uses it.
/// So a name cannot come to mean something else between the look at it and its removal, however long that takes.
namespace hotspare::registry {

std::string path_in_folder(const std::string& file);
/// The path still means this file.
bool is_named(const os::Fd& fd, const std::string& path);
/// Where it is now; empty: nowhere.
std::string current_path(const os::Fd& fd);
std::optional<HeadSeen> read_head(const os::Fd& fd);

/// A file that this process uses. Leaves it, and removes it if it was the last to use it.
class HeldFile {
 public:
  HeldFile() noexcept = default;
  explicit HeldFile(os::Fd locked) noexcept : fd_(std::move(locked)) {}
  HeldFile(HeldFile&&) noexcept = default;
  HeldFile& operator=(HeldFile&&) = delete;
  ~HeldFile() { leave(); }
  const os::Fd& fd() const noexcept { return fd_; }
  /// WARNING: the mappings of it are to be gone by then; each keeps it in use.
  void leave() noexcept;

 private:
  os::Fd fd_;
};

/// Opens and locks it. Throws RegistryError: absent, foreign (another user's, too), refused.
HeldFile hold(const std::string& path);

/// Frees a name that is wanted for another file, if an orphan has it.
class NameClaim {
 public:
  NameClaim(std::string path, CrashPoint locked, CrashPoint removed)
      : path_(std::move(path)), locked_(locked), removed_(removed) {}
  /// After it: try again. Throws RegistryError: exists, busy, foreign, refused.
  void free();

 private:
  void remove_orphan();
  void wait_for_remover(const os::Fd& fd);

  std::string path_;
  CrashPoint locked_;
  CrashPoint removed_;
  std::int64_t deadline_ns_ = 0;
};

/// Removes it if it still is this file and nobody uses it; false if not.
bool remove_if_orphaned(const std::string& path, std::uint64_t inode);

}  // namespace hotspare::registry
