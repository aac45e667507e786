"""P11, with the faults of hotspare.chaos: what it chooses is what the pool counts, each by its cause."""

from __future__ import annotations

import os
import pickle
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import hotspare
import pytest
from hotspare import Pool, Retries, TaskTimeout, WorkerDied, chaos
from hotspare.chaos import Chaos, Struck

_DEADLY = tuple(way for way in chaos.WAYS if way not in ("leak", "raise"))


def _twice(x: int) -> int:
    return 2 * x


def _attempt(x: int) -> int:
    return hotspare.attempt()


def _submit(pool: Pool, fn: Any, plan: Chaos, key: Any, retries: Retries | None = None) -> hotspare.Future[Any]:
    """With limits only where one is to be met: on a busy machine an innocent task may take long."""
    how = plan.choose(key)
    tasks = pool.with_options(
        timeout=1 if how in ("hang", "stop") else None,
        memory_limit=64 << 20 if how == "memory" else None,
        retries=retries,
    )
    return tasks.submit(chaos.wrap(fn, plan), key)


def _cause(error: BaseException | None) -> object:
    if not isinstance(error, WorkerDied):
        return type(error)
    return (error.cause, error.signal) if error.cause == "signal" else error.cause


_CAUSES: dict[str, object] = {
    "sigkill": ("signal", signal.SIGKILL),
    "sigsegv": ("signal", signal.SIGSEGV),
    "abort": ("signal", signal.SIGABRT),
    "exit": "exited",
    "stack_overflow": "stack_overflow",
    "memory": "memory_limit",
    "leak": type(None),
    "hang": "deadline",
    "stop": "deadline",
    "raise": Struck,
}


@pytest.mark.parametrize("how", chaos.WAYS)
def test_the_counts_are_those_that_it_chooses(pool: Pool, how: str) -> None:
    plan = Chaos(seed=11, rate=0.04, how=how, bytes=4096)
    futures = {key: _submit(pool, _twice, plan, key) for key in range(150)}
    struck = [key for key in futures if plan.choose(key) is not None]
    assert len(struck) >= 2
    for key, future in futures.items():
        if key in struck and how != "leak":
            assert _cause(future.exception()) == _CAUSES[how]
        else:
            assert future.result() == 2 * key
    if how in ("hang", "stop"):
        assert all(isinstance(futures[key].exception(), TaskTimeout) for key in struck)
    stats = pool.stats()
    assert stats["deaths"] == stats["died"] == (len(struck) if how in _DEADLY else 0)
    assert stats["raised"] == (len(struck) if how == "raise" else 0)
    assert stats["values"] == 150 - (0 if how == "leak" else len(struck))


def test_with_every_start_method(start: str) -> None:
    plan = Chaos(every=10, how=("sigkill", "raise"))
    with Pool(2, start=start) as pool:
        futures = [pool.submit(chaos.wrap(_twice, plan), key) for key in range(60)]
        found = Counter(_cause(future.exception()) for future in futures)
    expected = Counter(plan.choose(key) for key in range(60))
    assert found == {_CAUSES["sigkill"]: expected["sigkill"], Struck: expected["raise"], type(None): expected[None]}
    assert expected == {"sigkill": 3, "raise": 3, None: 54}


def test_with_retries_all_end_well(pool: Pool) -> None:
    plan = Chaos(every=5, how=chaos.WAYS, bytes=4096)
    policy = Retries(2, on=("death", "timeout", "exception"), base=0)
    futures = [_submit(pool, _attempt, plan, key, policy) for key in range(100)]
    for key, future in enumerate(futures):
        assert future.result() == (1 if plan.choose(key) in (None, "leak") else 2), key
    stats = pool.stats()
    assert stats["values"] == 100
    assert stats["deaths"] == 2 * len(_DEADLY)
    assert stats["retried"] == 2 * len(_DEADLY) + 2


def test_as_many_attempts_as_told(pool: Pool) -> None:
    tasks = pool.with_options(retries=Retries(3, on="exception", base=0))
    assert tasks.submit(chaos.wrap(_twice, Chaos(every=1, how="raise", attempts=2)), 21).result() == 42
    assert pool.stats()["retried"] == 2
    with pytest.raises(Struck):
        tasks.submit(chaos.wrap(_twice, Chaos(every=1, how="raise", attempts=0)), 21).result()
    assert pool.stats()["retried"] == 4


def test_items_of_a_map_have_keys_of_their_own(pool: Pool) -> None:
    plan = Chaos(seed=5, rate=0.05, how=("sigkill", "raise"))
    kinds = {None: int, "sigkill": WorkerDied, "raise": Struck}
    found = list(pool.map(chaos.wrap(_twice, plan), range(300), return_exceptions=True))
    assert [type(each) for each in found] == [kinds[plan.choose(key)] for key in range(300)]


def test_items_of_a_map_with_retries_all_end_well() -> None:
    plan = Chaos(seed=5, rate=0.1, how=("sigkill", "raise"))
    with Pool(2, quarantine_deaths=0) as pool:
        tasks = pool.with_options(retries=Retries(2, on=("death", "exception"), base=0))
        assert list(tasks.map(chaos.wrap(_twice, plan), range(300))) == [2 * key for key in range(300)]
        struck = Counter(plan.choose(key) for key in range(300))
        assert pool.stats()["deaths"] == struck["sigkill"] > 5
        assert struck["raise"] > 5


def test_a_task_knows_which_attempt_it_is(pool: Pool) -> None:
    assert hotspare.attempt() == 0
    assert pool.submit(hotspare.attempt).result() == 1
    tasks = pool.with_options(retries=2)
    assert tasks.submit(chaos.wrap(_attempt, Chaos(every=1)), 0).result() == 2


def _second(number: int, name: str) -> str:
    return name


def test_keys_are_numbers_text_paths_or_made(pool: Pool) -> None:
    plan = Chaos(seed=3, rate=0.5, how="raise")
    for number in range(10):
        name = f"star {number}"
        failed = plan.choose(name) is not None
        assert plan.choose(Path(name)) == plan.choose(name.encode()) == plan.choose(name)
        assert (pool.submit(chaos.wrap(len, plan), name).exception() is not None) == failed
        by_second = chaos.wrap(_second, plan, key=_second)
        assert (pool.submit(by_second, number, name).exception() is not None) == failed
    with pytest.raises(TypeError, match="list"):
        pool.submit(chaos.wrap(len, plan), [1]).result()
    with pytest.raises(TypeError, match="has none"):
        pool.submit(chaos.wrap(dict, plan)).result()


@pytest.mark.parametrize("how", chaos.WAYS)
def test_in_the_host_nothing_is_done(how: str) -> None:
    with pytest.raises(RuntimeError, match="nothing was done"):
        chaos.strike(how)
    called: list[int] = []
    wrapped = chaos.wrap(called.append, Chaos(every=2, how=how))
    with pytest.raises(RuntimeError, match="nothing was done"):
        wrapped(0)
    wrapped(1)
    assert called == [1]


def _strike_in_child() -> int:
    child = os.fork()
    if child == 0:
        try:
            chaos.strike("sigkill")
        except RuntimeError:
            os._exit(7)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_in_a_child_of_a_task_nothing_is_done(pool: Pool) -> None:
    assert pool.submit(_strike_in_child).result() == 7


def _leak_too_much() -> None:
    chaos.strike("leak", bytes=2**31)


def test_memory_is_bounded(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match="memory_limit"):
        pool.submit(chaos.strike, "memory").result()
    with pytest.raises(RuntimeError, match="1 GiB"):
        pool.submit(_leak_too_much).result()
    assert pool.stats()["deaths"] == 0


# ---- the choice ----


def _mix(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def _by_the_book(seed: int, rate: float, how: tuple[str, ...], key: int) -> str | None:
    random = _mix(_mix(seed) ^ key)
    return how[_mix(random) % len(how)] if (random >> 11) / 2**53 < rate else None


@pytest.mark.parametrize(
    ("key", "chosen"),
    [
        (0, None),
        (1, "raise"),
        (2, None),
        (7, "raise"),
        (8, "hang"),
        (1000, None),
        (0x85944171F73967E8, "raise"),
        ("foobar", "raise"),
        (2**64 - 1, None),
        (-1, None),
    ],
)
def test_the_choice_is_the_same_everywhere(key: int | str, chosen: str | None) -> None:
    """The rows of src/worker/chaos_choice_test.cc."""
    assert Chaos(seed=7, rate=0.25, how=("sigkill", "hang", "raise")).choose(key) == chosen


def test_the_choice_is_the_documented_one() -> None:
    ways = ("sigkill", "exit", "leak")
    for seed in (0, 1, 2**64 - 1):
        plan = Chaos(seed=seed, rate=0.3, how=ways)
        for key in range(2000):
            assert plan.choose(key) == _by_the_book(seed, 0.3, ways, key)


def test_text_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Chaos(seed=7, rate=0.02, how=("hang", "sigkill"))
    assert plan == chaos.from_text("seed=7,rate=0.02,how=sigkill+hang")
    assert plan.how == ("sigkill", "hang")
    for each in (plan, Chaos(), Chaos(rate=1e-9, every=3, attempts=0, bytes=1)):
        assert chaos.from_text(str(each)) == each
        assert pickle.loads(pickle.dumps(each)) == each
    monkeypatch.delenv("HOTSPARE_CHAOS", raising=False)
    assert chaos.from_environment() == Chaos()
    assert Chaos().choose(0) is None
    monkeypatch.setenv("HOTSPARE_CHAOS", "every=3,how=raise")
    assert chaos.from_environment() == Chaos(every=3, how="raise")
    monkeypatch.setenv("HOTSPARE_CHAOS", "every=3,hwo=raise")
    with pytest.raises(ValueError, match=r'^HOTSPARE_CHAOS: .* at character 9: "hwo" is none of seed, rate'):
        chaos.from_environment()


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"rate": 2}, ValueError),
        ({"rate": "2"}, TypeError),
        ({"rate": float("nan")}, ValueError),
        ({"seed": -1}, ValueError),
        ({"every": 1.5}, TypeError),
        ({"how": "sigkil"}, ValueError),
        ({"how": ()}, ValueError),
        ({"how": 9}, TypeError),
        ({"attempts": -1}, ValueError),
        ({"bytes": 2**64}, ValueError),
    ],
)
def test_nonsense_is_refused_at_the_call(fields: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Chaos(**fields)


def test_what_is_wrapped_is_still_called_as_it_was() -> None:
    wrapped = chaos.wrap(_twice, Chaos())
    assert wrapped.__name__ == "_twice"
    assert pickle.loads(pickle.dumps(wrapped))(21) == 42
    with pytest.raises(TypeError):
        chaos.wrap(_twice, "rate=1")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        chaos.wrap(3, Chaos())  # type: ignore[arg-type]
