#include "registry/registry_harness.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>

#include <optional>

namespace hotspare::registry::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

#define EXPECT_PROBLEM(statement, expected)                                \
  try {                                                                    \
    statement;                                                             \
    ADD_FAILURE() << "no RegistryError";                                   \
  } catch (const RegistryError& error) {                                   \
    EXPECT_EQ(error.problem(), RegistryProblem::expected) << error.what(); \
  }

std::optional<SegmentInfo> only_one(const SharedRegistry& registry) {
  const auto all = registry.list();
  EXPECT_EQ(all.size(), 1u);
  return all.size() == 1 ? std::optional(all[0]) : std::nullopt;
}

TEST(SharedRegistry, ASegmentIsSharedByNameAndGoesWithItsLastUser) {
  SharedRegistry registry(new_scope());
  std::optional<Segment> first = registry.create("a", 100'000);
  EXPECT_TRUE(holds(*first, 0));
  fill(*first, 'x');
  std::optional<Segment> second = registry.open("a");
  EXPECT_EQ(second->bytes().size(), 100'000u);
  EXPECT_TRUE(holds(*second, 'x'));
  first.reset();
  EXPECT_EQ(only_one(registry)->state, SegmentState::used);
  EXPECT_TRUE(holds(*second, 'x'));
  second.reset();
  EXPECT_THAT(registry.list(), IsEmpty());
}

TEST(SharedRegistry, TellsWhoHasIt) {
  SharedRegistry registry(new_scope());
  const Segment segment = registry.create("a", 10);
  const Living other([&] { return registry.open("a"); });
  const auto info = only_one(registry);
  EXPECT_EQ(info->name, "a");
  EXPECT_EQ(info->scope, registry.scope());
  EXPECT_EQ(info->path, "/dev/shm/hotspare." + registry.scope() + ".a");
  EXPECT_EQ(info->bytes, 10u);
  EXPECT_EQ(info->owner, ::getpid());
  EXPECT_EQ(info->owner_state, OwnerState::lives);
  EXPECT_THAT(info->users, UnorderedElementsAre(::getpid(), other.pid()));
}

TEST(SharedRegistry, NamesThatCannotBeAreRefused) {
  EXPECT_PROBLEM(SharedRegistry("a.b"), bad_name);
  SharedRegistry registry(new_scope());
  EXPECT_PROBLEM(registry.create("a/b", 1), bad_name);
  EXPECT_PROBLEM(registry.open(""), bad_name);
}

TEST(SharedRegistry, TakenAndMissingNamesAreSaid) {
  SharedRegistry registry(new_scope());
  Segment segment = registry.create("a", 1);
  Segment other = registry.create("b", 1);
  EXPECT_PROBLEM(registry.create("a", 1), exists);
  EXPECT_PROBLEM(other.rename("a"), exists);
  EXPECT_PROBLEM(registry.open("c"), absent);
  EXPECT_EQ(other.name(), "b");
}

TEST(SharedRegistry, TooMuchIsRefusedAndLeavesNothing) {
  SharedRegistry registry(new_scope());
  EXPECT_PROBLEM(registry.create("a", std::size_t{1} << 46), full);
  EXPECT_PROBLEM(registry.create("a", ~std::size_t{0}), full);
  EXPECT_THAT(registry.list(), IsEmpty());
  Segment segment = registry.create("a", 1000);
  fill(segment, 'x');
  EXPECT_PROBLEM(segment.resize(std::size_t{1} << 46), full);
  EXPECT_EQ(segment.bytes().size(), 1000u);
  EXPECT_TRUE(holds(segment, 'x'));
}

TEST(SharedRegistry, AKilledOwnersSegmentIsOrphanedAndCollected) {
  SharedRegistry registry(new_scope());
  Living owner([&] { return registry.create("a", 1000); });
  EXPECT_THAT(registry.collect().removed, IsEmpty());
  owner.kill();
  EXPECT_EQ(only_one(registry)->state, SegmentState::orphaned);
  EXPECT_EQ(only_one(registry)->owner_state, OwnerState::ended);
  EXPECT_THAT(registry.collect().removed, ElementsAre("/dev/shm/hotspare." + registry.scope() + ".a"));
  EXPECT_THAT(registry.list(), IsEmpty());
}

TEST(SharedRegistry, WhatALivingUserHasIsKeptWhenItsOwnerIsKilled) {
  SharedRegistry registry(new_scope());
  Living owner([&] {
    Segment segment = registry.create("a", 1000);
    fill(segment, 'x');
    return segment;
  });
  std::optional<Segment> user = registry.open("a");
  owner.kill();
  EXPECT_THAT(registry.collect().removed, IsEmpty());
  EXPECT_TRUE(holds(*user, 'x'));
  EXPECT_EQ(only_one(registry)->state, SegmentState::used);
  EXPECT_PROBLEM(registry.create("a", 1), exists);
  user.reset();
  EXPECT_THAT(registry.list(), IsEmpty()) << "the last user removes it, owner or not";
}

TEST(SharedRegistry, AnOrphanIsTakenUpOrReplaced) {
  SharedRegistry registry(new_scope());
  Living([&] {
    Segment segment = registry.create("a", 1000);
    fill(segment, 'x');
    return segment;
  }).kill();
  {
    const Segment taken_up = registry.open("a");
    EXPECT_TRUE(holds(taken_up, 'x'));
    EXPECT_FALSE(taken_up.owner());
  }
  EXPECT_THAT(registry.list(), IsEmpty());
  Living([&] { return registry.create("a", 1000); }).kill();
  const Segment replaced = registry.create("a", 10);
  EXPECT_TRUE(replaced.owner());
  EXPECT_EQ(only_one(registry)->bytes, 10u);
}

TEST(SharedRegistry, RenamesForAllUsersAndOverAnOrphan) {
  SharedRegistry registry(new_scope());
  Living([&] { return registry.create("b", 1000); }).kill();
  std::optional<Segment> segment = registry.create("a", 10);
  std::optional<Segment> user = registry.open("a");
  segment->rename("b");
  EXPECT_EQ(segment->name(), "b");
  EXPECT_EQ(user->name(), "b");
  EXPECT_EQ(only_one(registry)->bytes, 10u);
  EXPECT_PROBLEM(user->rename("c"), not_owner);
  segment.reset();
  EXPECT_EQ(only_one(registry)->name, "b");
  user.reset();
  EXPECT_THAT(registry.list(), IsEmpty()) << "under its new name";
}

TEST(SharedRegistry, ResizesAndUsersFollowWhenTheyWish) {
  SharedRegistry registry(new_scope());
  Segment segment = registry.create("a", 10'000);
  Segment user = registry.open("a");
  fill(segment, 'x');
  segment.resize(200'000);
  EXPECT_EQ(segment.bytes()[9'999], std::byte{'x'});
  EXPECT_EQ(segment.bytes()[10'000], std::byte{0});
  EXPECT_EQ(user.bytes().size(), 10'000u);
  EXPECT_TRUE(user.refresh());
  EXPECT_FALSE(user.refresh());
  EXPECT_EQ(user.bytes().size(), 200'000u);
  fill(segment, 'y');
  segment.resize(5'000);
  EXPECT_EQ(user.bytes()[4'999], std::byte{'y'});
  EXPECT_EQ(user.bytes()[199'999], std::byte{0}) << "cut off, but not a SIGBUS";
  user.bytes()[6'000] = std::byte{'z'};
  EXPECT_TRUE(user.refresh());
  EXPECT_EQ(user.bytes().size(), 5'000u);
  segment.resize(10'000);
  EXPECT_EQ(segment.bytes()[6'000], std::byte{0}) << "nor what was written there later";
  EXPECT_EQ(segment.bytes()[5'000], std::byte{0}) << "what was cut off does not come back";
  EXPECT_PROBLEM(user.resize(1), not_owner);
  segment.resize(0);
  EXPECT_TRUE(segment.bytes().empty());
}

TEST(SharedRegistry, AForkIsAUserOfItsOwn) {
  SharedRegistry registry(new_scope());
  std::optional<Segment> segment = registry.create("a", 1000);
  fill(*segment, 'x');
  Living fork([&] { return 0; });
  segment.reset();
  EXPECT_EQ(only_one(registry)->state, SegmentState::used);
  EXPECT_THAT(registry.collect().removed, IsEmpty());
  EXPECT_TRUE(holds(registry.open("a"), 'x'));
  fork.kill();
  EXPECT_THAT(registry.collect().removed, ::testing::SizeIs(1));
}

TEST(SharedRegistry, AForkIsNotTheOwnerAndDoesNotRemoveWhatItsParentHas) {
  SharedRegistry registry(new_scope());
  std::optional<Segment> segment = registry.create("a", 1000);
  EXPECT_EQ(status_of([&] {
              if (segment->owner()) ::_exit(1);
              try {
                segment->rename("b");
                ::_exit(2);
              } catch (const RegistryError&) {
              }
              segment.reset();
            }),
            0);
  EXPECT_EQ(only_one(registry)->name, "a");
  EXPECT_TRUE(segment->owner());
}

TEST(SharedRegistry, WhatAStrangerMapsIsNotCollected) {
  SharedRegistry registry(new_scope());
  Living([&] { return registry.create("a", 1000); }).kill();
  const int fd = ::open(("/dev/shm/hotspare." + registry.scope() + ".a").c_str(), O_RDWR | O_CLOEXEC);
  void* const at = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  ASSERT_NE(at, MAP_FAILED);
  const Collected kept = registry.collect();
  EXPECT_THAT(kept.removed, IsEmpty());
  EXPECT_THAT(kept.kept, ::testing::SizeIs(1));
  ::munmap(at, 4096);
  EXPECT_THAT(registry.collect().removed, ::testing::SizeIs(1));
}

TEST(SharedRegistry, LeavesAloneWhatIsNoSegment) {
  SharedRegistry registry(new_scope());
  const std::string path = "/dev/shm/hotspare." + registry.scope() + ".a";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_EQ(::write(fd, "hello", 5), 5);
  ::close(fd);
  EXPECT_EQ(only_one(registry)->state, SegmentState::damaged);
  EXPECT_PROBLEM(registry.create("a", 1), foreign);
  EXPECT_PROBLEM(registry.open("a"), foreign);
  EXPECT_THAT(registry.collect().removed, IsEmpty());
  EXPECT_EQ(::unlink(path.c_str()), 0);
}

TEST(SharedRegistry, FindsWhatNobodyRegistered) {
  const std::string name = "/" + new_scope() + "-unregistered";
  const int fd = ::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  const auto find = [&]() -> std::optional<SegmentInfo> {
    for (const SegmentInfo& info : list_shared_memory())
      if (info.path == "/dev/shm" + name) return info;
    return std::nullopt;
  };
  ASSERT_TRUE(find());
  EXPECT_EQ(find()->state, SegmentState::unregistered);
  EXPECT_THAT(find()->users, ElementsAre(::getpid()));
  ::close(fd);
  EXPECT_THAT(find()->users, IsEmpty());
  bool told = false;
  for (const CollectedObject& each : collect_shared_memory({.dry_run = true, .unregistered = true}))
    told = told || each.object.path == "/dev/shm" + name;
  EXPECT_TRUE(told);
  for (const CollectedObject& each : collect_shared_memory({.dry_run = true}))
    EXPECT_NE(each.object.path, "/dev/shm" + name);
  EXPECT_EQ(::shm_unlink(name.c_str()), 0);
}

TEST(SharedRegistry, AStoppedRemoverIsSaidInsteadOfWaitedForAndHoldsUpNothingElse) {
  SharedRegistry registry(new_scope());
  Living([&] { return registry.create("a", 1000); }).kill();
  // As collect() has it between its lock and its unlink.
  Living remover([&] {
    const int fd = ::open(("/dev/shm/hotspare." + registry.scope() + ".a").c_str(), O_RDWR);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_start = off_t{1} << 62;
    lock.l_len = 1;
    if (::fcntl(fd, F_OFD_SETLK, &lock) != 0) ::_exit(1);
    return fd;
  });
  ::kill(remover.pid(), SIGSTOP);
  EXPECT_PROBLEM(registry.create("a", 1), busy);
  EXPECT_PROBLEM(registry.open("a"), absent);
  EXPECT_THAT(names_of(registry.list()), ElementsAre("a"));
  EXPECT_THAT(registry.collect().removed, IsEmpty());
  const Segment other = registry.create("b", 1);
  remover.kill();
  const Segment now = registry.create("a", 1);
}

}  // namespace
}  // namespace hotspare::registry::testing
