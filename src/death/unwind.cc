#include "death/unwind.hpp"

#include "death/debug_session.hpp"
#include "death/frame_text.hpp"
#include "death/symbols.hpp"
#include "os/ptrace.hpp"

#include <algorithm>
#include <map>
#include <mutex>

namespace hotspare::death {

std::vector<Frame> unwind(const detail::StackImage& image, int max_frames) {
  std::vector<Frame> frames;
  with_session(image.maps, [&](DebugSession& session) {
    for (const Pc pc : session.walk(image, static_cast<std::size_t>(std::max(max_frames, 0)))) {
      append_frames(session, pc, frames);
    }
  });
  return frames;
}

std::vector<Frame> symbolise(std::span<const std::uint64_t> return_addresses, const std::string& maps) {
  std::vector<Frame> frames;
  with_session(maps, [&](DebugSession& session) {
    for (const std::uint64_t address : return_addresses) append_frames(session, {address, true}, frames);
  });
  return frames;
}

namespace {

std::string look_up(std::uint64_t address) {
  auto maps = os::maps_of(0);
  std::vector<Frame> frames;
  with_session(maps ? maps->executable : "", [&](DebugSession& session) {
    append_frames(session, {address, false}, frames);
  });
  const Frame& frame = frames.back();  // not what happens to be inlined at its first byte
  if (frame.function.empty()) return hex(address);
  return frame.file.empty() ? frame.function : frame.function + " (" + place(frame) + ")";
}

}  // namespace

std::string describe_address(const void* host_address) {
  struct Known {
    std::mutex mutex;
    std::map<const void*, std::string> names;
  };
  static Known& known = *new Known;  // never destroyed, as the session cache
  const std::lock_guard lock(known.mutex);
  const auto at = known.names.find(host_address);
  if (at != known.names.end()) return at->second;
  return known.names[host_address] = look_up(reinterpret_cast<std::uintptr_t>(host_address));
}

}  // namespace hotspare::death
