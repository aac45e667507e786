#pragma once

#include <CLI/CLI.hpp>

/// The subcommands, each in a file of its own. To add one: a function here that adds it to the command, with a callback
/// that does the work and throws if it cannot (UsageError, NotBuilt; any other exception: ExitStatus::failed), and its
/// call in add_commands.
namespace hotspare::cli {

void add_render(CLI::App& command);
void add_audio(CLI::App& command);
void add_plugins(CLI::App& command);
void add_shm(CLI::App& command);

inline void add_commands(CLI::App& command) {
  add_render(command);
  add_audio(command);
  add_plugins(command);
  add_shm(command);
}

}  // namespace hotspare::cli
