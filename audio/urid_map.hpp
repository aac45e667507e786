#pragma once

#include <lv2/urid/urid.h>

#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>

namespace hotspare::audio {

/// Numbers for URIs (urid:map, urid:unmap), 1 upwards in the order in which they are asked for: replicas that do the same
/// get the same numbers. Threads: any; plug-ins ask from threads of their own.
/// A number that is asked for the first time costs an allocation: plug-ins must not do that within run(), and those that do
/// take the lock, too.
class UridMap {
 public:
  UridMap();
  UridMap(const UridMap&) = delete;
  UridMap& operator=(const UridMap&) = delete;

  LV2_URID map(const char* uri);
  /// Null for a number that was never given.
  const char* unmap(LV2_URID urid) const;

  LV2_URID_Map* map_feature() { return &map_; }
  LV2_URID_Unmap* unmap_feature() { return &unmap_; }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, LV2_URID> numbers_;
  std::deque<std::string> uris_;  // a deque: what unmap gave stays where it is
  LV2_URID_Map map_;
  LV2_URID_Unmap unmap_;
};

}  // namespace hotspare::audio
