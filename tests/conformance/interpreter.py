"""An interpreter of its own, in which the stdlib's ProcessPoolExecutor is the executor under test."""

import contextlib
import os
import signal
import site
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from conformance.processes import kill_session, wait_for_end_of_session

HOOK = Path(__file__).parent / "start_hook"


@dataclass(frozen=True)
class Ended:
    status: int
    stdout: str
    stderr: str
    hung: bool  # and was killed; its threads' stacks are in stderr
    left_behind: list[str]  # processes that outlived it, until they were killed


@dataclass(frozen=True)
class Interpreter:
    """A throw-away virtual environment: the one that runs pytest is left as it is."""

    python: Path

    @classmethod
    def make(cls, folder: Path) -> "Interpreter":
        venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = folder / "lib" / version / "site-packages"
        # addsitedir rather than a bare path: it obeys .pth files, by which editable installs work.
        seen = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
        # A package found by PYTHONPATH would be lost under -I.
        seen += [str(Path(path).resolve()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        hook = [str(HOOK), "import hotspare_conformance_hook; hotspare_conformance_hook.install()"]
        (packages / "conformance.pth").write_text("\n".join([*seen, *hook]) + "\n")
        return cls(folder / "bin" / "python")

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        watchdog: float = 120,  # seconds
    ) -> Ended:
        # Files, not pipes: a worker that is left behind would hold a pipe open, and us with it.
        with TemporaryFile() as stdout, TemporaryFile() as stderr:
            process = subprocess.Popen(
                [self.python, *arguments],
                cwd=cwd,
                env={**os.environ, "PYTHONFAULTHANDLER": "1", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            hung = not _ends_within(process, watchdog)
            left: list[str] = []
            if hung:
                process.send_signal(signal.SIGABRT)  # faulthandler writes the stacks
                _ends_within(process, 2)
            else:
                left = wait_for_end_of_session(process.pid)
            kill_session(process.pid)
            return Ended(process.wait(), _text(stdout), _text(stderr), hung, left)


def _ends_within(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
