"""How many items of a map travel together, and what becomes of them when their worker wrote nonsense."""

from __future__ import annotations

from typing import Any

import pytest
from hotspare._chunks import Chunk, Sizer, decode, until_failure
from hotspare._future import Faults


def after(*notes: tuple[int, float]) -> int:
    sizer = Sizer()
    for items, seconds in notes:
        sizer.note(items, seconds)
    return sizer.size


@pytest.mark.parametrize(
    ("notes", "size"),
    [
        ((), 1),
        (((1, 1e-6),), 16),  # grows by steps
        (((1, 1e-6), (16, 16e-6)), 256),
        (((1, 1e-6), (16, 16e-6), (256, 256e-6)), 3999),  # 4 ms of them
        (((1, 0.5),), 1),  # slow ones travel alone
        (((1, 1e-6), (16, 16e-6), (256, 25.6)), 1),  # and when they become slow, at once
        (((1, 0.0),), 16),  # a clock that did not move
        (((0, 0.1),), 1),  # nothing was run
    ],
)
def test_size(notes: tuple[tuple[int, float], ...], size: int) -> None:
    assert after(*notes) in (size, size + 1)


class Settled:
    """A task of two items that has ended with these results."""

    def __init__(self, values: list[Any], failures: list[tuple[int, Any]]) -> None:
        self.payload = (values, failures, 0.001)

    def outcome(self) -> tuple[str, Any]:
        return "chunk", self.payload


def results(values: list[Any], failures: list[tuple[int, Any]]) -> list[Any]:
    """What a map over these two items yields, the exception that ends it last."""
    chunk = Chunk(Settled(values, failures), ["a", "b"])
    decode(chunk, Faults, None, Sizer())
    found: list[Any] = []
    try:
        for value in until_failure(chunk):
            found.append(value)
    except Exception as error:
        found.append(type(error))
    return found


@pytest.mark.parametrize(
    ("values", "failures", "found"),
    [
        ([1, 2], [], [1, 2]),
        ([1], [], [1, RuntimeError]),  # never fewer without a word
        ([], [], [RuntimeError]),
        ([1, 2, 3], [], [1, 2, RuntimeError]),
        ([None], [(0, ValueError())], [ValueError]),  # a chunk that ended at a failure
        ([1, None], [(1, ValueError())], [1, ValueError]),
        ([1, 2, None], [(2, ValueError())], [1, 2, RuntimeError]),
    ],
)
def test_each_item_has_one_outcome(values: list[Any], failures: list[tuple[int, Any]], found: list[Any]) -> None:
    assert results(values, failures) == found
