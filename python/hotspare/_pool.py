"""hotspare.Pool: the native class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from types import TracebackType
from typing import Any, TypeVar

from hotspare import _core, _options
from hotspare._batch import Batch
from hotspare._events import Event, event_callback
from hotspare._future import Faults, Future, submitted
from hotspare._owner import Owner
from hotspare._retries import Retries, Tag, retries_of, tags_of
from hotspare._start import METHODS, method_of
from hotspare._stream_map import Feeding, StreamMap

T = TypeVar("T")


class Submitter:
    """A pool seen with options for its tasks; what Pool.with_options returns. Any thread may use it."""

    def __init__(
        self, pool: Pool, given: dict[str, Any], name: str | None, retries: Retries | None, kills: bool
    ) -> None:
        self._pool = pool
        self._kills = kills
        self._label = name
        self._retrying = retries is not None and retries.attempts > 1
        self._given = given
        self._retries = retries
        # With a policy that asks, who is asked wants to know what the task is called.
        self._fixed = None if self._asks() else _core.CoreTaskOptions(self._of(name))

    def _asks(self) -> bool:
        return self._retries is not None and self._retries._core(Faults, None)["ask"] is not None

    def _of(self, label: Any) -> dict[str, Any]:
        retries = None if self._retries is None else self._retries._core(Faults, label)
        return {**self._given, "retries": retries}

    def _options_for(self, fn: Any) -> Any:
        return self._fixed or _core.CoreTaskOptions(self._of(self._label or fn))

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Pool.submit with these options."""
        return self._pool._submit(self._options_for(fn), self._label or fn, fn, args, kwargs, self._kills)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        return_exceptions: bool = False,
    ) -> Iterator[T]:
        """Pool.map with these options. Time limits and retries are those of each item, the others hold for the items
        that travel together; ``timeout`` is for the whole call."""
        return self._pool._map(self._options_for(fn), fn, iterables, timeout, return_exceptions, True, self._retrying)

    def as_completed(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        return_exceptions: bool = False,
    ) -> Iterator[T]:
        """Pool.as_completed with these options, as of map."""
        return self._pool._map(self._options_for(fn), fn, iterables, timeout, return_exceptions, False, self._retrying)

    def batch(
        self,
        path: str | os.PathLike[str],
        *,
        version: str = "",
        durability: str = "process",
        rerun: Iterable[str] = (),
        window: int | None = None,
        of_any_user: bool = False,
    ) -> Batch:
        """Pool.batch whose tasks have these options."""
        settings: dict[str, Any] = {"version": version, "durability": durability, "rerun": rerun, "window": window}
        return Batch(self._pool, path, of_any_user=of_any_user, task_options=self._options_for(None), **settings)


class Pool(Owner):
    """A pool of worker processes that a dying worker cannot break. Any thread may use it.

    workers: processes that run tasks at the same time; None: CPUs that this process may use.
    spares: warm workers beside them; one takes over the moment a worker dies.
    start: fork, forkserver or spawn, as of multiprocessing; None: this program's default.
    initializer, initargs: called in each worker before its first task.
    preload: modules imported once, in the process from which the workers are forked; "__main__" with forkserver and
    spawn: the main module, which else each worker imports itself.
    tasks_per_worker: a worker is replaced after so many tasks; None: never.
    queue_limit: tasks waiting at most; then submit blocks (when_full="wait") or raises QueueFull ("refuse"). What comes
        back from a worker that died is not counted against anybody, and may exceed it.
    run_in_host: where no process can be started and no worker is there, tasks run in this process instead of raising
    PoolBroken: one at a time, on a thread that is not the main one. Nothing is isolated then: a task that crashes takes
    this process with it, and one that never returns cannot be ended. Tasks with a time or memory limit, and those that
    have killed a worker before, raise NeedsProcess. Told as the event host_run, or on stderr without on_event.
    payload_limit: bytes of large arguments under way at most; None: a quarter of the memory that this
        process may have: the machine's, or its cgroup's.
    capture_stderr: the workers' stderr goes into crash reports only.
    tags: {name: Tag} of limits that hold for all tasks with that tag; see with_options.
    quarantine_deaths: deaths of workers after which a key, or a task that is being retried, is quarantined; 0: never.
    retry_budget: retries that the whole pool may make; every ten tasks that succeed give one back.
    memory_budget: bytes of private memory that all workers together may use. Near it no new task begins; beyond it the
    newest of the large ones is ended, and run again later, alone, without losing an attempt (so it must not mind that).
    memory_reserve: bytes that must stay free on the machine, or in this process's cgroup; as memory_budget.
    recycle_above: a worker whose private memory is more than so many bytes when it has run a task is replaced.
    cancel: what Future.cancel() does to a task that runs, and with it an await that is cancelled (asyncio.timeout):
    nothing ("queued"), so that its worker stays busy; or it ends the worker, and a spare takes over ("kill").
    on_event: called with each Event, on a thread of the pool's own.
    name: in process titles, errors and events.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        spares: int = 1,
        start: str | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        preload: Sequence[str] = (),
        run_in_host: bool = False,
        tasks_per_worker: int | None = None,
        queue_limit: int | None = None,
        payload_limit: int | None = None,
        when_full: str = "wait",
        capture_stderr: bool = False,
        tags: Mapping[str, Tag] | None = None,
        quarantine_deaths: int = 2,
        retry_budget: float = 100,
        memory_budget: int | None = None,
        memory_reserve: int | None = None,
        recycle_above: int | None = None,
        cancel: str = "queued",
        on_event: Callable[[Event], object] | None = None,
        name: str = "hotspare",
    ) -> None:
        self._workers = (
            _core.usable_cpus() if workers is None else _options.count("workers", workers, 1, _options.MOST_WORKERS)
        )
        self._kills = _options.choice("cancel", cancel, _options.CANCELS) == "kill"
        self._feeding: Feeding = {}
        method = method_of(None if start is None else _options.choice("start", start, METHODS))
        launch = (
            method,
            _options.function("initializer", initializer),
            _options.arguments("initargs", initargs),
            _options.names("preload", preload),
        )
        options = {
            "workers": self._workers,
            "spares": _options.count("spares", spares, 0, _options.MOST_WORKERS),
            "run_in_host": bool(run_in_host),
            "tasks_per_worker": 0
            if tasks_per_worker is None
            else _options.count("tasks_per_worker", tasks_per_worker, 1, 2**31),
            "queue_limit": 0 if queue_limit is None else _options.count("queue_limit", queue_limit, 1),
            "payload_limit": 0 if payload_limit is None else _options.count("payload_limit", payload_limit, 1),
            "refuse_when_full": _options.choice("when_full", when_full, ("wait", "refuse")) == "refuse",
            "breaker_deaths": 5,
            "capture_stderr": bool(capture_stderr),
            "name": _options.title("name", name),
            "on_event": event_callback(_options.function("on_event", on_event)),
            **_options.engine_policies(
                quarantine_deaths,
                retry_budget,
                tags_of(tags or {}),
                memory_budget=memory_budget,
                memory_reserve=memory_reserve,
                recycle_above=recycle_above,
            ),
        }
        self._own(launch, options)

    # ---- tasks ----

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Runs fn(*args, **kwargs) in a worker. What cannot be pickled fails its own future; raises PoolClosed,
        PoolBroken, QueueFull."""
        return self._submit(None, fn, fn, args, kwargs, self._kills)

    def _submit(
        self, options: Any, label: Any, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any], kills: bool
    ) -> Future[T]:
        core = self._core or self._start()
        if self._feeding:
            self._finish_maps()
        try:
            task = core.submit(fn, args, kwargs, options)
        except _core.HandlerRaised as raised:
            raise raised.args[0] from None
        except (Exception, SystemExit, GeneratorExit) as error:  # a pickler runs any code
            return self._not_submitted(error)
        return submitted(task, core, Faults, label, kills)

    def _finish_maps(self) -> None:
        """What is submitted from now on comes after all items of the maps that were called before."""
        for number in sorted(self._feeding):  # items() would make pairs, and garbage collection may take maps away
            each = self._feeding.get(number)
            stream = None if each is None else each()
            if stream is not None:
                stream.flush()

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        return_exceptions: bool = False,
    ) -> Iterator[T]:
        """Results in the items' order. Begins at once, but takes from the input only what keeps the workers busy, so
        endless ones are fine. What has begun can be read after the pool was closed, too. timeout: seconds from the
        call. What is submitted later comes after all items of a map over something that has a length.
        return_exceptions: an item that fails gives its exception instead of raising it, and the rest goes on."""
        return self._map(None, fn, iterables, timeout, return_exceptions, True)

    def as_completed(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        return_exceptions: bool = False,
    ) -> Iterator[T]:
        """Results (not futures) as they come. timeout: seconds for the whole call, as of map."""
        return self._map(None, fn, iterables, timeout, return_exceptions, False)

    def _map(
        self,
        options: Any,
        fn: Callable[..., T],
        iterables: tuple[Iterable[Any], ...],
        timeout: float | None,
        return_exceptions: bool,
        ordered: bool,
        retrying: bool = False,
    ) -> Iterator[T]:
        if not iterables:
            raise TypeError("map needs at least one iterable")
        core = self._core or self._start()
        star = len(iterables) != 1
        items = zip(*iterables) if star else iterables[0]
        if self._feeding:
            self._finish_maps()
        # A pool that refuses when it is full must not be filled on behalf of somebody else.
        bounded = not self._engine_options["refuse_when_full"] and any(isinstance(each, Sized) for each in iterables)
        feeding = self._feeding if bounded else None
        stream = StreamMap(core, fn, items, star, self._workers, options, Faults, return_exceptions, retrying, feeding)
        return stream.ordered(timeout) if ordered else stream.unordered(timeout)

    def batch(
        self,
        path: str | os.PathLike[str],
        *,
        version: str = "",
        durability: str = "process",
        rerun: Iterable[str] = (),
        window: int | None = None,
        of_any_user: bool = False,
    ) -> Batch:
        """A map whose results outlive everything: each is written to a journal, an SQLite file, and given when it is
        committed there. A batch with the same journal gives what the journal has and runs the rest, known by hashes of
        version, function and item. A failure is an outcome, too, and kept with its report.

        version: what the results depend on besides function and item; change it, and all is run anew.
        durability: what the committed survives: SIGKILL of everything ("process"), or a power cut, too ("power").
        rerun: failures that are run again instead of being given as they were: raised, died, timeout, memory.
        window: tasks submitted ahead of the reader; None: 64 a worker.
        of_any_user: also a journal that belongs to another user (not root). It is refused otherwise: the results in it
            are unpickled, which may run anything as the user of this process.
        Raises JournalError.
        """
        return Batch(
            self,
            path,
            version=version,
            durability=durability,
            rerun=rerun,
            window=window,
            of_any_user=of_any_user,
        )

    def with_options(
        self,
        *,
        timeout: float | None = None,
        soft_timeout: float | None = None,
        queue_timeout: float | None = None,
        progress_timeout: float | None = None,
        grace: float = 1.0,
        memory_limit: int | None = None,
        retries: Retries | int | None = None,
        key: str = "",
        tags: Sequence[str] = (),
        priority: int = 0,
        name: str | None = None,
        cancel: str | None = None,
    ) -> Submitter:
        """This pool with options for the tasks submitted through it. Times in seconds.

        timeout: from a task's start; then its stack is taken, its worker ended, and TaskTimeout raised.
        soft_timeout: the same, but first SoftTimeout is raised in the task. If it still runs when ``grace`` is over,
        its stack is taken, TaskTimeout raised, its worker's process group gets SIGTERM; after another grace SIGKILL.
        queue_timeout: from submit until it begins; then QueueTimeout, and it never runs.
        progress_timeout: between two calls of hotspare.progress() in the task; silence ends it as timeout does.
        memory_limit: bytes that a task may add to its worker's memory. The allocation that would pass it fails: with
        MemoryError in Python code; WorkerDied with cause memory_limit where C++ code cannot go on without it, and where
        it is unnamed shared memory or a child of the task that takes too much.
        retries: how many times a failed attempt is made again, or a Retries policy. None: never.
        key: what the task is about: once it has killed ``quarantine_deaths`` workers, what has it ends as Quarantined.
        tags: names of limits that hold for it, of the pool's ``tags``.
        priority: tasks of a higher one begin first; but each eighth that begins is the one submitted first.
        name: for reports.
        cancel: what a cancel of the future does to a task that runs, as of Pool; None: as the pool has it.
        """
        kills = self._kills if cancel is None else _options.choice("cancel", cancel, _options.CANCELS) == "kill"
        given = {
            "timeout": _options.seconds("timeout", timeout),
            "soft_timeout": _options.seconds("soft_timeout", soft_timeout),
            "queue_timeout": _options.seconds("queue_timeout", queue_timeout),
            "progress_timeout": _options.seconds("progress_timeout", progress_timeout),
            "grace": _options.number("grace", grace),
            "memory_limit": 0 if memory_limit is None else _options.count("memory_limit", memory_limit, 1),
            "key": _options.text("key", key),
            "tags": _options.texts("tags", tags),
            "priority": _options.count("priority", priority, -(2**31), 2**31 - 1),
            "name": "" if name is None else _options.text("name", name),
        }
        for tag in given["tags"]:  # type: ignore[attr-defined]
            if tag not in self._engine_options["tags"]:
                raise ValueError(f"the pool has no tag {tag!r}: its tags are {sorted(self._engine_options['tags'])}")
        return Submitter(self, given, name, retries_of(retries), kills)

    # ---- the pool ----

    def resize(self, workers: int) -> None:
        """From now on so many workers run tasks at the same time. Surplus ones finish what they run, and leave."""
        workers = _options.count("workers", workers, 1, _options.MOST_WORKERS)
        self._engine.resize(workers)
        self._workers = workers

    def worker_pids(self) -> list[int]:
        """Of the workers that are ready to run tasks, then of the spares."""
        return [] if self._core is None else list(self._core.worker_pids())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False, grace: float | None = None) -> None:
        """Takes no more tasks. wait: returns when all tasks have settled and every process is gone. grace: seconds from
        now, after which those that have not begun are cancelled and those that run are killed: WorkerDied with cause
        "cancelled". None: it waits for ever; of several calls the earliest end counts.

        A KeyboardInterrupt (or a SystemExit of a signal handler) comes out of the wait within about a second: what has
        not begun is cancelled, what runs gets SIGINT, and what still runs after a second is killed; a second one kills
        at once. A with that is left by a KeyboardInterrupt, or because Ctrl-C has cancelled asyncio's main task, ends
        in the same way."""
        self._close(wait, cancel_futures, grace=None if grace is None else _options.number("grace", grace))

    def kill(self) -> None:
        """shutdown(cancel_futures=True, grace=0): ends what runs at once, and returns when every process is gone."""
        self.shutdown(cancel_futures=True, grace=0)

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(kind)

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """As that of with; who is cancelled (asyncio's Ctrl-C) does not want to wait either."""
        import asyncio  # as in Future.__await__

        in_a_hurry = kind is not None and issubclass(kind, (KeyboardInterrupt, asyncio.CancelledError))
        await self._leave_async(in_a_hurry)
