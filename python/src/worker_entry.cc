#include "worker_entry.hpp"

#include "block.hpp"
#include "buffers_at.hpp"
#include "chunk_values.hpp"
#include "finalizers.hpp"
#include "payload.hpp"

#include <hotspare/detail/embedding.hpp>
#include <hotspare/error.hpp>

#include <chrono>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace hotspare::python {
namespace {

using detail::ByteSource;
using detail::TaskContext;

/// What a task had to do with, and its outcome. Letting go of it runs code of the user's, which may raise, or end the
/// worker: that has to wait until the outcome is safe.
/// Each thread's own: those of several pools may run tasks in the host, and what runs then lets go of the GIL.
struct Held {
  Held() = default;
  ~Held() {
    for (nb::object& object : objects) object.release();  // C's exit() in a task: nobody lets go of these any more
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  std::vector<nb::object> objects;
};
std::vector<nb::object>& held() {
  thread_local Held held;
  return held.objects;
}
nb::object hold(nb::object object) {
  held().push_back(object);
  return object;
}

/// Arrays over shared memory cannot wait: whether something refers to them still must be known before the outcome. Of
/// arguments with such, what has a destructor of its own waits.
void hold_what_ends(const nb::object& what, bool with_buffers) {
  if (!with_buffers) {
    hold(what);
    return;
  }
  for (nb::object& one : with_finalizers(what)) hold(std::move(one));
}

/// Blocks over the buffers that came with the arguments. What the task still refers to when it has ended becomes its own
/// copy: the host may use the shared memory for something else then.
class ArrivedBuffers {
 public:
  ArrivedBuffers(ByteSource& source, std::uint32_t count, TaskContext& context) {
    for (std::uint32_t i = 0; i < count; ++i) {
      BufferAt at{};
      source.take(&at, sizeof at);
      blocks_.push_back(make_block(context.fetch_private(at.handle, at.size)));
    }
  }
  ~ArrivedBuffers() {
    for (nb::object& block : blocks_)
      if (Py_REFCNT(block.ptr()) > 1) make_own_copy(nb::inst_ptr<Block>(block)->buffer());
  }
  ArrivedBuffers(const ArrivedBuffers&) = delete;
  ArrivedBuffers& operator=(const ArrivedBuffers&) = delete;

  nb::object list() const {
    if (blocks_.empty()) return {};
    nb::list all;
    for (const nb::object& block : blocks_) all.append(block);
    return std::move(all);
  }

 private:
  std::vector<nb::object> blocks_;
};

void give(TaskContext& context, Ended ended, const Pickled& pickled) {
  const ResultHead head{.ended = ended, .buffers = static_cast<std::uint32_t>(pickled.buffers.size())};
  std::vector<BufferAt> places;
  for (const nb::object& view : pickled.buffers) places.push_back(hand_out(view, context));
  const auto body = pickled.bytes.is_valid() ? bytes_of_bytes(pickled.bytes) : std::span<const std::byte>();
  const std::size_t places_bytes = places.size() * sizeof(BufferAt);
  if (ended == Ended::exception || ended == Ended::unread) context.mark_raised();
  std::byte* room = context.reserve_result(sizeof head + places_bytes + body.size());
  std::memcpy(room, &head, sizeof head);
  if (places_bytes != 0) std::memcpy(room + sizeof head, places.data(), places_bytes);
  if (!body.empty()) std::memcpy(room + sizeof head + places_bytes, body.data(), body.size());
}

/// The exception that is being handled, as a tuple that can be pickled.
nb::object described(nb::python_error& error) {
  const nb::object value = nb::borrow(error.value());
  try {
    return python_name("hotspare._describe", "describe")(value);
  } catch (nb::python_error& again) {  // a signal handler may raise anywhere
    const std::string what = std::string("it could not be described: ") + Py_TYPE(again.value().ptr())->tp_name;
    return nb::make_tuple(Py_TYPE(value.ptr())->tp_name, "", "", nb::none(), what);
  }
}

void give_error(TaskContext& context, nb::python_error& error, Ended ended = Ended::exception) {
  hold(nb::borrow(error.value()));
  hold(nb::borrow(error.traceback()));  // its frames, and their variables
  give(context, ended, pickle(described(error)));
}

/// What went wrong on our own side of the task.
void give_failure(TaskContext& context, PyObject* type, const char* what) {
  PyErr_SetString(type, what);
  nb::python_error error;
  give_error(context, error);
}

nb::object call(Kind kind, ByteSource& source, std::uint32_t function_bytes, const nb::object& buffers) {
  const auto function_at = std::span(source.view(function_bytes, 1), function_bytes);
  const std::size_t size = source.remaining();
  nb::object arguments = unpickle({source.view(size, 1), size}, buffers);
  hold_what_ends(arguments, buffers.is_valid());
  PyObject* const tuple = arguments.ptr();
  switch (kind) {
    case Kind::named_call: return checked(PyObject_Call(function_named(function_at).ptr(), tuple, nullptr));
    case Kind::named_call_keyword:
      return checked(
          PyObject_Call(function_named(function_at).ptr(), PyTuple_GET_ITEM(tuple, 0), PyTuple_GET_ITEM(tuple, 1)));
    case Kind::any_call:
      return checked(PyObject_Call(PyTuple_GET_ITEM(tuple, 0), PyTuple_GET_ITEM(tuple, 1), PyTuple_GET_ITEM(tuple, 2)));
    case Kind::chunk:
    case Kind::star_chunk: break;
  }
  throw PayloadError("a task of an unknown kind");
}

/// False: it raised, and the error is set.
bool run_item(TaskContext& context, PyObject* function, PyObject* item, bool star) {
  PyObject* const value = star ? PyObject_Call(function, item, nullptr) : PyObject_CallOneArg(function, item);
  if (value == nullptr) return false;
  const nb::object held = nb::steal(value);
  try {
    give_chunk_value(context, held);
  } catch (nb::python_error& error) {
    error.restore();  // a value that cannot be pickled is the item's failure
    return false;
  }
  return true;
}

/// The values of a chunk's items; up to the first one that raises, unless it goes on.
void run_chunk(TaskContext& context, const ArgumentHead& head, const nb::object& arguments) {
  begin_chunk(context);
  const auto start = std::chrono::steady_clock::now();
  PyObject* const function = PyTuple_GET_ITEM(arguments.ptr(), 0);
  PyObject* const items = PyTuple_GET_ITEM(arguments.ptr(), 1);
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); ++i) {
    if (run_item(context, function, PyList_GET_ITEM(items, i), head.kind == Kind::star_chunk)) continue;
    nb::python_error error;
    const nb::object until_given[] = {nb::borrow(error.value()), nb::borrow(error.traceback())};
    give_chunk_failure(context, described(error));
    if (!head.goes_on) break;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  end_chunk(context, took.count());
}

void run(TaskContext& context) {
  ByteSource source(context.arguments());
  ArgumentHead head;
  source.take(&head, sizeof head);
  const ArrivedBuffers arrived(source, head.buffers, context);
  const nb::object buffers = arrived.list();
  if (head.kind == Kind::chunk || head.kind == Kind::star_chunk) {
    nb::object arguments;
    try {
      const std::size_t size = source.remaining();
      arguments = unpickle({source.view(size, 1), size}, buffers);
    } catch (nb::python_error& error) {
      return give_error(context, error, Ended::unread);
    }
    hold_what_ends(arguments, buffers.is_valid());
    return run_chunk(context, head, arguments);
  }
  const nb::object value = call(head.kind, source, head.function_bytes, buffers);
  if (value.is_none()) return give(context, Ended::none, {});
  hold_what_ends(value, buffers.is_valid());
  give(context, Ended::value, pickle(value));
}

bool inside = false;

/// What a signal that came before it does is not the task's.
class Inside {
 public:
  Inside() {
    while (PyErr_CheckSignals() != 0) PyErr_WriteUnraisable(nullptr);
    inside = true;
  }
  ~Inside() { inside = false; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
};

void run_inside(TaskContext& context) {
  const Inside task;
  run(context);
}

}  // namespace

bool in_task() { return inside; }

void run_python_task(TaskContext& context) {
  std::optional<WithGil> gil;
  const bool in_worker = detail::in_worker_process();
  if (!in_worker) gil.emplace();  // in the host (PoolOptions::run_in_host)
  try {
    in_worker ? run_inside(context) : run(context);
  } catch (nb::python_error& error) {
    give_error(context, error);
  } catch (const std::bad_alloc&) {
    give_failure(context, PyExc_MemoryError, "no shared memory for the result of a task");
  } catch (const std::exception& error) {
    give_failure(context, PyExc_RuntimeError, error.what());
  }
  if (!detail::in_worker_process()) let_go_of_task();
}

void let_go_of_task() {
  thread_local Held going;   // both keep their room
  while (!held().empty()) {  // what is let go of may run anything
    going.objects.swap(held());
    going.objects.clear();
  }
}

const detail::CallSite& python_call_site() {
  static const detail::CallSite site{detail::locate(reinterpret_cast<const void*>(&run_python_task)), "Python task"};
  return site;
}

const detail::CallSite& python_chunk_site() {
  static const detail::CallSite site{python_call_site().entry, "Python chunk", true};
  return site;
}

}  // namespace hotspare::python
