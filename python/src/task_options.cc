#include "task_options.hpp"

#include "core_task.hpp"
#include "payload.hpp"
#include "report.hpp"

#include <hotspare/detail/task_ref.hpp>
#include <hotspare/error.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

namespace hotspare::python {
namespace {

/// A callable that the engine's threads hold and drop.
using Kept = std::shared_ptr<PyObject>;

/// Callables that nobody holds any more, until a thread with the GIL comes by. WARNING: who drops one may hold the engine's
/// mutex, and must not wait for the GIL then: its holder may be waiting for that mutex.
/// Without a lock of its own: a fork could copy it locked.
class Dropped {
 public:
  void add(PyObject* object) {
    Node* before = first_.load(std::memory_order_relaxed);
    auto* const node = new Node{object, nullptr};
    do {
      node->next = before;
    } while (!first_.compare_exchange_weak(before, node, std::memory_order_release, std::memory_order_relaxed));
    if (before == nullptr)
      Py_AddPendingCall([](void* self) { return static_cast<Dropped*>(self)->free_all(), 0; }, this);
  }
  /// GIL held.
  void free_all() {
    for (Node* node = first_.exchange(nullptr, std::memory_order_acquire); node != nullptr;) {
      const std::unique_ptr<Node> gone(std::exchange(node, node->next));
      Py_DECREF(gone->object);
    }
  }

 private:
  struct Node {
    PyObject* object;
    Node* next;
  };
  std::atomic<Node*> first_{nullptr};
};
Dropped dropped;

Kept keep(nb::handle callable) {
  dropped.free_all();  // should there have been no room for the pending call
  return Kept(nb::borrow(callable).release().ptr(), [](PyObject* object) {
    if (Py_IsInitialized()) dropped.add(object);  // else it has nothing left to free
  });
}

/// callable(attempt, task id, report of the death or None, description of what was raised or None); true: go on.
bool ask(const Kept& callable, const Failure& failure) {
  const WithGil gil;
  try {
    const nb::object report = failure.report() ? make_report(failure.report()) : nb::object(nb::none());
    nb::object described = nb::none();
    if (!failure.died() && !told_by_python(detail::thrown_bytes(failure))) {
      described = python::described(failure.error());
    } else if (!failure.died()) {
      detail::ByteSource source(detail::thrown_bytes(failure));
      ResultHead head;
      source.take(&head, sizeof head);
      const std::size_t size = source.remaining();
      described = unpickle({source.view(size, 1), size}, {});
    }
    const nb::object answer = nb::borrow(callable.get())(failure.attempt(), failure.task_id(), report, described);
    const int truth = PyObject_IsTrue(answer.ptr());
    if (truth < 0) raise_set_error();
    return truth == 1;
  } catch (nb::python_error& error) {
    error.discard_as_unraisable("hotspare retry callback");
    return false;
  }
}

Retries retries_of(const nb::dict& given) {
  Retries retries;
  retries.attempts = nb::cast<unsigned>(given["attempts"]);
  retries.on_death = nb::cast<bool>(given["on_death"]);
  retries.on_timeout = nb::cast<bool>(given["on_timeout"]);
  retries.on_exception = nb::cast<bool>(given["on_exception"]);
  retries.memory_attempts = nb::cast<unsigned>(given["memory_attempts"]);
  retries.base = nanoseconds_of(nb::cast<double>(given["base"]));
  retries.cap = nanoseconds_of(nb::cast<double>(given["cap"]));
  if (const nb::object callable = given["ask"]; !callable.is_none())
    retries.when = [kept = keep(callable)](const Failure& failure) { return ask(kept, failure); };
  return retries;
}

}  // namespace

std::chrono::nanoseconds nanoseconds_of(double seconds) {
  constexpr double longest = 3e9;  // a century: what more nanoseconds could not count
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(std::min(seconds, longest)));
}

TaskOptions task_options(const nb::dict& given) {
  const auto time = [&given](const char* name) { return nanoseconds_of(nb::cast<double>(given[name])); };
  TaskOptions options;
  options.timeout = time("timeout");
  options.soft_timeout = time("soft_timeout");
  options.queue_timeout = time("queue_timeout");
  options.progress_timeout = time("progress_timeout");
  options.grace = time("grace");
  options.memory_limit = nb::cast<std::size_t>(given["memory_limit"]);
  if (const nb::object retries = given["retries"]; !retries.is_none())
    options.retries = retries_of(nb::cast<nb::dict>(retries));
  options.key = nb::cast<std::string>(given["key"]);
  options.tags = nb::cast<std::vector<std::string>>(given["tags"]);
  options.priority = nb::cast<int>(given["priority"]);
  options.name = nb::cast<std::string>(given["name"]);
  return options;
}

TagLimits tag_limits(const nb::dict& given) {
  TagLimits limits;
  limits.at_once = nb::cast<unsigned>(given["at_once"]);
  limits.per_second = nb::cast<unsigned>(given["per_second"]);
  limits.breaker_failures = nb::cast<unsigned>(given["breaker_failures"]);
  limits.breaker_pause = nanoseconds_of(nb::cast<double>(given["breaker_pause"]));
  return limits;
}

}  // namespace hotspare::python
