"""Puts the executor under test in place of the stdlib's when an interpreter starts.

A .pth line of the replaced interpreter imports this module: that is the one way in that also works under
`python -I`, which ignores the PYTHON* variables. What to install stands in the environment, which -I leaves alone.
"""

import functools
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

EXECUTOR = "HOTSPARE_TEST_EXECUTOR"
RECORD = "HOTSPARE_TEST_RECORD"
DEFAULT_EXECUTOR = "hotspare:ProcessPoolExecutor"


def load_executor() -> type[Any]:
    module, _, name = os.environ.get(EXECUTOR, DEFAULT_EXECUTOR).partition(":")
    found = getattr(importlib.import_module(module), name)
    # CPython's tests write `from concurrent.futures import {executor_type.__name__}` into programs of theirs.
    if not isinstance(found, type) or found.__name__ != "ProcessPoolExecutor":
        raise TypeError(f"{module}:{name} must be a class named ProcessPoolExecutor, is {found!r}")
    return found


def put_in_place(executor: type[Any]) -> None:
    import concurrent.futures
    import concurrent.futures.process

    # Assigned by name: a checker that knows the stdlib knows no such change.
    for module in (concurrent.futures, concurrent.futures.process):
        vars(module)["ProcessPoolExecutor"] = executor


def record_uses(executor: type[Any], path: str) -> None:
    """One line for each call of a method that starts work, of this class and no other. The class stays the same
    object: CPython's tests compare it."""

    def recorded(method: str) -> Callable[..., Any]:
        original = getattr(executor, method)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            # Opened for each line: a descriptor kept open would be inherited by forked workers.
            with open(path, "a", encoding="utf-8") as record:
                record.write(f"{method}\n")
            return original(*args, **kwargs)

        return call

    for method in ("__init__", "submit", "map"):
        setattr(executor, method, recorded(method))


def is_helper_of_multiprocessing() -> bool:
    """Spawned workers, the fork server and the resource tracker: an executor imported there would only hide what
    a worker that has never heard of it does."""
    return any(argument.startswith("from multiprocessing.") for argument in sys.orig_argv)


@functools.cache  # once: site reads the .pth files of a virtual environment twice
def install() -> None:
    if is_helper_of_multiprocessing():
        return
    executor = load_executor()
    put_in_place(executor)
    if path := os.environ.get(RECORD):
        record_uses(executor, path)
