#include <hotspare/chaos.hpp>

#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <system_error>

/// Chaos as one line of text, for command lines and the environment.
namespace hotspare::chaos {
namespace {

constexpr std::array<std::string_view, 6> fields{"seed", "rate", "every", "how", "attempts", "bytes"};

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

std::string list_of_ways() {
  std::string all;
  for (unsigned way = 0; way < ways; ++way) all += (way == 0 ? "" : ", ") + std::string(name(static_cast<How>(way)));
  return all;
}

/// One "name=value", and the whole that it stands in.
struct Item {
  std::string_view whole, field, value;

  [[noreturn]] void refuse(std::string_view part, const std::string& why) const {
    const auto at = static_cast<std::size_t>(part.data() - whole.data()) + 1;
    throw Error("chaos: in " + quoted(whole) + " at character " + std::to_string(at) + ": " + quoted(part) + why);
  }
};

template <class T>
bool parse(std::string_view text, T& value) {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end;
}

template <class T>
void read_whole(const Item& item, T& value) {
  if (!parse(item.value, value))
    item.refuse(item.value, " is no " + std::string(item.field) + ": that is a whole number from 0 to " +
                                std::to_string(std::numeric_limits<T>::max()));
}

void read_rate(const Item& item, double& rate) {
  if (!parse(item.value, rate) || !(rate >= 0 && rate <= 1))
    item.refuse(item.value, " is no rate: that is a number from 0 to 1, such as 0.02");
}

How read_way(const Item& item, std::string_view text) {
  for (unsigned way = 0; way < ways; ++way)
    if (text == name(static_cast<How>(way))) return static_cast<How>(way);
  item.refuse(text, " is no way to strike: those are " + list_of_ways() + ", joined by +");
}

void read_ways(const Item& item, Hows& hows) {
  hows = {};
  for (std::size_t at = 0; at <= item.value.size();) {
    const std::string_view way = item.value.substr(at, item.value.find('+', at) - at);
    hows.add(read_way(item, way));
    at += way.size() + 1;
  }
}

void read(const Item& item, Chaos& chaos) {
  if (item.field == "seed") return read_whole(item, chaos.seed);
  if (item.field == "rate") return read_rate(item, chaos.rate);
  if (item.field == "every") return read_whole(item, chaos.every);
  if (item.field == "how") return read_ways(item, chaos.how);
  if (item.field == "attempts") return read_whole(item, chaos.attempts);
  read_whole(item, chaos.bytes);
}

/// Its place in fields.
std::size_t place_of(const Item& item) {
  std::string all;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (item.field == fields[i]) return i;
    all += (i == 0 ? "" : ", ") + std::string(fields[i]);
  }
  item.refuse(item.field, " is none of " + all);
}

}  // namespace

void Chaos::check() const {
  if (!(rate >= 0 && rate <= 1)) throw Error("chaos: rate must be from 0 to 1, not " + std::to_string(rate));
  if (how.size() == 0) throw Error("chaos: how must name at least one way to strike: " + list_of_ways());
}

Chaos Chaos::from_text(std::string_view text) {
  Chaos chaos;
  std::array<bool, fields.size()> given{};
  if (text.empty()) return chaos;
  for (std::size_t at = 0; at <= text.size();) {
    const std::string_view piece = text.substr(at, text.find(',', at) - at);
    const std::size_t equals = piece.find('=');
    Item item{text, piece.substr(0, equals), {}};
    const std::size_t place = place_of(item);
    if (equals == std::string_view::npos) item.refuse(piece, " has no value: write " + std::string(piece) + "=…");
    if (std::exchange(given[place], true)) item.refuse(item.field, " is given twice");
    item.value = piece.substr(equals + 1);
    read(item, chaos);
    at += piece.size() + 1;
  }
  return chaos;
}

Chaos Chaos::from_environment(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return {};
  try {
    return from_text(text);
  } catch (const Error& error) {
    throw Error(std::string(variable) + ": " + error.what());
  }
}

std::string Chaos::text() const {
  std::string ways_text;
  for (unsigned way = 0; way < ways; ++way)
    if (how.contains(static_cast<How>(way)))
      ways_text += (ways_text.empty() ? "" : "+") + std::string(name(static_cast<How>(way)));
  std::array<char, 32> room{};
  const std::string rate_text(room.data(), std::to_chars(room.data(), room.data() + room.size(), rate).ptr);
  return "seed=" + std::to_string(seed) + ",rate=" + rate_text + ",every=" + std::to_string(every) +
         ",how=" + ways_text + ",attempts=" + std::to_string(attempts) + ",bytes=" + std::to_string(bytes);
}

}  // namespace hotspare::chaos
