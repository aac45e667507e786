#include "os/own_addresses.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace hotspare::os {
namespace {

int with_value = 1;
int without_value[10000];

std::uintptr_t at(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

TEST(MemoryAt, KnowsTheStackFromTheHeap) {
  const int here = 1;
  const auto small = std::make_unique<int>(1);
  const std::vector<char> large(50'000'000);
  EXPECT_EQ(memory_at(at(&here)), Memory::stack);
  EXPECT_EQ(memory_at(at(small.get())), Memory::heap);
  EXPECT_EQ(memory_at(at(large.data()) + 40'000'000), Memory::heap);
  std::thread([] {
    const int there = 1;
    EXPECT_EQ(memory_at(at(&there)), Memory::stack);
  }).join();
}

TEST(MemoryAt, StaticObjectsAreTheModules) {
  for (const void* each : {static_cast<const void*>(&with_value), static_cast<const void*>(&without_value[9999]),
                           static_cast<const void*>("text")}) {
    const Memory found = memory_at(at(each));
    EXPECT_TRUE(found == Memory::module || found == Memory::program);
  }
}

TEST(MemoryAt, WhatIsMappedLaterIsFound) {
  const auto size = static_cast<std::size_t>(::getpagesize());
  for (int i = 0; i < 10; ++i) {
    void* shared = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    EXPECT_NE(memory_at(at(shared)), Memory::none);
    ::munmap(shared, size);
  }
}

TEST(MemoryAt, NumbersAreNoAddresses) {
  for (const std::uintptr_t each : {std::uintptr_t{0}, std::uintptr_t{1}, std::uintptr_t{1'000'000},
                                    std::uintptr_t{1'700'000'000}, ~std::uintptr_t{0}})
    EXPECT_EQ(memory_at(each), Memory::none) << each;
  for (const double each : {0.0, 1.0, -1e300, 3.14, 1e-3}) {
    std::uintptr_t bits = 0;
    static_assert(sizeof bits == sizeof each);
    std::memcpy(&bits, &each, sizeof bits);
    EXPECT_EQ(memory_at(bits), Memory::none) << each;
  }
}

}  // namespace
}  // namespace hotspare::os
