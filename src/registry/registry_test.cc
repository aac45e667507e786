#include "registry/registry_harness.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>

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

/// A host that has closed its streams and talks on: what it writes lands in no segment's file, what it reads is none of ours.
TEST(SharedRegistry, ClosedStreamsNeverLeadIntoASegment) {
  EXPECT_EQ(status_of([] {
              for (int fd = 0; fd <= 2; ++fd) ::close(fd);
              std::atomic<bool> enough = false;
              long strays = 0;
              std::thread talker([&] {
                std::array<char, 8> text{"a line\n"};
                while (!enough)
                  for (int fd = 0; fd <= 2; ++fd)
                    // Not by ::write: that these are other threads' descriptors is what ThreadSanitizer would say.
                    if (::syscall(SYS_write, fd, text.data(), text.size()) >= 0 ||
                        ::syscall(SYS_read, fd, text.data(), text.size()) >= 0)
                      ++strays;
              });
              SharedRegistry registry(new_scope());
              bool right = true;
              for (int round = 0; round < 100; ++round) {
                Segment made = registry.create("a", 10'000);
                Segment found = registry.open("a");
                made.resize(20'000);
                right = right && made.owner() && found.refresh() && registry.list().size() == 1 && holds(made, 0);
              }
              enough = true;
              talker.join();
              ::_exit(right && strays == 0 ? 0 : 1);
            }),
            0);
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

/// Exit code of a process that sees a /dev/shm of its own, of this size; 77: it could not have one.
template <class Work>
int with_small_memory(const std::string& size, Work work) {
  return WEXITSTATUS(status_of([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", "/dev/shm", "tmpfs", 0, ("mode=1777,size=" + size).c_str()) != 0)
      ::_exit(77);
    ::_exit(work());
  }));
}

void use_up_memory() {
  const int file = ::open("/dev/shm/other", O_CREAT | O_RDWR, 0600);
  const std::vector<char> some(4096);
  while (::write(file, some.data(), some.size()) > 0) {
  }
}

TEST(SharedRegistry, WhatWasCutOffStaysWithThoseWhoHaveItAlsoWhenMemoryIsFull) {
  const int code = with_small_memory("4m", [] {
    SharedRegistry registry("t");
    Segment owner = registry.create("a", 2 << 20);
    Segment user = registry.open("a");
    fill(owner, 'x');
    owner.resize(4096);
    use_up_memory();
    for (std::size_t i = 4096; i < user.bytes().size(); ++i)
      if (user.bytes()[i] != std::byte{0}) return 1;
    fill(user, 'y');
    owner.resize(1 << 20);  // what is kept is there already
    return owner.bytes()[500'000] == std::byte{0} && owner.bytes()[100] == std::byte{'y'} ? 0 : 2;
  });
  if (code == 77) GTEST_SKIP() << "no mount of its own";
  EXPECT_EQ(code, 0);
}

TEST(SharedRegistry, ForksKeepWhatWasCutOffToo) {
  const int code = with_small_memory("4m", [] {
    SharedRegistry registry("t");
    Segment owner = registry.create("a", 2 << 20);
    int go[2];
    if (::pipe(go) != 0) return 3;
    const pid_t child = ::fork();
    if (child == 0) {
      char word = 0;
      static_cast<void>(!::read(go[0], &word, 1));
      fill(owner, 'z');
      ::_exit(0);
    }
    owner.resize(4096);
    use_up_memory();
    static_cast<void>(!::write(go[1], "x", 1));
    int status = -1;
    ::waitpid(child, &status, 0);
    return status == 0 ? 0 : 1;
  });
  if (code == 77) GTEST_SKIP() << "no mount of its own";
  EXPECT_EQ(code, 0);
}

TEST(SharedRegistry, AloneItGivesBackWhatItCutsOff) {
  const int code = with_small_memory("4m", [] {
    SharedRegistry registry("t");
    Segment owner = registry.create("a", 3 << 20);
    owner.resize(4096);
    const Segment other = registry.create("b", 3 << 20);
    return 0;
  });
  if (code == 77) GTEST_SKIP() << "no mount of its own";
  EXPECT_EQ(code, 0);
}

TEST(SharedRegistry, AnotherUsersSegmentIsForeign) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const std::string scope = new_scope();
  const Living other([&] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
    return std::make_unique<Segment>(SharedRegistry(scope).create("a", 100'000));
  });
  SharedRegistry registry(scope);
  EXPECT_PROBLEM(registry.open("a"), foreign);
  EXPECT_PROBLEM(registry.create("a", 10), foreign);
  EXPECT_EQ(only_one(registry)->state, SegmentState::used);
}

TEST(SharedRegistry, TheLimitOfAFilesSizeIsAnError) {
  const int status = status_of([] {
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    SharedRegistry registry(new_scope());
    Segment small = registry.create("a", 1000);
    EXPECT_PROBLEM(registry.create("b", 1 << 20), full);
    EXPECT_PROBLEM(small.resize(1 << 20), full);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace hotspare::registry::testing
