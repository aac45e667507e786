"""What both suites share: the interpreter with the executor under test in the stdlib's place."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conformance.interpreter import Interpreter

INTERPRETER = pytest.StashKey[Interpreter]()
FOLDER = pytest.StashKey["TemporaryDirectory[str]"]()


def interpreter_of(config: pytest.Config) -> Interpreter:
    """Made on first use, which may be the collection: CPython's tests are listed by running it."""
    if INTERPRETER not in config.stash:
        folder = TemporaryDirectory(prefix="hotspare-conformance-")
        config.stash[FOLDER] = folder
        config.stash[INTERPRETER] = Interpreter.make(Path(folder.name) / "venv")
    return config.stash[INTERPRETER]


def pytest_unconfigure(config: pytest.Config) -> None:
    if folder := config.stash.get(FOLDER, None):
        folder.cleanup()


@pytest.fixture(scope="session")
def interpreter(pytestconfig: pytest.Config) -> Interpreter:
    return interpreter_of(pytestconfig)
