#pragma once

#include <hotspare/detail/call.hpp>
#include <hotspare/detail/parts.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <vector>

/// Elements of a map that travel together, each with an outcome of its own.
namespace hotspare::detail {

/// The code that runs in the worker. Elements are read one by one, so that one that kills its reader is told apart.
template <class F, class T, class R>
struct ChunkCall {
  static void run(TaskContext& context) {
    ByteSource source(context.arguments());
    ReceivedCallable<F> callable(source);
    std::uint64_t count = 0;
    source.take(&count, sizeof count);
    for (; count > 0; --count) run_one(callable.get(), source, context);
    context.end_parts();
  }
  static const CallSite& site() {
    static const CallSite site{locate(reinterpret_cast<const void*>(&run)), typeid(F).name(), true};
    return site;
  }

 private:
  static void run_one(F& f, ByteSource& source, TaskContext& context) {
    T item = read_value<T>(source, &context);
    try {
      give(context, f(std::move(item)));
    } catch (...) {
      context.give_raised_part();
    }
  }
  static void give(TaskContext& context, const R& result) {
    std::array<std::byte, inline_bytes> scratch;
    ByteSink sink(scratch);
    write_value(sink, &context, result);
    std::byte* room = context.reserve_part(sink.size());
    if (sink.fits()) {
      std::memcpy(room, scratch.data(), sink.size());
    } else {
      ByteSink direct({room, sink.size()});
      write_value(direct, &context, result);
    }
    context.give_part();
  }
};

/// One chunk on its way, and the outcomes of its elements one after the other when it has settled.
template <class T, class R>
class Chunk {
 public:
  Chunk(TaskRef task, std::vector<T> items) : task_(std::move(task)), items_(std::move(items)) {}
  /// One element that is run again, by a task of its own with one result.
  Chunk(TaskRef task, T item) : task_(std::move(task)), alone_(true) { items_.push_back(std::move(item)); }

  const TaskRef& task() const { return task_; }
  /// Waits for it. Each element has an outcome, until there is none left or the rest is to be run anew.
  bool next() {
    if (!reader_) open();
    value_.reset();
    error_ = nullptr;
    thrown_ = {};
    blamed_now_ = false;
    if (given_ == items_.size()) return false;  // whatever else a worker wrote there
    if (alone_) {
      read_alone();
    } else if (!reader_->at_end()) {
      read();
    } else if (ending(*task_) == Ending::died && blamed_) {
      return false;
    } else {
      fail();
    }
    ++given_;
    return true;
  }
  /// The current element's.
  const R& value() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
    return *value_;
  }
  /// Whether the current element failed as a part of this task, so that it may be run again by one of its own.
  bool may_be_run_again() const { return !alone_ && (blamed_now_ || !thrown_.empty()); }
  /// Whether the current element was ended to make room for others: it has not failed, and is to be run again.
  bool made_room() const { return blamed_now_ && detail::made_room(*task_); }
  const T& item() const { return items_[given_ - 1]; }
  Earlier earlier() const { return {blamed_now_ ? crash_report(*task_) : nullptr, thrown_, made_room()}; }
  /// After next() was false: those that its worker's death kept from being run.
  std::vector<T> unbegun() {
    return {std::make_move_iterator(items_.begin() + static_cast<std::ptrdiff_t>(given_)),
            std::make_move_iterator(items_.end())};
  }

 private:
  void open() {
    wait(task_, std::chrono::nanoseconds(-1));
    const bool whole = ending(*task_) == Ending::value;
    reader_.emplace(whole ? result_bytes(*task_) : salvaged_parts(*task_));
  }
  /// The current element has no result. After a death it is the one to blame, and those behind it never began.
  void fail() {
    const Ending end = ending(*task_);
    blamed_ = true;
    blamed_now_ = end == Ending::died;
    error_ = end == Ending::value
                 ? std::make_exception_ptr(PayloadError("a task's results are damaged: there are fewer than elements"))
                 : failure(*task_);
  }
  void read_alone() {
    if (ending(*task_) != Ending::value) {
      error_ = failure(*task_);
      return;
    }
    try {
      ByteSource source(result_bytes(*task_));
      value_.emplace(read_value<R>(source, result_attachments(*task_)));
    } catch (...) {
      error_ = std::current_exception();
    }
  }
  void read() {
    try {
      const Part part = reader_->next();
      if (part.raised) {
        error_ = part_failure(part.bytes);
        thrown_ = part.bytes;
      } else {
        ByteSource source(part.bytes);
        value_.emplace(read_value<R>(source, result_attachments(*task_)));
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  TaskRef task_;
  std::vector<T> items_;
  std::optional<PartsReader> reader_;
  std::optional<R> value_;
  std::exception_ptr error_;
  std::span<const std::byte> thrown_;  ///< By the current element.
  std::size_t given_ = 0;
  bool alone_ = false;
  bool blamed_ = false;
  bool blamed_now_ = false;  ///< The current element is the one.
};

}  // namespace hotspare::detail
