"""What both classes of pools have in common: an engine that the first task starts."""

from __future__ import annotations

import pickle
import weakref
from typing import Any

from hotspare import _core
from hotspare._describe import in_one_line
from hotspare._engine import Engine, closed, closer, refusal
from hotspare._errors import PoolBroken
from hotspare._future import Future, failed, set_cause
from hotspare._start import Launch


class Owner:
    """Owns one engine; when nobody refers to the owner any more, the engine finishes its work and goes."""

    _broken_class: type[PoolBroken] = PoolBroken

    def _own(self, launch: Any, options: dict[str, Any]) -> None:
        """launch: the arguments of Launch, which looks at the program when the first task comes, not before."""
        self._launch = launch
        self._engine_options = options
        self._engine: Engine | None = None
        self._core: Any = None
        self._shut_down = False

    def _start(self) -> Any:
        if self._shut_down:
            raise closed()
        if self._engine is None:
            self._engine = Engine(Launch(*self._launch), self._engine_options)
            weakref.finalize(self, closer(self._engine)).atexit = False
        self._core = self._engine.start()
        return self._core

    def _close(self, wait: bool, cancel: bool, keep: int = 0) -> None:
        self._shut_down = True
        self._core = None
        if self._engine is not None:
            self._engine.shutdown(wait, cancel, keep)

    def _not_submitted(self, error: BaseException) -> Future[Any]:
        """Refused by the engine: raises. Not to be pickled: a future that says so."""
        assert self._engine is not None
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
        engine = self._engine
        return {} if engine is None or engine.core is None else engine.core.stats()
