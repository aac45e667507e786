#pragma once

#include <hotspare/export.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hotspare {

enum class SegmentState : unsigned char {
  used,          ///< A living process has it.
  orphaned,      ///< Registered, and no living process has it.
  unregistered,  ///< Of a program that does not register; see SegmentInfo::users.
  damaged,       ///< Named like a segment, but it is none: its head is broken or may not be read. Never collected.
};

enum class OwnerState : unsigned char {
  lives,
  ended,    ///< Also if its number now belongs to another process.
  unknown,  ///< It has its number in another PID namespace, or there is no owner known.
};

/// An object in /dev/shm.
struct SegmentInfo {
  std::string path;   ///< Its name in /dev/shm.
  std::string scope;  ///< Empty, like name, if it is unregistered.
  std::string name;
  std::uint64_t bytes = 0;
  SegmentState state = SegmentState::damaged;
  int owner = 0;                    ///< Process that created it, as numbered in its PID namespace; 0: not known.
  std::uint64_t owner_started = 0;  ///< Clock ticks since the machine started: with the number it names one process.
  OwnerState owner_state = OwnerState::unknown;
  std::chrono::system_clock::time_point created;  ///< Unregistered: last changed.
  std::vector<int> users;   ///< Living processes that map it or have it open, as far as this one may see.
  bool users_known = true;  ///< False: there are processes that this one may not look into (try it as root).
};

/// Everything in /dev/shm, of all scopes and of programs that do not register. Looks into every process: some ms.
HOTSPARE_API std::vector<SegmentInfo> list_shared_memory();

struct CollectOptions {
  bool dry_run = false;  ///< Only say what would be removed.
  /// Also what nobody registered and no living process has. WARNING: POSIX keeps shared memory and named semaphores until
  /// they are unlinked; a program may count on finding them again. Left alone while users_known is false.
  bool unregistered = false;
  std::string scope;  ///< Only this one; empty: all.
};
struct CollectedObject {
  SegmentInfo object;
  bool removed = false;  ///< With dry_run: would have been.
  std::string why_not;   ///< For people.
};
/// collect() for all scopes. Tells of all that is orphaned or, if asked for, unregistered and unused.
HOTSPARE_API std::vector<CollectedObject> collect_shared_memory(const CollectOptions& options);

/// What happened in /dev/shm.
struct SharedMemoryEvent {
  enum class Kind : unsigned char { appeared, removed, renamed, owner_ended, orphaned, events_lost };
  Kind kind = Kind::appeared;
  SegmentInfo object;    ///< As last seen.
  std::string new_path;  ///< If renamed.
};
/// Waits for events instead of looking again and again: inotify for the names, a pidfd for each process that has a segment.
class HOTSPARE_API SharedMemoryWatch {
 public:
  SharedMemoryWatch();
  ~SharedMemoryWatch();
  SharedMemoryWatch(const SharedMemoryWatch&) = delete;
  SharedMemoryWatch& operator=(const SharedMemoryWatch&) = delete;
  /// Waits until something happens.
  std::vector<SharedMemoryEvent> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hotspare
