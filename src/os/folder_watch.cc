#include "os/folder_watch.hpp"

#include "os/clock.hpp"

#include <algorithm>
#include <cstring>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

/// A rename comes as two events with one cookie, the old name first.
struct Departure {
  std::uint32_t cookie = 0;
  std::size_t at = 0;
};

void add(const inotify_event& event, const char* name, Departure& last, std::vector<FolderEvent>& events) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    events.push_back({FolderChange::overflowed, {}, {}});
  } else if ((event.mask & IN_MOVED_FROM) != 0) {
    last = {event.cookie, events.size()};
    events.push_back({FolderChange::vanished, name, {}});
  } else if ((event.mask & IN_MOVED_TO) != 0 && last.cookie == event.cookie && last.at < events.size()) {
    events[last.at].change = FolderChange::renamed;
    events[last.at].new_name = name;
  } else if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
    events.push_back({FolderChange::appeared, name, {}});
  } else if ((event.mask & IN_DELETE) != 0) {
    events.push_back({FolderChange::vanished, name, {}});
  } else if ((event.mask & IN_CLOSE_WRITE) != 0) {
    events.push_back({FolderChange::closed, name, {}});
  }
}

}  // namespace

Result<FolderWatch> FolderWatch::make(const std::string& folder) {
  Fd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return failed("inotify_init1()");
  constexpr std::uint32_t events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR;
  if (::inotify_add_watch(fd.get(), folder.c_str(), events) < 0) return failed("inotify_add_watch(\"" + folder + "\")");
  return FolderWatch(std::move(fd));
}

void FolderWatch::wait(std::int64_t deadline_ns) noexcept {
  pollfd state{fd_.get(), POLLIN, 0};
  const timespec left = to_timespec(std::max<std::int64_t>(0, deadline_ns - monotonic_ns()));
  ::ppoll(&state, 1, deadline_ns < 0 ? nullptr : &left, nullptr);
}

std::vector<FolderEvent> FolderWatch::take() {
  std::vector<FolderEvent> events;
  Departure last;
  alignas(inotify_event) char room[16 * 1024];
  for (;;) {
    const ssize_t got = retry([&] { return ::read(fd_.get(), room, sizeof room); });
    if (got <= 0) return events;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, room + at, sizeof event);
      add(event, event.len > 0 ? room + at + sizeof event : "", last, events);
      at += sizeof event + event.len;
    }
  }
}

}  // namespace hotspare::os
