"""P12. A breakpoint in a task stops there, under debugpy (which is what editors use): tried where it is installed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("debugpy")
pytestmark = pytest.mark.long

PROGRAM = """
    import multiprocessing as mp, sys
    import debugpy
    from hotspare import ProcessPoolExecutor
    def task(x):
        y = x + 1  # here
        return y
    if __name__ == "__main__":
        print(debugpy.listen(("127.0.0.1", 0))[1], flush=True)
        debugpy.wait_for_client()
        with ProcessPoolExecutor(1, mp_context=mp.get_context(sys.argv[1])) as executor:
            print(executor.submit(task, 41).result(), flush=True)
"""


class Session:
    """What an editor says to the debugger of one process. Processes that it starts get sessions of their own."""

    def __init__(self, port: int, arguments: dict[str, Any], program: str, line: int, stops: queue.Queue[str]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._stream = self._socket.makefile("rb")
        self._numbers = itertools.count(1)
        self._more = port, program, line, stops
        self.children: list[Session] = []
        self._breakpoints = {"source": {"path": program}, "breakpoints": [{"line": line}]}
        self._ask("initialize", {"adapterID": "test", "pathFormat": "path"})
        self._ask("attach", arguments)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _ask(self, command: str, arguments: dict[str, Any]) -> None:
        message = {"seq": next(self._numbers), "type": "request", "command": command, "arguments": arguments}
        text = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))

    def _messages(self) -> Any:
        while head := self._stream.readline():
            while self._stream.readline().strip():
                pass
            yield json.loads(self._stream.read(int(head.split(b":")[1])))

    def _read(self) -> None:
        port, program, line, stops = self._more
        for message in self._messages():
            body = message.get("body") or {}
            match message.get("event"):
                case "initialized":
                    self._ask("setBreakpoints", self._breakpoints)
                    self._ask("configurationDone", {})
                case "stopped":
                    stops.put(body["reason"])
                    self._ask("continue", {"threadId": body["threadId"]})
                case "debugpyAttach":
                    self.children.append(Session(port, body, program, line, stops))

    def end(self) -> None:
        with contextlib.suppress(OSError):  # the other side may have ended it
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        for child in self.children:
            child.end()
        self._stream.close()
        self._socket.close()


def test_a_breakpoint_in_a_task_stops_there(start: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    line = next(n for n, text in enumerate(program.read_text().splitlines(), 1) if "# here" in text)
    with subprocess.Popen(
        [sys.executable, "-Xfrozen_modules=off", str(program), start],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
    ) as running:
        assert running.stdout is not None
        port = int(running.stdout.readline())
        stops: queue.Queue[str] = queue.Queue()
        session = Session(port, {"subProcess": True, "justMyCode": False}, str(program), line, stops)
        out = running.stdout.readline()
        assert running.stderr is not None
        code = running.wait()
        session.end()
        running.stdout.read()  # until the debugger's own process has ended
        assert (code, out) == (0, "42\n"), running.stderr.read()
    assert list(stops.queue) == ["breakpoint"]
