"""What runs in the replicas of a standby channel. The engine calls these by their names."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hotspare import _pickling
from hotspare._blocks import Form
from hotspare._describe import in_one_line, traceback_of


@dataclass
class Order:
    """What a replica is told when it begins."""

    make: Callable[..., Any]
    arguments: tuple[Any, ...]
    is_function: bool
    """make is itself what processes a block: StandbyChannel.of."""
    block: Form
    out: Form
    state_bytes: int
    """The most that a state may have; 0: none is saved."""


class Replica:
    """A processor, and how it is called, saved and loaded."""

    def __init__(self, order: bytes) -> None:
        told: Order = pickle.loads(order)
        self.block = told.block
        self.out = told.out
        self._state_bytes = told.state_bytes
        self.step: Callable[[Any, Any], Any] = _nothing
        """Called with a block, and where its answer is to be written."""
        if told.is_function:
            self.step = _writes_for(told.make, told.out)
            self._saves = True
            self._processor: Any = None
        else:
            self._take(told.make(*told.arguments))
            self._saves = _has_both(self._processor)
            if told.state_bytes != 0:
                self._try_to_save()
        gc.collect()
        gc.freeze()  # what was made by now stays; no collection between two blocks looks at it again

    def _take(self, processor: Any) -> None:
        step = getattr(processor, "process", None)
        if not callable(step):
            raise TypeError(
                f"what make returned has no method process(block, out): {_kind(processor)}. For a plain function of a "
                "block, use StandbyChannel.of"
            )
        self._processor = processor
        self.step = step

    def _try_to_save(self) -> None:
        """Now, in front of who makes the channel, and not at the first death."""
        state = self.save()
        if len(state) > self._state_bytes:
            self.refuse_state(len(state))
        if not self._saves:
            pickle.loads(state)

    def save(self) -> bytes:
        if self._processor is None:
            return b""
        if self._saves:
            return bytes(self._processor.save())
        try:
            return _pickling.dumps(self._processor, None)
        except Exception as error:
            raise TypeError(
                f"the processor cannot be pickled, which is how a new replica gets its state: {_kind(self._processor)}"
                '. Give it save() and load(state), or choose rejoin="forked", or replay_blocks'
            ) from error

    def load(self, state: bytes) -> None:
        if self._processor is None:
            return
        if self._saves:
            self._processor.load(state)
        else:
            self._take(pickle.loads(state))

    def refuse_state(self, size: int) -> None:
        raise ValueError(
            f"the state of the processor has {size} bytes, and state_bytes is {self._state_bytes}: make that larger"
        )

    def refuse_result(self, result: Any) -> None:
        raise TypeError(
            f"process(block, out) writes its answer into out and returns None, and not {_kind(result)}. For a function "
            "that returns its answer, use StandbyChannel.of"
        )


def _nothing(block: Any, out: Any) -> None:
    raise AssertionError("a replica without a processor")


def _kind(value: object) -> str:
    name = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return f"an object of class {name}"


def _has_both(processor: Any) -> bool:
    saves, loads = (callable(getattr(processor, name, None)) for name in ("save", "load"))
    if saves != loads:
        raise TypeError(f"a processor has both save() and load(state), or neither: {_kind(processor)}")
    return saves


def _writes_for(function: Callable[[Any], Any], form: Form) -> Callable[[Any, Any], None]:
    """As process of an object, of a function that returns its answer."""

    def write_bytes(block: Any, out: Any) -> None:
        with memoryview(function(block)) as answer:
            if answer.nbytes != form.nbytes:
                raise ValueError(f"the answer must be {form}, not of {answer.nbytes}")
            out[:] = answer.cast("B") if answer.nbytes else b""

    if form.plain:
        return write_bytes
    import numpy

    def write_array(block: Any, out: Any) -> None:
        answer = numpy.asarray(function(block))
        if answer.shape != form.shape:
            raise ValueError(f"the answer must have shape {form.shape}, not {answer.shape}")
        numpy.copyto(out, answer, casting="same_kind")

    return write_array


def explain(error: BaseException, aloud: bool) -> tuple[str, str]:
    """What a replica dies of: the last line of its traceback, and where, in the words of faulthandler.
    aloud: on its stderr, too."""
    text = traceback_of(error)
    if aloud:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            os.write(2, text.encode("utf-8", "backslashreplace"))  # sys.stderr may be a stand-in of the host's
    last = in_one_line(error)
    last, text = (words.encode("utf-8", "backslashreplace").decode() for words in (last, text))
    frames = reversed(traceback.extract_tb(error.__traceback__))
    lines = [f'  File "{frame.filename}", line {frame.lineno} in {frame.name}' for frame in frames]
    return last, "\n".join(["Current thread (most recent call first):", *lines, "", text])
