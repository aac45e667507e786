#include "urid_map.hpp"

namespace hotspare::audio {

UridMap::UridMap()
    : map_{this, [](void* self, const char* uri) { return static_cast<UridMap*>(self)->map(uri); }},
      unmap_{this, [](void* self, LV2_URID urid) { return static_cast<const UridMap*>(self)->unmap(urid); }} {}

LV2_URID UridMap::map(const char* uri) {
  const std::lock_guard lock(mutex_);
  const auto [place, fresh] = numbers_.try_emplace(uri, static_cast<LV2_URID>(uris_.size() + 1));
  if (fresh) uris_.emplace_back(uri);
  return place->second;
}

const char* UridMap::unmap(LV2_URID urid) const {
  const std::lock_guard lock(mutex_);
  return urid == 0 || urid > uris_.size() ? nullptr : uris_[urid - 1].c_str();
}

}  // namespace hotspare::audio
