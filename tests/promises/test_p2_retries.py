"""P2, where the policy of a task allows more than one attempt: it still settles once, runs as often as allowed and no
more, and only a failed attempt is followed by another."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path

import hotspare
import pytest
from hotspare import Failure, Pool, Retries, TaskTimeout, WorkerDied


def _note(ledger: Path) -> int:
    """How often it has run, this time included."""
    fd = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, b"x")
    os.close(fd)
    return ledger.stat().st_size


def _runs(ledger: Path) -> int:
    return ledger.stat().st_size if ledger.exists() else 0


def _succeeds_at(ledger: Path, attempt: int, how: str) -> int:
    runs = _note(ledger)
    if runs < attempt:
        if how == "death":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "timeout":
            time.sleep(3600)
        raise ConnectionError(f"attempt {runs}")
    return runs


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def patient() -> Pool:
    return Pool(2, quarantine_deaths=0, retry_budget=10_000)


def test_nothing_runs_again_by_default(patient: Pool, ledger: Path) -> None:
    with patient as pool, pytest.raises(WorkerDied):
        pool.submit(_succeeds_at, ledger, 2, "death").result()
    assert _runs(ledger) == 1


@pytest.mark.parametrize("how", ["death", "exception", "timeout"])
def test_a_task_runs_until_it_succeeds(patient: Pool, ledger: Path, how: str) -> None:
    policy = Retries(3, on=(how,), base=0)
    with patient as pool:
        tasks = pool.with_options(retries=policy, timeout=0.2 if how == "timeout" else None)
        assert tasks.submit(_succeeds_at, ledger, 3, how).result() == 3
        assert pool.stats()["retried"] == 2
    assert _runs(ledger) == 3


@pytest.mark.parametrize("how", ["death", "exception", "timeout"])
def test_no_more_attempts_than_allowed(patient: Pool, ledger: Path, how: str) -> None:
    kinds = {"death": WorkerDied, "exception": ConnectionError, "timeout": TaskTimeout}
    policy = Retries(3, on=(how,), base=0)
    with patient as pool:
        tasks = pool.with_options(retries=policy, timeout=0.2 if how == "timeout" else None)
        error = tasks.submit(_succeeds_at, ledger, 99, how).exception()
    assert type(error) is kinds[how]
    assert _runs(ledger) == 3
    if isinstance(error, WorkerDied):
        assert error.attempt == 3
        assert [death.attempt for death in error.report.earlier] == [1, 2]
    else:
        assert str(error) == "attempt 3"


@pytest.mark.parametrize(("on", "runs"), [(("death",), 1), ((ValueError,), 1), ((OSError,), 2), (("exception",), 2)])
def test_only_what_the_policy_names(patient: Pool, ledger: Path, on: tuple[object, ...], runs: int) -> None:
    with patient as pool, pytest.raises(ConnectionError):
        pool.with_options(retries=Retries(2, on=on, base=0)).submit(_succeeds_at, ledger, 99, "exception").result()
    assert _runs(ledger) == runs


def test_the_predicate_and_the_hook_see_each_failure(patient: Pool, ledger: Path) -> None:
    seen: list[tuple[str, int, str]] = []

    def when(failure: Failure) -> bool:
        seen.append(("when", failure.attempt, str(failure.error)))
        return failure.attempt < 2

    def before(failure: Failure) -> None:
        seen.append(("before", failure.attempt, str(failure.error)))

    policy = Retries(9, on="exception", when=when, before_retry=before, base=0)
    with patient as pool, pytest.raises(ConnectionError):
        pool.with_options(retries=policy).submit(_succeeds_at, ledger, 99, "exception").result()
    assert seen == [("when", 1, "attempt 1"), ("before", 1, "attempt 1"), ("when", 2, "attempt 2")]
    assert _runs(ledger) == 2


def _reads_cache(cache: Path) -> str:
    if not cache.exists():
        cache.write_text("whole")
    if cache.stat().st_size == 0:
        os.abort()  # as a parser of a cut file does
    return cache.read_text()


def test_a_hook_removes_a_cut_cache_file(patient: Pool, tmp_path: Path) -> None:
    cache = tmp_path / "star.fits"
    cache.touch()
    failures: list[BaseException] = []

    def remove_cut(failure: Failure) -> None:
        failures.append(failure.error)
        if cache.stat().st_size == 0:
            cache.unlink()

    with patient as pool:
        tasks = pool.with_options(retries=Retries(2, before_retry=remove_cut))
        assert tasks.submit(_reads_cache, cache).result() == "whole"
    assert [error.signal for error in failures if isinstance(error, WorkerDied)] == [signal.SIGABRT]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_hook_that_raises_ends_the_retrying(patient: Pool, ledger: Path) -> None:
    def broken(failure: Failure) -> None:
        raise RuntimeError("in the hook")

    policy = Retries(5, on="exception", before_retry=broken, base=0)
    with patient as pool, pytest.raises(ConnectionError):
        pool.with_options(retries=policy).submit(_succeeds_at, ledger, 99, "exception").result()
    assert _runs(ledger) == 1


def test_one_that_pauses_can_be_cancelled(ledger: Path) -> None:
    told = threading.Event()

    def on_event(event: hotspare.Event) -> None:
        if event.kind == "retry":
            told.set()

    with Pool(2, on_event=on_event) as pool:
        policy = Retries(5, base=3600, cap=3600)
        future = pool.with_options(retries=policy).submit(_succeeds_at, ledger, 99, "death")
        assert told.wait(60)
        assert future.cancel()
        with pytest.raises(CancelledError):
            future.result()
    assert _runs(ledger) == 1


def test_the_budget_of_the_pool_ends_a_storm(tmp_path: Path) -> None:
    with Pool(2, quarantine_deaths=0, retry_budget=10) as pool:
        tasks = pool.with_options(retries=Retries(4, on="exception", base=0))
        futures = [tasks.submit(_succeeds_at, tmp_path / str(i), 99, "exception") for i in range(50)]
        for future in futures:
            assert isinstance(future.exception(), ConnectionError)
        assert pool.stats()["retried"] == 10
    assert sum(_runs(tmp_path / str(i)) for i in range(50)) == 60


def _element(folder: Path, number: int) -> int:
    runs = _note(folder / str(number))
    if number % 20 == 3 and runs < 3:
        raise KeyError(number)
    if number % 20 == 7 and runs < 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if number % 20 == 9:
        raise ConnectionError("never")
    return number


@pytest.mark.parametrize("ordered", [True, False])
def test_items_of_a_map_are_run_again_by_themselves(tmp_path: Path, ordered: bool) -> None:
    count = 300
    with Pool(2, quarantine_deaths=0) as pool:
        tasks = pool.with_options(retries=Retries(3, on=("death", "exception"), base=0.001))
        run: Callable[..., object] = tasks.map if ordered else tasks.as_completed
        found = list(run(_element, [tmp_path] * count, range(count), return_exceptions=True))  # type: ignore[call-overload]
    failed = [each for each in found if isinstance(each, ConnectionError)]
    assert len(failed) == 15
    values = [each for each in found if not isinstance(each, BaseException)]
    expected = [number for number in range(count) if number % 20 != 9]
    assert (values if ordered else sorted(values)) == expected
    if ordered:
        assert [index for index, each in enumerate(found) if each in failed] == list(range(9, count, 20))
    for number in range(count):
        expected_runs = {3: 3, 9: 3, 7: 2}.get(number % 20, 1)
        assert _runs(tmp_path / str(number)) == expected_runs, number


def test_a_map_without_return_exceptions_raises_what_is_left(tmp_path: Path) -> None:
    with Pool(2, quarantine_deaths=0) as pool:
        results = pool.with_options(retries=Retries(3, on=("death", "exception"), base=0)).map(
            _element, [tmp_path] * 100, range(100)
        )
        read: list[int] = []
        with pytest.raises(ConnectionError):
            read.extend(results)
    assert read == list(range(9))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (Retries, TypeError),
        ("3", TypeError),
        (-1, ValueError),
        (True, TypeError),
    ],
)
def test_nonsense_is_refused_at_the_call(given: object, error: type[Exception]) -> None:
    with Pool(1) as pool, pytest.raises(error):
        pool.with_options(retries=given)  # type: ignore[arg-type]


def test_a_policy_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="deaths"):
        Retries(on=("deaths",))
    with pytest.raises(ValueError, match="attempts"):
        Retries(0)
    with pytest.raises(TypeError, match="when"):
        Retries(when=3)  # type: ignore[arg-type]
