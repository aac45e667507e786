#include "bare.hpp"
#include "groups.hpp"

#include <hotspare/hotspare.hpp>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

/// 100 MB one way, from submit to get, when the pool's segments are warm.
namespace bench {
namespace {

constexpr std::size_t size = 100'000'000;

/// This process's own bytes, written once. The worker has its own.
std::vector<char>& warm_bytes() {
  static std::vector<char> bytes(size, 'x');
  return bytes;
}

/// Reads one byte of each cache line.
template <class Bytes>
std::uint64_t sum(const Bytes& bytes) {
  std::uint64_t total = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 64) total += static_cast<unsigned char>(bytes[at]);
  return total;
}

hotspare::Buffer buffer_result() {
  const auto& source = warm_bytes();
  hotspare::Buffer buffer = hotspare::Buffer::make(size);
  std::memcpy(buffer.data(), source.data(), size);
  return buffer;
}
/// By reference: only the way to the caller is measured, not the making of a vector.
const std::vector<char>& vector_result() { return warm_bytes(); }
std::uint64_t buffer_argument(const hotspare::Buffer& buffer) { return sum(buffer.as<char>()); }
std::uint64_t span_argument(std::span<const char> bytes) { return sum(bytes); }
std::uint64_t vector_argument(const std::vector<char>& bytes) { return sum(bytes); }

double gb_per_second(const std::function<void()>& once) {
  const std::int64_t start = now_ns();
  once();
  return static_cast<double>(size) / static_cast<double>(now_ns() - start);
}

/// Both in turns; the first rounds only warm memory up.
void compare(Run& run, const std::string& name, const std::function<void()>& pooled, const std::string& limit_name,
             const std::function<void()>& bare) {
  Samples value;
  Samples limit;
  const int warm_up = 3;
  for (int i = 0; i < run.rounds(11, 3) + warm_up; ++i) {
    const double of_bare = gb_per_second(bare);
    const double of_pool = gb_per_second(pooled);
    if (i < warm_up) continue;
    limit.add(of_bare);
    value.add(of_pool);
  }
  run.report.add({name, value.p50(), "GB/s", {limit_name, limit.p50()}, {}});
}

void copy_fresh() {
  void* fresh = std::malloc(size);
  std::memcpy(fresh, warm_bytes().data(), size);
  keep(fresh);
  std::free(fresh);
}

void expect(std::uint64_t total) {
  if (total != (size + 63) / 64 * 'x') throw hotspare::Error("payload_100mb: a wrong sum");
}

}  // namespace

void payload_100mb(Run& run) {
  hotspare::Pool pool({.workers = 1});
  // The groups that follow fork this process: with 100 MB more each of their forks would take milliseconds.
  const std::unique_ptr<void, void (*)(void*)> at_end(&warm_bytes(),
                                                      [](void*) { std::vector<char>().swap(warm_bytes()); });
  const std::vector<char>& source = warm_bytes();
  std::vector<char> target(size, 'y');
  const auto copy_warm = [&] {
    std::memcpy(target.data(), source.data(), size);
    keep(target);
  };
  const auto sum_warm = [&] { expect(sum(source)); };
  const hotspare::Buffer given = pool.buffer(size);
  std::memcpy(given.data(), source.data(), size);

  const std::string warm = "memcpy, warm to warm";
  const std::string fresh = "malloc and memcpy, warm to fresh";
  compare(
      run, "100 MB result, Buffer filled by the task", [&] { keep(pool.submit(buffer_result).get()); }, warm,
      copy_warm);
  compare(
      run, "100 MB argument, Buffer, summed by the task", [&] { expect(pool.submit(buffer_argument, given).get()); },
      "the same sum in this process", sum_warm);
  compare(
      run, "100 MB argument, span, summed by the task",
      [&] { expect(pool.submit(span_argument, std::span<const char>(source)).get()); }, warm, copy_warm);
  compare(
      run, "100 MB result, vector<char>", [&] { keep(pool.submit(vector_result).get()); }, fresh, copy_fresh);
  compare(
      run, "100 MB argument, vector<char>, summed by the task",
      [&] { expect(pool.submit(vector_argument, source).get()); }, fresh, copy_fresh);
}

}  // namespace bench
