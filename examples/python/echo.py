"""A long echo in a stream of sound, whose replicas are killed all the time; each sample is compared.

Blocks of 128 frames pass at their real pace through hotspare.StandbyChannel. Meanwhile one of its replicas dies
every few blocks, in all ways that hotspare.chaos knows. The same echo runs in this process, where nothing
dies: what comes out of the channel must be the same, to the last bit.

    python echo.py                       # ten seconds, a death every 300 blocks
    python echo.py --seconds 60 --every 50 --mode replay
    python echo.py --unpaced             # as fast as it goes, with far deadlines: for tests
"""

from __future__ import annotations

import argparse
import itertools
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import hotspare
import numpy as np
from numpy.typing import NDArray

RATE = 48_000
SHAPE = (128, 2)
PERIOD = SHAPE[0] / RATE
WAYS = ("sigkill", "sigsegv", "abort", "exit", "raise")
FAR = 60.0
"""Seconds: a deadline that only a channel that has stopped would miss."""

Block = NDArray[np.float32]


class Echo:
    """Feedback delay: each answer depends on all blocks before it."""

    def __init__(self, seconds: float) -> None:
        self.line = np.zeros((max(1, round(seconds / PERIOD)), *SHAPE), np.float32)
        self.at = 0

    def process(self, block: Block, out: Block) -> None:
        np.multiply(self.line[self.at], np.float32(0.6), out=out)
        out += block
        self.line[self.at] = out
        self.at = (self.at + 1) % len(self.line)


class Deaths:
    """What the channel tells of them, on its own thread."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._lock = threading.Lock()

    def hear(self, event: hotspare.Event) -> None:
        if event.report is not None:
            with self._lock:
                self.lines.append(event.report.summary())


class Clock:
    """Deadlines of blocks at their pace; a wait for the time when the next one is there."""

    def __init__(self) -> None:
        self.next = time.monotonic()

    def tick(self) -> float:
        time.sleep(max(0.0, self.next - time.monotonic()))
        self.next += PERIOD
        return self.next


def stream(channel: hotspare.StandbyChannel, alone: Echo, options: argparse.Namespace) -> tuple[int, int]:
    """Returns how many blocks were late, and how many were wrong."""
    noise = np.random.default_rng(1)
    answer, right = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    ways = itertools.cycle(WAYS)
    late = wrong = 0
    clock = Clock()
    for number in range(1, round(options.seconds / PERIOD) + 1):
        block = noise.standard_normal(SHAPE, np.float32)
        deadline = time.monotonic() + FAR if options.unpaced else clock.tick()
        channel.process(block, answer, deadline=deadline)
        alone.process(block, right)
        late += channel.late
        wrong += not channel.late and not np.array_equal(answer, right)
        if number % options.every == 0:
            if options.unpaced:
                channel.wait_in_step()
            channel.strike(next(ways))
    return late, wrong


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of sound (%(default)s)")
    parser.add_argument("--every", type=int, default=300, help="blocks between two deaths (%(default)s)")
    parser.add_argument("--mode", choices=("lockstep", "replay"), default="lockstep")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--unpaced", action="store_true", help="as fast as it goes, with far deadlines")
    options = parser.parse_args(words)

    deaths = Deaths()
    settings: dict[str, Any] = {"mode": options.mode, "replicas": options.replicas, "history": 4096}
    with hotspare.StandbyChannel(
        Echo, 0.3, block=(SHAPE, "float32"), period=PERIOD, capture_stderr=True, on_event=deaths.hear, **settings
    ) as channel:
        late, wrong = stream(channel, Echo(0.3), options)
        channel.wait_in_step()
        stats = channel.stats()

    for line in deaths.lines[:5]:
        print(line)
    print(f"{stats.blocks} blocks, {stats.deaths} deaths, {stats.rejoined} replaced, {stats.states_lost} states lost")
    print(f"late: {late}, wrong: {wrong}; answers: {stats.latency}, replaced in: {stats.rejoin}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
