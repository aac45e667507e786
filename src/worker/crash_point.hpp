#pragma once

/// Places in the protocol where a death was thought through; tests/chaos kills a worker at each of them. A label costs
/// one load and one branch; it does nothing unless HOTSPARE_CRASH_AT names it when the worker starts.
namespace hotspare::worker {

#define HOTSPARE_CRASH_POINTS(X)                                                           \
  X(before_setup)        /* process exists, nothing is mapped */                           \
  X(before_life_lock)    /* mapped, the robust mutex not yet held: only the pidfd tells */ \
  X(before_ready)        /* initialized, not announced */                                  \
  X(after_ready)         /* announced, never ran a task */                                 \
  X(after_begin)         /* task begun, its code not yet called */                         \
  X(after_task)          /* its code returned, no result written */                        \
  X(in_result)           /* result half written */                                         \
  X(before_commit)       /* result written, not committed */                               \
  X(after_commit)        /* committed, nobody told */                                      \
  X(between_tasks)       /* about to look for the next */                                  \
  X(before_sleep)        /* said that it sleeps, does not yet */                           \
  X(after_lease_request) /* asked for a segment, not yet answered */                       \
  X(with_lease)          /* holds a segment that the host lent */                          \
  X(in_crash_handler)    /* died of a signal while noting a signal */                      \
  X(before_leave)        /* told to leave */                                               \
  X(replica_in_block)    /* of a channel: input read, processing */                        \
  X(replica_in_answer)   /* answer written, not published */                               \
  X(replica_answered)    /* answer published, the caller not rung */                       \
  X(replica_in_save)     /* state half committed */                                        \
  X(replica_in_load)     /* state of another half loaded */                                \
  X(replica_in_fork)     /* it forked an heir that is not there yet */                     \
  X(heir_unborn)         /* the heir exists, nobody knows its pid */                       \
  X(heir_announced)      /* its pid is told, it has not caught up */                       \
  X(replica_takes_over)  /* it moved the helm to itself, and has answered nothing */       \
  X(spare_follows)       /* the spare told that it has caught up */                        \
  X(spare_promoted)      /* told to come into step, and is not yet */

enum class CrashPoint : unsigned char {
#define HOTSPARE_NAME(name) name,
  HOTSPARE_CRASH_POINTS(HOTSPARE_NAME)
#undef HOTSPARE_NAME
      count
};

const char* name(CrashPoint point) noexcept;

/// Each death adds its point's name to the file HOTSPARE_CRASH_LOG, if that is set.
/// Reads HOTSPARE_CRASH_AT="point[:one_in[:seed]]": die of SIGKILL there once in so many passes, drawn with the seed and
/// the worker's id.
void arm_crash_points(unsigned long long worker_id) noexcept;

extern bool crash_points_armed;
void reach_slow(CrashPoint point) noexcept;
inline void reach(CrashPoint point) noexcept {
  if (__builtin_expect(static_cast<long>(crash_points_armed), 0L) != 0) reach_slow(point);
}

}  // namespace hotspare::worker
