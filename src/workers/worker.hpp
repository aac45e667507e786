#pragma once

#include "child/process.hpp"
#include "os/fd.hpp"
#include "os/memory.hpp"
#include "os/result.hpp"
#include "os/socket.hpp"
#include "shm/channel.hpp"
#include "shm/segment.hpp"
#include "task/dispatcher.hpp"
#include "task/task.hpp"
#include "workers/lifecycle.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <sys/types.h>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace hotspare::workers {

/// The host's ends of what it shares with one worker, and those to be handed to the worker when it is forked.
struct Ties {
  child::Ties process;
  os::Fd channel_fd;                     ///< Closed once the worker has it.
  std::shared_ptr<os::Mapping> channel;  ///< A sentry that watches its robust word keeps it, too.
  os::SocketPair segments;

  static os::Result<Ties> make();
};

/// One worker process as the host sees it. Guarded by the engine's mutex.
class Worker : public child::Process, public task::Candidate {
 public:
  Worker(std::uint64_t worker_id, Ties worker_ties);

  State state = State::asked;
  Ties ties;

  std::uint64_t inbox_filled = 0;
  std::uint64_t inbox_freed = 0;
  std::uint64_t outbox_freed = 0;
  std::uint64_t overtaken_from = 0;  ///< How many tasks had finished in the pool when its head last moved.
  std::uint64_t unanswered = 0;      ///< It had not begun this ticket at the last look,
  unsigned looks = 0;                ///< nor at so many in a row.

  // Limits of the tasks that it has.
  std::int64_t look_at = 0;       ///< When one of them may be due, ns; 0: never.
  std::int64_t looked_for = 0;    ///< How far off that was when it was set: a limit of more than that can wait.
  std::int64_t told_to_stop = 0;  ///< When what was asked to stop last had begun, ns.
  std::int64_t grace = 0;         ///< Between SIGTERM and SIGKILL, ns; 0: SIGKILL at once.

  std::unordered_set<std::uint64_t> known_segments;    ///< It was sent their descriptors.
  std::unordered_set<std::uint64_t> written_segments;  ///< Of these, lent to be written: it may have closed them.
  std::size_t known_segments_limit = 32;               ///< From so many on, those that are gone are looked for.
  std::unordered_map<std::uint64_t, detail::SegmentRef> leases;  ///< Lent to it, writable.
  std::uint64_t lease_served = 0;
  std::uint64_t leases_taken_back = 0;  ///< Position in the ring of those that it returned.
  std::uint64_t left_to_forks = 0;      ///< Arena::left_to_forks() when it was last told which segments are gone.

  detail::TaskRef victim;                      ///< What it ran when it was condemned,
  std::vector<detail::TaskRef> other_victims;  ///< and what else it claimed to run then.
  pid_t successor = 0;                         ///< The spare that stood in for it.
  bool retiring = false;                       ///< Told to leave: its exit is no death.
  bool has_sentry = false;                     ///< Where each word has a thread of its own: this one has.
  std::optional<std::size_t> listener;  ///< Which one watches its robust word; none: only its pidfd tells of its death.

  shm::Channel& channel() const { return *ties.channel->as<shm::Channel>(); }
  std::uint64_t outstanding() const { return account.outstanding(); }
  /// Takes the step that the lifecycle table knows; anything else is a broken invariant.
  void step(Event event);
  bool can(Event event) const { return next(state, event).has_value(); }
  /// True when the kernel has marked the robust mutex: the process is dying or dead.
  bool life_lost() const;
  /// All its threads that wait for something of ours look again.
  void ring();
};

/// Ids instead of pointers wherever something outlives a lock: a worker may be freed meanwhile.
using WorkerId = std::uint64_t;

}  // namespace hotspare::workers
