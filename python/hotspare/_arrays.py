"""Arrays that live in shared memory from the start."""

from __future__ import annotations

from typing import Any

from hotspare import _core


def empty(shape: int | tuple[int, ...], dtype: Any = float) -> Any:
    """A numpy array, contents unspecified, whose bytes lie in shared memory: a task that returns it copies nothing.
    From then on it belongs to the caller: the task must not write to it any more."""
    import numpy

    kind = numpy.dtype(dtype)
    if kind.hasobject:
        raise TypeError("an array of Python objects cannot live in shared memory")
    size = int(numpy.prod(shape, dtype=numpy.int64)) * kind.itemsize
    block: Any = _core.shared_block(max(size, 1))
    return numpy.frombuffer(block, dtype=kind, count=size // kind.itemsize if kind.itemsize else 0).reshape(shape)
