"""Finds what a program left running. A session outlives its leader, so orphans are found as well."""

import contextlib
import os
import signal
import time
from pathlib import Path

PATIENCE = 20.0  # seconds; the fork server and the resource tracker end by themselves, when they read EOF


def kill_session(session: int) -> None:
    """WARNING: not long after the leader was reaped. The number is not given out again while the session has members,
    but may be once it has none."""
    for pid, _ in _members(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for_end_of_session(session: int) -> list[str]:
    """The names of the processes that are still there when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while members := _members(session):
        if time.monotonic() > deadline:
            return [f"{pid} {name}" for pid, name in members]
        time.sleep(0.02)  # these are not our children: there is no event to wait for
    return []


def _members(session: int) -> list[tuple[int, str]]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
            command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        # The name in parentheses may hold anything; after it: state, parent, group, session.
        state, _, _, sid = text.rpartition(")")[2].split()[:4]
        if int(sid) == session and state != "Z":
            found.append((int(stat.parent.name), command.strip()))
    return found
