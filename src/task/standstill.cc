#include "task/standstill.hpp"

namespace hotspare::task {

bool Standstill::found(Candidate& candidate, std::int64_t now) noexcept {
  Account& account = candidate.account;
  if (account.empty()) return false;
  // One whose result nobody has fetched yet has moved: it is at another one by now.
  const Claim claim = account.look(account.head());
  const bool moved = claim == Claim::finished || claim == Claim::passed;
  if (!moved && now - candidate.progressed_at >= still_ns) return true;
  wanted_ = true;
  return false;
}

}  // namespace hotspare::task
