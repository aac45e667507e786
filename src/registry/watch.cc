#include "os/event_loop.hpp"
#include "os/folder_watch.hpp"
#include "os/process.hpp"
#include "registry/errors.hpp"
#include "registry/held_file.hpp"
#include "registry/survey.hpp"

#include <map>

namespace hotspare {

using Kind = SharedMemoryEvent::Kind;

struct SharedMemoryWatch::State {
  static constexpr std::uint64_t folder_tag = 0;  // no process has this number

  State()
      : folder(registry::or_refused(os::FolderWatch::make(os::shared_memory_folder), "/dev/shm cannot be watched")),
        poller(registry::or_refused(os::Poller::make(), "/dev/shm cannot be watched")) {
    registry::or_refused(poller.watch(folder.fd(), folder_tag), "/dev/shm cannot be watched");
    look_at_all();
  }

  void look_at_all();
  void watch_process(int pid);
  void watch_users(SegmentInfo& info);
  void tell(const os::FolderEvent& event);
  void appeared(const std::string& file);
  void process_ended(int pid);
  void check_orphaned(SegmentInfo& info);

  os::FolderWatch folder;
  os::Poller poller;
  std::map<std::string, SegmentInfo> known;  ///< By file name.
  std::map<int, os::Fd> processes;           ///< Those that have something.
  std::vector<SharedMemoryEvent> events;
};

namespace {
std::string file_of(const SegmentInfo& info) { return info.path.substr(info.path.rfind('/') + 1); }
}  // namespace

void SharedMemoryWatch::State::look_at_all() {
  known.clear();
  for (SegmentInfo& info : list_shared_memory()) {
    if (info.owner_state == OwnerState::lives) watch_process(info.owner);
    if (info.state == SegmentState::used)
      for (const int user : info.users) watch_process(user);
    known[file_of(info)] = std::move(info);
  }
}

void SharedMemoryWatch::State::watch_process(int pid) {
  if (processes.contains(pid)) return;
  os::Result<os::Fd> pidfd = os::open_pidfd(pid);
  if (pidfd && poller.watch(*pidfd, static_cast<std::uint64_t>(pid))) processes.emplace(pid, std::move(*pidfd));
}

void SharedMemoryWatch::State::watch_users(SegmentInfo& info) {
  std::vector<registry::Found> found;
  if (auto now = registry::look_at(file_of(info))) found.push_back(std::move(*now));
  registry::add_users(found);
  for (const registry::Found& each : found) {
    info.users = each.info.users;
    for (const int user : info.users) watch_process(user);
  }
}

void SharedMemoryWatch::State::appeared(const std::string& file) {
  SegmentInfo info;
  info.path = registry::path_in_folder(file);
  if (auto found = registry::look_at(file)) info = found->info;
  if (info.owner_state == OwnerState::lives) watch_process(info.owner);
  known[file] = info;
  events.push_back({Kind::appeared, info, {}});
  // Its owner may have died before its pidfd was there, and would never be told of.
  if (info.state == SegmentState::orphaned || (info.owner != 0 && !processes.contains(info.owner)))
    check_orphaned(known[file]);
}

void SharedMemoryWatch::State::check_orphaned(SegmentInfo& info) {
  const auto now = registry::look_at(file_of(info));
  if (!now) return;  // its removal comes as an event of its own
  if (now->info.state == SegmentState::orphaned) {
    info.state = SegmentState::orphaned;
    info.users.clear();
    events.push_back({Kind::orphaned, info, {}});
  } else if (now->info.state == SegmentState::used) {
    info.state = SegmentState::used;
    watch_users(info);
  }
}

void SharedMemoryWatch::State::process_ended(int pid) {
  if (const auto process = processes.find(pid); process != processes.end()) {
    poller.forget(process->second);
    processes.erase(process);
  }
  for (auto& [file, info] : known) {
    if (info.owner == pid && info.owner_state == OwnerState::lives) {
      info.owner_state = OwnerState::ended;
      events.push_back({Kind::owner_ended, info, {}});
    }
    if (info.state == SegmentState::used && info.owner_state != OwnerState::lives) check_orphaned(info);
  }
}

void SharedMemoryWatch::State::tell(const os::FolderEvent& event) {
  const auto at = known.find(event.name);
  SegmentInfo info;
  info.path = registry::path_in_folder(event.name);
  if (at != known.end()) info = at->second;
  switch (event.change) {
    case os::FolderChange::appeared: return appeared(event.name);
    case os::FolderChange::vanished: known.erase(event.name); return events.push_back({Kind::removed, info, {}});
    case os::FolderChange::renamed: {
      const std::string new_path = registry::path_in_folder(event.new_name);
      events.push_back({Kind::renamed, info, new_path});
      known.erase(event.name);
      if (auto now = registry::look_at(event.new_name)) known[event.new_name] = now->info;
      return;
    }
    case os::FolderChange::closed:
      if (at != known.end() && info.state == SegmentState::used && info.owner_state != OwnerState::lives)
        check_orphaned(at->second);
      return;
    case os::FolderChange::overflowed: look_at_all(); return events.push_back({Kind::events_lost, {}, {}});
  }
}

SharedMemoryWatch::SharedMemoryWatch() : state_(std::make_unique<State>()) {}
SharedMemoryWatch::~SharedMemoryWatch() = default;

std::vector<SharedMemoryEvent> SharedMemoryWatch::next() {
  State& state = *state_;
  while (state.events.empty()) {
    const auto notices = os::or_throw(state.poller.wait(), "shared memory cannot be watched any more");
    for (const os::Ready& ready : notices) {
      // What happened to names first: a process that has ended may have done something before.
      for (const os::FolderEvent& event : state.folder.take()) state.tell(event);
      if (ready.tag != State::folder_tag) state.process_ended(static_cast<int>(ready.tag));
    }
  }
  return std::exchange(state.events, {});
}

}  // namespace hotspare
