#pragma once

#include "child/keeper.hpp"
#include "child/pause.hpp"
#include "death/breaker.hpp"
#include "death/sentries.hpp"
#include "death/stacks_of_hung.hpp"
#include "metrics/recorder.hpp"
#include "metrics/subscribers.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/pi_mutex.hpp"
#include "os/socket.hpp"
#include "standby/claims.hpp"
#include "standby/decide.hpp"
#include "standby/fatal_blocks.hpp"
#include "standby/helm.hpp"
#include "standby/member.hpp"
#include "standby/shared.hpp"
#include "standby/takeover_clock.hpp"
#include "supervisor/callback_thread.hpp"

#include <hotspare/chaos_how.hpp>
#include <hotspare/standby_options.hpp>
#include <hotspare/standby_stats.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace hotspare::standby {

/// Keeps as many replicas in step as the channel is to have: starts them, hears of their deaths, reports, replaces. Two
/// threads: the listener sleeps on all robust words and hears deaths first; the supervisor hears the rest.
class Crew final : private child::Keeper {
 public:
  Crew(const StandbyOptions& options, Shared& shared);
  ~Crew();
  /// Returns when all replicas are in step. Throws Error.
  void start();
  void close();

  // For the caller's thread: neither locks nor waits.
  bool watched(unsigned lane) const noexcept { return joined_at_[lane].load(std::memory_order_acquire) != unwatched; }
  /// For how long it has been behind without a step, ns; remembered for the judgement.
  std::int64_t stuck_for(unsigned lane, std::uint64_t block, std::int64_t now) noexcept;
  void suspect(unsigned lane) noexcept;
  /// This block is over, answered or late.
  void settled(std::uint64_t block, bool answered) noexcept {
    if (answered) {
      answered_[block % answered_.size()].store(block, std::memory_order_relaxed);
      last_answered_.store(block, std::memory_order_relaxed);
    }
    settled_.store(block, std::memory_order_release);
  }
  /// It says what cannot be; block: the newest one.
  bool overreaches(unsigned lane, std::uint64_t block) const noexcept;
  /// The same with its times, ns: what takeovers cost.
  void block_over(std::int64_t begun, std::int64_t ended, bool answered) noexcept {
    takeover_clock_.block_over(begun, ended, answered);
  }
  std::uint32_t next_at_helm(std::uint32_t after) const noexcept;
  /// Nobody is there to answer, and nobody comes any more.
  bool deserted() const noexcept { return deserted_.load(std::memory_order_seq_cst); }

  // For any thread.
  StandbyStats stats() const;
  std::vector<std::int64_t> pids() const;
  bool wait_in_step(unsigned replicas) const;
  std::string broken() const;
  /// See StandbyChannel::strike.
  std::int64_t strike(chaos::How how);
  /// Something that was asked for is not to be had; told as an event, too.
  void tell_unavailable(const std::string& what);

 private:
  using Lock = std::unique_lock<os::PiMutex>;
  /// The robust word by which the kernel woke the listener, and when, ns.
  struct Heard {
    const std::atomic<std::uint32_t>* word = nullptr;
    std::int64_t at = 0;
  };
  static constexpr std::uint64_t unwatched = ~std::uint64_t{0};

  // crew.cc: the two threads
  void listen();
  bool read_words(std::uint32_t roster, std::uint32_t bell);
  void become_prompt();
  void fall_back();
  void look_at_all();
  void look_at(Member& member);
  void on_in_step(Member& member);
  void note_refused(std::uint32_t refused);
  void look_at_phase(Member& member);
  void supervise();
  void on_call() override;
  void on_timer() override;
  void arm_timer() override;
  using Keeper::tell;
  void tell(hotspare::Event event) override;

  // failed_step.cc
  void step_failed() noexcept override;
  void mend(Member& member) noexcept;
  void look_again_after_failure(std::int64_t now);
  template <class Look>
  void for_each_member(Look look) {
    for_each_child([&look](child::Process& each) { look(member_of(each)); });
  }
  // For lost descriptors.
  void call_listener() noexcept override { nudge_listener(); }
  bool on_listener() const noexcept override { return listener_.get_id() == std::this_thread::get_id(); }
  bool lost_what_children_share() const noexcept override {
    return !shared_.blocks_fd().is_ours() || !shared_.bells_fd().is_ours() || !shared_.lanes_fd().is_ours();
  }
  /// Once for each what. detail: of this time.
  void note_unavailable(const std::string& what, const std::string& detail = "");
  bool remember_unavailable(const std::string& what, const std::string& detail);
  void break_channel(const std::string& why);
  bool is_over() override { return closing_ && closing_done(); }
  bool finishing() const override { return closing_; }
  bool closing_done();
  std::int64_t made_by(const Member& member) const;
  void nudge_listener();

  void start_threads();
  void end_threads();

  // questions.cc
  bool behind(const Lane& lane, unsigned number, std::uint64_t block) const noexcept;
  void wake_waiters() const;

  // recruit.cc: who comes
  void refill() override;
  bool recruit(bool as_spare = false);
  bool ask_zygote(Member& member);
  bool ask_donor(Member& member, Member& donor);
  void give_state(Member& member);
  void take_what_was_saved(Member& member);
  void hear_refusal(Member& donor);
  void dismiss(Member& member);
  void ask_to_save(Member& member, Member& donor);
  Member* donor_for(Plan plan);
  Member* find_forker();
  bool can_recruit() const { return broken_.empty() && nursery_->may_ask(); }
  bool tell_parent(const Member& member, zygote::Ask what, pid_t pid = 0);
  bool awaits_heir(const Member& donor) const;
  bool state_is_on_its_way();
  bool others_begin_anew(std::uint64_t newest) const;
  void begin_anew(std::uint64_t newest);
  std::optional<unsigned> free_lane() const;
  void order(Member& member, Order what, std::uint64_t ticket);
  void adopt(Member& member, pid_t pid);
  void on_heir_lost(Member& member);
  void man_the_helm();
  Situation situation();

  // spare.cc: who follows
  Roster roster() const;
  void promote(Member& spare);
  void expect_soon(Member& promoted);
  bool made_steps(const Member& promoted) const;
  void pause_spares();
  Member* best_spare() const;
  void on_spare(Member& member);
  bool left_behind(const Member& member) const;
  void on_left_behind(Member& member);

  // loss.cc: who goes
  void notice(Member& member, std::int64_t at);
  bool waits_for_verdict(const Member& member) const;
  bool only_starves(Member& member, std::int64_t stuck);
  void end_hung(Member& member, std::int64_t due_at);
  void replace_the_dying();
  void judge_lags();
  void kill(Member& member);
  void bury(Member& member, const os::ExitStatus& status);
  void report_death(Member& member, const os::ExitStatus& status);
  bool is_hopeless(bool will_pass);
  std::shared_ptr<CrashReport> write_report(Member& member, const os::ExitStatus& status);
  void forget(Member& member);

  // left_out.cc: blocks that kill
  void blame_block(const Member& member, Cause cause);
  std::uint64_t fatal_block(const Member& member) const;
  void decide_about_held();
  void watch_those_in(std::uint64_t block);
  Decision decide_about(std::uint64_t block) const;
  Stand stand_of(const Member& member, std::uint64_t block) const;
  void leave_out(std::uint64_t block);
  bool was_answered(std::uint64_t block) const {
    return answered_[block % answered_.size()].load(std::memory_order_relaxed) == block;
  }

  // claims.cc: what replicas say that cannot be
  Known known_of(const Member& member) const;
  bool talks_sense(Member& member);
  void end_nonsense(Member& member, const std::string& why);
  void note_lost_state(const Member& member) const;

  // give_up.cc: what is not tried again
  void note_death(const Member& member);
  void give_up_if_too_many_died();
  void note_if_deserted();

  // children.cc
  zygote::Setup setup() const { return zygote::setup_of(options_, zygote::Breed::replicas); }
  void start_nursery();
  child::Process* child(std::uint64_t id) override;
  child::Process* child_after(std::uint64_t id) override;
  void on_forked(child::Process& process) override;
  void on_born(child::Process& process) override;
  bool is_heir(const child::Process& process) const override;
  void on_fostered_heir(child::Process& process) override;
  void abandon(child::Process& process) override;
  bool is_heard(const child::Process& process) const override;
  bool has_last_words(const child::Process& process) const override;
  void on_lifeline_closed(child::Process& process) override;
  void notice(child::Process& process) override;
  void end_held(child::Process& process) override;
  void bury(child::Process& process, const os::ExitStatus& status) override;
  bool tees_stderr() const override { return options_.replica_stderr == Stderr::tee; }
  void break_down(const std::string& why) override { break_channel(why); }
  void note_refusal(const std::string& what) override;
  static Member& member_of(child::Process& process) { return static_cast<Member&>(process); }

  const StandbyOptions& options_;
  Shared& shared_;
  const std::shared_ptr<const std::function<void(const hotspare::Event&)>> on_event_;

  mutable os::PiMutex mutex_;
  mutable std::atomic<std::uint32_t> changes_{0};  ///< Of what wait_in_step() waits for.
  std::map<std::uint64_t, std::unique_ptr<Member>> members_;
  std::array<bool, most_lanes> lane_taken_{};
  std::uint64_t last_id_ = 0;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t last_struck_ = 0;
  std::size_t in_step_ = 0;
  bool beginning_anew_ = false;  ///< The state is lost, and nobody is in step again yet.
  static constexpr unsigned most_failed_forks = 5;
  unsigned forks_failed_ = 0;        ///< For heirs, in a row.
  std::int64_t retry_at_ = 0;        ///< When to try again, ns; 0: nothing is due.
  std::int64_t no_spare_until_ = 0;  ///< ns: the last one could not keep up. 0: there is to be one.
  std::int64_t spare_pause_ = 0;     ///< For how long there was none the last time, ns.
  std::int64_t no_state_until_ = 0;  ///< ns: nobody's state can be saved. 0: it can, as far as we know.
  std::int64_t state_pause_ = 0;     ///< For how long that was so the last time, ns.
  bool closing_ = false;
  bool closed_ = false;
  child::Pause memory_pause_;  ///< After a step for which there was no memory.
  std::string broken_;
  std::string last_death_;  ///< For the reason why a channel cannot be made.
  mutable StandbyStats counts_;
  metrics::Recorder rejoin_;
  TakeoverClock takeover_clock_;
  death::Breaker breaker_;
  unsigned died_in_blocks_ = 0;         ///< On their way, in a row, and without an answer between.
  std::uint64_t answered_by_then_ = 0;  ///< When the last of them died: the last block that was answered.
  FatalBlocks fatal_;
  std::vector<std::uint64_t> held_;         ///< Blocks of which it is not yet known whether they are left out.
  std::uint64_t anew_from_ = 1;             ///< The block with which those began whose state is the stream's.
  std::deque<std::int64_t> recent_deaths_;  ///< When they were noticed, ns; the last most_deaths of them.
  std::vector<std::int64_t> vacancies_;     ///< When those were noticed who are not yet replaced, ns.
  std::int64_t slowest_make_ = 0;           ///< Of a processor, ns; 0: none was made yet.
  std::int64_t leave_deadline_ = 0;
  unsigned leave_rounds_ = 0;  ///< How often that has passed.

  // Written under the mutex, read by the caller.
  std::array<std::atomic<std::uint64_t>, most_lanes> joined_at_;
  // Written by the caller.
  std::array<std::atomic<std::int64_t>, most_lanes> stuck_{};
  std::array<std::atomic<std::int64_t>, most_lanes> stuck_since_{};
  std::array<Progress, most_lanes> progress_{};
  std::atomic<std::uint32_t> suspects_{0};  ///< Bit: lane.
  std::atomic<std::uint64_t> settled_{0};
  std::atomic<std::uint64_t> last_answered_{0};
  std::vector<std::atomic<std::uint64_t>>
      answered_;  ///< Of each place in the history, the last block that was answered.
  std::atomic<bool> deserted_{false};

  std::atomic<std::uint32_t> roster_bell_{0};
  std::atomic<bool> one_word_each_{
      false};  ///< futex_waitv cannot be had: the listener sleeps on the replicas' bell alone.
  std::optional<death::Sentries> sentries_;  ///< Then: one for each lane.
  std::vector<os::FutexWatch> words_;        ///< The listener's: what it sleeps on.
  Heard heard_;                              ///< While the listener looks.
  std::mutex joining_;                       ///< close() by two threads: the second one finds all done.
  std::thread listener_;
  supervisor::CallbackThread callbacks_;
  supervisor::CallbackThread coroner_;  ///< Takes stacks of the hung.
};

}  // namespace hotspare::standby
