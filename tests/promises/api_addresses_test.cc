#include "support/test_pool.hpp"

#include <hotspare/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

/// Addresses of the host are refused at submit, with a sentence. What the compiler refuses is in tests/compile_fail.
namespace hotspare::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <class F>
void expect_refused(Pool& pool, F f, const std::string& what) {
  const Stats before = pool.stats();
  try {
    pool.submit(f, 1);
    ADD_FAILURE() << "was taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("address of this process's " + what));
    EXPECT_THAT(error.what(), HasSubstr("as an argument"));
    if (start_method() == Start::fork) {
      EXPECT_THAT(error.what(), HasSubstr("hotspare::inherited(pointer)"));
    }
  }
  EXPECT_EQ(pool.stats().submitted, before.submitted);
}

int global = 5;
int zeroed[1000];

/// No aggregate: the compiler does not see its members.
class Hidden {
 public:
  explicit Hidden(const int* p) : p_(p) {}
  int operator()(int x) const { return x * *p_; }

 private:
  const int* p_;
};

TEST(ApiAddresses, ReferencesToTheStack) {
  Pool pool(small_pool());
  int k = 10;
  std::vector<int> values{1, 2, 3};
  expect_refused(
      pool, [&](int x) { return x * k; }, "stack");
  expect_refused(
      pool, [&values](int x) { return static_cast<int>(values.size()) * x; }, "stack");
  expect_refused(
      pool, [p = &k, a = 1, b = 2.0](int x) { return static_cast<int>(x * *p * a * b); }, "stack");
  expect_refused(
      pool, [b = 2.0, c = 'x', p = &k](int x) { return static_cast<int>(x * *p * b) + c; }, "stack");
  expect_refused(pool, Hidden(&k), "stack");
}

TEST(ApiAddresses, PointersToTheHeap) {
  Pool pool(small_pool());
  const auto small = std::make_unique<int>(3);
  const std::vector<int> large(30'000'000);
  expect_refused(
      pool, [p = small.get()](int x) { return x * *p; }, "heap");
  expect_refused(
      pool, [p = large.data() + 20'000'000](int x) { return x * *p; }, "heap");
  const std::string text = "one that is long enough to lie on the heap";
  expect_refused(
      pool, [view = std::string_view(text)](int x) { return x + static_cast<int>(view.size()); }, "heap");
}

TEST(ApiAddresses, AnotherProgramsCodeIsElsewhere) {
  if (start_method() != Start::exec) GTEST_SKIP() << "a fork has it at the same place";
  Pool pool(small_pool());
  expect_refused(
      pool, [text = "abc"](int x) { return x + text[0]; }, "memory");
  expect_refused(
      pool, [p = &global](int x) { return x + *p; }, "memory");
}

class Counter {
 public:
  explicit Counter(Pool& pool) : pool_(pool) {}
  auto count() {
    return pool_.submit([this](int x) { return x + n_; }, 1);
  }

 private:
  Pool& pool_;
  int n_ = 0;
};

TEST(ApiAddresses, This) {
  Pool pool(small_pool());
  EXPECT_THROW(Counter(pool).count(), Error);
  EXPECT_THROW(std::make_unique<Counter>(pool)->count(), Error);
}

TEST(ApiAddresses, InMapsAndArguments) {
  Pool pool(small_pool());
  int k = 10;
  const std::vector<int> values{1, 2, 3};
  const auto read = [&] {
    for (const int each : pool.map([&](int x) { return x * k; }, values)) static_cast<void>(each);
  };
  EXPECT_THROW(read(), Error);
  EXPECT_THROW(pool.submit([](Hidden hidden) { return hidden(1); }, Hidden(&k)), Error);
  const std::vector<Hidden> all{Hidden(&k)};
  const auto read_all = [&] {
    for (const int each : pool.map([](Hidden hidden) { return hidden(1); }, all)) static_cast<void>(each);
  };
  EXPECT_THROW(read_all(), Error);
}

TEST(ApiAddresses, AnotherThreadsMemory) {
  PoolOptions options = small_pool();
  Pool pool(options);
  std::thread([&pool] {
    int k = 10;
    expect_refused(
        pool, [&](int x) { return x * k; }, "stack");
    const auto there = std::make_unique<int>(1);
    expect_refused(
        pool, [p = there.get()](int x) { return x * *p; }, "heap");
  }).join();
}

TEST(ApiAddresses, NumbersAreNone) {
  Pool pool(small_pool());
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1'000'000}, std::int64_t{1} << 62,
                                    std::int64_t{1'700'000'000'000'000'000}})
    EXPECT_EQ(pool.submit([number](int) { return number; }, 1).get(), number);
  for (const double number : {0.0, 1.5, -1e300, 1e-300})
    EXPECT_EQ(pool.submit([number](int) { return number; }, 1).get(), number);
  const std::array<char, 24> text{"the quick brown fox"};
  EXPECT_EQ(pool.submit([text](int) { return std::string(text.data()); }, 1).get(), "the quick brown fox");
}

struct Padded {
  bool flag;
  double value;
  double operator()(int x) const { return flag ? x * value : 0; }
};

TEST(ApiAddresses, WhatLiesInPaddingIsNone) {
  Pool pool(small_pool());
  int k = 1;
  alignas(Padded) std::byte room[sizeof(Padded)];
  const auto address = reinterpret_cast<std::uintptr_t>(&k);
  std::memcpy(room, &address, sizeof address);
  auto* padded = reinterpret_cast<Padded*>(room);
  padded->flag = true;
  padded->value = 2;
  const std::byte lowest = room[0];
  std::memcpy(room, &address, sizeof address);
  room[0] = lowest;
  EXPECT_EQ(pool.submit(*padded, 4).get(), 8);
}

TEST(ApiAddresses, StaticObjectsAreInheritedAsTheyAre) {
  if (start_method() != Start::fork) GTEST_SKIP() << "another program's are elsewhere";
  Pool pool(small_pool());
  EXPECT_EQ(pool.submit([p = &global](int x) { return x * *p; }, 2).get(), 10);
  EXPECT_EQ(pool.submit([p = &zeroed[500]](int x) { return x + *p; }, 2).get(), 2);
  EXPECT_EQ(pool.submit([text = "abc"](int) { return std::string(text); }, 2).get(), "abc");
}

TEST(ApiAddresses, SharedMemoryIsInheritedAsItIs) {
  if (start_method() != Start::fork) GTEST_SKIP() << "another program has none of it";
  void* room = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* shared = new (room) std::int64_t(0);
  Pool pool(small_pool());
  pool.submit([shared](int x) { *shared = x; }, 7).get();
  EXPECT_EQ(*shared, 7);
  ::munmap(room, 4096);
}

TEST(ApiAddresses, WhatIsMeantIsInherited) {
  if (start_method() != Start::fork) GTEST_SKIP() << "another program inherits nothing";
  std::vector<int> table(1000, 3);
  const int k = 4;
  Pool pool(small_pool());
  table.assign(1000, 9);
  const auto there = hotspare::inherited(&table);
  EXPECT_EQ(pool.submit([there, p = hotspare::inherited(&k)](int x) { return there->at(500) + *p + x; }, 1).get(), 8);
  EXPECT_EQ(pool.submit([first = hotspare::inherited(table.data())](int x) { return first[7] + x; }, 1).get(), 4);
}

}  // namespace
}  // namespace hotspare::testing
