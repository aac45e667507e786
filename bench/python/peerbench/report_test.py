"""Ratios, and what the table says where there is no value."""

from peerbench.figures import Row
from peerbench.report import Result, json_rows, number, table

RATE = Row("rate", "1/s", "higher")
TIME = Row("time", "s", "lower")
COUNT = Row("count", "tasks", "neither")


def ratios(row: Row, values: dict[str, float | None]) -> dict[object, object]:
    results = [Result(row, peer, value) for peer, value in values.items()]
    return {r["peer"]: r["ratio_to_stdlib"] for r in json_rows(results)}


def test_a_rate_is_compared_with_the_faster_stdlib() -> None:
    values = {"hotspare.Pool": 80.0, "stdlib-fork": 10.0, "stdlib-forkserver": 20.0}
    assert ratios(RATE, dict(values))["hotspare.Pool"] == 4.0


def test_a_time_is_compared_with_the_shorter_stdlib() -> None:
    values = {"hotspare.Pool": 5.0, "stdlib-fork": 10.0, "stdlib-forkserver": 20.0}
    assert ratios(TIME, dict(values))["hotspare.Pool"] == 0.5


def test_ours_is_not_its_own_best_peer() -> None:
    results = [Result(RATE, "hotspare.Pool", 80.0), Result(RATE, "loky", 40.0)]
    assert json_rows(results)[0]["ratio_to_best_peer"] == 2.0


def test_no_ratio_without_values_or_order() -> None:
    assert ratios(RATE, {"loky": None, "stdlib-fork": 1.0})["loky"] is None
    assert ratios(RATE, {"loky": 1.0, "stdlib-fork": None})["loky"] is None
    assert ratios(RATE, {"loky": 1.0, "stdlib-fork": 0.0})["loky"] is None
    assert ratios(COUNT, {"loky": 1.0, "stdlib-fork": 1.0})["loky"] is None


def test_the_note_stands_where_there_is_no_value() -> None:
    said = table([Result(RATE, "loky", None, "never")])
    assert said.splitlines()[-1].split() == ["loky", "1/s", "never"]


def test_numbers() -> None:
    assert number(None) == ""
    assert number(0.0) == "0"
    assert number(199.0) == "199"
    assert number(0.03456) == "0.0346"
    assert number(14990.6) == "14 991"
