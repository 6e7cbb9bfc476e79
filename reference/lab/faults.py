"""What may go wrong with a lease, as a table: each fault and what it does to a scene.

Theory of operation.  A fault acts from the moment on at which the client is BOUND.  After it no
DHCPACK reaches the client any more, or the last one does: so there is a lease end to measure from.
A fault that is about a server's answer to a renewal lets a first renewal pass: a client that has
probed for long may ask for one while the servers change places, and not again before its end.  Then
another program takes the place of the server, or, where the leases have to be known for it, our own
server is started again and does wrong on request: such a fault is `ours`.

`surroundings` is what the model makes of it: the environment in which a profile's bound is the
worst holdover that is possible (`verdict.py`).

What it does not know: which client it befalls, and what a good one does.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType

from holdover.model import measured
from holdover.model.profile import Environment
from holdover.reference.lab.scene import LEASED, Scene

BLOCKED = 60.0
"""Seconds that a hook blocks."""

OWN = Fraction(1)
"""Seconds that a hook takes at most for what it does besides."""

HOUR = 3600

LATE_BY = Fraction(1, 5)
"""Of the lease, by how much a DHCPACK is late."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    `play` does it to a scene, and may wait there.  `delays`: a DHCPACK, by this share of the lease.
    `hook_blocks`: seconds that the client's hook
    takes before an address goes.  `ours`: it is possible with our own server only.  `rival`: there
    is another host on the link, on which a client may want the address.  `own_wall_clock`: the
    client has one, which can be set.
    """

    name: str
    sentence: str
    play: Callable[[Scene], None]
    surroundings: Environment = measured.FAULTS["server killed"]
    delays: Fraction = Fraction(0)
    hook_blocks: float | None = None
    ours: bool = False
    rival: bool = False
    own_wall_clock: bool = False


def server_killed(scene: Scene) -> None:
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


def killed(scene: Scene) -> None:
    """Every process of the client is killed."""
    scene.signal_client(signal.SIGKILL)


def refused(scene: Scene) -> None:
    """As RFC 2131 §4.1 has it: to everybody."""
    scene.refuse_from_next_ack("broadcast")


def refused_alone(scene: Scene) -> None:
    """As some servers have it."""
    scene.refuse_from_next_ack("unicast")


def unheard(scene: Scene) -> None:
    """The server grants a renewal, and its DHCPACK is not sent within an hour."""
    scene.next_ack()
    scene.misbehave("ack-delay=1h")


def delayed(scene: Scene) -> None:
    """A renewal is granted a fifth of the lease before the client hears of it; then nothing."""
    scene.next_ack()
    scene.misbehave(f"ack-delay={float(LATE_BY * scene.lease):g}s")
    scene.next_ack()
    scene.end_server()


def shortened(scene: Scene) -> None:
    """A renewal is granted half the lease; then nothing."""
    scene.next_ack()
    scene.misbehave(f"shorten={scene.lease // 2}s")
    scene.next_ack()
    scene.end_server()


def forgotten(scene: Scene) -> None:
    """The server goes on without its leases for a while."""
    scene.lose_leases()
    scene.wait(1.5 * scene.lease)
    scene.end_server()


def flap(scene: Scene) -> None:
    """The client's link is down for a second; the server is gone."""
    scene.end_server()
    scene.a.cable("down")
    scene.mark("client's cable down")
    scene.wait(1)
    scene.a.cable("up")
    scene.mark("client's cable up")


def stepped(seconds: int) -> Callable[[Scene], None]:
    """The client's wall clock is set; the server is gone."""

    def play(scene: Scene) -> None:
        scene.end_server()
        scene.step(seconds)

    return play


def taken(scene: Scene) -> None:
    """Another host is given the address by hand; the server is gone."""
    assert scene.b is not None
    scene.end_server()
    scene.b.ip("addr", "add", f"{LEASED}/{scene.order.own.network.prefixlen}", "dev", "eth0")
    scene.mark("another host has the address")


TABLE = (
    Fault("server killed", "the server is gone", server_killed),
    Fault("server silent", "nothing comes from the server; the link is up", server_silent),
    Fault("cut off", "the client and the server do not hear each other; others do", cut_off,
          rival=True),
    Fault("frozen", "the client's processes are stopped", frozen, measured.FAULTS["frozen"],
          rival=True),
    Fault("kill -9", "the client's processes are killed", killed, measured.FAULTS["kill -9"],
          rival=True),
    Fault("hook", "a hook blocks for a minute; the server is gone", server_killed,
          replace(measured.FAULTS["hook"], acknowledge_within=Fraction(BLOCKED) + OWN),
          hook_blocks=BLOCKED),
    Fault("NAK", "the server refuses to renew, by broadcast", refused),
    Fault("NAK unicast", "the server refuses to renew, by unicast", refused_alone),
    Fault("ACK lost", "a renewal is granted, and the client does not hear of it", unheard,
          ours=True),
    Fault("ACK delayed", "a renewal is heard late; then the server is gone", delayed,
          delays=LATE_BY, ours=True),
    Fault("shortened", "a renewal is for half the time; then the server is gone", shortened,
          ours=True),
    Fault("leases lost", "the server forgets its leases; then it is gone", forgotten, rival=True),
    Fault("link flap", "the link is down for a second; the server is gone", flap),
    Fault("clock set back", "the wall clock is set back by an hour; the server is gone",
          stepped(-HOUR), measured.FAULTS["clock set back"], own_wall_clock=True),
    Fault("clock set forward", "the wall clock is set forward by an hour; the server is gone",
          stepped(HOUR), own_wall_clock=True),
    Fault("address taken", "another host takes the address; the server is gone", taken,
          rival=True),
)  # fmt: skip

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in TABLE})
"""Every fault, by name."""
