#pragma once

#include <stdexcept>

namespace hotspare::cli {

/// How the command ends; docs/man/hotspare.1 says the same.
enum class ExitStatus : int {
  good = 0,
  failed = 1,     ///< What was asked could not be done; stderr says why.
  usage = 2,      ///< The command line is not understood, or names what does not exist.
  not_built = 3,  ///< This build lacks what the subcommand needs; stderr says what to install.
};

/// Ends the command with ExitStatus::usage.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Ends the command with ExitStatus::not_built.
class NotBuilt : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace hotspare::cli
