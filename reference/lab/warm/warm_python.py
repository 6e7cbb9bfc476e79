"""Our own programs on a host without the start of a Python for each.

Theory of operation.  A cell of the lab has two or three programs of ours, and a Python that starts
and imports what they need takes ten times the processor time that a cell's server then works.  So
a `WarmPython` is one such process, which has imported all of it and waits (`forking.py`).  For each
program it is asked for it forks; the child enters the host's network namespace, takes the standard
output and error that came with the order, and is the program: `python -m MODULE` by its `main`,
`python -u -c TEXT` by its text.

`start` gives what `subprocess.Popen` would: a pid, two streams, a status.  The warm Python is the
parent and tells the status; a child whose warm Python has ended has the status UNTOLD.

`multiprocessing` has a fork server too.  There two threads that ask for one status may both read
it, and the second one gets a wrong one.

What it does not know: /sys, which the child sees as the warm Python does (our own programs do not
look there); hosts with a wall clock of their own, and views of files (`Host.apart`).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from holdover.reference.lab.warm import forking
from holdover.reference.lab.warm.forking import NUMBER

PROGRAMS = "holdover.reference.lab."
"""Where the lab's own programs are, each a module with a `main`."""

PAUSE = 0.02
"""Seconds between two looks."""

UNTOLD = 255
"""The status of a program of which nobody can tell it any more."""


class Forked:
    """A program that was forked; as `subprocess.Popen`, as far as `Process` needs it."""

    def __init__(self, told: int, stdout: int, stderr: int) -> None:
        self.stdout: IO[str] | None = os.fdopen(stdout, encoding="utf-8", errors="replace")
        self.stderr: IO[str] | None = os.fdopen(stderr, encoding="utf-8", errors="replace")
        self._told, self._lock = told, threading.Lock()
        self._status: int | None = None
        number = self._number()
        if number is None:
            self._close()
            raise OSError("the Python that should have forked a program has ended")
        self.pid = number

    def _number(self) -> int | None:
        """What is told next; None: nothing comes any more."""
        said = os.read(self._told, NUMBER.size)
        return NUMBER.unpack(said)[0] if len(said) == NUMBER.size else None

    def _close(self) -> None:
        for stream in (self.stdout, self.stderr):
            assert stream is not None
            stream.close()
        os.close(self._told)

    def poll(self) -> int | None:
        """Its status; None: it runs."""
        with self._lock:  # of two threads that ask, one reads
            if self._status is None and self._is_told():
                said = self._number()
                self._status = UNTOLD if said is None else said
                os.close(self._told)
            return self._status

    def _is_told(self) -> bool:
        asking = select.poll()
        asking.register(self._told, select.POLLIN)
        return bool(asking.poll(0))

    def wait(self, timeout: float | None = None) -> int:
        """Its status, when it has ended; subprocess.TimeoutExpired after so many seconds."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() >= end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(PAUSE)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class WarmPython:
    """A process that forks; to be closed when what it has forked has ended.

    `more`: modules that it imports, beside those that the lab's own programs need.
    """

    def __init__(self, more: Sequence[str] = ()) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._running = subprocess.Popen(
                [sys.executable, "-m", forking.__name__, str(theirs.fileno()), *more],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def __enter__(self) -> WarmPython:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    @staticmethod
    def runs(words: Sequence[str]) -> bool:
        """Whether a command is one that a warm Python can run."""
        match list(words):
            case [sys.executable, "-m", module, *_]:
                return module.startswith(PROGRAMS)
            case [sys.executable, "-u", "-c", _, *_]:
                return True
        return False

    def start(self, space: str, words: Sequence[str]) -> Forked:
        """A program on a host; `words` are those of Python's command line (`runs`)."""
        order = {"space": space, "words": words, "cwd": str(Path.cwd()), "env": {**os.environ}}
        pipes = [os.pipe() for _ in range(3)]
        try:
            # The one that is asked takes one order after another, so a thread may wait here.
            socket.send_fds(
                self._orders, [json.dumps(order).encode()], [writes for _, writes in pipes]
            )
        except OSError:
            for reads, _ in pipes:
                os.close(reads)
            raise
        finally:
            for _, writes in pipes:
                os.close(writes)
        return Forked(*(reads for reads, _ in pipes))

    def close(self) -> None:
        """It ends; what it has forked, and still runs, goes on."""
        self._orders.close()
        self._running.wait()
