#pragma once

#include <chrono>
#include <string>

namespace hotspare::cli {

struct PluginsOptions {
  std::string only;  ///< Only plug-ins whose URI holds this.
  bool survey = false;
  std::string input;   ///< Survey: file of sound that goes through them; empty: noise of our own.
  std::string output;  ///< Survey: Markdown file; empty: stdout.
  std::chrono::nanoseconds length{std::chrono::seconds(10)};  ///< Survey: of sound, for each.
  unsigned kills = 0;  ///< Survey: times that one of two replicas of it is killed; 0: it is not run in replicas.
};

/// Throws Error, UsageError, NotBuilt.
void run_plugins(const PluginsOptions& options);

}  // namespace hotspare::cli
