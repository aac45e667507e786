#include "os/event_loop.hpp"

#include "os/clock.hpp"

#include <array>
#include <cerrno>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/// Where the kernel refuses a call on what a number that is not ours any more means (epoll_ctl on no epoll or for what was not
/// added, timerfd_settime on no timer) it is not asked before: whose file it is.
namespace hotspare::os {
namespace {

Status add(const Fd& poller, const Fd& fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (!fd.is_ours()) return Failure{EBADF, "epoll_ctl()"};
  if (::epoll_ctl(poller.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) return failed("epoll_ctl(EPOLL_CTL_ADD)");
  return Done{};
}

void drain(const Fd& fd) noexcept {
  if (!fd.is_ours()) return;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto ignored = ::read(fd.get(), &count, sizeof count);  // EAGAIN: nothing to drain
}

}  // namespace

Result<Poller> Poller::make() {
  Fd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd) return failed("epoll_create1()");
  return Poller(std::move(fd));
}

Status Poller::watch(const Fd& fd, std::uint64_t tag) { return add(fd_, fd, EPOLLIN, tag); }
Status Poller::watch_hang_up(const Fd& fd, std::uint64_t tag) { return add(fd_, fd, 0, tag); }
Status Poller::watch_room(const Fd& fd, std::uint64_t tag, bool wanted) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (wanted) event.events |= EPOLLOUT;
  event.data.u64 = tag;
  if (::epoll_ctl(fd_.get(), EPOLL_CTL_MOD, fd.get(), &event) != 0) return failed("epoll_ctl(EPOLL_CTL_MOD)");
  return Done{};
}
void Poller::forget(const Fd& fd) noexcept { ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd.get(), nullptr); }

Result<Notices> Poller::wait() {
  std::array<epoll_event, Notices::most> events;
  if (!fd_.is_ours()) return Failure{EBADF, "epoll_wait()"};
  int before = PTHREAD_CANCEL_ENABLE;
  ::pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
  const int count = retry([&] { return ::epoll_wait(fd_.get(), events.data(), static_cast<int>(events.size()), -1); });
  ::pthread_setcancelstate(before, nullptr);
  if (count < 0) return failed("epoll_wait()");
  Notices ready;
  for (int i = 0; i < count; ++i) {
    const std::uint32_t bits = events[static_cast<std::size_t>(i)].events;
    ready.add({.tag = events[static_cast<std::size_t>(i)].data.u64,
               .readable = (bits & EPOLLIN) != 0,
               .hung_up = (bits & (EPOLLHUP | EPOLLERR)) != 0});
  }
  return ready;
}

Result<Notifier> Notifier::make() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return failed("eventfd()");
  return Notifier(std::move(fd));
}

bool Notifier::notify() noexcept {
  if (!fd_.is_ours()) return false;  // eight bytes into a file of the program's own
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto ignored = ::write(fd_.get(), &one, sizeof one);  // EAGAIN: it is already set
  return true;
}

void Notifier::clear() noexcept { drain(fd_); }

Result<Timer> Timer::make() {
  Fd fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd) return failed("timerfd_create()");
  return Timer(std::move(fd));
}

bool Timer::arm(std::int64_t at_ns) noexcept {
  itimerspec when{};
  when.it_value = to_timespec(at_ns);
  return ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &when, nullptr) == 0;
}

void Timer::clear() noexcept { drain(fd_); }

}  // namespace hotspare::os
