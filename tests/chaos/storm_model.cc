#include "chaos/storm_model.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <numeric>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

namespace hotspare::testing {
namespace {

constexpr std::size_t table_bytes = RunTable::most_tasks * sizeof(std::atomic<int>);

std::atomic<int>* map_table(int fd) {
  void* data = ::mmap(nullptr, table_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return data == MAP_FAILED ? nullptr : static_cast<std::atomic<int>*>(data);
}

std::vector<std::uint64_t> filled(std::uint64_t id, std::size_t count) {
  std::vector<std::uint64_t> values(count);
  std::iota(values.begin(), values.end(), id);
  return values;
}

std::uint64_t small_task(const std::string& table, std::uint64_t id) {
  RunTable::note_run(table, id);
  return expected_value(id);
}
std::vector<std::uint64_t> vector_task(const std::string& table, std::uint64_t id, std::size_t count) {
  RunTable::note_run(table, id);
  return filled(id, count);
}
Buffer buffer_task(const std::string& table, std::uint64_t id) {
  RunTable::note_run(table, id);
  Buffer buffer = Buffer::make(300'000);
  buffer.as<std::uint64_t>()[1000] = expected_value(id);
  return buffer;
}
std::uint64_t raising_task(const std::string& table, std::uint64_t id) {
  RunTable::note_run(table, id);
  throw std::out_of_range(std::to_string(id));
}
std::uint64_t faulting_task(const std::string& table, std::uint64_t id) {
  RunTable::note_run(table, id);
  ::raise(SIGSEGV);
  return 0;
}
std::uint64_t summing_task(const std::string& table, std::uint64_t id, std::span<const std::uint64_t> values) {
  RunTable::note_run(table, id);
  return values.front() == id && values.back() == id + values.size() - 1 ? expected_value(id) : 0;
}

/// One submitted task and how to look at what came of it.
struct Flying {
  std::uint64_t id;
  std::function<void(Flying&, const RunTable&, StormResult&)> check;
  bool faults = false;
};

template <class R, class Check>
Flying fly(std::uint64_t id, Future<R> future, Check good) {
  return {id,
          [future, good](Flying& self, const RunTable& table, StormResult& result) {
            const Outcome<R> outcome = future.outcome();
            const int runs = table.runs(self.id);
            EXPECT_LE(runs, 1) << "task " << self.id << " ran twice";
            switch (outcome.kind()) {
              case Outcome<R>::Kind::value:
                ++result.values;
                EXPECT_EQ(runs, 1) << "a value of a task that never ran";
                EXPECT_TRUE(good(outcome.value())) << "task " << self.id << " has another's value";
                break;
              case Outcome<R>::Kind::raised:
                ++result.raised;
                EXPECT_EQ(runs, 1);
                EXPECT_THROW(outcome.value(), std::out_of_range);
                break;
              case Outcome<R>::Kind::died:
                ++result.died;
                if (outcome.report()->signal == SIGSEGV && self.faults) {
                  ++result.faulted;
                  if (outcome.report()->evidence.ends_with("the kernel reports signal 9")) ++result.killed_too;
                } else {
                  EXPECT_EQ(outcome.report()->signal, SIGKILL) << outcome.report()->text();
                }
                EXPECT_EQ(outcome.report()->attempt, 1);
                break;
              default: ADD_FAILURE() << "task " << self.id << " neither ended nor died";
            }
          },
          false};
}

Flying submit_one(Pool& pool, const std::string& table, std::uint64_t id, Kind kind) {
  const auto is_expected = [id](std::uint64_t value) { return value == expected_value(id); };
  const auto is_filled = [id](const std::vector<std::uint64_t>& values) {
    return values == filled(id, values.size()) && !values.empty();
  };
  switch (kind) {
    case Kind::box: return fly(id, pool.submit(vector_task, table, id, std::size_t{1000}), is_filled);
    case Kind::segment: return fly(id, pool.submit(vector_task, table, id, std::size_t{20'000}), is_filled);
    case Kind::buffer:
      return fly(id, pool.submit(buffer_task, table, id),
                 [id](const Buffer& buffer) { return buffer.as<std::uint64_t>()[1000] == expected_value(id); });
    case Kind::raises: return fly(id, pool.submit(raising_task, table, id), is_expected);
    case Kind::big_argument: {
      const auto values = filled(id, 12'000);
      return fly(id, pool.submit(summing_task, table, id, std::span(values)), is_expected);
    }
    case Kind::faults: {
      Flying faulting = fly(id, pool.submit(faulting_task, table, id), [](std::uint64_t) { return false; });
      faulting.faults = true;
      return faulting;
    }
    case Kind::small:
    case Kind::count: break;
  }
  return fly(id, pool.submit(small_task, table, id), is_expected);
}

}  // namespace

RunTable::RunTable() {
  fd_ = ::memfd_create("runs", MFD_CLOEXEC);
  EXPECT_EQ(::ftruncate(fd_, table_bytes), 0);
  counts_ = map_table(fd_);
  path_ = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_);
}

RunTable::~RunTable() {
  ::munmap(counts_, table_bytes);
  ::close(fd_);
}

void RunTable::note_run(const std::string& path, std::size_t task) {
  static std::string mapped_path;
  static std::atomic<int>* mapped = nullptr;
  if (mapped_path != path) {
    if (mapped != nullptr) ::munmap(mapped, table_bytes);
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    mapped = map_table(fd);
    ::close(fd);
    mapped_path = path;
  }
  mapped[task].fetch_add(1);
}

std::uint64_t expected_value(std::uint64_t id) { return id * 0x9e3779b97f4a7c15 + 1; }

StormResult run_storm(Pool& pool, const RunTable& table, std::uint64_t seed, int tasks, bool faults) {
  std::mt19937_64 random(seed);
  std::vector<Flying> flying;
  for (int i = 0; i < tasks; ++i) {
    const auto drawn = static_cast<Kind>(random() % static_cast<unsigned>(Kind::count));
    const Kind kind = faults && i % 4 == 0 ? Kind::faults : drawn;
    flying.push_back(submit_one(pool, table.path(), static_cast<std::uint64_t>(i), kind));
  }
  std::shuffle(flying.begin(), flying.end(), random);
  StormResult result;
  for (Flying& task : flying) task.check(task, table, result);
  EXPECT_EQ(result.values + result.raised + result.died, tasks);
  return result;
}

}  // namespace hotspare::testing
