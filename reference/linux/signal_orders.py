"""What signals ask of a shell: to end, or an order; none interrupts what it does."""

from __future__ import annotations

import signal
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from holdover.reference.signals import SIGNALS, interruptible

ORDERS = (signal.SIGUSR1, signal.SIGUSR2)
"""Signals that do not end it."""


@dataclass
class Ended:
    """Which signal has asked for the end, and which, in order, for something else.

    Readable from then on.
    """

    wakeup: socket.socket
    signal: int | None = None
    orders: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """What has come is known."""
        with suppress(BlockingIOError):
            self.wakeup.recv(64)

    def take(self) -> list[int]:
        """The orders since the last call."""
        taken, self.orders = self.orders, []
        return taken

    def fileno(self) -> int:
        """For who waits."""
        return self.wakeup.fileno()


@contextmanager
def ending(ends: Collection[int] = SIGNALS) -> Iterator[Ended]:
    """Meanwhile what `ends` (SIGINT and SIGTERM), and orders, interrupt nothing, and end a wait.

    A second one, when this is over, ends the program at once (`signals.py`).
    """
    wakeup, noticed = socket.socketpair()
    ended = Ended(wakeup)

    def note(number: int, frame: object) -> None:
        if number in ORDERS:
            ended.orders.append(number)
        else:
            ended.signal = number

    for socket_end in (wakeup, noticed):
        socket_end.setblocking(False)
    handlers = {number: signal.signal(number, note) for number in (*ends, *ORDERS)}
    wakes = signal.set_wakeup_fd(noticed.fileno(), warn_on_full_buffer=False)
    try:
        with interruptible():
            yield ended
    finally:
        signal.set_wakeup_fd(wakes)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for end in (wakeup, noticed):
            end.close()
