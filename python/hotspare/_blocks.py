"""What the blocks of a stream look like: arrays of one shape and dtype, or plain bytes."""

from __future__ import annotations

import math
import operator
from typing import Any

from hotspare import _options

MOST_BYTES = 16 << 20


class Form:
    """Can be pickled, so that host and replicas agree. Needs numpy only for arrays."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        """dtype: a numpy.dtype; None: blocks are bytes, shape[0] of them."""
        self.shape = shape
        self.dtype = dtype
        self.plain = dtype is None
        """Processors get their block as bytes, and write into a bytearray."""
        self.nbytes = math.prod(shape) * (1 if dtype is None else dtype.itemsize)
        self.format = "" if dtype is None else memoryview(self.fresh()).format

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.shape, self.dtype)

    def __str__(self) -> str:
        if self.plain:
            return f"a buffer of {self.nbytes} bytes"
        return f"a C-contiguous array of shape {self.shape} and dtype {self.dtype}"

    def fresh(self) -> Any:
        """An array with unspecified contents, or a bytearray: for an answer."""
        if self.plain:
            return bytearray(self.nbytes)
        import numpy

        return numpy.empty(self.shape, self.dtype)

    def input_room(self) -> tuple[Any, Any]:
        """An array, and a view of it that cannot be written to."""
        owner = self.fresh()
        view = owner.view()
        view.flags.writeable = False
        return owner, view

    def look_closer(self, value: Any, name: str, writable: bool) -> None:
        """Raises what is wrong with it, if anything is."""
        if isinstance(value, (str, type(None))) or not _has_buffer(value):
            raise TypeError(f"{name} must be {self}, not {type(value).__name__}")
        if self.plain:
            view = memoryview(value)
            if view.nbytes != self.nbytes:
                raise ValueError(f"{name} must be {self}, not of {view.nbytes}")
            contiguous, readonly = view.c_contiguous, view.readonly
        else:
            import numpy

            array = numpy.asarray(value)
            if array.dtype != self.dtype:
                raise TypeError(f"{name} must be {self}, not of dtype {array.dtype}: convert it, with astype")
            if array.shape != self.shape:
                raise ValueError(f"{name} must be {self}, not of shape {array.shape}")
            contiguous, readonly = array.flags.c_contiguous, not array.flags.writeable
        if not contiguous:
            raise ValueError(f"{name} must be {self}, and is not contiguous: copy it, with numpy.ascontiguousarray")
        if writable and readonly:
            raise ValueError(f"{name} is written to, and must not be read-only")

    def refuse_resized(self, nbytes: int) -> None:
        raise ValueError(f"the processor gave out another size: it has {nbytes} bytes now, not {self.nbytes}")


def _has_buffer(value: Any) -> bool:
    try:
        memoryview(value).release()
    except TypeError:
        return False
    except (BufferError, ValueError):
        return True
    return True


def form_of(name: str, wanted: Any) -> Form:
    """From a number of bytes, (shape, dtype), or an array like those that will come."""
    if isinstance(wanted, int):
        return _checked(name, Form((_options.count(name, wanted, 0, MOST_BYTES),), None))
    if isinstance(wanted, (bytes, bytearray, memoryview)):
        return _checked(name, Form((memoryview(wanted).nbytes,), None))
    pair = isinstance(wanted, tuple) and len(wanted) == 2
    if not pair and not (hasattr(wanted, "shape") and hasattr(wanted, "dtype")):
        raise TypeError(
            f"{name} must be a number of bytes, (shape, dtype), or an array like those that will come, "
            f"not {type(wanted).__name__}"
        )
    try:
        import numpy
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"{name}: arrays need numpy; without it, give a number of bytes") from None
    shape, dtype = wanted if pair else (wanted.shape, wanted.dtype)
    kind = numpy.dtype(dtype)
    if kind.hasobject or kind.subdtype is not None:
        raise TypeError(f"{name}: items of dtype {kind} cannot lie in shared memory: use numbers")
    sizes = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    lengths = tuple(_length(name, each) for each in sizes)
    try:
        form = Form(lengths, kind)
    except ValueError as error:  # dates and the like have no buffers
        raise TypeError(f"{name}: items of dtype {kind} have no buffer: view them as integers ({error})") from None
    return _checked(name, form)


def _length(name: str, value: Any) -> int:
    try:
        length = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: a length in a shape must be an integer, not {type(value).__name__}") from None
    return _options.count(f"{name}: a length in its shape", length)


def _checked(name: str, form: Form) -> Form:
    if form.nbytes > MOST_BYTES:
        raise ValueError(f"{name} must have at most 16 MiB, not {form.nbytes} bytes")
    if name == "out" and form.nbytes == 0:
        raise ValueError("out must have at least 1 byte")
    return form
