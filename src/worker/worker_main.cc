#include "worker/worker_main.hpp"

#include "os/process.hpp"
#include "os/signals.hpp"
#include "worker/crash_handler.hpp"
#include "worker/crash_point.hpp"
#include "worker/run_task.hpp"
#include "worker/segments.hpp"
#include "worker/task_loop.hpp"
#include "worker/worker_state.hpp"
#include "zygote/embedding.hpp"

#include <cstdio>
#include <cxxabi.h>
#include <exception>
#include <linux/futex.h>
#include <memory>
#include <string>

namespace hotspare::worker {
namespace {

/// Before there is a channel nobody can be told but by stderr and an exit code.
[[noreturn]] void give_up(const os::Failure& failure) {
  std::fprintf(stderr, "hotspare worker cannot start: %s\n", failure.text().c_str());
  os::exit_now(126);
}

template <class T>
T must(os::Result<T> result) {
  if (!result) give_up(result.failure());
  return std::move(*result);
}

/// The mappings live as long as the process.
template <class T>
T* map_for_ever(const os::Fd& fd, os::Access access) {
  auto* mapping = new os::Mapping(must(os::Mapping::of(fd, sizeof(T), access, os::OnFork::drop)));
  return mapping->as<T>();
}

void map_all(const std::vector<os::Fd>& fds) {
  state.channel = map_for_ever<shm::Channel>(fds[zygote::channel_fd], os::Access::read_write);
  state.bells = map_for_ever<shm::Bells>(fds[zygote::bells_fd], os::Access::read_write);
  state.last_words = &state.channel->last_words;
  state.host_bell = &state.bells->listener;
  state.requests = &state.bells->requests;
  state.wishes = map_for_ever<const shm::Wishes>(fds[zygote::wishes_fd], os::Access::read);
  mark_as_worker();
}

[[gnu::noinline, gnu::no_sanitize("null")]] void initialize(const zygote::Setup& setup) {
  if (setup.initializer.module == 0) return;
  try {
    reinterpret_cast<void (*)()>(detail::resolve(setup.initializer))();
  } catch (const std::exception& error) {
    die_of_initializer(error.what());
  } catch (const abi::__forced_unwind&) {
    die_of_thread_exit();
  } catch (...) {
    die_of_initializer("it threw something that is no std::exception");
  }
}

struct Life {
  const zygote::Setup& setup;
  Segments& segments;
};

/// From the initializer to the last task. Takes a Life.
void serve(void* argument) {
  const Life& life = *static_cast<Life*>(argument);
  initialize(life.setup);
  warm_up(life.segments);
  reach(CrashPoint::before_ready);
  // SYNC POINT worker-ready: acquired by Engine::note_ready.
  state.channel->phase.store(shm::Phase::ready, std::memory_order_seq_cst);
  ring_host();
  reach(CrashPoint::after_ready);
  run_tasks(life.segments, life.setup.has_other_core);
}

}  // namespace

void run_worker(WorkerStart start) {
  arm_crash_points(start.id);
  reach(CrashPoint::before_setup);
  state.number = start.id;
  // Its own group: what it starts can be ended with it, and Ctrl-C at the terminal is the host's affair.
  must(os::become_group_leader());
  must(os::arm_lifeline(start.fds[zygote::lifeline_fd]));
  os::redirect_stderr(start.fds[zygote::stderr_fd]);
  os::set_title(std::string(start.setup.name) + "-" + std::to_string(start.id));
  os::forbid_core_dumps();
  os::offer_to_oom_killer();
  os::allow_tracer(start.setup.host);
  map_all(start.fds);
  const auto segments = std::make_shared<Segments>(std::move(start.fds[zygote::segments_fd]));
  for (const auto fd : {zygote::channel_fd, zygote::bells_fd, zygote::wishes_fd, zygote::stderr_fd})
    start.fds[fd].reset();
  install_crash_handler();
  reach(CrashPoint::before_life_lock);
  ::pthread_mutex_lock(&state.channel->life);  // never unlocked: the kernel does that in our death
  // It wakes a waiter only if the word says that there is one. Who listens may have begun before this was ours.
  state.channel->life_word().fetch_or(FUTEX_WAITERS, std::memory_order_acq_rel);
  Life life{start.setup, *segments};
  if (const auto around = detail::embedding().worker_lives; around != nullptr) {
    around(serve, &life);
  } else {
    serve(&life);
    zygote::call(detail::embedding().worker_leaves);
  }
  os::exit_now(0);
}

}  // namespace hotspare::worker
