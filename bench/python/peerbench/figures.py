"""What is measured (rows), how it is told from the child (figures), and what a run
was asked for (settings)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from peerbench.peers import OpenPool

WORKERS = 2


@dataclass(frozen=True)
class Row:
    name: str
    unit: str
    better: Literal["higher", "lower", "neither"] = "lower"
    ours_only: bool = False


@dataclass(frozen=True)
class Figure:
    """A value of one row; None with a note that says why there is none."""

    row: str
    value: float | None
    note: str = ""


@dataclass(frozen=True)
class Settings:
    quick: bool = False
    huge: bool = False
    json_dir: str | None = None

    def rounds(self, full: int, quick: int) -> int:
        return quick if self.quick else full


Measure = Callable[[str, OpenPool, Settings], Iterator[Figure]]
"""measure(peer, open_pool, settings), run in a fresh process."""


@dataclass(frozen=True)
class Group:
    """Rows that one function measures together."""

    name: str
    rows: tuple[Row, ...]
    measure: Measure
    seconds: float = 120
    """After so long the peer is cut."""
    processes: int = 1
    """Fresh processes to measure in, for what happens once in each; the median counts."""
    ours_only: bool = False
    needs: tuple[str, ...] = ()
    """Modules that its tasks import."""
    skip: Callable[[Settings], str] = field(default=lambda settings: "")
    """Why it can't be measured with these settings; "" if it can."""
