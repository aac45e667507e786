"""Processors for standby channels whose answers show whether their state is right. Blocks are eight bytes: a number."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import Any

from python_tasks import Fifo

BLOCK = 8
STOP_HERE = 2**64 - 1
"""The block on which Meeting waits."""


def number(block: Any) -> int:
    return int.from_bytes(memoryview(block).cast("B"), "little")


def block_of(value: int) -> bytes:
    return (value % 2**64).to_bytes(BLOCK, "little")


def next_state(state: int, value: int) -> int:
    return ((state ^ value) * 0x100000001B3 + 1) % 2**64


class Chain:
    """Each answer depends on all blocks before it: the whole history in one number. Saved by pickle."""

    def __init__(self, state: int = 0) -> None:
        self.state = state

    def process(self, block: Any, out: Any) -> None:
        self.state = next_state(self.state, number(block))
        out[:] = block_of(self.state)


class SavedChain(Chain):
    """The same, by its own words."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()  # which cannot be pickled

    def save(self) -> bytes:
        return block_of(self.state)

    def load(self, state: bytes) -> None:
        self.state = number(state)


class Grows:
    """Its state has 100 bytes a block, and more. Answers with the number of blocks."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def process(self, block: Any, out: Any) -> None:
        self.kept.append(os.urandom(100))
        out[:] = block_of(len(self.kept))


class Window:
    """Each answer depends on the last four blocks."""

    BLOCKS = 4

    def __init__(self) -> None:
        self.last: deque[int] = deque(maxlen=self.BLOCKS)

    def process(self, block: Any, out: Any) -> None:
        self.last.append(number(block))
        out[:] = block_of(window_state(self.last))


def window_state(last: Any) -> int:
    state = 0
    for value in last:
        state = next_state(state, value)
    return state


def twice(block: Any) -> bytes:
    return block_of(2 * number(block))


class Keeper:
    """Keeps everything that it gets, views of it too, and answers with all of it."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def process(self, block: Any, out: Any) -> None:
        self.kept.append(memoryview(block)[1:])
        self.kept.append(block)
        total = sum(number(each) for each in self.kept if len(each) == BLOCK)
        out[:] = block_of(total)
        self.kept.append(out)


class Meeting(Chain):
    """Waits at a marked block until it is told to go on."""

    def __init__(self, begun: Fifo, go_on: Fifo) -> None:
        super().__init__()
        self.begun = begun
        self.go_on = go_on

    def process(self, block: Any, out: Any) -> None:
        if number(block) == STOP_HERE:
            self.begun.tell(os.getpid())
            self.go_on.hear()
        super().process(block, out)


class Raiser(Chain):
    """Raises on one block."""

    def process(self, block: Any, out: Any) -> None:
        super().process(block, out)
        if number(block) == STOP_HERE:
            raise LookupError("no such star")


class Silent:
    """Writes nothing."""

    def process(self, block: Any, out: Any) -> None:
        return


class Returns:
    """Writes nothing and returns what it should have written."""

    def process(self, block: Any, out: Any) -> Any:
        return bytes(block)


class Unpicklable(Chain):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Large(Chain):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.state_of_it = b"x" * size


class OnlySaves(Chain):
    def save(self) -> bytes:
        return b""


class NoProcessor:
    pass


def make_nothing_of(path: str) -> Chain:
    with open(path):
        return Chain()
