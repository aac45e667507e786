"""Runs one group of one peer in fresh processes, and cuts what hangs."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peerbench import child, orphans
from peerbench.figures import Figure, Group, Settings
from peerbench.peers import OURS
from peerbench.samples import median

HERE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ended:
    """What one process has measured, and why there is no more ("" if there is)."""

    figures: Sequence[Figure]
    reason: str


def run_child(group: Group, peer: str, settings: Settings, folder: Path) -> Ended:
    out, err = folder / "figures", folder / "stderr"
    out.write_text("")
    options = json.dumps(dataclasses.asdict(settings))
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    with err.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", child.__name__, group.name, peer, options, str(out)],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        try:
            reason = why_it_ended(process.wait(group.seconds), err)
        except subprocess.TimeoutExpired:
            reason = "never"
        finally:
            process.kill()
            process.wait()
            orphans.end_leftovers()
    lines = out.read_text().splitlines()
    return Ended([Figure(**json.loads(line)) for line in lines], reason)


def why_it_ended(status: int, err: Path) -> str:
    if status == 0:
        return ""
    if status == child.NOT_INSTALLED:
        return "not installed"
    said = err.read_text(errors="replace").split("\n")
    last = [line for line in said if line and not line.startswith(" ")]
    return last[-1][:100] if last else f"exit status {status}"


def run_group(group: Group, peer: str, settings: Settings) -> list[Figure]:
    """A figure for each row; of several processes the median."""
    reason = missing_module(group) or group.skip(settings)
    ended = []
    if not reason:
        processes = min(group.processes, 3) if settings.quick else group.processes
        with tempfile.TemporaryDirectory(prefix="peerbench-") as folder:
            for _ in range(processes):
                ended.append(run_child(group, peer, settings, Path(folder)))
                if reason := ended[-1].reason:
                    break
    found = []
    for row in group.rows:
        if row.ours_only and peer not in OURS:
            continue
        measured = [f for end in ended for f in end.figures if f.row == row.name]
        found.append(one_figure(row.name, measured, reason))
    return found


def missing_module(group: Group) -> str:
    missing = [name for name in group.needs if not importlib.util.find_spec(name)]
    return f"{missing[0]} is not installed" if missing else ""


def one_figure(row: str, measured: Sequence[Figure], reason: str) -> Figure:
    values = [figure.value for figure in measured if figure.value is not None]
    if values:
        return Figure(row, median(values), measured[-1].note)
    return measured[-1] if measured else Figure(row, None, reason or "not measured")
