#pragma once

#include "child/nursery.hpp"
#include "child/process.hpp"
#include "death/stacks_of_hung.hpp"
#include "os/closed_streams.hpp"
#include "os/event_loop.hpp"
#include "os/result.hpp"
#include "os/socket.hpp"
#include "os/thread.hpp"

#include <hotspare/event.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace hotspare::child {

/// Who keeps child processes: a pool its workers, a channel its replicas. What both do alike about them is done here; what
/// each decides for itself it says by the virtual functions. All of it is guarded by the mutex of who derives from this.
class Keeper {
 public:
  /// What messages for people call it.
  struct Words {
    std::string name;   ///< pool "x"
    const char* kind;   ///< pool
    const char* child;  ///< worker
  };
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

 protected:
  explicit Keeper(Words words) : words_(std::move(words)) {}
  ~Keeper() = default;

  /// A step of a thread of ours, under the mutex: what it throws ends neither the thread nor the host.
  template <class Step>
  void take_step(Step step) noexcept {
    try {
      step();
    } catch (const std::exception&) {
      step_failed();
    }
  }
  virtual void tell(Event event) = 0;
  /// fill: writes what it says. Where there is no memory for it, that is told on stderr, and nothing else fails of it.
  template <class Fill>
  void tell(Event::Kind kind, Fill fill) noexcept {
    try {
      Event event;
      event.kind = kind;
      fill(event);
      tell(std::move(event));
    } catch (const std::bad_alloc&) {
      untold();
    }
  }
  void untold() const noexcept;

  // event_loop.cc
  /// Throws Error. what: cannot be had then.
  void make_event_loop(const char* what);
  /// The supervisor thread: waits, and passes each notice to the part that it concerns.
  template <class Mutex>
  void supervise(Mutex& mutex) {
    os::forbid_cancel();
    std::vector<std::byte> teed;
    for (bool over = false; !over;) {
      auto ready = poller_->wait();
      {
        const std::lock_guard lock(mutex);
        over = on_batch(ready);
        to_tee_.swap(teed);
      }
      os::write_stderr(teed);  // a terminal may be slow, and nobody waits for it
      teed.clear();
    }
  }
  /// One piece: one that writes without pause is heard again, and the mutex is free between. False: there was nothing.
  bool forward_stderr(Process& process);
  /// What it has left in its pipe.
  void read_last_stderr(Process& process);

  // reaping.cc
  /// Its pidfd says that the whole process has ended.
  void on_exit(Process& process);
  /// Its parent is asked. While its stack is being taken the zombie must keep its number.
  void ask_reap(Process& process);
  /// Of one that was held for that.
  void on_stacks(std::uint64_t id, death::Stacks& stacks);
  /// Without a word from its parent.
  void bury_untold(Process& process);
  /// How it ended: told by its parent, or what else can be known.
  os::ExitStatus final_status(Process& process, const os::ExitStatus& told);
  /// Not even SIGKILL ends them: they sit in an uninterruptible system call, say. Nobody waits for that.
  void leave_the_unkillable();

  // hearing.cc
  void hear(std::vector<Told> told);
  void on_spawned(told::Spawned& told);
  /// One could not be made, for now: it is tried again. Where there never was one, that is an error soon.
  void on_refusal(const std::string& why);

  // lost_descriptors.cc
  /// Asked at a death: it is how such a loss shows.
  bool has_lost_descriptors(const Process& process) const;
  /// Few: a takeover waits for the answer.
  bool has_lost_what_calls() const;
  bool has_lost_descriptors() const;
  /// Whoever needs one and finds it closed may be in the middle of something else: a listener, which needs none, does the rest.
  void note_loss() noexcept;
  void call_supervisor() noexcept {
    if (!call_->notify()) note_loss();
  }
  /// The timer was armed. Whether the listener, asleep, would look too late whether it fires.
  bool must_call_for_timer() const;
  /// Where nothing would tell of a loss a listener looks, some time later: whether a timer that is due was closed after it was
  /// armed, and whether a child that dies unheard (is_heard) can still be watched. Returns when to look, ns; -1: not at all.
  std::int64_t look_for_losses(std::int64_t now);
  /// The listener that does so wakes then at the latest, ns; -1: when it is called.
  void looks_by(std::int64_t deadline) { looks_by_ = std::max<std::int64_t>(deadline, 0); }
  /// Nothing can be known of the children any more: all that they have ends here.
  void lose_descriptors();
  /// What the supervisor would do, were there one.
  void end_without_descriptors();

  /// All that there are now, without memory for a list: look may end this one and others.
  template <class Look>
  void for_each_child(Look look) {
    for (Process* each = child_after(0); each != nullptr;) {
      const std::uint64_t id = each->id;
      look(*each);
      each = child_after(id);
    }
  }

  const Words words_;
  const os::ClosedStreams closed_streams_;
  std::optional<os::Poller> poller_;
  std::optional<Nursery> nursery_;
  std::optional<os::Notifier> call_;  ///< Another thread wants the supervisor to look.
  std::optional<os::Timer> timer_;
  std::thread supervisor_;
  std::vector<std::byte> to_tee_;  ///< What children wrote to stderr; the supervisor writes it without the mutex.
  std::uint64_t zygote_deaths_ = 0;
  bool had_child_ = false;          ///< One has been ready.
  std::int64_t timer_at_ = 0;       ///< For when the timer is armed, ns; 0: it is not.
  std::int64_t looks_by_ = 0;       ///< When the listener that looks whether it has fired wakes, ns; 0: when called.
  std::int64_t unheard_since_ = 0;  ///< Since when there may be a child that dies unheard, ns; 0: there is none.
  std::atomic<bool> loss_noted_{false};  ///< Somebody else closed descriptors: a listener is to see to that,
  bool descriptors_lost_ = false;        ///< and has.

 private:
  std::int64_t look_whether_timer_fired(std::int64_t now);
  std::int64_t look_at_the_unheard(std::int64_t now);

  /// Null: it is forgotten.
  virtual Process* child(std::uint64_t id) = 0;
  /// The next one by number; null: there is none.
  virtual Process* child_after(std::uint64_t id) = 0;

  /// A step threw, which here means that it found no memory. Nobody is left in a half state.
  virtual void step_failed() noexcept = 0;
  virtual void call_listener() noexcept = 0;
  /// This thread is the one that it would call.
  virtual bool on_listener() const noexcept = 0;
  virtual bool lost_what_children_share() const noexcept = 0;

  virtual void on_call() = 0;
  virtual void on_timer() = 0;
  virtual void arm_timer() = 0;
  /// One step further towards the end, if it closes. True: nothing is left.
  virtual bool is_over() = 0;
  /// Nobody is replaced any more.
  virtual bool finishing() const = 0;
  virtual void refill() = 0;
  virtual void on_heard() {}

  /// It has a pid and what ties it to us; its death is not heard yet.
  virtual void on_forked(Process& process) = 0;
  virtual void on_born(Process& process) = 0;
  /// It is forked by another of the children, so the zygote's death does not concern it.
  virtual bool is_heir(const Process& /*process*/) const { return false; }
  virtual void on_fostered_heir(Process& /*process*/) {}
  /// One that was never born, or of which nobody knows: should it exist, the end of its lifeline ends it.
  virtual void abandon(Process& process) = 0;
  /// Its death would mark a word that a listener watches. Not so between its birth and its first steps.
  virtual bool is_heard(const Process& process) const = 0;
  /// Its crash handler has said what it dies of.
  virtual bool has_last_words(const Process& process) const = 0;
  /// Its end of the lifeline is closed.
  virtual void on_lifeline_closed(Process& process) = 0;
  /// Some sign says that it dies or is dead.
  virtual void notice(Process& process) = 0;
  /// Its stack was taken.
  virtual void end_held(Process& process) = 0;
  virtual void bury(Process& process, const os::ExitStatus& status) = 0;
  virtual bool tees_stderr() const = 0;

  virtual void break_down(const std::string& why) = 0;
  virtual void on_no_zygote(const std::string& why) { break_down(why); }
  virtual void note_refusal(const std::string& what) = 0;
  virtual void on_all_buried() {}

  /// True: there will be no more.
  bool on_batch(os::Result<os::Notices>& ready);
  void on_ready(const os::Ready& ready);
  void on_child_ready(Tag kind, Process& process, const os::Ready& ready);
  void on_told(told::Ready& told);
  void on_told(told::Spawned& told) { on_spawned(told); }
  void on_told(told::Refused& told);
  void on_told(told::Reaped& told);
  void on_told(told::ZygoteDied& told);
  void on_told(told::NoZygote& told);
  void on_told(told::Broken& told);
  void pass_on(const told::ZygoteDied& died, Process& process);

  OomWatch last_oom_watch_;
};

}  // namespace hotspare::child
