"""P10 at its edges: deadlines that have passed, limits without end, a state that cannot be saved, a block that kills, a
fork of the host that ends as any program does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hotspare import Event, StandbyChannel
from python_processors import BLOCK, Chain, Grows, block_of, next_state, number, twice

FAR = 60.0
OPTIONS: dict[str, Any] = {"block": BLOCK, "period": 0.01, "capture_stderr": True}
KILLS = 2**63


@pytest.mark.parametrize(
    "when", [{"deadline": 0.0}, {"deadline": -1e18}, {"timeout": -1.0}, {"timeout": float("-inf")}]
)
def test_a_deadline_that_has_passed_is_late_at_once(when: dict[str, float]) -> None:
    with StandbyChannel(Chain, hang_after=1e18, patience=1e18, **OPTIONS) as channel:
        channel.process(block_of(1), timeout=FAR)
        for pid in channel.replica_pids():
            os.kill(pid, signal.SIGSTOP)
        channel.process(block_of(1), **when)
        assert channel.late


def test_nobody_waits_for_more_replicas_than_there_will_be() -> None:
    with StandbyChannel.of(twice, **OPTIONS) as channel, pytest.raises(ValueError, match="replicas must be at most 2"):
        channel.wait_in_step(3)


def test_a_state_that_has_outgrown_its_room_costs_nobody_his_life() -> None:
    told: list[str] = []

    def hear(event: Event) -> None:
        if event.kind == "unavailable":
            told.append(event.detail)

    with StandbyChannel(Grows, state_bytes=4096, on_event=hear, **OPTIONS) as channel:
        for count in range(1, 201):
            assert number(channel.process(block_of(1), timeout=FAR)) == count
        channel.strike("sigkill")
        count = 200
        while not _tells(channel, "state_bytes is 4096") or channel.stats().deaths == 0:  # counted when it is judged
            count += 1
            assert number(channel.process(block_of(1), timeout=FAR)) == count
        stats = channel.stats()
        assert (stats.deaths, stats.states_lost, stats.late, stats.in_step) == (1, 0, 0, 1)
    assert told == list(stats.unavailable)


def _tells(channel: StandbyChannel, what: str) -> bool:
    """It may tell of what this machine does not have, too."""
    return any(what in each for each in channel.stats().unavailable)


class Fragile(Chain):
    def process(self, block: Any, out: Any) -> None:
        if number(block) == KILLS:
            raise LookupError("no such star")
        super().process(block, out)


@pytest.mark.parametrize("mode", ["lockstep", "replay"])
def test_a_block_that_kills_is_left_out_alone(mode: str) -> None:
    state = 0
    with StandbyChannel(Fragile, mode=mode, **OPTIONS) as channel:
        for value in range(40):
            if value == 20:
                channel.process(block_of(KILLS), timeout=FAR)
                assert channel.late
                continue
            answer = number(channel.process(block_of(value), timeout=FAR))
            state = next_state(state, value)
            assert (answer, channel.late) == (state, False)
        stats = channel.stats()
        assert (stats.left_out, stats.states_lost, stats.late) == (1, 0, 1)


FORKS = """
import os, sys
from hotspare import StandbyChannel
from python_processors import BLOCK, Chain, block_of

if __name__ == "__main__":
    channel = StandbyChannel(Chain, block=BLOCK, period=0.01)
    channel.process(block_of(1), timeout=60.0)
    pid = os.fork()
    if pid == 0:
        refused = 0
        for call in (
            lambda: channel.process(block_of(1)),
            channel.stats,
            channel.replica_pids,
            channel.wait_in_step,
            lambda: channel.strike("sigkill"),
            lambda: channel.broken,
        ):
            try:
                call()
            except RuntimeError as error:
                refused += "is a fork of the one that made the channel" in str(error)
        channel.close()
        sys.exit(refused)  # with all that the interpreter does at its end
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    channel.process(block_of(1), timeout=60.0)
    print(channel.late, channel.stats().deaths)
"""


def test_a_fork_of_the_host_ends() -> None:
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    done = subprocess.run(
        [sys.executable, "-c", FORKS], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.stdout.split() == ["6", "False", "0"], done.stderr


# ---- a person, while a block has a long time ----


def _stop(channel: StandbyChannel) -> None:
    for pid in channel.replica_pids():
        os.kill(pid, signal.SIGSTOP)


@contextlib.contextmanager
def _interrupted(channel: StandbyChannel, within: Callable[[], object]) -> Iterator[None]:
    """What is within happens when SIGINT comes while this thread is in process()."""
    over = threading.Event()

    def hear(signal_number: int, frame: Any) -> None:
        if channel._core.in_process_here:
            within()

    def send() -> None:
        while not over.wait(0.05):  # one that came before the wait is followed by another
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, hear)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
        signal.signal(signal.SIGINT, before)


def _raise_interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupt_ends_a_block_that_has_a_long_time() -> None:
    with StandbyChannel(Chain, hang_after=1e18, patience=1e18, **OPTIONS) as channel:
        channel.process(block_of(1), timeout=FAR)
        _stop(channel)
        with _interrupted(channel, _raise_interrupt), pytest.raises(KeyboardInterrupt):
            channel.process(block_of(1), timeout=1e6)
        assert channel.stats().late == 1


def test_a_handler_that_raises_nothing_ends_no_block() -> None:
    def go_on() -> None:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)

    with StandbyChannel(Chain, hang_after=1e18, patience=1e18, **OPTIONS) as channel:
        state = number(channel.process(block_of(1), timeout=FAR))
        stopped = channel.replica_pids()
        _stop(channel)
        with _interrupted(channel, go_on):
            answer = number(channel.process(block_of(2), timeout=1e6))
        assert (answer, channel.late) == (next_state(state, 2), False)


def test_a_handler_may_close_the_channel_within_a_block() -> None:
    def close() -> None:
        channel.close()
        raise InterruptedError

    channel = StandbyChannel(Chain, hang_after=1e18, patience=1e18, **OPTIONS)
    channel.process(block_of(1), timeout=FAR)
    _stop(channel)
    with _interrupted(channel, close), pytest.raises(InterruptedError):
        channel.process(block_of(1), timeout=1e6)
    channel.close()
    assert channel.closed
