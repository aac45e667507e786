"""The drop-in for concurrent.futures.ProcessPoolExecutor."""

from __future__ import annotations

import multiprocessing as mp
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import ProcessPoolExecutor as _Standard
from types import TracebackType
from typing import Any, TypeVar

from hotspare import _core, _options
from hotspare._buffered_map import buffered
from hotspare._eager_map import EagerMap
from hotspare._engine import END_GRACE
from hotspare._errors import BrokenPool, BrokenResult, BrokenWorker, BrokenWorkerTimeout
from hotspare._events import Event, event_callback
from hotspare._future import Faults, Future, submitted
from hotspare._owner import Owner
from hotspare._processes import CallQueue, PoolThread, WorkerProcess
from hotspare._start import method_of

T = TypeVar("T")


class _DropInFaults(Faults):
    died = BrokenWorker
    timed_out = BrokenWorkerTimeout
    broken = BrokenPool
    exits = BrokenResult


class ProcessPoolExecutor(Owner, _Standard):
    """concurrent.futures.ProcessPoolExecutor, but a worker that dies costs only the task that it was running: that
    future raises BrokenWorker (a WorkerDied that is also a BrokenProcessPool), all others go on.

    The keyword-only options after max_tasks_per_child are additions: ``spares`` (warm workers that take over from dead
    ones), ``preload`` (modules imported once, before the workers are forked), ``run_in_host`` (as of Pool),
    ``capture_stderr`` (the workers' stderr goes into crash reports only), ``cancel`` (as of Pool), ``on_event``,
    ``name``.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: Any = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
        spares: int = 1,
        preload: Sequence[str] = (),
        run_in_host: bool = False,
        capture_stderr: bool = False,
        cancel: str = "queued",
        on_event: Callable[[Event], object] | None = None,
        name: str = "hotspare",
    ) -> None:
        if max_workers is None:
            max_workers = _core.usable_cpus()
        elif not isinstance(max_workers, int):
            raise TypeError("max_workers must be an integer")
        elif max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        _options.count("max_workers", max_workers, 1, _options.MOST_WORKERS)
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):
                raise TypeError("max_tasks_per_child must be an integer")
            if max_tasks_per_child <= 0:
                raise ValueError("max_tasks_per_child must be >= 1")
        if mp_context is None:
            mp_context = mp.get_context("spawn") if max_tasks_per_child is not None else mp.get_context()
        method = method_of(mp_context)
        if max_tasks_per_child is not None and method == "fork":
            raise ValueError("max_tasks_per_child is incompatible with the 'fork' multiprocessing start method")
        # Not called is the constructor of the standard class, of which this is one for isinstance() only.
        self._max_workers = max_workers
        self._mp_context = mp_context
        self._initializer: Callable[..., Any] | None = initializer  # type: ignore[assignment,unused-ignore]
        self._initargs = initargs
        self._max_tasks_per_child = max_tasks_per_child
        self._call_queue: CallQueue | None = CallQueue()
        self._unpicklable = 0
        self._kills = _options.choice("cancel", cancel, _options.CANCELS) == "kill"
        launch = (method, initializer, initargs, _options.names("preload", preload))
        options = {
            "workers": max_workers,
            "spares": _options.count("spares", spares, 0, _options.MOST_WORKERS),
            "run_in_host": bool(run_in_host),
            "tasks_per_worker": max_tasks_per_child or 0,
            "queue_limit": 0,
            "payload_limit": 0,
            "refuse_when_full": False,
            "breaker_deaths": 5,
            "capture_stderr": bool(capture_stderr),
            "name": _options.title("name", name),
            "on_event": event_callback(_options.function("on_event", on_event)),
            **_options.engine_policies(),
        }
        self._own(launch, options)
        self._feeding: dict[EagerMap, None] = self._engine.maps

    # ---- what concurrent.futures has ----

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Runs fn(*args, **kwargs) in a worker. Starts the workers at the first call."""
        core = self._core
        if core is None:
            core = self._start()
        if self._feeding:
            self._finish_maps()
        try:
            task = core.submit(fn, args, kwargs, None)
        except _core.HandlerRaised as raised:
            raise raised.args[0] from None
        except (Exception, SystemExit, GeneratorExit) as error:  # a pickler runs any code
            return self._not_submitted(error)
        return submitted(task, core, _DropInFaults, fn, self._kills)

    def _finish_maps(self) -> None:
        """What is submitted from now on comes after all items of the maps that were called before."""
        for running in list(self._feeding):
            running.give_way()

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """As concurrent.futures. Without a ``chunksize``, the items that travel together follow the time they take."""
        if chunksize is not None and chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        end = None if timeout is None else timeout + time.monotonic()
        if buffersize is not None or "submit" in self.__dict__ or type(self).submit is not ProcessPoolExecutor.submit:
            return self._map_by_submit(fn, iterables, end, chunksize or 1, buffersize)
        core = self._core
        if core is None:
            core = self._start()
        star = len(iterables) != 1
        items = list(zip(*iterables)) if star else list(iter(iterables[0]))  # no __len__ is asked
        if self._feeding:
            self._finish_maps()
        running = EagerMap(core, fn, items, star, self._max_workers, _DropInFaults, chunksize, self._feeding)
        return running.results(None if end is None else end - time.monotonic())

    def _map_by_submit(
        self,
        fn: Callable[..., T],
        iterables: tuple[Iterable[Any], ...],
        end: float | None,
        chunksize: int,
        buffersize: int | None,
    ) -> Iterator[T]:
        """Through submit, that a subclass or its user may have put something in front of."""
        if buffersize is None and chunksize == 1:
            return Executor.map(self, fn, *iterables, timeout=None if end is None else end - time.monotonic())
        if buffersize is not None:
            return buffered(self.submit, fn, zip(*iterables), buffersize, end)
        from concurrent.futures import process
        from functools import partial

        chunks = process._get_chunks(*iterables, chunksize=chunksize)
        results = Executor.map(
            self,
            partial(process._process_chunk, fn),
            chunks,
            timeout=None if end is None else end - time.monotonic(),
        )
        return process._chain_from_iterable_of_lists(results)  # type: ignore[no-any-return]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False, grace: float | None = None) -> None:
        """Takes no more tasks. wait: returns when all have settled and every process is gone. cancel_futures: those
        that have not begun, but for the next few, are cancelled. grace, and a KeyboardInterrupt meanwhile: as of
        Pool."""
        self._call_queue = None
        # The standard class lets those go on that have left its own hands for the queue of the workers.
        limit = None if grace is None else _options.number("grace", grace)
        self._close(wait, cancel_futures, keep=self._max_workers + 1, grace=limit)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(kind)

    def terminate_workers(self) -> None:
        """Ends all workers with SIGTERM, those that outlive it after a second with SIGKILL, and shuts the pool down:
        what they were running raises, what had not begun is cancelled."""
        self._end_workers("terminate")

    def kill_workers(self) -> None:
        """As terminate_workers, with SIGKILL."""
        self._end_workers("kill")

    def _end_workers(self, how: str) -> None:
        core = self._engine.core
        processes = [] if core is None else [WorkerProcess(pid) for pid in core.started_pids(0)]
        self._call_queue = None
        self._close(wait=False, cancel=True, grace=END_GRACE)
        for process in processes:
            getattr(process, how)()

    # ---- insides ----

    _broken_class = BrokenPool

    def _not_submitted(self, error: BaseException) -> Future[Any]:
        future = super()._not_submitted(error)
        self._unpicklable += 1
        return future

    # What programs and tests look at in the standard class.

    @property
    def _processes(self) -> dict[int, WorkerProcess] | None:  # type: ignore[override]
        engine = self._engine
        if self._shut_down:
            return None
        if engine.core is None:
            return {}
        count = self._max_workers
        if engine.method != "fork":
            # The standard class starts one whenever a task finds no idle one.
            count = min(count, engine.core.stats()["peak_unsettled"] + self._unpicklable)
        started = engine.core.started_pids(count)
        places = {pid: place for place, pid in enumerate(engine.core.worker_pids())}  # those that run tasks come first
        started.sort(key=lambda pid: places.get(pid, len(places)))
        return {pid: WorkerProcess(pid) for pid in started[:count]}

    @property
    def _pending_work_items(self) -> dict[int, None]:  # type: ignore[override]
        """As many as there are tasks that have not settled."""
        core = self._engine.core
        return (
            {} if core is None else dict.fromkeys(range(sum(core.stats()[kind] for kind in ("queued", "in_workers"))))
        )

    @property
    def _shutdown_thread(self) -> bool:  # type: ignore[override]
        return self._shut_down

    @property
    def _executor_manager_thread(self) -> PoolThread | None:  # type: ignore[override]
        started = self._engine.core is not None and not self._shut_down
        return PoolThread(self._engine) if started else None

    @property
    def _broken(self) -> bool | str:  # type: ignore[override]
        core = self._engine.core
        return False if core is None else core.broken or False


ProcessPoolExecutor.submit.__text_signature__ = "($self, fn, /, *args, **kwargs)"  # type: ignore[attr-defined]
