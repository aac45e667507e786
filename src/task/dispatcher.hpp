#pragma once

#include "shm/channel.hpp"
#include "task/account.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Who gets the next task, and who is to be looked at. Nothing here takes longer because there are more workers.
namespace hotspare::task {

/// A worker as the dispatcher sees it. Whoever changes one of these tells the dispatcher (touch).
struct Candidate {
  explicit Candidate(shm::Channel& channel) : account(channel) {}
  Candidate(const Candidate&) = delete;
  Candidate& operator=(const Candidate&) = delete;

  Account account;                 ///< Tasks handed over and not yet harvested.
  bool takes_tasks = false;        ///< It is active.
  bool silent = false;             ///< What it had not begun was given to others.
  std::uint64_t handed = 0;        ///< Tasks handed over in all, without those taken back.
  std::uint64_t prefetch = 2;      ///< Tasks it may have at a time.
  bool brief = false;              ///< Its tasks take less than it costs to wake another worker for them.
  std::int64_t progressed_at = 0;  ///< When its head last moved, or it was given a task while it had none, ns.
  std::uint64_t slow_head = 0;     ///< This ticket was overtaken by many: nothing more is put behind it.

 private:
  friend class Dispatcher;
  Candidate* next_ = nullptr;  ///< In its row.
  Candidate* previous_ = nullptr;
  Candidate* next_touched_ = nullptr;
  std::size_t row_ = SIZE_MAX;       ///< Its row; SIZE_MAX: none.
  std::size_t busy_at_ = SIZE_MAX;   ///< Its place among the busy; SIZE_MAX: none.
  std::size_t brisk_at_ = SIZE_MAX;  ///< The same among the brisk.
  bool counts_ = false;              ///< Among those that take tasks.
  bool touched_ = false;
  bool can_give_ = false;
  bool ring_due_ = false;
};

/// How much of a wish there is to give it a task: in row 0 are those that have none, in row n those that have n. Whoever has
/// not answered lately is asked last; `none`: it can take no more now.
struct Rows {
  static constexpr std::size_t last_resort = shm::slot_count;
  static constexpr std::size_t count = last_resort + 1;
  static constexpr std::size_t none = SIZE_MAX;
  /// held: what it has, without what was taken back and waits to be skipped; slots: with that. most: tasks that one worker may
  /// run in all; 0: any number.
  static constexpr std::size_t of(bool takes_tasks, bool silent, bool slow, std::size_t held, std::uint64_t slots,
                                  std::uint64_t prefetch, std::uint64_t handed, std::uint64_t most) {
    if (!takes_tasks || held >= prefetch || slots >= shm::slot_count) return none;
    if (most != 0 && handed >= most) return none;
    if (silent) return last_resort;
    return slow ? none : held;
  }
};

/// Whether a task must begin as soon as a worker has it.
enum class Begins : unsigned char { in_turn, at_once };

/// Where there are more workers than cores, brief tasks go to as many workers as there are cores: another one that were
/// woken for them could only take a core from those. That holds as long as they are brief: whoever stands still is found
/// (Standstill), and then the idle are woken as always.
///
/// Guarded by the mutex of the pool.
class Dispatcher {
 public:
  /// tasks_per_worker: 0: any number. cores: how many of them can run at a time.
  Dispatcher(std::uint64_t tasks_per_worker, std::size_t cores) : most_(tasks_per_worker), cores_(cores) {}
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// So many candidates at most; after that nothing below allocates. Throws std::bad_alloc.
  void reserve(std::size_t candidates);
  /// Something about it has changed, or it is new.
  void touch(Candidate& candidate) noexcept;
  /// It is about to go.
  void forget(Candidate& candidate) noexcept;

  /// Of those that have no task the one that came last, else the one with the fewest; of tasks that are brief those that
  /// are awake have their turns. Null: nobody is to take one now.
  Candidate* choose(Begins begins = Begins::in_turn) noexcept;
  /// Whether somebody idle is let sleep because enough others are awake.
  bool spares_the_idle() noexcept;
  /// Those others. Until something is asked here again.
  std::span<Candidate* const> awake() const noexcept;
  /// It has had the same task for long. If that was to be a brief one, another worker is woken in its stead; if more of them
  /// do so before others have finished many, twice as many each time.
  void stands_still(Candidate& candidate) noexcept;
  /// Results fetched from any of them.
  void note_finished(std::size_t results) noexcept { finished_ += results; }
  std::uint64_t finished() const noexcept { return finished_; }
  /// One that could take a task and has none; null: there is none.
  Candidate* idle() noexcept;
  /// All that have tasks. Changes when `version` does.
  const std::vector<Candidate*>& busy() noexcept;
  std::uint64_t version() const noexcept { return version_; }
  /// Whether somebody has a task behind another one.
  bool somebody_can_give() noexcept;
  /// Of these the one that holds the most; null: there is none.
  Candidate* fullest() noexcept;

  /// It was given something: it is to be rung when all is handed out,
  void ring_later(Candidate& candidate) noexcept;
  /// which is now.
  template <class Ring>
  void ring_all(Ring ring) noexcept {
    while (!to_ring_.empty()) {
      Candidate& candidate = *to_ring_.back();
      to_ring_.pop_back();
      candidate.ring_due_ = false;
      ring(candidate);
    }
  }

 private:
  void settle() noexcept;
  void place(Candidate& candidate) noexcept;
  using List = std::vector<Candidate*>;
  static bool put(Candidate& candidate, List& list, std::size_t Candidate::*at, bool in) noexcept;
  bool enough_are_awake() const noexcept;
  bool wakes_another() noexcept;
  Candidate* next_awake() noexcept;
  void put_in_row(Candidate& candidate, std::size_t row) noexcept;
  void take_from_row(Candidate& candidate) noexcept;

  static constexpr std::size_t bits = 64;
  static_assert(shm::slot_count % bits == 0);

  /// After so many results those that stand still are single ones again, of which some may have waited for a core only.
  static constexpr std::uint64_t calm_after = 64;

  const std::uint64_t most_;
  const std::size_t cores_;
  std::array<Candidate*, Rows::count> first_{};               ///< Of each row.
  std::array<std::uint64_t, shm::slot_count / bits> used_{};  ///< Which rows have somebody, but the last.
  std::vector<Candidate*> busy_;
  std::vector<Candidate*> brisk_;  ///< Those busy with brief tasks.
  std::vector<Candidate*> to_ring_;
  Candidate* touched_ = nullptr;
  std::size_t givers_ = 0;  ///< How many have a task behind another one.
  std::size_t taking_ = 0;  ///< How many take tasks.
  std::size_t turn_ = 0;    ///< Whose of the brisk it is.
  std::uint64_t finished_ = 0;
  std::uint64_t calm_at_ = 0;  ///< Of finished_.
  std::size_t wakes_ = 0;      ///< So many more are woken, although enough are awake,
  std::size_t burst_ = 0;      ///< of which the last one that stood still asked for so many.
  std::uint64_t version_ = 0;
};

}  // namespace hotspare::task
