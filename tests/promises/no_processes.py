"""Has the kernel refuse this thread, and all that come from it, a new process, for good, or a new thread."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

HOST = "HOTSPARE_TEST_HOST"
"""The environment variable that names the process in which importing no_processes_here does nothing."""

_NUMBERS = {"x86_64": (56, 435, (57, 58)), "aarch64": (220, 435, ())}
"""Of clone, of clone3, and of fork and vfork where there are such calls."""
_CLONE_THREAD = 0x10000
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000


def refuse(threads: bool = False) -> None:
    """threads: it is these that are refused, and processes that they may have."""
    clone, clone3, forks = _NUMBERS[platform.machine()]
    code: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, 0)]
    for place, number in enumerate(() if threads else forks):
        code.append((_EQUAL, 3 + len(forks) - place, 0, number))
    code += [
        # What clone3 is to do lies in memory, where a filter cannot look: without it the C library takes clone.
        (_EQUAL, 4, 0, clone3),
        (_EQUAL, 0, 4, clone),
        (_LOAD, 0, 0, 16),  # the lower half of the first argument
        (_ANY_BIT, 0 if threads else 2, 2 if threads else 0, _CLONE_THREAD),
        (_RETURN, 0, 0, _REFUSE | errno.EAGAIN),
        (_RETURN, 0, 0, _REFUSE | errno.ENOSYS),
        (_RETURN, 0, 0, _ALLOW),
    ]
    data = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(data)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0), (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program)):
        if prctl(arguments[0], ctypes.c_ulong(arguments[1]), arguments[2], 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
