#include <hotspare/detail/task_ref.hpp>
#include <hotspare/error.hpp>

#include <gtest/gtest.h>

#include <sys/mman.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace hotspare::detail {
namespace {

int here(int x) { return x + 1; }

template <class F>
void expect_there_and_back(F* function) {
  const auto* address = reinterpret_cast<const void*>(function);
  const FunctionRef reference = locate(address);
  EXPECT_NE(reference.module, 0u);  // 0 means: no function
  EXPECT_EQ(resolve(reference), address);
}

TEST(Functions, ThereAndBackInEveryModule) {
  expect_there_and_back(&here);
  expect_there_and_back(&std::puts);
  expect_there_and_back(static_cast<double (*)(double)>(&std::sin));
  expect_there_and_back(&resolve);
  EXPECT_NE(locate(reinterpret_cast<const void*>(&here)).module,
            locate(reinterpret_cast<const void*>(&std::puts)).module);
}

TEST(Functions, CodeOutsideEveryModuleIsRefused) {
  void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_THROW(locate(page), Error);
  EXPECT_THROW(locate(nullptr), Error);
  ::munmap(page, 4096);
}

/// What comes out of shared memory may be anything.
TEST(Functions, NonsenseIsRefused) {
  EXPECT_THROW(resolve({0, 0}), Error);
  EXPECT_THROW(resolve({12345, 0}), Error);
  FunctionRef outside = locate(reinterpret_cast<const void*>(&here));
  outside.offset = std::uint64_t{1} << 40;
  EXPECT_THROW(resolve(outside), Error);
  outside.offset = ~std::uint64_t{0};
  EXPECT_THROW(resolve(outside), Error);
  EXPECT_NO_THROW(resolve(locate(reinterpret_cast<const void*>(&here))));
}

TEST(Functions, FromManyThreads) {
  std::vector<std::thread> threads;
  for (int part = 0; part < 4; ++part) {
    threads.emplace_back([] {
      for (int i = 0; i < 500; ++i) {
        expect_there_and_back(&here);
        expect_there_and_back(&std::puts);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace hotspare::detail
