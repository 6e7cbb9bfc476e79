"""`holdover client` with a few instants noted: `python -m tests.measure.stamped client eth0`.

Theory of operation.  Functions of the client are replaced by ones that call them and note the
instant before or after.  The client itself has nothing of it.  When its address is there, it prints
a line of JSON: the instants by the names of `apart.py`, and from when to when the garbage collector
ran.  An instant costs less than a microsecond.

What it does not know: what other threads do.
"""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from holdover.reference.cli import main
from holdover.reference.core.events import Store
from holdover.reference.linux import client, executor
from holdover.reference.linux.kernel.heartbeat import Heartbeat
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.linux.storage import lease_file

MOST = 200
"""So many of the last instants are printed: more than one exchange has."""

STAMPS: list[tuple[str, int]] = []
COLLECTED: list[int] = []
MAIN = threading.main_thread().ident


def note(
    owner: Any, name: str, before: str | None, after: str | None, of: type | None = None
) -> None:
    """Note instants before and after a call, by the main thread; only with an argument `of`."""
    real: Callable[..., Any] = getattr(owner, name)

    def noted(*given: Any, **named: Any) -> Any:
        wanted = threading.get_ident() == MAIN and (of is None or isinstance(given[-1], of))
        if wanted and before is not None:
            STAMPS.append((before, time.time_ns()))
        found = real(*given, **named)
        if wanted and after is not None:
            STAMPS.append((after, time.time_ns()))
        return found

    setattr(owner, name, noted)


def collected(phase: str, about: dict[str, int]) -> None:
    """The collector begins, or has ended."""
    COLLECTED.append(time.time_ns())


def note_all() -> None:
    """At the places that `apart.py` tells apart."""
    note(client.ClientShell, "turn", "turn", None)
    note(LinkSocket, "receive", None, "received")
    note(client.ClientShell, "_reply", "reply", "replied")
    note(client, "step", None, "decided")
    note(LinkSocket, "send", "send", None)
    note(lease_file, "text_for", None, "text")
    note(executor.Executor, "carry_out", None, "stored", Store)
    note(Heartbeat, "answers", None, "ask")
    gc.callbacks.append(collected)
    turn = client.ClientShell.turn

    def told(self: client.ClientShell, *given: Any) -> None:
        before = self.client.holds
        turn(self, *given)
        if before is None and self.client.holds is not None:
            said = {"stamps": STAMPS[-MOST:], "collected": COLLECTED[-MOST:]}
            os.write(1, f"\n{json.dumps(said)}\n".encode())

    setattr(client.ClientShell, "turn", told)  # noqa: B010 -- it is replaced from outside


if __name__ == "__main__":
    note_all()
    main()
