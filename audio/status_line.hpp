#pragma once

#include "block_processor.hpp"

#include <cstdint>
#include <string>

namespace hotspare::audio {

/// What a status line tells of.
struct Status {
  ChannelFigures channel;
  std::uint64_t xruns = 0;  ///< That the sound server saw since it was joined.
  double load = 0;          ///< Of the sound server, percent.
};

/// One line without its end: "12345 blocks, 0 late, 0 xruns, 3 deaths, 3 takeovers, 0.08 ms a block, load 5 %".
std::string status_line(const Status& status);

/// The line on stderr: on a terminal always in the same place, elsewhere one below the other.
class StatusPrinter {
 public:
  StatusPrinter();
  bool on_terminal() const { return on_terminal_; }
  void print(const Status& status) const;
  /// Leaves the last line standing. Then other output may come.
  void finish() const;

 private:
  bool on_terminal_;
};

}  // namespace hotspare::audio
