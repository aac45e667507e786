#include "registry/survey.hpp"

#include "os/file.hpp"
#include "os/process_identity.hpp"
#include "registry/decide.hpp"
#include "registry/held_file.hpp"

#include <algorithm>
#include <cerrno>

namespace hotspare::registry {
namespace {

OwnerState owner_state_of(os::Life life) {
  switch (life) {
    case os::Life::lives: return OwnerState::lives;
    case os::Life::ended: return OwnerState::ended;
    case os::Life::unknown: break;
  }
  return OwnerState::unknown;
}

std::chrono::system_clock::time_point time_point_of(std::int64_t ns) {
  return std::chrono::system_clock::time_point(std::chrono::nanoseconds(ns));
}

void add_registration(const os::Fd& fd, SegmentInfo& info) {
  const std::optional<HeadSeen> head = read_head(fd);
  os::Result<os::Locked> locked = os::locked_by_others(fd);
  if (!head || !locked) return;
  info.bytes = head->size;
  info.state = state_of(*locked);
  info.owner = head->owner.pid;
  info.owner_started = head->owner.started;
  info.owner_state = owner_state_of(os::life_of(head->owner));
  info.created = time_point_of(head->created_ns);
}

template <class Wanted>
std::vector<Found> find_those(Wanted wanted) {
  std::vector<Found> found;
  os::Result<std::vector<std::string>> names = os::names_in(os::shared_memory_folder);
  if (!names) return found;
  std::sort(names->begin(), names->end());
  for (const std::string& file : *names) {
    if (!wanted(names_of(file))) continue;
    if (std::optional<Found> each = look_at(file)) found.push_back(std::move(*each));
  }
  return found;
}

void add_all(const std::map<os::FileId, std::set<pid_t>>& seen, const os::FileId& file, std::set<pid_t>& users) {
  if (const auto at = seen.find(file); at != seen.end()) users.insert(at->second.begin(), at->second.end());
}

}  // namespace

std::optional<Found> look_at(const std::string& file) {
  Found found;
  found.info.path = path_in_folder(file);
  os::Result<os::FileFacts> facts = os::file_facts(found.info.path);
  if (!facts || !facts->exists || !facts->regular) return std::nullopt;
  found.info.bytes = facts->size;
  found.info.created = time_point_of(facts->changed_ns);
  found.file = {facts->device, facts->inode};
  const std::optional<Names> names = names_of(file);
  if (!names) {
    found.info.state = SegmentState::unregistered;
    return found;
  }
  found.info.scope = names->scope;
  found.info.name = names->name;
  os::Result<os::Fd> fd = os::open_shared_file(found.info.path, os::Access::read);
  if (!fd) return fd.failure().code == ENOENT ? std::nullopt : std::optional(std::move(found));
  os::Result<os::FileFacts> opened = os::file_facts(*fd);
  if (!opened) return std::nullopt;
  found.file = {opened->device, opened->inode};
  add_registration(*fd, found.info);
  return found;
}

std::vector<Found> find_registered(const std::string& scope) {
  return find_those([&](const auto& names) { return names && (scope.empty() || names->scope == scope); });
}

std::vector<Found> find_all() {
  return find_those([](const auto&) { return true; });
}

void add_users(std::vector<Found>& found) {
  if (found.empty()) return;
  const os::FilesInUse use = os::files_in_use(found.front().file.device);
  for (Found& each : found) {
    std::set<pid_t> users;
    add_all(use.mapped, each.file, users);
    each.strangers = each.info.state == SegmentState::orphaned && !users.empty();
    add_all(use.open, each.file, users);
    each.info.users.assign(users.begin(), users.end());
    each.info.users_known = use.unseen.empty();
  }
}

std::vector<SegmentInfo> infos_of(std::vector<Found> found) {
  std::vector<SegmentInfo> infos;
  for (Found& each : found) infos.push_back(std::move(each.info));
  return infos;
}

}  // namespace hotspare::registry
