#include "groups.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

/// Measures the pool, and beside each figure what the bare primitives give in the same run.
namespace {

struct Group {
  const char* name;
  void (*run)(bench::Run&);
  bool on_request = false;  ///< Takes long: only where --only names it.
};

constexpr std::array groups = {
    Group{"throughput", bench::throughput},
    Group{"round_trip", bench::round_trip},
    Group{"payload_sizes", bench::payload_sizes},
    Group{"payload_100mb", bench::payload_100mb},
    Group{"takeover_1mb", bench::takeover_1mb},
    Group{"takeover_100mb", bench::takeover_100mb},
    Group{"takeover_1gb", bench::takeover_1gb},
    Group{"storm", bench::storm},
    Group{"refill", bench::refill},
    Group{"host_death", bench::host_death},
    Group{"memory", bench::memory},
    Group{"workers", bench::workers},
    Group{"queue", bench::queue},
    Group{"deadlines", bench::deadlines},
    Group{"hangs", bench::hangs},
    Group{"memory_limit", bench::memory_limit},
    Group{"journal", bench::journal},
    Group{"tags", bench::tags},
    Group{"standby", bench::standby},
    Group{"standby_64", bench::standby_64},
    Group{"jack", bench::jack, true},
    Group{"jack_64", bench::jack_64, true},
    Group{"jack_loaded", bench::jack_loaded, true},
    Group{"jack_hour", bench::jack_hour, true},
};

struct Options {
  std::string out;
  std::string only = ".*";
  bool quick = false;
};

[[noreturn]] void usage(int code) {
  std::fprintf(code == 0 ? stdout : stderr,
               "usage: hotspare_bench [--out FILE] [--only REGEX] [--quick]\n"
               "  --out FILE    write the rows as JSON\n"
               "  --only REGEX  run the groups in whose name it is found\n"
               "  --quick       few rounds: whether it works, not how fast\n"
               "groups:");
  for (const Group& group : groups) std::fprintf(code == 0 ? stdout : stderr, " %s", group.name);
  std::fprintf(code == 0 ? stdout : stderr, "\n");
  std::exit(code);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--quick") {
      options.quick = true;
    } else if (word == "--help") {
      usage(0);
    } else if ((word == "--out" || word == "--only") && i + 1 < argc) {
      (word == "--out" ? options.out : options.only) = argv[++i];
    } else {
      usage(2);
    }
  }
  return options;
}

int run_group(const Group& group, bench::Run& run) {
  try {
    group.run(run);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", group.name, error.what());
    return 1;
  }
}

constexpr char separator = '\x1f';

std::string as_line(const bench::Row& row) {
  std::ostringstream line;
  line.precision(17);
  line << row.name << separator << row.value << separator << row.unit << separator << row.limit.name << separator
       << row.limit.value << separator << row.note << '\n';
  return line.str();
}

bench::Row from_line(const std::string& text) {
  std::istringstream line(text);
  std::array<std::string, 6> field;
  for (std::string& each : field) std::getline(line, each, separator);
  return {field[0], std::stod(field[1]), field[2], {field[3], std::stod(field[4])}, field[5]};
}

/// Each group in a process of its own: what one has left in the heap would make the forks of the next ones slower.
int run_apart(const Group& group, const Options& options, bench::Report& report) {
  int ends[2];
  if (::pipe(ends) != 0) return 1;
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    bench::Report own;
    bench::Run run{own, options.quick};
    const int failed = run_group(group, run);
    std::FILE* out = ::fdopen(ends[1], "w");
    for (const bench::Row& row : own.rows()) std::fputs(as_line(row).c_str(), out);
    std::fclose(out);
    std::fflush(nullptr);
    ::_exit(failed);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> room;
  for (ssize_t size; (size = ::read(ends[0], room.data(), room.size())) > 0;)
    text.append(room.data(), static_cast<std::size_t>(size));
  ::close(ends[0]);
  int status = 1;
  ::waitpid(child, &status, 0);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) report.take(from_line(line));
  return status == 0 ? 0 : 1;
}

int run_groups(const Options& options) {
  const std::regex only(options.only);
  const bool all = options.only == Options().only;
  bench::Report report;
  int failed = 0;
  bench::print_head();
  for (const Group& group : groups)
    if (std::regex_search(group.name, only) && !(group.on_request && all)) failed |= run_apart(group, options, report);
  if (report.empty() && failed == 0) usage(2);
  if (!options.out.empty() && !report.write(options.out, options.quick)) {
    std::fprintf(stderr, "cannot write %s\n", options.out.c_str());
    return 1;
  }
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  try {
    return run_groups(options);
  } catch (const std::regex_error& error) {
    std::fprintf(stderr, "--only: %s\n", error.what());
    return 2;
  }
}
