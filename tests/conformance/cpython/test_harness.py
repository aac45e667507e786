"""That a hang, a death and a leftover are told as such, and cost no other test its run."""

from pathlib import Path

import pytest

from conformance.cpython import group
from conformance.cpython.outcome import Outcome
from conformance.interpreter import Interpreter

CLASS = "ProcessPoolForkAsCompletedTest"
SUBMITS = f"{CLASS}.test_no_timeout"
SUBMITS_TOO = f"{CLASS}.test_zero_timeout"
USES_NO_EXECUTOR = f"{CLASS}.test_correct_timeout_exception_msg"


def outcomes_with(bad: str, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch) -> dict[str, Outcome]:
    monkeypatch.setenv("HOTSPARE_TEST_EXECUTOR", f"bad_executors:{bad}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(group, "WATCHDOG", 3.0)
    told: dict[str, Outcome] = {}
    tests = (SUBMITS, USES_NO_EXECUTOR, SUBMITS_TOO)
    group.run_group(interpreter, group.Group(CLASS, tests), lambda name, outcome: told.update({name: outcome}))
    return told


def test_a_hang_is_ended_and_shows_its_stacks(interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    told = outcomes_with("Hangs", interpreter, monkeypatch)
    assert [told[test].kind for test in (SUBMITS, USES_NO_EXECUTOR, SUBMITS_TOO)] == ["hung", "passed", "hung"]
    assert "in _hang" in told[SUBMITS].detail


def test_a_death_costs_the_one_test(interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    told = outcomes_with("Dies", interpreter, monkeypatch)
    assert [told[test].kind for test in (SUBMITS, USES_NO_EXECUTOR, SUBMITS_TOO)] == ["died", "passed", "died"]
    assert "ended with status 7" in told[SUBMITS].detail


def test_an_unreaped_child_is_told(interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    told = outcomes_with("LeavesAChild", interpreter, monkeypatch)
    assert told[SUBMITS].kind == "altered"
    assert told[USES_NO_EXECUTOR].kind == "passed"


def test_an_executor_that_cannot_be_loaded_is_told(interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    told = outcomes_with("NoSuchClass", interpreter, monkeypatch)
    assert told[SUBMITS].kind == "not run"
    assert "NoSuchClass" in told[SUBMITS].detail
