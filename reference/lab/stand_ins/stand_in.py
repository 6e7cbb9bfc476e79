"""A program in the place of a server: begun beforehand, and at a signal it answers.

Theory of operation.  It is started beforehand and says `ready`; at SIGUSR1 it opens its sockets, so
that no message falls between the server that it follows and itself, and says `answers`.  From then
on it hands each frame for a server to a function, and sends the frame that this one gives.  It has
the server's port meanwhile: else the kernel would answer for it, port unreachable.

What it does not know: what is answered (`nak_server.py`, `choosing_server.py`).
"""

from __future__ import annotations

import select
import signal
import sys
import time
from collections.abc import Callable, Iterable

from holdover.model.errors import InputError
from holdover.reference.linux.kernel.sockets import LinkSocket, UdpPort
from holdover.reference.wire.frames import SERVER_PORT, Frame

PATIENCE, PAUSE = 5, 0.01
"""Seconds."""

READY, ANSWERS = "ready", "answers"
"""What it says."""


def server_port() -> UdpPort:
    """The server's port, as soon as it is free.

    A server that was killed may not be dead yet.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return UdpPort("eth0", SERVER_PORT)
        except InputError:
            if time.monotonic() > end:
                raise
        time.sleep(PAUSE)


def stand_in(answer: Callable[[Frame, bytes], Iterable[bytes]], *, beside: bool = False) -> None:
    """Answer each frame for a server, from SIGUSR1 on: given it, and one's own hardware address.

    `beside`: another program is to have the server's port.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    say(READY)
    signal.sigwait({signal.SIGUSR1})
    link, port = LinkSocket("eth0", SERVER_PORT), server_port()
    if beside:
        port.close()
    say(ANSWERS)
    while True:
        select.select((link,), (), ())
        for frame in link.receive():
            for each in answer(frame, link.hardware):
                link.send(each)


def say(word: str) -> None:
    """A line on standard output."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
