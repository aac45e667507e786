"""One task there and back, while traffic flows and after a pause."""

import time
from collections.abc import Iterator

from peerbench import tasks
from peerbench.figures import WORKERS, Figure, Group, Row, Settings
from peerbench.peers import OpenPool
from peerbench.peers.base import Pool
from peerbench.samples import percentile

PAUSE_SECONDS = 0.01


def microseconds(pool: Pool, rounds: int, pause: float) -> list[float]:
    found = []
    for _ in range(rounds):
        if pause:
            time.sleep(pause)
        started = time.perf_counter_ns()
        pool.call(tasks.noop, None)
        found.append((time.perf_counter_ns() - started) / 1e3)
    return found


def measure(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    pool = open_pool(WORKERS)
    microseconds(pool, 200, pause=0)
    busy = microseconds(pool, settings.rounds(5_000, 500), pause=0)
    yield Figure("round_trip_p50", percentile(busy, 50))
    yield Figure("round_trip_p99", percentile(busy, 99))
    idle = microseconds(pool, settings.rounds(300, 100), pause=PAUSE_SECONDS)
    yield Figure("round_trip_idle_p50", percentile(idle, 50))
    yield Figure("round_trip_idle_p99", percentile(idle, 99))


ROUND_TRIP = Group(
    "round_trip",
    rows=(
        Row("round_trip_p50", "us"),
        Row("round_trip_p99", "us"),
        Row("round_trip_idle_p50", "us"),
        Row("round_trip_idle_p99", "us"),
    ),
    measure=measure,
)
