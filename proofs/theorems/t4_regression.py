"""T4, the fix regression-tested: but for the moment of release, nothing has changed.

Q151387 STATUS says of the fix that it "has not been regression tested".  Here it is: project each
state onto everything but the address on the interface and the ends of a lapsed lease.  The
projection is a bisimulation, for `wfwg311` and for `wfwg311-fixed`, onto one and the same labelled
graph: whatever the old client could do next, the new one can, and the reverse.  And the notice is
not lost: every lapse makes it due, only showing it ends that, and time does not pass before.

Checked on closed instances, not for any size; with servers and clients that do not probe: a
probe sees who still holds an address, which is the difference.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from fractions import Fraction

from holdover.model.clients.profile import Environment, in_ticks, load
from holdover.model.explorer.explore import Exploration, explore
from holdover.model.readings.finite import Instance, State, bounds_for
from holdover.model.readings.narrow import narrow_down
from holdover.model.table.client import leased
from holdover.model.table.expr import exists, following, forall
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import h, notice
from holdover.proofs.result import Check, Progress, Theorem, silent

TITLE = "the fix changes when the address is released, and nothing else"
ENVIRONMENT = Environment(acknowledge_within=None, faults=frozenset({"mutes"}))
TICK = Fraction(1200)
"""A lease of an hour in three: T1, T2 and the end are a tick apart."""

SIZES = ((1, 1, 1), (1, 2, 1), (2, 1, 1))

NEVER: Mapping[str, frozenset[str]] = {
    "nobody probes": frozenset(
        {"use", "decline", "withhold", "disregard", "set_aside", "reinstate"}
    ),
    "nobody releases": frozenset({"release", "relinquish", "free"}),
    "no process is started again": frozenset({"reboot", "keep_remainder"}),
    "no host sleeps": frozenset({"resume", "wake_expired"}),
    "neither client heeds a shorter lease": frozenset({"cut_short", "cut_off"}),
    "neither client gives way": frozenset({"hear_conflict", "conflict_ends", "yield_address"}),
    "both clients heed each DHCPNAK": frozenset({"disregard_nak", "drop_refused"}),
}
"""Rows that these surroundings and clients leave no occasion for; every other one must fire."""

ERASED = ("holds",)
LAPSED_ONLY = ("lease_end", "kernel_end", "stepped")

Quotient = dict[int, set[tuple[str, int]]]
"""For each projected state, by its number, the steps from it: by which edge, and where to."""


def instance(profile: str, sizes: tuple[int, int, int]) -> Instance:
    """The configuration compared."""
    constants = in_ticks(load(profile), ENVIRONMENT, TICK)
    return Instance(LEASE_TABLE, constants, bounds_for(constants, *sizes))


def projection(model: Instance) -> list[tuple[int, str | None]]:
    """What is kept of a state: each place, and the predicate under which it counts."""
    kept: list[tuple[int, str | None]] = []
    for place, (variable, member) in enumerate(model.slots):
        if variable.name in ERASED:
            continue
        condition = None
        if variable.name in LAPSED_ONLY:
            condition = model.source_of(leased(h), {h: member})
        kept.append((place, condition))
    return kept


def quotient_of(seen: Exploration, numbers: dict[Hashable, int]) -> Quotient | None:
    """The labelled graph over projected states; None if equal projections differ in their steps.

    `numbers` has the numbers of projected states, and is given those that are new.
    """
    model = seen.instance
    parts = [
        f"s[{place}]" if condition is None else f"(s[{place}] if {condition} else None)"
        for place, condition in projection(model)
    ]
    view = model.compiled(f"def view(s):\n    return ({', '.join(parts)},)\n", "view")
    viewed = [numbers.setdefault(view(state), len(numbers)) for state in seen.states]
    names = [str(label) for label in model.labels]
    steps: list[set[tuple[str, int]]] = [set() for _ in seen.states]
    for before, after, edge in steps_taken(seen):
        steps[before].add((names[edge], viewed[after]))
    result: Quotient = {}
    for here, found in zip(viewed, steps, strict=True):
        if result.setdefault(here, found) != found:
            return None
    return result


def steps_taken(seen: Exploration) -> Iterator[tuple[int, int, int]]:
    """Each step of a whole search: from which state, to which, by which edge."""
    return zip(seen.taken[::3], seen.taken[1::3], seen.taken[2::3], strict=True)


def rows_that_never_fire(seen: Exploration) -> set[str]:
    """Rows that should have fired and have not: what is then compared says nothing of them."""
    model = seen.instance
    alone = {"reuse"} if model.bounds.hosts == 1 else set()
    rows = {label.action.name for label in model.labels}
    return rows - set(seen.fired) - frozenset().union(*NEVER.values()) - alone


def explore_both(sizes: tuple[int, int, int]) -> list[Exploration]:
    """The configuration of each client, with all its steps; states have what changes in either."""
    old, new = (instance(profile, sizes) for profile in ("wfwg311", "wfwg311-fixed"))
    return [
        explore(each, keep_steps=True) for each in (narrow_down(old, new), narrow_down(new, old))
    ]


def same_behaviour(
    sizes: tuple[int, int, int], searches: Sequence[Exploration] | None = None
) -> Check:
    """The two clients' quotients are one graph; `searches`, if they have been made already."""
    start = time.perf_counter()
    name = "x".join(str(n) for n in sizes)
    says = f"the same behaviour with hosts x addresses x datagrams = {name}"
    searches = searches or explore_both(sizes)
    if not all(seen.complete for seen in searches):
        return Check(name, says, "unknown", "the search was cut off")
    if missing := sorted(set().union(*map(rows_that_never_fire, searches))):
        return Check(name, says, "violated", f"never fire: {', '.join(missing)}")
    numbers: dict[Hashable, int] = {}
    old, new = (quotient_of(seen, numbers) for seen in searches)
    seconds = time.perf_counter() - start
    if old is None or new is None:
        return Check(name, says, "violated", "states of equal projection differ", seconds)
    edges = sum(len(steps) for steps in old.values())
    detail = f"{len(old)} situations, {edges} steps in the quotient"
    return Check(name, says, "holds" if old == new else "violated", detail, seconds)


def notice_kept(sizes: tuple[int, int, int], seen: Exploration | None = None) -> Check:
    """Each lapse makes the notice due; it stays due until it is shown; time waits for it."""
    start = time.perf_counter()
    seen = seen or explore(instance("wfwg311-fixed", sizes), keep_steps=True)
    model, states = seen.instance, seen.states
    names = [label.action.name for label in model.labels]
    due = notice[h] == "DUE"
    becomes_due = model.step_predicate(exists(h, following(notice[h]) == "DUE"))
    stays_due = model.step_predicate(forall(h, due.implies(following(notice[h]) == "DUE")))
    none_due = model.predicate(forall(h, ~due))
    lapses = 0
    fault: State | None = None
    for before, number, edge in steps_taken(seen):
        row, state, after = names[edge], states[before], states[number]
        lapses += row == "lapse"
        if (
            (row == "lapse" and not becomes_due(state, after))
            or (row == "tick" and not none_due(state))
            or (row != "notify" and not stays_due(state, after))
        ):
            fault = state
    seen_all = seen.complete and lapses > 0
    outcome = "violated" if fault is not None else "holds" if seen_all else "unknown"
    return Check(
        "told",
        "each lapse is followed by its notice, before time passes",
        outcome,  # type: ignore[arg-type]
        f"{lapses} lapses",
        time.perf_counter() - start,
    )


def prove(progress: Progress = silent) -> Theorem:
    """T4's checks."""
    progress("T4: comparing wfwg311 with wfwg311-fixed")
    *smaller, largest = SIZES
    searches = explore_both(largest)
    checks = [*map(same_behaviour, smaller), same_behaviour(largest, searches)]
    return Theorem("T4", TITLE, (*checks, notice_kept(largest, searches[1])))
