"""Faults about two hosts that have one address at once.

Theory of operation.  The server goes on.  Another host has the address by hand,
before the client has it or after, or it is the client's clone: the same program with the same
client identifier.  For SHARED_FOR leases the two are left to it: each renews, and one of them may
give way.  No lease end is waited for.

A host that is there first acts before the client is started.  Where the server asks nobody, only
the client's own probe may find it; that is a cell of its own beside the one in which the server
asks.

What it does not know: for how long they had the address (`record/sharing.py`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdover.model.clients import measurements
from holdover.model.clients.profile import Environment
from holdover.reference.lab.experiments.fault import Fault

if TYPE_CHECKING:  # the list of faults is there at once
    from holdover.reference.lab.testbed.scene import Scene

SHARED_FOR = 1.5
"""Leases for which two hosts that may have one address are left to it: in that time each renews."""


def stranger_comes(scene: Scene) -> None:
    """Another host is given the address by hand before the client asks."""
    scene.stranger_comes()


def start_clone(scene: Scene) -> None:
    """Another host starts the same client, with the same client identifier; both renew."""
    scene.clone_asks()
    scene.wait(SHARED_FOR * scene.lease)


def lease_what_is_taken(scene: Scene) -> None:
    """The server grants the client an address that another host has: it asks nobody."""
    scene.granted()
    scene.wait(SHARED_FOR * scene.lease)


def ask_for_what_is_taken(scene: Scene) -> None:
    """The client asks a server that finds out, or does not, that another host has the address."""
    scene.asked()
    scene.wait(SHARED_FOR * scene.lease)


def come_later(scene: Scene) -> None:
    """Another host is given by hand the address that the client has."""
    scene.stranger_comes()
    scene.wait(SHARED_FOR * scene.lease)


def strangers(fault: str) -> Environment:
    """A server that goes on and a link that loses nothing, and this fault."""
    return Environment(delay=measurements.DELAY, faults=frozenset({fault}))


TWO_HOSTS = (
    Fault(
        "clones",
        "another host starts the same client with the same client identifier",
        start_clone,
        strangers("clones"),
        shares="clone",
    ),
    Fault(
        "static host before",
        "another host has the address by hand before the server leases it; the server does not ask",
        lease_what_is_taken,
        strangers("settles"),
        shares="client",
        before=stranger_comes,
    ),
    Fault(
        "static host before, server probes",
        "another host has the address by hand before the server leases it; the server asks",
        ask_for_what_is_taken,
        replace(strangers("settles"), server_probes=True),
        shares="client",
        before=stranger_comes,
        server_probes=True,
    ),
    Fault(
        "static host after",
        "another host is given the address by hand after the client has it",
        come_later,
        strangers("intrudes"),
        shares="nobody",
    ),
)
