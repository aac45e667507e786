"""Runs a program in the replaced interpreter and tells how often it used the executor under test."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.interpreter import Interpreter


@dataclass(frozen=True)
class Uses:
    """How often methods of the executor under test were called. None at all: the program used something else."""

    counts: Counter[str]

    @property
    def constructions(self) -> int:
        return self.counts["__init__"]

    @property
    def submits(self) -> int:
        return self.counts["submit"]

    @property
    def maps(self) -> int:
        return self.counts["map"]


@dataclass(frozen=True)
class Run:
    status: int
    stdout: str
    stderr: str
    uses: Uses


Program = Callable[[Sequence[str]], Run]


@pytest.fixture
def program(interpreter: Interpreter, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Runs `python ARGUMENTS` in tmp_path, which holds nothing but what the test put there."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    record = elsewhere / "record"

    def run(arguments: Sequence[str]) -> Run:
        record.write_text("")
        # Caches and configurations of the one who runs the tests stay out of it.
        environment = {"HOTSPARE_TEST_RECORD": str(record), "HOME": str(elsewhere), "XDG_CACHE_HOME": str(elsewhere)}
        ended = interpreter.run(arguments, cwd=tmp_path, environment=environment)
        assert not ended.hung, ended.stderr
        assert not ended.left_behind
        return Run(ended.status, ended.stdout, ended.stderr, read_uses(record))

    return run


def read_uses(record: Path) -> Uses:
    return Uses(Counter(record.read_text(encoding="utf-8").split()))
