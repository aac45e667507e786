#include "death/unwind.hpp"

#include "death/crash_harness.hpp"
#include "os/ptrace.hpp"

#include <execinfo.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

namespace hotspare::death {
namespace {

using testing::crash_in_child;
using testing::index_of;

volatile int sink = 0;
int* volatile target = nullptr;
void (*volatile function_at_null)() = nullptr;

// Work after each call keeps the calls from becoming jumps, which would take the callers off the stack.
CRASH_FUNCTION void inner_crash() { *target = 1; }
CRASH_FUNCTION void middle_crash(int depth) {
  inner_crash();
  sink = depth;
}
CRASH_FUNCTION void outer_crash() {
  middle_crash(3);
  sink = 2;
}
CRASH_FUNCTION void call_null() {
  function_at_null();
  sink = 4;
}
inline __attribute__((always_inline)) void inlined_crash() { *target = 5; }
CRASH_FUNCTION void holds_inlined() {
  inlined_crash();
  sink = 6;
}

TEST(Unwind, NamesTheFunctionsOfANullDereference) {
  const auto crash = crash_in_child(outer_crash);
  EXPECT_EQ(crash.signal, SIGSEGV);
  ASSERT_TRUE(crash.image);
  const auto& frames = crash.image->frames();
  ASSERT_GE(frames.size(), 4u);
  EXPECT_EQ(index_of(frames, "inner_crash"), 0);
  EXPECT_EQ(index_of(frames, "middle_crash"), 1);
  EXPECT_EQ(index_of(frames, "outer_crash"), 2);
  EXPECT_NE(index_of(frames, "main"), -1);
  EXPECT_NE(frames[0].file.find("unwind_test.cc"), std::string::npos);
  EXPECT_GT(frames[0].line, 0);
  EXPECT_NE(frames[0].module.find("unit_tests"), std::string::npos);
  EXPECT_GT(frames[0].offset, 0u);
  EXPECT_LT(frames[0].offset, frames[0].address);
}

TEST(Unwind, ACallerHasTheLineOfItsCall) {
  const auto crash = crash_in_child(outer_crash);
  const auto& frames = crash.image->frames();
  ASSERT_GE(frames.size(), 3u);
  EXPECT_EQ(frames[1].line, frames[0].line + 2);
  EXPECT_EQ(frames[2].line, frames[0].line + 6);
}

TEST(Unwind, ACallToNullIsBlamedOnItsCaller) {
  const auto crash = crash_in_child(call_null);
  const auto& frames = crash.image->frames();
  ASSERT_GE(frames.size(), 2u);
  EXPECT_EQ(frames[0].address, 0u);
  EXPECT_EQ(index_of(frames, "call_null"), 1);
}

TEST(Unwind, AnInlinedFunctionHasAFrame) {
  const auto crash = crash_in_child(holds_inlined);
  const auto& frames = crash.image->frames();
  EXPECT_EQ(index_of(frames, "inlined_crash"), 0);
  EXPECT_EQ(index_of(frames, "holds_inlined"), 1);
  EXPECT_GT(frames[1].line, frames[0].line);
}

TEST(Unwind, GoesThroughAbort) {
  const auto crash = crash_in_child([] { std::abort(); });
  EXPECT_EQ(crash.signal, SIGABRT);
  EXPECT_NE(index_of(crash.image->frames(), "abort"), -1);
  EXPECT_NE(index_of(crash.image->frames(), "main"), -1);
}

#if defined(__x86_64__)
CRASH_FUNCTION int divide(int by) {
  volatile int one = 1;
  return one / by;
}

TEST(Unwind, NamesADivisionByZero) {
  const auto crash = crash_in_child([] { sink = divide(sink); });
  EXPECT_EQ(crash.signal, SIGFPE);
  EXPECT_EQ(index_of(crash.image->frames(), "divide"), 0);
}
#endif

TEST(Unwind, StopsAtTheLimit) {
  const auto crash = crash_in_child(outer_crash);
  EXPECT_EQ(unwind(*crash.image, 2).size(), 2u);
  EXPECT_TRUE(unwind(*crash.image, 0).empty());
  EXPECT_TRUE(unwind(*crash.image, -1).empty());
}

TEST(Unwind, AnImageWithoutAnythingIsOneFrame) {
  detail::StackImage image;
  image.registers.pc = 0x1234;
  ASSERT_EQ(image.frames().size(), 1u);
  EXPECT_EQ(image.frames()[0].address, 0x1234u);
}

TEST(Unwind, NamesWhatTheVdsoIs) {
  auto maps = os::maps_of(0);
  ASSERT_TRUE(maps);
  const auto at = maps->executable.find("[vdso]");
  if (at == std::string::npos) GTEST_SKIP() << "this kernel maps none";
  const auto line = maps->executable.rfind('\n', at) + 1;
  const std::uint64_t start = std::stoull(maps->executable.substr(line), nullptr, 16);
  bool named = false;
  for (std::uint64_t offset = 0x400; offset < 0x2000 && !named; offset += 16) {
    const std::uint64_t pc = start + offset;
    named = index_of(symbolise({&pc, 1}, maps->executable), "clock_gettime") == 0;
  }
  EXPECT_TRUE(named);
}

CRASH_FUNCTION int where_am_i(void** addresses, int most) {
  const int count = ::backtrace(addresses, most);
  sink = count;
  return count;
}

TEST(Symbolise, NamesReturnAddresses) {
  void* addresses[16];
  const int count = where_am_i(addresses, 16);
  std::vector<std::uint64_t> pcs;
  for (int i = 0; i < count; ++i) pcs.push_back(reinterpret_cast<std::uintptr_t>(addresses[i]));
  auto maps = os::maps_of(0);
  ASSERT_TRUE(maps);
  EXPECT_NE(index_of(symbolise(pcs, maps->executable), "where_am_i"), -1);
  EXPECT_TRUE(symbolise({}, maps->executable).empty());
}

TEST(DescribeAddress, NamesAFunctionAndItsSource) {
  const std::string text = describe_address(reinterpret_cast<const void*>(&outer_crash));
  EXPECT_NE(text.find("outer_crash() (unwind_test.cc:"), std::string::npos) << text;
  EXPECT_EQ(describe_address(reinterpret_cast<const void*>(&outer_crash)), text);
  EXPECT_EQ(describe_address(nullptr), "0x0");
}

TEST(Unwind, EightThreadsAskForOneStack) {
  const auto crash = crash_in_child(outer_crash);
  CrashReport report;
  report.stack_image = crash.image;
  std::vector<std::thread> threads;
  std::vector<const std::vector<Frame>*> seen(8);
  for (auto& one : seen) threads.emplace_back([&one, report] { one = &report.native_stack(); });
  for (auto& thread : threads) thread.join();
  for (const auto* one : seen) EXPECT_EQ(one, seen[0]);
  EXPECT_EQ(index_of(*seen[0], "inner_crash"), 0);
  testing::expect_no_zombie();
}

TEST(Unwind, EightThreadsAskForStacksOfTheirOwn) {
  const auto crash = crash_in_child(outer_crash);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(index_of(unwind(*crash.image), "inner_crash"), 0); });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace hotspare::death
