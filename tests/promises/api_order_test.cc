#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <unistd.h>
#include <vector>

/// First in, first out: handing tasks over early must not let the later ones begin first.
namespace hotspare::testing {
namespace {

int note_knock_and_pass(const std::string& ledger, int id, const std::string& knock_at, const std::string& pass_at) {
  Ledger::note(ledger, static_cast<std::size_t>(id));
  return knock_and_pass(knock_at, pass_at);
}

/// As many as there are workers begin, and they are the first that were submitted, however the workers come.
void expect_first_begin(Pool& pool, int workers, int tasks) {
  Ledger ledger(static_cast<std::size_t>(tasks));
  Gate knock;
  Gate pass;
  std::vector<Future<int>> futures;
  for (int id = 0; id < tasks; ++id)
    futures.push_back(pool.submit(note_knock_and_pass, ledger.path(), id, knock.path(), pass.path()));
  knock.await(workers);
  for (int id = 0; id < tasks; ++id) EXPECT_EQ(ledger.runs(static_cast<std::size_t>(id)), id < workers ? 1 : 0) << id;
  pass.open(tasks);
  knock.await(tasks - workers);
  for (auto& future : futures) future.get();
}

TEST(ApiOrder, InAPoolWhoseWorkersAreStillComing) {
  for (const unsigned workers : {2u, 3u, 4u}) {
    PoolOptions options = small_pool();
    options.workers = workers;
    Pool pool(options);
    expect_first_begin(pool, static_cast<int>(workers), 12);
  }
}

TEST(ApiOrder, InAPoolThatGrows) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.spares = 0;
  Pool pool(options);
  pool.submit([] {}).wait();
  pool.resize(3);
  expect_first_begin(pool, 3, 9);
}

TEST(ApiOrder, WhileTheDeadAreReplaced) {
  PoolOptions options = small_pool();
  options.spares = 0;
  Pool pool(options);
  for (int round = 0; round < 5; ++round) {
    for (const std::int64_t pid : pool.started_pids(2)) ::kill(static_cast<pid_t>(pid), SIGKILL);
    expect_first_begin(pool, 2, 8);
  }
}

/// One that was handed to a worker early does not wait for that worker's running task while all others pass it by.
TEST(ApiOrder, NobodyWaitsBehindALongOne) {
  constexpr int tasks = 400;
  Pool pool(small_pool());
  pool.started_pids(2);
  Gate begun;
  Gate end;
  Gate knock;
  Gate pass;
  auto long_one = pool.submit(knock_and_pass, begun.path(), end.path());
  begun.await();
  Ledger ledger(tasks);
  std::vector<Future<int>> futures;
  for (int id = 0; id < tasks; ++id)
    futures.push_back(pool.submit(note_knock_and_pass, ledger.path(), id, knock.path(), pass.path()));
  for (int done = 0; done < tasks / 2; ++done) {
    knock.await();
    pass.open();
  }
  for (int id = 0; id < tasks / 10; ++id) EXPECT_EQ(ledger.runs(static_cast<std::size_t>(id)), 1) << id;
  pass.open(tasks - tasks / 2);
  knock.await(tasks - tasks / 2);
  end.open();
  for (auto& future : futures) future.get();
  EXPECT_EQ(long_one.get(), 1);
}

}  // namespace
}  // namespace hotspare::testing
