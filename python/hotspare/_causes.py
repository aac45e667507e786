"""The causes of deaths: what is said of each. The same words as in src/death/causes.hpp, which a test compares."""

from __future__ import annotations

SENTENCES = {
    "signal": "{signal}",
    "exited": "exited with code {code}",
    "terminated": "called std::terminate{detail}",
    "stack_overflow": "overflowed its stack{at}",
    "memory_limit": "was ended: its memory limit was reached",
    "deadline": "was ended: its deadline passed",
    "cancelled": "was ended: its task was cancelled",
    "out_of_memory": "was killed{surely} by the kernel for lack of memory",
    "lifeline_closed": "was ended: it had closed the lifeline that ties it to its host",
    "protocol": "was ended: it wrote nonsense into its channel{detail}",
    "exec": "became another program by exec{detail}{end}",
    "pthread_exit": "ended its own main thread (pthread_exit)",
    "file_size_limit": "wrote beyond the limit of a file's size (SIGXFSZ, RLIMIT_FSIZE)",
    "forbidden_call": "made a forbidden system call (SIGSYS){detail}",
    "unknown": "died; its exit status was lost",
}
"""What became of the worker. {signal}: which signal, from whom, at which address; {at}: " at address …"; {code}: exit
code; {detail}: ": " and the detail, if there is one; {surely}: ", most likely", unless it is certain; {end}: how the
other program ended."""

ENDED = frozenset({"memory_limit", "deadline", "cancelled", "lifeline_closed"})
"""Ended by the host: the stack tells what it was busy with, not where it crashed."""
