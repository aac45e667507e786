"""Python where the system calls end with those of Linux 4.18."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def _under_4_18(*arguments: str) -> None:
    command = [sys.executable, str(HERE / "old_kernel.py"), *arguments]
    ended = subprocess.run(command, cwd=HERE.parents[1], text=True, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stdout[-10_000:] + ended.stderr[-10_000:]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_pools_whole_life(method: str) -> None:
    _under_4_18(str(HERE / "whole_life.py"), method)


def test_workers_are_what_users_of_multiprocessing_expect() -> None:
    _under_4_18("-m", "pytest", "-q", "tests/promises/test_p12_workers.py", "-k", "standard_class_says or is_alive")


@pytest.mark.long
def test_every_promise() -> None:
    _under_4_18("-m", "pytest", "-q", "tests/promises")
