#include "support/standby.hpp"
#include "support/test_pool.hpp"

#include <hotspare/standby.hpp>

#include <gtest/gtest.h>

#include <cstring>

/// P10 needs its memory beforehand: what cannot be had is told when the channel is made.
namespace hotspare::testing {
namespace {

struct Copy {
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    std::memcpy(out.data(), in.data(), out.size());
  }
};

TEST(P10Memory, MoreThanThereIsIsRefusedWithTheSum) {
  StandbyOptions options;
  options.bytes_in = options.bytes_out = std::size_t{16} << 20;
  options.history = 65'536;
  options.period = std::chrono::milliseconds(1);
  options.start = start_method();
  try {
    const StandbyChannel<Copy> channel(options);
    FAIL() << "it was made";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("in all"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace hotspare::testing
