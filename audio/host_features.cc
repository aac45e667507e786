#include "host_features.hpp"

#include <lv2/atom/atom.h>
#include <lv2/buf-size/buf-size.h>
#include <lv2/parameters/parameters.h>
#include <lv2/state/state.h>
#include <lv2/urid/urid.h>
#include <lv2/worker/worker.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <utility>

namespace hotspare::audio {

namespace {

/// Offered always. Blocks all have the same length, so that they are bounded and fixed, and in a buffer of their own each
/// (nothing is processed in place). A chain may run live or offline, and never asks for less than hard real time.
/// state:makePath is missing: it asks for files that go with a saved state, and a state of ours is a text.
constexpr std::array always{LV2_URID__map,
                            LV2_URID__unmap,
                            LV2_OPTIONS__options,
                            LV2_LOG__log,
                            LV2_WORKER__schedule,
                            LV2_BUF_SIZE__boundedBlockLength,
                            LV2_BUF_SIZE__fixedBlockLength,
                            LV2_BUF_SIZE_PREFIX "coarseBlockLength",
                            LV2_STATE__loadDefaultState,
                            LV2_STATE__threadSafeRestore,
                            LV2_CORE__inPlaceBroken,
                            LV2_CORE__isLive,
                            LV2_CORE__hardRTCapable};

}  // namespace

/// Only what is wrong: notes and traces of a plug-in are its author's business.
int HostFeatures::log_lines(LV2_Log_Handle handle, LV2_URID type, const char* format, va_list arguments) {
  const auto* self = static_cast<const HostFeatures*>(handle);
  if (type != self->error_ && type != self->warning_) return 0;
  std::fprintf(stderr, "%s: ", self->plugin_.c_str());
  return std::vfprintf(stderr, format, arguments);
}

int HostFeatures::log_line(LV2_Log_Handle handle, LV2_URID type, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int written = log_lines(handle, type, format, arguments);
  va_end(arguments);
  return written;
}

bool HostFeatures::offers(std::string_view uri, std::uint32_t frames) {
  if (uri == LV2_BUF_SIZE__powerOf2BlockLength) return std::has_single_bit(frames);
  return std::find(always.begin(), always.end(), uri) != always.end();
}

HostFeatures::HostFeatures(UridMap& urids, WorkQueue& work, std::string plugin, double sample_rate,
                           std::uint32_t frames, std::uint32_t sequence_bytes)
    : plugin_(std::move(plugin)),
      error_(urids.map(LV2_LOG__Error)),
      warning_(urids.map(LV2_LOG__Warning)),
      frames_(static_cast<std::int32_t>(frames)),
      sequence_bytes_(static_cast<std::int32_t>(sequence_bytes)),
      sample_rate_(static_cast<float>(sample_rate)),
      log_{this, nullptr, nullptr} {
  log_.vprintf = log_lines;
  log_.printf = log_line;
  add_options(urids);
  add(LV2_URID__map, urids.map_feature());
  add(LV2_URID__unmap, urids.unmap_feature());
  add(LV2_OPTIONS__options, options_.data());
  add(LV2_LOG__log, &log_);
  add(LV2_WORKER__schedule, work.feature());
  for (const char* each : always)
    if (std::none_of(features_.begin(), features_.end(), [&](const LV2_Feature& have) { return have.URI == each; }))
      add(each);
  if (offers(LV2_BUF_SIZE__powerOf2BlockLength, frames)) add(LV2_BUF_SIZE__powerOf2BlockLength);
  for (const LV2_Feature& feature : features_) list_.push_back(&feature);
  list_.push_back(nullptr);
}

void HostFeatures::add(const char* uri, void* data) { features_.push_back({uri, data}); }

void HostFeatures::add_options(UridMap& urids) {
  const LV2_URID integer = urids.map(LV2_ATOM__Int);
  const auto option = [&](const char* key, const std::int32_t& value) {
    return LV2_Options_Option{LV2_OPTIONS_INSTANCE, 0, urids.map(key), sizeof value, integer, &value};
  };
  options_ = {option(LV2_BUF_SIZE__minBlockLength, frames_),
              option(LV2_BUF_SIZE__maxBlockLength, frames_),
              option(LV2_BUF_SIZE__nominalBlockLength, frames_),
              option(LV2_BUF_SIZE__sequenceSize, sequence_bytes_),
              LV2_Options_Option{LV2_OPTIONS_INSTANCE, 0, urids.map(LV2_PARAMETERS__sampleRate), sizeof sample_rate_,
                                 urids.map(LV2_ATOM__Float), &sample_rate_},
              LV2_Options_Option{}};
}

}  // namespace hotspare::audio
