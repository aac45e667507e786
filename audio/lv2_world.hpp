#pragma once

#include "lilv_ptr.hpp"

#include <string>
#include <vector>

namespace hotspare::audio {

/// What is known about the plug-ins of this machine. Reads descriptions only: no plug-in's code runs.
class Lv2World {
 public:
  /// All that is installed (LV2_PATH).
  Lv2World();
  /// These folders (file: URIs) alone; none: all.
  explicit Lv2World(const std::vector<std::string>& bundles);

  /// Null if there is no such plug-in.
  const LilvPlugin* find(const std::string& uri) const;
  /// The same; throws Error.
  const LilvPlugin& get(const std::string& uri) const;
  std::vector<const LilvPlugin*> all() const;

  LilvWorld* lilv() const { return world_.get(); }
  NodePtr uri(const char* text) const { return NodePtr(lilv_new_uri(world_.get(), text)); }

 private:
  WorldPtr world_;
};

}  // namespace hotspare::audio
