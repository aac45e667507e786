"""Runs the groups that the selected tests need, a few at a time, while pytest collects their outcomes in its order."""

import os
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from conformance.cpython.group import Group, end_name, run_group
from conformance.cpython.outcome import Outcome
from conformance.interpreter import Interpreter

JOBS = int(os.environ.get("HOTSPARE_TEST_JOBS", "2"))


def groups_of(tests: Iterable[str]) -> list[Group]:
    """One for each class: the class is what shares a start method, and with it a fork server."""
    by_class: dict[str, list[str]] = {}
    for test in tests:
        by_class.setdefault(test.partition(".")[0], []).append(test)
    return [Group(name, tuple(members)) for name, members in by_class.items()]


class Schedule:
    def __init__(self, interpreter: Interpreter, tests: Iterable[str]) -> None:
        self._outcomes: dict[str, Outcome] = {}
        self._changed = threading.Condition()
        self._threads = ThreadPoolExecutor(JOBS)
        self._groups = groups_of(tests)
        for group in self._groups:
            self._threads.submit(self._run, interpreter, group)

    def outcome_of(self, name: str) -> Outcome:
        """A test's, or a group's end (`end_name`). Waits; the watchdog of each group sees to it that it comes."""
        with self._changed:
            self._changed.wait_for(lambda: name in self._outcomes)
            return self._outcomes[name]

    def close(self) -> None:
        """Groups that have not begun are dropped: pytest was interrupted, or ended at its first failure."""
        self._threads.shutdown(cancel_futures=True)

    def _publish(self, name: str, outcome: Outcome) -> None:
        with self._changed:
            self._outcomes.setdefault(name, outcome)
            self._changed.notify_all()

    def _run(self, interpreter: Interpreter, group: Group) -> None:
        try:
            run_group(interpreter, group, self._publish)
        except BaseException as error:
            # Nobody waits for this thread's future: without an outcome pytest would wait for ever.
            for name in (*group.tests, end_name(group.name)):
                self._publish(name, Outcome("not run", f"the harness failed: {error!r}"))
            raise
