"""P12. Programs of every kind: without a main guard, without the engine, without an interpreter, frozen, zipped, under
a debugger. They work as with the standard class, or are told in words what they lack."""

from __future__ import annotations

import importlib.util
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
import zipapp
from pathlib import Path

import hotspare
import pytest
from hotspare import Pool, WorkerDied
from python_tasks import kill_self


def run(*command: str, cwd: Path, text: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, input=text, env={**os.environ, **env}
    )


# ---- without a main guard ----

UNGUARDED = """
    import sys
    from hotspare import {kind}
    def square(x): return x * x
    pool = {kind}(1, {how}) if {lazy} else {kind}(1, {how}, preload=["colorsys"])
    print(pool.submit(square, 7).result())
    pool.shutdown()
"""


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
@pytest.mark.parametrize("preload", ["colorsys", "__main__"])
def test_a_missing_main_guard_is_told_whole(method: str, preload: str, tmp_path: Path) -> None:
    program = tmp_path / "unguarded.py"
    program.write_text(
        textwrap.dedent(f"""
        import hotspare
        def square(x): return x * x
        pool = hotspare.Pool(1, start={method!r}, preload=[{preload!r}])
        pool.submit(square, 7).result()
        """)
    )
    done = run(sys.executable, str(program), cwd=tmp_path)
    assert done.returncode == 1
    told = done.stderr[done.stderr.rindex("PoolBroken") :]
    assert "before the" in told
    assert "if __name__ == '__main__':" in told
    assert "freeze_support" in told.rpartition("if __name__")[2]
    assert "to produce an executable" in told  # the end of the advice


# ---- without the engine ----

CLIENT = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
import hotspare
assert hotspare.__file__.startswith(sys.argv[1])
error = pickle.load(sys.stdin.buffer)
print(type(error).__name__, error.signal)
from hotspare import *
RemoteError, WorkerDied
def refusal(use):
    try: use()
    except ImportError as error: return str(error)
    raise SystemExit("not refused")
def by_import(): from hotspare import Pool
def by_module(): import hotspare.chaos
def by_engine(): from hotspare import _core
for use in (lambda: hotspare.Pool(1), lambda: hotspare.ProcessPoolExecutor, by_import, by_module, by_engine):
    text = refusal(use)
    assert "needs the extension module" in text and "Install hotspare" in text, text
assert "hotspare.Pool" in refusal(by_import)
try: hotspare.nonsense
except AttributeError: print("done")
"""


@pytest.mark.parametrize("how", ["absent", "for another machine", "not to be read"])
def test_where_the_engine_is_missing_exceptions_unpickle_and_the_rest_refuses(how: str, tmp_path: Path) -> None:
    with Pool(1) as pool:
        death = pool.submit(kill_self).exception()
    assert isinstance(death, WorkerDied)
    package = Path(hotspare.__file__).parent
    shutil.copytree(package, tmp_path / "hotspare", ignore=shutil.ignore_patterns("*.so*", "__pycache__"))
    if how != "absent":
        (core,) = package.glob("_core*.so")
        (tmp_path / "hotspare" / core.name).write_bytes(b"\x7fELF\x02\x01\x01" + bytes(100) if "other" in how else b"")
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(tmp_path)], input=pickle.dumps(death), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == "WorkerDied 9\ndone\n"


# ---- without an interpreter to start ----

USES_A_POOL = """
import os, sys
import hotspare
def double(x): return 2 * x
def main(method):
    with hotspare.Pool(1, start=method) as pool: print(pool.submit(double, 21).result())
"""


@pytest.mark.parametrize("executable", ["None", "''"])
def test_a_program_that_knows_no_interpreter_is_refused_in_words(executable: str, tmp_path: Path) -> None:
    (tmp_path / "uses.py").write_text(USES_A_POOL)
    text = f"""
        import sys
        from multiprocessing import spawn
        sys.executable = spawn._python_exe = {executable}
        import uses
        uses.main("fork")
        for method in ("forkserver", "spawn"):
            try: uses.main(method)
            except RuntimeError as error: print(str(error).partition(".")[0])
    """
    done = run(sys.executable, "-c", textwrap.dedent(text), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "42",
        "forkserver starts a fresh interpreter, and this program knows of none: sys",
        "spawn starts a fresh interpreter, and this program knows of none: sys",
    ]


def test_another_interpreter_that_was_named_is_used(tmp_path: Path) -> None:
    (tmp_path / "uses.py").write_text(USES_A_POOL)
    text = f"""
        import multiprocessing, sys
        multiprocessing.set_executable({sys.executable!r})
        sys.executable = "/nowhere/python"
        import uses
        uses.main("spawn")
    """
    done = run(sys.executable, "-c", textwrap.dedent(text), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


# A program of its own that stands in for an interpreter and is none: its main runs again and again.
NOT_AN_INTERPRETER = """#!{python}
import os, sys
sys.path[:0] = [{folder!r}]
with open({runs!r}, "a") as file: file.write("run\\n")
sys.frozen = True
sys.executable = {program!r}
from multiprocessing import spawn
spawn.set_executable(sys.executable)
import uses
try: uses.main("spawn")
except Exception as error: print(type(error).__name__, error)
"""


def test_a_program_that_is_no_interpreter_is_not_started_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "uses.py").write_text(USES_A_POOL)
    program, runs = tmp_path / "program", tmp_path / "runs"
    program.write_text(
        NOT_AN_INTERPRETER.format(python=sys.executable, folder=str(tmp_path), runs=str(runs), program=str(program))
    )
    program.chmod(0o700)
    done = run(str(program), cwd=tmp_path)
    assert "PoolBroken" in done.stdout
    assert "freeze_support()" in done.stdout
    assert len(runs.read_text().splitlines()) <= 6


# ---- zipped, frozen ----


def test_a_zipped_program_works(start: str, tmp_path: Path) -> None:
    source = tmp_path / "app"
    source.mkdir()
    (source / "uses.py").write_text(USES_A_POOL)
    (source / "__main__.py").write_text("import sys, uses\nif __name__ == '__main__': uses.main(sys.argv[1])\n")
    zipapp.create_archive(source, tmp_path / "app.pyz")
    shutil.rmtree(source)
    done = run(sys.executable, "app.pyz", start, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


# As a frozen program behaves: it has no interpreter, and whatever is started with it begins in its own main. Of
# multiprocessing's helpers freezers take care, PyInstaller as here.
FROZEN = """#!{python}
import os, sys
sys.path[:0] = [{folder!r}]
sys.frozen = True
sys.executable = {program!r}
import multiprocessing as mp
import multiprocessing.spawn
import hotspare
def double(x): return 2 * x
def die(): os.kill(os.getpid(), 9)
if __name__ == "__main__":
    if sys.argv[-2] == "-c" and "resource_tracker" in sys.argv[-1]: sys.exit(exec(sys.argv[-1]))
    mp.spawn.freeze_support()  # elsewhere than on Windows freezers make mp.freeze_support() this one
    (method,) = sys.argv[1:]
    with hotspare.ProcessPoolExecutor(1, mp_context=mp.get_context(method)) as executor:
        print(list(executor.map(double, [1, 2, 3])))
        print(type(executor.submit(die).exception()).__name__, executor.submit(double, 21).result())
"""


def test_a_frozen_program_works(start: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(FROZEN.format(python=sys.executable, folder=str(tmp_path), program=str(program)))
    program.chmod(0o700)
    done = run(str(program), start, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "[2, 4, 6]\nBrokenWorker 42\n"), done.stderr


FROZEN_FOR_GOOD = """
import argparse, multiprocessing as mp, os
from hotspare import ProcessPoolExecutor
def double(x): return 2 * x
def die(): os.kill(os.getpid(), 9)
if __name__ == "__main__":
    mp.freeze_support()
    parser = argparse.ArgumentParser()
    parser.add_argument("method")
    with ProcessPoolExecutor(1, mp_context=mp.get_context(parser.parse_args().method)) as executor:
        print(list(executor.map(double, [1, 2, 3])))
        print(type(executor.submit(die).exception()).__name__, executor.submit(double, 21).result())
"""


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("PyInstaller") is None, reason="PyInstaller is not installed")
@pytest.mark.parametrize("kind", ["--onedir", "--onefile"])
def test_a_program_that_pyinstaller_has_frozen_works(kind: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(FROZEN_FOR_GOOD)
    freezes = ["-m", "PyInstaller", kind, "--noconfirm", "--log-level=ERROR", "program.py"]
    frozen = run(sys.executable, *freezes, cwd=tmp_path)
    program = tmp_path / "dist" / ("program/program" if kind == "--onedir" else "program")
    assert program.is_file(), frozen.stderr
    for method in ("fork", "forkserver", "spawn"):
        done = run(str(program), method, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "[2, 4, 6]\nBrokenWorker 42\n"), (method, done.stderr)


# ---- under a debugger ----

# What debuggers do to be in every process: they put themselves in front of os.fork, and change the arguments of Python
# programs that are started.
IN_FRONT = """
import os, sys, _posixsubprocess
NOTES = sys.argv[1]
def note(what):
    with open(NOTES, "a") as file: file.write(f"{what} {os.getpid()}\\n")
def put_in_front():
    fork, fork_exec = os.fork, _posixsubprocess.fork_exec
    def forks():
        pid = fork()
        if pid == 0: note("forked")
        return pid
    def starts(args, *rest):
        args = [a if isinstance(a, str) else os.fsdecode(a) for a in args]
        if "-c" in args:
            at = args.index("-c") + 1
            args[at] = (f"import sys; sys.argv[1:1] = [{NOTES!r}]; sys.path[:0] = [{os.getcwd()!r}]; import in_front; "
                        f"del sys.argv[1]; {args[at]}")
        return fork_exec([os.fsencode(a) for a in args], *rest)
    os.fork, _posixsubprocess.fork_exec = forks, starts
put_in_front()
"""
IS_IN_FRONT = """
import in_front, sys, os
import hotspare
if __name__ == "__main__":
    with hotspare.Pool(2, start=sys.argv[2]) as pool:
        print(pool.submit(os.getpid).result())
        pool.submit(os.abort).exception()
        print(pool.submit(os.getpid).result())
"""


def test_whoever_stands_in_front_of_forks_sees_workers(start: str, tmp_path: Path) -> None:
    (tmp_path / "in_front.py").write_text(IN_FRONT)
    (tmp_path / "program.py").write_text(IS_IN_FRONT)
    done = run(sys.executable, "program.py", "notes", start, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    seen = set((tmp_path / "notes").read_text().splitlines())
    assert {f"forked {pid}" for pid in done.stdout.split()} <= seen
