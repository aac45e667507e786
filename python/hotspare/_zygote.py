"""The zygote of a pool whose workers are no forks of its host: a fresh interpreter, that multiprocessing has begun."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from hotspare import _core, _worker


@dataclass
class Zygote:
    """In the place of the process that multiprocessing.spawn reads and runs."""

    plan: _worker.Plan
    kept: tuple[int, ...]
    """Descriptors that it has inherited, for itself and its forks: not for the programs that these start."""

    def _bootstrap(self, parent_sentinel: Any = None) -> int:
        if parent_sentinel is not None:
            os.close(parent_sentinel)
        for fd in self.kept:
            try:
                os.set_inheritable(fd, False)
            except OSError:  # multiprocessing has closed it: it has read from there
                continue
        _worker.here.plan = self.plan
        _core.become_zygote_if_asked()
        raise SystemExit("hotspare: this program is started by a pool, as its zygote")
