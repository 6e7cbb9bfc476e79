"""What would change a verdict: the parts of the bound, what makes it hold, what would break it.

Theory of operation.  The worst holdover of T3 is a sum; `parts_of_bound` has its parts in seconds,
and gives none where they do not add up to it.  `smallest_changes` makes facts of a client harmless
(`causes.FACTS`) as few at a time as suffice, and puts each other value back that need not change;
then `judge` has the last word on each.  `without_guard` goes the other way: of a client that holds
it makes the smallest change to harm, so that there is a run in which its guard can be seen at work.

What it does not know: what such a change costs a client's user.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import FACTS as CLIENT_FACTS
from holdover.model.clients.profile import Environment, Profile, in_seconds
from holdover.model.clients.rules import contradiction
from holdover.model.readings.constants import holds, seconds
from holdover.model.table import bound
from holdover.model.table.client import fastest, honoured, slowest
from holdover.model.table.vocabulary import full, h, least, shortens
from holdover.proofs.verdicts.by_bound import need_of_stated
from holdover.proofs.verdicts.causes import FACTS, Deployment
from holdover.proofs.verdicts.judge import Judgement, judge

MOST_CHANGES = 3
"""So many facts are changed together at most."""

MOST_JUDGED = 6
"""So many changes are given to `judge`: each is a proof of about a second."""


@dataclass(frozen=True)
class BoundPart:
    """A part of the worst holdover in seconds; below 0 where it makes it shorter."""

    name: str
    seconds: Fraction


def parts_of_bound(profile: Profile, environment: Environment) -> tuple[BoundPart, ...]:
    """The parts that are not 0, of a client that states all; none where there is no bound."""
    constants = in_seconds(profile, environment)
    if profile.unstated or not holds(bound.bounded(h) & bound.server_keeps, constants):
        return ()
    granted = least if holds(shortens, constants) else full
    terms = (
        ("anchor delay", bound.anchor_delay(h)),
        ("lease stretched to the client's floor", honoured(h, full) - full),
        ("the client's clock may be slow", slowest(honoured(h, full)) - honoured(h, full)),
        ("lease shortened by a renewal", full - granted),
        ("the server's clock may be fast", granted - fastest(granted)),
        ("overhang", bound.overhang(h)),
    )
    parts = tuple(BoundPart(name, seconds(term, constants)) for name, term in terms)
    if sum(part.seconds for part in parts) != seconds(bound.worst_holdover(h), constants):
        return ()
    return tuple(part for part in parts if part.seconds)


# What makes it hold ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProfileChange:
    """Facts with other values, the old ones, and what `judge` says of the client that has them."""

    facts: Mapping[str, object]
    before: Mapping[str, object]
    judgement: Judgement


def smallest_changes(profile: Profile, environment: Environment) -> list[ProfileChange]:
    """The smallest sets of facts with which a client holds; none if it does, or no small set does.

    Each is judged; one that does not hold is left out.
    """
    if profile.unstated or need_of_stated(ClientKind(profile), environment).met:
        return []
    given = Deployment(ClientKind(profile), environment)
    for count in range(1, MOST_CHANGES + 1):
        cured = list(dict.fromkeys(_cured(given, count)))[:MOST_JUDGED]
        found = [(other, judge(other, environment)) for other in cured]
        changes = [
            ProfileChange(other_facts(profile, other), other_facts(other, profile), judged)
            for other, judged in found
            if judged.outcome == "holds"
        ]
        if changes:
            return changes
    return []


def _cured(given: Deployment, count: int) -> Iterator[Profile]:
    """Clients with so many facts made harmless for which the server's grace is enough."""
    facts = [fact for fact in FACTS if fact.harmless(given).environment == given.environment]
    facts = [fact for fact in facts if fact.harmless(given) != given]
    for chosen in itertools.combinations(facts, count):
        other = given
        for fact in chosen:
            other = fact.harmless(other)
        if _holds(other.client.profile, given.environment):
            yield _nearer(other.client.profile, given)


def _nearer(profile: Profile, given: Deployment) -> Profile:
    """The same with each value put back that need not change."""
    for name in other_facts(given.client.profile, profile):
        back = replace(profile, **{name: getattr(given.client.profile, name)})
        if _holds(back, given.environment):
            profile = back
    return profile


def _holds(profile: Profile, environment: Environment) -> bool:
    return contradiction(profile.facts()) is None and (
        need_of_stated(ClientKind(profile), environment).met
    )


def other_facts(profile: Profile, other: Profile) -> dict[str, object]:
    """The facts of `other` that are not those of the profile."""
    return {
        name: getattr(other, name)
        for name in CLIENT_FACTS
        if getattr(profile, name) != getattr(other, name)
    }


# What would break it -----------------------------------------------------------------------------

GUARDS: Mapping[str, Callable[[Profile], Profile]] = {
    "releases before the notice": lambda p: replace(
        p, trigger="ACKNOWLEDGE", dialog=True, heeds_shorter=False
    ),
    "kernel lifetime": lambda p: replace(
        p, enforcer="PROCESS", kernel_late=Fraction(0), margin=Fraction(0)
    ),
    "counts from the REQUEST": lambda p: replace(p, anchor="ACK"),
    "checks the xid": lambda p: replace(p, checks_xid=False),
    "counts on in suspend": lambda p: replace(p, clock="MONOTONIC", heeds_shorter=False),
}
"""What a client does against holding over, and the same client without it."""


def without_guard(profile: Profile, environment: Environment) -> tuple[str, Judgement] | None:
    """The fewest guards without which a client that holds collides, and that run; None: none do.

    Asked of those only for which the bound says so.
    """
    for count in range(1, len(GUARDS) + 1):
        for chosen in itertools.combinations(GUARDS, count):
            other = replace(profile, name=f"{profile.name} without its guard")
            for name in chosen:
                other = GUARDS[name](other)
            if contradiction(other.facts()) is not None:
                continue
            if need_of_stated(ClientKind(other), environment).met:
                continue
            found = judge(other, environment)
            if found.run:
                return " and ".join(chosen), found
    return None
