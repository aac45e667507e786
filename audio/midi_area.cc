#include "midi_area.hpp"

#include <algorithm>
#include <cstring>

namespace hotspare::audio {

namespace {

struct EventHeader {
  std::uint32_t frame;
  std::uint32_t size;
};

constexpr std::size_t filled_up(std::size_t size) { return (size + 3) / 4 * 4; }

void write_used(std::span<std::byte> area, std::uint32_t used) {
  if (area.size() >= sizeof used) std::memcpy(area.data(), &used, sizeof used);
}

}  // namespace

MidiWriter::MidiWriter(std::span<std::byte> area) : area_(area) { write_used(area_, 0); }

bool MidiWriter::add(std::uint32_t frame, std::span<const std::byte> bytes) {
  const std::size_t at = sizeof used_ + used_;
  const std::size_t size = sizeof(EventHeader) + filled_up(bytes.size());
  if (bytes.size() > area_.size() || at + size > area_.size()) return false;
  const EventHeader header{frame, static_cast<std::uint32_t>(bytes.size())};
  std::memcpy(&area_[at], &header, sizeof header);
  if (!bytes.empty()) std::memcpy(&area_[at] + sizeof header, bytes.data(), bytes.size());
  used_ += static_cast<std::uint32_t>(size);
  write_used(area_, used_);
  return true;
}

MidiReader::MidiReader(std::span<const std::byte> area) {
  std::uint32_t used = 0;
  if (area.size() < sizeof used) return;
  std::memcpy(&used, area.data(), sizeof used);
  rest_ = area.subspan(sizeof used);
  rest_ = rest_.first(std::min<std::size_t>(used, rest_.size()));
}

std::optional<MidiEvent> MidiReader::next() {
  EventHeader header{};
  if (rest_.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, rest_.data(), sizeof header);
  rest_ = rest_.subspan(sizeof header);
  if (header.size > rest_.size()) return rest_ = {}, std::nullopt;
  const MidiEvent event{header.frame, rest_.first(header.size)};
  rest_ = rest_.subspan(std::min(filled_up(header.size), rest_.size()));
  return event;
}

}  // namespace hotspare::audio
