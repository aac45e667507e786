"""How many items of a map travel together."""

from __future__ import annotations

import pytest
from hotspare._chunks import Sizer


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
