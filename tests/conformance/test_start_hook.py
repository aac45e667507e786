"""That the executor is in the stdlib's place wherever a suite or program may look for it."""

from pathlib import Path

import pytest

from conformance.interpreter import Interpreter

TELL = """\
import sys
hook = sys.modules["hotspare_conformance_hook"]
import concurrent.futures
import concurrent.futures.process
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import ProcessPoolExecutor as same
assert ProcessPoolExecutor is same is hook.load_executor()
"""

WORKER = """\
import concurrent.futures.process
import multiprocessing

def changed():
    return concurrent.futures.process.ProcessPoolExecutor.__module__

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(changed(), pool.apply(changed))
"""


@pytest.mark.parametrize("isolated", [[], ["-I"], ["-E"]], ids=["", "-I", "-E"])
def test_every_interpreter_has_it(interpreter: Interpreter, tmp_path: Path, isolated: list[str]) -> None:
    ended = interpreter.run([*isolated, "-c", TELL], cwd=tmp_path)
    assert (ended.status, ended.stderr) == (0, "")


def test_spawned_workers_do_without(interpreter: Interpreter, tmp_path: Path) -> None:
    """As they do in real life: a worker imports what its task needs."""
    (tmp_path / "program.py").write_text(WORKER)
    # Any executor that is defined elsewhere than the stdlib's; it is not used.
    other = {"HOTSPARE_TEST_EXECUTOR": "bad_executors:Hangs", "PYTHONPATH": str(Path(__file__).parent / "cpython")}
    ended = interpreter.run(["program.py"], cwd=tmp_path, environment=other)
    assert ended.stdout.strip() == "bad_executors concurrent.futures.process", ended.stderr
