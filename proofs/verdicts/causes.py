"""Which facts of a client and its surroundings a verdict of *violated* rests on.

Theory of operation.  Each fact that can hold an address back has a value that does no harm: a
process that is never late, a kernel lifetime, a fault that does not happen.  Facts are made
harmless one after the other, each time the one without which the bound of T3 stays highest, as long
as the server's grace does not reach it.  What is left are the causes: a client with these alone
has the verdict, and with one of them fewer it holds.  The client itself may have others.

What it does not know: runs.  It asks the bound alone: that the grace is enough is proved (T3), that
less is too short is shown there for one way to hold an address back at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import Environment, Profile
from holdover.model.seconds import show_seconds
from holdover.proofs.verdicts.by_bound import Need, need_of_stated


@dataclass(frozen=True)
class Cause:
    """A fact that a verdict rests on: the constant of the table, and what it says in words."""

    constant: str
    says: str


@dataclass(frozen=True)
class Deployment:
    """A client and its surroundings."""

    client: ClientKind
    environment: Environment

    @property
    def need(self) -> Need:
        """The grace that it needs."""
        return need_of_stated(self.client, self.environment)

    def with_client(self, **facts: object) -> Deployment:
        """The same with other facts of the client."""
        profile = replace(self.client.profile, **facts)  # type: ignore[arg-type]
        return replace(self, client=replace(self.client, profile=profile))

    def without_fault(self, name: str) -> Deployment:
        """The same where this does not happen, to any host."""
        client = replace(self.client, faults=tuple(f for f in self.client.faults if f != name))
        shortest = None if name == "shortens" else self.environment.shortest
        faults = self.environment.faults - {name}
        return Deployment(client, replace(self.environment, shortest=shortest, faults=faults))


@dataclass(frozen=True)
class Fact:
    """What may hold an address back: how to make it harmless, and its words."""

    constant: str
    harmless: Callable[[Deployment], Deployment]
    says: Callable[[Profile, Environment], str]
    choice: bool = False
    """It is one of several ways, and another way takes other rows."""


def _fault(name: str, says: Callable[[Environment], str] | str) -> Fact:
    def words(_: Profile, world: Environment) -> str:
        return says if isinstance(says, str) else says(world)

    return Fact(name, lambda given: given.without_fault(name), words)


def _trigger(profile: Profile, world: Environment) -> str:
    if profile.trigger == "NEVER":
        return "the process never releases"
    if profile.trigger == "RETRY":
        length = show_seconds(profile.retries_for)
        return f"a lapsed client holds the address for {length} while it tries for a new lease"
    if world.acknowledge_within is None:
        return "the address stays until a notice is answered, and nobody need answer it"
    length = show_seconds(world.acknowledge_within)
    return f"the address stays until a notice is answered, and that may take {length}"


def _anchor(profile: Profile, world: Environment) -> str:
    flight = show_seconds(world.delay)
    if profile.anchor == "PROBE":
        probing = show_seconds(profile.probe_time)
        return (
            f"the lease is counted from the end of probing, up to {probing} after an ACK that may "
            f"take {flight}"
        )
    return f"the lease is counted from the ACK, which may take {flight}"


FACTS: Sequence[Fact] = (
    _fault("freezes", "the process may be frozen"),
    _fault("thaws", "a frozen process may run on"),
    _fault("crashes", "the process may be killed"),
    _fault("stops", "the process may be ended"),
    _fault("restarts", "the process may be started again"),
    _fault("suspends", "the host may be suspended"),
    _fault("steps", lambda world: f"the wall clock may be set back {show_seconds(world.step)}"),
    _fault("shortens", lambda w: f"a renewal may leave {show_seconds(w.shortest or w.lease)}"),
    _fault("forgets", "the server may forget its leases"),
    _fault("reuses_early", "the server may reuse an address before its lease is over"),
    _fault("forges", "somebody may forge a RELEASE"),
    _fault("rival", "a second server may lease the same addresses"),
    _fault("clones", "another host has the client identifier of this one"),
    _fault("jumps", lambda w: f"the server's clock may be set forward {show_seconds(w.step)}"),
    _fault("settles", "somebody configures a free address by hand"),
    _fault("intrudes", "somebody configures an address by hand that is leased to another"),
    Fact(
        "keeps_old",
        lambda given: given.with_client(keeps_old=False),
        lambda *_: "an old address stays beside the next one",
    ),
    Fact(
        "after_nak",
        lambda given: given.with_client(after_nak="REMOVE", nak_late=Fraction(0)),
        lambda profile, _: (
            f"after a DHCPNAK the address stays up to {show_seconds(profile.nak_late)}"
            if profile.after_nak == "WAIT"
            else "after a DHCPNAK the address stays until there is a new lease"
        ),
        choice=True,
    ),
    Fact(
        "drift",
        lambda given: replace(given, environment=replace(given.environment, drift=Fraction(0))),
        lambda _, world: f"clocks may be wrong by {float(world.drift * 10**6):g} ppm",
    ),
    Fact(
        "late",
        lambda given: given.with_client(late=Fraction(0)),
        lambda profile, _: f"the process may act {show_seconds(profile.late)} late",
    ),
    Fact(
        "kernel_late",
        lambda given: given.with_client(kernel_late=Fraction(0)),
        lambda p, _: f"the kernel may remove the address {show_seconds(p.kernel_late)} late",
    ),
    Fact("anchor", lambda given: given.with_client(anchor="REQUEST"), _anchor, choice=True),
    Fact(
        "floor",
        lambda given: given.with_client(floor=Fraction(0)),
        lambda profile, _: f"a lease is counted as {show_seconds(profile.floor)} at least",
    ),
    Fact(
        "checks_xid",
        lambda given: given.with_client(checks_xid=True),
        lambda *_: "a reply to an older exchange is accepted",
        choice=True,
    ),
    Fact(
        "clock",
        lambda given: given.with_client(clock="BOOTTIME"),
        lambda profile, _: f"the deadline is on the {profile.clock.lower()} clock",
        choice=True,
    ),
    Fact(
        "trigger",
        lambda given: given.with_client(trigger="LAPSE", dialog=False, retries_for=Fraction(0)),
        _trigger,
        choice=True,
    ),
    Fact(
        "enforcer",
        lambda given: given.with_client(
            enforcer="KERNEL", kernel_late=Fraction(0), margin=Fraction(0)
        ),
        lambda *_: "the address has no kernel lifetime",
        choice=True,
    ),
)
"""Of facts without which the bound is alike, those that stand first are made harmless first: a
fault that somebody has asked about before what the client always does."""


@dataclass(frozen=True)
class Blame:
    """The causes, and two clients that have no other fact that does harm.

    `lesser` has none at all; `alike` still chooses as the client does, so that its runs are runs of
    the client.
    """

    causes: tuple[Cause, ...]
    lesser: Deployment
    alike: Deployment


def blame(client: ClientKind, environment: Environment) -> Blame:
    """What keeps the bound above the server's grace; no causes where nothing does."""
    given = Deployment(client, environment)
    whole, lesser = given.need, given
    if whole.met:
        return Blame((), given, given)

    def badness(other: Deployment) -> tuple[bool, Fraction] | None:
        need = other.need
        if need.met or (whole.worst is None and need.worst is not None):
            return None  # another verdict
        return need.worst is None, need.worst or Fraction(0)

    while others := [(left, other) for other in without_one(lesser) if (left := badness(other))]:
        lesser = max(others, key=lambda pair: pair[0])[1]  # of several the first
    kept, alike = present(lesser), given
    for fact in FACTS:
        if fact not in kept and not fact.choice:
            alike = fact.harmless(alike)
    said = (Cause(fact.constant, fact.says(client.profile, environment)) for fact in kept)
    return Blame(tuple(said), lesser, alike)


def without_one(given: Deployment) -> list[Deployment]:
    """The same with one of its facts made harmless, in the order of FACTS."""
    return [fact.harmless(given) for fact in present(given)]


def present(given: Deployment) -> list[Fact]:
    """The facts that have another value than the harmless one."""
    found = []
    for fact in FACTS:
        if fact.constant == "enforcer" and given.client.profile.enforcer == "KERNEL":
            continue  # how late it is, is a fact of its own
        if fact.harmless(given) != given:
            found.append(fact)
    return found
