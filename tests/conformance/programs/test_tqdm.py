"""tqdm's process_map hands its workers a lock in initargs and replaces the executor's `submit` by its own, which
draws the bar: `map` must submit through the attribute."""

from pathlib import Path

import pytest

from conformance.programs.conftest import Program

PROGRAM = """\
import multiprocessing
import sys

from tqdm import tqdm
from tqdm.contrib.concurrent import process_map


def square(number):
    # Fails if the initializer has not set the lock in this worker.
    with tqdm.get_lock():
        return number * number


if __name__ == "__main__":
    start_method, chunksize = sys.argv[1:]
    multiprocessing.set_start_method(start_method)
    print(process_map(square, range(40), max_workers=2, chunksize=int(chunksize)))
"""


@pytest.mark.parametrize("start_method", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize(("chunksize", "submits"), [(1, 40), (7, 6)])
def test_process_map(program: Program, tmp_path: Path, start_method: str, chunksize: int, submits: int) -> None:
    (tmp_path / "squares.py").write_text(PROGRAM)
    ended = program(["squares.py", start_method, str(chunksize)])
    assert ended.status == 0, ended.stderr
    assert ended.stdout.strip() == str([number * number for number in range(40)])
    # The bar counts what it is told is done, a chunk as one.
    assert f"| {submits}/40 " in ended.stderr
    assert (ended.uses.constructions, ended.uses.maps, ended.uses.submits) == (1, 1, submits)
