// A source of every test binary that is to fail when it leaves something behind. Not in the library test_support: a linker
// drops what nobody refers to.
#include "support/leftovers.hpp"

namespace {
const auto* const leftovers = testing::AddGlobalTestEnvironment(new hotspare::testing::Leftovers);
}
