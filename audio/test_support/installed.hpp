#pragma once

#include <audio/lv2_world.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace hotspare::audio::testing {

// Of Debian's x42-plugins and mda-lv2.
constexpr const char* equalizer_mono = "http://gareus.org/oss/lv2/fil4#mono";
constexpr const char* equalizer_stereo = "http://gareus.org/oss/lv2/fil4#stereo";
constexpr const char* reverb = "http://drobilla.net/plugins/mda/Ambience";                // stereo
constexpr const char* piano = "http://drobilla.net/plugins/mda/Piano";                    // MIDI to stereo
constexpr const char* transposer = "http://gareus.org/oss/lv2/midifilter#miditranspose";  // MIDI to MIDI
constexpr const char* convolver = "http://gareus.org/oss/lv2/zeroconvolv#Mono";           // with work:schedule

/// Of Debian's alsa-utils: 48 kHz, mono, 16 bit.
inline std::filesystem::path sound(const char* name = "Front_Center.wav") {
  return std::filesystem::path("/usr/share/sounds/alsa") / name;
}

inline bool has_plugin(const std::string& uri) {
  static const Lv2World world;
  return world.find(uri) != nullptr;
}

}  // namespace hotspare::audio::testing

/// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): GTEST_SKIP returns from the test itself
#define HOTSPARE_NEEDS_PLUGIN(uri)                  \
  if (!::hotspare::audio::testing::has_plugin(uri)) \
  GTEST_SKIP() << (uri) << " is not installed (Debian: x42-plugins and mda-lv2; scripts/setup installs them)"
#define HOTSPARE_NEEDS_SOUND()                                       \
  if (!std::filesystem::exists(::hotspare::audio::testing::sound())) \
  GTEST_SKIP() << ::hotspare::audio::testing::sound() << " is missing (Debian: alsa-utils)"
