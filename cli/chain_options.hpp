#pragma once

#include <audio/chain_spec.hpp>

#include <CLI/CLI.hpp>

#include <vector>

namespace hotspare::cli {

/// --plugin, --preset and --set: the latter two belong to the plug-in that was named last before them.
/// The subcommand must live as long as this.
class ChainOptions {
 public:
  explicit ChainOptions(CLI::App& subcommand);
  /// After parsing. Throws UsageError.
  std::vector<audio::PluginSpec> plugins() const;

 private:
  const CLI::App* subcommand_;
  const CLI::Option* plugin_;
  const CLI::Option* preset_;
  const CLI::Option* set_;
};

}  // namespace hotspare::cli
