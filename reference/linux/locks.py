"""Locks: a second client neither uses the interface nor writes its lease file.

The kernel frees both when the process ends, however it does, so there is nothing to clean up.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdover.model.errors import InputError
from holdover.reference.linux.storage.lease_file import path_of


@contextmanager
def lock_interface(interface: str, index: int) -> Iterator[None]:
    """Meanwhile no other client may use the interface; InputError where one does.

    The lock is an abstract Unix socket, named by the interface's number: such names are a network
    namespace's own, as interfaces are, and the kernel frees one when its process ends, however it
    does.  Any user may take a name; who has, is said.
    """
    name = f"\0holdover client {index}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        try:
            lock.bind(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise InputError(
                f"another holdover client serves {interface}{holder(name)}; end it first"
            ) from None
        lock.listen(128)  # so many may ask who it is
        yield


def holder(name: str) -> str:
    """Who listens at a Unix socket, as far as the kernel says."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asks:
        asks.setblocking(False)
        try:
            asks.connect(name)
            said = asks.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:  # it has just ended, or does not listen
            return ""
    process, user, _ = struct.unpack("3i", said)
    whose = "" if user in (0, os.geteuid()) else f" of user {user}"
    return f" (process {process}{whose})" if process else whose


@contextmanager
def lock_lease_file(directory: Path, interface: str) -> Iterator[None]:
    """Meanwhile no other client may write the lease file, from whatever network namespace.

    The kernel gives the lock back when the process ends, however it does.
    """
    path = path_of(directory, interface).with_suffix(".lock")
    # Not to be written to: who has a file open for that keeps its disk from becoming read-only.
    lock = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another holdover client serves {interface} (it holds {path}); end it first"
            ) from None
        yield
    finally:
        os.close(lock)
