"""How objects become bytes: as multiprocessing pickles them, and by cloudpickle what pickle cannot."""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

_extra: dict[Any, Any] = ForkingPickler._extra_reducers  # type: ignore[attr-defined]
_table: dict[Any, Any] = {}
_sizes = (-1, -1)


def _dispatch_table() -> dict[Any, Any]:
    """What copyreg and multiprocessing know, as one dict: the C pickler looks into that faster than in a ChainMap."""
    global _table, _sizes
    sizes = (len(copyreg.dispatch_table), len(_extra))
    if sizes != _sizes:
        _table = {**copyreg.dispatch_table, **_extra}
        _sizes = sizes
    return _table


def _is_interactive() -> bool:
    """Functions of a notebook's or prompt's __main__ may have been defined, or redefined, since the workers' image was
    taken, and no worker can import them: they travel by value."""
    main = sys.modules.get("__main__")
    return main is not None and not hasattr(main, "__file__") and getattr(main, "__spec__", None) is None


def dumps(
    value: object,
    buffer_callback: Callable[[pickle.PickleBuffer], object] | None,
    drop_buffers: Callable[[], object] | None = None,
) -> bytes:
    """Raises what pickle raises, if cloudpickle cannot do it either. drop_buffers: called when the buffers that the
    callback was given are those of a pickle that has come to nothing."""
    if _is_interactive():
        return _cloudpickled(value, buffer_callback)
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, 5, buffer_callback=buffer_callback)
    pickler.dispatch_table = _dispatch_table()
    try:
        pickler.dump(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        if drop_buffers is not None:
            drop_buffers()
        try:
            return _cloudpickled(value, buffer_callback)
        except Exception:
            raise error from None
    return stream.getvalue()


def _cloudpickled(value: object, buffer_callback: Callable[[pickle.PickleBuffer], object] | None) -> bytes:
    import cloudpickle

    stream = io.BytesIO()
    pickler = cloudpickle.Pickler(stream, protocol=5, buffer_callback=buffer_callback)
    pickler.dispatch_table = pickler.dispatch_table.new_child(_extra)
    pickler.dump(value)
    return stream.getvalue()


def is_a_name(function: object, data: bytes) -> bool:
    """Whether these bytes hold nothing but where to find the function: then they are as good next time."""
    if type(function) in _dispatch_table():
        return False
    try:
        return pickle.dumps(function, 5) == data
    except Exception:
        return False
