#include "registry/crash_point.hpp"

#include "registry/registry_harness.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <optional>

/// A death at each labelled place, and what must hold after each (docs/decisions/026).
namespace hotspare::registry::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::IsSubsetOf;

/// Passes every label, if it is not killed: "old-c" and "old-r" are orphans by now, "living" another's.
void do_everything(SharedRegistry& registry) {
  const Segment living = registry.open("living");
  std::optional<Segment> segment = registry.create("old-c", 20'000);
  fill(*segment, 'v');
  segment->resize(300'000);
  segment->resize(1'000);
  segment->rename("old-r");
  segment.reset();
  registry.collect();
}

class RegistryDeath : public ::testing::TestWithParam<int> {};

TEST_P(RegistryDeath, LeavesTheRegistryWhole) {
  const char* const at = name(static_cast<CrashPoint>(GetParam()));
  SharedRegistry registry(new_scope());
  Segment living = registry.create("living", 100'000);
  fill(living, 'L');
  for (const char* orphan : {"old-c", "old-r", "old-g"}) Living([&] { return registry.create(orphan, 5'000); }).kill();

  const int status = status_of([&] {
    ::setenv("HOTSPARE_REGISTRY_CRASH_AT", at, 1);
    SharedRegistry victim(registry.scope());
    do_everything(victim);
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << at << " was not reached";

  for (const SegmentInfo& info : registry.list()) {
    EXPECT_EQ(info.state, info.name == "living" ? SegmentState::used : SegmentState::orphaned) << info.name;
  }
  EXPECT_THAT(names_of(registry.list()), IsSubsetOf({"living", "old-c", "old-r", "old-g"}));
  for (const char* name : {"old-c", "old-r"}) {
    Segment again = registry.create(name, 10);  // whatever state its name was left in
    EXPECT_TRUE(holds(again, 0));
  }
  registry.collect();
  EXPECT_THAT(names_of(registry.list()), ::testing::ElementsAre("living"));
  EXPECT_TRUE(holds(living, 'L'));
  EXPECT_TRUE(holds(registry.open("living"), 'L'));
}

/// A process that is stopped where it first passes a label, and goes on when told.
class Halted {
 public:
  template <class Work>
  Halted(const std::string& scope, const char* at, Work work) {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setenv("HOTSPARE_REGISTRY_CRASH_AT", (at + std::string(":1::stop")).c_str(), 1);
      SharedRegistry registry(scope);
      work(registry);
      ::_exit(0);
    }
    ::waitpid(pid_, &status_, WUNTRACED);
  }
  ~Halted() {
    if (!WIFSTOPPED(status_)) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Halted(const Halted&) = delete;
  Halted& operator=(const Halted&) = delete;
  bool stopped() const { return WIFSTOPPED(status_); }
  int go_on() {
    while (WIFSTOPPED(status_)) {
      ::kill(pid_, SIGCONT);
      ::waitpid(pid_, &status_, WUNTRACED);
    }
    return status_;
  }

 private:
  pid_t pid_ = -1;
  int status_ = -1;
};

TEST_P(RegistryDeath, AndAStopThereLetsOthersInBetween) {
  const char* const at = name(static_cast<CrashPoint>(GetParam()));
  SharedRegistry registry(new_scope());
  const Segment living = registry.create("living", 1'000);
  for (const char* orphan : {"old-c", "old-r", "old-g"}) Living([&] { return registry.create(orphan, 5'000); }).kill();
  Halted victim(registry.scope(), at, [](SharedRegistry& own) { do_everything(own); });
  EXPECT_TRUE(victim.stopped()) << at;
  registry.collect();
  const Segment other = registry.create("other", 10);
  EXPECT_EQ(victim.go_on(), 0) << "it has lost what it had";
  registry.collect();
  EXPECT_THAT(names_of(registry.list()), ::testing::UnorderedElementsAre("living", "other"));
}

TEST(RegistryStop, WhoOpensWhileTheNameChangesHandsGetsWhatHasTheName) {
  SharedRegistry registry(new_scope());
  Living before([&] { return registry.create("a", 10); });
  Halted opener(registry.scope(), "open_unlocked", [](SharedRegistry& own) {
    if (!holds(own.open("a"), 'y')) ::_exit(1);
  });
  before.kill();
  Segment now = registry.create("a", 10);
  fill(now, 'y');
  EXPECT_EQ(opener.go_on(), 0);
}

TEST(RegistryStop, ARemoverThatGoesOnLateRemovesNothingThatCameAfterIt) {
  SharedRegistry registry(new_scope());
  Living([&] { return registry.create("a", 10); }).kill();
  Halted collector(registry.scope(), "collect_chosen", [](SharedRegistry& own) { own.collect(); });
  const Segment now = registry.create("a", 20);
  EXPECT_EQ(collector.go_on(), 0);
  EXPECT_EQ(now.name(), "a");
}

TEST(RegistryStop, WhoLeavesLateRemovesNothingThatCameAfterIt) {
  SharedRegistry registry(new_scope());
  Living owner([&] { return registry.create("a", 10); });
  Halted leaver(registry.scope(), "drop_released", [](SharedRegistry& own) { own.open("a"); });
  owner.kill();
  const Segment now = registry.create("a", 20);
  EXPECT_EQ(leaver.go_on(), 0);
  EXPECT_EQ(now.name(), "a");
}

TEST(RegistryStop, WhoOpenedWhatItDidNotWantLeavesItLikeAnyOtherUser) {
  SharedRegistry registry(new_scope());
  Halted owner(registry.scope(), "create_held_twice", [](SharedRegistry& own) { own.create("a", 10).rename("b"); });
  Halted opener(registry.scope(), "open_locked", [](SharedRegistry& own) {
    try {
      own.open("a");
      ::_exit(1);
    } catch (const RegistryError&) {  // absent
    }
  });
  EXPECT_EQ(owner.go_on(), 0);
  EXPECT_THAT(names_of(registry.list()), ::testing::ElementsAre("b")) << "its owner left it to the opener";
  EXPECT_EQ(opener.go_on(), 0);
  EXPECT_THAT(registry.list(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(AtEachPoint, RegistryDeath, ::testing::Range(0, static_cast<int>(CrashPoint::count)),
                         [](const auto& point) { return std::string(name(static_cast<CrashPoint>(point.param))); });

TEST(RegistryCrashPoints, NobodyDiesUnlessAsked) {
  SharedRegistry registry(new_scope());
  Segment living = registry.create("living", 10);
  EXPECT_EQ(status_of([&] { do_everything(registry); }), 0);
  EXPECT_THAT(names_of(registry.list()), ::testing::ElementsAre("living"));
}

}  // namespace
}  // namespace hotspare::registry::testing
