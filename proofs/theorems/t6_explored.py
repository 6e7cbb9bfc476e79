"""T6 and T7 beside a search of small networks: for how long two hosts have one address.

All runs of two hosts are explored.  For each state in which a host is displaced, or in conflict,
the longest time is found that may have passed since the server committed its address to the other,
or since the other has it.  Nothing of the proofs is used: neither invariants nor history variables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from holdover.model.clients.profile import Environment, Profile, in_ticks, load
from holdover.model.explorer.explore import bytes_per_state, explore
from holdover.model.readings.constants import seconds
from holdover.model.readings.finite import Instance, Label, State, bounds_for
from holdover.model.table.bound import contested_for, displaced_for
from holdover.model.table.client import in_conflict
from holdover.model.table.expr import Expr
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import a, asleep, h, holds
from holdover.proofs.logic.displaced import given_away
from holdover.proofs.result import Check

if TYPE_CHECKING:  # numpy: see reference/signals.py
    from holdover.model.readings.ground import Array

TICK = Fraction(8)
"""Seconds."""

FURTHER = 3
"""How many ticks past the bound a search looks."""

MOST = 2_000_000
"""States at most, 32 MB: the search is not kept in parts."""


@dataclass(frozen=True)
class SmallNetwork:
    """A client in its surroundings, and how many datagrams it takes to see it."""

    name: str
    client: Profile
    world: Environment
    datagrams: int = 1

    @property
    def constants(self) -> dict[str, object]:
        """The constants of the table, in ticks."""
        return in_ticks(self.client, self.world, TICK)


def settings() -> Iterator[SmallNetwork]:
    """What a client may be like that is refused, or whose lease ends: a lease of eight ticks."""
    world = Environment(
        lease=8 * TICK, delay=TICK, faults=frozenset({"forgets"}), patient=True, authoritative=True
    )
    client = replace(load("rfc2131"), asks_for=TICK)
    waits = replace(client, after_nak="WAIT", nak_late=TICK)
    yield SmallNetwork("refused", client, world)
    yield SmallNetwork("waits after a DHCPNAK", waits, world)
    yield SmallNetwork("counts from the DHCPACK", replace(client, anchor="ACK"), world, 2)
    yield SmallNetwork("ignores DHCPNAK", replace(client, heeds_nak="NEVER"), world)
    yield SmallNetwork("a silent server", client, replace(world, authoritative=False))
    late = replace(client, late=TICK, heeds_nak="NEVER")
    yield SmallNetwork("ignores DHCPNAK, and is late", late, world)


def longest_displaced(setting: SmallNetwork, part: int | None = None) -> tuple[int, int | None]:
    """The bound, and the longest time for which the first host is displaced, in ticks.

    `part`: in the first so many states alone, so that it may be longer.
    """
    bound = int(seconds(displaced_for(h), setting.constants))
    holding = (holds[h] == a) & ~asleep[h]
    return bound, longest(setting, bound, given_away(h, a), holding, ("commit", "reuse"), part)


def longest_conflict(setting: SmallNetwork, part: int | None = None) -> tuple[int, int | None]:
    """The bound, and the longest time for which two hosts have the address; `part` likewise."""
    bound = int(seconds(contested_for(h), setting.constants))
    return bound, longest(setting, bound, in_conflict(h), in_conflict(h), (), part)


def longest(
    setting: SmallNetwork,
    bound: int,
    since: Expr,
    still: Expr,
    anew: Collection[str],
    part: int | None = None,
) -> int | None:
    """How long ago the state `since` began at most, where it is `still` so; None if it never is.

    In ticks, of the first host and address.  The rows `anew` begin it again.  It is looked for up
    to `FURTHER` ticks past the bound: that much says that it may be longer.  Of the first `part`
    states it is the longest that they have.
    """
    most = bound + FURTHER
    bounds = bounds_for(setting.constants, 2, 1, setting.datagrams, past=most)
    instance = Instance(LEASE_TABLE, setting.constants, bounds)
    if part is not None:
        return longest_of(seen_in_part(instance, since, still, anew, part), most)
    seen = seen_in_all(instance, since, still, anew)
    if seen is None:
        raise MemoryError(f"{setting.name}: the search was cut off")
    return longest_of(seen, most)


@dataclass(frozen=True)
class Seen:
    """What was asked of some states, and the steps between them, as arrays.

    `since` and `still` say of each state whether that is so.  Of each step: from which state, to
    which, whether its row begins it `anew`, and the ticks that pass.
    """

    since: Array
    still: Array
    sources: Array
    targets: Array
    anew: Array
    passed: Array


def seen_in_all(instance: Instance, since: Expr, still: Expr, anew: Collection[str]) -> Seen | None:
    """All states, by the engine's kernel; None if there are more than `MOST`.

    The tests hold it to the plain explorer.
    """
    import numpy as np  # by this search alone: see reference/signals.py

    from holdover.model.engine.ways import Ways
    from holdover.model.packed.components import STEP, PackedRule
    from holdover.model.packed.tables import tabulate

    ways = Ways(*tabulate(instance))
    words = ways.within_reach(ways.moves, MOST)
    if words is None:
        return None
    words.sort()

    def kind(rule: PackedRule) -> tuple[bool, int]:
        return rule.name in anew, ticks(instance.labels[rule.label])

    def steps(of: tuple[bool, int]) -> tuple[Array, Array]:
        chosen = ways.rules(lambda rule: rule.form == STEP and kind(rule) == of)
        return ways.steps(words, chosen)

    kinds = list(dict.fromkeys(kind(r) for r in ways.tabulated.rules if r.form == STEP))
    found = [(*steps(each), *each) for each in kinds]
    lengths = [len(sources) for sources, *_ in found]
    sources, targets, again, passed = zip(*found, strict=True)
    return Seen(
        ways.holds(words, since, {h: 0, a: 0}),
        ways.holds(words, still, {h: 0, a: 0}),
        np.concatenate(sources),
        np.searchsorted(words, np.concatenate(targets)),
        np.repeat(again, lengths),
        np.repeat(passed, lengths),
    )


def seen_in_part(
    instance: Instance, since: Expr, still: Expr, anew: Collection[str], part: int
) -> Seen:
    """The first `part` states, by the plain explorer."""
    import numpy as np

    seen = explore(instance, keep_steps=True, memory=part * bytes_per_state(instance))
    lasts, has = asks(instance, since), asks(instance, still)
    sources, targets, edges = np.asarray(seen.taken).reshape(-1, 3).T
    labels = instance.labels
    return Seen(
        np.array([lasts(state) for state in seen.states], dtype=np.bool_),
        np.array([has(state) for state in seen.states], dtype=np.bool_),
        sources,
        targets,
        np.array([label.action.name in anew for label in labels])[edges],
        np.array([ticks(label) for label in labels])[edges],
    )


def longest_of(seen: Seen, most: int) -> int | None:
    """How long ago `since` began at most, in ticks, where it is `still` so; `most` is that much.

    None if it never is.
    """
    import numpy as np

    sources, targets = seen.sources, seen.targets
    goes_on = seen.since[sources] & seen.since[targets] & ~seen.anew
    ages = np.full(len(seen.since), -1)
    """For each state, how long ago it began at most; -1 where it is not so."""
    ages[targets[seen.since[targets] & ~goes_on]] = 0
    sources, targets, passed = sources[goes_on], targets[goes_on], seen.passed[goes_on]
    while True:
        older = np.where(ages[sources] < 0, -1, np.minimum(most, ages[sources] + passed))
        longer = older > ages[targets]
        if not longer.any():
            break
        np.maximum.at(ages, targets[longer], older[longer])
    return max(ages[seen.still & (ages >= 0)].tolist(), default=None)


def ticks(label: Label) -> int:
    """The ticks that pass in a step by this edge."""
    return label.binding[0] if label.action.name == "tick" else 0


def asks(instance: Instance, term: Expr) -> Callable[[State], bool]:
    """A property of the first host and address as a function."""
    found = instance.largest([(instance.source_of(term, {h: 0, a: 0}), "0")])
    return lambda state: found(state) is not None


def compare(
    setting: SmallNetwork,
    search: Callable[[SmallNetwork], tuple[int, int | None]] = longest_displaced,
    what: str = "time",
) -> Check:
    """The longest time, or conflict, that a search finds is the bound."""
    start = time.perf_counter()
    bound, found = search(setting)
    return Check(
        f"explored, {setting.name}",
        f"the longest {what} that a search finds is the bound: {setting.name}",
        "holds" if found == bound else "violated",
        f"search {found}, bound {bound} ticks",
        time.perf_counter() - start,
    )
