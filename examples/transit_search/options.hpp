#pragma once

#include "period_grid.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace transit {

struct Options {
  unsigned workers = 0;  ///< 0: as many as there are CPUs to use.
  unsigned spares = 1;
  bool exec = false;  ///< Workers from this program started afresh, instead of forks of this process.
  std::uint64_t bands = 96;
  std::uint64_t kills = 12;  ///< Per star; 0 without sabotage. Twelve: each way to die once.
  std::uint64_t seed = 1;
  std::string chaos;    ///< As Chaos::from_text: which bands are struck, and how, in place of the kills. Empty: none.
  std::string journal;  ///< File that keeps what is finished; empty: none.
  bool resume = false;  ///< The journal may be there already.
  std::string log;      ///< File for a line about each band that begins or is given; empty: none.
  double timeout = 0;   ///< Seconds for one try of a band; 0: as is best.
  GridOptions grid;
  bool serial_check = true;
  bool serial_only = false;  ///< No pool at all.
  bool help = false;
  std::vector<std::string> inputs;
};

/// The command line is not understood, or names what does not exist.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws UsageError. arguments: without the program's name.
Options parse_options(const std::vector<std::string>& arguments);

extern const char* const help_text;

}  // namespace transit
