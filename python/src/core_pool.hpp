#pragma once

#include "core_task.hpp"
#include "payload.hpp"
#include "python.hpp"
#include "report.hpp"

#include <hotspare/pool.hpp>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hotspare::python {

/// The engine as Python sees it: pickles what is submitted, and tells when what is watched has settled.
/// All functions need the GIL, and let go of it while they wait.
class CorePool {
 public:
  explicit CorePool(const nb::dict& options);
  ~CorePool();
  CorePool(const CorePool&) = delete;
  CorePool& operator=(const CorePool&) = delete;

  CoreTask submit(nb::handle function, const nb::tuple& arguments, nb::handle keywords, const TaskOptions* options);
  /// What has failed once as an item of a chunk: report of its death, or description of what it raised.
  CoreTask submit_failed(nb::handle function, const nb::tuple& arguments, const TaskOptions* options,
                         const CoreReport* report, nb::handle described);
  /// What was ended as an item of a chunk to make room for others.
  CoreTask submit_alone(nb::handle function, const nb::tuple& arguments, const TaskOptions* options);
  /// goes_on: an item that raises does not end the chunk.
  CoreTask submit_chunk(nb::handle function, const nb::list& items, bool star, bool goes_on,
                        const TaskOptions* options);
  /// Calls on_settled(objects…) with a list of what was given here, some time after their tasks have settled, on a thread
  /// of the pool's.
  void watch(const CoreTask& task, nb::object object);

  /// As Pool::shutdown, but never waits; grace in seconds, negative: none. The first call's on_gone() is called when nothing
  /// is left, on a thread of its own (without threads to be had: on this one, which waits for that).
  void shutdown(bool cancel, std::size_t keep, double grace, nb::object on_gone);
  /// When on_gone() was called: waits until its thread has ended.
  void join_closer();
  /// After shutdown: waits until no process is left. Callbacks may run on.
  void wait_ended();
  /// SIGINT to each worker that is inside a task.
  void interrupt_tasks();
  void resize(unsigned workers);
  nb::dict stats() const;
  std::vector<std::int64_t> worker_pids() const;
  std::vector<std::int64_t> started_pids(std::size_t at_least) const;
  std::int64_t zygote_pid() const;
  std::string broken() const;
  bool in_host() const;

 private:
  struct Settler;
  struct Inner;
  CoreTask submit_call(nb::handle function, const nb::tuple& arguments, nb::handle keywords, const TaskOptions* options,
                       const detail::Earlier* earlier);
  CoreTask submit_payload(std::span<const std::byte> function, const std::vector<Pickled>& parts, Kind kind,
                          const TaskOptions* options, bool goes_on, const detail::Earlier* earlier);

  std::shared_ptr<Inner> inner_;  ///< Lives on in a thread that closes it in the background.
};

/// Runs it on a thread of its own, without the GIL. Whoever ends the interpreter joins it first.
void run_in_background(std::function<void()> work);
/// Waits until every shutdown in the background has ended, its callback included. Lets go of the GIL.
void join_closers();
/// In a fork of the process: they are not here.
void forget_closers();

void define_pool(nb::module_& module);

}  // namespace hotspare::python
