"""P10 and P7. Streams end well: closed in the middle, interrupted, forgotten, forked, killed. Besides what each test
asserts, conftest.py compares processes, descriptors and /dev/shm around every test of this folder."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import descendants, wait_for_end
from hotspare import Event, StandbyChannel, StandbyClosed
from python_processors import BLOCK, STOP_HERE, Chain, Grows, Meeting, block_of, next_state, number, twice
from python_tasks import Fifo

FAR = 60.0
HERE = Path(__file__).parent
OPTIONS: dict[str, Any] = {"block": BLOCK, "period": 0.01, "capture_stderr": True}


def after(*blocks: int) -> int:
    state = 0
    for block in blocks:
        state = next_state(state, block)
    return state


def meeting(fifo: Callable[[], Fifo]) -> tuple[StandbyChannel, Fifo, Fifo]:
    begun, go_on = fifo(), fifo()
    channel = StandbyChannel(Meeting, begun, go_on, replicas=1, hang_after=10 * FAR, **OPTIONS)
    return channel, begun, go_on


def test_nothing_is_left_when_it_has_closed(start: str) -> None:
    before, files = set(descendants()), len(os.listdir("/proc/self/fd"))
    for how in ("sigkill", "sigsegv", "stop", ""):
        channel = StandbyChannel(Chain, start=start, hang_after=0.1, **OPTIONS)
        channel.process(block_of(1), timeout=FAR)
        if how:
            channel.strike(how)
            channel.process(block_of(1), timeout=FAR)
        channel.close()
        channel.close()
        assert channel.closed
        assert set(descendants()) <= before
        assert len(os.listdir("/proc/self/fd")) <= files + 2  # the resource tracker of multiprocessing


def test_a_closed_channel_takes_no_blocks() -> None:
    channel = StandbyChannel.of(twice, **OPTIONS)
    channel.close()
    with pytest.raises(StandbyClosed, match="the channel is closed"):
        channel.process(block_of(1))
    assert "closed" in repr(channel)


def test_a_forgotten_channel_goes() -> None:
    channel = StandbyChannel.of(twice, **OPTIONS)
    pids, gone = channel.replica_pids(), channel._gone
    del channel
    gc.collect()
    for pid in pids:
        wait_for_end(pid)
    assert gone.wait(-1.0)


def test_close_waits_for_the_block_that_is_being_processed(fifo: Callable[[], Fifo]) -> None:
    channel, begun, go_on = meeting(fifo)
    answers: list[Any] = []
    stream = threading.Thread(
        target=lambda: answers.append((channel.process(block_of(STOP_HERE), timeout=FAR), channel.late))
    )
    stream.start()
    begun.hear()
    closer = threading.Thread(target=channel.close)
    closer.start()
    go_on.tell()
    closer.join()
    stream.join()
    assert answers == [(block_of(after(STOP_HERE)), False)]
    with pytest.raises(StandbyClosed):
        channel.process(block_of(1))


def test_two_threads_at_once_are_refused(fifo: Callable[[], Fifo]) -> None:
    channel, begun, go_on = meeting(fifo)
    with channel:
        stream = threading.Thread(target=channel.process, args=(block_of(STOP_HERE),), kwargs={"timeout": FAR})
        stream.start()
        begun.hear()
        with pytest.raises(RuntimeError, match="another thread is in process"):
            channel.process(block_of(1))
        go_on.tell()
        stream.join()
        assert number(channel.process(block_of(2), timeout=FAR)) == after(STOP_HERE, 2)


def test_one_thread_after_another() -> None:
    with StandbyChannel(Chain, **OPTIONS) as channel:
        for _ in range(5):
            stream = threading.Thread(target=channel.process, args=(block_of(1),), kwargs={"timeout": FAR})
            stream.start()
            stream.join()
        assert number(channel.process(block_of(1), timeout=FAR)) == after(*[1] * 6)


def test_other_threads_run_meanwhile(fifo: Callable[[], Fifo]) -> None:
    """The GIL is let go: this thread could not tell the processor to go on, else."""
    channel, begun, go_on = meeting(fifo)
    with channel:
        helper = threading.Thread(target=lambda: (begun.hear(), go_on.tell()))
        helper.start()
        assert number(channel.process(block_of(STOP_HERE), timeout=FAR)) == after(STOP_HERE)
        helper.join()


def test_a_keyboard_interrupt_does_not_break_it(fifo: Callable[[], Fifo]) -> None:
    channel, begun, go_on = meeting(fifo)

    def interrupt() -> None:
        begun.hear()
        os.kill(os.getpid(), signal.SIGINT)
        go_on.tell()

    with channel:
        helper = threading.Thread(target=interrupt)
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # wherever the signal is noticed
            helper.start()
            channel.process(block_of(STOP_HERE), timeout=FAR)
            helper.join()
        helper.join()
        assert number(channel.process(block_of(2), timeout=FAR)) == after(STOP_HERE, 2)


def left_alone() -> StandbyChannel:
    """One of two replicas has died, and cannot be replaced: its state has outgrown its room."""
    channel = StandbyChannel(Grows, state_bytes=4096, **OPTIONS)
    for _ in range(100):
        channel.process(block_of(1), timeout=FAR)
    channel.strike("sigkill")
    while len(channel.replica_pids()) == 2:
        channel.process(block_of(1), timeout=FAR)
    return channel


def test_a_keyboard_interrupt_ends_a_wait_for_replicas() -> None:
    with left_alone() as channel:
        helper = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            helper.start()
            channel.wait_in_step()  # which will never be
        helper.join()
        assert channel.wait_in_step(1)


def test_a_keyboard_interrupt_ends_the_constructor(fifo: Callable[[], Fifo]) -> None:
    begun = fifo()

    def interrupt() -> None:
        begun.hear()
        os.kill(os.getpid(), signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        StandbyChannel(_never_made, begun, replicas=1, **OPTIONS)
    helper.join()


def _never_made(begun: Fifo) -> None:
    begun.tell()
    while True:
        signal.pause()


def test_an_interrupt_at_any_moment_of_its_close_leaves_it_closing() -> None:
    here = sys._getframe()
    moment, interrupted = 0, True
    gc.collect()
    while interrupted:
        channel = StandbyChannel.of(twice, replicas=1, **OPTIONS)
        before = iter(range(moment))

        def interrupt(frame: Any, event: str, arg: Any, before: Any = before) -> None:
            # Where the interpreter looks at signals: when a function begins, and when a call has ended.
            if frame is not here and event in ("call", "c_return") and next(before, None) is None:
                raise KeyboardInterrupt

        interrupted = False
        try:
            sys.setprofile(interrupt)
            channel.close()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            sys.setprofile(None)
        channel.close()
        assert channel.closed
        moment += 1


@pytest.mark.parametrize("how", ["channel.close()", "del channel"])
def test_without_a_thread_to_be_had_it_closes_on_the_callers(tmp_path: Path, how: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        f"import os, sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from hotspare import StandbyChannel\n"
        "from no_processes import refuse\n"
        "from python_processors import twice\n"
        "if __name__ == '__main__':\n"
        "    channel = StandbyChannel.of(twice, block=8, period=0.01)\n"
        "    (pid, *_) = channel.replica_pids()\n"
        "    refuse(threads=True)\n"
        f"    {how}\n"
        "    print(os.path.exists(f'/proc/{pid}'))\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_closing_tells_those_who_wait_for_replicas() -> None:
    channel = left_alone()
    came: list[bool] = []
    waiter = threading.Thread(target=lambda: came.append(channel.wait_in_step()))
    waiter.start()
    channel.close()
    waiter.join()
    assert came == [False]


def test_close_from_an_event() -> None:
    closed = threading.Event()
    channels: list[StandbyChannel] = []
    made = threading.Event()

    def on_event(event: Event) -> None:
        if event.kind == "death":
            made.wait()
            channels[0].close()
            closed.set()

    channels.append(StandbyChannel(Chain, on_event=on_event, **OPTIONS))
    made.set()
    pids = channels[0].replica_pids()
    channels[0].strike("sigkill")
    closed.wait()
    for pid in pids:
        wait_for_end(pid)
    channels[0].close()  # waits for the end


def test_an_event_that_raises_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: heard.append(str(what.exc_value)))

    def on_event(event: Event) -> None:
        raise ValueError("who listens?")

    with StandbyChannel(Chain, on_event=on_event, **OPTIONS) as channel:
        assert number(channel.process(block_of(3), timeout=FAR)) == after(3)
    assert set(heard) == {"who listens?"}


def test_a_fork_needs_a_channel_of_its_own() -> None:
    with StandbyChannel(Chain, **OPTIONS) as channel:
        channel.process(block_of(1), timeout=FAR)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                channel.process(block_of(1))
            except RuntimeError as error:
                code = 0 if "is a fork of the one that made the channel" in str(error) else 2
            channel.close()  # nothing of it is ours
            for call in (channel.stats, channel.replica_pids, channel.wait_in_step, lambda: channel.strike("sigkill")):
                with pytest.raises(RuntimeError, match="is a fork of the one that made the channel"):
                    call()
            with StandbyChannel(Chain, **OPTIONS) as own:
                if number(own.process(block_of(5), timeout=FAR)) != after(5):
                    code = 4
            os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        assert number(channel.process(block_of(2), timeout=FAR)) == after(1, 2)


def test_a_forked_child_that_ends_takes_nothing_along() -> None:
    with StandbyChannel(Chain, **OPTIONS) as channel:
        channel.process(block_of(1), timeout=FAR)
        pid = os.fork()
        if pid == 0:
            del channel
            gc.collect()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert number(channel.process(block_of(2), timeout=FAR)) == after(1, 2)
        assert channel.stats().deaths == 0


_PROGRAM = """
import os, sys, threading
import hotspare
from python_processors import Chain, block_of

def main(how):
    channel = hotspare.StandbyChannel(Chain, block=8, period=0.01, start=sys.argv[2])
    channel.process(block_of(1), timeout=60)
    print(*channel.replica_pids(), flush=True)
    if how == "busy":
        def run():
            while True:
                channel.process(block_of(1))
        threading.Thread(target=run, daemon=True).start()
    if how == "raise":
        raise SystemExit(5)
    if how == "wait":
        sys.stdin.read()
    globals()["kept"] = channel

if __name__ == "__main__":
    main(sys.argv[1])
"""


def _run(tmp_path: Path, how: str, start: str) -> subprocess.Popen[str]:
    path = tmp_path / "program.py"
    path.write_text(_PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    return subprocess.Popen(
        [sys.executable, str(path), how, start],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("how", "code"), [("plain", 0), ("raise", 5), ("busy", 0)])
def test_a_program_ends_with_an_open_channel(tmp_path: Path, how: str, code: int, start: str) -> None:
    with _run(tmp_path, how, start) as program:
        out, err = program.communicate()
    assert program.returncode == code, err
    assert "Traceback" not in err or how == "busy"  # the thread hears that its channel was closed
    assert "Fatal" not in err
    for pid in out.split():
        wait_for_end(int(pid))


def test_nothing_is_left_of_a_program_that_was_killed(tmp_path: Path, start: str) -> None:
    with _run(tmp_path, "wait", start) as program:
        assert program.stdout is not None
        pids = program.stdout.readline().split()
        program.kill()
        program.wait()
        for pid in pids:
            wait_for_end(int(pid))


def test_bytes_need_no_numpy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "import hotspare\n"
        "with hotspare.StandbyChannel.of(bytes.upper, block=4, period=0.01) as channel:\n"
        "    assert channel.process(b'star', timeout=60) == b'STAR'\n"
        "try:\n"
        "    hotspare.StandbyChannel.of(bytes.upper, block=((4,), 'u1'), period=0.01)\n"
        "except ModuleNotFoundError as error:\n"
        "    assert 'arrays need numpy' in str(error)\n"
        "else:\n"
        "    raise AssertionError\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
