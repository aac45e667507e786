#include "os/file.hpp"
#include "registry/decide.hpp"
#include "registry/held_file.hpp"
#include "registry/survey.hpp"

#include <algorithm>

namespace hotspare {
namespace registry {
namespace {

bool is_candidate(const Found& found, const CollectOptions& options) {
  return found.info.state == SegmentState::orphaned ||
         (options.unregistered && found.info.state == SegmentState::unregistered && found.info.users.empty());
}

/// Empty: it may go.
std::string why_kept(const Found& found, const CollectOptions& options) {
  if (found.info.state == SegmentState::orphaned)
    return may_collect(found.info.state, found.strangers) ? "" : "a process has it mapped that never registered";
  if (may_collect_unregistered(options.unregistered, !found.info.users.empty(), found.info.users_known)) return "";
  return "not all processes can be looked into, and one of these may have it; root may look into all";
}

bool remove(const Found& found) {
  if (found.info.state == SegmentState::orphaned) return remove_if_orphaned(found.info.path, found.file.inode);
  // WARNING: nobody locks these. One that is opened between the look and this keeps its memory and loses its name.
  os::Result<os::FileFacts> now = os::file_facts(found.info.path);
  return now && now->exists && now->inode == found.file.inode && os::remove_file(found.info.path);
}

}  // namespace

std::vector<CollectedObject> collect(std::vector<Found> found, const CollectOptions& options) {
  const auto relevant = [&](const Found& each) { return is_candidate(each, options); };
  std::erase_if(found, [&](const Found& each) { return !relevant(each); });
  add_users(found);
  std::erase_if(found, [&](const Found& each) { return !relevant(each); });
  if (!found.empty()) reach(CrashPoint::collect_chosen);
  std::vector<CollectedObject> result;
  for (Found& each : found) {
    CollectedObject object{each.info, false, why_kept(each, options)};
    if (object.why_not.empty()) {
      object.removed = options.dry_run || remove(each);
      if (!object.removed) continue;  // somebody took it up or removed it meanwhile
    }
    result.push_back(std::move(object));
  }
  return result;
}

}  // namespace registry

std::vector<SegmentInfo> list_shared_memory() {
  std::vector<registry::Found> found = registry::find_all();
  registry::add_users(found);
  return registry::infos_of(std::move(found));
}

std::vector<CollectedObject> collect_shared_memory(const CollectOptions& options) {
  registry::arm_crash_points();
  const bool all = options.unregistered && options.scope.empty();
  return registry::collect(all ? registry::find_all() : registry::find_registered(options.scope), options);
}

}  // namespace hotspare
