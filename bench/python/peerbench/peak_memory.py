"""Peak memory of a tree of processes, sampled from a process of its own: a thread would
wait for the interpreter's lock just when it matters."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from peerbench.processes import descendants, memory

SAMPLE_EVERY_SECONDS = 0.02


@dataclass
class Peak:
    megabytes: float = 0.0


@contextlib.contextmanager
def peak_memory(root: int) -> Iterator[Peak]:
    """Samples while its block runs; the value is there afterwards."""
    peak = Peak()
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as sampler:
        assert sampler.stdout is not None
        sampler.stdout.readline()  # It has taken its first sample.
        yield peak
        said, _ = sampler.communicate()  # Closes its stdin, which ends it.
    peak.megabytes = float(said)


def tree_megabytes(root: int) -> float:
    total = 0.0
    for pid in {root, *descendants(root)} - {os.getpid()}:
        try:
            total += memory(pid).proportional
        except (OSError, KeyError):  # It has ended, or is a zombie.
            continue
    return total


def sample_until_stdin_closes(root: int) -> None:
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    peak = tree_megabytes(root)
    print("ready", flush=True)
    while not ended.wait(SAMPLE_EVERY_SECONDS):
        peak = max(peak, tree_megabytes(root))
    print(peak)


if __name__ == "__main__":
    sample_until_stdin_closes(int(sys.argv[1]))
