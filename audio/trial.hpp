#pragma once

#include <hotspare/serialize.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace hotspare::audio {

/// A plug-in to be tried out, and with what.
struct Trial {
  std::string uri;
  std::string sound;  ///< File that goes through it, again and again; empty: noise.
  double seconds = 10;
  double sample_rate = 48000;  ///< Hz, of noise; a file has its own.
  std::uint32_t frames = 128;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(uri, sound, seconds, sample_rate, frames);
  }
};

/// How it went, if the process lived to tell.
struct TrialResult {
  std::vector<std::string> refused;  ///< Why it was not tried; empty: it was.
  double median_us = 0;              ///< Processor time per block of the thread that runs it,
  double p99_us = 0;
  double max_us = 0;
  std::uint64_t blocks = 0;
  std::uint32_t threads = 0;        ///< That it started and that still run.
  std::int64_t resident_bytes = 0;  ///< That this process holds more than before, the plug-in's code included.
  std::uint64_t sound = 0;          ///< Hash of all that came out.
  bool same_again = false;          ///< A second instance in the same process gave the same.
  bool finite = true;               ///< No sample was infinite or no number.
  bool silent = true;               ///< Every sample was 0.

  template <class Archive>
  void serialize(Archive& archive) {
    archive(refused, median_us, p99_us, max_us, blocks, threads, resident_bytes, sound, same_again, finite, silent);
  }
};

/// Builds a chain of the plug-in alone, sends the sound through, and notes with MIDI if it takes that; then once more, with
/// another chain, while the first is still there. Prints each stage on stderr ("stage: …"), so that a report of its death
/// says where it was. Throws Error. WARNING: runs the plug-in's code here: call it in a process that may die.
TrialResult try_plugin(const Trial& trial);

}  // namespace hotspare::audio
