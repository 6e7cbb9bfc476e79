"""What signals ask of the server: to end, or an order; none interrupts what it does."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from holdover.reference.signals import SIGNALS, interruptible

ORDERS = (signal.SIGUSR1, signal.SIGUSR2)
"""Signals that do not end it."""


@dataclass
class Ended:
    """Which signal has asked for the end, and which for something else; readable from then on."""

    wakeup: socket.socket
    signal: int | None = None
    orders: set[int] = field(default_factory=set)

    def clear(self) -> None:
        """What has come is known."""
        with suppress(BlockingIOError):
            self.wakeup.recv(64)

    def fileno(self) -> int:
        """For who waits."""
        return self.wakeup.fileno()


@contextmanager
def ending() -> Iterator[Ended]:
    """Meanwhile SIGINT and SIGTERM, and orders, interrupt nothing, and end a wait.

    A second one, when this is over, ends the program at once (`signals.py`).
    """
    wakeup, noticed = socket.socketpair()
    ended = Ended(wakeup)

    def note(number: int, frame: object) -> None:
        if number in ORDERS:
            ended.orders.add(number)
        else:
            ended.signal = number

    for socket_end in (wakeup, noticed):
        socket_end.setblocking(False)
    handlers = {number: signal.signal(number, note) for number in (*SIGNALS, *ORDERS)}
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
