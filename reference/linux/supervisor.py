"""What a supervisor such as systemd is told of a service: sd_notify(3), by its protocol.

Theory of operation.  The supervisor names a datagram socket in NOTIFY_SOCKET, and takes lines of
NAME=VALUE from it.  Nobody waits: where the socket takes nothing, the word is lost.  The variable
is taken out of the environment, so that no hook speaks for the service.  A library for these twenty
lines would be one more dependency of every installation.

What it does not know: watchdogs, descriptors that are handed over.  sd_notify(3) is cited from
memory.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


class Supervisor:
    """Who started this process, if it wants to know; a name that begins with @ is abstract."""

    def __init__(self) -> None:
        name = os.environ.pop("NOTIFY_SOCKET", "")
        self._name = "\0" + name[1:] if name.startswith("@") else name
        self._socket: socket.socket | None = None
        if name[:1] in ("/", "@"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def tell(self, status: str, *words: str) -> None:
        """A line for people, and words as READY=1."""
        if self._socket is not None:
            said = "\n".join([*words, f"STATUS={status}"]).encode(errors="replace")
            with suppress(OSError):
                self._socket.sendto(said, self._name)

    def close(self) -> None:
        """Say nothing more."""
        if self._socket is not None:
            self._socket.close()
