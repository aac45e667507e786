#include "core_pool.hpp"

#include "bell.hpp"
#include "block.hpp"
#include "events.hpp"
#include "payload.hpp"
#include "report.hpp"
#include "runtime.hpp"
#include "signal_watch.hpp"
#include "task_options.hpp"
#include "worker_entry.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <unordered_map>

namespace hotspare::python {
namespace {

using detail::TaskRef;

template <class T>
T option(const nb::dict& options, const char* name) {
  return nb::cast<T>(options[name]);
}

/// What Python does before the first task that runs in this process, on the engine's thread for those. The callable must
/// live until that has ended.
std::function<void()> host_initializer(nb::handle callable) {
  return [kept = callable.ptr()] {
    const WithGil gil;
    in_words([kept] { nb::borrow(kept)(); });
  };
}

PoolOptions pool_options(const nb::dict& given) {
  PoolOptions options;
  options.workers = option<unsigned>(given, "workers");
  options.spares = option<unsigned>(given, "spares");
  options.start = option<bool>(given, "exec") ? Start::exec : Start::fork;
  options.exec_command = words_of_bytes(given["exec_command"]);
  options.exec_keep = option<std::vector<int>>(given, "exec_keep");
  options.preload = preload_in_zygote;
  options.initializer = begin_worker;
  options.run_in_host = option<bool>(given, "run_in_host");
  options.host_initializer = host_initializer(given["host_begins"]);
  options.tasks_per_worker = option<unsigned>(given, "tasks_per_worker");
  options.queue_limit = option<std::size_t>(given, "queue_limit");
  options.payload_limit = option<std::size_t>(given, "payload_limit");
  options.when_full = option<bool>(given, "refuse_when_full") ? WhenFull::refuse : WhenFull::wait;
  options.breaker_deaths = option<unsigned>(given, "breaker_deaths");
  options.memory_budget = option<std::size_t>(given, "memory_budget");
  options.memory_reserve = option<std::size_t>(given, "memory_reserve");
  options.recycle_above = option<std::size_t>(given, "recycle_above");
  options.quarantine_deaths = option<unsigned>(given, "quarantine_deaths");
  options.retry_budget = {option<double>(given, "retry_tokens"), option<double>(given, "retry_per_value")};
  for (const auto [tag, limits] : option<nb::dict>(given, "tags"))
    options.tags[nb::cast<std::string>(tag)] = tag_limits(nb::cast<nb::dict>(limits));
  options.worker_stderr = option<bool>(given, "capture_stderr") ? Stderr::capture : Stderr::tee;
  options.name = option<std::string>(given, "name");
  options.on_event = event_callback(given["on_event"]);
  return options;
}

/// Buffers of arguments in shared memory, so that one that many tasks are given is there once, for as long as a task that
/// was given it has not settled. Compared byte by byte: it may have been written to since. Guarded by the GIL, which is
/// not held while bytes are compared or copied.
class SharedArguments {
 public:
  std::shared_ptr<const Buffer> of(Pool& pool, std::span<const std::byte> bytes) {
    if (auto known = find(bytes)) return known;
    Buffer fresh;
    {
      const WithoutGil others_may_run;
      fresh = pool.buffer(bytes.size());
      std::memcpy(fresh.data(), bytes.data(), bytes.size());
    }
    auto kept = std::make_shared<const Buffer>(std::move(fresh));
    std::erase_if(entries_, [&](const Entry& entry) { return entry.source == bytes.data() || entry.copy.expired(); });
    entries_.push_back({bytes.data(), kept});
    return kept;
  }

 private:
  struct Entry {
    const std::byte* source;
    std::weak_ptr<const Buffer> copy;
  };
  std::shared_ptr<const Buffer> find(std::span<const std::byte> bytes) const {
    for (const Entry& entry : entries_) {
      if (entry.source != bytes.data()) continue;
      std::shared_ptr<const Buffer> copy = entry.copy.lock();
      if (copy == nullptr || copy->size() != bytes.size()) return nullptr;
      const WithoutGil others_may_run;
      return std::memcmp(copy->data(), bytes.data(), bytes.size()) == 0 ? copy : nullptr;
    }
    return nullptr;
  }
  std::vector<Entry> entries_;
};

/// Threads that close pools in the background. They end with a turn of the GIL, so the interpreter must not be gone before
/// them: somebody has to join them.
class Closers {
 public:
  std::thread::id run(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    std::erase_if(threads_, [](Entry& entry) {
      if (!entry.done->load()) return false;
      entry.thread.join();
      return true;
    });
    auto done = std::make_shared<std::atomic<bool>>(false);
    auto body = [work = std::move(work), done]() mutable {
      work();
      done->store(true);
    };
    threads_.push_back({std::thread(std::move(body)), done});
    return threads_.back().thread.get_id();
  }
  /// One of them, if it is still there.
  void join(std::thread::id which) {
    std::optional<Entry> found;
    {
      const std::lock_guard lock(mutex_);
      const auto at = std::find_if(threads_.begin(), threads_.end(),
                                   [&](const Entry& entry) { return entry.thread.get_id() == which; });
      if (at == threads_.end()) return;
      found = std::move(*at);
      threads_.erase(at);
    }
    found->thread.join();
  }
  void join() {
    std::vector<Entry> all;
    {
      const std::lock_guard lock(mutex_);
      all.swap(threads_);
    }
    for (Entry& entry : all) entry.thread.join();
  }

 private:
  struct Entry {
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> done;  ///< It needs the GIL no more.
  };
  std::mutex mutex_;
  std::vector<Entry> threads_;
};
Closers* closers = new Closers;

/// Around what a signal handler raised while a submission waited for room: who submits takes other exceptions for those of
/// pickling.
PyObject* handler_raised = nullptr;

void wait_for_room(detail::Engine& engine, const TaskRef& task, detail::ArgumentBuffers& attached) {
  try {
    const Waiting waiting;
    detail::submit_prepared(engine, task, &attached);
  } catch (nb::python_error& error) {
    PyErr_SetObject(handler_raised, nb::make_tuple(nb::borrow(error.value())).ptr());
    raise_set_error();
  }
}

}  // namespace

/// The thread that tells Python what has settled: all that it finds with one turn of the GIL.
struct CorePool::Settler {
  Settler(detail::Engine& engine, nb::object callback) : completions(engine), on_settled(std::move(callback)) {}

  void run() {
    const WithGil gil;
    for (bool more = true; more;) {
      std::vector<TaskRef> tasks;
      {
        const WithoutGil others_may_run;
        tasks = completions.take_all();
      }
      more = !tasks.empty();
      if (more) tell(tasks);
    }
  }
  void tell(const std::vector<TaskRef>& tasks) {
    nb::list objects;
    for (const TaskRef& task : tasks) {
      const auto found = watched.find(task.get());
      if (found == watched.end()) continue;
      objects.append(found->second);
      watched.erase(found);
    }
    try {
      on_settled(objects);
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("hotspare callbacks");
    }
  }
  /// With the GIL. False: the thread has been joined, or will be without a look at this task.
  bool watch(const TaskRef& task, nb::object object) {
    if (!watched.try_emplace(task.get(), std::move(object)).second) return true;  // the engine has one place for it
    try {
      const std::lock_guard lock(mutex);
      if (joined) return false;
      if (!thread.joinable()) thread = std::thread([this] { run(); });
      completions.watch(task);
    } catch (...) {
      watched.erase(task.get());
      throw;
    }
    return true;
  }
  /// Without the GIL.
  void join() {
    std::thread last;
    {
      const std::lock_guard lock(mutex);
      joined = true;
      last.swap(thread);
    }
    if (!last.joinable()) return;
    completions.end();
    last.join();
  }

  detail::Completions completions;
  nb::object on_settled;
  std::unordered_map<detail::Task*, nb::object> watched;  ///< Guarded by the GIL.
  std::mutex mutex;  ///< Held by who has the GIL, and by who has not: never for long.
  std::thread thread;
  bool joined = false;
};

struct CorePool::Inner {
  explicit Inner(const nb::dict& options)
      : on_event(options["on_event"]),
        host_begins(options["host_begins"]),
        pool(pool_options(options)),
        settler(*pool.engine(), nb::object(options["on_settled"])) {}

  /// Without the GIL.
  void close() {
    pool.shutdown();
    ended.ring();
    const std::lock_guard one(joining);
    settler.join();
  }

  nb::object on_event;  ///< Before the pool, whose threads call these.
  nb::object host_begins;
  Pool pool;
  Settler settler;
  Bell ended;  ///< No process is left. Callbacks may still run.
  std::mutex joining;
  SharedArguments arguments;
  bool closing = false;  ///< Somebody closes it, or has. Guarded by the GIL, as the next one:
  std::thread::id closer;
};

CorePool::CorePool(const nb::dict& options) : inner_(std::make_shared<Inner>(options)) {}

CorePool::~CorePool() {
  // In a fork of the host its threads are not here, and nothing of the pool is ours to end.
  if (!in_host())
    // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): without memory for a pointer the process may end
    static_cast<void>(new std::shared_ptr<Inner>(std::move(inner_)));
  else if (!inner_->closing)
    shutdown(false, 0, -1, nb::none());
}

bool CorePool::in_host() const { return detail::in_host(*inner_->pool.engine()); }

CoreTask CorePool::submit_payload(std::span<const std::byte> function, const std::vector<Pickled>& parts, Kind kind,
                                  const TaskOptions* options, bool goes_on, const detail::Earlier* earlier) {
  detail::Engine& engine = *inner_->pool.engine();
  detail::ArgumentBuffers attached;
  std::vector<BufferAt> places;
  std::size_t body = 0;
  for (const Pickled& part : parts) {
    body += bytes_of_bytes(part.bytes).size();
    for (const nb::object& view : part.buffers) {
      const auto bytes = bytes_of(view);
      const auto shared = inner_->arguments.of(inner_->pool, bytes);
      places.push_back({attached.attach(*shared), bytes.size()});
      attached.count_last();
      attached.hold(shared);
    }
  }
  const ArgumentHead head{kind, goes_on, static_cast<std::uint32_t>(function.size()),
                          static_cast<std::uint32_t>(places.size())};
  const std::size_t size = sizeof head + places.size() * sizeof(BufferAt) + function.size() + body;
  std::byte* room = nullptr;
  const bool chunk = kind == Kind::chunk || kind == Kind::star_chunk;
  TaskRef task =
      detail::prepare(engine, chunk ? python_chunk_site() : python_call_site(), nullptr, options, size, room);
  const auto put = [&room](const void* from, std::size_t bytes) {
    if (bytes != 0) std::memcpy(room, from, bytes);
    room += bytes;
  };
  put(&head, sizeof head);
  put(places.data(), places.size() * sizeof(BufferAt));
  put(function.data(), function.size());
  for (const Pickled& part : parts) put(bytes_of_bytes(part.bytes).data(), bytes_of_bytes(part.bytes).size());
  if (earlier != nullptr && earlier->made_room) {
    detail::submit_alone(engine, task, &attached);
  } else if (earlier != nullptr) {
    detail::submit_failed(engine, task, &attached, earlier->report, earlier->thrown);
  } else if (!detail::try_submit_prepared(engine, task, &attached)) {
    wait_for_room(engine, task, attached);
  }
  return CoreTask(std::move(task), chunk);
}

CoreTask CorePool::submit(nb::handle function, const nb::tuple& arguments, nb::handle keywords,
                          const TaskOptions* options) {
  return submit_call(function, arguments, keywords, options, nullptr);
}

CoreTask CorePool::submit_failed(nb::handle function, const nb::tuple& arguments, const TaskOptions* options,
                                 const CoreReport* report, nb::handle described) {
  detail::Earlier earlier;
  std::vector<std::byte> thrown;
  if (report != nullptr) {
    earlier.report = report->shared();
  } else {
    const Pickled pickled = pickle(nb::borrow(described));
    const auto body = bytes_of_bytes(pickled.bytes);
    const ResultHead head{.ended = Ended::exception};
    thrown.resize(sizeof head + body.size());
    std::memcpy(thrown.data(), &head, sizeof head);
    std::memcpy(thrown.data() + sizeof head, body.data(), body.size());
    earlier.thrown = thrown;
  }
  return submit_call(function, arguments, nb::dict(), options, &earlier);
}

CoreTask CorePool::submit_alone(nb::handle function, const nb::tuple& arguments, const TaskOptions* options) {
  const detail::Earlier earlier{nullptr, {}, true};
  return submit_call(function, arguments, nb::dict(), options, &earlier);
}

CoreTask CorePool::submit_call(nb::handle function, const nb::tuple& arguments, nb::handle keywords,
                               const TaskOptions* options, const detail::Earlier* earlier) {
  const bool has_keywords = PyDict_GET_SIZE(keywords.ptr()) != 0;
  std::vector<Pickled> parts;
  if (const auto name = pickled_name(function); !name.empty()) {
    const std::string kept(reinterpret_cast<const char*>(name.data()), name.size());  // pickling may run anything
    parts.push_back(has_keywords ? pickle(nb::make_tuple(arguments, keywords)) : pickle(arguments));
    return submit_payload(std::as_bytes(std::span(kept.data(), kept.size())), parts,
                          has_keywords ? Kind::named_call_keyword : Kind::named_call, options, false, earlier);
  }
  parts.push_back(pickle(nb::make_tuple(function, arguments, keywords)));
  return submit_payload({}, parts, Kind::any_call, options, false, earlier);
}

CoreTask CorePool::submit_chunk(nb::handle function, const nb::list& items, bool star, bool goes_on,
                                const TaskOptions* options) {
  std::vector<Pickled> parts;
  parts.push_back(pickle(nb::make_tuple(function, items)));
  return submit_payload({}, parts, star ? Kind::star_chunk : Kind::chunk, options, goes_on, nullptr);
}

void CorePool::watch(const CoreTask& task, nb::object object) {
  if (inner_->settler.watch(task.task(), std::move(object))) return;
  // The pool was closed since the task was submitted, by a signal's handler say: all tasks have settled.
  try {
    closers->run([inner = inner_, settled = task.task()]() mutable {
      const WithGil gil;
      inner->settler.tell({std::move(settled)});
      inner.reset();
    });
  } catch (...) {
    inner_->settler.watched.erase(task.task().get());
    throw;
  }
}

void CorePool::shutdown(bool cancel, std::size_t keep, double grace, nb::object on_gone) {
  if (!in_host()) return;
  std::optional<std::chrono::nanoseconds> limit;
  constexpr double longest = 1e9;  // 30 years, in seconds
  if (grace >= 0)
    limit =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(std::min(grace, longest)));
  {
    const WithoutGil others_may_run;
    inner_->pool.shutdown(false, cancel, keep, limit);
  }
  if (std::exchange(inner_->closing, true)) return;
  PyObject* const callback = on_gone.release().ptr();
  std::function<void()> close = [inner = inner_, callback]() mutable {
    inner->close();
    const WithGil gil;
    const nb::object call = nb::steal(callback);
    inner.reset();
    try {
      if (!call.is_none()) call();
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("hotspare shutdown");
    }
  };
  try {
    inner_->closer = closers->run(close);
  } catch (const std::system_error&) {  // no thread is to be had
    const WithoutGil others_may_run;
    close();
  }
}

void CorePool::join_closer() {
  const std::thread::id closer = inner_->closer;
  if (!in_host() || closer == std::thread::id() || closer == std::this_thread::get_id()) return;
  const WithoutGil others_may_run;
  closers->join(closer);
}

void CorePool::wait_ended() {
  if (!in_host()) return;
  const std::shared_ptr<Inner> inner = inner_;
  inner->ended.wait(-1);
}

void CorePool::interrupt_tasks() {
  if (!in_host()) return;
  const WithoutGil others_may_run;
  detail::signal_running(*inner_->pool.engine(), SIGINT);
}

void CorePool::resize(unsigned workers) { inner_->pool.resize(workers); }

nb::dict CorePool::stats() const {
  const Stats now = inner_->pool.stats();
  nb::dict all;
  const std::pair<const char*, std::uint64_t> entries[] = {
      {"submitted", now.submitted},
      {"values", now.values},
      {"raised", now.raised},
      {"died", now.died},
      {"cancelled", now.cancelled},
      {"refused", now.refused},
      {"deaths", now.deaths},
      {"deaths_idle", now.deaths_idle},
      {"deaths_before_ready", now.deaths_before_ready},
      {"takeovers", now.takeovers},
      {"forks", now.forks},
      {"retired", now.retired},
      {"recalled", now.recalled},
      {"zygote_deaths", now.zygote_deaths},
      {"retried", now.retried},
      {"retries_denied", now.retries_denied},
      {"quarantined", now.quarantined},
      {"put_back", now.put_back},
      {"expired", now.expired},
      {"run_in_host", now.run_in_host},
      {"peak_unsettled", now.peak_unsettled},
      {"queued", now.queued},
      {"in_workers", now.in_workers},
      {"workers", now.workers},
      {"spares", now.spares},
      {"segment_bytes", now.segment_bytes},
  };
  for (const auto& [name, value] : entries) all[name] = value;
  return all;
}

std::vector<std::int64_t> CorePool::worker_pids() const { return inner_->pool.worker_pids(); }
std::vector<std::int64_t> CorePool::started_pids(std::size_t at_least) const {
  const Waiting waiting;
  return inner_->pool.started_pids(at_least);
}
std::string CorePool::broken() const { return inner_->pool.broken(); }
std::int64_t CorePool::zygote_pid() const { return inner_->pool.zygote_pid(); }

void run_in_background(std::function<void()> work) { closers->run(std::move(work)); }

void join_closers() {
  const WithoutGil others_may_run;
  closers->join();
}

void forget_closers() { closers = new Closers; }

void define_pool(nb::module_& module) {
  // NOLINTNEXTLINE(bugprone-throw-keyword-missing,bugprone-unused-raii): to construct one is to define Python's class
  handler_raised = PyErr_NewException("hotspare._core.HandlerRaised", PyExc_BaseException, nullptr);
  module.attr("HandlerRaised") = nb::borrow(handler_raised);
  module.def("join_closers", join_closers);
  module.def("forget_closers", forget_closers);
  nb::class_<TaskOptions>(module, "CoreTaskOptions")
      .def(
          "__init__", [](TaskOptions* self, const nb::dict& given) { new (self) TaskOptions(task_options(given)); },
          nb::arg("given"));
  nb::class_<CorePool>(module, "CorePool", nb::is_weak_referenceable())
      .def(nb::init<const nb::dict&>(), nb::arg("options"))
      .def("submit", &CorePool::submit, nb::arg("function").none(), nb::arg("arguments"), nb::arg("keywords"),
           nb::arg("options").none())
      .def("submit_chunk", &CorePool::submit_chunk, nb::arg("function").none(), nb::arg("items"), nb::arg("star"),
           nb::arg("goes_on"), nb::arg("options").none())
      .def("submit_failed", &CorePool::submit_failed, nb::arg("function").none(), nb::arg("arguments"),
           nb::arg("options").none(), nb::arg("report").none(), nb::arg("described").none())
      .def("submit_alone", &CorePool::submit_alone, nb::arg("function").none(), nb::arg("arguments"),
           nb::arg("options").none())
      .def("watch", &CorePool::watch, nb::arg("task"), nb::arg("object"))
      .def("shutdown", &CorePool::shutdown, nb::arg("cancel"), nb::arg("keep"), nb::arg("grace"),
           nb::arg("on_gone").none())
      .def("join_closer", &CorePool::join_closer)
      .def("wait_ended", &CorePool::wait_ended)
      .def("interrupt_tasks", &CorePool::interrupt_tasks)
      .def("started_pids", &CorePool::started_pids, nb::arg("at_least"))
      .def("resize", &CorePool::resize, nb::arg("workers"))
      .def("stats", &CorePool::stats)
      .def("worker_pids", &CorePool::worker_pids)
      .def("zygote_pid", &CorePool::zygote_pid, nb::call_guard<WithoutGil>())
      .def_prop_ro("broken", [](const CorePool& pool) { return pool.broken(); })
      .def_prop_ro("in_host", &CorePool::in_host);
}

}  // namespace hotspare::python
