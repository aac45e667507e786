#include "death/module_map.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace hotspare::death {
namespace {

constexpr std::size_t kMostLines = 4096;

bool read_hex(std::string_view& text, std::uint64_t& value, char then) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value, 16);
  if (error != std::errc{} || at == end || *at != then) return false;
  text.remove_prefix(static_cast<std::size_t>(at - text.data()) + 1);
  return true;
}

/// "start-end perms offset device inode      path"
std::optional<MappedCode> parse_line(std::string_view line) {
  MappedCode code;
  if (!read_hex(line, code.start, '-') || !read_hex(line, code.end, ' ')) return std::nullopt;
  if (line.size() < 5 || line[2] != 'x' || line[4] != ' ') return std::nullopt;
  line.remove_prefix(5);
  if (!read_hex(line, code.offset, ' ') || code.start >= code.end) return std::nullopt;
  const std::size_t inode = line.find(' ');
  if (inode == std::string_view::npos) return std::nullopt;
  const std::size_t gap = line.find(' ', inode + 1);
  const std::size_t path = gap == std::string_view::npos ? gap : line.find_first_not_of(' ', gap);
  if (path != std::string_view::npos) code.path = line.substr(path);
  if (code.path.find('\0') != std::string::npos) return std::nullopt;
  return code;
}

}  // namespace

std::vector<MappedCode> parse_maps(std::string_view text) {
  std::vector<MappedCode> map;
  while (!text.empty() && map.size() < kMostLines) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    auto code = parse_line(text.substr(0, end));
    if (code && (map.empty() || map.back().end <= code->start)) map.push_back(std::move(*code));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return map;
}

const MappedCode* find_code(const std::vector<MappedCode>& map, std::uint64_t address) {
  const auto after = std::upper_bound(map.begin(), map.end(), address,
                                      [](std::uint64_t a, const MappedCode& code) { return a < code.start; });
  if (after == map.begin() || address >= std::prev(after)->end) return nullptr;
  return &*std::prev(after);
}

}  // namespace hotspare::death
