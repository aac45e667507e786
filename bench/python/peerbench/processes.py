"""What /proc knows about processes: descendants and memory."""

import os
from dataclasses import dataclass
from pathlib import Path


def parents() -> dict[int, int]:
    """Parent of each process that can be seen."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_text(errors="replace")
        except OSError:  # It has ended.
            continue
        # The name stands in brackets and may hold anything; then: state, parent.
        found[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    return found


def descendants(root: int) -> set[int]:
    """Children of `root`, theirs, and so on; without `root`."""
    parent_of = parents()
    found: set[int] = set()
    nearest = {root}
    while nearest:
        nearest = {pid for pid, parent in parent_of.items() if parent in nearest}
        nearest -= found
        found |= nearest
    return found


@dataclass(frozen=True)
class MemoryUse:
    """In MB. Proportional: what is shared counts by its share."""

    private: float
    proportional: float


def memory(pid: int) -> MemoryUse:
    """Raises OSError if the process has ended."""
    kilobytes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        kilobytes[name] = int(value.split()[0])
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return MemoryUse(private * 1024 / 1e6, kilobytes["Pss"] * 1024 / 1e6)
