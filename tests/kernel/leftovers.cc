#include "support/leftovers.hpp"

namespace {
const auto* const leftovers = testing::AddGlobalTestEnvironment(new hotspare::testing::Leftovers);
}
