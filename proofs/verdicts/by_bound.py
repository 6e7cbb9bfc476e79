"""What follows from the bounds of T3, T6 and T7 alone, without a solver and without a search.

The grace that a client needs, what one more fault would do, which lease would do, why there is no
bound; how long an address is kept that the server has given away all the same, and in use by two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from holdover.model.clients.measurements import unbounded_because
from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import Environment, Profile, in_seconds
from holdover.model.readings.constants import holds, seconds
from holdover.model.table import bound
from holdover.model.table.client import fastest
from holdover.model.table.vocabulary import full, grace, h, rival
from holdover.proofs.result import Outcome


@dataclass(frozen=True)
class HangsOn:
    """The facts, not stated, on which something hangs: as a rule, whether the grace is enough."""

    facts: tuple[str, ...]
    """With RFC 2131's values for these it is the same, whatever the other unstated ones are."""
    usually: bool
    """Whether it is so with RFC 2131's values."""
    otherwise: tuple[tuple[str, object], ...]
    """Values with which it is the other way; durations in seconds."""


@dataclass(frozen=True)
class Need:
    """The grace that a kind of client needs, and its worst holdover; None where none is enough.

    Of a profile that leaves facts open they are those of the worst client that it may be.
    """

    client: ClientKind
    worst: Fraction | None
    grace: Fraction | None
    met: bool
    """Whether the server's grace is that long."""
    hangs_on: HangsOn | None = None


LIMITED, WORST, ENOUGH = (
    bound.bounded(h) & bound.server_keeps,
    bound.worst_holdover(h),
    bound.safe_grace(h),
)
"""The terms of T3's bound, which are built once: for causes they are evaluated many times."""


def need_of_stated(client: ClientKind, environment: Environment) -> Need:
    """The need of a client with exactly these facts, RFC 2131's where none is stated."""
    constants = client.in_seconds(environment)
    if not holds(LIMITED, constants):
        return Need(client, None, None, False)
    worst, enough = seconds(WORST, constants), seconds(ENOUGH, constants)
    return Need(client, worst, enough, enough <= environment.grace)


def kept_when_given_away(profile: Profile, environment: Environment) -> Fraction | None:
    """How long the client keeps an address at most that the server has committed to another host.

    None where T6 has no bound, and of a profile that leaves facts open.
    """
    constants = in_seconds(profile, environment)
    limited = (bound.soon_refused(h) | bound.soon_over(h)) & ~rival
    if profile.unstated or not holds(limited, constants):
        return None
    return seconds(bound.displaced_for(h), constants)


def in_use_by_two(profile: Profile, environment: Environment) -> Fraction | None:
    """How long the client and another host have one address at most, each time.

    None where T7 has no bound, and of a profile that leaves facts open.
    """
    constants = in_seconds(profile, environment)
    if profile.unstated or not holds(bound.soon_gives_way(h), constants):
        return None
    return seconds(bound.contested_for(h), constants)


FURTHER: Sequence[tuple[str, tuple[str, ...]]] = (
    ("process frozen", ("freezes",)),
    ("process frozen, then runs on", ("freezes", "thaws")),
    ("process killed", ("crashes",)),
    ("host suspended", ("suspends",)),
    ("wall clock set back an hour", ("steps",)),
)


def further(profile: Profile, environment: Environment) -> list[tuple[str, Fraction | None]]:
    """The worst holdover with one more fault, by the bound of T3; None where there is none."""
    found = []
    for name, faults in FURTHER:
        if set(faults) <= environment.faults:
            continue
        world = replace(environment.and_faults(*faults), step=Fraction(3600))
        constants = in_seconds(profile, world)
        limited = holds(LIMITED, constants)
        found.append((name, seconds(WORST, constants) if limited else None))
    return found


def shorter_lease(profile: Profile, world: Environment) -> Fraction | None:
    """The longest lease to hand out for a record of `world.lease`, or None (RFC 2131 §3.3).

    A record longer than the lease handed out is a grace of the difference: T3 covers it.
    """
    constants = in_seconds(profile, world)
    if not holds(LIMITED, constants):
        return None
    recorded = seconds(fastest(full) + fastest(grace), constants)
    spare = recorded - seconds(bound.anchor_delay(h) + bound.overhang(h), constants)
    handed = min(spare * (1 - world.drift), world.lease)
    if handed <= 0 or handed < profile.floor:
        return None
    shorter = replace(world, lease=handed, shortest=None, faults=world.faults - {"shortens"})
    enough = seconds(ENOUGH, in_seconds(profile, shorter))
    return handed if enough <= world.lease + world.grace - handed else None


def without_bound(constants: dict[str, object]) -> Outcome:
    """What is known of a grace where there is no bound.

    None is enough, *violated*, where nothing is certain to remove the address, the server does not
    keep to its grace, or it takes another host for this one.  Where the lease may be counted from
    any later time, nobody has shown that for each grace there is a run that is longer: *unknown*.
    """
    removed = bound.process_acts(h) | bound.kernel_acts(h)
    waits = bound.known_alone(h) & bound.server_keeps
    return "unknown" if holds(removed & waits, constants) else "violated"


GRACE_WORDS: Mapping[Outcome, str] = {
    "violated": "no grace is enough",
    "unknown": "unknown whether any grace is enough",
}
"""How the same is said."""


def no_bound(constants: dict[str, object]) -> Sequence[str]:
    """Why there is no bound: the client's reasons, or the server's."""
    reasons = list(unbounded_because(constants)) if not holds(bound.bounded(h), constants) else []
    if not holds(bound.server_keeps, constants):
        reasons.append("the server does not stand by its leases")
    return reasons
