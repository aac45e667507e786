#pragma once

#include "standby/claims.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>

/// Blocks that kill: which of them are left out.
namespace hotspare::standby {

/// How much a death in a block says against it.
enum class Blame : unsigned {
  none = 0,
  from_outside = 1,  ///< SIGKILL: the processor may have sent it to itself, again and again.
  its_own = 2,
};

/// The deaths in each block.
class FatalBlocks {
 public:
  /// True: it has killed enough for that to be no chance.
  bool died_in(std::uint64_t block, Blame blame) {
    unsigned& points = points_[block];
    points += static_cast<unsigned>(blame);
    const bool enough = points >= 2 * static_cast<unsigned>(Blame::its_own);
    if (points_.size() > most) points_.erase(points_.begin());
    return enough;
  }
  bool has_killed(std::uint64_t block) const { return points_.count(block) != 0; }
  /// 0: none.
  std::uint64_t latest() const { return points_.empty() ? 0 : points_.rbegin()->first; }
  void forget(std::uint64_t block) { points_.erase(block); }

 private:
  static constexpr std::size_t most = 64;
  std::map<std::uint64_t, unsigned> points_;
};

/// How somebody who lives stands to a block.
enum class Stand : std::uint8_t {
  before,   ///< He has not begun it, and will see its mark when he does.
  unknown,  ///< He may be in it, or his state may have it.
  has_it,   ///< His state is that after it, or after a later one.
};
constexpr Stand stand_of(const Claim& claim, std::uint64_t block, bool gets_a_state) {
  if (claim.done >= block) return Stand::has_it;
  return gets_a_state || claim.begun >= block ? Stand::unknown : Stand::before;
}

enum class Decision : std::uint8_t { wait, keep, leave_out };
/// Who comes must do as those do who live: answers that others gave have the block or have it not.
inline Decision decide_about(std::span<const Stand> living) {
  const auto any = [living](Stand stand) { return std::find(living.begin(), living.end(), stand) != living.end(); };
  if (any(Stand::has_it)) return Decision::keep;
  return any(Stand::unknown) ? Decision::wait : Decision::leave_out;
}

}  // namespace hotspare::standby
