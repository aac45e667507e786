"""P10. A standby channel answers each block while its replicas are being killed. That no block is late in real time
is the benchmark's to show; here deadlines are far away, and each answer has to come and to be the right one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from hotspare import Event, StandbyChannel
from python_processors import (
    BLOCK,
    Chain,
    Keeper,
    SavedChain,
    Silent,
    Window,
    block_of,
    next_state,
    number,
    twice,
    window_state,
)

FAR = 60.0
"""Seconds: a deadline that only a channel that has stopped could miss."""
HANG_AFTER = 0.1
HISTORY = 8192
"""Tests send without a pause: thousands of blocks may pass while a replica waits for a CPU."""
PAST = HISTORY // 2
"""After so many blocks a new replica no longer begins with the first one: it needs the state of another."""
DEADLY = ("sigkill", "sigsegv", "abort", "exit", "stack_overflow", "memory", "hang", "stop", "raise")
OPTIONS: dict[str, Any] = {
    "block": BLOCK,
    "period": 0.01,
    "history": HISTORY,
    "hang_after": HANG_AFTER,
    "capture_stderr": True,
}


class Stream:
    """What runs through a channel, and what was right."""

    def __init__(self, channel: StandbyChannel, right: Callable[[list[int]], int]) -> None:
        self.channel = channel
        self.sent: list[int] = []
        self._right = right

    def send(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.sent.append((len(self.sent) * 7919 + 1) % 2**64)
            answer = self.channel.process(block_of(self.sent[-1]), timeout=FAR)
            assert not self.channel.late, f"block {len(self.sent)}: {self.channel.stats()}"
            assert number(answer) == self._right(self.sent), f"block {len(self.sent)}: {self.channel.stats()}"

    def pass_history(self) -> None:
        self.send(max(0, PAST - len(self.sent)))

    def recover(self, deaths: int) -> None:
        """Until so many deaths were told, and all replicas are there again."""
        while self.channel.stats().deaths < deaths:
            self.send()
        assert self.channel.wait_in_step(), self.channel.broken


class Fold:
    """The state of a Chain after all that was sent, without beginning anew each time."""

    def __init__(self) -> None:
        self._state = 0
        self._seen = 0

    def __call__(self, sent: list[int]) -> int:
        for value in sent[self._seen :]:
            self._state = next_state(self._state, value)
        self._seen = len(sent)
        return self._state


def of_window(sent: list[int]) -> int:
    return window_state(sent[-Window.BLOCKS :])


def of_twice(sent: list[int]) -> int:
    return 2 * sent[-1] % 2**64


KINDS: dict[str, tuple[Callable[[], Any], dict[str, Any], Callable[[], Callable[[list[int]], int]]]] = {
    "pickled": (Chain, {"rejoin": "saved"}, Fold),
    "saved": (SavedChain, {}, Fold),
    "forked": (SavedChain, {"rejoin": "forked"}, Fold),
    "replayed": (Window, {"replay_blocks": Window.BLOCKS}, lambda: of_window),
    "replay-pickled": (Chain, {"mode": "replay", "commit_every": 3}, Fold),
    "replay-saved": (SavedChain, {"mode": "replay"}, Fold),
    "replay-replayed": (Window, {"mode": "replay", "replay_blocks": Window.BLOCKS}, lambda: of_window),
}


def open_stream(kind: str, **options: Any) -> Stream:
    make, usual, right = KINDS[kind]
    return Stream(StandbyChannel(make, **{**OPTIONS, **usual, **options}), right())


@pytest.mark.parametrize("how", DEADLY)
@pytest.mark.parametrize("kind", KINDS)
def test_each_answer_is_right_while_replicas_die(kind: str, how: str) -> None:
    stream = open_stream(kind)
    with stream.channel as channel:
        stream.pass_history()
        for deaths in (1, 2, 3):
            assert channel.strike(how) != 0
            stream.recover(deaths)
            stream.send(10)
        stats = channel.stats()
        assert (stats.states_lost, stats.late) == (0, 0)
        assert stats.rejoined >= 3
        assert stats.blocks == stats.answered == len(stream.sent)


@pytest.mark.parametrize("kind", ["pickled", "replay-pickled", "forked"])
def test_with_each_start_method(kind: str, start: str) -> None:
    if kind == "forked" and start == "spawn":
        pytest.skip("its processors may have imported a library that has threads")
    stream = open_stream(kind, start=start)
    with stream.channel as channel:
        stream.pass_history()
        for deaths in (1, 2):
            stream.send(10)
            assert channel.strike("sigkill") != 0
            stream.recover(deaths)
        stream.send(10)
        assert channel.stats().states_lost == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_signals_from_outside(kind: str, sign: signal.Signals) -> None:
    stream = open_stream(kind)
    with stream.channel as channel:
        stream.pass_history()
        for deaths in (1, 2, 3, 4):
            pids = channel.replica_pids()
            os.kill(pids[deaths % len(pids)], sign)
            stream.recover(deaths)
        assert channel.stats().states_lost == 0


def test_three_replicas_of_which_two_die_at_once() -> None:
    stream = open_stream("pickled", replicas=3)
    with stream.channel as channel:
        stream.pass_history()
        for pid in channel.replica_pids()[:2]:
            os.kill(pid, signal.SIGKILL)
        stream.recover(2)
        stream.send(10)
        assert channel.stats().in_step == 3


def test_when_all_die_in_the_beginning_nothing_is_lost() -> None:
    """All blocks are in the history."""
    stream = open_stream("pickled")
    with stream.channel as channel:
        stream.send(20)
        for pid in channel.replica_pids():
            os.kill(pid, signal.SIGKILL)
        stream.recover(2)
        stream.send(10)
        assert channel.stats().states_lost == 0


@pytest.mark.parametrize("kind", ["pickled", "saved", "forked", "replayed"])
def test_the_spare_has_the_state_when_all_others_die(kind: str) -> None:
    stream = open_stream(kind, spare=True)
    with stream.channel as channel:
        stream.pass_history()
        for deaths in (2, 4, 6):
            while channel.stats().spares == 0:
                stream.send()
            for pid in channel.replica_pids():
                os.kill(pid, signal.SIGKILL)
            stream.recover(deaths)
            stream.send(10)
        stats = channel.stats()
        assert (stats.states_lost, stats.late, stats.in_step) == (0, 0, 2)


def test_when_all_die_later_new_ones_begin_anew_and_it_is_said() -> None:
    with StandbyChannel(Chain, **{**OPTIONS, "history": 16}) as channel:
        while channel.stats().blocks < 100:
            channel.process(block_of(1), timeout=FAR)
        while channel.stats().states_lost == 0:
            for pid in channel.replica_pids():
                os.kill(pid, signal.SIGKILL)
            channel.process(block_of(2), timeout=FAR)
            assert not channel.late
        assert not channel.broken


@pytest.mark.parametrize("how", DEADLY)
@pytest.mark.parametrize("mode", ["stateless", "lockstep", "replay"])
def test_a_plain_function(mode: str, how: str) -> None:
    stream = Stream(StandbyChannel.of(twice, mode=mode, **OPTIONS), of_twice)
    with stream.channel as channel:
        stream.send(5)
        for deaths in (1, 2):
            assert channel.strike(how) != 0
            stream.recover(deaths)
        stream.send(5)


def test_a_lambda() -> None:
    with StandbyChannel.of(lambda block: bytes(block)[::-1], **OPTIONS) as channel:
        assert channel.process(b"12345678", timeout=FAR) == b"87654321"


def test_the_zygote_dies_too() -> None:
    events: list[Event] = []
    stream = open_stream("pickled", on_event=events.append)
    with stream.channel as channel:
        stream.send(5)
        zygotes = [_parent_of(pid) for pid in channel.replica_pids()]
        os.kill(zygotes[0], signal.SIGKILL)
        while channel.stats().zygote_deaths == 0:
            stream.send()
        channel.strike("sigkill")
        stream.recover(1)
        stream.send(5)
    assert "zygote_died" in [event.kind for event in events]


def _parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def test_what_a_processor_keeps_stays_as_it_was() -> None:
    def right(sent: list[int]) -> int:
        answers: list[int] = []
        for i in range(len(sent)):
            answers.append((sum(sent[: i + 1]) + sum(answers)) % 2**64)
        return answers[-1]

    stream = Stream(StandbyChannel(Keeper, **{**OPTIONS, "rejoin": "forked"}), right)
    with stream.channel as channel:
        stream.send(20)
        channel.strike("sigkill")
        stream.recover(1)
        stream.send(20)


def test_what_is_not_written_is_zero() -> None:
    with StandbyChannel(Silent, **OPTIONS) as channel:
        assert channel.process(b"\xff" * BLOCK, timeout=FAR) == bytes(BLOCK)


class TestArrays:
    @pytest.fixture(autouse=True)
    def numpy(self) -> Any:
        return pytest.importorskip("numpy")

    def test_an_array_comes_as_it_was_sent(self, numpy: Any) -> None:
        from array_processors import Probe

        with StandbyChannel(Probe, block=((3, 2), "float32"), out=((4,), "int64"), period=0.01) as channel:
            answer = channel.process(numpy.arange(6, dtype="float32").reshape(3, 2), timeout=FAR)
            assert answer.dtype == numpy.int64
            assert answer.tolist() == [3, 2, 15, 0]  # the last one: not writable

    @pytest.mark.parametrize("rejoin", ["saved", "forked"])
    def test_each_sample_is_exact_while_replicas_die(self, numpy: Any, rejoin: str) -> None:
        from array_processors import Echo

        shape = (128, 2)
        noise = numpy.random.default_rng(7)
        alone, answer = Echo(5, shape), numpy.zeros(shape, "float32")
        with StandbyChannel(
            Echo, 5, shape, block=(shape, "float32"), period=0.01, history=8192, rejoin=rejoin
        ) as channel:
            for i in range(200):
                block = noise.standard_normal(shape, "float32")
                alone.process(block, answer)
                assert numpy.array_equal(channel.process(block, timeout=FAR), answer), i
                assert not channel.late
                if i % 20 == 10:
                    channel.strike(("sigkill", "sigsegv", "abort")[i // 20 % 3])
                if i % 20 == 19:
                    while channel.stats().deaths <= i // 20:
                        alone.process(block, answer)
                        assert numpy.array_equal(channel.process(block, timeout=FAR), answer)
                    assert channel.wait_in_step()
            assert channel.stats().states_lost == 0

    def test_answers_go_where_they_are_told(self, numpy: Any) -> None:
        from array_processors import double

        block, out = numpy.ones((4, 4)), numpy.zeros((4, 4))
        with StandbyChannel.of(double, block=block, period=0.01) as channel:
            assert channel.process(block, out, timeout=FAR) is out
            assert (out == 2).all()
            assert channel.process(out, out, timeout=FAR) is out  # in place
            assert (out == 4).all()

    def test_types_that_look_different_and_are_the_same(self, numpy: Any) -> None:
        from array_processors import double

        with StandbyChannel.of(double, block=((2,), "int64"), period=0.01) as channel:
            assert channel.process(numpy.ones(2, numpy.longlong), timeout=FAR).tolist() == [2, 2]
            assert channel.process(memoryview(numpy.ones(2, "int64")), timeout=FAR).tolist() == [2, 2]

    def test_a_structure(self, numpy: Any) -> None:
        from array_processors import same

        kind = numpy.dtype([("at", "f8"), ("id", "i4")])
        block = numpy.array([(1.5, 2), (2.5, 3)], kind)
        with StandbyChannel.of(same, block=block, period=0.01) as channel:
            assert (channel.process(block, timeout=FAR) == block).all()
