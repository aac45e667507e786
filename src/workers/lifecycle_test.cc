#include "workers/lifecycle.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>

namespace hotspare::workers {
namespace {

TEST(Lifecycle, EveryStateAndEventAsMeant) {
  using S = State;
  using E = Event;
  // Said again by hand, by event: whoever changes the table must mean it twice.
  const std::map<std::pair<S, E>, S> allowed{
      {{S::asked, E::spawned}, S::starting},
      {{S::starting, E::ready}, S::spare},
      {{S::spare, E::promoted}, S::active},
      // Asked to go: at once, or, when it does not exist yet, as soon as it does.
      {{S::asked, E::retired}, S::asked},
      {{S::starting, E::retired}, S::leaving},
      {{S::spare, E::retired}, S::leaving},
      {{S::active, E::retired}, S::leaving},
      {{S::leaving, E::retired}, S::leaving},
      // A sign of death condemns whoever has not been reaped.
      {{S::asked, E::noticed}, S::condemned},
      {{S::starting, E::noticed}, S::condemned},
      {{S::spare, E::noticed}, S::condemned},
      {{S::active, E::noticed}, S::condemned},
      {{S::leaving, E::noticed}, S::condemned},
      {{S::condemned, E::noticed}, S::condemned},
      // Only the condemned are reaped, and those that never were.
      {{S::condemned, E::reaped}, S::gone},
      {{S::asked, E::reaped}, S::gone},
  };
  for (int s = 0; s < static_cast<int>(S::count); ++s) {
    for (int e = 0; e < static_cast<int>(E::count); ++e) {
      const auto state = static_cast<S>(s);
      const auto event = static_cast<E>(e);
      const auto found = allowed.find({state, event});
      const auto to = next(state, event);
      ASSERT_EQ(to.has_value(), found != allowed.end()) << "state " << s << ", event " << e;
      if (to) {
        EXPECT_EQ(*to, found->second) << "state " << s << ", event " << e;
      }
    }
  }
}

TEST(Lifecycle, OnlyTheActiveRunTasksAndOnlyTheStayingCount) {
  for (int s = 0; s < static_cast<int>(State::count); ++s) {
    const auto state = static_cast<State>(s);
    EXPECT_EQ(runs_tasks(state), state == State::active);
    EXPECT_EQ(counts(state),
              state == State::asked || state == State::starting || state == State::spare || state == State::active);
  }
}

TEST(Lifecycle, RefillNeverAsksForTooMany) {
  for (std::size_t wanted = 0; wanted < 40; ++wanted)
    for (std::size_t present = 0; present < 40; ++present)
      for (std::size_t asked = 0; asked < 20; ++asked) {
        const std::size_t more = refill(wanted, present, asked, 16);
        EXPECT_LE(present + more, std::max(wanted, present));
        EXPECT_LE(asked + more, std::max<std::size_t>(asked, 16));
        // Asks for all it may.
        EXPECT_TRUE(more != 0 || present >= wanted || asked >= 16);
      }
}

}  // namespace
}  // namespace hotspare::workers
