#include "os/clock.hpp"
#include "os/process_state.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>
#include <vector>

/// Workers that do not begin what they were given: stopped by somebody, in a frozen cgroup, or without a core for long. Time
/// limits count from the begin, so here is what makes sure that there is one. Looked at while something was given to an idle
/// worker and has not begun, and at no other time.
namespace hotspare::detail {
namespace {

constexpr std::int64_t silence_ns = 100'000'000;
/// A worker that has begun nothing for so many looks is given up, whatever its reason. It costs a fork at worst.
constexpr unsigned patience = 50;

}  // namespace

/// Something was given to an idle worker.
void Engine::expect_begin(std::int64_t now) {
  if (silence_at_ != 0) return;
  silence_at_ = now + silence_ns;
  arm_timer();
}

void Engine::look_at_silence(std::int64_t now) {
  silence_at_ = 0;
  for (Worker* worker : active_) {
    task::Account& account = worker->account;
    const bool waits = !account.empty() && account.look(account.head()) == task::Claim::waits;
    if (!waits || worker->unanswered != account.head()) worker->looks = 0;
    if (!waits) {
      worker->silent = worker->silent && account.empty();
      dispatcher_.touch(*worker);
      continue;
    }
    silence_at_ = now + silence_ns;
    worker->unanswered = account.head();
    ++worker->looks;
  }
  for_each_worker([this](Worker& worker) {
    if (worker.looks > 1) on_silence(worker);
  });
}

/// What it has not begun goes to whoever can begin it now; the kernel says whether it is only slow.
void Engine::on_silence(Worker& worker) {
  if (!workers::runs_tasks(worker.state)) return;
  const bool give_up = worker.looks >= patience || os::is_stopped(worker.number());
  const bool somebody_idle = std::any_of(active_.begin(), active_.end(), [&](const Worker* other) {
    return other != &worker && other->account.held() == 0 && !other->silent;
  });
  if (!give_up && !somebody_idle) return;
  recall_all(worker);
  if (worker.account.held() != 0) return;  // it has just begun
  worker.silent = true;
  dispatcher_.touch(worker);
  if (!give_up) return;
  note_detail(worker, "it did not begin what it was given, and was replaced");
  end_worker(worker, death::EndedBy::shutdown);
}

}  // namespace hotspare::detail
