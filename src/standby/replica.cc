#include "standby/replica.hpp"

#include "os/clock.hpp"
#include "os/data_limit.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "os/program_pages.hpp"
#include "os/realtime.hpp"
#include "standby/decide.hpp"
#include "worker/crash_handler.hpp"
#include "worker/crash_point.hpp"
#include "worker/worker_state.hpp"
#include "zygote/embedding.hpp"

#include <hotspare/chaos.hpp>

#include <cstdio>
#include <cxxabi.h>
#include <exception>

namespace hotspare::standby {

using hotspare::detail::ReplicaBody;
using worker::CrashPoint;
using worker::reach;

void give_up(const char* why) noexcept {
  std::fprintf(stderr, "hotspare replica ends itself: %s\n", why);
  os::exit_now(124);
}

namespace {

[[gnu::no_sanitize("null")]] std::unique_ptr<ReplicaBody> make_body(const Seat& seat) {
  try {
    const auto make = reinterpret_cast<hotspare::detail::MakeBody>(hotspare::detail::resolve(seat.geometry().make));
    return make(seat.arguments());
  } catch (const std::exception& error) {
    worker::die_of_initializer(error.what());
  } catch (const abi::__forced_unwind&) {
    worker::die_of_thread_exit();
  } catch (...) {
    worker::die_of_initializer("the processor's constructor threw something that is no std::exception");
  }
}

}  // namespace

void run_replica(const ReplicaStart& start, std::vector<os::Fd> fds) {
  worker::arm_crash_points(start.id);
  reach(CrashPoint::before_setup);
  auto seat = Seat::take(start, std::move(fds));
  reach(CrashPoint::before_ready);
  auto body = make_body(*seat);
  Replica(std::move(seat), std::move(body)).run();
  zygote::call(hotspare::detail::embedding().worker_leaves);
  os::exit_now(0);
}

Replica::Replica(std::unique_ptr<Seat> seat, std::unique_ptr<ReplicaBody> body)
    : seat_(std::move(seat)), body_(std::move(body)), scratch_(seat_->geometry().state_bytes) {}

void Replica::run() noexcept {
  begin();
  live();
}

void Replica::live() {
  while (!leaving_) {
    if (has_helm() && settled_) park();  // also who is at the helm already has to take over
    if (!leaving_) work();
  }
}

void Replica::begin() {
  if (seat_->geometry().flush_denormals) os::flush_denormals();
  // SYNC POINT begin: from now on the host changes it no more, Crew::begin_anew.
  const Begin told = Begin::unpack(seat_->lane().begin.fetch_or(taken_begin, std::memory_order_seq_cst));
  loads_ = told.plan == Plan::load;
  if (loads_ && !has_helm()) return await_source();
  // A parked one that is to load states has none yet: the one that it takes over with comes from the helm's lane.
  if (told.plan == Plan::now) set_done(told.base - 1);
  if (told.plan == Plan::replay) begin_window(newest());
  if (has_helm()) return settle_in();
  tell_phase(Phase::catching_up);
}

void Replica::set_done(std::uint64_t block) {
  done_ = block;
  // SYNC POINT left-out: either the host sees that we have this block, or we see that it is held.
  seat_->lane().done.store(block, std::memory_order_seq_cst);
}

/// Of a processor that forgets: it begins anew, so early that it has all that matters when it has processed `last`.
void Replica::begin_window(std::uint64_t last) {
  const std::uint64_t from = window_to(last);
  if (from == 0) seat_->lane().lost_state.fetch_add(1, std::memory_order_relaxed);
  // With the first block it has all in any case.
  window_left_ = from > 1 ? seat_->geometry().replay_blocks : 0;
  set_done((from != 0 ? from : oldest()) - 1);
}

std::uint64_t Replica::oldest() const { return oldest_to_replay(newest(), seat_->geometry().history); }
std::uint64_t Replica::window_to(std::uint64_t last) const {
  return window_begin(last, seat_->geometry().replay_blocks, oldest(),
                      [this](std::uint64_t block) { return seat_->mark(block) == Mark::left_out; });
}

bool Replica::at_helm() const {
  return Helm::unpack(seat_->bells().helm.load(std::memory_order_acquire)).lane == seat_->number();
}

bool Replica::must_leave() const {
  return order_of(seat_->lane().order.load(std::memory_order_acquire)) == Order::leave;
}

/// Processes what there is, in order, and sleeps when there is nothing. Returns when it is to leave, or has lost the helm.
void Replica::work() {
  for (;;) {
    const std::uint32_t bell = seat_->blocks().bell.load(std::memory_order_acquire);
    if (must_leave()) leaving_ = true;
    if (leaving_ || (has_helm() && settled_ && !at_helm())) return;
    // SYNC POINT input: released by StandbyCore::post.
    if (const std::uint64_t block = newest(); block > done_) {
      if (process_next(block)) continue;
    } else if (!settled_ && caught_up()) {
      continue;
    }
    const std::int64_t due = order_due();
    if (due == 0 && obey()) continue;
    const zygote::Idle idle;
    os::futex_wait(seat_->blocks().bell, bell, os::FutexScope::shared, due > 0 ? due : -1);
  }
}

/// False: the next block is held; its bell tells when that is over.
bool Replica::process_next(std::uint64_t newest_block) {
  const Geometry& geometry = seat_->geometry();
  const std::uint64_t block = geometry.mode == StandbyMode::stateless ? newest_block : done_ + 1;
  const auto overwritten = [&] { return newest() - block >= geometry.history - 1; };
  if (cannot_keep_up(newest_block, block, geometry.history) && leaves_as_spare()) return true;
  if (overwritten()) fall_out("it fell so far behind that the blocks it has to catch up with are gone");
  // SYNC POINT left-out: either the host sees that we have begun it, or we see its mark.
  seat_->lane().begun.store(block, std::memory_order_seq_cst);
  if (const Mark mark = seat_->mark(block); mark == Mark::left_out) {
    pass_over(block);
    return true;
  } else if (mark == Mark::held) {
    seat_->lane().begun.store(0, std::memory_order_seq_cst);
    ring(seat_->bells().host, 1);
    return false;
  }
  reach(CrashPoint::replica_in_block);
  if (seat_->lane().strike.load(std::memory_order_relaxed) != 0) be_struck(seat_->lane().strike.exchange(0) - 1);
  body_->process(seat_->input(block), seat_->answer(block));
  if (!lane_is_intact(block)) fall_to_nonsense(block);
  if (overwritten() && leaves_as_spare()) return true;
  if (overwritten()) fall_out("it took so long for a block that its input was overwritten meanwhile");
  reach(CrashPoint::replica_in_answer);
  if (window_left_ != 0) --window_left_;
  set_done(block);
  publish(block);
  if (seat_->mark(block) == Mark::held) ring(seat_->bells().host, 1);
  if (has_helm() && geometry.commit_every != 0 && block % geometry.commit_every == 0) commit();
  return true;
}

/// Whether the processor left alone what is not its own.
bool Replica::lane_is_intact(std::uint64_t block) const {
  const Lane& lane = seat_->lane();
  return lane.begun.load(std::memory_order_relaxed) == block && lane.done.load(std::memory_order_relaxed) == done_ &&
         lane.answered.load(std::memory_order_relaxed) == answered_ &&
         lane.seal.load(std::memory_order_relaxed) == lane_seal;
}

/// This block is to blame.
void Replica::fall_to_nonsense(std::uint64_t block) noexcept {
  seat_->lane().done.store(done_, std::memory_order_seq_cst);
  seat_->lane().begun.store(block, std::memory_order_seq_cst);
  give_up("its processor wrote into memory in which replicas tell the host how far they are");
}

/// As if it had not been. A window with a hole reaches further back.
void Replica::pass_over(std::uint64_t block) {
  set_done(block);
  if (window_left_ != 0) begin_window(block);
}

/// The machine has no time for a spare. False: this is none, or not any more.
bool Replica::leaves_as_spare() {
  Part part = Part::spare;
  if (!seat_->lane().part.compare_exchange_strong(part, Part::left_behind, std::memory_order_seq_cst)) return false;
  seat_->lane().begun.store(0, std::memory_order_relaxed);  // no block is to blame
  leaving_ = true;
  ring(seat_->bells().host, 1);
  return true;
}

/// On purpose: the host wants to see what becomes of that.
void Replica::be_struck(std::uint32_t way) {
  const auto how = static_cast<chaos::How>(way);
  if (how == chaos::How::memory) {
    constexpr std::uint64_t room = std::uint64_t{64} << 20;
    const std::uint64_t before = os::memory_in_use().data;
    worker::state.memory_limit.store(room, std::memory_order_relaxed);
    worker::state.memory_before.store(before, std::memory_order_relaxed);
    os::DataLimit().set(before + room);
  }
  chaos::strike(how);
}

/// No block is to blame for that.
void Replica::fall_out(const char* why) noexcept {
  seat_->lane().begun.store(0, std::memory_order_relaxed);
  give_up(why);
}

void Replica::publish(std::uint64_t block) {
  // SYNC POINT answer: acquired by StandbyCore::find_answer. Sequentially consistent against the caller's `awaited` and its
  // look at `answered` after that: one of both sees the other.
  answered_ = block;
  seat_->lane().answered.store(block, std::memory_order_seq_cst);
  reach(CrashPoint::replica_answered);
  if (block != newest()) return;
  if (seat_->blocks().awaited.load(std::memory_order_seq_cst) != 0) ring(seat_->bells().caller, 1);
  last_answer_at_ = os::monotonic_ns();
}

/// There is no block left, and it is not in step. True: something was done, and blocks may have come meanwhile. What was
/// ordered of a spare comes before it gets into step: then it need not be done by one that is.
bool Replica::caught_up() {
  if (!ready_) {
    get_ready();
    return true;
  }
  // SYNC POINT promotion: stored by Crew::promote, after the order for the heir.
  if (is_spare()) {
    if (told_spare_) return false;
    told_spare_ = true;
    tell_phase(Phase::spare);
    reach(CrashPoint::spare_follows);
    return true;
  }
  if (told_spare_) reach(CrashPoint::spare_promoted);
  if (told_spare_ && order_waits()) return false;
  settle_in();
  return true;
}

/// It has caught up for the first time: what makes it punctual but is not to be done when it must be.
void Replica::get_ready() {
  const Geometry& geometry = seat_->geometry();
  os::populate_all_objects();
  std::uint32_t refused = 0;
  if (geometry.lock_memory) refused |= os::lock_all_memory();
  if (geometry.realtime_priority > 0) os::limit_realtime_burst(geometry.realtime_burst_us);
  use_followers_priority();
  seat_->lane().refused.store(refused, std::memory_order_relaxed);
  seat_->lane().threads.store(static_cast<std::uint32_t>(os::own_threads()), std::memory_order_relaxed);
  ready_ = true;
}

/// Whether that is refused is told when it is in step.
void Replica::use_followers_priority() const {
  const int priority = priority_of_followers(seat_->geometry().realtime_priority, newest() - done_);
  if (priority > 0) static_cast<void>(os::use_realtime(priority));
}

/// What makes it punctual, then the good news.
void Replica::settle_in() {
  const int priority = seat_->geometry().realtime_priority;
  if (priority > 0 && !os::use_realtime(priority))
    seat_->lane().refused.fetch_or(static_cast<std::uint32_t>(os::Hygiene::realtime), std::memory_order_relaxed);
  settled_ = true;
  tell_phase(Phase::in_step);
}

void Replica::tell_phase(Phase phase) {
  // SYNC POINT replica-phase: acquired by Crew::look_at.
  seat_->lane().phase.store(phase, std::memory_order_seq_cst);
  ring(seat_->bells().host, 1);
}

}  // namespace hotspare::standby
