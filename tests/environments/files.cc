#include "situation.hpp"
#include "support/refuse_calls.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <thread>
#include <unistd.h>

namespace hotspare::testing {
namespace {

void mount_tmpfs(const char* where, const char* options, unsigned long flags = 0) {
  need(::mount("tmpfs", where, "tmpfs", flags, options), "mounting a tmpfs");
}

void refuse_memfds() {
  Refusal refusal;
  add_call(refusal, "memfd_create");
  refuse_calls(refusal);
}

std::string own_program;

/// Says what is lost, and is refused where that would be a danger, or cannot go on.
void live_without_proc(Start start) {
  const Life life{.start = start, .says = "/proc", .idles = false};
  const auto refused = [](const PoolOptions& options, std::string_view word) {
    try {
      const Pool pool(options);
      return false;
    } catch (const Error& error) {
      ::dprintf(report_fd(), "refused: %s\n", error.what());
      return std::string_view(error.what()).find(word) != std::string_view::npos;
    }
  };
  PoolOptions options;
  options.workers = 1;
  options.start = start;
  if (start == Start::fork) {
    pool_lives(life);
    channel_lives(life);
    std::atomic<bool> ends{false};
    std::thread another([&] { ends.wait(false); });
    check(refused(options, "one thread"), "a host with threads is not forked");
    ends = true;
    ends.notify_all();
    another.join();
  } else {
    check(refused(options, "exec_command"), "nobody knows what to start");
    options.exec_command = {own_program};
    Pool pool(options);
    check(pool.submit([] { ::raise(SIGKILL); }).outcome().report() != nullptr, "a death is told");
    check(pool.submit([](int x) { return x + 1; }, 1).get() == 2, "work goes on");
  }
}

void no_proc() {
  std::array<char, 4096> path{};
  need(::readlink("/proc/self/exe", path.data(), path.size() - 1), "reading /proc/self/exe");
  own_program = path.data();
  own_mounts();
  mount_tmpfs("/proc", "size=4k", MS_RDONLY);
}

void small_shm() {
  own_mounts();
  mount_tmpfs("/dev/shm", "size=64k");
}

void read_only_shm() {
  own_mounts();
  mount_tmpfs("/dev/shm", "size=64k", MS_RDONLY);
}

/// A /dev with what a C library needs.
void no_shm() {
  own_mounts();
  mount_tmpfs("/dev", "size=64k,mode=755");
  need(::mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)), "making /dev/null");
  need(::mknod("/dev/urandom", S_IFCHR | 0666, makedev(1, 9)), "making /dev/urandom");
}

void read_only_root() {
  own_mounts();
  need(::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), "mounting / read-only");
  check(::open("/new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0 && errno == EROFS, "nothing can be written there");
}

void nothing_to_write_to() {
  ::unsetenv("TMPDIR");
  own_mounts();
  for (const char* folder : {"/dev/shm", "/tmp", "/var/tmp"})
    if (::access(folder, F_OK) == 0) mount_tmpfs(folder, "size=64k", MS_RDONLY);
  refuse_memfds();
}

const Situation table[] = {
    {.name = "no_proc",
     .what = "no `/proc`",
     .told =
         "Says what is lost: memory limits, evidence, orphans in groups of their own. `Start::exec` is refused, unless "
         "`PoolOptions::exec_command` names the program.",
     .make = no_proc,
     .live = live_without_proc},
    {.name = "small_shm", .what = "`/dev/shm` of 64 kB", .told = "Works: it is not used.", .make = small_shm},
    {.name = "read_only_shm", .what = "`/dev/shm` read-only", .told = "Works.", .make = read_only_shm},
    {.name = "no_shm", .what = "no `/dev/shm`", .told = "Works.", .make = no_shm},
    {.name = "small_shm_without_memfd",
     .what = "the same three, and `memfd_create` refused",
     .told = "Works, in nameless files of the first of `/dev/shm`, `TMPDIR` or `/tmp`, and `/var/tmp` that has room; "
             "says so.",
     .make =
         [] {
           small_shm();
           refuse_memfds();
         },
     .with_fork = {Expected::says, "memfd_create"},
     .with_exec = {Expected::says, "memfd_create"}},
    {.name = "read_only_shm_without_memfd",
     .what = {},
     .told = {},
     .make =
         [] {
           read_only_shm();
           refuse_memfds();
         },
     .with_fork = {Expected::says, "memfd_create"},
     .with_exec = {Expected::says, "memfd_create"}},
    {.name = "no_shm_without_memfd",
     .what = {},
     .told = {},
     .make =
         [] {
           no_shm();
           refuse_memfds();
         },
     .with_fork = {Expected::says, "memfd_create"},
     .with_exec = {Expected::says, "memfd_create"}},
    {.name = "nothing_to_write_to",
     .what = "`memfd_create` refused, and none of these folders can be written to",
     .told = "Refuses.",
     .make = nothing_to_write_to,
     .with_fork = {Expected::refuses, "/dev/shm"},
     .with_exec = {Expected::refuses, "/dev/shm"}},
    {.name = "read_only_root", .what = "root read-only", .told = "Works.", .make = read_only_root},
};

}  // namespace

std::span<const Situation> file_situations() { return table; }

}  // namespace hotspare::testing
