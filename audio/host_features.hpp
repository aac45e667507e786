#pragma once

#include "urid_map.hpp"
#include "work_queue.hpp"

#include <lv2/core/lv2.h>
#include <lv2/log/log.h>
#include <lv2/options/options.h>

#include <array>
#include <cstdarg>
#include <string>
#include <string_view>
#include <vector>

namespace hotspare::audio {

/// What this host offers to one instance of a plug-in. Must live as long as that.
class HostFeatures {
 public:
  /// plugin: its URI, for what it logs. sequence_bytes: what its smallest event port holds.
  HostFeatures(UridMap& urids, WorkQueue& work, std::string plugin, double sample_rate, std::uint32_t frames,
               std::uint32_t sequence_bytes);
  HostFeatures(const HostFeatures&) = delete;
  HostFeatures& operator=(const HostFeatures&) = delete;

  const LV2_Feature* const* list() const { return list_.data(); }

  /// May a plug-in require this?
  static bool offers(std::string_view uri, std::uint32_t frames);

 private:
  static int log_lines(LV2_Log_Handle handle, LV2_URID type, const char* format, va_list arguments);
  static int log_line(LV2_Log_Handle handle, LV2_URID type, const char* format, ...);
  void add(const char* uri, void* data = nullptr);
  void add_options(UridMap& urids);

  std::string plugin_;
  LV2_URID error_;
  LV2_URID warning_;
  std::int32_t frames_;
  std::int32_t sequence_bytes_;
  float sample_rate_;
  std::array<LV2_Options_Option, 6> options_{};
  LV2_Log_Log log_;
  std::vector<LV2_Feature> features_;
  std::vector<const LV2_Feature*> list_;
};

}  // namespace hotspare::audio
