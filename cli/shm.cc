// hotspare shm: what lies in /dev/shm, who has it, and what can go.

#include "shm.hpp"

#include "commands.hpp"

#include <memory>

namespace hotspare::cli {

void add_shm(CLI::App& command) {
  CLI::App* shm = command.add_subcommand("shm", "List, collect and watch shared memory that has names");
  shm->require_subcommand(1);
  auto options = std::make_shared<ShmOptions>();
  const auto add = [&](const char* name, const char* what, void (*run)(const ShmOptions&)) {
    CLI::App* added = shm->add_subcommand(name, what);
    added->add_option("--scope", options->scope, "Only segments of this scope")->type_name("NAME");
    added->callback([options, run] { run(*options); });
    return added;
  };
  CLI::App* ls = add("ls", "What there is, who made it, who has it", run_shm_ls);
  ls->add_flag("--json", options->json, "As JSON");
  CLI::App* gc = add("gc", "Remove what dead processes left", run_shm_gc);
  gc->add_flag("-n,--dry-run", options->dry_run, "Only say what would be removed");
  gc->add_flag("--unregistered", options->unregistered, "Also what nobody registered and no living process has");
  CLI::App* watch = add("watch", "Tell what happens, until interrupted", run_shm_watch);
  watch->add_option("--count", options->count, "End after so many events")->type_name("N");
}

}  // namespace hotspare::cli
