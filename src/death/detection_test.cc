#include "death/detection.hpp"

#include <gtest/gtest.h>

namespace hotspare::death {
namespace {

struct Row {
  const char* name;
  EndedBy ended_by;
  std::int64_t words_at;
  std::int64_t struck_at;
  std::int64_t due_at;
  std::optional<std::int64_t> detection;
};

class Detection : public testing::TestWithParam<Row> {};

/// Asked for at 100, noticed at 1000.
TEST_P(Detection, Table) {
  Evidence evidence;
  evidence.ended_by = GetParam().ended_by;
  evidence.words_at = GetParam().words_at;
  evidence.struck_at = GetParam().struck_at;
  evidence.due_at = GetParam().due_at;
  EXPECT_EQ(detection(evidence, 100, 1000), GetParam().detection);
}

constexpr auto nobody = EndedBy::nobody;

INSTANTIATE_TEST_SUITE_P(, Detection,
                         testing::Values(Row{"NothingIsKnown", nobody, 0, 0, 0, std::nullopt},
                                         Row{"ItsOwnHandlerNotedIt", nobody, 990, 0, 0, 10},
                                         Row{"AtOnce", nobody, 1000, 0, 0, 0},
                                         Row{"NotedBeforeItsBirth", nobody, 99, 0, 0, std::nullopt},
                                         Row{"NotedInTheFuture", nobody, 1001, 0, 0, std::nullopt},
                                         Row{"NotedBeforeTime", nobody, -5, 0, 0, std::nullopt},
                                         Row{"WeStruck", nobody, 0, 960, 0, 40},
                                         Row{"WeStruckOneThatWasDying", nobody, 950, 960, 0, 50},
                                         Row{"WeStruckOneThatNotesNonsense", nobody, 5000, 960, 0, 40},
                                         Row{"ALimitPassed", EndedBy::deadline, 0, 0, 700, 300},
                                         Row{"ALimitPassedAndItDiedOfOurSignal", EndedBy::deadline, 999, 0, 700, 300},
                                         Row{"ALimitOfUnknownInstant", EndedBy::deadline, 999, 0, 0, std::nullopt},
                                         Row{"WeCancelledIt", EndedBy::cancel, 999, 0, 0, std::nullopt},
                                         Row{"ItMadeRoomForOthers", EndedBy::pressure, 999, 0, 0, std::nullopt}),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace hotspare::death
