"""What the workers run. Heavy modules are imported where they are used, because
start-up and idle memory are measured too."""

from __future__ import annotations

import functools
import os
import signal
import time

TYPE_CHECKING = False  # As typing's, whose import costs milliseconds.
if TYPE_CHECKING:
    import numpy
    import numpy.typing

    Array = numpy.typing.NDArray[numpy.float64]


def noop(_: object = None) -> None:
    pass


def increment(number: int) -> int:
    return number + 1


def import_numpy() -> None:
    import numpy  # noqa: F401


def use_numpy(_: object = None) -> float:
    import numpy

    return float(numpy.ones(3).sum())


@functools.cache
def warm_array(megabytes: int) -> Array:
    """The same array at each call in one worker, its pages present."""
    import numpy

    return numpy.ones(megabytes * 1_000_000 // 8)


def fresh_array(megabytes: int) -> Array:
    import numpy

    return numpy.ones(megabytes * 1_000_000 // 8)


def pid_after(seconds: float) -> int:
    """Slow enough that no worker can take all such tasks."""
    time.sleep(seconds)
    return os.getpid()


def sleep_1ms(deadly: bool) -> None:
    time.sleep(0.001)
    if deadly:
        os.kill(os.getpid(), signal.SIGKILL)


def work_1ms(deadly: bool) -> None:
    """Processor time, so that what the refills take from the tasks shows."""
    end = time.thread_time_ns() + 1_000_000
    while time.thread_time_ns() < end:
        pass
    if deadly:
        os.kill(os.getpid(), signal.SIGKILL)


def parses(path: str) -> bool:
    """Whether libyaml accepts the file. Some files crash it."""
    import yaml

    with open(path, "rb") as file:
        content = file.read()
    try:
        yaml.load(content, yaml.CSafeLoader)
    except Exception:
        return False
    return True
