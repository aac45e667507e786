"""Runs inside the replaced interpreter: `runner.py list`, or `runner.py run REPORT_FD` with test ids on stdin.

Events are lines of JSON on the descriptor, written when they happen: what a hang or crash leaves unsaid is the
test it hit. Spawned workers import this file again, so it does nothing on import.
"""

import concurrent.futures
import faulthandler
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
import unittest
from collections.abc import Iterator
from types import TracebackType
from typing import Any, TextIO

SUITE = "test.test_concurrent_futures"


def tests_of(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def load() -> dict[str, unittest.TestCase]:
    """The process-pool tests by `Class.method`, after making sure that it is our executor that they will use."""
    # What the interpreter's start has imported already, from a folder that no type checker knows of.
    executor = importlib.import_module("hotspare_conformance_hook").load_executor()
    if concurrent.futures.ProcessPoolExecutor is not executor:
        raise RuntimeError("the interpreter's start did not put the executor in the stdlib's place")
    module = importlib.import_module(SUITE)
    for mixin in ("ProcessPoolForkMixin", "ProcessPoolForkserverMixin", "ProcessPoolSpawnMixin"):
        getattr(module, mixin).executor_type = executor
    everything = unittest.defaultTestLoader.loadTestsFromModule(module)
    tests = {test.id().removeprefix(SUITE + "."): test for test in tests_of(everything)}
    return {name: test for name, test in tests.items() if name.startswith("ProcessPool")}


ExcInfo = tuple[type[BaseException], BaseException, TracebackType]


class Reporter(unittest.TestResult):
    def __init__(self, report: TextIO) -> None:
        super().__init__()
        self.report = report
        self.threads_before = 0
        self.outcome = ("passed", "")

    def say(self, test: unittest.TestCase, outcome: str, detail: str) -> None:
        name = test.id().removeprefix(SUITE + ".")
        self.report.write(json.dumps({"test": name, "outcome": outcome, "detail": detail}) + "\n")
        self.report.flush()

    def startTest(self, test: unittest.TestCase) -> None:
        support = sys.modules["test.support"]
        vars(support)["environment_altered"] = False
        self.outcome = ("passed", "")
        self.threads_before = threading.active_count()
        self.say(test, "started", "")
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        outcome, detail = self.outcome
        if outcome == "passed" and vars(sys.modules["test.support"])["environment_altered"]:
            # What regrtest calls "env changed": a thread still there after shutdown, or a child left unreaped.
            outcome, detail = "altered", "the suite found a dangling thread or an unreaped child; see the output"
        self.say(test, outcome, detail)
        super().stopTest(test)
        if outcome == "failed":
            self.let_go_of_executors()

    def let_go_of_executors(self) -> None:
        """A test that fails has not shut its executor down. Its threads would end in the middle of the next test,
        which would be blamed for the change in their number."""
        deadline = time.monotonic() + 10
        gc.collect()
        while threading.active_count() > self.threads_before and time.monotonic() < deadline:
            time.sleep(0.01)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self.outcome = ("failed", self.failures[-1][1])

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        detail = self.errors[-1][1]
        self.outcome = ("failed", detail)
        if not isinstance(test, unittest.TestCase):  # setUpModule or a module clean-up
            sys.stderr.write(detail)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.outcome = ("skipped", reason)


def run(report_fd: int, names: list[str]) -> int:
    # Workers must not hold the report open, nor find a descriptor that they do not expect.
    os.set_inheritable(report_fd, False)
    # The watchdog asks for every thread's stack before it kills.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    tests = load()
    # In a suite, so that setUpModule and its clean-ups run once around the group.
    suite = unittest.TestSuite(tests[name] for name in names)
    with open(report_fd, "w", encoding="utf-8") as report:
        result = Reporter(report)
        suite.run(result)
    return 0 if result.testsRun == len(names) else 3


def main() -> int:
    if sys.argv[1] == "list":
        print("\n".join(load()))
        return 0
    return run(int(sys.argv[2]), sys.stdin.read().split())


if __name__ == "__main__":
    sys.exit(main())
