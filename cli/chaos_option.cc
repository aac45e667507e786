#include "chaos_option.hpp"

#include "duration.hpp"
#include "exit_status.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <set>

namespace hotspare::cli {

namespace {

using chaos::How;

/// How::raise and How::leak end nobody: a replica that throws has answered, one that leaks goes on.
constexpr std::array deadly{How::sigkill, How::sigsegv, How::abort,          How::exit,
                            How::hang,    How::stop,    How::stack_overflow, How::memory};

[[noreturn]] void refuse(const std::string& what) { throw UsageError("--chaos: " + what); }

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string allowed_ways() {
  std::string all = "all";
  for (const How how : deadly) all += ", " + std::string(chaos::name(how));
  return all;
}

void add_way(chaos::Hows& ways, std::string_view text) {
  if (text == "segv") text = chaos::name(How::sigsegv);
  if (text == "stack") text = chaos::name(How::stack_overflow);
  bool known = false;
  for (const How how : deadly) {
    if (text != "all" && text != chaos::name(how)) continue;
    ways.add(how);
    known = true;
  }
  if (!known) refuse(quoted(text) + " is no way for a replica to end; there are " + allowed_ways());
}

void add_ways(chaos::Hows& ways, std::string_view list) {
  for (std::size_t plus = 0; plus != std::string_view::npos;) {
    plus = list.find('+');
    add_way(ways, list.substr(0, plus));
    if (plus != std::string_view::npos) list.remove_prefix(plus + 1);
  }
}

std::uint64_t parse_seed(std::string_view text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size())
    refuse("seed expects a whole number, not " + quoted(text));
  return seed;
}

/// Takes one piece after the other; a piece without "=" goes on with the list of ways.
class Reader {
 public:
  void take(std::string_view piece) {
    const std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos) {
      if (field_ != "ways") refuse(quoted(piece) + " has no \"=\"; the fields are kill-every, ways and seed");
      return add_ways(*ways_, piece);
    }
    field_ = piece.substr(0, equals);
    if (!seen_.insert(field_).second) refuse(std::string(field_) + " is given twice");
    set(piece.substr(equals + 1));
  }

  ChaosOption finish() {
    if (result_.kill_every.count() == 0) refuse("kill-every is missing, as in kill-every=50ms");
    if (ways_) result_.ways = *ways_;
    return result_;
  }

 private:
  void set(std::string_view value) {
    if (field_ == "kill-every") {
      result_.kill_every = parse_duration("--chaos: kill-every", value);
    } else if (field_ == "ways") {
      add_ways(ways_.emplace(), value);
    } else if (field_ == "seed") {
      result_.seed = parse_seed(value);
    } else {
      refuse("no field is called " + quoted(field_) + "; there are kill-every, ways and seed");
    }
  }

  ChaosOption result_;
  std::optional<chaos::Hows> ways_;
  std::string_view field_;
  std::set<std::string_view> seen_;
};

}  // namespace

ChaosOption parse_chaos(std::string_view text) {
  Reader reader;
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = text.find_first_of(",;");
    reader.take(text.substr(0, end));
    if (end != std::string_view::npos) text.remove_prefix(end + 1);
  }
  return reader.finish();
}

}  // namespace hotspare::cli
