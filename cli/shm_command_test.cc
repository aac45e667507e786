// hotspare shm, as a shell would run it.

#include "run_command.hpp"

#include <hotspare/shared_registry.hpp>

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace hotspare::cli {
namespace {

using testing::run;

std::string scope_of(const char* test) { return "test-" + std::to_string(::getpid()) + "-" + test; }

/// The name that a killed process left.
void leave_orphan(const std::string& scope, const char* name) {
  const pid_t child = ::fork();
  if (child == 0) {
    const Segment segment = SharedRegistry(scope).create(name, 5'000);
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
}

bool says(const std::string& output, const std::string& text) { return output.find(text) != std::string::npos; }

TEST(Shm, ListsWhatThereIs) {
  const std::string scope = scope_of("ls");
  const Segment segment = SharedRegistry(scope).create("left", 2048);
  leave_orphan(scope, "right");
  const testing::Ended table = run("shm ls --scope " + scope);
  EXPECT_EQ(table.status, 0);
  EXPECT_TRUE(says(table.output, "hotspare." + scope + ".left")) << table.output;
  EXPECT_TRUE(says(table.output, "2.0 KiB  " + std::to_string(::getpid()) + " cli_tests")) << table.output;
  EXPECT_TRUE(says(table.output, " (ended) ") && !says(table.output, "?")) << table.output;
  EXPECT_TRUE(says(table.output, "orphaned")) << table.output;
  const testing::Ended json = run("shm ls --json --scope " + scope);
  EXPECT_TRUE(says(json.output, "\"name\": \"left\"")) << json.output;
  SharedRegistry(scope).collect();
}

TEST(Shm, CollectsWhatTheDeadLeft) {
  const std::string scope = scope_of("gc");
  const Segment segment = SharedRegistry(scope).create("left", 2048);
  leave_orphan(scope, "right");
  const std::string right = "/dev/shm/hotspare." + scope + ".right";
  const testing::Ended dry = run("shm gc --dry-run --scope " + scope);
  EXPECT_TRUE(says(dry.output, "would remove " + right)) << dry.output;
  EXPECT_EQ(::access(right.c_str(), F_OK), 0);
  const testing::Ended ended = run("shm gc --scope " + scope);
  EXPECT_EQ(ended.status, 0);
  EXPECT_TRUE(says(ended.output, "removed " + right)) << ended.output;
  EXPECT_TRUE(says(ended.output, "removed 1, ")) << ended.output;
  EXPECT_NE(::access(right.c_str(), F_OK), 0);
  EXPECT_EQ(segment.name(), "left");
}

/// The command while it runs.
class Watching {
 public:
  explicit Watching(const std::string& arguments)
      : pipe_(popen((testing::sanitizer_options + std::string(HOTSPARE_COMMAND " shm watch ") + arguments).c_str(),
                    "r")) {
    EXPECT_EQ(line(), "watching /dev/shm");
  }
  ~Watching() { EXPECT_EQ(pclose(pipe_), 0); }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;
  std::string line() {
    std::array<char, 1024> text{};
    if (std::fgets(text.data(), text.size(), pipe_) == nullptr) return "(ended)";
    std::string got = text.data();
    got.pop_back();
    return got;
  }

 private:
  FILE* pipe_;
};

TEST(Shm, WatchesNamesAndOwners) {
  const std::string scope = scope_of("watch");
  SharedRegistry registry(scope);
  const auto file = [&](const char* name) { return "hotspare." + scope + "." + name; };
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  const pid_t owner = ::fork();  // before the watch: it is not to have its pipe
  if (owner == 0) {
    char byte = 0;
    if (::read(go[0], &byte, 1) != 1) ::_exit(1);
    Segment segment = registry.create("a", 1024);
    if (::read(go[0], &byte, 1) != 1) ::_exit(1);
    segment.rename("b");
    if (::read(go[0], &byte, 1) != 1) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  Watching watching("--count 5 --scope " + scope);
  const auto next = [&] { EXPECT_EQ(::write(go[1], "x", 1), 1); };
  const std::string by = ", owner " + std::to_string(owner);
  next();
  EXPECT_EQ(watching.line(), "appeared: " + file("a") + ", 1.0 KiB, used" + by + " cli_tests");
  next();
  EXPECT_EQ(watching.line(), "renamed: " + file("a") + " to " + file("b") + by + " cli_tests");
  next();
  EXPECT_EQ(watching.line(), "owner ended: " + file("b") + by + " (ended)");
  EXPECT_EQ(watching.line(), "orphaned: " + file("b") + by + " (ended)");
  ::waitpid(owner, nullptr, 0);
  EXPECT_EQ(registry.collect().removed.size(), 1u);
  EXPECT_EQ(watching.line(), "removed: " + file("b") + by + " (ended)");
  ::close(go[0]);
  ::close(go[1]);
}

TEST(Shm, AScopeThatCannotBeIsRefused) {
  for (const char* what : {"ls", "gc", "watch --count 1"}) {
    const testing::Ended ended = run(std::string("shm ") + what + " --scope ../up");
    EXPECT_EQ(ended.status, static_cast<int>(ExitStatus::usage)) << ended.output;
    EXPECT_TRUE(says(ended.output, "'../up' cannot be a registry's scope")) << ended.output;
  }
}

TEST(Shm, TheUmaskTakesNothingFromItsMaker) {
  const std::string scope = scope_of("umask");
  const mode_t before = ::umask(0777);
  {
    const Segment segment = SharedRegistry(scope).create("left", 2048);
    EXPECT_NO_THROW(SharedRegistry(scope).open("left"));
  }
  ::umask(before);
}

}  // namespace
}  // namespace hotspare::cli
