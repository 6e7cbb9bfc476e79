"""A server's file of leases, and a disk that is full, as tests of both sides of them need it."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from holdover.reference.core.instants import SECOND
from holdover.reference.linux.storage.lease_database import LeaseFile

SERVER = IPv4Address("10.77.0.1")
NOW = 1000 * SECOND


@contextmanager
def full(path: Path, room: int = 0) -> Iterator[None]:
    """Nothing gets longer than the file is now, and so much more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def leases(path: Path, now: int = NOW, server: IPv4Address = SERVER) -> Iterator[LeaseFile]:
    file = LeaseFile(path, server, now)
    try:
        yield file
    finally:
        file.close()
