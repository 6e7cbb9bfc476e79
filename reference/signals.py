"""Ctrl-C and SIGTERM end the program at once, and every process that it started.

An exception would not do.  Raised while an object of a solver is being destroyed it is swallowed;
in the midst of a long check it comes when the check is over; and Z3 takes the signal for itself and
answers *unknown*, which would then be reported as a verdict.  So both signals are blocked in every
thread but one that waits for them.  A thread that is older than that is not, so nothing may start
one while modules are imported; numpy does, and is imported by those functions that need it.

Windows blocks no signals: Ctrl-C is an exception there, and comes when it comes.

What it does not know: a signal in the first half second, while modules are imported.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
PR_SET_PDEATHSIG = 1  # linux/prctl.h
SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


def watch() -> None:
    """From now on an interruption exits with 128 + its number: 130 for Ctrl-C.

    Processes forked later leave Ctrl-C, which a terminal sends to them as well, to this one, and
    end with it however it ends.
    """
    if sys.platform == "win32":
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    parent = 0

    def forks() -> None:
        nonlocal parent
        parent = os.getpid()

    def forked() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        if sys.platform == "linux":
            _end_with(parent)

    os.register_at_fork(before=forks, after_in_child=forked)
    threading.Thread(target=_wait, name="interrupt", daemon=True).start()


def _end_with(parent: int) -> None:
    """Have the kernel end this process when the thread that forked it ends (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, *map(ctypes.c_ulong, (signal.SIGKILL, 0, 0, 0)))
    if os.getppid() != parent:  # it was over before the kernel knew
        os._exit(1)


def _wait() -> None:
    number = signal.sigwait(SIGNALS)
    if used := sys.modules.get("multiprocessing"):  # else there are none
        for child in used.active_children():  # where no kernel does it, nor knows the newest
            child.kill()
    shown = "\x1b[?25h\n" if os.isatty(STDERR) else ""  # progress hides the cursor
    os.write(STDERR, f"{shown}interrupted\n".encode())
    os._exit(128 + number)


@contextmanager
def interruptible() -> Iterator[None]:
    """For a program run meanwhile: it gets Ctrl-C itself, and here it raises KeyboardInterrupt."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
