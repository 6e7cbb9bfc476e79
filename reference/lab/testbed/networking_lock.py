"""The kernel's networking lock, held for as long as is wanted.

Theory of operation.  Changes to addresses, links and routes of all namespaces take one lock in the
kernel (RTNL).  Who deletes a namespace with 900 bridges was seen to hold it for 17 s.  Here it is
held to the second, and nothing has to be deleted: SIOCGIFCONF copies a list of addresses to its
caller while it has the lock; the buffer is a page that is not there yet, and whoever is asked for
the page (userfaultfd(2)) lets it wait.  A thread makes that request, in a namespace of its own.

`HeldLock()` returns when the lock is held; `free` gives it back, and so does the kernel when the
process ends, however it does.  `HeldLock.since` and `HeldLock.until`:  CLOCK_BOOTTIME.  Meanwhile
`ip link`, `ip addr add`, new namespaces and whatever else changes the network wait, on the whole
machine; frames, lists of addresses and of routes do not (Linux 6.9 and later).

`why_not` says why it is not possible here.  It takes root, and a kernel with userfaultfd for faults
of its own (CAP_SYS_PTRACE).

What it does not know: kernels in which namespaces have locks of their own.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import platform
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from holdover.reference.core.instants import Instant
from holdover.reference.lab.testbed.process import UnheardError
from holdover.reference.linux.kernel.clock import LIBC, now

USERFAULTFD = {"x86_64": 323, "aarch64": 282}
"""The number of the system call."""

API, REGISTER, ZERO_PAGE = 0xC018_AA3F, 0xC020_AA00, 0xC020_AA04
"""UFFDIO_API, UFFDIO_REGISTER, UFFDIO_ZEROPAGE (linux/userfaultfd.h)."""

VERSION, MISSING = 0xAA, 1
"""UFFD_API, UFFDIO_REGISTER_MODE_MISSING."""

GET_ADDRESSES, GET_FLAGS, SET_FLAGS, UP = 0x8912, 0x8913, 0x8914, 1
"""SIOCGIFCONF, SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP (linux/sockios.h)."""

NEW_NETWORK = 0x4000_0000
"""CLONE_NEWNET."""

SOON = 10.0
"""Seconds in which the lock is to be had, where nobody else keeps it."""


class HeldLock:
    """The lock, held since `since`, until `free`; `until`: when that was."""

    def __init__(self) -> None:
        self.since: Instant = 0
        self.until: Instant | None = None
        self._opened = ExitStack()
        self._failure: OSError | None = None
        try:
            self._take()
        except BaseException:
            self._opened.close()
            raise

    def free(self) -> None:
        """Give it back; a second time nothing happens."""
        if self.until is None:
            self._page(ZERO_PAGE, 0)
            self._asking.join(SOON)
            self.until = now()
            self._opened.close()

    def _take(self) -> None:
        self._faults = int(LIBC.syscall(USERFAULTFD[platform.machine()], os.O_CLOEXEC))
        if self._faults < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"userfaultfd: {os.strerror(number)}")
        self._opened.callback(os.close, self._faults)
        fcntl.ioctl(self._faults, API, bytearray(struct.pack("=3Q", VERSION, 0, 0)))
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._page(REGISTER, MISSING)
        self._asking = threading.Thread(target=self._ask, name="networking lock", daemon=True)
        self._asking.start()
        there, _, _ = select.select([self._faults], [], [], SOON)
        if not there:
            raise UnheardError(
                f"the networking lock was not to be had: {self._failure or 'no fault'}"
            )
        os.read(self._faults, 32)  # struct uffd_msg: the page is asked for, and so the lock is held
        self.since = now()

    def _page(self, request: int, mode: int) -> None:
        asked = struct.pack("=4Q", self._address, mmap.PAGESIZE, mode, 0)
        fcntl.ioctl(self._faults, request, bytearray(asked))

    def _ask(self) -> None:
        """In the thread: the list of a namespace that has nothing but lo and its address."""
        try:
            if LIBC.unshare(NEW_NETWORK) < 0:
                number = ctypes.get_errno()
                raise OSError(number, f"unshare: {os.strerror(number)}")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                name = struct.pack("16sH14x", b"lo", UP)
                fcntl.ioctl(asking, SET_FLAGS, name)
                wanted = struct.pack("@iP", mmap.PAGESIZE, self._address)
                fcntl.ioctl(asking, GET_ADDRESSES, wanted)
        except OSError as error:
            self._failure = error


def ask_for_lock(interface: str) -> None:
    """A request that takes the lock and changes nothing; returns when it had it.  OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        named = struct.pack("16sH14x", interface.encode(), 0)
        fcntl.ioctl(asking, SET_FLAGS, fcntl.ioctl(asking, GET_FLAGS, named))


@contextmanager
def hold_lock() -> Iterator[HeldLock]:
    """The lock is held meanwhile."""
    lock = HeldLock()
    try:
        yield lock
    finally:
        lock.free()


def why_not() -> str:
    """Why it cannot be held here; empty: it can."""
    if platform.machine() not in USERFAULTFD:
        return f"no number of userfaultfd is known for {platform.machine()}"
    try:
        with hold_lock():
            return ""
    except (OSError, UnheardError) as error:
        return str(error)
