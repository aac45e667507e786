"""The options of a standby channel, checked, and in the words of the engine."""

from __future__ import annotations

from typing import Any

from hotspare import _options
from hotspare._start import METHODS, method_of

MODES = ("lockstep", "replay", "stateless")
REJOINS = ("automatic", "forked", "saved", "replayed")
WHEN_LATE = ("silence", "repeat", "bypass")
"""In the order of the engine's enumerations."""

_DEFAULTS: dict[str, Any] = {
    "period": None,
    "replicas": 2,
    "mode": "lockstep",
    "spare": None,
    "rejoin": "automatic",
    "replay_blocks": 0,
    "commit_every": 16,
    "state_bytes": 1 << 20,
    "history": None,
    "when_late": "silence",
    "hang_after": None,
    "patience": None,
    "realtime_priority": 0,
    "lock_memory": False,
    "keep_cores_awake": False,
    "flush_denormals": True,
    "breaker_deaths": 5,
    "most_deaths": 0,
    "deaths_within": 60.0,
    "preload": (),
    "start": None,
    "capture_stderr": False,
    "on_event": None,
    "name": "standby",
}


class Settings:
    """What was given, checked."""

    NAMES = frozenset(_DEFAULTS)

    def __init__(self, given: dict[str, Any]) -> None:
        for each in given:
            if each not in _DEFAULTS:
                raise TypeError(f"a standby channel has no option {each!r}: it has {', '.join(_DEFAULTS)}")
        want = {**_DEFAULTS, **given}
        self.name = _options.text("name", want["name"])
        self.on_event = _options.function("on_event", want["on_event"])
        self.preload = _options.names("preload", want["preload"])
        self.start = method_of(None if want["start"] is None else _options.choice("start", want["start"], METHODS))
        mode = _options.choice("mode", want["mode"], MODES)
        replay_blocks = _options.count("replay_blocks", want["replay_blocks"], 0, 16384)
        rejoin = _rejoin(mode, _options.choice("rejoin", want["rejoin"], REJOINS), replay_blocks)
        self.saves = rejoin == "saved"
        spare = None if want["spare"] is None else bool(want["spare"])
        if spare and mode != "lockstep":
            raise ValueError("spare=True is for mode='lockstep': in the other modes all replicas but one are spares")
        self.engine: dict[str, Any] = {
            "period": _between("period", want["period"], 50e-6, 10.0),
            "replicas": _options.count("replicas", want["replicas"], 1, 8),
            "mode": MODES.index(mode),
            "spare": spare,
            "rejoin": REJOINS.index(rejoin),
            "replay_blocks": replay_blocks,
            "commit_every": _options.count("commit_every", want["commit_every"], 1, 16384),
            "state_bytes": _options.count("state_bytes", want["state_bytes"], 1, 1 << 30),
            "history": 0 if want["history"] is None else _options.count("history", want["history"], 16, 65536),
            "when_late": WHEN_LATE.index(_options.choice("when_late", want["when_late"], WHEN_LATE)),
            "hang_after": _options.seconds("hang_after", want["hang_after"]),
            "patience": _options.seconds("patience", want["patience"]),
            "realtime_priority": _priority(want["realtime_priority"]),
            "breaker_deaths": _options.count("breaker_deaths", want["breaker_deaths"], 1, 2**31),
            "most_deaths": _options.count("most_deaths", want["most_deaths"], 0, 2**31),
            "deaths_within": _between("deaths_within", want["deaths_within"], 1e-9, 1e9),
            "name": self.name,
            **{
                each: bool(want[each])
                for each in ("lock_memory", "keep_cores_awake", "flush_denormals", "capture_stderr")
            },
        }


def _rejoin(mode: str, wish: str, replay_blocks: int) -> str:
    """automatic becomes what it means; what cannot be is refused."""
    if wish == "replayed" and replay_blocks == 0:
        raise ValueError('rejoin="replayed" needs replay_blocks: how many of the last blocks matter')
    if wish == "forked" and mode == "replay":
        raise ValueError('mode="replay" cannot have rejoin="forked": who is parked cannot fork who works; use "saved"')
    if mode == "stateless":
        return "forked"  # never done, for there is nothing to hand on
    if wish == "automatic":
        return "replayed" if replay_blocks else "saved"
    return wish


def _between(name: str, value: Any, least: float, most: float) -> float:
    number = _options.number(name, value)
    if not least <= number <= most:
        raise ValueError(f"{name} must be {least} to {most} seconds")
    return number


def _priority(value: Any) -> int:
    priority = _options.count("realtime_priority", value, 0, 99)
    if 0 < priority < 4:
        raise ValueError("realtime_priority must be 0 (none) or 4 to 99")
    return priority
