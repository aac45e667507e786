#pragma once

#include "exit_status.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>

/// For tests: the command itself, as a shell would run it.
namespace hotspare::cli::testing {

struct Ended {
  int status = -1;
  std::string output;  ///< stdout and stderr.
};

/// For a build under AddressSanitizer: deaths are to look as they do without it, and what plug-ins leak is theirs.
constexpr const char* sanitizer_options =
    "ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_abort=0:use_sigaltstack=0:detect_leaks=0 ";

inline Ended run(const std::string& arguments) {
  Ended ended;
  FILE* pipe =
      popen((sanitizer_options + std::string(HOTSPARE_COMMAND " ") + arguments + " 2>&1 </dev/null").c_str(), "r");
  if (pipe == nullptr) return ended;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) ended.output += static_cast<char>(c);
  const int status = pclose(pipe);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ended;
}

inline void expect(const std::string& arguments, ExitStatus status, const std::string& says) {
  const Ended ended = run(arguments);
  EXPECT_EQ(ended.status, static_cast<int>(status)) << arguments << '\n' << ended.output;
  EXPECT_NE(ended.output.find(says), std::string::npos) << arguments << '\n' << ended.output;
}

}  // namespace hotspare::cli::testing
