#include "death/signal_name.hpp"

#include <gtest/gtest.h>
#include <signal.h>

namespace hotspare::death {
namespace {

TEST(SignalName, NamesWhatHasAName) {
  EXPECT_EQ(signal_name(SIGSEGV), "SIGSEGV");
  EXPECT_EQ(signal_name(SIGKILL), "SIGKILL");
  EXPECT_EQ(signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
  EXPECT_EQ(signal_name(1000), "signal 1000");
}

TEST(SignalName, TellsTheKernelsReason) {
  EXPECT_EQ(fault_reason(SIGSEGV, SEGV_MAPERR), "address not mapped");
  EXPECT_EQ(fault_reason(SIGSEGV, SI_USER), "");
}

}  // namespace
}  // namespace hotspare::death
