#include "registry/layout.hpp"

#include <algorithm>

namespace hotspare::registry {
namespace {

constexpr std::size_t longest_file_name = 255;  // NAME_MAX

/// Without blanks, so that " (deleted)" at the end of a path always is the kernel's.
bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

std::optional<HeadSeen> check(const Head& head, std::uint64_t file_size) {
  // SYNC POINT (size): with Segment::resize, so that whoever knows a size finds memory behind it.
  const HeadSeen seen{head.owner, head.created_ns, head.size.load(std::memory_order_acquire)};
  if (head.signature != magic || seen.owner.pid <= 0 || file_size < data_at || seen.size > file_size - data_at)
    return std::nullopt;
  return seen;
}

bool good_scope(std::string_view scope) {
  return !scope.empty() && scope.size() < 100 && std::all_of(scope.begin(), scope.end(), plain);
}

bool good_name(std::string_view scope, std::string_view name) {
  return !name.empty() && file_name(scope, name).size() <= longest_file_name &&
         std::all_of(name.begin(), name.end(), [](char c) { return plain(c) || c == '.'; });
}

std::string file_name(std::string_view scope, std::string_view name) {
  return std::string(file_prefix).append(scope).append(".").append(name);
}

std::optional<Names> names_of(std::string_view file) {
  if (!file.starts_with(file_prefix)) return std::nullopt;
  file.remove_prefix(file_prefix.size());
  const std::size_t dot = file.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const Names names{std::string(file.substr(0, dot)), std::string(file.substr(dot + 1))};
  if (!good_scope(names.scope) || !good_name(names.scope, names.name)) return std::nullopt;
  return names;
}

}  // namespace hotspare::registry
