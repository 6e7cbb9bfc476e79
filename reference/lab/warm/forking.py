"""The warm Python itself: it imports, waits for orders, forks, and the child is the program.

Theory of operation.  One thread.  An order comes as a message with three files: where the pid and
the status are told, standard output, standard error.  What a child does not inherit is what a
Python that was just started would not have: other open files, the signals, environment and
directory of the warm one.

What it does not know: who orders (`warm_python.py`), and what the programs do.
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
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from holdover.reference.linux.kernel.namespace import enter

PRELOADED = (
    "holdover.reference.cli",
    "holdover.reference.commands.server",
    "holdover.reference.lab.testbed.recorder",
    "holdover.reference.lab.testbed.stranger",
)
"""What is imported once, and with it what other programs need.  By name, for this room imports no
command."""

NUMBER = struct.Struct("=i")
"""How a pid and a status are told."""

MOST_BYTES, MOST_FILES = 1 << 17, 1 << 20
"""Of an order, and of a process."""


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
    """Import what is needed, what else is named, and serve the socket with that number."""
    number, *more = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever has started it ends it
    for name in (*PRELOADED, *more):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what a child never frees it does not copy
    with socket.socket(fileno=int(number)) as orders:
        serve(orders)


if __name__ == "__main__":
    main()
