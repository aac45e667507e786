#include "options.hpp"

#include <charconv>
#include <cstddef>
#include <string_view>

namespace transit {

const char* const help_text = R"(transit_search [options] [files or folders...]

Searches light curves (Kepler, K2 and TESS FITS files; CSV and text tables) for transiting planets by Box Least
Squares, split over bands of trial periods that run in a pool of processes, while a saboteur kills workers in every
way. Files of one star are merged. Without inputs it takes the light curves that came with the build, or those of
the folder that HOTSPARE_LIGHT_CURVES names (EPIC*.csv).

  --workers N        processes that search at the same time (default: CPUs of this process)
  --spares N         warm processes kept beside them (1)
  --start fork|exec  how workers begin: as forks of this process, or started afresh (fork)
  --bands N          tasks a star is cut into (96)
  --kills N          tasks per star whose worker is killed at its first try (12: each way once)
  --no-sabotage      kill nothing
  --seed N           for the choice of tasks to be killed (1)
  --chaos TEXT       let hotspare::chaos strike instead, as in HOTSPARE_CHAOS: "every=8,how=sigkill+hang". The key of a
                     task is the number of its band, from 0. docs/chaos.md has the fields and ways
  --journal FILE     keep each finished band in FILE: what is killed in the middle can be resumed
  --resume           go on with the FILE of --journal if it is there: bands that it has are not run again
  --log FILE         with --journal: add a line to FILE for each band that begins, in its worker, and each that is given
  --timeout SECONDS  for one try of a band (300; with --journal 2 if some are to hang)
  --min-period DAYS  shortest trial period (0.5; at least 0.2)
  --max-period DAYS  longest trial period (a third of the time observed, at most 50)
  --oversampling X   trials within the width of a peak (5)
  --no-serial-check  do not compare with a serial run (--serial-check: do, the default)
  --serial           search without a pool
  --help             this text

Exit status: 0 if every star was searched with no task lost or wrong, the saboteur's count equals the pool's, and
each published period was found within 1 %; files that cannot be read are listed and do not change it, unless there
is nothing else. 1 if not. 2 if the command line is wrong or names what does not exist.
)";

namespace {

template <class T>
T parse_number(const std::string& option, const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw UsageError(option + " expects a number, not \"" + text + "\"");
  return value;
}

double parse_positive(const std::string& option, const std::string& text) {
  const auto value = parse_number<double>(option, text);
  if (!(value > 0)) throw UsageError(option + " expects a number above 0, not " + text);
  return value;
}

bool parse_start(const std::string& text) {
  if (text != "fork" && text != "exec") throw UsageError("--start expects fork or exec, not \"" + text + "\"");
  return text == "exec";
}

std::string named(const std::string& option, const std::string& text) {
  if (text.empty()) throw UsageError(option + " expects a value");
  return text;
}

/// Options that stand alone; false if it is none of them.
bool take_flag(Options& options, std::string_view option) {
  if (option == "--no-sabotage") return options.kills = 0, true;
  if (option == "--serial-check") return options.serial_check = true;
  if (option == "--no-serial-check") return options.serial_check = false, true;
  if (option == "--resume") return options.resume = true;
  if (option == "--serial") return options.serial_only = true;
  if (option == "--help" || option == "-h") return options.help = true;
  return false;
}

/// Options with a value; false if it is none of them.
bool take_value(Options& options, const std::string& option, const std::string& value) {
  if (option == "--workers") return options.workers = parse_number<unsigned>(option, value), true;
  if (option == "--spares") return options.spares = parse_number<unsigned>(option, value), true;
  if (option == "--start") return options.exec = parse_start(value), true;
  if (option == "--bands") return options.bands = parse_number<std::uint64_t>(option, value), true;
  if (option == "--kills") return options.kills = parse_number<std::uint64_t>(option, value), true;
  if (option == "--seed") return options.seed = parse_number<std::uint64_t>(option, value), true;
  if (option == "--chaos") return options.chaos = named(option, value), true;
  if (option == "--journal") return options.journal = named(option, value), true;
  if (option == "--log") return options.log = named(option, value), true;
  if (option == "--timeout") return options.timeout = parse_positive(option, value), true;
  if (option == "--min-period") return options.grid.min_period = parse_positive(option, value), true;
  if (option == "--max-period") return options.grid.max_period = parse_positive(option, value), true;
  if (option == "--oversampling") return options.grid.oversampling = parse_positive(option, value), true;
  return false;
}

void check_together(const Options& options) {
  if (options.resume && options.journal.empty())
    throw UsageError("--resume goes on with a journal: name it by --journal");
  if (!options.log.empty() && options.journal.empty()) throw UsageError("--log goes with --journal");
  if (options.serial_only && !options.journal.empty())
    throw UsageError("--journal keeps what a pool has finished, and --serial has none");
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string option = arguments[i];
    if (!option.starts_with("--") && option != "-h") {
      options.inputs.push_back(option);
      continue;
    }
    if (take_flag(options, option)) continue;
    const std::size_t equals = option.find('=');
    std::string value;
    if (equals != std::string::npos) {
      value = option.substr(equals + 1);
      option.resize(equals);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    }
    if (!take_value(options, option, value)) throw UsageError("unknown option " + option);
  }
  check_together(options);
  return options;
}

}  // namespace transit
