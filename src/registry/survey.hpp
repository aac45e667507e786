#pragma once

#include "os/files_in_use.hpp"

#include <hotspare/segment_info.hpp>

#include <optional>
#include <string>
#include <vector>

/// What lies in /dev/shm, and who has it.
namespace hotspare::registry {

struct Found {
  SegmentInfo info;
  os::FileId file;
  bool strangers = false;  ///< Processes map it that never registered, if it is orphaned. Known after add_users.
};

/// One object, without its users; nothing: there is none of that name.
std::optional<Found> look_at(const std::string& file);
/// Those of a scope; empty: of all.
std::vector<Found> find_registered(const std::string& scope);
/// Also what nobody registered.
std::vector<Found> find_all();
/// Looks into all processes, if there is anything to look for.
void add_users(std::vector<Found>& found);
std::vector<SegmentInfo> infos_of(std::vector<Found> found);

std::vector<CollectedObject> collect(std::vector<Found> found, const CollectOptions& options);

}  // namespace hotspare::registry
