"""/proc, read with a family of our own."""

import os
import subprocess
import sys

from peerbench.processes import descendants, memory

PARENT = """
import subprocess, sys
grandchild = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
print(grandchild.pid, flush=True)
sys.stdin.read()
"""


def test_descendants_reach_grandchildren() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        assert {parent.pid, grandchild} <= descendants(os.getpid())
        assert os.getpid() not in descendants(os.getpid())
        parent.communicate()


def test_memory_counts_what_is_written() -> None:
    before = memory(os.getpid())
    written = bytearray(b"x") * 50_000_000
    grown = memory(os.getpid()).private - before.private
    assert 45 < grown < 60
    assert len(written) == 50_000_000
