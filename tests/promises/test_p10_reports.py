"""P10. What a standby channel says when something is wrong: with its arguments, its processors, its blocks."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import hotspare
import pytest
from hotspare import CrashReport, Event, Histogram, StandbyBroken, StandbyChannel
from python_processors import (
    BLOCK,
    STOP_HERE,
    Chain,
    Large,
    Meeting,
    NoProcessor,
    OnlySaves,
    Raiser,
    Returns,
    Unpicklable,
    block_of,
    make_nothing_of,
    next_state,
    number,
    twice,
)
from python_tasks import Fifo

FAR = 60.0
HANG_AFTER = 0.1
OPTIONS: dict[str, Any] = {"block": BLOCK, "period": 0.01, "history": 65536, "capture_stderr": True}


class Deaths:
    """Events, and a wait for those of deaths."""

    def __init__(self) -> None:
        self.reports: list[CrashReport] = []
        self.events: list[Event] = []
        self._told = threading.Condition()

    def hear(self, event: Event) -> None:
        with self._told:
            self.events.append(event)
            if event.report is not None:
                self.reports.append(event.report)
            self._told.notify_all()

    def first(self) -> CrashReport:
        with self._told:
            self._told.wait_for(lambda: self.reports)
            return self.reports[0]


# ---- processors ----


def test_a_factory_that_raises(start: str) -> None:
    with pytest.raises(StandbyBroken, match="FileNotFoundError") as caught:
        StandbyChannel(make_nothing_of, "/no/such/file", start=start, name="stars", **OPTIONS)
    assert '"stars"' in str(caught.value)
    cause = str(caught.value.__cause__)
    assert "in make_nothing_of" in cause
    assert "with open(path)" in cause
    assert caught.value.report is not None
    assert caught.value.report.python_stack[0].function == "make_nothing_of"


def test_a_factory_that_crashes() -> None:
    with pytest.raises(StandbyBroken, match="SIGABRT") as caught:
        StandbyChannel(os.abort, **OPTIONS)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("make", "args", "words"),
    [
        (NoProcessor, (), r"no method process.*NoProcessor.*StandbyChannel\.of"),
        (OnlySaves, (), "both save.. and load.*or neither"),
        (Unpicklable, (), "cannot be pickled.*Unpicklable.*save.*load.*forked"),
        (Large, (2 << 20,), "2097.* bytes.*state_bytes is 1048576.*larger"),
    ],
)
def test_processors_that_are_refused(make: Any, args: tuple[Any, ...], words: str) -> None:
    with pytest.raises(StandbyBroken, match=words):
        StandbyChannel(make, *args, **OPTIONS)


def test_a_larger_state_if_that_is_said() -> None:
    with StandbyChannel(Large, 2 << 20, state_bytes=3 << 20, **OPTIONS) as channel:
        channel.process(block_of(1), timeout=FAR)
        channel.strike("sigkill")
        assert number(channel.process(block_of(2), timeout=FAR)) == next_state(next_state(0, 1), 2)


@pytest.mark.parametrize("mode", ["lockstep", "replay"])
def test_a_processor_that_raises_is_a_death_with_its_traceback(mode: str) -> None:
    deaths = Deaths()
    with StandbyChannel(Raiser, mode=mode, on_event=deaths.hear, **OPTIONS) as channel:
        channel.process(block_of(7), timeout=FAR)
        channel.process(block_of(STOP_HERE), timeout=0.1)  # kills each one that sees it
        report = deaths.first()
        assert report.cause == "terminated"
        assert "raised LookupError: no such star" in report.summary()
        assert report.task == "block 2"
        assert report.python_stack[0].function == "process"
        assert report.python_stack[0].file.endswith("python_processors.py")
        assert 'raise LookupError("no such star")' in report.traceback_text()
        assert "LookupError: no such star" in "\n".join(report.stderr_tail)
        # A block that has killed two replicas is processed by nobody again: the stream goes on.
        while channel.process(block_of(1), timeout=0.1) is not None and channel.late:
            pass
        assert channel.wait_in_step()
    assert pickle.loads(pickle.dumps(report)) == report


def test_a_processor_that_returns_its_answer() -> None:
    deaths = Deaths()
    with StandbyChannel(Returns, on_event=deaths.hear, **OPTIONS) as channel:
        channel.process(block_of(1), timeout=0.1)
        assert "writes its answer into out" in deaths.first().detail


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda block: b"short", "the answer must be a buffer of 8 bytes, not of 5"),
        (lambda block: 1 / 0, "ZeroDivisionError"),
        (lambda block: None, "TypeError"),
        (lambda block: exit(3), "SystemExit: 3"),
    ],
)
def test_functions_that_answer_wrongly(function: Any, words: str) -> None:
    deaths = Deaths()
    with StandbyChannel.of(function, on_event=deaths.hear, **OPTIONS) as channel:
        channel.process(block_of(1), timeout=0.1)
        assert channel.late
        assert words in deaths.first().detail


def test_a_crash_shows_where_python_was() -> None:
    deaths = Deaths()
    with StandbyChannel.of(_read_null, on_event=deaths.hear, **OPTIONS) as channel:
        channel.process(block_of(1), timeout=0.1)
        report = deaths.first()
    assert (report.cause, report.signal) == ("signal", signal.SIGSEGV)
    names = [frame.function for frame in report.python_stack]
    assert names[:2] == ["string_at", "_read_null"]
    assert names[-1] != "main"
    assert report.native_stack


def _read_null(block: bytes) -> bytes:
    import ctypes

    return ctypes.string_at(0)


def test_a_hang_shows_where_python_was(fifo: Callable[[], Fifo]) -> None:
    deaths = Deaths()
    begun, never = fifo(), fifo()
    channel = StandbyChannel(Meeting, begun, never, replicas=1, hang_after=0.02, on_event=deaths.hear, **OPTIONS)
    with channel:
        channel.process(block_of(1), timeout=FAR)
        told = threading.Thread(target=begun.hear)
        told.start()
        channel.process(block_of(STOP_HERE), timeout=0.1)
        told.join()
        while channel.stats().hangs == 0:
            channel.process(block_of(1), timeout=0.05)
        report = deaths.first()
    assert report.cause == "deadline"
    assert [frame.function for frame in report.python_stack] == ["hear", "process"]
    assert report.native_stack


# ---- blocks ----


@pytest.mark.parametrize(
    ("block", "kind", "words"),
    [
        (b"short", ValueError, "block must be a buffer of 8 bytes, not of 5"),
        (b"", ValueError, "not of 0"),
        (None, TypeError, "block must be a buffer of 8 bytes, not NoneType"),
        ("12345678", TypeError, "not str"),
        (8, TypeError, "not int"),
        (memoryview(bytes(16))[::2], ValueError, "not contiguous"),
    ],
)
def test_blocks_that_are_refused(block: Any, kind: type[Exception], words: str) -> None:
    with StandbyChannel.of(twice, **OPTIONS) as channel:
        with pytest.raises(kind, match=words):
            channel.process(block)
        assert channel.stats().blocks == 0
        assert number(channel.process(block_of(4), timeout=FAR)) == 8


@pytest.mark.parametrize(
    ("out", "kind", "words"),
    [
        (bytes(8), ValueError, "out is written to, and must not be read-only"),
        (bytearray(7), ValueError, "out must be a buffer of 8 bytes, not of 7"),
        ([0] * 8, TypeError, "out must be a buffer of 8 bytes, not list"),
    ],
)
def test_rooms_for_answers_that_are_refused(out: Any, kind: type[Exception], words: str) -> None:
    with StandbyChannel.of(twice, **OPTIONS) as channel:
        with pytest.raises(kind, match=words):
            channel.process(block_of(1), out)
        assert channel.stats().blocks == 0


class TestArrays:
    @pytest.fixture(autouse=True)
    def numpy(self) -> Any:
        return pytest.importorskip("numpy")

    @pytest.fixture
    def channel(self, numpy: Any) -> Any:
        from array_processors import double

        with StandbyChannel.of(double, block=((4, 2), "float32"), period=0.01) as channel:
            yield channel

    def test_arrays_that_are_refused(self, numpy: Any, channel: StandbyChannel) -> None:
        right = numpy.ones((4, 2), "float32")
        for block, kind, words in [
            (right.astype("float64"), TypeError, "not of dtype float64: convert it"),
            (right.astype(">f4"), TypeError, "not of dtype >f4"),
            (right.reshape(2, 4), ValueError, r"shape \(4, 2\).*not of shape \(2, 4\)"),
            (right[:2], ValueError, "not of shape"),
            (right[..., None], ValueError, "not of shape"),
            (numpy.asfortranarray(right), ValueError, "not contiguous: copy it, with numpy.ascontiguousarray"),
            (numpy.ones((8, 2), "float32")[::2], ValueError, "not contiguous"),
            (right.tolist(), TypeError, "not list"),
            (bytes(32), TypeError, "not of dtype"),
        ]:
            with pytest.raises(kind, match=words):
                channel.process(block)
        right.flags.writeable = False
        with pytest.raises(ValueError, match="out is written to"):
            channel.process(right, right)
        assert channel.stats().blocks == 0
        assert (channel.process(right, timeout=FAR) == 2).all()

    def test_answers_that_are_refused(self, numpy: Any) -> None:
        from array_processors import of_another_kind, of_another_shape

        for function, words in [(of_another_shape, "the answer must have shape"), (of_another_kind, "Cannot cast")]:
            deaths = Deaths()
            channel = StandbyChannel.of(
                function, block=((4,), "float64"), period=0.01, on_event=deaths.hear, capture_stderr=True
            )
            with channel:
                channel.process(numpy.ones(4), timeout=0.1)
                assert words in deaths.first().detail

    def test_forms_that_are_refused(self, numpy: Any) -> None:
        for block, kind, words in [
            (((2,), "O"), TypeError, "cannot lie in shared memory"),
            (((2,), "datetime64[s]"), TypeError, "have no buffer"),
            (((-1,), "f4"), ValueError, "at least 0"),
            (((1 << 23,), "f8"), ValueError, "at most 16 MiB"),
            (((2.5,), "f8"), TypeError, "block"),
        ]:
            with pytest.raises(kind, match=words):
                StandbyChannel.of(twice, block=block, period=0.01)


# ---- arguments ----


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        ({"block": "8"}, TypeError, "block must be a number of bytes, .shape, dtype."),
        ({"block": -1}, ValueError, "block must be at least 0"),
        ({"block": 0}, ValueError, "out must have at least 1 byte"),
        ({"out": 1 << 25}, ValueError, "out must be at most"),
        ({"period": 0}, ValueError, "period must be 5e-05 to 10.0 seconds"),
        ({"period": "1"}, TypeError, "period must be a number"),
        ({"replicas": 0}, ValueError, "replicas must be at least 1"),
        ({"replicas": 9}, ValueError, "replicas must be at most 8"),
        ({"mode": "tandem"}, ValueError, "mode must be one of lockstep, replay, stateless"),
        ({"rejoin": "never"}, ValueError, "rejoin must be one of"),
        ({"rejoin": "replayed"}, ValueError, "needs replay_blocks"),
        ({"mode": "replay", "rejoin": "forked"}, ValueError, "who is parked cannot fork"),
        ({"mode": "replay", "spare": True}, ValueError, "spare=True is for mode='lockstep'"),
        ({"replay_blocks": 100, "history": 64}, ValueError, "history must be at least 4"),
        ({"when_late": "panic"}, ValueError, "when_late must be one of"),
        ({"hang_after": -1}, ValueError, "hang_after must be more than 0"),
        ({"realtime_priority": 2}, ValueError, "0 .none. or 4 to 99"),
        ({"start": "clone"}, ValueError, "start must be one of"),
        ({"preload": "json"}, TypeError, "preload must be a list"),
        ({"on_event": 3}, TypeError, "on_event must be a callable"),
        ({"name": 3}, TypeError, "name must be a string"),
    ],
)
def test_options_that_are_refused(wrong: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        StandbyChannel(Chain, **{**OPTIONS, **wrong})


def test_calls_that_are_refused() -> None:
    with pytest.raises(TypeError, match=r"make cannot be called with 0 arguments.*StandbyChannel\.of"):
        StandbyChannel(twice, **OPTIONS)
    with pytest.raises(TypeError, match="make must be"):
        StandbyChannel(None, **OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="function must be a callable"):
        StandbyChannel.of(None, **OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a function has no state"):
        StandbyChannel.of(twice, rejoin="saved", **OPTIONS)
    with pytest.raises(TypeError, match="no option 'priod'"):
        StandbyChannel.of(twice, priod=1, **OPTIONS)
    with pytest.raises(TypeError, match="pickle"):
        StandbyChannel(Chain, threading.Lock(), **OPTIONS)


# ---- late blocks ----


@pytest.mark.parametrize("when_late", ["silence", "repeat", "bypass"])
def test_a_late_block_is_filled_as_was_said(when_late: str, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with StandbyChannel(Meeting, begun, go_on, replicas=1, when_late=when_late, hang_after=FAR, **OPTIONS) as channel:
        last = channel.process(block_of(5), timeout=FAR)
        assert not channel.late
        for limit in ({"timeout": 0.01}, {"deadline": time.monotonic()}, {"timeout": -1}, {}):
            got = channel.process(block_of(STOP_HERE), **limit)
            assert channel.late
            assert bytes(got) == {"silence": bytes(BLOCK), "repeat": last, "bypass": block_of(STOP_HERE)}[when_late]
        for _ in range(4):
            begun.hear()
            go_on.tell()
        state = next_state(0, 5)
        for _ in range(4):
            state = next_state(state, STOP_HERE)
        answer = channel.process(block_of(6), deadline=time.monotonic() + FAR)
        assert not channel.late
        assert number(answer) == next_state(state, 6)
        stats = channel.stats()
        assert (stats.blocks, stats.answered, stats.late) == (6, 2, 4)


def test_a_timeout_and_a_deadline_are_one_too_many() -> None:
    with StandbyChannel.of(twice, **OPTIONS) as channel:
        with pytest.raises(TypeError, match="not both"):
            channel.process(block_of(1), timeout=1, deadline=1)
        with pytest.raises(TypeError):
            channel.process(block_of(1), timeout="1")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="nan"):
            channel.process(block_of(1), timeout=float("nan"))
        assert channel.stats().blocks == 0


# ---- figures and events ----


def test_stats_and_events() -> None:
    deaths = Deaths()
    with StandbyChannel(Chain, on_event=deaths.hear, name="chain", **OPTIONS) as channel:
        assert repr(channel) == "<StandbyChannel 'chain', open>"
        for _ in range(10):
            channel.process(block_of(1), timeout=FAR)
        assert len(set(channel.replica_pids())) == 2
        pid = channel.strike("sigkill")
        assert deaths.first().pid == pid
        assert channel.wait_in_step()
        assert channel.broken == ""
        stats = channel.stats()
    assert (stats.deaths, stats.rejoined, stats.in_step, stats.takeovers) == (1, 1, 2, 1)
    assert isinstance(stats.latency, Histogram)
    assert stats.latency.count == 10
    assert 0 < stats.latency.quantile(0.5) <= stats.latency.quantile(1) <= stats.latency.max
    assert 0 < stats.latency.mean <= stats.latency.max
    assert stats.rejoin.count == 1
    assert all("is not to be had" in each for each in stats.unavailable)  # by this machine: nothing that was asked for
    kinds = [event.kind for event in deaths.events]
    assert kinds.count("worker_ready") == 3
    assert kinds.count("death") == 1
    assert kinds.count("retired") == 2
    assert channel.stats().blocks == 10  # the last ones, when it is closed
    assert channel.replica_pids() == []
    assert channel.strike("sigkill") == 0
    assert not channel.wait_in_step()


def test_a_channel_that_breaks_says_so_and_goes_on(tmp_path: Any) -> None:
    deaths = Deaths()
    path = tmp_path / "data"
    path.touch()
    channel = StandbyChannel(make_nothing_of, str(path), breaker_deaths=2, on_event=deaths.hear, **OPTIONS)
    with channel:
        path.unlink()
        channel.process(block_of(1), timeout=FAR)
        channel.strike("sigkill")
        deaths.first()
        assert not channel.wait_in_step()
        assert "FileNotFoundError" in channel.broken
        assert number(channel.process(block_of(2), timeout=FAR)) == next_state(next_state(0, 1), 2)
    assert "broken" in [event.kind for event in deaths.events]


def test_what_crashes_again_and_again_is_given_up() -> None:
    deaths = Deaths()
    options = {**OPTIONS, "most_deaths": 4, "deaths_within": 3600.0, "when_late": "bypass", "on_event": deaths.hear}
    with StandbyChannel(Raiser, **options) as channel:
        while not channel.broken:
            channel.process(block_of(STOP_HERE), timeout=FAR)
        assert "gives up: 4 replicas died within" in channel.broken
        answer = channel.process(block_of(7), timeout=3600.0)  # late at once, or the test's watchdog ends this
        assert channel.late
        assert number(answer) == 7
    assert channel.stats().deaths >= 4
    assert sum(channel.stats().deaths_by_cause.values()) == channel.stats().deaths


def test_threads_forbid_forks_and_that_is_said() -> None:
    with StandbyChannel(_Threaded, rejoin="forked", **{**OPTIONS, "history": 4096}) as channel:
        while channel.stats().blocks < 4096 // 2:  # before that a new one begins with the first block
            channel.process(block_of(1), timeout=FAR)
        channel.strike("sigkill")
        while not any("threads" in each for each in channel.stats().unavailable):
            channel.process(block_of(1), timeout=FAR)


class _Threaded(Chain):
    def __init__(self) -> None:
        super().__init__()
        threading.Thread(target=threading.Event().wait, daemon=True).start()


def test_exceptions_can_be_pickled() -> None:
    with pytest.raises(StandbyBroken) as caught:
        StandbyChannel(os.abort, **OPTIONS)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.report == caught.value.report
    assert isinstance(again, hotspare.StandbyBroken)
