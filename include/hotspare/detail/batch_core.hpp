#pragma once

#include <hotspare/detail/task_ref.hpp>
#include <hotspare/journal.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Durable batches: the line between the templates (and other languages) and the journal in the library.
namespace hotspare::detail {

/// SHA-256 of what was asked.
using BatchKey = std::array<std::byte, 32>;

/// Bits: which of the failures that the journal has are run again.
struct RerunBits {
  static constexpr unsigned raised = 1, died = 2, timeout = 4, memory = 8;
};

/// What every key of one function begins with. Any thread.
class HOTSPARE_API KeyMaker {
 public:
  /// captured: the bytes of a callable that has some.
  KeyMaker(std::string_view version, std::string_view function, std::span<const std::byte> captured = {});
  ~KeyMaker();
  KeyMaker(KeyMaker&&) noexcept;
  KeyMaker& operator=(KeyMaker&&) noexcept;
  /// given: the bytes are a key that the user gave, not the item's own. buffers: what was attached to them.
  BatchKey of(std::span<const std::byte> bytes, bool given, std::span<const Buffer> buffers = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The name of a function of this program, or of a functor's type, the same in every run of it. Throws Error when the
/// program does not tell (it was stripped).
HOTSPARE_API std::string function_name(const void* target, const char* type_name);

/// A value together with the Buffers that it refers to by handles 1, 2, 3 …
class HOTSPARE_API PackedValue : public Attachments {
 public:
  std::uint64_t attach(const Buffer& buffer) override;
  Buffer fetch(std::uint64_t handle, std::uint64_t size) override;
  std::vector<std::byte> payload;
  std::vector<Buffer> buffers;
};
/// Makes a result that refers to Buffers of the pool one that holds them. Called on the batch's own thread.
using Pack = void (*)(const Task& task, PackedValue& into);

/// One outcome: kept by the journal, or on its way. Threads: any, once ready() is true.
class HOTSPARE_API Answer {
 public:
  enum class Kind : std::uint8_t { pending, value, raised, died, cancelled, refused };
  virtual ~Answer();
  /// It may be given: what the journal is to keep of it is committed.
  virtual bool ready() const noexcept = 0;
  virtual Kind kind() const noexcept = 0;
  /// Of a value, or of a raised exception in the runtime's own form.
  virtual std::span<const std::byte> bytes() const = 0;
  virtual Attachments* attachments() const = 0;
  /// Null for a value.
  virtual std::exception_ptr failure() const = 0;
  virtual std::shared_ptr<const CrashReport> report() const = 0;
  /// The journal had it before it was asked for.
  virtual bool was_kept() const noexcept = 0;
  /// The task that it comes from, if it was run by this batch.
  virtual const TaskRef& task() const noexcept = 0;
};
using AnswerRef = std::shared_ptr<const Answer>;

struct BatchSettings {
  std::string path;
  Durability durability = Durability::process;
  unsigned rerun = 0;  ///< RerunBits.
  bool of_any_user = false;
  std::function<void(const std::string&)> on_warning;
};

struct BatchCounts {
  std::uint64_t kept = 0;       ///< Answers that the journal had already.
  std::uint64_t run = 0;        ///< Tasks submitted.
  std::uint64_t committed = 0;  ///< Records that this batch wrote.
  std::uint64_t commits = 0;    ///< Transactions that took.
};

/// A journal in use, and the thread that writes into it what the pool has finished. Threads: any.
class HOTSPARE_API BatchCore {
 public:
  /// Throws JournalError.
  static std::shared_ptr<BatchCore> open(BatchSettings settings);
  virtual ~BatchCore();

  /// The answer that the journal has, or that is on its way; null: it has to be run. Throws JournalError.
  virtual AnswerRef find(const BatchKey& key) = 0;
  /// The task that is to answer. All tasks of a batch must be of one engine. pack may be null. Throws JournalError.
  virtual AnswerRef add(const BatchKey& key, const TaskRef& task, Pack pack) = 0;
  /// Until it is ready. Throws JournalError when that can no longer be.
  virtual void wait(const Answer& answer) = 0;
  /// Nobody waits for it any more: its task is dropped if it has not begun and nobody else asked for it.
  virtual void leave(const AnswerRef& answer) = 0;
  virtual BatchCounts counts() const = 0;
  virtual const std::string& path() const = 0;
  /// Commits what has settled, and closes the journal. wait: for all tasks that were added. May be called again.
  /// Throws JournalError.
  virtual void close(bool wait) = 0;
};

/// Answers in the order in which they are ready. One thread.
class HOTSPARE_API AnswerQueue {
 public:
  explicit AnswerQueue(std::shared_ptr<BatchCore> core);
  ~AnswerQueue();
  AnswerQueue(const AnswerQueue&) = delete;
  AnswerQueue& operator=(const AnswerQueue&) = delete;
  void watch(AnswerRef answer);
  /// The next one. Only while there are some. Throws JournalError.
  AnswerRef take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hotspare::detail
