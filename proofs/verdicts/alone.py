"""Verdicts on one client by itself: whether it obeys, what it loses, and whether it recovers.

To let go of everything at once is safe, and of no use.  So a verdict on collisions is printed with
three others, on one host in the same surroundings and a server that may lose its leases
(`forgets`), for else no DHCPNAK comes:

* `obeys_nak`: an address that a DHCPNAK has refused it goes within the delay that it declares;
* `keeps`: while its process and its lease go on, it keeps the address;
* `recovers`: once the faults are over, and whatever is possible again and again does happen, it
  is bound to an address, from whatever state it has come to.

They are explored: every state of one host, one address and one datagram, a lease in three ticks,
clocks that are right, datagrams that arrive at once or are lost.  Nothing is said of other sizes.
Whether who never releases (`trigger`) gets a lease again is unknown: the table has no row for what
it asks when its lease is over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import Environment, Profile
from holdover.model.explorer.configurations import EVENTUALLY, FAULT_ROWS
from holdover.model.explorer.explore import Exploration, Trace, explore
from holdover.model.explorer.instances import small_instance
from holdover.model.explorer.sequence_chart import ChartEvent, events
from holdover.model.table.properties import KEEPS, OBEYS_NAK
from holdover.proofs.result import Outcome

TICKS = 3
MEMORY = 200 << 20

SAYS = {
    OBEYS_NAK.name: "obeys a DHCPNAK",
    KEEPS.name: "keeps its address while its lease goes on",
    "recovers": "gets a lease again",
}
"""The properties, in the order in which they are told, and how."""


@dataclass(frozen=True)
class VerdictAlone:
    """The verdict on a property, with a shortest run where it is violated, in ticks."""

    name: str
    outcome: Outcome
    states: int
    run: tuple[ChartEvent, ...] = ()

    @property
    def says(self) -> str:
        """What the client does, if it holds."""
        return SAYS[self.name]


def judge_alone(profile: Profile, environment: Environment) -> tuple[VerdictAlone, ...]:
    """The verdicts on a client all of whose facts are stated, in the order of `SAYS`."""
    world = replace(environment.and_faults("forgets"), drift=Fraction(0), delay=Fraction(0))
    one = small_instance((ClientKind(profile),), world, TICKS, 1, 1)
    seen = explore(one, (OBEYS_NAK,), (KEEPS,), memory=MEMORY, keep_steps=True)
    asks_on = profile.trigger != "NEVER"
    broken = dict(seen.violations)
    if seen.complete and asks_on and (trace := strand(seen)):
        broken["recovers"] = trace

    def verdict(name: str) -> VerdictAlone:
        decided = seen.complete and (asks_on or name != "recovers")
        outcome: Outcome = "holds" if decided else "unknown"
        if name in broken:
            outcome = "violated"
        return VerdictAlone(name, outcome, len(seen.states), tell_run(broken.get(name)))

    return tuple(verdict(name) for name in SAYS)


def strand(seen: Exploration) -> Trace | None:
    """A shortest run to where the client never gets a lease again, though no fault goes on.

    As `graphs.never_reaches` finds it, and says why; without numpy, which takes longer to import
    than these few states to search.
    """
    goal = seen.instance.predicate(EVENTUALLY["recovers"])
    faults = {n for n, label in enumerate(seen.instance.labels) if label.action.name in FAULT_ROWS}
    before: dict[int, list[int]] = {}
    steps = iter(seen.taken)
    for source, target, edge in zip(steps, steps, steps, strict=True):
        if edge not in faults:
            before.setdefault(target, []).append(source)
    reaching = {number for number, state in enumerate(seen.states) if goal(state)}
    new = list(reaching)
    while new:
        found = set(before.get(new.pop(), ())) - reaching
        reaching |= found
        new += found
    left = next((n for n in range(len(seen.states)) if n not in reaching), None)
    return None if left is None else seen.trace(left)


def tell_run(trace: Trace | None) -> tuple[ChartEvent, ...]:
    """A run as it is told, at the ticks of its search."""
    return () if trace is None else tuple(events(trace))
