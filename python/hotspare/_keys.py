"""What a batch asks, as hashes that are the same in every run of the program: version, function and item, never
positions.

Equal values of the usual types give equal keys however they came about. Pickle alone does not do that: it writes an
object that occurs twice in another way than two equal ones, and sets in the order of this run's hash seed.
"""

from __future__ import annotations

import functools
import hashlib
import io
import pickle
import struct
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any, ClassVar

_PLAIN = {int: b"i", str: b"s", bytes: b"b", float: b"f", bool: b"t", type(None): b"n"}


def _plain(value: Any, kind: type) -> bytes:
    if kind is str:
        return str(value).encode("utf-8", "surrogatepass")
    if kind is bytes:
        return bytes(value)
    if kind is float:
        return struct.pack("<d", value)
    return b"" if value is None else b"%d" % value


def _sized(kind: bytes, data: bytes) -> bytes:
    return b"%s%d:" % (kind, len(data)) + data


def canonical(value: Any) -> bytes:
    """Raises what pickle raises."""
    kind = type(value)
    tag = _PLAIN.get(kind)
    if tag is not None:
        return _sized(tag, _plain(value, kind))
    if kind is tuple or kind is list:
        return _sized(b"(" if kind is tuple else b"[", b"".join(map(canonical, value)))
    if kind is dict:
        return _sized(b"{", b"".join(canonical(name) + canonical(item) for name, item in value.items()))
    if kind is set or kind is frozenset:
        return _sized(b"<", b"".join(sorted(map(canonical, value))))
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray" and not value.dtype.hasobject:
        # As a pickle, a read-only array differs from a writable one.
        return _sized(b"a", canonical((value.dtype.descr, value.shape)) + value.tobytes())
    return _sized(b"p", _pickled(value))


_InPython: Any = pickle._Pickler  # it alone lets the way be changed in which sets are written


class _Pickler(_InPython):  # type: ignore[misc]
    """Without memory of what it has written, and with sets in the order of their elements."""

    dispatch: ClassVar[dict[Any, Any]] = dict(_InPython.dispatch)

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, 5)
        self.fast = True

    def save_set(self, value: Any) -> None:
        self.save_reduce(type(value), ([_Sorted(canonical(each)) for each in sorted(value, key=canonical)],))

    dispatch[set] = save_set
    dispatch[frozenset] = save_set


class _Sorted:
    """An element of a set, as its canonical bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data


def _pickled(value: Any) -> bytes:
    stream = io.BytesIO()
    try:
        _Pickler(stream).dump(value)
    except RecursionError:
        raise ValueError(f"no key can be made of an object that refers to itself ({_name(value)}): give key=") from None
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(f"no key can be made of what cannot be pickled ({_name(value)}): give key=") from error
    return stream.getvalue()


def _name(value: object) -> str:
    return type(value).__qualname__


def _code(code: CodeType) -> bytes:
    """What the code does, not where it stands."""
    consts = b"".join(_code(each) if isinstance(each, CodeType) else canonical(each) for each in code.co_consts)
    return _sized(b"c", code.co_code + canonical((code.co_names, code.co_varnames, code.co_freevars)) + consts)


def function_key(function: Callable[..., Any]) -> bytes:
    """A function that can be found by its name is that name; lambdas and functions within functions are their code and
    what they hold, a partial or a bound method is what it consists of."""
    if isinstance(function, functools.partial):
        return _sized(b"P", function_key(function.func) + canonical((function.args, function.keywords)))
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType):
        method = getattr(function, "__func__", None)
        return _sized(
            b"M", canonical(owner) + (canonical(function.__name__) if method is None else function_key(method))
        )
    name = getattr(function, "__qualname__", None)
    if name is None:
        return _sized(b"O", canonical(function))
    named = canonical((getattr(function, "__module__", None), name))
    code = getattr(function, "__code__", None)
    if "<" not in name or code is None:
        return _sized(b"N", named)
    held = [_held(cell.cell_contents) for cell in getattr(function, "__closure__", None) or ()]
    defaults = (getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None))
    return _sized(b"L", named + _code(code) + canonical((held, defaults)))


def _held(value: Any) -> bytes:
    return function_key(value) if isinstance(value, FunctionType) else canonical(value)


class KeyMaker:
    """Keys of one function's items."""

    def __init__(self, version: str, function: Callable[..., Any]) -> None:
        self._prefix = hashlib.sha256(b"hotspare key 1" + canonical(version) + function_key(function))

    def of(self, value: Any, given: bool) -> bytes:
        """given: value is a key that the user gave, not the item itself."""
        sha = self._prefix.copy()
        sha.update(b"k" if given else b"v")
        sha.update(canonical(value))
        return sha.digest()
