"""astropy's ProgressBar.map submits from within the generator that as_completed consumes."""

from pathlib import Path

import pytest

from conformance.programs.conftest import Program

PROGRAM = """\
import sys

from astropy.utils.console import ProgressBar


def square(number):
    return number * number


if __name__ == "__main__":
    results = ProgressBar.map(
        square, range(40), multiprocess=True, file=sys.stderr, multiprocessing_start_method=sys.argv[1]
    )
    print(sorted(results))
"""


@pytest.mark.parametrize("start_method", ["fork", "forkserver", "spawn"])
def test_progress_bar_map(program: Program, tmp_path: Path, start_method: str) -> None:
    (tmp_path / "squares.py").write_text(PROGRAM)
    ended = program(["squares.py", start_method])
    assert ended.status == 0, ended.stderr
    assert ended.stdout.strip() == str([number * number for number in range(40)])
    assert (ended.uses.constructions, ended.uses.submits) == (1, 40)
