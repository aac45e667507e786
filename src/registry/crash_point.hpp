#pragma once

/// Places in the registry's protocol where a death was thought through (docs/decisions/026); the tests kill at each of
/// them. A label costs one load and one branch; it does nothing unless HOTSPARE_REGISTRY_CRASH_AT names it when a
/// SharedRegistry is made.
namespace hotspare::registry {

#define HOTSPARE_REGISTRY_CRASH_POINTS(X)                                           \
  X(create_nameless)       /* the file exists, without a name and a head */         \
  X(create_whole)          /* head written, memory taken, no lock */                \
  X(create_locked)         /* in use by us, still without a name */                 \
  X(create_orphan_locked)  /* the orphan that has the name is ours to remove */     \
  X(create_orphan_removed) /* the name is free, ours not there yet */               \
  X(create_named)          /* there for all, held by the nameless open() only */    \
  X(create_held_twice)     /* held by both */                                       \
  X(open_unlocked)         /* opened, not registered */                             \
  X(open_locked)           /* registered, not sure that the name still means it */  \
  X(rename_orphan_locked)  /* the orphan that has the new name is ours to remove */ \
  X(rename_orphan_removed) /* the new name is free */                               \
  X(rename_done)           /* renamed, the caller does not know */                  \
  X(grow_reserved)         /* memory taken */                                       \
  X(grow_zeroed)           /* what is behind the end is zeros, the size not told */ \
  X(grow_told)             /* size told, not mapped */                              \
  X(shrink_told)           /* size told, the pages not given back */                \
  X(drop_opened_again)     /* still in use, by the last open() too */               \
  X(drop_released)         /* no longer in use by us, the name still there */       \
  X(drop_locked)           /* the last user of all, the name still there */         \
  X(drop_removed)          /* the name is gone, the memory not yet */               \
  X(collect_chosen)        /* knows what is orphaned */                             \
  X(collect_locked)        /* an orphan is ours to remove */                        \
  X(collect_removed)       /* it is removed, the next ones not */

enum class CrashPoint : unsigned char {
#define HOTSPARE_NAME(name) name,
  HOTSPARE_REGISTRY_CRASH_POINTS(HOTSPARE_NAME)
#undef HOTSPARE_NAME
      count
};

const char* name(CrashPoint point) noexcept;

/// Reads HOTSPARE_REGISTRY_CRASH_AT="point[:one_in[:seed[:stop]]]", where point may be "any": die of SIGKILL there once in
/// so many passes, or with stop be stopped there, so that others come in between. Each death adds its point's name to the file HOTSPARE_CRASH_LOG, if that is set.
void arm_crash_points() noexcept;

extern bool crash_points_armed;
void reach_slow(CrashPoint point) noexcept;
inline void reach(CrashPoint point) noexcept {
  if (__builtin_expect(static_cast<long>(crash_points_armed), 0L) != 0) reach_slow(point);
}

}  // namespace hotspare::registry
