#include "support/leftovers.hpp"
#include "support/refuse_memory.hpp"
#include "support/sanitizer.hpp"
#include "support/standby.hpp"
#include "support/test_pool.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

/// P2, whatever allocation finds no memory: the host lives, each task settles, by what it should be or by an error that says so,
/// a shutdown ends, and nothing is left.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

int value(int x) { return x; }
std::string text(int bytes) { return std::string(static_cast<std::size_t>(bytes), 'x'); }
int crash() { std::abort(); }
int hang() {
  for (;;) ::pause();
}
int raise() { throw std::runtime_error("as it should"); }

/// What else than its own outcome a task may end with.
bool is_for_memory(const std::exception_ptr& error) {
  if (error == nullptr) return false;
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    return true;
  } catch (const std::exception& other) {
    return std::string(other.what()).find("memory") != std::string::npos &&
           dynamic_cast<const WorkerDied*>(&other) == nullptr;
  }
}

/// Waits, as often as there is no memory for a wait.
template <class R>
Outcome<R> settled(const Future<R>& future) {
  for (;;) try {
      future.wait();
      const Spared here;
      return future.outcome();
    } catch (const std::bad_alloc&) {
    }
}

using Kind = Outcome<int>::Kind;

template <class R>
void expect_end(const Future<R>& future, typename Outcome<R>::Kind kind, const char* what) {
  if (!future.valid()) return;  // there was no memory to submit it
  const auto outcome = settled(future);
  const Spared here;
  if (outcome.kind() == kind || is_for_memory(outcome.error())) return;
  ADD_FAILURE() << what << " ended as " << static_cast<int>(outcome.kind());
  try {
    if (outcome.error()) std::rethrow_exception(outcome.error());
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

template <class Submit>
auto submitted(Submit submit) -> decltype(submit()) {
  try {
    return submit();
  } catch (const std::bad_alloc&) {
    return {};
  }
}

struct Options {
  PoolOptions pool;
  TaskOptions again, keyed, timed, tagged, patient;
};

Options make_options(std::atomic<int>& events) {
  Options all;
  all.pool = small_pool();
  all.pool.on_event = [&events](const Event&) { ++events; };
  all.pool.tags["few"].at_once = 1;
  all.again.retries.attempts = 2;
  all.again.retries.on_exception = true;
  all.again.retries.base = 1ms;
  all.keyed = all.again;
  all.keyed.key = "a key that is too long to be kept in a string itself";
  all.timed.timeout = 20ms;
  all.tagged.tags = {"few"};
  all.patient.queue_timeout = 1h;
  return all;
}

/// Some of all that a pool does.
void live(const Options& options) {
  std::atomic<int> called{0};
  Pool pool([&] {
    const Spared here;
    return Pool(options.pool);
  }());
  std::vector<Future<int>> values;
  {
    const Spared here;
    values.reserve(8);
  }
  for (int i = 0; i < 4; ++i) values.push_back(submitted([&] { return pool.submit(options.patient, value, i); }));
  for (int i = 0; i < 4; ++i) values.push_back(submitted([&] { return pool.submit(options.tagged, value, i); }));
  const auto small = submitted([&] { return pool.submit(text, 3'000); });
  const auto large = submitted([&] { return pool.submit(text, 400'000); });
  const auto dead = submitted([&] { return pool.submit(crash); });
  const auto dead_again = submitted([&] { return pool.submit(options.keyed, crash); });
  const auto raised = submitted([&] { return pool.submit(options.again, raise); });
  const auto late = submitted([&] { return pool.submit(options.timed, hang); });
  const auto told = submitted([&] { return pool.submit(value, 7); });
  bool asked = false;
  if (told.valid()) try {
      told.on_done([&called](const Future<int>&) { ++called; });
      asked = true;
    } catch (const std::bad_alloc&) {
    }
  for (const auto& future : values) expect_end(future, Kind::value, "a value");
  expect_end(small, Outcome<std::string>::Kind::value, "a small text");
  expect_end(large, Outcome<std::string>::Kind::value, "a large text");
  expect_end(dead, Kind::died, "a death");
  expect_end(dead_again, Kind::died, "a death after a retry");
  expect_end(raised, Kind::raised, "an exception");
  expect_end(late, Kind::died, "a deadline");
  expect_end(told, Kind::value, "one with a callback");
  const auto hung = submitted([&] { return pool.submit(hang); });
  if (hung.valid()) {
    hung.cancel(Cancel::kill);
    expect_end(hung, Kind::cancelled, "a cancelled one");
  }
  if (const auto zygote = static_cast<pid_t>(pool.zygote_pid()); zygote > 0) ::kill(zygote, SIGKILL);
  for (int i = 0; i < 3; ++i) expect_end(submitted([&] { return pool.submit(crash); }), Kind::died, "a late death");
  expect_end(submitted([&] { return pool.submit(value, 8); }), Kind::value, "a value after a zygote's death");
  const Spared here;
  pool.shutdown();
  EXPECT_EQ(called, asked ? 1 : 0);
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.submitted, stats.values + stats.raised + stats.died + stats.cancelled + stats.refused);
}

/// Some of all that a channel does: it is made, answers while its replicas are killed, and is closed.
void live(const StandbyOptions& options, const std::string& beacon) {
  auto channel = [&] {
    const Spared here;
    return std::make_unique<StandbyChannel<Twice>>(options, beacon);
  }();
  std::array<std::byte, sizeof(std::uint64_t)> in{};
  std::array<std::byte, sizeof(std::uint64_t)> out{};
  for (std::uint64_t block = 1; block <= 30; ++block) {
    Word{block}.to(in);
    const bool answered = channel->process(in, out) == BlockOutcome::answered;
    const Spared here;
    EXPECT_EQ(Word::from(out).value, answered ? 2 * block : Word::from(out).value);
    if (block % 10 == 0) channel->strike(chaos::How::sigkill);
  }
  const Spared here;
  channel->wait_in_step(options.replicas);
  EXPECT_EQ(channel->broken(), "");
}

enum class Whose : bool { engine, all };

/// With the n-th allocation refused, for each n until none is; some in a row.
template <class Live>
void sweep(Whose whose, long from, long step, long in_a_row, Live live) {
  live();  // what is made once is made
  const Belongings before = Belongings::now();
  for (long nth = from;; nth += step) {
    const RefuseMemory refuse(nth, in_a_row);
    if (whose == Whose::engine) {
      const Spared here;
      live();
    } else {
      live();
    }
    const Spared here;
    EXPECT_EQ(Belongings::now().children, before.children) << "n = " << nth;
    EXPECT_LE(Belongings::now().descriptors.size(), before.descriptors.size() + 4) << "n = " << nth;
    if (::testing::Test::HasFailure())
      FAIL() << "with allocation " << nth << " refused, and " << in_a_row - 1 << " more";
    if (!refuse.refused()) break;
  }
}

void sweep_pool(Whose whose, long from, long step, long in_a_row) {
  std::atomic<int> events{0};
  const Options options = make_options(events);
  sweep(whose, from, step, in_a_row, [&] { live(options); });
}
void sweep_channel(Whose whose, long from, long step, long in_a_row) {
  const Beacon beacon;
  std::atomic<int> events{0};
  StandbyOptions options = small_channel(StandbyMode::stateless);
  options.on_event = [&events](const Event&) { ++events; };
  sweep(whose, from, step, in_a_row, [&] { live(options, beacon.path()); });
}

class P2RefusedMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (sanitized()) GTEST_SKIP() << "the sanitizer has operators of its own";
  }
};

TEST_F(P2RefusedMemory, OfAPoolsThreads) { sweep_pool(Whose::engine, 3, 37, 1); }
TEST_F(P2RefusedMemory, OfAllThreads) { sweep_pool(Whose::all, 5, 41, 1); }

using LongP2RefusedMemory = P2RefusedMemory;
TEST_F(LongP2RefusedMemory, EachOfAPoolsThreads) { sweep_pool(Whose::engine, 1, 1, 1); }
TEST_F(LongP2RefusedMemory, EachOfAllThreads) { sweep_pool(Whose::all, 1, 1, 1); }
TEST_F(LongP2RefusedMemory, EachOfAChannelsThreads) { sweep_channel(Whose::engine, 1, 1, 1); }
TEST_F(LongP2RefusedMemory, ManyInARow) {
  for (const long in_a_row : {2, 7, 50}) {
    sweep_pool(Whose::engine, 1, 11, in_a_row);
    sweep_pool(Whose::all, 1, 13, in_a_row);
    sweep_channel(Whose::engine, 1, 11, in_a_row);
  }
}

}  // namespace
}  // namespace hotspare::testing
