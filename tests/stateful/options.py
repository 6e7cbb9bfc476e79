"""What may happen next on a network: rows of the lease table, calls of the cores, and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from holdover.reference.core import server
from holdover.reference.core.instants import SECOND, Duration, Instant
from tests.stateful.datagrams import FOR_CLIENT, Flight
from tests.stateful.network import Network, Step

IDLE = 30 * SECOND
"""How far time goes where nobody has to act."""


def possible_steps(network: Network) -> dict[str, list[Step]]:
    """Everything that may happen next, by the name of its row or event."""
    found: dict[str, list[Step]] = {}

    def may(*step: Any) -> None:
        found.setdefault(step[0], []).append(step)

    for edge, _ in network.table.outside.successors(network.state):
        name, binding, slots = network.table.labels[edge]
        if is_possible(network, name, slots):
            may(name, binding)
    for h, host in enumerate(network.hosts):
        if not host.runs:
            continue
        core, due = host.client, host.deadline
        may("timer" if due is not None and due <= network.now else "early", h)
        if core.lease is not None:
            may("release", h)
        if "stops" in network.scene.faults:
            may("stop", h)
        if core.phase.name == "INIT" and core.due is None:
            may("start", h)
    for m, flight in enumerate(network.slots):
        if flight is None or flight.taken:
            continue
        if flight.kind not in FOR_CLIENT:
            if network.server is not None and network.state[network.table.serving]:
                may("serve", m)
        elif network.hosts[network.number[flight.client]].runs:
            may("deliver", m)
            if flight.kind != "NAK":
                may("deliver spoilt", m)
    if network.server is not None:
        due = server.deadline(network.server)
        if due is not None and due <= network.now:
            may("server timer")
        if network.server.entries:
            may("server forgets")
    for name, length in leaps(network):
        may(name, length)
    return found


def is_possible(network: Network, name: str, slots: Sequence[int]) -> bool:
    """The network has room for it, and no datagram is concerned that a client has taken."""
    flights = [network.slots[m] for m in slots]
    if any(flight is not None and flight.taken for flight in flights):
        return False
    if name == "duplicate":
        room = network.scene.messages - sum(flight is not None for flight in network.slots)
        return room > 0 and slots[1] == network.slots.index(None)
    return True


def limit(network: Network) -> Instant | None:
    """When somebody has to act at the latest; None: nobody has to."""
    instants: list[Instant | None] = []
    for host in network.hosts:
        instants.append(host.deadline)
        if host.until is not None:
            instants.append(host.until + network.table.kernel_late)
    instants += [
        flight.sent + network.scene.delay
        for flight in network.slots
        if flight is not None and not flight.taken and not waits(network, flight)
    ]
    if network.server is not None:
        instants.append(server.deadline(network.server))
    return min((instant for instant in instants if instant is not None), default=None)


def waits(network: Network, flight: Flight) -> bool:
    """It lies in the socket buffer of a frozen process."""
    return flight.kind in FOR_CLIENT and network.hosts[network.number[flight.client]].frozen


def leaps(network: Network) -> Iterator[tuple[str, Duration]]:
    """How far time may go: to where somebody has to act, to the next instant, or a little."""
    latest = limit(network)
    most = IDLE if latest is None else latest - network.now
    if most <= 0:
        return
    yield "pass", most
    yield "pass a little", max(1, most // 2)
    yield "pass a little", 1
    ahead = (network.state[place] for place in network.table.instants)
    nearest = min((i for i in ahead if isinstance(i, int) and i > 0), default=most)
    if nearest < most:
        yield "pass to", nearest
        yield "pass to", nearest + 1
