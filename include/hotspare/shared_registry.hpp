#pragma once

#include <hotspare/error.hpp>
#include <hotspare/export.hpp>
#include <hotspare/segment_info.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hotspare {

/// Why a segment can't be had.
enum class RegistryProblem : unsigned char {
  bad_name,   ///< A name or scope that cannot be.
  exists,     ///< The name is taken by a segment that is in use.
  absent,     ///< There is no segment of that name, or it is just being removed.
  not_owner,  ///< Only the process that created a segment renames and resizes it.
  foreign,    ///< Something else than a segment has that name in /dev/shm, or another user's; nothing was changed.
  full,       ///< No memory for it in /dev/shm, or more than RLIMIT_FSIZE allows.
  busy,       ///< A process that is removing the name's old segment does not come to an end: it is stopped.
  refused,    ///< The system said no; what() has its words.
};

/// what() says what happened to which segment, why, and what to do.
class HOTSPARE_API RegistryError : public Error {
 public:
  RegistryError(RegistryProblem problem, const std::string& message) : Error(message), problem_(problem) {}
  ~RegistryError() override;
  RegistryProblem problem() const noexcept { return problem_; }

 private:
  RegistryProblem problem_;
};

/// A piece of shared memory with a name, in use by this process for as long as this lives. The last user of all removes it,
/// by dropping it; if that one is killed, it is orphaned: open() takes it up again, create() replaces it, collect() removes it.
///
/// A fork of this process is a user of its own: it has the memory, and its copy of this must be dropped (or the process
/// end) before the segment can go. One thread at a time may use a Segment.
class HOTSPARE_API Segment {
 public:
  Segment(Segment&& other) noexcept;
  Segment& operator=(Segment&& other) noexcept;
  ~Segment();  ///< Leaves it; removes it if nobody else uses it.

  /// The memory; zeros at first. Moves with resize() and refresh() only.
  std::span<std::byte> bytes() const noexcept;
  /// Its name now: the owner may have renamed it. Empty: somebody removed it by force, and only its users have it.
  std::string name() const;
  /// Whether this process created it.
  bool owner() const noexcept;

  /// Atomic: at each instant it has the one name or the other. Throws RegistryError: not_owner, exists, bad_name, busy.
  void rename(const std::string& new_name);
  /// New bytes are zeros. Other users keep what they have until they refresh(): the part that is cut off reads zeros for
  /// them, and its memory is theirs until the segment goes. Throws RegistryError: not_owner, full (nothing has changed then).
  void resize(std::size_t bytes);
  /// Takes up the size that the owner has given it. True if bytes() is another one now.
  bool refresh();

 private:
  friend class SharedRegistry;
  struct State;
  explicit Segment(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

/// What collect() did.
struct Collected {
  std::vector<std::string> removed;  ///< Names in /dev/shm.
  std::vector<std::string> kept;     ///< Orphans that a process has mapped without having registered.
};

/// Shared memory by name (/dev/shm) for programs that may be killed at any instant. The scope keeps the names of one
/// application apart; a registry has nothing of its own, neither file nor process: the truth is in the names in /dev/shm and
/// in locks that the kernel drops when their holder dies (docs/decisions/026). Nothing here waits for a stopped process.
/// Threads may share a registry. Segments are for processes of one user.
class HOTSPARE_API SharedRegistry {
 public:
  /// scope: letters, digits, - and _. Throws RegistryError: bad_name.
  explicit SharedRegistry(std::string scope);

  /// A new segment that this process owns, in one atomic step: others see it whole or not at all. Replaces an orphan of
  /// that name. name: letters, digits, - _ and dots. Throws RegistryError: exists, full, bad_name, busy, foreign.
  Segment create(const std::string& name, std::size_t bytes);
  /// Registers this process as a user. Takes up an orphan, too. Throws RegistryError: absent, foreign.
  Segment open(const std::string& name);
  /// All segments of the scope, with their users.
  std::vector<SegmentInfo> list() const;
  /// Removes what dead processes left in the scope; nothing that a living one uses, registered or not. WARNING: what a
  /// process has mapped without registering is seen only if this one may look into it (the same user; root).
  Collected collect();

  const std::string& scope() const noexcept { return scope_; }

 private:
  std::string path_of(const std::string& name) const;
  std::string scope_;
};

}  // namespace hotspare
