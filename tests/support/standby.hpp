#pragma once

#include "support/beacon.hpp"
#include "support/test_pool.hpp"
#include "support/under_tsan.hpp"

#include <hotspare/chaos.hpp>
#include <hotspare/standby.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <type_traits>
#include <unistd.h>

/// Processors whose answers show whether their state is right, and a saboteur that strikes one replica from within.
namespace hotspare::testing {

/// Words of the saboteur's beacon.
enum SabotageWord : std::size_t { victim_word, way_word, struck_word };

/// In a replica: strikes when the saboteur has named this process. Who is struck tells so first.
class Sabotage {
 public:
  explicit Sabotage(const std::string& beacon) : beacon_(beacon) {}
  void maybe_strike() {
    if (beacon_.told(victim_word) != static_cast<std::uint64_t>(::getpid())) return;
    beacon_.tell(0, victim_word);
    beacon_.add(1, struck_word);
    chaos::strike(static_cast<chaos::How>(beacon_.told(way_word)));
  }

 private:
  Beacon beacon_;
};

struct Word {
  std::uint64_t value = 0;
  static Word from(std::span<const std::byte> bytes) {
    Word word;
    std::memcpy(&word.value, bytes.data(), sizeof word.value);
    return word;
  }
  void to(std::span<std::byte> bytes) const { std::memcpy(bytes.data(), &value, sizeof value); }
};

/// Each answer depends on all blocks before it: the whole history in one number.
class PlainChain {
 public:
  explicit PlainChain(const std::string& beacon) : sabotage_(beacon) {}
  static std::uint64_t next(std::uint64_t state, std::uint64_t in) { return (state ^ in) * 0x100000001b3 + 1; }
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    sabotage_.maybe_strike();
    state_ = next(state_, Word::from(in).value);
    Word{state_}.to(out);
  }

 protected:
  std::uint64_t state_ = 0;

 private:
  Sabotage sabotage_;
};

class SavedChain : public PlainChain {
 public:
  using PlainChain::PlainChain;
  std::size_t save(std::span<std::byte> room) const {
    Word{state_}.to(room);
    return sizeof state_;
  }
  void load(std::span<const std::byte> state) { state_ = Word::from(state).value; }
};

/// New replicas are forked by others. But under ThreadSanitizer, which has a thread of its own in each process, that a fork would
/// leave behind: there they are given the state.
using Chain = std::conditional_t<under_tsan(), SavedChain, PlainChain>;

/// Each answer depends on the last four blocks.
class Window {
 public:
  static constexpr unsigned blocks = 4;
  explicit Window(const std::string& beacon) : sabotage_(beacon) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    sabotage_.maybe_strike();
    last_.push_back(Word::from(in).value);
    if (last_.size() > blocks) last_.pop_front();
    Word{of(last_)}.to(out);
  }
  static std::uint64_t of(const std::deque<std::uint64_t>& last) {
    std::uint64_t sum = 0;
    for (const std::uint64_t each : last) sum = sum * 31 + each;
    return sum;
  }

 private:
  std::deque<std::uint64_t> last_;
  Sabotage sabotage_;
};

/// No state.
class Twice {
 public:
  explicit Twice(const std::string& beacon) : sabotage_(beacon) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    sabotage_.maybe_strike();
    Word{2 * Word::from(in).value}.to(out);
  }

 private:
  Sabotage sabotage_;
};

/// What each of them should answer, computed here.
class Expected {
 public:
  void take(std::uint64_t in) {
    chain = Chain::next(chain, in);
    twice = 2 * in;
    last_.push_back(in);
    if (last_.size() > Window::blocks) last_.pop_front();
    window = Window::of(last_);
  }
  std::uint64_t chain = 0;
  std::uint64_t window = 0;
  std::uint64_t twice = 0;

 private:
  std::deque<std::uint64_t> last_;
};

inline StandbyOptions small_channel(StandbyMode mode) {
  StandbyOptions options;
  options.bytes_in = sizeof(std::uint64_t);
  options.bytes_out = sizeof(std::uint64_t);
  options.period = std::chrono::milliseconds(2);
  options.history = 65536;  // tests send without a pause: many blocks pass while somebody hangs
  options.mode = mode;
  options.start = start_method();
  options.replica_stderr = Stderr::capture;
  return options;
}

}  // namespace hotspare::testing
