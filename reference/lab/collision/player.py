"""Two puppets and a server on a link, and a course of the lease table that they follow.

Theory of operation.  A `Player` waits for the instant of each step (`schedule.py`) and does on the
link what the step has changed in the table, and nothing else: a datagram that is new in its slot is
sent, or waited for where it is the server's; an address that `holds` gains or loses is given to the
kernel or taken from it, with the lifetime that `kernel_end` says where the kernel is an enforcer.
The server is `holdover server`; while the model's is silent, no frame passes between it and the
hosts.  Where it is slow to answer, the clock of the run stands still meanwhile, so that a lease
does not end later on the server than in the run.

What a kernel removes is seen and not done: the table's row for it is taken when the address has
gone.  When the last step is taken somebody asks by ARP who has the address, until the end.

What a kernel or a server does, and the run does not, raises UnheardError or PlanError.  One case
does not: a kernel that removes an address when it may, before the run has it so.  `otherwise` says
it.

A machine that is busy may be too slow: a lifetime that a kernel was given runs on while the player
waits for a processor, or the run for the server.  Where it is over before the run has come so far,
PlanError says so; the kernel is early only by the lifetime that it was given.

What it does not know: what comes of it (`collision.py`); how late it is itself otherwise: it does
each step when the one before is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from fractions import Fraction
from functools import partial
from ipaddress import IPv4Interface
from pathlib import Path

from holdover.model.readings.finite import name_of
from holdover.model.readings.interpreter import State
from holdover.model.seconds import show_seconds
from holdover.model.table.vocabulary import HOST
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.collision.puppet import Puppet
from holdover.reference.lab.collision.schedule import KERNEL_ROW, Plan, PlanError, PlanFollower
from holdover.reference.lab.testbed.address_monitor import PORT
from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.scene import LEASED, OWN, Scene, SceneEndedError
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder, holdover
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.kernel.namespace import inside
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import EVERYONE, SERVER_PORT, encode_frame
from holdover.reference.wire.option_values import NO_ADDRESS

ADDRESS = IPv4Interface((LEASED, OWN.network.prefixlen))
"""The model's a1."""

WATCHED = Fraction(3)
"""Seconds after the last step, while it is asked who has the address."""

ASKS = Fraction(1, 2)
"""Seconds between two questions."""

LOOK = 0.1
"""Seconds between two looks at what a kernel has removed."""

PROMPT = SECOND // 20
"""Nanoseconds in which an answer counts as one at once."""

ROUNDED = 1
"""Seconds by which a kernel may be early in the run: a lifetime is whole seconds, rounded down."""


def serving(place: Path, order: ServerOrder, grace: Fraction) -> tuple[str | Path, ...]:
    """`holdover server` with the grace of the surroundings."""
    return *holdover(place, order), "--grace", f"{float(grace):g}s"


def play_plan(
    plan: Plan,
    links: Links,
    place: Path,
    told: Callable[[str], None],
    puppet: type[Puppet],
    stop: threading.Event,
) -> str | None:
    """Build the link, play the plan, close the record; return how a kernel deviated, or None."""
    lease = int(plan.environment.lease)
    command = partial(serving, grace=plan.environment.grace)
    server = replace(SERVERS["holdover"], command=command)
    scene = Scene(links, place, stop, server=server, lease=lease, rival=True)
    assert scene.b is not None
    scene.serve()
    with ExitStack() as opened:
        hosts = [
            opened.enter_context(closing(puppet(name_of(HOST, number), host)))
            for number, host in enumerate((scene.a, scene.b))
        ]
        with inside(scene.srv.space):
            asks = opened.enter_context(closing(LinkSocket(PORT, SERVER_PORT)))
        for host in hosts:
            told(f"{host.name} is {host.hardware.hex(':')}, and a1 is {LEASED}")
        stage = Player(plan, scene, hosts, asks, told, stop)
        stage.play()
    scene.close()
    return stage.otherwise


class Player:
    """Two puppets and a server on a link, and the course that they follow."""

    def __init__(
        self,
        plan: Plan,
        scene: Scene,
        hosts: Sequence[Puppet],
        asks: LinkSocket,
        told: Callable[[str], None],
        stop: threading.Event,
    ) -> None:
        self.otherwise: str | None = None
        self._plan, self._scene, self._hosts = plan, scene, hosts
        self._asks, self._told, self._stop = asks, told, stop
        self._course = PlanFollower(plan, WATCHED)
        self._by_kernel = plan.profile.enforcer == "KERNEL"
        self._begin, self._asked = now(), -ASKS
        self._kernel_ends: dict[int, int] = {}  # by host: the instant at which its lifetime is over

    def play(self) -> None:
        """Each step at its time; then look and ask until the end."""
        course = self._course
        self._begin = now()
        while (step := course.next()) is not None:
            if not self._wait(step.at):
                continue  # what comes next may be another
            if step.action.name == KERNEL_ROW:
                raise PlanError(
                    f"at {show_seconds(step.at)} a kernel still has an address that "
                    "the profile says is gone by then"
                )
            self._carry_out(
                step.action.name, course.sentence(step, course.state), *course.take(step)
            )
        while not self._wait(course.end):
            pass

    def _wait(self, until: Fraction | int) -> bool:
        """Wait for an instant; False where a kernel has removed an address meanwhile."""
        while True:
            passed = Fraction(now() - self._begin, SECOND)
            if self._by_kernel and self._removed(min(passed, until)):
                return False
            if self._course.complete and passed >= self._asked + ASKS:
                self._ask(passed)
            left = float(until - passed)
            if left <= 0:
                return True
            if self._stop.wait(min(left, LOOK)):
                raise SceneEndedError

    def _removed(self, at: Fraction | int) -> bool:
        """Whether a kernel has removed an address; the table then knows it too."""
        course = self._course
        for number, host in enumerate(self._hosts):
            if course.state["holds", number] is None or host.has(LEASED):
                continue
            end = course.state["kernel_end", number]
            assert isinstance(end, int | Fraction)
            if at < end - ROUNDED:
                removed = f"the kernel of {host.name} removed its address at {show_seconds(at)}"
                if now() < self._kernel_ends[number] - PROMPT:
                    raise PlanError(
                        f"{removed}, before its lifetime was over at {show_seconds(end)}"
                    )
                raise PlanError(
                    f"{removed} of the run and not at {show_seconds(end)}, for its lifetime was "
                    "over: this machine is too slow to play the run"
                )
            step = course.kernel_row(number, max(at, end))
            self._carry_out(KERNEL_ROW, course.sentence(step, course.state), *course.take(step))
            if self._plan.outcome == "violated" and not course.complete:
                self.otherwise = (
                    f"the kernel of {host.name} removed its address at {show_seconds(at)}, and in "
                    "the run it does so later, as it may"
                )
            return True
        return False

    def _ask(self, passed: Fraction) -> None:
        """Who has the address?  Asked in the name of the server's host."""
        self._asked = passed
        hardware = self._asks.hardware
        asks = Arp(ArpOperation.REQUEST, hardware, OWN.ip, bytes(6), LEASED)
        self._asks.send(encode_frame(EVERYONE, hardware, asks))

    # A step --------------------------------------------------------------------------------------

    def _carry_out(self, row: str, said: str, before: State, after: State) -> None:
        """Do on the link what a step has changed in the table."""
        changed = [
            f"{host.name} has {'no address any more' if after['holds', number] is None else 'a1'}"
            for number, host in enumerate(self._hosts)
            if before["holds", number] != after["holds", number]
        ]
        said = "; ".join([said, *changed])
        self._scene.mark(said)
        self._told(f"{show_seconds(after.now):>9}  {said}")
        if before["serving", 0] != after["serving", 0]:
            self._isolate("off" if after["serving", 0] else "on")
        for slot, member in before:
            if slot == "kind" and before[slot, member] != after[slot, member]:
                self._datagram(member, before, after)
        for number, host in enumerate(self._hosts):
            was, is_, end = (
                before["holds", number],
                after["holds", number],
                after["kernel_end", number],
            )
            if is_ is None and was is not None and row != KERNEL_ROW:
                host.let_go(ADDRESS)
            elif is_ is not None and (was is None or end != before["kernel_end", number]):
                lifetime = self._lifetime(end, after.now)
                self._kernel_ends[number] = now() + (lifetime or 0) * SECOND
                host.take(ADDRESS, lifetime)

    def _lifetime(self, end: object, at: Fraction | int) -> int | None:
        """Whole seconds of lifetime, rounded down; None where the kernel is no enforcer."""
        if not self._by_kernel or not isinstance(end, int | Fraction):
            return None
        return int(end - at)

    def _isolate(self, state: str) -> None:
        """Isolated ports do not hear each other; carrier stays."""
        for host in (self._scene.srv, self._scene.a, self._scene.b):
            assert host is not None
            host.isolate(state)

    def _datagram(self, slot: int, before: State, after: State) -> None:
        """Send what a client has sent; wait for what the server has."""
        kind, number = after["kind", slot], after["client", slot]
        if not isinstance(number, int) or not isinstance(kind, str):
            return  # the slot is free again
        host = self._hosts[number]
        if kind in ("OFFER", "ACK", "NAK"):
            host.hear(kind, LEASED)
            self._begin = max(self._begin, now() - int(after.now * SECOND) - PROMPT)
            return
        if host.heard_more():
            raise PlanError(f"{host.name} was answered where in the run it is not")
        phase = str(after["phase", number])
        fresh = phase in ("RENEWING", "REBINDING", "REBOOTING") or before["phase", number] == "INIT"
        asked = after["address", slot]
        host.send(kind, phase, NO_ADDRESS if asked is None else LEASED, fresh=fresh)
