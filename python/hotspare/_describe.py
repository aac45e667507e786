"""Exceptions in words, and as bytes: of whatever class, however it behaves. Nothing in here raises."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any

from hotspare import _pickling

Described = tuple[str, str, str, "bytes | None", str]
"""(class, message, traceback, pickle of the exception if it has one, why it has none)."""

_traceback: Any = BaseException.__traceback__  # the class's own: another may stand in front of it
_MOST = 1_000_000
"""Characters of a message or traceback; what is longer is cut in the middle."""


def _said(what: str, say: Callable[[], object]) -> str:
    """A plain string, whatever the exception's own methods do."""
    try:
        text = str.__str__(say())
    except BaseException as error:
        return f"<{what} raised {kind_of(error)}>"
    if len(text) <= _MOST:
        return text
    half = _MOST // 2
    return f"{text[:half]} … <{len(text) - 2 * half} characters left out> … {text[-half:]}"


def kind_of(error: BaseException) -> str:
    """What its class is called."""
    try:
        kind = type(error)
        module, name = type.__getattribute__(kind, "__module__"), type.__getattribute__(kind, "__qualname__")
        return f"{module}.{name}".removeprefix("builtins.")
    except BaseException:
        return "an exception whose class has no name"


def message_of(error: BaseException) -> str:
    return _said("its __str__", lambda: str(error))


def in_one_line(error: BaseException) -> str:
    """As the last line of a traceback."""
    message = message_of(error)
    return f"{kind_of(error)}: {message}" if message else kind_of(error)


def traceback_of(error: BaseException) -> str:
    """As the interpreter prints it; of one that cannot be printed, what can be told."""
    try:
        text = "".join(traceback.format_exception(type(error), error, _traceback.__get__(error)))
    except BaseException as trouble:
        frames = _said("its traceback", lambda: "".join(traceback.format_tb(_traceback.__get__(error))))
        text = (
            f"Traceback (most recent call last):\n{frames}{in_one_line(error)}\n"
            f"<more of it cannot be told: {in_one_line(trouble)}>\n"
        )
    return _said("its traceback", lambda: text)


def _as_bytes(error: BaseException) -> tuple[bytes | None, str]:
    """Many exceptions can be pickled and not be unpickled: that is found out here, where it can be told."""
    try:
        data = _pickling.dumps(error, None)
    except BaseException as trouble:
        return None, f"it could not be pickled in the worker: {in_one_line(trouble)}"
    try:
        again = pickle.loads(data)
    except BaseException as trouble:
        return None, f"it could be pickled in the worker, but not be unpickled: {in_one_line(trouble)}"
    if not isinstance(again, BaseException):
        return None, f"its pickle is that of no exception: unpickled it is of class {type(again).__qualname__}"
    return data, ""


def describe(error: BaseException) -> Described:
    """For its way to another process. Its traceback is taken from it: that stays here, with all that it refers to."""
    name, message, text = kind_of(error), message_of(error), traceback_of(error)
    BaseException.with_traceback(error, None)
    return name, message, text, *_as_bytes(error)
