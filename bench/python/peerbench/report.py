"""What is printed and written: values, and ratios to the stdlib and to the best peer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peerbench.figures import Row
from peerbench.peers import OURS, STDLIB


@dataclass(frozen=True)
class Result:
    row: Row
    peer: str
    value: float | None
    note: str = ""


def best(row: Row, results: Iterable[Result]) -> float | None:
    """None where nothing was measured, or no value is better than another."""
    values = [result.value for result in results if result.value is not None]
    if not values or row.better == "neither":
        return None
    return max(values) if row.better == "higher" else min(values)


def ratio(value: float | None, other: float | None) -> float | None:
    return value / other if value is not None and other else None


def best_stdlib(results: Sequence[Result], row: Row) -> float | None:
    """The better of fork and forkserver: a ratio must not live on the worse one."""
    return best(row, (r for r in results if r.row == row and r.peer in STDLIB))


def best_peer(results: Sequence[Result], row: Row) -> float | None:
    return best(row, (r for r in results if r.row == row and r.peer not in OURS))


def json_rows(results: Sequence[Result]) -> list[dict[str, object]]:
    return [
        {
            "name": result.row.name,
            "peer": result.peer,
            "value": result.value,
            "unit": result.row.unit,
            "better": result.row.better,
            "ratio_to_stdlib": ratio(result.value, best_stdlib(results, result.row)),
            "ratio_to_best_peer": ratio(result.value, best_peer(results, result.row)),
            "note": result.note,
        }
        for result in results
    ]


def number(value: float | None) -> str:
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def line(result: Result, results: Sequence[Result]) -> str:
    to_stdlib = number(ratio(result.value, best_stdlib(results, result.row)))
    to_best = number(ratio(result.value, best_peer(results, result.row)))
    return (
        f"  {result.peer:<28} {number(result.value):>12} {result.row.unit:<6}"
        f" {to_stdlib:>9} {to_best:>9}  {result.note}"
    ).rstrip()


def table(results: Sequence[Result]) -> str:
    """A paragraph for each row, a line for each peer."""
    heading = f"{'':<30} {'value':>12} {'':<6} {'/ stdlib':>9} {'/ best':>9}"
    lines = [heading]
    for row in dict.fromkeys(result.row for result in results):
        lines.append(f"{row.name} ({row.better} is better)".replace(NEITHER, ""))
        lines += [line(r, results) for r in results if r.row == row]
    return "\n".join(lines)


NEITHER = " (neither is better)"
