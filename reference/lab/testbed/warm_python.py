"""Our own programs on a host without the start of a Python for each.

Theory of operation.  A cell of the lab has two or three programs of ours, and a Python that starts
and imports what they need takes ten times the processor time that a cell's server then works.  So
a `WarmPython` is one such process, which has imported all of it, has a single thread, and waits.
For each program it is asked for it forks; the child enters the host's network namespace, takes the
standard output and error that came with the order, and is the program: `python -m MODULE` of
PRELOADED by its `main`, `python -c TEXT` by its text.  What an order does not have is that of a
Python just started: no other open files, its signals, environment and directory.

`start` gives what `subprocess.Popen` would: a pid, two streams, a status.  The warm Python is the
parent and tells the status; a child whose warm Python has ended has the status UNTOLD.

`multiprocessing` has a fork server too.  There two threads that ask for one status may both read
it, and the second one gets a wrong one.

What it does not know: /sys, which the child sees as the warm Python does (our own programs do not
look there); hosts with a wall clock of their own, and views of files (`Host.apart`).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from holdover.reference.linux.kernel.namespace import enter

PRELOADED = (
    "holdover.reference.cli",
    "holdover.reference.commands.server",
    "holdover.reference.lab.testbed.nak_server",
    "holdover.reference.lab.testbed.recorder",
    "holdover.reference.lab.testbed.stranger",
)
"""What is imported once.  By name, for this room imports no command."""

NUMBER = struct.Struct("=i")
"""How a pid and a status are told."""

MOST_BYTES, MOST_FILES = 1 << 17, 1 << 20
"""Of an order, and of a process."""

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
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its status, when it has ended; subprocess.TimeoutExpired after so many seconds."""
        status = self._wait(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def _wait(self, timeout: float | None) -> int | None:
        with self._lock:
            if self._status is None:
                with selectors.DefaultSelector() as waiting:
                    waiting.register(self._told, selectors.EVENT_READ)
                    if not waiting.select(timeout):
                        return None
                said = self._number()
                self._status = UNTOLD if said is None else said
                os.close(self._told)
            return self._status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class WarmPython:
    """A process that forks; to be closed when what it has forked has ended."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._running = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def __enter__(self) -> WarmPython:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    def start(self, space: str, words: Sequence[str]) -> Forked:
        """A program on a host; `words` are those of Python's command line (`runs_warm`)."""
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


def runs_warm(words: Sequence[str]) -> bool:
    """Whether a command is one that a warm Python can run."""
    match list(words):
        case [sys.executable, "-m", module, *_]:
            return module in PRELOADED
        case [sys.executable, "-u", "-c", _, *_]:
            return True
    return False


# The warm Python ---------------------------------------------------------------------------------


def serve(orders: socket.socket) -> None:
    """Fork for each order, and tell how each child has ended, until nobody orders any more."""
    running: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as waiting:
        waiting.register(orders, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fd != orders.fileno():
                    child, told = running.pop(key.fd)
                    waiting.unregister(key.fd)
                    os.close(key.fd)
                    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                    tell(told, status)
                    os.close(told)
                    continue
                said, files, *_ = socket.recv_fds(orders, MOST_BYTES, 3)
                if not said:
                    return
                told, out, err = files
                if (child := os.fork()) == 0:
                    become(json.loads(said), out, err)
                os.close(out)
                os.close(err)
                tell(told, child)
                opened = os.pidfd_open(child)
                running[opened] = child, told
                waiting.register(opened, selectors.EVENT_READ)


def tell(told: int, number: int) -> None:
    """A number to who has ordered, if he is still there."""
    with contextlib.suppress(BrokenPipeError):
        os.write(told, NUMBER.pack(number))


def become(order: dict[str, Any], out: int, err: int) -> NoReturn:
    """In the child: be the program that was ordered, to its end."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for new, old in ((out, 1), (err, 2)):
            os.dup2(new, old)
        os.closerange(3, MOST_FILES)
        sys.stdout, sys.stderr = (
            os.fdopen(number, "w", 1, errors=errors, closefd=False)
            for number, errors in ((1, "strict"), (2, "backslashreplace"))
        )
        enter(order["space"])
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["env"])
        status = run(order["words"])
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def run(words: Sequence[str]) -> int:
    """Run a program by the words of a command line of Python's; its status."""
    try:
        match list(words):
            case [_, "-m", module, *more]:
                sys.argv = [module, *more]
                importlib.import_module(module).main()
            case [_, "-u", "-c", text, *more]:
                sys.argv = ["-c", *more]
                exec(compile(text, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
            return 1
        return ended.code or 0
    return 0


def main() -> None:
    """Import what is needed, and serve the socket with that number."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever has started it ends it
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what a child never frees it does not copy
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        serve(orders)


if __name__ == "__main__":
    main()
