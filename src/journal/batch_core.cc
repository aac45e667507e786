#include "journal/answers.hpp"
#include "journal/grouping.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/owner.hpp"
#include "os/process.hpp"
#include "os/signals.hpp"
#include "os/thread.hpp"
#include "supervisor/engine.hpp"
#include "task/interruptible.hpp"

#include <cstdio>
#include <deque>
#include <thread>
#include <unordered_map>

namespace hotspare::journal {

using detail::AnswerRef;
using detail::BatchKey;
using detail::TaskRef;

/// The ready ones of an AnswerQueue; under the core's lock.
struct ReadyList {
  std::deque<AnswerRef> ready;
};

/// The caller's threads ask and wait; a thread of its own takes from the pool what has settled and commits it, all that
/// there is in one transaction. Two locks: asking never waits for the disk.
class Core final : public detail::BatchCore, public std::enable_shared_from_this<Core> {
 public:
  explicit Core(detail::BatchSettings settings)
      : settings_(std::move(settings)),
        journal_(std::make_unique<Journal>(settings_.path, settings_.durability, settings_.of_any_user)),
        path_(journal_->path()),
        found_(static_cast<std::int64_t>(journal_->records())) {}
  ~Core() override;

  AnswerRef find(const BatchKey& key) override;
  AnswerRef add(const BatchKey& key, const TaskRef& task, detail::Pack pack) override;
  void wait(const detail::Answer& answer) override;
  void leave(const AnswerRef& answer) override;
  detail::BatchCounts counts() const override;
  const std::string& path() const override { return path_; }
  void close(bool wait) override;

  void watch(AnswerRef answer, const std::shared_ptr<ReadyList>& list);
  AnswerRef take(ReadyList& list);
  void warn_of_network();

 private:
  using Answers = std::vector<std::shared_ptr<const RunAnswer>>;
  struct Running {
    std::unordered_map<BatchKey, std::shared_ptr<const RunAnswer>, DigestHash> by_key;
    std::unordered_map<const detail::Task*, std::shared_ptr<const RunAnswer>> by_task;
  };

  void must_own() const;
  void check_usable() const;
  void start(const TaskRef& task);
  void write_all();
  bool write_some();
  void gather(std::vector<TaskRef>& tasks);
  Answers answers_of(const std::vector<TaskRef>& tasks);
  std::uint64_t write(const Answers& answers);
  void settle(const Answers& answers, std::uint64_t written);
  void fail(std::exception_ptr error);
  void tell_waiters();
  void sleep_until_change(std::uint32_t seen);

  const detail::BatchSettings settings_;
  const os::Owner owner_;
  const pid_t owner_pid_ = os::own_pid();

  mutable std::mutex disk_;  ///< Guards the journal, but for its find() and publish().
  std::unique_ptr<Journal> journal_;
  const std::string path_;
  const std::int64_t found_;  ///< Records that were there when it was opened.

  mutable std::mutex state_;  ///< Guards what follows, and those two.
  Running running_;
  detail::BatchCounts counts_;
  std::exception_ptr error_;
  bool closed_ = false;
  std::unique_ptr<detail::Completions> completions_;
  std::unique_ptr<std::thread> thread_;

  /// For the batch's thread: how quickly tasks settle, and since when that is measured.
  std::int64_t ns_per_task_ = 0;
  std::int64_t measured_at_ = 0;

  std::mutex closing_;
  std::atomic<std::uint32_t> hurry_{0};    ///< A futex word: 1 when no commit is to wait for more records.
  std::atomic<std::uint32_t> changes_{0};  ///< A futex word: goes up when answers are ready, or never will be.
};

Core::~Core() {
  if (!owner_.is_this()) {
    // In a fork the thread is not here, and the journal is the other process's.
    static_cast<void>(thread_.release());
    static_cast<void>(completions_.release());
    static_cast<void>(journal_.release());
    return;
  }
  try {
    close(false);
  } catch (const std::exception&) {
    // Whoever wants to know calls close(). What was committed is safe.
  }
}

void Core::warn_of_network() {
  if (journal_->network().empty()) return;
  const std::string text = "the journal " + path_ + " is on a network file system (" + journal_->network() +
                           "), or one that may be. Locks and the order of writes are not to be relied on there: two "
                           "machines may write it at the "
                           "same time, and a crash may damage it. Better keep it on a local disk";
  if (settings_.on_warning) {
    settings_.on_warning(text);
  } else {
    std::fprintf(stderr, "hotspare: warning: %s\n", text.c_str());
  }
}

/// Before the lock: in a fork a thread may hold it that is not there.
void Core::must_own() const {
  if (!owner_.is_this())
    throw JournalError(JournalProblem::busy, path_,
                       "the journal " + path_ + " is open in process " + std::to_string(owner_pid_) +
                           ", of which this one is a fork: a fork needs a journal of its own");
}

/// Under the lock.
void Core::check_usable() const {
  if (error_ != nullptr) std::rethrow_exception(error_);
  if (closed_) throw Error("the batch of the journal " + path_ + " is closed");
}

AnswerRef Core::find(const BatchKey& key) {
  must_own();
  const std::lock_guard lock(state_);
  check_usable();
  if (const auto running = running_.by_key.find(key); running != running_.by_key.end()) {
    ++running->second->wanted;
    return running->second;
  }
  const auto entry = journal_->find(key);
  if (!entry) return nullptr;
  const bool before = entry->number <= found_;
  static constexpr unsigned rerun_bits[] = {
      0, 0, detail::RerunBits::raised, detail::RerunBits::died, detail::RerunBits::timeout, detail::RerunBits::memory};
  // What failed in this very batch has been run again.
  if (before && (settings_.rerun & rerun_bits[static_cast<std::size_t>(entry->kind)]) != 0) return nullptr;
  ++counts_.kept;
  return std::make_shared<KeptAnswer>(entry->kind, before, [core = shared_from_this(), number = entry->number] {
    core->must_own();
    const std::lock_guard disk(core->disk_);
    if (core->journal_ == nullptr) throw Error("the batch of the journal " + core->path_ + " is closed");
    return core->journal_->read(number);
  });
}

AnswerRef Core::add(const BatchKey& key, const TaskRef& task, detail::Pack pack) {
  must_own();
  auto answer = std::make_shared<RunAnswer>(key, task, pack);
  {
    const std::lock_guard lock(state_);
    check_usable();
    if (completions_ == nullptr) start(task);  // it may be refused
    answer->wanted = 1;
    running_.by_key.emplace(key, answer);
    running_.by_task.emplace(task.get(), answer);
    ++counts_.run;
  }
  completions_->watch(task);
  return answer;
}

void Core::start(const TaskRef& task) {
  auto completions = std::make_unique<detail::Completions>(*task->engine);
  const os::SignalsBlocked blocked;
  completions_.swap(completions);
  auto thread = os::start_thread([this] { write_all(); });
  if (!thread) completions_.reset();
  thread_ = std::make_unique<std::thread>(os::or_throw(std::move(thread), "a journal cannot be written"));
}

void Core::write_all() {
  for (bool more = true; more;) {
    try {
      more = write_some();
    } catch (const JournalError&) {
      fail(std::current_exception());
    } catch (const std::exception& error) {
      fail(std::make_exception_ptr(JournalError(JournalProblem::refused, path_,
                                                "the journal " + path_ + " cannot be written: " + error.what())));
    }
  }
}

/// False: no more will settle.
bool Core::write_some() {
  std::vector<TaskRef> tasks = completions_->take_all();
  if (tasks.empty()) return false;
  gather(tasks);
  const Answers answers = answers_of(tasks);
  if (!answers.empty()) settle(answers, write(answers));
  return true;
}

/// Lets more of them come, if that delays nobody.
void Core::gather(std::vector<TaskRef>& tasks) {
  std::size_t outstanding = 0;
  {
    const std::lock_guard lock(state_);
    outstanding = running_.by_task.size() - tasks.size();
  }
  if (const std::int64_t wait = linger_ns(tasks.size(), outstanding, ns_per_task_); wait > 0) {
    const std::int64_t until = os::monotonic_ns() + wait;
    while (hurry_.load() == 0 && os::futex_wait(hurry_, 0, os::FutexScope::process, until)) {
    }
    for (TaskRef& task : completions_->take_ready()) tasks.push_back(std::move(task));
  }
  const std::int64_t now = os::monotonic_ns();
  const std::int64_t each = (now - measured_at_) / static_cast<std::int64_t>(tasks.size());
  ns_per_task_ = measured_at_ == 0 ? 0 : (3 * ns_per_task_ + each) / 4;
  measured_at_ = now;
}

/// None once writing has failed: nothing more is finished then.
Core::Answers Core::answers_of(const std::vector<TaskRef>& tasks) {
  Answers answers;
  const std::lock_guard lock(state_);
  if (error_ != nullptr) return answers;
  for (const TaskRef& task : tasks) answers.push_back(running_.by_task.at(task.get()));
  return answers;
}

/// Returns how many were written.
std::uint64_t Core::write(const Answers& answers) {
  std::uint64_t written = 0;
  for (const auto& answer : answers) {
    Writing writing;
    try {
      writing = writing_of(*answer);
    } catch (const PayloadError&) {
      // Whoever asks for this result gets that error; there is nothing to be kept of it.
    }
    if (!writing.wanted) continue;
    const std::lock_guard lock(disk_);
    journal_->add(answer->key, writing.kind, writing.packed, writing.body);
    ++written;
  }
  const std::lock_guard lock(disk_);
  journal_->commit();
  return written;
}

void Core::settle(const Answers& answers, std::uint64_t written) {
  {
    const std::lock_guard lock(state_);
    journal_->publish();
    counts_.committed += written;
    counts_.commits += written == 0 ? 0 : 1;
    for (const auto& answer : answers) {
      running_.by_task.erase(answer->task().get());
      const auto by_key = running_.by_key.find(answer->key);
      if (by_key != running_.by_key.end() && by_key->second == answer) running_.by_key.erase(by_key);
      // SYNC POINT answer-ready
      answer->done.store(true, std::memory_order_release);
      for (const auto& each : answer->lists) {
        if (const auto list = each.lock()) list->ready.push_back(answer);
      }
    }
  }
  tell_waiters();
}

void Core::fail(std::exception_ptr error) {
  {
    const std::lock_guard lock(state_);
    if (error_ == nullptr) error_ = std::move(error);
  }
  tell_waiters();
}

void Core::tell_waiters() {
  changes_.fetch_add(1, std::memory_order_release);
  os::futex_wake(changes_, 1 << 30, os::FutexScope::process);
}

/// It can be interrupted, then throws. Not with the lock of the state.
void Core::sleep_until_change(std::uint32_t seen) {
  detail::sleep_interruptibly(changes_, seen, [this] { tell_waiters(); });
}

void Core::wait(const detail::Answer& answer) {
  if (!answer.ready()) must_own();
  while (!answer.ready()) {
    const std::uint32_t seen = changes_.load(std::memory_order_acquire);
    {
      const std::lock_guard lock(state_);
      if (answer.ready()) return;
      check_usable();
    }
    sleep_until_change(seen);
  }
}

void Core::watch(AnswerRef answer, const std::shared_ptr<ReadyList>& list) {
  must_own();
  const std::lock_guard lock(state_);
  if (answer->ready()) {
    list->ready.push_back(std::move(answer));
  } else {
    static_cast<const RunAnswer&>(*answer).lists.push_back(list);
  }
}

AnswerRef Core::take(ReadyList& list) {
  must_own();
  for (;;) {
    const std::uint32_t seen = changes_.load(std::memory_order_acquire);
    {
      const std::lock_guard lock(state_);
      if (!list.ready.empty()) {
        AnswerRef first = std::move(list.ready.front());
        list.ready.pop_front();
        return first;
      }
      check_usable();
    }
    sleep_until_change(seen);
  }
}

void Core::leave(const AnswerRef& answer) {
  if (answer->ready() || !owner_.is_this()) return;
  {
    const std::lock_guard lock(state_);
    const auto& running = static_cast<const RunAnswer&>(*answer);
    if (running.wanted == 0 || --running.wanted != 0) return;
    // Who asks from now on must not get what is about to be cancelled.
    const auto by_key = running_.by_key.find(running.key);
    if (by_key != running_.by_key.end() && by_key->second == answer) running_.by_key.erase(by_key);
  }
  detail::cancel(answer->task(), false);
}

detail::BatchCounts Core::counts() const {
  must_own();
  const std::lock_guard lock(state_);
  return counts_;
}

void Core::close(bool wait) {
  if (!owner_.is_this()) return;
  const std::lock_guard one(closing_);
  hurry_.store(1);
  os::futex_wake(hurry_, 1, os::FutexScope::process);
  for (;;) {
    const std::uint32_t seen = changes_.load(std::memory_order_acquire);
    {
      const std::lock_guard lock(state_);
      if (!wait || running_.by_task.empty() || error_ != nullptr) {
        closed_ = true;
        break;
      }
    }
    sleep_until_change(seen);
  }
  if (thread_ != nullptr) {
    completions_->end();
    thread_->join();
    thread_.reset();
  }
  tell_waiters();
  std::unique_ptr<Journal> journal;
  {
    const std::scoped_lock both(disk_, state_);
    journal = std::move(journal_);
  }
  if (journal != nullptr) journal->close();
}

}  // namespace hotspare::journal

namespace hotspare::detail {

BatchCore::~BatchCore() = default;

std::shared_ptr<BatchCore> BatchCore::open(BatchSettings settings) {
  auto core = std::make_shared<journal::Core>(std::move(settings));
  core->warn_of_network();
  return core;
}

struct AnswerQueue::State {
  std::shared_ptr<journal::Core> core;
  std::shared_ptr<journal::ReadyList> list = std::make_shared<journal::ReadyList>();
};

AnswerQueue::AnswerQueue(std::shared_ptr<BatchCore> core) : state_(std::make_unique<State>()) {
  state_->core = std::static_pointer_cast<journal::Core>(std::move(core));
}
AnswerQueue::~AnswerQueue() = default;
void AnswerQueue::watch(AnswerRef answer) { state_->core->watch(std::move(answer), state_->list); }
AnswerRef AnswerQueue::take() { return state_->core->take(*state_->list); }

}  // namespace hotspare::detail
