#include "death/stack_overflow.hpp"

#include "death/crash_harness.hpp"
#include "support/under_tsan.hpp"

namespace hotspare::death {
namespace {

using testing::Crash;
using testing::crash_in_child;
using testing::index_of;

volatile int zero = 0;
volatile int sink = 0;
char* volatile target = nullptr;
volatile std::size_t huge = std::size_t{40} << 20;

CRASH_FUNCTION int recurse(int depth) {
  volatile char room[200];
  room[0] = static_cast<char>(depth);
  const int below = zero == 0 ? recurse(depth + 1) : 0;
  return below + room[0];
}

CRASH_FUNCTION int huge_frame() {
  volatile char* const room = static_cast<char*>(__builtin_alloca(huge));
  room[3] = 1;
  return room[3];
}

CRASH_FUNCTION void write_to(char* to) { *to = 1; }

/// Runs `work` in a thread with a stack of its own for handlers.
void in_thread(int (*work)()) {
  pthread_t thread{};
  static int (*the_work)();
  the_work = work;
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        testing::use_alternate_stack();
        sink = the_work();
        return nullptr;
      },
      nullptr);
  pthread_join(thread, nullptr);
}

bool overflowed(const Crash& crash) {
  EXPECT_TRUE(crash.image);
  EXPECT_EQ(crash.signal, SIGSEGV);
  EXPECT_GT(crash.code, 0);
  return crash.image && beside_stack_end(crash.fault_address, *crash.image);
}

TEST(StackOverflow, EndlessRecursionInTheMainThread) {
  const auto crash = crash_in_child([] { sink = recurse(0); });
  EXPECT_TRUE(overflowed(crash));
  EXPECT_EQ(index_of(crash.image->frames(), "recurse"), 0);
  EXPECT_GE(crash.image->frames().size(), 60u);
}

TEST(StackOverflow, EndlessRecursionInAThread) {
  const auto crash = crash_in_child([] { in_thread([] { return recurse(0); }); });
  EXPECT_TRUE(overflowed(crash));
  EXPECT_EQ(index_of(crash.image->frames(), "recurse"), 0);
  EXPECT_NE(crash.image->thread_id, crash.pid);
}

TEST(StackOverflow, OneHugeFrame) {
  EXPECT_TRUE(overflowed(crash_in_child([] { sink = huge_frame(); })));
}

TEST(StackOverflow, NullIsNone) {
  EXPECT_FALSE(overflowed(crash_in_child([] { write_to(target); })));
  EXPECT_FALSE(overflowed(crash_in_child([] {
    in_thread([] {
      write_to(target);
      return 0;
    });
  })));
}

TEST(StackOverflow, AWildPointerIsNone) {
  if (hotspare::testing::under_tsan()) GTEST_SKIP() << "ThreadSanitizer has that address mapped";
  EXPECT_FALSE(overflowed(crash_in_child([] { write_to(target + 0x123456789000); })));
  EXPECT_FALSE(overflowed(crash_in_child([] { write_to(target + 0x7123456789abcdef); })));
}

TEST(StackOverflow, AReadOnlyPageIsNone) {
  EXPECT_FALSE(overflowed(crash_in_child([] {
    void* const page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    write_to(static_cast<char*>(page));
  })));
}

/// Asks about a fault of a thread with this sp and pc, whose stack is a mebibyte at 16 MiB.
bool beside(std::uint64_t fault_address, std::uint64_t sp, std::uint64_t pc = 0x400000) {
  detail::StackImage image;
  image.stack_low = 0x1000000;
  image.stack_high = 0x1100000;
  image.registers.sp = sp;
  image.registers.pc = pc;
  return beside_stack_end(fault_address, image);
}

TEST(StackOverflow, DecidesByTheLowEndOfTheStack) {
  EXPECT_TRUE(beside(0xfffff8, 0x1000000)) << "a push";
  EXPECT_TRUE(beside(0xfff100, 0xfff000)) << "within a frame beyond the end";
  EXPECT_FALSE(beside(0xfff000, 0x1080000)) << "sp is far from the end";
  EXPECT_FALSE(beside(0x1100000, 0x10ffff0)) << "runs off the high end";
  EXPECT_FALSE(beside(0, 0x1000010));
}

TEST(StackOverflow, AGuardThatNoMapShows) {
  EXPECT_TRUE(beside(0x1000ff8, 0x1001000));
  EXPECT_FALSE(beside(0x1001040, 0x1001000, 0x1001040)) << "a jump into the stack";
}

TEST(StackOverflow, UnknownStackIsNone) { EXPECT_FALSE(beside_stack_end(0, detail::StackImage())); }

}  // namespace
}  // namespace hotspare::death
