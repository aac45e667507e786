"""Descriptors that stay open for as long as a pool does. Programs that become daemons close all that they don't know,
and the next files that they open get the same numbers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


class Descriptors:
    """Owns them. What it closes is what it was given, whatever has become of the numbers. Not thread-safe."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[int, int]] = {}

    def add(self, fd: int) -> int:
        """Takes it over."""
        self._held[fd] = _file_of(fd)
        return fd

    def numbers(self) -> list[int]:
        return list(self._held)

    def close(self) -> None:
        """Twice is as once."""
        while self._held:
            fd, file = self._held.popitem()
            try:
                is_ours = _file_of(fd) == file
            except OSError:  # closed by somebody else
                continue
            if is_ours:
                os.close(fd)

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        """Who had them may have been interrupted before there was anybody to close them. At the end of the program
        they go by themselves."""
        if not is_finalizing():
            self.close()


def _file_of(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
