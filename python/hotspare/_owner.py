"""What both classes of pools have in common: an engine that the first task starts."""

from __future__ import annotations

import contextlib
import pickle
import weakref
from typing import Any

from hotspare import _core
from hotspare._describe import in_one_line
from hotspare._engine import Engine, closed, closer, refusal
from hotspare._errors import PoolBroken
from hotspare._future import Future, failed, set_cause
from hotspare._interrupts import is_interrupt


class Owner:
    """Owns one engine; when nobody refers to the owner any more, the engine finishes its work and goes."""

    _broken_class: type[PoolBroken] = PoolBroken

    def _own(self, launch: tuple[Any, ...], options: dict[str, Any]) -> None:
        """launch: the arguments of Launch."""
        self._engine_options = options
        self._engine = Engine(launch, options)
        self._core: Any = None
        self._shut_down = False
        weakref.finalize(self, closer(self._engine)).atexit = False

    def _start(self) -> Any:
        if self._shut_down:
            raise closed()
        self._core = self._engine.start()
        return self._core

    def _close(self, wait: bool, cancel: bool, keep: int = 0, grace: float | None = None) -> None:
        try:
            self._shut_down = True
            self._core = None
            self._engine.shutdown(wait, cancel, keep, grace)
        except (KeyboardInterrupt, SystemExit):  # of a signal handler
            self._end_interrupted()
            raise

    def _end_interrupted(self) -> None:
        """Somebody pressed Ctrl-C: see Engine.end_interrupted."""
        self._shut_down = True
        self._core = None
        self._engine.end_interrupted()

    def _leave(self, kind: type[BaseException] | None) -> None:
        """The end of a with."""
        if is_interrupt(kind):
            self._end_interrupted()
        else:
            self.shutdown(wait=True)

    async def _leave_async(self, in_a_hurry: bool) -> None:
        import asyncio

        engine = self._engine
        loop = asyncio.get_running_loop()
        gone = loop.create_future()

        def note() -> None:
            if not gone.done():
                gone.set_result(None)

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(note)

        self._close(wait=False, cancel=False)
        if in_a_hurry:
            engine.interrupt()
        if engine.is_over:
            return
        engine.when_gone(tell)
        cancelled: BaseException | None = None
        while not gone.done():
            try:
                await asyncio.shield(gone)
            except asyncio.CancelledError as error:
                if cancelled is None and not in_a_hurry:
                    engine.interrupt()
                else:
                    engine.close(True, 0, 0.0)
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def shutdown(self, wait: bool = True) -> None:
        raise NotImplementedError

    def _not_submitted(self, error: BaseException) -> Future[Any]:
        """Refused by the engine: raises. Not to be pickled: a future that says so."""
        if not self._engine.core.in_host:
            raise RuntimeError(
                "this process is a fork of the one that made the pool: it needs a pool of its own"
            ) from None
        if isinstance(error, (_core.PoolClosed, _core.PoolBroken, _core.QueueFull)):
            raise refusal(error, self._broken_class) from None
        if not isinstance(error, Exception):  # it would end this program when the result is asked for
            refused = pickle.PicklingError(f"pickling the task raised {in_one_line(error)}")
            set_cause(refused, error)
            return failed(refused)
        return failed(error)

    def stats(self) -> dict[str, int]:
        """Counters and gauges of the engine; empty before the first task."""
        core = self._engine.core
        return {} if core is None else core.stats()
