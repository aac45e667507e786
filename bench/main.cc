#include "groups.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <regex>
#include <string>
#include <string_view>

/// Measures the pool, and beside each figure what the bare primitives give in the same run.
namespace {

struct Group {
  const char* name;
  void (*run)(bench::Run&);
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
    Group{"memory", bench::memory},
    Group{"workers", bench::workers},
    Group{"queue", bench::queue},
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

int run_groups(const Options& options) {
  const std::regex only(options.only);
  bench::Report report;
  bench::Run run{report, options.quick};
  int failed = 0;
  bench::print_head();
  for (const Group& group : groups) {
    if (!std::regex_search(group.name, only)) continue;
    try {
      group.run(run);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", group.name, error.what());
      failed = 1;
    }
  }
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
