#include "exit_status.hpp"
#include "printable.hpp"
#include "shm.hpp"

#include <hotspare/shared_registry.hpp>

#include <cstdio>
#include <fstream>

namespace hotspare::cli {
namespace {

std::string command_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

bool is_wanted(const SegmentInfo& info, const ShmOptions& options) {
  return options.scope.empty() || info.scope == options.scope;
}

/// One that no registry can have is a slip, not a question without an answer.
void check_scope(const ShmOptions& options) {
  try {
    if (!options.scope.empty()) const SharedRegistry refuses(options.scope);
  } catch (const RegistryError& error) {
    throw UsageError(std::string("--scope: ") + error.what());
  }
}

}  // namespace

void run_shm_ls(const ShmOptions& options) {
  check_scope(options);
  std::vector<SegmentInfo> all = list_shared_memory();
  std::erase_if(all, [&](const SegmentInfo& info) { return !is_wanted(info, options); });
  const std::string text =
      options.json ? json_of(all, command_of) : table_of(all, command_of, std::chrono::system_clock::now());
  std::fputs(text.c_str(), stdout);
}

void run_shm_gc(const ShmOptions& options) {
  check_scope(options);
  const char* const done = options.dry_run ? "would remove" : "removed";
  std::uint64_t bytes = 0;
  std::size_t removed = 0;
  for (const CollectedObject& each : collect_shared_memory(
           {.dry_run = options.dry_run, .unregistered = options.unregistered, .scope = options.scope})) {
    const std::string what =
        printable(each.object.path) + " (" + size_text(each.object.bytes) + ", " + state_text(each.object) + ")";
    if (!each.removed) {
      std::printf("kept %s: %s\n", what.c_str(), printable(each.why_not).c_str());
      continue;
    }
    std::printf("%s %s\n", done, what.c_str());
    bytes += each.object.bytes;
    ++removed;
  }
  std::printf("%s %zu, %s\n", done, removed, size_text(bytes).c_str());
}

void run_shm_watch(const ShmOptions& options) {
  check_scope(options);
  SharedMemoryWatch watch;
  std::fputs("watching /dev/shm\n", stdout);
  std::fflush(stdout);
  for (unsigned told = 0;;) {
    for (const SharedMemoryEvent& event : watch.next()) {
      if (!is_wanted(event.object, options) && event.kind != SharedMemoryEvent::Kind::events_lost) continue;
      std::printf("%s\n", line_of(event, command_of).c_str());
      if (std::fflush(stdout) != 0) return;  // nobody is told any more; main says so
      if (++told == options.count) return;
    }
  }
}

}  // namespace hotspare::cli
