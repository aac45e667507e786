"""P11. hotspare.health() and openmetrics() equal what the saboteur counted, over all pools, living and closed."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

import hotspare
import pytest
from hotspare import Event, Pool, WorkerDied
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from python_tasks import kill_self, raise_value_error, square


def _scrape() -> dict[str, Metric]:
    """By a parser that is not ours, and a strict one."""
    return {family.name: family for family in text_string_to_metric_families(hotspare.openmetrics())}


def _sample(families: dict[str, Metric], metric: str, /, **labels: str) -> float:
    values = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == metric and labels.items() <= sample.labels.items()
    ]
    assert values, metric
    return sum(values)


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


class _Witness:
    """Waits for what subscribers are told of deaths."""

    def __init__(self) -> None:
        self._seen: list[Event] = []
        self._changed = threading.Condition()
        self._subscription = hotspare.subscribe(self._see)

    def _see(self, event: Event) -> None:
        if event.kind == "death":
            with self._changed:
                self._seen.append(event)
                self._changed.notify_all()

    def __enter__(self) -> _Witness:
        return self

    def __exit__(self, *_: object) -> None:
        self._subscription.close()

    def wait(self, deaths: int) -> list[Event]:
        with self._changed:
            self._changed.wait_for(lambda: len(self._seen) >= deaths)
            return list(self._seen)


def _sabotage(pool: Pool) -> None:
    """12 tasks, of which 2 are killed, 1 crashes and 1 raises."""
    futures = [pool.submit(square, x) for x in range(8)]
    futures += [pool.submit(kill_self), pool.submit(kill_self), pool.submit(_crash)]
    futures.append(pool.submit(raise_value_error, "as told"))
    for future in futures:
        future.exception()


def test_equal_to_the_saboteurs_count(start: str) -> None:
    before = hotspare.health()
    scraped = _scrape()
    name = f'a "name" \\ of\nmine {start}'
    with Pool(2, start=start, name=name) as first:
        _sabotage(first)
        with Pool(2, start=start, name=name, capture_stderr=True) as second:
            _sabotage(second)
            assert hotspare.health().pools_open == before.pools_open + 2
        _sabotage(first)
        now = hotspare.health()
        assert now.pools_open == before.pools_open + 1
        assert now.pools["workers"] == first.stats()["workers"]
    after = hotspare.health()
    for figures in (now, after):
        assert figures.pools_made - before.pools_made == 2
        told = {key: value - before.pools[key] for key, value in figures.pools.numbers.items()}
        assert told["submitted"] == 36
        assert told["values"] == 24
        assert told["raised"] == 3
        assert told["died"] == told["deaths"] == 9
        assert figures.pools.deaths_by_cause["signal"] - before.pools.deaths_by_cause["signal"] == 9
        # SIGKILL leaves no note.
        assert figures.pools.histograms["detection"].count - before.pools.histograms["detection"].count == 3
    assert after.pools_open == before.pools_open
    assert after.pools["workers"] == after.pools["spares"] == 0

    families = _scrape()
    assert _sample(families, "hotspare_tasks_submitted_total", kind="pool", name=name) == 36
    assert _sample(families, "hotspare_deaths_total", kind="pool", name=name, cause="signal") == 9
    assert _sample(families, "hotspare_detection_seconds_count", kind="pool", name=name) == 3
    assert _sample(families, "hotspare_made_total", kind="pool", name=name) == 2
    assert families["hotspare_detection_seconds"].type == "histogram"
    assert families["hotspare_detection_seconds"].unit == "seconds"
    assert families["hotspare_deaths"].documentation
    for family in scraped.values():  # never down
        for sample in family.samples:
            if family.type in ("counter", "histogram"):
                assert _sample({"": families[family.name]}, sample.name, **sample.labels) >= sample.value


def test_every_figure_of_stats_is_there(start: str) -> None:
    with Pool(1, start=start) as pool:
        assert pool.submit(square, 3).result() == 9
        assert pool.stats().keys() == hotspare.health().pools.numbers.keys()


def test_histograms_have_quantiles() -> None:
    with hotspare.StandbyChannel.of(bytes, block=8, period=0.01) as channel:
        for _ in range(50):
            channel.process(b"12345678", timeout=60)
        stats = channel.stats()
    latency = stats.latency
    bounds = [bound for bound, _ in latency.buckets]
    assert latency.count == stats.answered == 50 == sum(many for _, many in latency.buckets)
    assert bounds == sorted(bounds)
    assert 0 < latency.quantile(0) <= latency.quantile(0.5) <= latency.quantile(1) == latency.max
    assert latency.max <= latency.sum <= 50 * latency.max
    assert latency.quantile(0) == min(bounds[0], latency.max)
    assert stats.rejoin.count == 0
    assert stats.rejoin.quantile(0.5) == 0.0
    assert stats.rejoin.buckets == ()


def test_events_of_all_pools_with_their_names(start: str) -> None:
    own: list[tuple[str, str]] = []
    with _Witness() as witness:
        alpha = Pool(1, start=start, name="alpha", on_event=lambda e: own.append((e.kind, e.source_name)))
        with alpha, pytest.raises(WorkerDied):
            alpha.submit(kill_self).result()
        with Pool(1, start=start, name="beta") as beta, pytest.raises(WorkerDied):
            beta.submit(_crash).result()
        seen = witness.wait(2)
    assert Counter((event.source, event.source_name) for event in seen) == {("pool", "alpha"): 1, ("pool", "beta"): 1}
    assert [event.report.signal for event in seen] == [signal.SIGKILL, signal.SIGSEGV]
    assert ("death", "alpha") in own


def test_a_subscriber_that_raises_harms_nobody(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[BaseException | None] = []
    monkeypatch.setattr("sys.unraisablehook", lambda args: raised.append(args.exc_value))

    def careless(event: Event) -> None:
        raise ValueError(event.kind)

    with hotspare.subscribe(careless), _Witness() as witness, Pool(1, start=start) as pool:
        with pytest.raises(WorkerDied):
            pool.submit(kill_self).result()
        witness.wait(1)
        assert pool.submit(square, 3).result() == 9
    assert raised
    assert all(isinstance(error, ValueError) for error in raised)


def test_a_subscriber_may_close_itself(start: str) -> None:
    calls: list[str] = []

    def once(event: Event) -> None:
        calls.append(event.kind)
        subscription.close()

    with _Witness() as witness:
        subscription = hotspare.subscribe(once)
        with Pool(1, start=start) as pool:
            with pytest.raises(WorkerDied):
                pool.submit(kill_self).result()
            witness.wait(1)
    assert len(calls) == 1


def test_one_that_nobody_refers_to_ends(start: str) -> None:
    calls: list[str] = []
    hotspare.subscribe(lambda event: calls.append(event.kind))
    with Pool(1, start=start) as pool:
        assert pool.submit(square, 3).result() == 9
    assert not calls


def test_bad_input() -> None:
    with pytest.raises(TypeError, match="callable"):
        hotspare.subscribe(7)  # type: ignore[arg-type]


def test_a_fork_begins_anew(start: str) -> None:
    calls: list[str] = []
    with hotspare.subscribe(lambda event: calls.append(event.kind)), Pool(1, start=start) as pool:
        assert pool.submit(square, 3).result() == 9
        child = os.fork()
        if child == 0:
            now = hotspare.health()
            families = _scrape()
            good = now.pools_made == now.pools_open == now.pools["submitted"] == 0
            good = good and not any(family.samples for family in families.values())
            os._exit(0 if good else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert hotspare.health().pools_open >= 1
