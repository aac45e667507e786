"""The decision as a table: what happened by what was expected."""

import pytest

from conformance.cpython.judgement import Expectation, judge
from conformance.cpython.outcome import Kind, Outcome

FAILURE = Expectation("failed", "Class.test_*", "by design", r"pool \w+ broken")
SKIP = Expectation("skipped", "Class.test_*", "not here", "Windows")


@pytest.mark.parametrize(
    ("kind", "detail", "expected", "verdict"),
    [
        ("passed", "", None, "pass"),
        ("passed", "", FAILURE, "fail"),
        ("passed", "", SKIP, "fail"),
        ("failed", "pool not broken", None, "fail"),
        ("failed", "pool not broken", FAILURE, "xfail"),
        ("failed", "for another reason", FAILURE, "fail"),
        ("failed", "Windows", SKIP, "fail"),
        ("skipped", "Windows", None, "fail"),
        ("skipped", "Windows", SKIP, "skip"),
        ("skipped", "no such module", SKIP, "fail"),
        ("skipped", "pool not broken", FAILURE, "fail"),
        ("altered", "pool not broken", FAILURE, "fail"),
        ("hung", "pool not broken", FAILURE, "fail"),
        ("died", "pool not broken", FAILURE, "fail"),
        ("not run", "pool not broken", FAILURE, "fail"),
        ("hung", "", None, "fail"),
    ],
)
def test_judge(kind: Kind, detail: str, expected: Expectation | None, verdict: str) -> None:
    assert judge(Outcome(kind, detail), expected).kind == verdict


def test_a_pattern_is_matched_as_a_whole() -> None:
    assert FAILURE.matches("Class.test_one")
    assert not FAILURE.matches("OtherClass.test_one")
