"""What became of one test, as the process that ran it said, or as was found when that process hung or died."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

Kind = Literal[
    "passed",
    "failed",  # an assertion or an error
    "skipped",
    "altered",  # passed, but a thread or a child was left over: regrtest's "env changed"
    "hung",  # the watchdog ended it
    "died",  # the process that ran the tests ended in it
    "not run",  # the process that should run it never got there
]


@dataclass(frozen=True)
class Outcome:
    kind: Kind
    detail: str = ""

    @classmethod
    def of(cls, kind: str, detail: str) -> "Outcome":
        if kind not in get_args(Kind):
            raise ValueError(f"the runner reported an unknown outcome: {kind!r}")
        return cls(cast(Kind, kind), detail)
