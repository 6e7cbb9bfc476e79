"""Ctrl-C and SIGTERM end the program at once, and every process that it started.

An exception would not do.  Raised while an object of a solver is being destroyed it is swallowed;
in the midst of a long check it comes when the check is over; and Z3 takes the signal for itself and
answers *unknown*, which would then be reported as a verdict.  So both signals are blocked in every
thread but one that waits for them.  A thread that is older than that is not, so nothing may start
one while modules are imported; numpy does, and is imported by those functions that need it.

What it does not know: a signal in the first half second, while modules are imported.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


def watch() -> None:
    """From now on an interruption exits with 128 + its number: 130 for Ctrl-C.

    Processes forked later leave Ctrl-C, which a terminal sends to them as well, to this one.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.register_at_fork(
        after_in_child=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    )
    threading.Thread(target=_wait, name="interrupt", daemon=True).start()


def _wait() -> None:
    number = signal.sigwait(SIGNALS)
    for child in multiprocessing.active_children():
        child.kill()
    shown = "\x1b[?25h\n" if os.isatty(STDERR) else ""  # progress hides the cursor
    os.write(STDERR, f"{shown}interrupted\n".encode())
    os._exit(128 + number)


@contextmanager
def interruptible() -> Iterator[None]:
    """For a program run meanwhile: it gets Ctrl-C itself, and here it raises KeyboardInterrupt."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
