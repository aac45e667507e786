// Counts what a block allocates, malloc included: plug-ins are C. A program of its own, as it stands in for malloc.

#include "chain_processor.hpp"
#include "direct_processor.hpp"
#include "test_support/blocks.hpp"
#include "test_support/installed.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void __libc_free(void* memory);
}

namespace {
std::atomic<bool> counting{false};
std::atomic<unsigned> calls{0};
void count() {
  if (counting.load(std::memory_order_relaxed)) calls.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

extern "C" {
void* malloc(std::size_t size) { return count(), __libc_malloc(size); }
void* calloc(std::size_t number, std::size_t size) { return count(), __libc_calloc(number, size); }
void* realloc(void* memory, std::size_t size) { return count(), __libc_realloc(memory, size); }
void free(void* memory) { return count(), __libc_free(memory); }
}

namespace hotspare::audio {
namespace {

unsigned calls_in_blocks(const ChainSpec& spec) {
  ChainProcessor processor(spec);
  testing::MadeUpBlocks blocks(spec);
  AlignedArray<std::byte> out(BlockLayout(spec).out_bytes());
  calls = 0;
  for (int i = 0; i < 200; ++i) {
    const auto in = blocks.next();
    counting = true;
    processor.process(in, out);
    counting = false;
  }
  return calls;
}

TEST(NoAllocation, TheCountSeesPluginsToo) {
  HOTSPARE_NEEDS_PLUGIN(testing::equalizer_mono);
  Lv2Chain chain({.plugins = {{.uri = testing::equalizer_mono}}});
  calls = 0;
  counting = true;
  chain.state(0);
  counting = false;
  EXPECT_GE(calls, 1U);
}

TEST(NoAllocation, InABlockOfAnEmptyChain) { EXPECT_EQ(calls_in_blocks({.midi_bytes = 256}), 0U); }

TEST(NoAllocation, InABlockOfRealPlugins) {
  HOTSPARE_NEEDS_PLUGIN(testing::equalizer_mono);
  HOTSPARE_NEEDS_PLUGIN(testing::reverb);
  HOTSPARE_NEEDS_PLUGIN(testing::transposer);
  HOTSPARE_NEEDS_PLUGIN(testing::piano);
  EXPECT_EQ(calls_in_blocks({.plugins = {{.uri = testing::equalizer_mono}, {.uri = testing::reverb}}}), 0U);
  EXPECT_EQ(calls_in_blocks({.plugins = {{.uri = testing::transposer}, {.uri = testing::piano}}, .midi_bytes = 256}),
            0U);
}

}  // namespace
}  // namespace hotspare::audio
