#include "os/realtime.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <linux/capability.h>
#include <memory>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace hotspare::os {

Status use_realtime(int priority) {
  sched_param parameter{};
  parameter.sched_priority = priority;
  if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter) != 0)
    return failed("sched_setscheduler(SCHED_FIFO, " + std::to_string(priority) + ")");
  return Done{};
}

void demote_process(pid_t pid) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/task", pid);
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  const std::unique_ptr<DIR, Close> folder(::opendir(path));
  if (folder == nullptr) return;
  const sched_param none{};
  while (const dirent* entry = ::readdir(folder.get())) {
    const auto thread = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (thread > 0) ::sched_setscheduler(thread, SCHED_OTHER, &none);
  }
}

namespace {

/// CAP_IPC_LOCK.
bool may_lock_without_limit() noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  return ::syscall(SYS_capget, &header, data) == 0 && (data[0].effective >> CAP_IPC_LOCK & 1u) != 0;
}

/// Whether all that is mapped now may be locked, and the main stack grow to its limit. It would meet the limit as SIGSEGV.
bool present_fits(rlim_t limit) noexcept {
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return false;
  unsigned long long pages = 0;
  const bool known = std::fscanf(file, "%llu", &pages) == 1;
  std::fclose(file);
  rlimit stack{};
  ::getrlimit(RLIMIT_STACK, &stack);
  constexpr rlim_t most_stack = rlim_t{64} << 20;
  return known && pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + std::min(stack.rlim_cur, most_stack) <= limit;
}

}  // namespace

std::uint32_t lock_all_memory() noexcept {
  constexpr auto nothing = static_cast<std::uint32_t>(Hygiene::locked_memory);
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  const bool limited = limit.rlim_cur != RLIM_INFINITY && !may_lock_without_limit();
  if (limited && !present_fits(limit.rlim_cur)) return nothing;
  // On fault: a fork that shares its pages with its parent must not have to copy all of them first.
  const int what = MCL_CURRENT | MCL_ONFAULT | (limited ? 0 : MCL_FUTURE);
  if (::mlockall(what) != 0) return nothing;
  return limited ? static_cast<std::uint32_t>(Hygiene::locked_later) : 0;
}

Status lock_pages(std::span<std::byte> bytes) {
  if (::mlock(bytes.data(), bytes.size()) != 0) return failed("mlock(" + std::to_string(bytes.size()) + " bytes)");
  return Done{};
}

void limit_realtime_burst(std::int64_t us) noexcept {
  rlimit limit{};
  ::getrlimit(RLIMIT_RTTIME, &limit);
  limit.rlim_cur = std::min<rlim_t>(static_cast<rlim_t>(us), limit.rlim_max);
  limit.rlim_max = std::min<rlim_t>(static_cast<rlim_t>(10 * us), limit.rlim_max);
  ::setrlimit(RLIMIT_RTTIME, &limit);
}

void flush_denormals() noexcept {
#if defined(__x86_64__)
  constexpr unsigned flush_to_zero = 0x8000;
  constexpr unsigned denormals_are_zero = 0x0040;
  _mm_setcsr(_mm_getcsr() | flush_to_zero | denormals_are_zero);
#elif defined(__aarch64__)
  std::uint64_t control = 0;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  asm volatile("msr fpcr, %0" ::"r"(control | std::uint64_t{1} << 24));
#endif
}

}  // namespace hotspare::os
