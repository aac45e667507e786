"""Each process-pool test of CPython as one test of ours."""

import pytest

from conformance.cpython import judgement
from conformance.cpython.group import end_name
from conformance.cpython.schedule import Schedule

EXPECTATIONS = judgement.read()
# Of 3.11.2, for each of fork, forkserver and spawn. Fewer means that some were lost on the way here.
PROCESS_POOL_TESTS = 3 * 59
EXPECTED_FAILURES_AT_MOST = 12


def test_none_is_missing(all_tests: list[str]) -> None:
    assert len(all_tests) == len(set(all_tests)) == PROCESS_POOL_TESTS


def test_few_are_expected_to_fail() -> None:
    assert sum(entry.kind == "failed" for entry in EXPECTATIONS) <= EXPECTED_FAILURES_AT_MOST


@pytest.mark.parametrize("entry", EXPECTATIONS, ids=lambda entry: f"{entry.kind}-{entry.test}")
def test_expectation_is_about_some_test(entry: judgement.Expectation, all_tests: list[str]) -> None:
    assert any(entry.matches(test) for test in all_tests)


def test_cpython(cpython_test: str, schedule: Schedule) -> None:
    expected = next((entry for entry in EXPECTATIONS if entry.matches(cpython_test)), None)
    verdict = judgement.judge(schedule.outcome_of(cpython_test), expected)
    if verdict.kind == "fail":
        pytest.fail(verdict.text, pytrace=False)
    if verdict.kind == "xfail":
        pytest.xfail(verdict.text)
    if verdict.kind == "skip":
        pytest.skip(verdict.text)


def test_process_ends_and_leaves_nothing_behind(cpython_class: str, schedule: Schedule) -> None:
    outcome = schedule.outcome_of(end_name(cpython_class))
    if outcome.kind != "passed":
        pytest.fail(f"{outcome.kind}: {outcome.detail}", pytrace=False)
