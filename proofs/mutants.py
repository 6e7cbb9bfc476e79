"""Spec mutation: every guard, effect and deadline of the lease table is there for a reason.

Theory of operation.  A *mutant* is the table without one part: a guard, a conjunct of a guard, an
effect, or a deadline.  Each is judged against checks that the table itself passes; a check that the
mutant fails *kills* it.  The strongest killer is named, in this order:

* crash: the mutant reads an unset instant, so a guard protected it;
* property: a property that holds on a small configuration fails;
* proof: an obligation of T2 or T3 that was proved is refuted;
* count: a small configuration has other states, steps or depth.

A configuration on which the changed row does the same in every reachable state is not explored
again: its graph is the same.  What no check kills must be *equivalent*, and Z3 must say why: the
dropped guard follows from the others and from `FACTS`, or the dropped effect assigns what the
variable has anyway.  `FACTS` are invariants of every client in every environment, proved here.
The rest *survives*: either a check is missing, or the part is superfluous.

Not here: changed operators and constants, added guards, pairs of mutations.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

import click
import z3
from rich.console import Console
from rich.table import Table as Listing

from holdover.model.client import NO_ADDRESS, UNSET, first_ask, leased, renewing
from holdover.model.explore import Exploration, bytes_per_state, explore
from holdover.model.expr import (
    DURATION,
    INSTANT,
    TRUE,
    Action,
    Effect,
    Expr,
    Variable,
    forall,
    is_in,
    none,
)
from holdover.model.finite import Instance, bounds_for
from holdover.model.named import in_words
from holdover.model.profile import Environment, Profile, in_ticks, load
from holdover.model.properties import ALWAYS, STEPS, Property
from holdover.model.prose import due as prose_of_due
from holdover.model.prose import effects as prose_of_effects
from holdover.model.prose import text as prose_of
from holdover.model.server import NOBODY
from holdover.model.table import LEASE_TABLE, Table, tick
from holdover.model.words import (
    a, address, asked, client, current, h, holds, kernel_end, kind, lease, lease_end, m, notice,
    owner, phase, process, rebind_at, renew_at, sent, server_end, stepped, wants, withheld,
)  # fmt: skip
from holdover.proofs.grace import sufficient
from holdover.proofs.obligations import Case, decide, guards, premises
from holdover.proofs.parametric import After, Initially, Logic, any_clock, domain, nothing, parameters
from holdover.proofs.safety import TOLERATED, case, numbers

Part = Literal["guard", "effect", "due"]
Killer = Literal["crash", "property", "proof", "count", "equivalent", "survives"]
KILLERS: tuple[Killer, ...] = ("crash", "property", "proof", "count", "equivalent", "survives")

# Mutants -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """The lease table without one part; `changed` is the row that behaves otherwise."""

    row: str
    part: Part
    place: str
    text: str
    changed: Action
    table: Table = field(repr=False)

    @property
    def name(self) -> str:
        """Row, part and its number, as in `bind/guard 3`."""
        return f"{self.row}/{self.part} {self.place}"

    @property
    def original(self) -> Action:
        """The row as it stands in the lease table."""
        return LEASE_TABLE.action(self.changed.name)


def mutants(rows: Sequence[str] = ()) -> Iterator[Mutant]:
    """The lease table with one part dropped, in its order; all rows, or those named."""
    for action in LEASE_TABLE.actions:
        if rows and action.name not in rows:
            continue
        for place, text, guards_left in without_a_guard(action):
            yield mutant(action, "guard", place, text, replace(action, when=guards_left))
        for number, effect in enumerate(action.then):
            left = action.then[:number] + action.then[number + 1 :]
            text = prose_of_effects([effect], in_words())[0]
            yield mutant(action, "effect", str(number + 1), text, replace(action, then=left))
        if action.due is not None:
            text = prose_of_due(action.due, in_words())
            yield mutant(action, "due", "", text, replace(action, due=None))


def without_a_guard(action: Action) -> Iterator[tuple[str, str, tuple[Expr, ...]]]:
    """What is left of the guards without one of them, or without a conjunct of one.

    The guards that `tick` reads off the deadlines of other rows are dropped with these.
    """
    derived = sum(row.due is not None for row in LEASE_TABLE.actions) if action.name == "tick" else 0
    for number, guard in enumerate(action.when):
        if 1 <= number <= derived:
            continue
        before, after = action.when[:number], action.when[number + 1 :]
        yield f"{number + 1}", prose_of(guard, in_words()), (*before, *after)
        parts = conjuncts(guard)
        for i, part in enumerate(parts if len(parts) > 1 else ()):
            kept = parts[:i] + parts[i + 1 :]
            yield f"{number + 1}.{i + 1}", prose_of(part, in_words()), (*before, *kept, *after)


def conjuncts(term: Expr) -> tuple[Expr, ...]:
    """The terms that a conjunction joins; another term alone."""
    if term.op != "and":
        return (term,)
    return tuple(part for arg in term.args if isinstance(arg, Expr) for part in conjuncts(arg))


def mutant(action: Action, part: Part, place: str, text: str, changed: Action) -> Mutant:
    """The table in which a row is changed; without its deadline, it is time that is changed."""
    rows = [changed if row is action else row for row in LEASE_TABLE.actions]
    if part == "due":
        changed = tick(tuple(row for row in rows if row.name != "tick"))
        rows = [changed if row.name == "tick" else row for row in rows]
    return Mutant(action.name, part, place, text, changed, Table(LEASE_TABLE.variables, tuple(rows)))


# Configurations ----------------------------------------------------------------------------------

TICK = Fraction(1000)
"""Seconds: so long that each of a profile's own durations is one tick, and instances are small."""


@dataclass(frozen=True)
class Setting:
    """A small configuration: a client, its surroundings in ticks, and how many there are."""

    name: str
    client: Profile
    faults: tuple[str, ...] = ()
    hosts: int = 1
    addresses: int = 1
    messages: int = 1
    lease: int = 2
    surroundings: Mapping[str, object] = field(default_factory=dict)

    def instance(self, table: Table) -> Instance:
        """A table in this configuration."""
        scaled = {k: v * TICK if type(v) is int else v for k, v in self.surroundings.items()}
        whole: dict[str, Any] = {"acknowledge_within": None, **scaled}
        environment = Environment(self.lease * TICK, faults=frozenset(self.faults), **whole)
        constants = in_ticks(self.client, environment, TICK)
        bounds = bounds_for(constants, self.hosts, self.addresses, self.messages)
        return Instance(table, constants, bounds)


def settings() -> tuple[Setting, ...]:
    """Together they let every row fire, and every guard matter; the cheapest first."""
    rfc, reference = load("rfc2131"), load("reference")
    dialog, thereafter = load("wfwg311"), load("wfwg311-thereafter")
    networkd, dhclient = load("networkd"), load("dhclient")
    probing = replace(rfc, probes=True)
    two = {"hosts": 2}
    return (
        Setting("one lease", rfc, ("mutes", "loses"), lease=3),
        Setting("a lease that is released", replace(rfc, releases=True), ("mutes",)),
        Setting("two datagrams", replace(rfc, releases=True), ("mutes",), messages=2),
        Setting("duplicates", rfc, ("duplicates",), messages=2),
        Setting("two addresses", rfc, ("mutes",), addresses=2),
        Setting("the reference client", reference, ("mutes",), lease=3),
        Setting("the reference client killed", reference, ("crashes", "restarts"), lease=3),
        Setting("the reference client frozen", reference, ("freezes", "thaws")),
        Setting("a dialog", dialog, ("mutes",)),
        Setting("tries again", thereafter, ("mutes",)),
        Setting("answers", dialog, ("mutes",), surroundings={"acknowledge_within": 1}),
        Setting("killed", replace(rfc, restart="REMAINDER"), ("crashes", "restarts")),
        Setting("suspended", rfc, ("suspends",)),
        Setting("suspended, clock stops", replace(networkd, clock="MONOTONIC"), ("suspends",)),
        Setting("the clock set back", dhclient, ("steps",), surroundings={"step": 1}),
        Setting("delays", rfc, ("mutes",), surroundings={"delay": 1}),
        Setting("delays, frozen", rfc, ("freezes", "thaws"), surroundings={"delay": 1}),
        Setting("late", replace(rfc, late=TICK), ("mutes",)),
        Setting("no xid", replace(rfc, checks_xid=False), ("duplicates",), messages=2),
        Setting("deaf to NAK", replace(rfc, heeds_nak="NEVER"), ("forgets",)),
        Setting("unicast NAK", replace(rfc, heeds_nak="UNICAST"), ("forgets",)),
        Setting("never releases", load("networkd-keep"), ("mutes", "crashes", "restarts")),
        Setting("drift", rfc, ("shortens",),
                lease=3, surroundings={"drift": Fraction(1, 2), "shortest": 1}),
        Setting("shorter", rfc, ("shortens",), lease=3, surroundings={"shortest": 1}),
        Setting("a floor", replace(rfc, floor=3 * TICK)),
        Setting("grace", rfc, ("mutes",), **two, surroundings={"grace": 1}),
        Setting("reuse early", rfc, ("reuses_early",), **two),
        Setting("forged", rfc, ("forges",), **two),
        Setting("a rival", rfc, ("rival",), **two),
        Setting("forgotten", rfc, ("forgets",), **two),
        Setting("forgotten, probed", probing, ("forgets",), **two),
        Setting("forgotten, durable", rfc, ("forgets",), surroundings={"durable": True}),
        Setting("the server probes", dialog, ("forgets",), **two,
                surroundings={"server_probes": True}),
    )  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A configuration as the lease table itself behaves in it."""

    setting: Setting
    seen: Exploration
    always: tuple[Property, ...]
    steps: tuple[Property, ...]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Distinct states, steps, depth."""
        return len(self.seen.states), self.seen.steps, self.seen.depth

    def shows(self, changed: Mutant) -> bool:
        """Whether the changed row does something else in a state that the table reaches."""
        before, after = (
            self.setting.instance(Table(LEASE_TABLE.variables, (row,))).successors
            for row in (changed.original, changed.changed)
        )
        try:
            return any([t for _, t in before(s)] != [t for _, t in after(s)] for s in self.seen.states)
        except TypeError:
            return True


def sample(setting: Setting) -> Sample:
    """Explore a configuration; the properties that hold there are those a mutant must keep."""
    instance = setting.instance(LEASE_TABLE)
    seen = explore(instance, ALWAYS, STEPS)
    assert seen.complete
    kept = [tuple(p for p in group if p.name not in seen.violations) for group in (ALWAYS, STEPS)]
    return Sample(setting, seen, *kept)


# What kills --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fate:
    """What became of a mutant, and by what; all text, so that processes can exchange it."""

    row: str
    part: Part
    place: str
    text: str
    killer: Killer
    detail: str


@dataclass(frozen=True)
class Bench:
    """What mutants are put to: configurations, claims of the theorems, and facts."""

    samples: tuple[Sample, ...]
    cases: tuple[Case, ...]
    facts: tuple[Property, ...]


@functools.cache
def bench() -> Bench:
    """All there is; the facts only if they are proved."""
    bound = sufficient()
    # A counterexample without drift is one; with any clocks Z3 finds none.
    claims = (case("reference", TOLERATED["reference"]), replace(bound, fixed={**bound.fixed, "drift": 0}))
    samples = tuple(sample(setting) for setting in settings())
    return Bench(samples, claims, FACTS if founded() else ())


def judge(changed: Mutant, on: Bench | None = None) -> Fate:
    """The strongest check that the mutant fails; if none, why it is equivalent; else it survives."""
    on = on or bench()
    killer, detail = explored(changed, on.samples)
    if killer in ("survives", "count"):
        if broken := refuted(changed, on.cases):
            killer, detail = "proof", broken
        elif killer == "survives" and (reason := equivalent(changed, on.facts)):
            killer, detail = "equivalent", reason
    return Fate(changed.row, changed.part, changed.place, changed.text, killer, detail)


def explored(changed: Mutant, samples: Sequence[Sample]) -> tuple[Killer, str]:
    """What the explorer finds: a crash or a broken property, else a count that differs."""
    count = ""
    for known in samples:
        if (count and not known.always) or not known.shows(changed):
            continue
        where = known.setting.name
        states, steps, depth = known.counts
        try:
            instance = known.setting.instance(changed.table)
            room = 3 * states // 2 * bytes_per_state(instance)
            seen = explore(instance, known.always, known.steps, stop=True, memory=room)
        except TypeError as error:
            return "crash", f"{where}: {error}"
        for name, trace in seen.violations.items():
            return "property", f"{where}: {name} fails after {len(trace)} steps"
        if seen.stopped_by:
            count = count or f"{where}: more than {states} states"
        elif (found := (len(seen.states), seen.steps, seen.depth)) != known.counts:
            changes = zip(("states", "steps", "depth"), known.counts, found, strict=True)
            count = count or f"{where}: " + ", ".join(
                f"{now} {what} instead of {before}" for what, before, now in changes if now != before
            )
    return ("count", count) if count else ("survives", "")


EFFORT = 3_000_000
"""What Z3 may spend on one obligation, in its own deterministic units."""


def bounded_solver(*assertions: Any) -> Any:
    """A solver that gives up after its effort."""
    solver = z3.Solver()
    solver.set("rlimit", EFFORT)
    solver.add(*assertions)
    return solver


def refuted(changed: Mutant, cases: Sequence[Case]) -> str:
    """An obligation of the changed row that has a counterexample; it was proved before."""
    for claim in cases:
        allowed = guards(claim, changed.changed)
        if allowed is None:
            continue
        after = After(claim.fixed, changed.changed, parameters(changed.changed))
        solver = bounded_solver(*premises(claim), *allowed)
        for conjunct in claim.invariant:
            solver.push()
            solver.add(z3.Not(after.read(conjunct.term, {})))
            if solver.check() == z3.sat:
                return f"{claim.name}/{changed.changed.name}/{conjunct.name} is refuted"
            solver.pop()
    return ""


# What is equivalent ------------------------------------------------------------------------------

FACTS: tuple[Property, ...] = ()
"""Invariants of every client in every environment."""

OPEN = Case("facts", "every client in every environment", FACTS, {}, numbers())


def founded() -> bool:
    """Whether the facts are inductive, with nothing assumed of client and environment."""
    return not FACTS or decide(OPEN, firing_too=False).proved


def equivalent(changed: Mutant, facts: Sequence[Property]) -> str:
    """Why the mutant is the same table: nothing that it does differently is possible."""
    before, after = changed.original, changed.changed
    if changed.part == "effect":
        later = before.then[int(changed.place) :]
        dropped = before.then[int(changed.place) - 1]
        if any(e.variable is dropped.variable and e.at is dropped.at and not e.every for e in later):
            return "a later effect of the row sets the same"
    logic, binding = Logic({}), parameters(before)
    allowed = guards(OPEN, after)
    assert allowed is not None
    if changed.part == "effect":
        dropped = before.then[int(changed.place) - 1]
        at = [z3.Const("there", domain(dropped.variable.index))] if dropped.variable.index else []
        differs = After({}, before, binding).state(dropped.variable, at) != After({}, after, binding).state(dropped.variable, at)
        allowed += [x != nothing(dropped.variable.index) for x in at]
        reason = "the variable has that value already"
    else:
        differs = z3.Not(z3.And([logic.read(term, binding) for term in before.when]))
        reason = "implied by the other guards"
    solver = z3.Solver()
    solver.set("rlimit", EFFORT)
    solver.add(*(logic.read(term, {}) for term in numbers()), *any_clock(), *allowed, differs)
    for fact in facts:
        solver.assert_and_track(logic.read(fact.term, {}), fact.name)
    if solver.check() != z3.unsat:
        return ""
    needed = sorted(str(name) for name in solver.unsat_core())
    return " and ".join([reason, *needed])
