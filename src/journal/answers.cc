#include "journal/answers.hpp"

#include "death/report_from_json.hpp"
#include "task/retry.hpp"
#include "task/task.hpp"
#include "worker/raised.hpp"

namespace hotspare::detail {

Answer::~Answer() = default;

}  // namespace hotspare::detail

namespace hotspare::journal {
namespace {

Kind kind_of(task::Reason reason) {
  switch (reason) {
    case task::Reason::timeout: return Kind::timeout;
    case task::Reason::memory: return Kind::memory;
    default: return Kind::died;
  }
}

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* const first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

Writing of_death(const CrashReport& report) {
  Writing writing;
  // Somebody did not want it any more: it may be run another time.
  const task::Reason reason = task::reason_of(report.cause);
  if (reason == task::Reason::planned) return writing;
  writing.wanted = true;
  writing.kind = kind_of(reason);
  writing.made = bytes_of(report.json());
  writing.body = writing.made;
  return writing;
}

}  // namespace

detail::Answer::Kind KeptAnswer::kind() const noexcept {
  switch (stored_kind_) {
    case journal::Kind::value: return Answer::Kind::value;
    case journal::Kind::raised: return Answer::Kind::raised;
    default: return Answer::Kind::died;
  }
}

detail::PackedValue& KeptAnswer::value() const {
  std::call_once(once_, [this] {
    Journal::Stored stored = read_();
    if (stored.packed) {
      value_ = unpacked(stored.body);
    } else {
      value_.payload = std::move(stored.body);
    }
  });
  return value_;
}

std::span<const std::byte> KeptAnswer::bytes() const { return value().payload; }
detail::Attachments* KeptAnswer::attachments() const { return &value(); }

std::exception_ptr KeptAnswer::failure() const {
  if (kind() == Answer::Kind::value) return nullptr;
  if (kind() == Answer::Kind::raised) return detail::decode_exception(bytes());
  return detail::death_error(*report());
}

std::shared_ptr<const CrashReport> KeptAnswer::report() const {
  if (kind() != Answer::Kind::died) return nullptr;
  const auto json = bytes();
  return std::make_shared<const CrashReport>(
      death::report_from_json({reinterpret_cast<const char*>(json.data()), json.size()}));
}

const detail::TaskRef& KeptAnswer::task() const noexcept {
  static const detail::TaskRef none;
  return none;
}

Writing writing_of(const RunAnswer& answer) {
  const detail::Task& task = *answer.task();
  const detail::Ending ending = detail::ending(task);
  if (ending == detail::Ending::died) return of_death(*detail::crash_report(task));
  Writing writing;
  if (ending != detail::Ending::value && ending != detail::Ending::raised) return writing;
  writing.wanted = true;
  writing.kind = ending == detail::Ending::value ? Kind::value : Kind::raised;
  writing.body = detail::result_bytes(task);
  // The worker may write there still: what is hashed must be what is written.
  if (task.payload.segment() != nullptr) {
    writing.made.assign(writing.body.begin(), writing.body.end());
    writing.body = writing.made;
  }
  if (task.extra_ == nullptr || task.extra_->result_segments.empty()) return writing;
  if (answer.pack == nullptr) throw PayloadError("the result refers to shared memory that its type knows nothing of");
  detail::PackedValue value;
  answer.pack(task, value);
  writing.packed = true;
  writing.made = packed(value);
  writing.body = writing.made;
  return writing;
}

}  // namespace hotspare::journal
