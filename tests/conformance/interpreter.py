"""An interpreter of its own, in which the stdlib's ProcessPoolExecutor is the executor under test."""

import os
import site
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOOK = Path(__file__).parent / "start_hook"


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
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """The timeout is a watchdog (seconds), not an expectation."""
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
