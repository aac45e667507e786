#!/usr/bin/env python3
"""old_kernel.py [ARGUMENT…]: Python with these arguments where each system call that Linux 4.18 does not have is
answered as it answers: ENOSYS. Without any: the promise tests."""

import ctypes
import errno
import os
import platform
import struct
import sys

FIRST_AFTER_4_18 = {"x86_64": 335, "aarch64": 294}

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER, JUMP_IF_GREATER_EQUAL, RETURN = 0x20, 0x35, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def refuse_all_from(first: int) -> None:
    """From now on, for this process and all that it starts."""
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (LOAD_NUMBER, 0, 0, 0),
            (JUMP_IF_GREATER_EQUAL, 0, 1, first),
            (RETURN, 0, 0, ERRNO | errno.ENOSYS),
            (RETURN, 0, 0, ALLOW),
        )
    )
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))

    filter_ = Program(4, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")


refuse_all_from(FIRST_AFTER_4_18[platform.machine()])
arguments = sys.argv[1:] or ["-m", "pytest", "-q", "tests/promises"]
os.execv(sys.executable, [sys.executable, *arguments])
