"""What a server may choose to grant: another address, a lease without end, T1 and T2.

Theory of operation.  A program in the place of the server grants the terms
(`stand_ins/choosing_server.py`).  T1 and T2 and an infinite lease it grants from the beginning.

*Another address.*  The server answers a renewal with a DHCPACK for another address.  RFC 2131 has
no word on it: §4.3.2 lets a server trust the ciaddr of a renewal, and §4.4.5 lets the client take
the DHCPACK for an extension.  What it has is §2.2: the server does not give the old address away
within the time for which it was granted.  So the client is held to that: whether or not it takes
the other address, the old one has to be gone at the end of its own lease.  From then on somebody
else may have it, and there is another host that asks.

*Infinite, then finite.*  A client with an infinite lease (0xffffffff, RFC 2131 §3.3) asks for
nothing more, so it cannot hear of an end.  It is killed and started again, asks, and is granted a
lease with an end.  Then nobody answers, and that end has to count.  To the model it is a client
that is started again within a lease; it has no infinite one.  The client lives for STORED seconds
first: NetworkManager 1.30 that is killed as it gets its address, before it has stored that, takes
the address for somebody else's when it is started again, and may never ask.

*T1 and T2.*  RFC 2131 §4.4.5: T1 comes before T2, and T2 before the lease's end.  A server may say
otherwise, by options 58 and 59.  Whatever it says, the lease ends when it ends.  In the model a
client may ask at any time before that, so an early T1 is nothing new to it; one that waits for a
T1 after the end it does not have.  When the client asks, the record tells (`Measurement.asked`);
that is a figure, and no verdict hangs on it.

What it does not know: a finite lease that becomes infinite: nobody has to leave then.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdover.model.clients import measurements
from holdover.model.clients.profile import Environment
from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.wire.options import INFINITE

if TYPE_CHECKING:  # the list of faults is there at once
    from holdover.reference.lab.testbed.scene import Scene

RESTARTED = Environment(
    delay=measurements.DELAY, faults=frozenset({"mutes", "crashes", "restarts"})
)
"""A client that is killed and started again, and a server that is gone."""

STORED = 5.0
"""Seconds in which a client stores what it was granted."""

EARLY = 10
"""T1 is this part of the lease, where it is early."""


def grant_another(scene: Scene) -> None:
    """After one more renewal each is granted another address."""
    from holdover.reference.lab.stand_ins.replacements import grant_another_from_next_ack

    grant_another_from_next_ack(scene)


def grant_an_end(scene: Scene) -> None:
    """The client is killed and started again; then its lease has an end, and nobody answers."""
    from holdover.reference.lab.stand_ins.replacements import begin_again_until_granted, choose

    scene.wait(STORED)
    scene.signal_client(signal.SIGKILL)
    scene.end_server()
    choose(scene, scene.lease)
    begin_again_until_granted(scene)
    scene.end_server()


def leave(scene: Scene) -> None:
    """Nobody answers any more."""
    scene.end_server()


UNTOLD = (
    "the model has no T1 or T2 of a server's choosing: the client is held to the end of its lease "
    "(RFC 2131 §4.4.5)"
)


def with_times(
    name: str, sentence: str, times: Callable[[int], tuple[int, int | None]], unmodelled: str = ""
) -> Fault:
    """A server that says T1 and T2 (None: unsaid), by the lease, in seconds; then it is gone."""
    return Fault(
        name,
        f"the server says {sentence}; then it is gone",
        leave,
        first=lambda lease: (lease, *times(lease)),
        needs_own_server=True,
        unmodelled=unmodelled,
    )


CHOSEN_TERMS = (
    Fault(
        "another address",
        "a renewal is granted another address",
        grant_another,
        rival=True,
        another=True,
        unmodelled="the model has no DHCPACK of another address at a renewal: the client is held "
        "to the end of the old address's lease (RFC 2131 §2.2)",
    ),
    Fault(
        "infinite then finite",
        "a lease has no end; the client is started again, and it has one; the server is gone",
        grant_an_end,
        RESTARTED,
        restarts=True,
        first=lambda lease: (INFINITE, None, None),
        needs_own_server=True,
    ),
    with_times(
        "T1 early", "T1 at a tenth of the lease", lambda lease: (max(lease // EARLY, 1), None)
    ),
    with_times("T1 with T2", "T1 and T2 at half", lambda lease: (lease // 2, lease // 2)),
    with_times(
        "T1 after the end",
        "T1 and T2 after the lease",
        lambda lease: (2 * lease, 3 * lease),
        UNTOLD,
    ),
    with_times(
        "T2 after the end", "T2 after the lease", lambda lease: (lease // 2, 2 * lease), UNTOLD
    ),
)
"""The rows of `faults.py` that this module has; `life.py` hands them on."""
