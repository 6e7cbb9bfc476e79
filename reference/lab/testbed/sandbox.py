"""A command run again where it can do no harm: in namespaces of its own.

Theory of operation.  `alone` starts this program once more, with the same arguments, in mount, pid,
network and UTS namespaces, and without root in a user namespace as well.  /run, where network
namespaces have their names, and `place`, where programs keep files, are memory that nobody else
sees.  The program is process 1 there: when it ends, however it ends, the kernel ends all that it
has started, and what was mounted and linked is gone.

A pipe ties the two together.  When the outer process ends, by Ctrl-C, SIGTERM or SIGKILL, the inner
one reads its end and is interrupted.  What a SIGKILL leaves is an empty directory, which the next
run removes; a lock tells it from one that is in use.

What it does not know: what the command does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from holdover.model.errors import InputError

PLACE, PIPE = "HOLDOVER_LAB_PLACE", "HOLDOVER_LAB_PIPE"
"""What tells the inner process that it is the inner one."""

PREFIX = "holdover-lab-"
PATIENCE = 30
"""Seconds in which what is interrupted takes its own away, before the kernel does."""

OWN_NETWORK = "--net"

SPACES = (
    "--mount",
    "--pid",
    OWN_NETWORK,
    "--uts",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)
AS_ROOT = ("--user", "--map-root-user")

PREPARED = 'mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs "$1"; shift; exec "$@"'

NEEDS = {"unshare": "util-linux", "mount": "mount", "ip": "iproute2", "bridge": "iproute2"}
"""Programs, and Debian's packages that have them."""


def inside() -> Path | None:
    """Where the inner process keeps files; None: this is not the inner one."""
    place = os.environ.get(PLACE)
    return None if place is None else Path(place)


def alone(arguments: Sequence[str], *, sees_network: bool = False) -> int:
    """Run holdover with these arguments, and return its exit status; InputError if it cannot be.

    `sees_network`: it has the network that it was called in, and so has to be root; its own links
    are in namespaces all the same, and gone when it has ended.
    """
    spaces = check_namespaces()
    if sees_network:
        spaces = tuple(each for each in spaces if each != OWN_NETWORK)
    clear()
    reads, writes = os.pipe()
    with make_place() as place:
        inner = subprocess.Popen(
            [
                "unshare",
                *spaces,
                "sh",
                "-ec",
                PREPARED,
                "sh",
                place,
                sys.executable,
                "-c",
                "from holdover.reference.cli import main; main()",
                *arguments,
            ],
            env=os.environ | {PLACE: place, PIPE: str(reads)},
            pass_fds=[reads],
        )
        os.close(reads)
        signal.signal(signal.SIGTERM, interrupt)
        signal.signal(signal.SIGHUP, interrupt)
        try:
            return inner.wait()
        finally:
            os.close(writes)
            with suppress(subprocess.TimeoutExpired):
                inner.wait(PATIENCE)
            inner.kill()
            inner.wait()


def check_namespaces() -> tuple[str, ...]:
    """The namespaces that are wanted; InputError where a program or a right is missing."""
    for program, package in NEEDS.items():
        if shutil.which(program) is None:
            raise InputError(
                f"the program {program} is not here; Debian's package {package} has it"
            )
    spaces = SPACES if os.geteuid() == 0 else (*AS_ROOT, *SPACES)
    tried = subprocess.run(
        ["unshare", *spaces, "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        said = tried.stderr.strip()
        raise InputError(f"{said}; run it as root, or where users may make namespaces")
    return spaces


def interrupt(number: int, frame: FrameType | None) -> None:
    """A signal as Ctrl-C; and only once, for what follows takes things away."""
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


# Directories -------------------------------------------------------------------------------------


@contextmanager
def make_place() -> Iterator[str]:
    """A directory in the place for temporary ones, locked while it is used."""
    while (lock := lock_place(place := tempfile.mkdtemp(prefix=PREFIX))) < 0:
        pass
    try:
        yield place
    finally:
        Path(place).rmdir()
        os.close(lock)


def lock_place(place: str) -> int:
    """Its lock; negative where another run has cleared it, for it was not locked yet."""
    try:
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return -1
    fcntl.flock(lock, fcntl.LOCK_EX)
    if os.fstat(lock).st_nlink > 0:
        return lock
    os.close(lock)
    return -1


def clear() -> None:
    """Remove what runs have left that were killed: empty directories that nobody has locked."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.rmdir()
            finally:
                os.close(lock)


# The inner process -------------------------------------------------------------------------------


@contextmanager
def tie_to_parent() -> Iterator[None]:
    """Be interrupted when the outer process has ended, and say nothing: that one does."""
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    threading.Thread(target=_wait_for_the_end, args=(int(os.environ[PIPE]),), daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _wait_for_the_end(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)
