"""whole_life.py METHOD: 200 tasks, ten deaths of two kinds, a deadline, then idleness, in a pool that starts so."""

import os
import signal
import sys
import time
from pathlib import Path

import hotspare


def work(number: int) -> int:
    if number % 20 == 7:
        os.kill(os.getpid(), signal.SIGKILL if number % 40 == 7 else signal.SIGSEGV)
    return number


def hang() -> None:
    signal.pause()


def cpu_seconds(pids: list[int]) -> float:
    """Of the first threads of these processes, and of all of ours."""
    others = sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)
    return others * 1e-9 + time.process_time()


def idle_second(pids: list[int]) -> float:
    time.sleep(0.5)  # refills settle; idling is what is looked at
    before = cpu_seconds(pids)
    time.sleep(1)  # the time over which the CPU's is measured
    return cpu_seconds(pids) - before


def main() -> None:
    bare = idle_second([os.getpid()] * 3)  # what it costs here to sleep and to look
    with hotspare.Pool(2, start=sys.argv[1]) as pool:
        futures = [pool.submit(work, number) for number in range(200)]
        died = 0
        for number, future in enumerate(futures):
            error = future.exception()
            if error is None:
                assert future.result() == number
                continue
            assert isinstance(error, hotspare.WorkerDied)
            assert error.report.signal == (signal.SIGKILL if number % 40 == 7 else signal.SIGSEGV)
            died += 1
        assert died == 10
        late = pool.with_options(timeout=0.2).submit(hang)
        assert isinstance(late.exception(), hotspare.TaskTimeout)
        assert pool.submit(work, 1).result() == 1
        pids = pool.worker_pids()
        # Whoever polls does so in each of these seconds; a busy machine's own noise is not in all of them.
        share = min(idle_second(pids) for _ in range(4))
        assert share <= 0.01 + bare, f"idle, {share:.1%} of a core is used, without a pool {bare:.1%}"
        assert pool.submit(work, 2).result() == 2


if __name__ == "__main__":
    main()
    print("ALL RIGHT")
