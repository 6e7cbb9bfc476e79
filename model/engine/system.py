"""What the engine asks of the operating system, where systems differ.

Theory of operation.  Linux has all of it.  macOS has no `fdatasync` and tells nobody on which cores
a process may run.  Windows, besides, has no reads and writes at a place of a file: there one thread
at a time moves to the place first.

What it does not know: locks of Windows, so no search is kept there.
"""

from __future__ import annotations

import os
import sys
import threading

from holdover.model.errors import InputError

MOVING = threading.Lock()
"""Who has it moves in a file: the place is the file's, not the thread's."""


def cores() -> int:
    """On how many cores this process may compute."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    return len(os.sched_getaffinity(0))


def write_at(file: int, data: memoryview, at: int) -> int:
    """Write bytes at a place of an open file.  How many were written."""
    if sys.platform == "win32":
        with MOVING:
            os.lseek(file, at, os.SEEK_SET)
            return os.write(file, data)
    return os.pwrite(file, data, at)


def read_at(file: int, into: memoryview, at: int) -> int:
    """Read bytes from a place of an open file.  How many there were, at most as many as fit."""
    if sys.platform == "win32":
        with MOVING:
            os.lseek(file, at, os.SEEK_SET)
            data = os.read(file, len(into))
        into[: len(data)] = data
        return len(data)
    return os.preadv(file, [into], at)


def sync(file: int) -> None:
    """Have what is written on the disk, whatever happens to the machine."""
    if sys.platform == "linux":
        os.fdatasync(file)
    else:
        os.fsync(file)


def lock(file: int) -> None:
    """Have an open file for this process alone, until it is closed; BlockingIOError: it is taken.

    InputError where there are no such locks.
    """
    if sys.platform == "win32":
        raise InputError("a search cannot be kept on Windows: it has no lock that ends with it")
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
