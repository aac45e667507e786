"""hotspare.StandbyChannel: a stream of blocks that goes on while the processes that work on it die."""

from __future__ import annotations

import inspect
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from hotspare import _core, _options, _pickling, chaos
from hotspare._blocks import Form, form_of
from hotspare._callbacks import in_callback
from hotspare._errors import CrashReport, RemoteTraceback, StandbyBroken, StandbyClosed
from hotspare._events import Event, event_callback
from hotspare._replica import Order
from hotspare._standby_options import Settings
from hotspare._standby_stats import StandbyStats, stats_of
from hotspare._start import Launch


class StandbyChannel:
    """A stream of small blocks, each with a deadline, processed by replicas that may die at any instant.

        class Echo:
            def __init__(self, blocks):
                self.line = numpy.zeros((blocks, 128, 2), "float32")
                self.at = 0

            def process(self, block, out):
                numpy.add(block, 0.5 * self.line[self.at], out=out)
                self.line[self.at] = out
                self.at = (self.at + 1) % len(self.line)

        with hotspare.StandbyChannel(Echo, 100, block=((128, 2), "float32"), period=128 / 48000) as channel:
            answer = channel.process(block)

    make(*args) is called in each replica and returns the processor, an object with a method process(block, out): it
    reads block, writes its answer into out, which is all zeros, and returns None (or out). Both are its own to
    keep: they are arrays (read-only and writable) or, without numpy, bytes and a bytearray. make and args travel by
    pickle, as what a Pool is given does: by name, or with cloudpickle. For a plain function that returns its
    answer: StandbyChannel.of.

    Processors must be deterministic: two that were made alike and were given the same blocks are in the same state.
    So seed your random numbers (the module random is seeded anew in each process), and do not ask for the time.
    What process() raises is a death of its replica; so is what load() raises. A save() that raises, or whose state has
    outgrown state_bytes, costs nobody his life: it is told as unavailable, and the dead are not replaced meanwhile.

    block: (shape, dtype), an array like those that will come, or a number of bytes. out: the same for answers;
    None: as block. At most 16 MiB each.
    period: seconds between two blocks, 50 us to 10 s: the default deadline of a block.
    replicas: 1 to 8.
    mode: lockstep: each replica processes each block, and the first answer is taken; a death is invisible; costs a
    core a replica. replay: one works; when it dies the next one takes the state committed last and processes again
    what came since. stateless: one works, and the next one answers the same block.
    spare: lockstep: one replica more follows at a lower priority, takes the place of one that dies, and forks or saves
    for the next one, so that those in step need not. None: if realtime_priority is given.
    rejoin: how a new replica comes to the state that the others have. "saved": a living one saves its state between
    two blocks, the new one loads it: by save() -> bytes and load(state) of the processor, if it has both; else the
    whole processor is pickled, which is its attributes, not what it has in other places, such as a module's
    globals. "forked": a living one forks: exact whatever the processor holds, if there are no threads (some BLAS
    libraries have some); costs that replica a fork, often longer than a block; not in mode replay. "replayed": a
    fresh one processes the last replay_blocks blocks: exact if no older ones matter. "automatic": replayed if
    replay_blocks is given, else saved.
    replay_blocks: so many of the last blocks have an effect on the next answer.
    commit_every: mode replay: the state is saved after so many blocks.
    state_bytes: the most that a saved state may have. A processor whose state is larger when it is made is refused.
    history: blocks kept for those who have to catch up, 16 to 65536; None: 2 s of them, 64 to 4096. A replica that
    falls further behind is replaced.
    when_late: what out holds when no answer came in time: silence (zeros), repeat (the last answer) or bypass (the
    block).
    hang_after: seconds after which a replica that has not answered while another has is ended, with its stack in
    the report; None: 20 periods, at least 0.5 (0.05 with real-time priority).
    patience: modes replay and stateless: seconds after which the next replica is woken too; None: half of the
    period.
    realtime_priority: SCHED_FIFO priority, 4 to 99, of the thread that calls process(), which sets it itself
    (os.sched_setscheduler); replicas get two less. 0: none.
    lock_memory: pages stay in memory (mlock). keep_cores_awake: cores do not sleep deeply, which costs power.
    flush_denormals: denormal numbers count as zero in replicas.
    breaker_deaths: so many replicas in a row that die before they are in step, and no more are started.
    most_deaths: so many deaths within deaths_within (seconds), and the channel gives up: no replica is started any
        more, and each block is late at once. 0: never.
    preload: modules imported once, in the process from which replicas are forked.
    start: fork, forkserver or spawn, as of multiprocessing; None: this program's default.
    capture_stderr: the replicas' stderr goes into crash reports only.
    on_event: called with each Event, on a thread of the channel's own.
    name: in process titles, errors and events.

    The constructor returns when all replicas are in step. It raises TypeError and ValueError for arguments, and
    StandbyBroken when the replicas die instead, as they do when make raises; its cause is the traceback from there
    then.

    Threads: process() from one at a time; everything else from any. A fork of this process needs a channel of its
    own.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        /,
        *args: Any,
        block: Any,
        out: Any = None,
        period: float,
        replicas: int = 2,
        mode: str = "lockstep",
        spare: bool | None = None,
        rejoin: str = "automatic",
        replay_blocks: int = 0,
        commit_every: int = 16,
        state_bytes: int = 1 << 20,
        history: int | None = None,
        when_late: str = "silence",
        hang_after: float | None = None,
        patience: float | None = None,
        realtime_priority: int = 0,
        lock_memory: bool = False,
        keep_cores_awake: bool = False,
        flush_denormals: bool = True,
        breaker_deaths: int = 5,
        most_deaths: int = 0,
        deaths_within: float = 60.0,
        preload: Sequence[str] = (),
        start: str | None = None,
        capture_stderr: bool = False,
        on_event: Callable[[Event], object] | None = None,
        name: str = "standby",
    ) -> None:
        settings = {each: value for each, value in locals().items() if each in Settings.NAMES}
        _check_call(make, args)
        self._open(Settings(settings), make, args, False, block, out)

    @classmethod
    def of(
        cls,
        function: Callable[[Any], Any],
        /,
        *,
        block: Any,
        out: Any = None,
        period: float,
        mode: str = "stateless",
        **options: Any,
    ) -> StandbyChannel:
        """A channel of a function of one block that returns its answer: an array of out's shape, whose items can
        become out's ("same_kind" of numpy.can_cast), or a buffer of out's size. It has no state: what one call
        leaves behind must not matter to the next one. options: those of the class, but for how state is handed on."""
        if not callable(function):
            raise TypeError("function must be a callable")
        for each in ("rejoin", "replay_blocks", "commit_every", "state_bytes"):
            if each in options:
                raise TypeError(f"{each}: a function has no state to hand on; use StandbyChannel(make, …)")
        channel = cls.__new__(cls)
        settings = Settings({"period": period, "mode": mode, "replay_blocks": 1, **options})
        channel._open(settings, function, (), True, block, out)
        return channel

    def _open(
        self,
        settings: Settings,
        make: Callable[..., Any],
        args: tuple[Any, ...],
        is_function: bool,
        block: Any,
        out: Any,
    ) -> None:
        block_form = form_of("block", block)
        self._out: Form = block_form if out is None else form_of("out", out)
        if out is None:
            form_of("out", block)
        self._name = settings.name
        self._wanted: int = settings.engine["replicas"]
        self._late = False
        saved_bytes = settings.engine["state_bytes"] if settings.saves else 0
        order = Order(make, args, is_function, block_form, self._out, saved_bytes)
        death = _LastDeath(settings.on_event)
        given = {
            **settings.engine,
            "block": block_form,
            "out": self._out,
            "bytes_in": block_form.nbytes,
            "bytes_out": self._out.nbytes,
            "on_event": event_callback(death.hear),
        }
        launch = Launch(settings.start, None, (), settings.preload, main_in_each=False)
        self._core = _open_core(launch, given, _pickling.dumps(order, None), death)
        self._gone = _core.Bell()
        self._finalizer = weakref.finalize(self, self._core.close_in_background, _goer(launch, self._gone))
        self._finalizer.atexit = False
        with _lock:
            _open_channels.add(self)

    # ---- the stream ----

    def process(
        self, block: Any, out: Any = None, *, timeout: float | None = None, deadline: float | None = None
    ) -> Any:
        """One block; returns out (a new array or bytearray if None) with its answer, at the latest at its deadline,
        whatever the replicas do. If no answer came by then, out holds what when_late says, and ``late`` is true.

        timeout: seconds from now. deadline: on time.monotonic()'s clock. Neither: one period from now.
        block and out must be C-contiguous and have exactly the channel's shapes and dtypes: TypeError and ValueError
        otherwise, and no block has passed. out may be the block itself.
        Raises StandbyClosed; RuntimeError when another thread is in here. A KeyboardInterrupt comes when the block is
        over; one whose deadline was 0.2 s away or more is over at once then: it is late.
        """
        if timeout is not None and deadline is not None:
            raise TypeError("process takes a timeout or a deadline, not both")
        if out is None:
            out = self._out.fresh()
        try:
            self._late = not self._core.process(block, out, timeout, deadline)
        except _core.StandbyClosed as error:
            raise StandbyClosed(str(error)) from None
        return out

    @property
    def late(self) -> bool:
        """Whether the last block that process() returned from was not answered in time."""
        return self._late

    # ---- the channel ----

    def stats(self) -> StandbyStats:
        """Counters, gauges and histograms; after close() the last ones."""
        return stats_of(self._core.stats())

    def replica_pids(self) -> list[int]:
        """Process ids of the replicas that are in step. For tests and tools."""
        return list(self._core.replica_pids())

    def wait_in_step(self, replicas: int | None = None) -> bool:
        """Waits until so many replicas (None: all that the channel is to have) are in step; False when that will not be
        any more: see ``broken``."""
        wanted = self._wanted if replicas is None else _options.count("replicas", replicas, 0, self._wanted)
        return bool(self._core.wait_in_step(wanted))

    def strike(self, how: str) -> int:
        """To test what depends on it: a replica that is in step (each in turn; where one works, that one) dies in this
        way of hotspare.chaos.WAYS: of sigkill or stop at once, of the others in its next block. Returns its pid, 0 if
        there is none."""
        return int(self._core.strike(_options.choice("how", how, chaos.WAYS)))

    @property
    def broken(self) -> str:
        """Why no more replicas can be had; empty while all is well. process() goes on then: with what is left."""
        return str(self._core.broken)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return bool(self._core.closed)

    def close(self) -> None:
        """Returns when the block that is being processed is over and every process is gone; from on_event, or a signal
        handler that runs within process(), at once. May be called again. A KeyboardInterrupt ends the wait, and it goes
        on closing."""
        with _lock:
            _open_channels.discard(self)
        self._finalizer()
        # A callback runs on a thread that has to end before the channel is gone, a handler within a block that has.
        if self._core.in_host and not in_callback() and not self._core.in_process_here:
            self._gone.wait(-1.0)

    def __enter__(self) -> StandbyChannel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "broken" if self.broken else "open"
        return f"<StandbyChannel {self._name!r}, {state}>"


def _goer(launch: Launch, gone: Any) -> Callable[[], None]:
    """What is called when nothing of the channel is left."""

    def go() -> None:
        launch.close()
        gone.ring()

    return go


class _LastDeath:
    """Remembers why a channel could not be made."""

    def __init__(self, on_event: Callable[[Event], object] | None) -> None:
        self._on_event = on_event
        self.report: CrashReport | None = None

    def hear(self, event: Event) -> None:
        if event.report is not None:
            self.report = event.report
        if self._on_event is not None:
            self._on_event(event)


def _open_core(launch: Launch, given: dict[str, Any], order: bytes, death: _LastDeath) -> Any:
    try:
        return launch.make(lambda options: _core.CoreStandby(options, order), given)
    except BaseException as error:
        launch.close()
        if type(error) is not RuntimeError:
            raise
        words, ours = str(error), "StandbyOptions::"
        if words.startswith(ours):
            raise ValueError(words.removeprefix(ours)) from None
        raised = death.report.traceback_text() if death.report is not None else ""
        broken = StandbyBroken(words, death.report)
        raise broken from (RemoteTraceback(raised) if raised else None)


def _check_call(make: Any, args: tuple[Any, ...]) -> None:
    if not callable(make):
        raise TypeError("make must be a class or another callable that returns a processor")
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError):  # of C code, perhaps
        return
    try:
        signature.bind(*args)
    except TypeError as error:
        raise TypeError(
            f"make cannot be called with {len(args)} arguments: {error}. It is called in each replica and returns a "
            "processor. For a plain function of a block, use StandbyChannel.of"
        ) from None


_open_channels: weakref.WeakSet[StandbyChannel] = weakref.WeakSet()
_lock = threading.RLock()


def _at_exit() -> None:
    with _lock:
        channels = list(_open_channels)
    for channel in channels:
        channel.close()


def _in_fork() -> None:
    """Channels belong to the process that made them. The lock may have been held at the moment of the fork."""
    global _lock
    _lock = threading.RLock()
    _open_channels.clear()
    _core.forget_channels()


os.register_at_fork(after_in_child=_in_fork)

# Registered after that of _engine, and so called before it: that one joins those who close in the background.
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]
