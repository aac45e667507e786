#pragma once

#include "os/shared_file.hpp"

#include <hotspare/segment_info.hpp>

/// What follows from what was seen; the doing is elsewhere.
namespace hotspare::registry {

/// How a registered segment stands. The lock alone decides, not the owner: others may use what he left, and a process that
/// is dying has its memory until the kernel has taken it away.
constexpr SegmentState state_of(os::Locked locked) {
  return locked == os::Locked::shared ? SegmentState::used : SegmentState::orphaned;
}

/// What to do about a name that is taken, when somebody wants it.
enum class Taken : unsigned char {
  remove,  ///< An orphan.
  refuse,  ///< In use.
  wait,    ///< Somebody is removing it.
  again,   ///< The name means something else by now.
};
/// got: we have the lock alone. others: how others have it, if not.
constexpr Taken decide_taken(bool got, bool still_named, os::Locked others) {
  if (got) return still_named ? Taken::remove : Taken::again;
  if (others == os::Locked::alone) return Taken::wait;
  return others == os::Locked::shared ? Taken::refuse : Taken::again;
}

/// Whether collect may remove what has no lock: not while somebody who never registered maps it.
constexpr bool may_collect(SegmentState state, bool mapped_by_strangers) {
  return state == SegmentState::orphaned && !mapped_by_strangers;
}

/// The same for what nobody registered: only if wished, and if every process could be looked into.
constexpr bool may_collect_unregistered(bool wished, bool has_users, bool users_known) {
  return wished && !has_users && users_known;
}

}  // namespace hotspare::registry
