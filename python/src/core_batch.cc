#include "core_batch.hpp"

#include "core_pool.hpp"
#include "core_task.hpp"
#include "payload.hpp"
#include "report.hpp"
#include "signal_watch.hpp"

#include <hotspare/detail/batch_core.hpp>

#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_map>

namespace hotspare::python {
namespace {

using detail::AnswerRef;
using detail::BatchCore;
using detail::BatchKey;

const char* name(JournalProblem problem) {
  switch (problem) {
    case JournalProblem::busy: return "busy";
    case JournalProblem::damaged: return "damaged";
    case JournalProblem::newer: return "newer";
    case JournalProblem::foreign: return "foreign";
    case JournalProblem::full: return "full";
    case JournalProblem::refused: return "refused";
  }
  return "refused";
}

/// As hotspare.JournalError.
void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const JournalError& error) {
    const nb::object type = python_name("hotspare._errors", "JournalError");
    const nb::object value = type(error.what(), name(error.problem()), error.path(), error.savable());
    PyErr_SetObject(type.ptr(), value.ptr());
  }
}

/// A result with its buffers: each handle in it becomes one of `into`. Without the GIL, on the batch's thread.
void pack(const detail::Task& task, detail::PackedValue& into) {
  const auto bytes = detail::result_bytes(task);
  into.payload.assign(bytes.begin(), bytes.end());
  detail::ByteSource source(bytes);
  ResultHead head;
  source.take(&head, sizeof head);
  std::size_t place = sizeof head;
  for (std::uint32_t i = 0; i < head.buffers; ++i, place += sizeof(BufferAt)) {
    BufferAt at{};
    source.take(&at, sizeof at);
    at.handle = into.attach(detail::result_attachments(task)->fetch(at.handle, at.size));
    std::memcpy(into.payload.data() + place, &at, sizeof at);
  }
}

BatchKey key_of(const nb::bytes& bytes) {
  BatchKey key{};
  if (bytes.size() != key.size()) throw nb::value_error("a key has 32 bytes");
  std::memcpy(key.data(), bytes.data(), key.size());
  return key;
}

struct CoreAnswer {
  AnswerRef answer;

  bool kept() const { return answer->was_kept(); }
  bool running() const { return static_cast<bool>(answer->task()); }
  /// As CoreTask::outcome.
  nb::tuple outcome() const {
    if (running()) return CoreTask(answer->task(), false).outcome();
    if (answer->kind() == detail::Answer::Kind::died) return nb::make_tuple("died", make_report(answer->report()));
    {
      const WithoutGil others_may_run;
      answer->bytes();  // reads it
    }
    return decoded_result(answer->bytes(), *answer->attachments());
  }
};

class CoreBatch {
 public:
  CoreBatch(const std::string& path, bool power, unsigned rerun, bool of_any_user) {
    const WithoutGil others_may_run;
    core_ = BatchCore::open({path, power ? Durability::power : Durability::process, rerun, of_any_user,
                             [this](const std::string& text) { warning_ = text; }});
  }
  ~CoreBatch() {
    const WithoutGil others_may_run;
    core_.reset();
  }
  CoreBatch(const CoreBatch&) = delete;
  CoreBatch& operator=(const CoreBatch&) = delete;

  const std::shared_ptr<BatchCore>& core() const { return core_; }
  const std::string& path() const { return core_->path(); }
  const std::string& warning() const { return warning_; }

  std::optional<CoreAnswer> find(const nb::bytes& key) const {
    AnswerRef answer = core_->find(key_of(key));
    if (answer == nullptr) return std::nullopt;
    return CoreAnswer{std::move(answer)};
  }
  /// As CorePool::submit. In one step: nothing that a signal's handler raises comes between a task and its record. Whoever
  /// has asked the same while it was pickled was first.
  CoreAnswer submit(const nb::bytes& key, CorePool& pool, nb::handle function, const nb::tuple& arguments,
                    const TaskOptions* options) const {
    const BatchKey known_by = key_of(key);
    const CoreTask task = pool.submit(function, arguments, nb::dict(), options);
    if (AnswerRef first = core_->find(known_by)) {
      task.cancel(false);
      return {std::move(first)};
    }
    return {core_->add(known_by, task.task(), pack)};
  }
  void wait(const CoreAnswer& answer) const {
    if (answer.answer->ready()) return;
    const Waiting waiting;
    core_->wait(*answer.answer);
  }
  void leave(const CoreAnswer& answer) const { core_->leave(answer.answer); }
  nb::dict counts() const {
    const detail::BatchCounts now = core_->counts();
    nb::dict all;
    all["kept"] = now.kept;
    all["run"] = now.run;
    all["committed"] = now.committed;
    all["commits"] = now.commits;
    return all;
  }
  void close(bool wait) const {
    const Waiting waiting;
    core_->close(wait);
  }

 private:
  std::string warning_;
  std::shared_ptr<BatchCore> core_;
};

/// Answers in the order in which they are ready, each with the number that the caller knows it by.
class CoreAnswerQueue {
 public:
  explicit CoreAnswerQueue(const CoreBatch& batch) : queue_(batch.core()) {}
  void watch(const CoreAnswer& answer, std::uint64_t token) {
    tokens_[answer.answer.get()].push_back(token);
    queue_.watch(answer.answer);
  }
  std::uint64_t take() {
    const AnswerRef answer = next();
    const auto found = tokens_.find(answer.get());
    const std::uint64_t token = found->second.front();
    found->second.pop_front();
    if (found->second.empty()) tokens_.erase(found);
    return token;
  }

 private:
  AnswerRef next() {
    const Waiting waiting;
    return queue_.take();
  }
  detail::AnswerQueue queue_;
  std::unordered_map<const detail::Answer*, std::deque<std::uint64_t>> tokens_;
};

}  // namespace

void define_batch(nb::module_& module) {
  nb::register_exception_translator(translate);
  nb::class_<CoreAnswer>(module, "CoreAnswer")
      .def_prop_ro("kept", &CoreAnswer::kept)
      .def_prop_ro("running", &CoreAnswer::running)
      .def("outcome", &CoreAnswer::outcome);
  nb::class_<CoreBatch>(module, "CoreBatch", nb::is_weak_referenceable())
      .def(nb::init<const std::string&, bool, unsigned, bool>(), nb::arg("path"), nb::arg("power"), nb::arg("rerun"),
           nb::arg("of_any_user"))
      .def_prop_ro("path", &CoreBatch::path)
      .def_prop_ro("warning", &CoreBatch::warning)
      .def("find", &CoreBatch::find, nb::arg("key"))
      .def("submit", &CoreBatch::submit, nb::arg("key"), nb::arg("pool"), nb::arg("function").none(),
           nb::arg("arguments"), nb::arg("options").none())
      .def("wait", &CoreBatch::wait, nb::arg("answer"))
      .def("leave", &CoreBatch::leave, nb::arg("answer"))
      .def("counts", &CoreBatch::counts)
      .def("close", &CoreBatch::close, nb::arg("wait"));
  nb::class_<CoreAnswerQueue>(module, "CoreAnswerQueue")
      .def(nb::init<const CoreBatch&>(), nb::arg("batch"), nb::keep_alive<1, 2>())
      .def("watch", &CoreAnswerQueue::watch, nb::arg("answer"), nb::arg("token"))
      .def("take", &CoreAnswerQueue::take);
  module.def(
      "recover_journal",
      [](const std::string& path) {
        Recovered done;
        {
          const WithoutGil others_may_run;
          done = recover_journal(path);
        }
        return nb::make_tuple(done.saved, done.lost, done.all_known, done.damaged_copy);
      },
      nb::arg("path"));
}

}  // namespace hotspare::python
