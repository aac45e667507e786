"""Decides what an outcome means, given what expected_failures.toml says. Pure: no test runs here."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import tomllib

from conformance.cpython.outcome import Outcome

FILE = Path(__file__).with_name("expected_failures.toml")


@dataclass(frozen=True)
class Expectation:
    """`says` (a regular expression) must be found in the failure: a test that fails for another reason is a bug."""

    kind: Literal["failed", "skipped"]
    test: str
    reason: str
    says: str

    def matches(self, test: str) -> bool:
        return fnmatchcase(test, self.test)


@dataclass(frozen=True)
class Verdict:
    kind: Literal["pass", "skip", "xfail", "fail"]
    text: str = ""


def read(file: Path = FILE) -> list[Expectation]:
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    unknown = tables.keys() - {"failure", "skip"}
    if unknown:
        raise ValueError(f"{file.name}: unknown tables {sorted(unknown)}")
    failures = [Expectation("failed", **entry) for entry in tables.get("failure", [])]
    return failures + [Expectation("skipped", **entry) for entry in tables.get("skip", [])]


def judge(outcome: Outcome, expected: Expectation | None) -> Verdict:
    if expected is None:
        if outcome.kind == "passed":
            return Verdict("pass")
        return Verdict("fail", f"{outcome.kind}: {outcome.detail}")
    if outcome.kind == "passed":
        return Verdict("fail", f"unexpectedly passing: take it out of {FILE.name} ({expected.reason})")
    if outcome.kind != expected.kind:
        return Verdict("fail", f"expected to be {expected.kind}, but {outcome.kind}: {outcome.detail}")
    if not re.search(expected.says, outcome.detail):
        return Verdict("fail", f"{outcome.kind}, but does not say {expected.says!r}: {outcome.detail}")
    return Verdict("xfail" if outcome.kind == "failed" else "skip", expected.reason)
