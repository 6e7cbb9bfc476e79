"""What befalls a lease in the course of its life: an orderly end, a restart, another network.

Theory of operation.  A client that is ended in order gets what a service manager sends: SIGTERM to
each of its processes.  The lease table's row `stop` says that the address goes then, and that one
which leaves it is a client that was killed (`crash`); so the bound is that of a killed one.

One that is started again finds what it has stored: its /run, /etc and /var/lib are those of before.
The server is gone by then, so nobody confirms the lease, and it ends when it ends.

In `link moved` the client's cable is pulled, and put into a switch of another network, where
another server serves other addresses.  That of the old network must go at the end of its lease at
the latest; the model has no word for networks, and so says of it what it says of a server that is
gone.

Another address, an infinite lease, and T1 and T2 that a server chooses are in `chosen_terms.py`.

What it does not know: a reboot, in which /run is lost and the kernel has forgotten all addresses.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import TYPE_CHECKING

from holdover.model.clients import measurements
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.experiments.chosen_terms import CHOSEN_TERMS, RESTARTED
from holdover.reference.lab.experiments.fault import Fault

if TYPE_CHECKING:  # the list of faults is there at once
    from holdover.reference.lab.testbed.scene import Scene

ELSEWHERE, LEASED_THERE = IPv4Interface("10.88.0.1/24"), IPv4Address("10.88.0.50")
"""The other network's server, and the address that it leases."""

AFTER = 2.0
"""Seconds after the lease end at which a client is started that comes too late."""

TRIES = 10.0
"""Seconds in which it may do something with an old lease."""


def end_in_order(scene: Scene) -> None:
    """Every process of the client is asked to end; the server is there, and may be told."""
    scene.signal_client(signal.SIGTERM)


def restart_in_time(scene: Scene) -> None:
    """It is killed, the server is gone, and half of the lease later it is started again."""
    scene.signal_client(signal.SIGKILL)
    scene.end_server()
    scene.wait_until(scene.acked() + scene.lease * SECOND // 2)
    scene.begin_again()


def restart_late(scene: Scene) -> None:
    """It is killed, the server is gone, and after the end of the lease it is started again."""
    scene.signal_client(signal.SIGKILL)
    scene.end_server()
    scene.wait_until(scene.lease_end() + int(AFTER * SECOND))
    scene.begin_again()
    scene.wait(TRIES)


def move_link(scene: Scene) -> None:
    """The cable is pulled, and put into a switch of another network, where there is a server."""
    scene.end_server()
    scene.a.cable("down")
    scene.srv.ip("addr", "flush", "dev", "eth0")
    scene.srv.ip("addr", "add", str(ELSEWHERE), "dev", "eth0")
    there = replace(scene.order, own=ELSEWHERE, first=LEASED_THERE, last=LEASED_THERE)
    scene.serve(there, "elsewhere")
    scene.wait(1)
    scene.a.cable("up")
    scene.mark(f"client moved to {ELSEWHERE.network}")


LIFE = (
    Fault(
        "ended",
        "the client's processes are asked to end (SIGTERM)",
        end_in_order,
        measurements.FAULTS["kill -9"],
        rival=True,
    ),
    Fault(
        "restarted",
        "the client is killed and started again within the lease; the server is gone",
        restart_in_time,
        RESTARTED,
        restarts=True,
    ),
    Fault(
        "restarted late",
        "the client is killed and started again after the lease; the server is gone",
        restart_late,
        RESTARTED,
        restarts=True,
    ),
    Fault(
        "link moved",
        "the client's cable is put into another network, with another server",
        move_link,
        pulls_cable=True,
    ),
    *CHOSEN_TERMS,
)
"""The rows of `faults.py` that this module has."""
