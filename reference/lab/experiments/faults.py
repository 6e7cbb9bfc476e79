"""What may go wrong with a lease, as a table: each fault and what it does to a scene.

Theory of operation.  A fault acts from the moment on at which the client is BOUND.  After it no
DHCPACK reaches the client any more, or the last one does: so there is a lease end to measure from.
A fault that is about a server's answer to a renewal lets a first renewal pass: a client that has
probed for long may ask for one while the servers change places, and not again before its end.  Then
another program takes the place of the server, or, where the leases have to be known for it, our own
server is started again and does wrong on request: such a fault is `needs_own_server`.

A server that refuses to renew either offers nothing afterwards, or another address: some clients
keep the old one until they have a new one.

A server that shortens grants, at a renewal, a time of its own choosing, from nothing on; its record
moves back, so the lease ends that much after that DHCPACK.  The server is stopped until the client
has asked, and what befalls the client befalls it before the answer.  So it is known whether it can
have read the DHCPACK: whoever could not keeps the longer lease, and no client can do better.

Those of two hosts with one address have no lease end (`two_hosts.py`).

`surroundings` is what the model makes of it: the environment in which a profile's bound is the
worst holdover that is possible (`verdict.py`).

What it does not know: which client it befalls, and what a good one does.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

from holdover.model.clients import measurements
from holdover.model.clients.profile import Environment
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.experiments.fault import Fault, Way
from holdover.reference.lab.experiments.life import LIFE
from holdover.reference.lab.experiments.two_hosts import TWO_HOSTS

if TYPE_CHECKING:  # the list of faults is there at once
    from holdover.reference.lab.testbed.scene import Scene

BLOCKED = 60.0
"""Seconds that a hook blocks."""

OWN = Fraction(1)
"""Seconds that a hook takes at most for what it does besides."""

HOUR = 3600

LATE_BY = Fraction(1, 5)
"""Of the lease, by how much a DHCPACK is late."""

BUSY_BEFORE, BUSY_AFTER = 5, 10
"""Seconds before and after a lease end for which the kernel's networking lock is held."""

LEFT = 1.5
"""Seconds that a lease which was shortened still has when a frozen client may read of it."""


REFUSING = Environment(delay=measurements.DELAY, patient=True, authoritative=True)
"""A server that refuses what it has given to another, on a link that loses nothing."""


def kill_server(scene: Scene) -> None:
    """It answers nothing from now on; its host does not know its port any more."""
    scene.end_server()


def server_silent(scene: Scene) -> None:
    """Nothing comes from its host; the client keeps its carrier."""
    scene.srv.cable("down")
    scene.mark("server's cable down")


def cut_off(scene: Scene) -> None:
    """Client and server do not hear each other; everybody else hears both."""
    scene.srv.isolate("on")
    scene.a.isolate("on")
    scene.mark("client cut off")


def frozen(scene: Scene) -> None:
    """Every process of the client is stopped."""
    scene.signal_client(signal.SIGSTOP)


def kill_client(scene: Scene) -> None:
    """Every process of the client is killed."""
    scene.signal_client(signal.SIGKILL)


def refuse(way: Way, *, offers: bool = False) -> Callable[[Scene], None]:
    """The server refuses to renew and offers nothing; `offers`: it offers another address.

    RFC 2131 §4.1 has a DHCPNAK go to everybody; some servers send it to the client alone.
    """

    def bring_about(scene: Scene) -> None:
        from holdover.reference.lab.stand_ins.replacements import refuse_from_next_ack

        refuse_from_next_ack(scene, way, offers=offers)

    return bring_about


def unheard(scene: Scene) -> None:
    """The server grants a renewal, and its DHCPACK is not sent within an hour."""
    scene.misbehave_from_next_ack("ack-delay=1h")


def delay_ack(scene: Scene) -> None:
    """A renewal is granted a fifth of the lease before the client hears of it; then nothing."""
    scene.misbehave_from_next_ack(f"ack-delay={float(LATE_BY * scene.lease):g}s")
    scene.next_ack()
    scene.end_server()


def forgotten(scene: Scene) -> None:
    """The server goes on without its leases for a while."""
    scene.lose_leases()
    scene.wait(1.5 * scene.lease)
    scene.end_server()


def give_away(scene: Scene) -> None:
    """The server loses its leases, gives the address to another host, and refuses the client."""
    scene.lose_leases()
    scene.give_to_rival()
    scene.wait(1.5 * scene.lease)


def set_server_clock(scene: Scene) -> None:
    """The server's clock is set forward: to it all leases are over, and it does the same."""
    scene.step(HOUR, server=True)
    scene.give_to_rival()
    scene.wait(1.5 * scene.lease)


def flap(scene: Scene) -> None:
    """The client's link is down for a second; the server is gone."""
    scene.end_server()
    scene.a.cable("down")
    scene.mark("client's cable down")
    scene.wait(1)
    scene.a.cable("up")
    scene.mark("client's cable up")


def step_clock(seconds: int) -> Callable[[Scene], None]:
    """The client's wall clock is set; the server is gone."""

    def play(scene: Scene) -> None:
        scene.end_server()
        scene.step(seconds)

    return play


def busy(scene: Scene) -> None:
    """While another program has the kernel's networking lock, no address comes or goes anywhere."""
    scene.end_server()
    end = scene.lease_end()
    scene.wait_until(end - BUSY_BEFORE * SECOND)
    with scene.networking_locked():
        scene.wait_until(end + BUSY_AFTER * SECOND)


# A server that shortens --------------------------------------------------------------------------


def keep_running(scene: Scene) -> None:
    """It runs, and reads what comes."""


def thaw_client(scene: Scene, granted: int) -> None:
    """It runs again while something is left of the lease: LEFT seconds, or half of a short one."""
    scene.wait_until(scene.acked() + int(max(granted / 2, granted - LEFT) * SECOND))
    scene.signal_client(signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Reader:
    """What becomes of the DHCPACK that shortens: `before` it comes, and `after`.

    `faults` are those of the model.
    """

    name: str
    sentence: str
    before: Callable[[Scene], None]
    faults: frozenset[str]
    unread: bool
    after: Callable[[Scene, int], None] = lambda scene, granted: None


READERS = (
    Reader("", "", keep_running, frozenset({"mutes"}), unread=False),
    Reader(
        "thawed",
        "the client's processes are stopped around the DHCPACK",
        frozen,
        frozenset({"mutes", "freezes", "thaws"}),
        unread=False,
        after=thaw_client,
    ),
    Reader(
        "frozen",
        "the client's processes are stopped before the DHCPACK",
        frozen,
        frozenset({"mutes", "freezes"}),
        unread=True,
    ),
    Reader(
        "killed",
        "the client's processes are killed before the DHCPACK",
        kill_client,
        frozenset({"mutes", "crashes"}),
        unread=True,
    ),
    Reader(
        "lost", "the DHCPACK does not come", cut_off, frozenset({"mutes", "loses"}), unread=True
    ),
)


def shorten_lease(reader: Reader, to: int | None = None) -> Fault:
    """A renewal is granted `to` seconds, or half the lease; then the server is gone."""

    def grants(lease: int) -> int:
        return lease // 2 if to is None else to

    def play(scene: Scene) -> None:
        granted = grants(scene.lease)
        scene.misbehave_from_next_ack(f"shorten={granted}s")
        scene.answer_after(reader.before)
        scene.end_server()
        reader.after(scene, granted)

    what = "half the time" if to is None else f"{to} s"
    said = f"a renewal is for {what}" + (f"; {reader.sentence}" if reader.sentence else "")
    name = " ".join(filter(None, ("shortened", reader.name)))
    surroundings = Environment(delay=measurements.DELAY, faults=reader.faults | {"shortens"})
    return Fault(
        name if to is None else f"{name}={to}s",
        f"{said}; then the server is gone",
        play,
        surroundings,
        grants=grants,
        unread=reader.unread,
        needs_own_server=True,
    )


# The table ---------------------------------------------------------------------------------------

TABLE = (
    Fault("server killed", "the server is gone", kill_server),
    Fault("server silent", "nothing comes from the server; the link is up", server_silent),
    Fault(
        "cut off",
        "the client and the server do not hear each other; others do",
        cut_off,
        rival=True,
    ),
    Fault(
        "frozen",
        "the client's processes are stopped",
        frozen,
        measurements.FAULTS["frozen"],
        rival=True,
    ),
    Fault(
        "kill -9",
        "the client's processes are killed",
        kill_client,
        measurements.FAULTS["kill -9"],
        rival=True,
    ),
    Fault(
        "hook",
        "a hook blocks for a minute; the server is gone",
        kill_server,
        replace(measurements.FAULTS["hook"], acknowledge_within=Fraction(BLOCKED) + OWN),
        hook_blocks=BLOCKED,
    ),
    Fault(
        "NAK",
        "the server refuses to renew, by broadcast, and offers nothing",
        refuse("broadcast"),
        refuses="broadcast",
    ),
    Fault(
        "NAK unicast",
        "the server refuses to renew, by unicast, and offers nothing",
        refuse("unicast"),
        refuses="unicast",
    ),
    Fault(
        "NAK and offer",
        "the server refuses to renew, by broadcast, and offers another address",
        refuse("broadcast", offers=True),
        refuses="broadcast",
    ),
    Fault(
        "NAK unicast and offer",
        "the server refuses to renew, by unicast, and offers another address",
        refuse("unicast", offers=True),
        refuses="unicast",
    ),
    Fault(
        "ACK lost",
        "a renewal is granted, and the client does not hear of it",
        unheard,
        needs_own_server=True,
    ),
    Fault(
        "ACK delayed",
        "a renewal is heard late; then the server is gone",
        delay_ack,
        delays=LATE_BY,
        needs_own_server=True,
    ),
    *map(shorten_lease, READERS),
    Fault("leases lost", "the server forgets its leases; then it is gone", forgotten, rival=True),
    Fault(
        "given away",
        "the server loses its leases, and gives the address to another host",
        give_away,
        refuses="broadcast",
        rival=True,
        gives_away=replace(REFUSING, faults=frozenset({"forgets"})),
    ),
    Fault(
        "server clock set forward",
        "the server's wall clock is set forward by an hour, and it gives the address away",
        set_server_clock,
        refuses="broadcast",
        rival=True,
        gives_away=replace(REFUSING, faults=frozenset({"jumps"}), step=Fraction(HOUR)),
        servers_wall_clock=True,
    ),
    Fault("link flap", "the link is down for a second; the server is gone", flap, pulls_cable=True),
    Fault(
        "clock set back",
        "the wall clock is set back by an hour; the server is gone",
        step_clock(-HOUR),
        measurements.FAULTS["clock set back"],
        own_wall_clock=True,
    ),
    Fault(
        "clock set forward",
        "the wall clock is set forward by an hour; the server is gone",
        step_clock(HOUR),
        own_wall_clock=True,
    ),
    Fault(
        "kernel busy",
        "the kernel's networking lock is held around the lease end; the server is gone",
        busy,
        alone=True,
    ),
    *LIFE,
    *TWO_HOSTS,
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in TABLE})
"""Every fault, by name."""

SHORTENED: Mapping[str, Reader] = MappingProxyType(
    {shorten_lease(reader).name: reader for reader in READERS}
)
"""Those to whose name the seconds may be added that the server grants: "shortened=2s"."""


def find_fault(text: str) -> Fault | None:
    """The fault of that name, as "frozen" or "shortened frozen=2s"; None: there is none."""
    found = re.fullmatch(r"(.+)=([0-9]{1,9})s?", text)
    if found is not None and found[1] in SHORTENED:
        return shorten_lease(SHORTENED[found[1]], int(found[2]))
    return FAULTS.get(text)
