#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

/// MIDI in a block: how many bytes are used (uint32), then that many of events, each its frame (uint32), its size
/// (uint32) and its bytes, filled up to four. Bounded: what has no room is dropped, and the writer says so.
namespace hotspare::audio {

struct MidiEvent {
  std::uint32_t frame = 0;
  std::span<const std::byte> bytes;
};

class MidiWriter {
 public:
  /// Empties the area.
  explicit MidiWriter(std::span<std::byte> area);
  /// False if there is no room for it. Events in the order of their frames.
  bool add(std::uint32_t frame, std::span<const std::byte> bytes);

 private:
  std::span<std::byte> area_;
  std::uint32_t used_ = 0;
};

/// WARNING: the area may come from a process that has gone mad: what does not fit ends the list.
class MidiReader {
 public:
  explicit MidiReader(std::span<const std::byte> area);
  std::optional<MidiEvent> next();

 private:
  std::span<const std::byte> rest_;
};

}  // namespace hotspare::audio
