"""What a running task can say to its pool."""

from __future__ import annotations

from typing import NamedTuple

from hotspare import _core


class Progress(NamedTuple):
    """How far a running task is, in its own words."""

    done: int
    total: int
    """0: not known."""
    note: str


def progress(done: int = 0, total: int = 0, note: str = "") -> None:
    """Tells how far the running task is: for Future.progress(), and for ``progress_timeout``, which begins anew. Of the
    note 119 bytes are kept. Costs less than a microsecond; outside of tasks it does nothing. Any thread of the worker
    may call it."""
    if not note.isascii():
        note = note.encode("utf-8", "backslashreplace").decode()  # half of a surrogate pair, of a file's name say
    _core.progress(done, total, note)


def attempt() -> int:
    """Which attempt of its task this is: 1 for the first, more for those that its Retries allow. 0 outside of tasks."""
    return _core.attempt()
