#pragma once

#include "aligned.hpp"
#include "urid_map.hpp"

#include <lv2/atom/atom.h>
#include <lv2/atom/util.h>
#include <lv2/midi/midi.h>

#include <algorithm>
#include <cstdint>
#include <span>

namespace hotspare::audio {

/// The URIDs that event buffers need.
struct AtomUrids {
  explicit AtomUrids(UridMap& urids)
      : sequence(urids.map(LV2_ATOM__Sequence)),
        chunk(urids.map(LV2_ATOM__Chunk)),
        midi(urids.map(LV2_MIDI__MidiEvent)) {}
  LV2_URID sequence;
  LV2_URID chunk;
  LV2_URID midi;
};

/// What an event port of a plug-in is connected to: a sequence of atoms in memory of a fixed size.
class AtomBuffer {
 public:
  AtomBuffer(AtomUrids urids, std::uint32_t capacity) : urids_(urids), memory_(whole(capacity)) { clear(); }

  LV2_Atom_Sequence* sequence() { return reinterpret_cast<LV2_Atom_Sequence*>(memory_.data()); }

  /// No events: what an input is at first.
  void clear() {
    sequence()->atom = {sizeof(LV2_Atom_Sequence_Body), urids_.sequence};
    sequence()->body = {0, 0};
  }
  /// An empty room of this size: what an output must be before each run.
  void offer() { sequence()->atom = {capacity() - std::uint32_t{sizeof(LV2_Atom)}, urids_.chunk}; }

  /// False if there is no room.
  bool add_midi(std::int64_t frame, std::span<const std::byte> bytes) {
    const LV2_Atom_Event header{{frame}, {static_cast<std::uint32_t>(bytes.size()), urids_.midi}};
    const std::uint32_t at = std::uint32_t{sizeof(LV2_Atom)} + sequence()->atom.size;
    const std::uint32_t size = lv2_atom_pad_size(std::uint32_t{sizeof header} + header.body.size);
    if (bytes.size() > capacity() || at + size > capacity()) return false;
    char* const to = reinterpret_cast<char*>(memory_.data()) + at;
    std::memcpy(to, &header, sizeof header);
    if (!bytes.empty()) std::memcpy(to + sizeof header, bytes.data(), bytes.size());
    sequence()->atom.size += size;
    return true;
  }
  /// The MIDI events of a plug-in's output. What it wrote is bounded by the buffer, whatever it says.
  template <class F>
  void for_each_midi(F&& use) {
    if (sequence()->atom.type != urids_.sequence) return;
    const char* const end = reinterpret_cast<const char*>(memory_.data()) +
                            std::min<std::size_t>(capacity(), sizeof(LV2_Atom) + std::size_t{sequence()->atom.size});
    const char* at = reinterpret_cast<const char*>(memory_.data()) + sizeof(LV2_Atom_Sequence);
    while (static_cast<std::size_t>(end - at) >= sizeof(LV2_Atom_Event) && at < end) {
      const auto* event = reinterpret_cast<const LV2_Atom_Event*>(at);
      const std::size_t room = static_cast<std::size_t>(end - at) - sizeof(LV2_Atom_Event);
      if (event->body.size > room) return;
      const auto* bytes = reinterpret_cast<const std::byte*>(event + 1);
      if (event->body.type == urids_.midi) use(event->time.frames, std::span(bytes, event->body.size));
      const std::size_t step = sizeof(LV2_Atom_Event) + lv2_atom_pad_size(event->body.size);
      at += std::min(step, static_cast<std::size_t>(end - at));
    }
  }

 private:
  static std::size_t whole(std::uint32_t bytes) { return (std::size_t{bytes} + 7) / 8; }
  std::uint32_t capacity() const { return static_cast<std::uint32_t>(memory_.size() * sizeof(std::uint64_t)); }

  AtomUrids urids_;
  AlignedArray<std::uint64_t> memory_;
};

}  // namespace hotspare::audio
