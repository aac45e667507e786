#pragma once

#include "child/leaving.hpp"
#include "child/pause.hpp"
#include "child/tags.hpp"
#include "os/event_loop.hpp"
#include "zygote/launcher.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <utility>
#include <variant>
#include <vector>

namespace hotspare::child {

struct Process;

/// What a nursery tells. Each concerns one process of its owner's, by the number under which it was asked for, or the zygote.
namespace told {
struct Ready {};  ///< It may be asked, again.
struct Spawned {
  std::uint64_t id;
  pid_t pid;
  os::Fd pidfd;
  pid_t parent;
};
struct Refused {     ///< Tried again later: see due_at().
  std::uint64_t id;  ///< 0: what was refused was no process of the owner's, but a zygote.
  std::string why;
  bool was_heir = false;  ///< It was to be adopted, and is not there.
};
struct Reaped {
  std::uint64_t id;
  os::ExitStatus status;
};
struct ZygoteDied {  ///< The owner calls foster() for each process whose parent it was, then replace().
  pid_t pid;
};
struct NoZygote {  ///< There is none, and none can be had by waiting.
  std::string why = "no more can be forked: zygote and seed are dead, and there is no standby";
};
struct Broken {  ///< Whatever is tried, none will ever be ready.
  std::string why;
};
}  // namespace told
using Told = std::variant<told::Ready, told::Spawned, told::Refused, told::Reaped, told::ZygoteDied, told::NoZygote,
                          told::Broken>;

enum class Whom : unsigned char { process, group };

/// Where processes come from. The *seed* is the program's image, parked: it forks zygotes, and adopts and reaps what a dead
/// zygote leaves. The *zygote* forks processes for the owner, and reaps them. The *standby*, a copy of the zygote from when it
/// was fresh, takes its place; there is one only where the seed would have to preload again, or is dead.
/// Not thread-safe: guarded by the owner's mutex.
class Nursery {
 public:
  struct Plan {
    zygote::Image image;
    zygote::Setup setup;
  };
  Nursery(os::Poller& poller, Plan plan) : poller_(poller), plan_(std::move(plan)) {}
  ~Nursery();
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  /// Before the program has threads of ours. Why not: nothing is left then.
  os::Status start();
  /// They go when they have done what they were asked.
  Leaving leave();

  /// The program has closed some: no process can be had any more, or none is heard of.
  bool has_lost_descriptors() const;
  bool exists() const { return static_cast<bool>(zygote_.control); }
  pid_t zygote_pid() const { return zygote_.pid; }
  /// 0: there is none.
  pid_t seed_pid() const { return seed_ ? seed_->pid : 0; }
  /// Whether a process may be asked for now.
  bool may_ask() const { return zygote_.born && zygote_.ready && pause_.until() == 0; }
  std::size_t asked() const { return asked_.size(); }
  /// How long all has been refused, ns; 0: the last try succeeded.
  std::int64_t refused_for(std::int64_t now) const { return pause_.since() == 0 ? 0 : now - pause_.since(); }

  /// Asks for a process; told::Spawned or told::Refused answers. A failure is followed by a pause.
  os::Status spawn(std::uint64_t id, std::uint32_t lane, std::span<const int> fds);
  /// What the owner itself needs for a process was refused.
  void note_refusal();
  /// Asks its parent for its status, and to end what it started; told::Reaped answers. False: it has none.
  bool ask_to_reap(Process& process);
  void ask_to_signal(const Process& process, int signal, Whom whom);
  /// A process whose parent has died: the seed is its parent now, or nobody.
  void foster(Process& process);
  /// One that has ended or is about to, and whose parent will not reap it, dead as it is: this process may be who adopts it.
  void reap_later(pid_t pid, os::Fd pidfd) noexcept;
  /// What stands for its end has become readable. False: only because its parent is dead, see foster().
  bool has_ended(Process& process);
  /// Nobody could tell of its end: it is over when its end of the lifeline closes.
  static bool ends_unseen(const Process& process);
  /// After a zygote's death. Says how.
  const char* replace(std::vector<Told>& into);
  /// Sends a request to who is the parent of the owner's processes under this number.
  bool request(pid_t parent, const zygote::Request& request);
  /// Another zygote, if there is none and none is on its way. Says how; null: none is to be had.
  const char* new_zygote();
  /// Where a step found no memory there may be no zygote, and nobody who asks for one: then it is tried again later.
  void try_again_if_alone() noexcept;
  void want_standby() noexcept;

  /// tag: of the notice.
  void on_ready(std::uint64_t tag, std::vector<Told>& into);
  std::int64_t due_at() const;
  void on_timer(std::int64_t now, std::vector<Told>& into);

 private:
  struct Asked {
    std::uint64_t id;
    std::optional<os::Notifier> room;  ///< The descriptor that the answer brings has this one's place.
  };
  /// last: it is known to be dead.
  void on_message(zygote::Handle& from, std::vector<Told>& into, bool last = false);
  void on_reply(zygote::Handle& from, const zygote::Reply& reply, os::Received& received, std::vector<Told>& into);
  void on_spawned(zygote::Handle& from, const zygote::Reply& reply, os::Received& received, std::vector<Told>& into);
  void on_copy(zygote::Handle& from, const zygote::Reply& reply, os::Received& received, std::vector<Told>& into);
  void on_no_copy(zygote::Handle& from, const std::string& why, std::vector<Told>& into);
  void on_zygote_exit(std::vector<Told>& into);
  void on_exit(zygote::Handle& handle, std::vector<Told>& into);
  void on_standby_exit();
  void on_seed_exit(std::vector<Told>& into);
  void answered(std::uint64_t id);
  void watch_answers();
  void remind_zygote(std::int64_t now);
  void give_up(std::vector<Told>& into) const;
  os::Status plant_seed();
  bool planted_again() noexcept;
  os::Status employ(zygote::Handle zygote);
  bool send(zygote::Handle& to, const zygote::Request& request);
  void drop(zygote::Handle& handle);
  void has_ended(zygote::Handle& handle);
  os::Result<zygote::Handle> ask_copy(const zygote::Handle& of);
  void foster_standby();
  void ask_seed_to_reap(pid_t pid);
  void reap_what_is_ours() noexcept;
  void hear_the_last() noexcept;
  zygote::Handle* find(std::uint64_t number);
  bool has_preload() const { return plan_.setup.preload.module != 0; }
  /// Without a preload hook a fork of the seed is as good.
  bool is_worth_a_standby() const { return has_preload() || !seed_; }
  bool is_seed(const zygote::Handle& handle) const { return seed_ && &handle == &*seed_; }
  bool in_seed(pid_t parent) const { return seed_ && parent == seed_->pid; }

  os::Poller& poller_;
  const Plan plan_;
  std::optional<zygote::Handle> seed_;
  zygote::Handle zygote_;
  std::optional<zygote::Handle> standby_;
  std::deque<Asked> asked_;
  Pause pause_;
  std::int64_t answer_by_ = 0;  ///< When the zygote is reminded, ns; 0: nothing is asked.
  bool reminded_ = false;
  std::vector<Unreaped> unreaped_;
  std::uint64_t last_number_ = 0;
  pid_t dead_zygote_ = 0;  ///< The seed is to reap it, when its processes are fostered.
  unsigned deaths_in_a_row_ = 0;
};

}  // namespace hotspare::child
