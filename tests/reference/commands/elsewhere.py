"""Run `holdover` as on another system: `python elsewhere.py`, with lines of JSON as its input.

Theory of operation.  A line is a system, `win32` or `darwin`, and commands.  For each line a child
is forked, and takes away what the standard library has on Linux alone, or on Unix, and pyroute2,
which is installed on Linux alone.  Packages of others are imported before: they have parts for each
system, and would look for those of this one.  Then each command runs in the child; the statuses and
what they say are a line of JSON.

What it does not know: what is there and does something else, as paths and encodings do; processes
on Windows, for which multiprocessing would need its own; names that nobody has put on its lists,
for which `mypy --platform win32` is the better judge.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from importlib.abc import MetaPathFinder
from io import BytesIO, TextIOWrapper
from multiprocessing import resource_tracker
from types import ModuleType
from typing import NoReturn

OTHERS = """
asyncio click concurrent.futures.process ctypes cvc5 graphviz networkx numba numpy platform
rich.console rich.live rich.progress rich.table rich.text subprocess z3
"""

"""Packages of others, and modules that look at the system when they are imported."""

MODULES = {
    "darwin": "pyroute2",
    "win32": "pyroute2 fcntl grp posix pty pwd resource syslog termios tty",
}

"""What is not there."""

LINUX = {
    os: """
        O_DIRECT O_PATH eventfd eventfd_read eventfd_write fdatasync memfd_create
        pidfd_open posix_fadvise sched_getaffinity sched_setaffinity setns unshare
    """,
    select: "epoll",
    signal: "SIGPOLL SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT sigtimedwait sigwaitinfo",
    socket: "AF_NETLINK AF_PACKET NETLINK_ROUTE PACKET_HOST PACKET_OUTGOING SO_PEERCRED",
    time: "CLOCK_BOOTTIME CLOCK_TAI",
}

"""What neither has: Python's documentation says so at each name."""

UNIX = {
    os: """
        O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK fchmod fchown fork forkpty getegid
        geteuid getgid getpgid getuid initgroups killpg mkfifo pread preadv pwrite pwritev
        register_at_fork setsid sysconf uname wait3 wait4
    """,
    select: "poll",
    signal: """
        SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGSYS SIGTRAP SIGTSTP
        SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGWINCH SIGXFSZ SIG_BLOCK SIG_SETMASK SIG_UNBLOCK
        pause pthread_sigmask setitimer sigwait
    """,
    socket: "AF_UNIX",
    time: "clock_gettime clock_gettime_ns",
}
"""What Windows has not."""


class Hidden(MetaPathFinder):
    """Modules that are not there."""

    def __init__(self, names: frozenset[str]):
        self.names = names

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Fail for these, and leave others to whoever finds them."""
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def move_to(system: str) -> None:
    """Take away what this system has not."""
    multiprocessing.set_start_method("spawn")  # as both do
    resource_tracker.ensure_running()
    hide(LINUX)
    if system == "win32":
        hide(UNIX)
    gone = frozenset(MODULES[system].split())
    for name in [name for name in sys.modules if name.partition(".")[0] in gone]:
        del sys.modules[name]
    sys.meta_path.insert(0, Hidden(gone))
    sys.platform = system


def hide(names: dict[ModuleType, str]) -> None:
    """Take names out of modules; some are not in each release of Python."""
    for module, those in names.items():
        for name in those.split():
            vars(module).pop(name, None)


def ended(words: list[str]) -> tuple[object, str, str]:
    """How a command ends: its status, and what it says."""
    from holdover.reference.cli import main

    said, errors = (TextIOWrapper(BytesIO(), "utf-8") for _ in range(2))
    with redirect_stdout(said), redirect_stderr(errors):
        try:
            main(words, prog_name="holdover")  # as click.testing has it
        except SystemExit as end:
            status = end.code
    for stream in (said, errors):
        stream.seek(0)
    return status, said.read(), errors.read()


def main() -> None:
    """A child for each line, one after another; null where it came to no end."""
    for name in OTHERS.split():
        importlib.import_module(name)
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            play(*json.loads(line))
        if os.waitpid(child, 0)[1] != 0:
            print("null", flush=True)


def play(system: str, commands: list[list[str]]) -> NoReturn:
    """Be on that system, and say how each command ends."""
    status = 1
    try:
        move_to(system)
        print(json.dumps([ended(words) for words in commands]), flush=True)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
