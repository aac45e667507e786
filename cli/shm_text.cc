#include "printable.hpp"
#include "shm.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace hotspare::cli {
namespace {

using Kind = SharedMemoryEvent::Kind;
using Row = std::array<std::string, 6>;

std::string process_text(int pid, const CommandOf& command) {
  const std::string name = command(pid);
  return std::to_string(pid) + (name.empty() ? "" : " " + printable(name));
}

const char* owner_state_text(OwnerState state) {
  switch (state) {
    case OwnerState::lives: return "lives";
    case OwnerState::ended: return "ended";
    case OwnerState::unknown: break;
  }
  return "unknown";
}

/// The number of an owner that has ended may be another's by now: its program's name is not asked for.
std::string owner_text(const SegmentInfo& info, const CommandOf& command) {
  if (info.owner == 0) return "-";
  if (info.owner_state == OwnerState::lives) return process_text(info.owner, command);
  return std::to_string(info.owner) + " (" + owner_state_text(info.owner_state) + ")";
}

std::string users_text(const SegmentInfo& info) {
  std::string text;
  for (const int user : info.users) text += (text.empty() ? "" : ",") + std::to_string(user);
  // Of a segment the lock tells whether it is used, by whomever.
  if (!info.users_known && info.state == SegmentState::unregistered) text += text.empty() ? "?" : ",?";
  return text.empty() ? "-" : text;
}

const char* kind_text(Kind kind) {
  switch (kind) {
    case Kind::appeared: return "appeared";
    case Kind::removed: return "removed";
    case Kind::renamed: return "renamed";
    case Kind::owner_ended: return "owner ended";
    case Kind::orphaned: return "orphaned";
    case Kind::events_lost: break;
  }
  return "events were lost, there were too many at once";
}

std::string file_of(const std::string& path) { return printable(path.substr(path.rfind('/') + 1)); }

}  // namespace

std::string size_text(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text.data();
}

std::string age_text(std::chrono::system_clock::duration age) {
  const auto seconds = std::max<long long>(0, std::chrono::duration_cast<std::chrono::seconds>(age).count());
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 2 * 3600) return std::to_string(seconds / 60) + " min";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86400) + " d";
}

std::string state_text(const SegmentInfo& info) {
  switch (info.state) {
    case SegmentState::used: return "used";
    case SegmentState::orphaned: return "orphaned";
    case SegmentState::damaged: return "damaged";
    case SegmentState::unregistered: break;
  }
  if (!info.users.empty()) return "unregistered, in use";
  return info.users_known ? "unregistered, unused" : "unregistered";
}

std::string table_of(const std::vector<SegmentInfo>& all, const CommandOf& command, Now now) {
  std::vector<Row> rows{{"NAME", "SIZE", "OWNER", "USERS", "AGE", "STATE"}};
  for (const SegmentInfo& info : all)
    rows.push_back({file_of(info.path), size_text(info.bytes), owner_text(info, command), users_text(info),
                    age_text(now - info.created), state_text(info)});
  std::array<std::size_t, 6> widths{};
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) text += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    text += row.back() + "\n";
  }
  return text;
}

std::string json_of(const std::vector<SegmentInfo>& all, const CommandOf& command) {
  nlohmann::json array = nlohmann::json::array();
  for (const SegmentInfo& info : all) {
    nlohmann::json each{{"path", info.path},
                        {"bytes", info.bytes},
                        {"state", state_text(info)},
                        {"users", info.users},
                        {"users_known", info.users_known},
                        {"created", std::chrono::duration<double>(info.created.time_since_epoch()).count()}};
    if (!info.scope.empty()) each["scope"] = info.scope;
    if (!info.name.empty()) each["name"] = info.name;
    if (info.owner != 0) {
      each["owner"] = {
          {"pid", info.owner}, {"started", info.owner_started}, {"state", owner_state_text(info.owner_state)}};
      if (info.owner_state == OwnerState::lives) each["owner"]["command"] = command(info.owner);
    }
    array.push_back(std::move(each));
  }
  // A name of a file or program may be no UTF-8.
  return array.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string line_of(const SharedMemoryEvent& event, const CommandOf& command) {
  std::string line = kind_text(event.kind);
  if (event.kind == Kind::events_lost) return line;
  line += ": " + file_of(event.object.path);
  if (event.kind == Kind::renamed) line += " to " + file_of(event.new_path);
  if (event.kind == Kind::appeared) line += ", " + size_text(event.object.bytes) + ", " + state_text(event.object);
  if (event.object.owner != 0) line += ", owner " + owner_text(event.object, command);
  return line;
}

}  // namespace hotspare::cli
