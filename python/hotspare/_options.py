"""Checks of what users pass, at the call and in the words of the standard library."""

from __future__ import annotations

from typing import Any

MOST_WORKERS = 4096
CANCELS = ("queued", "kill")
"""What a cancel may do to a task that runs: nothing, or end its worker."""


def count(name: str, value: Any, least: int = 0, most: int = 2**62) -> int:
    """An integer from ``least`` to ``most``. bool is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}")
    if value > most:
        raise ValueError(f"{name} must be at most {most}")
    return value


def seconds(name: str, value: Any) -> float:
    """A time of more than nothing; None: 0, which means none."""
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not value > 0:
        raise ValueError(f"{name} must be more than 0 seconds")
    return float(value)


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    return str(value)


def names(name: str, value: Any) -> tuple[str, ...]:
    """Module names."""
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(each, str) for each in value):
        raise TypeError(f"{name} must be a list of module names")
    return tuple(value)


def arguments(name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} must be a tuple of arguments, not {type(value).__name__}")
    return tuple(value)


def function(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a callable")
    return value


def text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise ValueError(f"{name} must be text that UTF-8 can carry, not {value!a}") from None
    return value


def title(name: str, value: Any) -> str:
    """What is shown to people: of any object."""
    return text(name, str(value))


def texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(each, str) for each in value):
        raise TypeError(f"{name} must be a list of names")
    return [text(name, each) for each in value]


def number(name: str, value: Any) -> float:
    """A number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not value >= 0:
        raise ValueError(f"{name} must be at least 0")
    return float(value)


def engine_policies(
    quarantine_deaths: Any = 2,
    retry_budget: Any = 100.0,
    tags: dict[str, dict[str, Any]] | None = None,
    **memory: Any,
) -> dict[str, Any]:
    """What the engine wants to know of a pool's policies."""
    return {
        "quarantine_deaths": count("quarantine_deaths", quarantine_deaths, 0, 2**31),
        "retry_tokens": number("retry_budget", retry_budget),
        "retry_per_value": 0.1,
        "tags": tags or {},
        **{
            name: 0 if memory.get(name) is None else count(name, memory[name], 1)
            for name in ("memory_budget", "memory_reserve", "recycle_above")
        },
    }
