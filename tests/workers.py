"""A program: in CI the processes of a run are forked from one that has imported all tests.

Theory of operation.  Each process of pytest-xdist collects all tests, and most of that is to import
them and what they import.  So one process does it once, has one thread, and waits at a socket
(`serve`).  xdist starts its processes as ever, but as its Python it has this file (`stand_in`),
which hands over its standard files, and waits for the child that is forked for it.  That child does
what xdist says (`become`).  It collects too, and finds all modules imported.

In CI nothing is compiled before.  So meanwhile a second process imports half of the files, and so
compiles them and what they import.

What it does not know: xdist's protocol, and which tests are played where.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import NoReturn

STDIN, STANDARD = 0, (0, 1, 2)
MOST_BYTES = 1 << 12
"""Of what a process is to do: it reads more from its standard input."""

BLAS = "OPENBLAS_NUM_THREADS"
"""Else NumPy starts threads when it is imported; and a child has only the thread that forked."""

# Who is forked from ------------------------------------------------------------------------------


class Modules:
    """A plugin that finds no test in a module, once it is imported."""

    @staticmethod
    def pytest_pycollect_makeitem() -> list[object]:
        return []


def collect(settings: Sequence[str], files: Sequence[str]) -> None:
    """Import these files as pytest does.  If one cannot be, those who are to run it say why."""
    import pytest

    if files:  # of none pytest would make all
        pytest.main(["--collect-only", "-q", "-n0", *settings, *files], plugins=[Modules()])


def main(number: int, words: Sequence[str]) -> None:
    """Import all, and serve the socket with that number."""
    settings = [word for word in words if not word.endswith(".py")]
    files = words[len(settings) :]
    os.environ[BLAS] = "1"
    if (other := os.fork()) == 0:
        collect(settings, files[::2])
        os._exit(0)
    collect(settings, files[1::2])
    os.waitpid(other, 0)
    collect(settings, files[::2])
    del os.environ[BLAS]
    gc.collect()
    gc.freeze()  # what a child never frees it does not copy
    with socket.socket(fileno=number) as asked:
        serve(asked)


def serve(asked: socket.socket) -> None:
    """Fork for each that asks, and tell it when its child has ended, until nobody is to ask."""
    asking: dict[int, socket.socket] = {}  # by the descriptor of its child
    with selectors.DefaultSelector() as waiting:
        for file in (STDIN, asked.fileno()):
            waiting.register(file, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fd == STDIN:
                    return
                if key.fd == asked.fileno():
                    who, _ = asked.accept()
                    if (child := os.fork()) == 0:
                        become(who)
                    ended = os.pidfd_open(child)
                    asking[ended] = who
                    waiting.register(ended, selectors.EVENT_READ)
                else:
                    waiting.unregister(key.fd)
                    os.waitid(os.P_PIDFD, key.fd, os.WEXITED)
                    os.close(key.fd)
                    with asking.pop(key.fd) as who, suppress(OSError):
                        who.send(b".")


def become(who: socket.socket) -> NoReturn:
    """In the child: be the process that was asked for, to its end."""
    status = 1
    try:
        said, received, *_ = socket.recv_fds(who, MOST_BYTES, len(STANDARD))
        for new, old in zip(received, STANDARD, strict=True):
            os.dup2(new, old)
            os.close(new)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdin, sys.stdout, sys.stderr = (
            open(file, mode, closefd=False)  # noqa: SIM115
            for file, mode in zip(STANDARD, "rww", strict=True)
        )
        sys.argv = ["-c"]
        sys.modules["__main__"] = bare = ModuleType(
            "__main__"
        )  # no file that a spawned one imports
        exec(said.decode(), vars(bare))
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


# What xdist starts -------------------------------------------------------------------------------


def stand_in(at: str, program: str) -> None:
    """Have the program run in a child of the one at that socket, with our files, and wait."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child hears it
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(at)
        socket.send_fds(asking, [program.encode()], STANDARD)
        for file in STANDARD[:2]:  # whoever reads waits for the child's end, not for ours
            os.close(file)
        asking.recv(1)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [at, "-u", "-c", program]:
            stand_in(at, program)
        case [number, *words]:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # ends with its standard input
            del sys.path[0]  # where this file is, and others that are imported by longer names
            main(int(number), words)
