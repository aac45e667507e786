// The command hotspare: see docs/man/hotspare.1.

#include "commands.hpp"
#include "exit_status.hpp"
#include "printable.hpp"

#include <hotspare/options.hpp>
#include <hotspare/version.hpp>

#include <cstdio>
#include <exception>
#include <iostream>

namespace hotspare::cli {
namespace {

int fail(ExitStatus status, const char* why) {
  std::fprintf(stderr, "hotspare: %s\n", printable_lines(why).c_str());
  if (status == ExitStatus::usage) std::fputs("Try --help.\n", stderr);
  return static_cast<int>(status);
}

/// What was printed may still lie in a buffer, and have no room where it is to go.
int written(ExitStatus status) {
  std::cout.flush();
  const bool failed = !std::cout || std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (status == ExitStatus::good && failed) return fail(ExitStatus::failed, "standard output cannot be written");
  return static_cast<int>(status);
}

int run(int argc, char** argv) {
  CLI::App command("Work that survives the death of the process that does it.", "hotspare");
  command.set_version_flag("--version", "hotspare " HOTSPARE_VERSION);
  command.require_subcommand(1);
  command.failure_message(CLI::FailureMessage::simple);
  add_commands(command);
  try {
    command.parse(argc, argv);
    return written(ExitStatus::good);
  } catch (const CLI::Success& asked) {  // --help and --version
    return written(static_cast<ExitStatus>(command.exit(asked)));
  } catch (const CLI::ParseError& error) {
    return fail(ExitStatus::usage, error.what());
  } catch (const UsageError& error) {
    return fail(ExitStatus::usage, error.what());
  } catch (const NotBuilt& error) {
    return fail(ExitStatus::not_built, error.what());
  } catch (const std::exception& error) {
    return fail(ExitStatus::failed, error.what());
  }
}

}  // namespace
}  // namespace hotspare::cli

int main(int argc, char** argv) {
  hotspare::init(argc, argv);  // started afresh as a zygote it never returns from here
  return hotspare::cli::run(argc, argv);
}
