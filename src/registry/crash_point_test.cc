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
