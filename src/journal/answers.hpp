#pragma once

#include "journal/journal.hpp"
#include "journal/packed.hpp"

#include <hotspare/detail/batch_core.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace hotspare::journal {

struct ReadyList;

/// What the journal had. Read when it is first looked at.
class KeptAnswer final : public detail::Answer {
 public:
  using Read = std::function<Journal::Stored()>;
  KeptAnswer(journal::Kind kind, bool before, Read read)
      : stored_kind_(kind), before_(before), read_(std::move(read)) {}

  bool ready() const noexcept override { return true; }
  Answer::Kind kind() const noexcept override;
  std::span<const std::byte> bytes() const override;
  detail::Attachments* attachments() const override;
  std::exception_ptr failure() const override;
  std::shared_ptr<const CrashReport> report() const override;
  bool was_kept() const noexcept override { return before_; }
  const detail::TaskRef& task() const noexcept override;

 private:
  detail::PackedValue& value() const;
  const journal::Kind stored_kind_;
  const bool before_;
  mutable Read read_;
  mutable std::once_flag once_;
  mutable detail::PackedValue value_;
};

/// What a task of this batch gives.
class RunAnswer final : public detail::Answer {
 public:
  RunAnswer(const detail::BatchKey& asked, const detail::TaskRef& task, detail::Pack how)
      : key(asked), pack(how), task_(task) {}

  bool ready() const noexcept override { return done.load(std::memory_order_acquire); }
  Answer::Kind kind() const noexcept override { return static_cast<Answer::Kind>(detail::ending(*task_)); }
  std::span<const std::byte> bytes() const override { return detail::result_bytes(*task_); }
  detail::Attachments* attachments() const override { return detail::result_attachments(*task_); }
  std::exception_ptr failure() const override { return detail::failure(*task_); }
  std::shared_ptr<const CrashReport> report() const override { return detail::crash_report(*task_); }
  bool was_kept() const noexcept override { return false; }
  const detail::TaskRef& task() const noexcept override { return task_; }

  const detail::BatchKey key;
  const detail::Pack pack;
  // SYNC POINT answer-ready: stored by the batch's thread when the outcome is committed, read by whoever wants it.
  mutable std::atomic<bool> done{false};
  // Under the core's lock:
  mutable unsigned wanted = 0;  ///< By so many.
  mutable std::vector<std::weak_ptr<ReadyList>> lists;

 private:
  const detail::TaskRef task_;
};

/// What is to be written of a settled task; nothing if it has no outcome of its own: it was cancelled, or the pool closed.
struct Writing {
  bool wanted = false;
  Kind kind{};
  bool packed = false;
  std::span<const std::byte> body;
  std::vector<std::byte> made;  ///< Holds the body if no other does.
};
Writing writing_of(const RunAnswer& answer);

}  // namespace hotspare::journal
