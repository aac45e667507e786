#include "printable.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace hotspare::cli {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  ///< 0: these bytes are no UTF-8.
};

/// The first one. Overlong forms and surrogates are no UTF-8.
Character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t code = lead & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {code, size};
}

bool deceives(std::uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
  const bool direction =
      code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return control || direction || code == '\\';
}

std::string written(std::string_view text, bool lines) {
  std::string all;
  while (!text.empty()) {
    const Character next = first_of(text);
    const std::size_t size = next.bytes == 0 ? 1 : next.bytes;
    if (next.bytes != 0 && (!deceives(next.code) || (lines && (next.code == '\n' || next.code == '\\')))) {
      all += text.substr(0, size);
    } else if (next.bytes == 1 && next.code == '\\') {
      all += "\\\\";
    } else {
      for (const char each : text.substr(0, size)) {
        std::array<char, 8> code;
        std::snprintf(code.data(), code.size(), "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(each)));
        all += code.data();
      }
    }
    text.remove_prefix(size);
  }
  return all;
}

}  // namespace

std::string printable(std::string_view text) { return written(text, false); }
std::string printable_lines(std::string_view text) { return written(text, true); }

}  // namespace hotspare::cli
