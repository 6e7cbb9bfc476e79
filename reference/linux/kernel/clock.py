"""CLOCK_BOOTTIME, and a file that can be read when an instant of it has come.

Theory of operation.  An `Instant` of the cores is a nanosecond of the clock that counts suspend and
is never set.  A timeout of `select`, or of asyncio, runs on CLOCK_MONOTONIC, which stands still in
suspend: a machine that slept past a lease's end would wake up and wait for the rest.  A timerfd on
CLOCK_BOOTTIME can be read at once when it wakes up, costs nothing while it waits, and takes an
absolute time, so that nothing is computed from differences.  Python has it from 3.13 on; before
that libc is asked directly.

What it does not know: time zones and dates.
"""

from __future__ import annotations

import ctypes
import os
import time

from holdover.reference.core.instants import SECOND, Instant

BOOTTIME = time.CLOCK_BOOTTIME
ABSOLUTE = 1
"""TFD_TIMER_ABSTIME."""

LIBC = ctypes.CDLL(None, use_errno=True)


class Timespec(ctypes.Structure):
    """struct timespec."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class TimerSetting(ctypes.Structure):
    """struct itimerspec: repeated how often (never, here), and when first."""

    _fields_ = (("interval", Timespec), ("value", Timespec))


def now() -> Instant:
    """The present instant."""
    return time.clock_gettime_ns(BOOTTIME)


class Alarm:
    """A timerfd: readable from the instant that it was set to."""

    def __init__(self) -> None:
        # The kernel gives TFD_NONBLOCK and TFD_CLOEXEC the values of the flags of `open`.
        self._file = int(LIBC.timerfd_create(BOOTTIME, os.O_NONBLOCK | os.O_CLOEXEC))
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def fileno(self) -> int:
        """For who waits."""
        return self._file

    def set(self, at: Instant | None) -> None:
        """From now on: at that instant, at once if it is past; None: never."""
        # All zero turns it off, so nothing earlier than the first nanosecond is asked for.
        seconds, nanoseconds = (0, 0) if at is None else divmod(max(at, 1), SECOND)
        setting = TimerSetting(value=Timespec(seconds, nanoseconds))
        if LIBC.timerfd_settime(self._file, ABSOLUTE, ctypes.byref(setting), None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        """Give it back."""
        os.close(self._file)
