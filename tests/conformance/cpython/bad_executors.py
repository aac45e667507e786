"""Executors that go wrong on purpose, to see that the harness notices. Named as the tests want an executor named."""

import os
import threading
from concurrent.futures import Future
from concurrent.futures.process import ProcessPoolExecutor  # by name: what the module holds is about to change
from typing import Any


def _made(submit: Any) -> type[ProcessPoolExecutor]:
    return type("ProcessPoolExecutor", (ProcessPoolExecutor,), {"submit": submit})


def _hang(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
    threading.Event().wait()
    raise AssertionError("unreachable")


def _die(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
    os._exit(7)


def _leave_a_child(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
    if os.fork() == 0:
        os._exit(0)
    return ProcessPoolExecutor.submit(self, fn, *args, **kwargs)


Hangs = _made(_hang)
Dies = _made(_die)
LeavesAChild = _made(_leave_a_child)
