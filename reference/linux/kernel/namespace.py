"""Another network namespace, which a thread enters: for a moment, or to stay.

Theory of operation.  `ip netns` keeps a namespace as a file below /run/netns.  setns(2) moves the
calling thread alone.  A socket stays in the namespace in which it was opened, and so does whatever
/proc/sys/net says of the thread that reads it.

What it does not know: namespaces without a name; /sys, which shows the namespace in which it was
mounted.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from holdover.reference.linux.kernel.clock import LIBC

NETWORK = 0x40000000
"""CLONE_NEWNET."""


def enter(space: str) -> None:
    """The calling thread is in that namespace from now on; OSError where it cannot be."""
    there = os.open(f"/run/netns/{space}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(there, space)
    finally:
        os.close(there)


@contextmanager
def inside(space: str) -> Iterator[None]:
    """The calling thread is meanwhile in that namespace; OSError where it cannot be."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(space)
        try:
            yield
        finally:
            _enter(back, "back")
    finally:
        os.close(back)


def _enter(opened: int, name: str) -> None:
    if LIBC.setns(opened, NETWORK) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no way into the network namespace: {os.strerror(number)}", name)
