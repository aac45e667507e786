#include "status_line.hpp"

#include <unistd.h>

#include <cstdio>

namespace hotspare::audio {

namespace {

std::string counted(std::uint64_t number, const char* of_one, const char* of_more) {
  return std::to_string(number) + " " + (number == 1 ? of_one : of_more);
}

}  // namespace

std::string status_line(const Status& status) {
  const ChannelFigures& channel = status.channel;
  char rest[64];
  std::snprintf(rest, sizeof rest, "%.3f ms a block, load %.0f %%",
                std::chrono::duration<double, std::milli>(channel.latency).count(), status.load);
  return counted(channel.blocks, "block", "blocks") + ", " + std::to_string(channel.late) + " late, " +
         counted(status.xruns, "xrun", "xruns") + ", " + counted(channel.deaths, "death", "deaths") + ", " +
         counted(channel.takeovers, "takeover", "takeovers") + ", " + rest +
         (channel.bypassed == 0 ? "" : ", " + std::to_string(channel.bypassed) + " BYPASSED");
}

StatusPrinter::StatusPrinter() : on_terminal_(isatty(STDERR_FILENO) == 1) {}

void StatusPrinter::print(const Status& status) const {
  const std::string line = status_line(status);
  // ESC [ K: clears what an earlier, longer line left behind.
  std::fprintf(stderr, on_terminal_ ? "\r%s\033[K" : "%s\n", line.c_str());
}

void StatusPrinter::finish() const {
  if (on_terminal_) std::fputc('\n', stderr);
}

}  // namespace hotspare::audio
