#include "death/frame_text.hpp"

#include "death/demangle.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace hotspare::death {
namespace {

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_runtime(const Frame& frame) {
  constexpr std::array<std::string_view, 10> kLibraries = {
      "libc.so", "libc-", "libpthread", "libstdc++", "libc++", "libgcc_s.", "libm.so", "ld-linux", "[vdso]", "libasan"};
  // Templates of the standard library are compiled into everybody's modules.
  if (frame.file.find("/include/c++/") != std::string::npos || frame.function.starts_with("std::")) return true;
  const std::string_view file = base_name(frame.module);
  return std::any_of(kLibraries.begin(), kLibraries.end(), [&](auto library) { return file.starts_with(library); });
}

}  // namespace

std::string hex(std::uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string place(const Frame& frame) { return std::string(base_name(frame.file)) + ":" + std::to_string(frame.line); }

std::string short_text(const Frame& frame) {
  std::string text = short_name(frame.function);
  if (!frame.file.empty()) return text + " (" + place(frame) + ")";
  if (!frame.module.empty()) return text + " (" + std::string(base_name(frame.module)) + ")";
  return text;
}

std::string long_text(const Frame& frame) {
  char address[24];
  std::snprintf(address, sizeof address, "0x%016llx", static_cast<unsigned long long>(frame.address));
  std::string text = std::string(address) + " " + (frame.function.empty() ? "?" : frame.function);
  if (!frame.file.empty()) text += " at " + frame.file + ":" + std::to_string(frame.line);
  if (!frame.module.empty()) text += " in " + frame.module + "+" + hex(frame.offset);
  return text;
}

const Frame* telling_frame(const std::vector<Frame>& frames) {
  const auto named = [](const Frame& frame) { return !frame.function.empty(); };
  auto at = std::find_if(frames.begin(), frames.end(), [&](const Frame& f) { return named(f) && !is_runtime(f); });
  if (at == frames.end()) at = std::find_if(frames.begin(), frames.end(), named);
  return at == frames.end() ? nullptr : &*at;
}

}  // namespace hotspare::death
