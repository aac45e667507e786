"""1000 tasks of 1 ms, every 50th of which kills its own process with SIGKILL. Perfect
are 980 good and 20 failed, in the time that they take when none kills."""

import time
from collections.abc import Callable, Iterator, Sequence

from peerbench import tasks
from peerbench.figures import WORKERS, Figure, Group, Row, Settings
from peerbench.peers import OURS, OpenPool
from peerbench.peers.base import Outcome, Pool
from peerbench.samples import median

CALM = [False] * 1000
# The 26th of each 50, so that no kill falls on the end, where its cost would not show.
STORM = [number % 50 == 25 for number in range(1000)]


def timed(
    pool: Pool, task: Callable[[bool], None], deadly: Sequence[bool], patience: float
) -> tuple[list[Outcome], float]:
    started = time.perf_counter()
    found = pool.outcomes(task, deadly, patience)
    return found, time.perf_counter() - started


def count(outcomes: Sequence[Outcome], state: str) -> int:
    return sum(outcome.state == state for outcome in outcomes)


def kinds_of_failure(outcomes: Sequence[Outcome]) -> str:
    kinds = {type(o.value).__name__ for o in outcomes if o.state == "failed"}
    return ", ".join(sorted(kinds))


def what_becomes_of_them(pool: Pool, settings: Settings) -> Iterator[Figure]:
    found, seconds = timed(pool, tasks.sleep_1ms, STORM, settings.rounds(20, 5))
    unanswered = count(found, "unanswered")
    yield Figure("storm_good", count(found, "good"))
    yield Figure("storm_failed", count(found, "failed"), kinds_of_failure(found))
    yield Figure("storm_unanswered", unanswered)
    if unanswered:
        yield Figure("storm_seconds", None, "never")
    else:
        yield Figure("storm_seconds", seconds)


def beside_calm(pool: Pool, task: Callable[[bool], None], row: str, rounds: int) -> Iterator[Figure]:
    """In turns, so that what the machine does meanwhile falls on both."""
    calm, storm = [], []
    for _ in range(rounds):
        calm.append(timed(pool, task, CALM, patience=20)[1])
        storm.append(timed(pool, task, STORM, patience=20)[1])
    yield Figure(f"{row}_calm_seconds", median(calm))
    yield Figure(f"{row}_to_calm", median(storm) / median(calm))


def measure(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    pool = open_pool(WORKERS)
    pool.run(tasks.noop, range(100))
    yield from what_becomes_of_them(pool, settings)
    if peer in OURS:  # The others' pools are broken by now.
        rounds = settings.rounds(7, 3)
        yield from beside_calm(pool, tasks.sleep_1ms, "storm", rounds)
        yield from beside_calm(pool, tasks.work_1ms, "storm_busy", rounds)


STORM_GROUP = Group(
    "storm",
    rows=(
        Row("storm_good", "tasks", "higher"),
        Row("storm_failed", "tasks", "neither"),
        Row("storm_unanswered", "tasks"),
        Row("storm_seconds", "s", "neither"),
        Row("storm_calm_seconds", "s", "neither", ours_only=True),
        Row("storm_to_calm", "x", ours_only=True),
        Row("storm_busy_calm_seconds", "s", "neither", ours_only=True),
        Row("storm_busy_to_calm", "x", ours_only=True),
    ),
    measure=measure,
)
