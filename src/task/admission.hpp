#pragma once

#include "os/clock.hpp"
#include "task/gate.hpp"
#include "task/queue.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace hotspare::detail {

/// A tag's gate and who waits before it.
struct GateAndQueue {
  explicit GateAndQueue(const TagLimits& limits) : gate(limits) {}
  task::Gate gate;
  TaskList waiting;
  std::int64_t look_at = 0;  ///< When it may open by itself, ns; 0: it won't.
};

}  // namespace hotspare::detail

namespace hotspare::task {

/// Which task of the queue may begin. Those that may not yet wait apart, so that they hold up no others: before their tag's
/// gate, or at the grave of a worker that died of their key, until it is known whether that is in quarantine now. One that is
/// to run alone holds up all others.
///
/// Owns these places, and moves tasks between them and the queue, which it is lent. Guarded by the mutex of the pool. Times are
/// CLOCK_MONOTONIC, ns.
class Admission {
 public:
  using Task = detail::Task;
  using Tags = std::map<std::string, TagLimits>;

  /// on_due: due_at() may be earlier than it was.
  Admission(
      detail::TaskQueue& queue, const Tags& tags, std::function<void()> on_due,
      std::int64_t (*clock)() = [] { return os::monotonic_ns(); });
  Admission(const Admission&) = delete;  // tasks know their gates
  Admission& operator=(const Admission&) = delete;

  /// At submit: finds the gates of its tags. Returns the tag that has none; null: each has one.
  const std::string* find_gates(Task& task);

  /// Whether nobody may begin, for memory is short or somebody runs alone. running: so many tasks do.
  bool is_closed(std::size_t running) const { return lonely_ != nullptr || (hold_ && running != 0); }
  /// Memory is short: no task begins beside others.
  void hold(bool on) { hold_ = on; }
  bool holds() const { return hold_; }

  struct Answer {
    enum class May : std::uint8_t { begin, begin_alone, wait_elsewhere };
    May may;
    detail::TaskList* where = nullptr;  ///< It is to wait.
  };
  /// What the first task of the queue may.
  Answer ask(const Task& first);
  /// The first task of the queue waits there from now on.
  void park_first(detail::TaskList& where);

  // One that may begin: on its way to whoever runs it, begun, and no more with him.

  /// Throws std::bad_alloc; then it has not entered.
  void enter(Task& task);
  /// Noted by its worker, which may write nonsense, but no later than now.
  void note_begin(const Task& task, std::int64_t began_at);
  void leave(Task& task, Gate::End end);
  /// A worker has it, or has it no more.
  void handed(const Task& task);
  void let_go(const Task& task);

  /// The worker that ran it is dying: others with its key wait until it is known what of,
  void dig_grave(const Task& victim);
  /// which is now.
  void close_grave(const Task& victim);

  /// When the next gate may open by itself; 0: none will.
  std::int64_t due_at() const;
  void on_time(std::int64_t now);

  /// So many wait elsewhere,
  std::size_t parked() const { return parked_; }
  /// are all in the queue again, before what is there,
  void unpark_all();
  /// or one of them or of the queue is in neither.
  detail::TaskRef take(Task& task);

 private:
  /// Deaths under way of workers that ran tasks of one key, and other tasks of that key.
  struct Grave {
    unsigned deaths = 0;
    detail::TaskList waiting;
  };

  detail::TaskList* place_for(const Task& first);
  void look_at(detail::GateAndQueue& gate, std::int64_t now);
  void expect_opening(detail::GateAndQueue& gate, std::int64_t at);
  void unpark(detail::TaskList& waiting);

  detail::TaskQueue& queue_;
  const std::function<void()> on_due_;
  std::int64_t (*const clock_)();
  std::map<std::string, detail::GateAndQueue> gates_;  ///< Of each tag.
  std::map<std::string, Grave> graves_;                ///< Of each key whose task a worker is dying of.
  std::size_t parked_ = 0;                             ///< Tasks that wait at these.
  const Task* lonely_ = nullptr;                       ///< A worker has it, and nothing else runs.
  bool hold_ = false;
};

}  // namespace hotspare::task
