#pragma once

#include "standby/helm.hpp"
#include "standby/ring.hpp"
#include "standby/seat.hpp"

#include <hotspare/detail/standby_core.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <sys/types.h>
#include <vector>

namespace hotspare::standby {

/// What a replica does, between its begin and its death: blocks, and orders between two blocks.
class Replica {
 public:
  Replica(std::unique_ptr<Seat> seat, std::unique_ptr<hotspare::detail::ReplicaBody> body);
  /// Until it is told to leave. noexcept: what the processor throws is a death, with its stack as it was.
  void run() noexcept;

 private:
  /// A process between this one and an heir: it forks once and ends.
  struct Middle {
    pid_t pid;
    std::uint64_t ticket;
  };
  void begin();
  void live();
  bool has_helm() const { return seat_->geometry().mode != StandbyMode::lockstep; }
  bool at_helm() const;
  std::uint64_t newest() const { return seat_->blocks().newest.load(std::memory_order_acquire); }
  bool must_leave() const;

  // replica.cc: blocks
  void work();
  bool process_next(std::uint64_t newest);
  bool lane_is_intact(std::uint64_t block) const;
  [[noreturn]] void fall_to_nonsense(std::uint64_t block) noexcept;
  void pass_over(std::uint64_t block);
  void set_done(std::uint64_t block);
  void begin_window(std::uint64_t last);
  std::uint64_t window_to(std::uint64_t last) const;
  std::uint64_t oldest() const;
  static void be_struck(std::uint32_t way);
  [[noreturn]] void fall_out(const char* why) noexcept;
  void publish(std::uint64_t block);
  bool is_spare() const { return seat_->lane().part.load(std::memory_order_seq_cst) == Part::spare; }
  bool leaves_as_spare();
  bool caught_up();
  void get_ready();
  void use_followers_priority() const;
  void settle_in();
  void tell_phase(Phase phase);

  // orders.cc
  bool order_waits() const;
  bool obey();
  std::int64_t order_due() const;
  void commit();
  bool save_into(std::span<std::byte> room, std::size_t& size);
  void bequeath(std::uint64_t ticket);
  void cannot_fork(std::uint64_t ticket);
  void reap_middles();
  [[noreturn]] void be_born(const ReplicaStart& start, std::vector<os::Fd> fds);
  void await_source();
  bool load_from(std::uint32_t lane);

  // parked.cc
  void park();
  void sleep_until_something_moves(Helm helm, std::uint32_t bell);
  bool take_helm(Helm from);
  void take_over();

  std::unique_ptr<Seat> seat_;
  std::unique_ptr<hotspare::detail::ReplicaBody> body_;
  std::uint64_t done_ = 0;           ///< The state is that after this block.
  std::uint64_t answered_ = 0;       ///< Our own copy of what the lane says.
  std::uint64_t window_left_ = 0;    ///< Blocks to process until all that matters to a processor that forgets has been.
  bool loads_ = false;               ///< It has states from others.
  std::uint64_t ticket_ = 0;         ///< Of the last order obeyed.
  std::int64_t last_answer_at_ = 0;  ///< ns
  bool ready_ = false;               ///< Its memory is locked. The spare's, too.
  bool told_spare_ = false;          ///< The host knows that it follows.
  bool settled_ = false;             ///< Hygiene is done and the host knows that it is in step.
  bool leaving_ = false;
  std::vector<Middle> middles_;     ///< Not yet reaped.
  std::vector<std::byte> scratch_;  ///< A state on its way in.
};

/// Ends this replica because it cannot go on in step; the text is in the last lines of its stderr.
[[noreturn]] void give_up(const char* why) noexcept;

}  // namespace hotspare::standby
