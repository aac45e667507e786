"""How soon Ctrl-C ends a program that waits for a hung task: seconds from the first press to its end, and what is left.

    .venv/bin/python bench/python/ctrl_c.py [--rounds 5]

Each program has a terminal of its own, on which ^C is typed. One that has not ended 6 s after a press gets another,
four at most. Left: processes of it that live when it has ended.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import threading
import time
import uuid

POOLS = {
    "hotspare.Pool": "import hotspare; make = hotspare.Pool",
    "hotspare.ProcessPoolExecutor": "import hotspare; make = hotspare.ProcessPoolExecutor",
    "concurrent.futures": "from concurrent.futures import ProcessPoolExecutor as make",
}
HANGS = {
    "sleeps": "time.sleep(1e6)",
    "C code with the GIL": "m = ctypes.create_string_buffer(64); [ctypes.PyDLL(None).pthread_mutex_lock(m) for _ in m]",
    "ignores SIGINT": "signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(1e6)",
}
PLACES = {
    "script, with": "with make(2) as pool: [f.result() for f in [pool.submit(hang) for _ in range(4)]]",
    "script, no with": "pool = make(2); [f.result() for f in [pool.submit(hang) for _ in range(4)]]",
    "cell, with": "try:\n        with make(2) as pool: [f.result() for f in [pool.submit(hang) for _ in range(4)]]\n"
    "    except KeyboardInterrupt: print('went on', flush=True)\n    os._exit(0)",
}
PROGRAM = """\
import ctypes, os, signal, sys, time
{pool}
def hang():
    print("begun", flush=True)
    {hang}
if __name__ == "__main__":
    {place}
"""
PATIENCE = 6.0


def own_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read_all(terminal: int, word: bytes, times: int, seen: threading.Event) -> None:
    """Or the program waits for room to write. What several processes write may be mixed within a line."""
    got = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # nobody has it any more
            part = b""
        got += part
        if got.count(word) >= times or not part:
            seen.set()
        if not part:
            return


def marked(mark: str) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(entry)}/environ", "rb") as environment:
                if mark.encode() in environment.read():
                    found.append(int(entry))
        except (OSError, ValueError):
            continue
    return found


def run(pool: str, hang: str, place: str) -> tuple[float | None, int, int]:
    """Seconds, presses, processes left."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(PROGRAM.format(pool=POOLS[pool], hang=HANGS[hang], place=PLACES[place]))
        script.flush()
        terminal, end = pty.openpty()
        mark = f"{uuid.uuid4()}"
        process = subprocess.Popen(
            [sys.executable, script.name],
            stdin=end,
            stdout=end,
            stderr=end,
            preexec_fn=own_terminal,
            env={**os.environ, "CTRL_C_MARK": mark},
        )
        os.close(end)
        begun = threading.Event()
        reader = threading.Thread(target=read_all, args=(terminal, b"begun", 2, begun))
        reader.start()
        begun.wait()
        began, presses, seconds = time.monotonic(), 0, None
        pidfd = os.pidfd_open(process.pid)
        while seconds is None and presses < 4:
            os.write(terminal, b"\x03")
            presses += 1
            if select.select([pidfd], [], [], PATIENCE)[0]:
                seconds = time.monotonic() - began
        left = [] if seconds is None else marked(mark)
        for pid in {process.pid, *marked(mark)}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()
        os.close(pidfd)
        reader.join()
        os.close(terminal)
        return seconds, presses, len(left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print("| | hung task | pool | seconds, median (worst) | presses | left |\n|---|---|---|---|---|---|")
    for place in PLACES:
        for hang in HANGS:
            for pool in POOLS:
                outcomes = [run(pool, hang, place) for _ in range(rounds)]
                took = [seconds for seconds, _, _ in outcomes if seconds is not None]
                told = f"{statistics.median(took):.2f} ({max(took):.2f})" if len(took) == rounds else "never"
                presses = max(each for _, each, _ in outcomes)
                print(
                    f"| {place} | {hang} | {pool} | {told} | {presses} | {max(n for _, _, n in outcomes)} |", flush=True
                )


if __name__ == "__main__":
    main()
