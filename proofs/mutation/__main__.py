"""Spec mutation: every guard, effect and deadline of the lease table is there for a reason.

Theory of operation.  A *mutant* is the table without one part: a guard, a conjunct of a guard, an
effect, or a deadline.  Each is judged by checks that the table itself passes; a check that the
mutant fails *kills* it, and the strongest is named:

* crash: the mutant reads an unset instant, so the part protected it;
* property: a property that holds in a small configuration fails;
* proof: an obligation of T2, of T3 or of `FACTS` that was proved has a counterexample;
* law: a step that the changed row takes, and the row itself would not, breaks one of `laws.py`;
* count: a small configuration has other states, steps or depth.

A configuration in which the changed row does the same in every reachable state is not explored
again: its graph is the same.  A mutant that nothing kills must be explained:

* equivalent: Z3 says why: the dropped guard follows from the others and from `FACTS`, or the
  dropped effect assigns what the variable has anyway;
* alike: in every configuration in which it shows, nothing but the variable that the dropped effect
  set is different and no row reads it, or the same states are reached by as many steps.  That is
  observed, not proved.

The rest *survives*: a check is missing, or the part is superfluous.  `FACTS` are invariants of
every client in every environment; unless they are proved, nothing is called equivalent by them.

`python -m holdover.proofs.mutation` judges all; `--record` writes what the documentation shows.

Not here: changed operators and constants, added parts, pairs of mutations.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import click
import z3
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table as Listing

from holdover.model.clients.profile import Environment, Profile, in_ticks, load
from holdover.model.errors import nearest
from holdover.model.explorer.explore import Exploration, bytes_per_state, explore
from holdover.model.readings.definitions import in_words
from holdover.model.readings.finite import Instance, State, Successors, bounds_for
from holdover.model.readings.prose import due as prose_of_due
from holdover.model.readings.prose import effects as prose_of_effects
from holdover.model.readings.prose import text as prose_of
from holdover.model.table.client import NO_ADDRESS, UNSET
from holdover.model.table.client import counts as asking_counts
from holdover.model.table.expr import (
    DURATION,
    Action,
    Constant,
    Effect,
    Expr,
    Variable,
    forall,
    is_in,
    none,
)
from holdover.model.table.laws import ACTS, STATES, TIME
from holdover.model.table.properties import ALWAYS, STEPS, Property
from holdover.model.table.server import NOBODY
from holdover.model.table.table import LEASE_TABLE, Table, tick
from holdover.model.table.vocabulary import (
    CONSTANTS,
    address,
    asked,
    client,
    clock,
    current,
    full,
    h,
    holds,
    kind,
    lease,
    least,
    m,
    phase,
    probing_since,
    process,
    sent,
    stepped,
    wants,
)
from holdover.proofs.logic.first_order import (
    ALIKE,
    After,
    Initially,
    Logic,
    any_clock,
    domain,
    nothing,
    parameters,
)
from holdover.proofs.logic.obligations import (
    Case,
    guards,
    obligations,
    premises,
    read_back,
    variables_of,
)
from holdover.proofs.theorems.t2_safety import TOLERATED, case, numbers
from holdover.proofs.theorems.t3_grace import hearing, missing

Part = Literal["guard", "effect", "due"]
Killer = Literal["crash", "property", "proof", "law", "count", "equivalent", "alike", "survives"]
KILLERS: tuple[Killer, ...] = (
    "crash", "property", "proof", "law", "count", "equivalent", "alike", "survives",
)  # fmt: skip

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
        return f"{self.row}/{self.part} {self.place}".rstrip()

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
    derived = (
        sum(row.due is not None for row in LEASE_TABLE.actions) if action.name == "tick" else 0
    )
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
    return Mutant(
        action.name, part, place, text, changed, Table(LEASE_TABLE.variables, tuple(rows))
    )


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
    lease: int = 3
    shortest: int | None = None
    step: int = 0
    grace: int = 0
    delay: int = 0
    acknowledge_within: int | None = None
    drift: Fraction = Fraction(0)
    server_probes: bool = False
    durable: bool = False
    patient: bool = False

    def instance(self, table: Table) -> Instance:
        """A table in this configuration."""
        durations = ("lease", "shortest", "step", "grace", "delay", "acknowledge_within")
        ticks = {name: getattr(self, name) for name in durations}
        scaled: dict[str, Any] = {n: None if t is None else t * TICK for n, t in ticks.items()}
        environment = Environment(
            **scaled, drift=self.drift, server_probes=self.server_probes, durable=self.durable,
            patient=self.patient, faults=frozenset(self.faults),
        )  # fmt: skip
        constants = in_ticks(self.client, environment, TICK)
        bounds = bounds_for(constants, self.hosts, self.addresses, self.messages)
        return Instance(table, constants, bounds)


def settings() -> tuple[Setting, ...]:
    """Together they let every row fire, and every part of it matter; first where most shows."""
    rfc, reference = load("rfc2131"), load("reference")
    dialog, thereafter, keeps = load("wfwg311"), load("wfwg311-thereafter"), load("networkd-keep")
    networkd, dhclient = load("networkd"), load("dhclient")
    probing = replace(rfc, probes=True, probe_time=TICK)
    remembering = replace(rfc, restart="REMAINDER")
    wall, never = replace(remembering, clock="WALL"), replace(probing, trigger="NEVER")
    heeding = replace(remembering, heeds_shorter=True)
    heeding_probing = replace(heeding, probes=True, probe_time=TICK)
    ends = ("freezes", "thaws", "crashes", "stops", "restarts", "suspends")
    half, two = Fraction(1, 2), 2
    return (
        Setting("one lease", rfc, ("mutes", "loses"), lease=3),
        Setting("the clock set back", wall, ("steps", "forgets", "crashes", "restarts"), step=1),
        Setting("two hosts", rfc, ("mutes",), hosts=two, grace=1),
        Setting("the reference client", reference, ("mutes",), lease=3),
        Setting("killed, probing", reference, ("crashes", "restarts"), lease=3),
        Setting("suspended", rfc, ("suspends",)),
        Setting("suspended, its clock stops", replace(networkd, clock="MONOTONIC"), ("suspends",)),
        Setting("forgotten, probed", probing, ("forgets",), hosts=two),
        Setting("two addresses", rfc, ("mutes",), addresses=two),
        Setting("released", replace(rfc, releases=True), ("mutes",)),
        Setting("two datagrams", replace(rfc, releases=True), ("mutes",), messages=two),
        Setting("duplicates", rfc, ("duplicates",), messages=two),
        Setting("frozen, probing", reference, ("freezes", "thaws")),
        Setting("a dialog", dialog, ("mutes",)),
        Setting("tries again", thereafter, ("mutes",)),
        Setting("answered in time", dialog, ("mutes",), acknowledge_within=1),
        Setting("killed", remembering, ("crashes", "restarts")),
        Setting("ended in order", remembering, ("stops", "restarts")),
        Setting("ended in order, probing", reference, ("mutes", "stops", "restarts"), lease=3),
        Setting("delays", rfc, ("mutes",), delay=1),
        Setting("delays, frozen", rfc, ("freezes", "thaws"), delay=1),
        Setting("late", replace(rfc, late=TICK), ("mutes",)),
        Setting("no xid", replace(rfc, checks_xid=False), ("duplicates",), messages=two),
        Setting("deaf to NAK", replace(rfc, heeds_nak="NEVER"), ("forgets",)),
        Setting("unicast NAK", replace(rfc, heeds_nak="UNICAST"), ("forgets",)),
        Setting("never releases", keeps, ("mutes", "crashes", "restarts")),
        Setting("never releases, suspended", keeps, ("suspends",)),
        Setting("drift", rfc, ("shortens",), lease=4, shortest=2, drift=half),
        Setting("drift, reuse early", rfc, ("shortens", "reuses_early"), hosts=two, shortest=1,
                drift=half),
        Setting("shorter", rfc, ("shortens",), lease=3, shortest=1),
        Setting("shorter, heeded", heeding, ("shortens", "mutes"), lease=3, shortest=1, delay=1,
                messages=two),
        Setting("shorter, heeded, probing", heeding_probing, ("shortens",), lease=4,
                shortest=2, messages=two),
        Setting("shorter, heeded, drift", heeding, ("shortens",), lease=4, shortest=2, drift=half,
                messages=two),
        Setting("shorter, heeded by the patient", heeding, ("shortens", "crashes", "restarts"),
                shortest=1, delay=1, messages=two, patient=True),
        Setting("shorter, heeded, frozen", heeding, ("shortens", "freezes"), shortest=1, delay=1,
                messages=two),
        Setting("shorter, heeded, suspended", heeding, ("shortens", "suspends"), shortest=1,
                delay=1, messages=two),
        Setting("shorter, heeded, two hosts", heeding, ("shortens",), hosts=two, shortest=1,
                delay=1, messages=two),
        Setting("shorter, heeded, two addresses", heeding, ("shortens",), addresses=two,
                shortest=1, delay=1, messages=two),
        Setting("shorter, heeded, without xid", replace(heeding, checks_xid=False), ("shortens",),
                addresses=two, shortest=1, delay=1, messages=two),
        Setting("shorter, heeded, set back", replace(heeding, clock="WALL"),
                ("shortens", "steps"), shortest=1, delay=1, step=1, messages=two),
        Setting("a floor", replace(rfc, floor=3 * TICK)),
        Setting("reuse early", rfc, ("reuses_early",), hosts=two),
        Setting("reuse early, delays", rfc, ("reuses_early",), hosts=two, delay=1),
        Setting("forged", rfc, ("forges",), hosts=two),
        Setting("a rival", rfc, ("rival",), hosts=two),
        Setting("a rival, probed by the server", rfc, ("rival",), hosts=two, server_probes=True),
        Setting("a rival, two addresses", rfc, ("rival",), addresses=two),
        Setting("a rival, delays", rfc, ("rival", "forgets"), delay=1),
        Setting("forgotten", rfc, ("forgets",), hosts=two),
        Setting("forgotten, durable", rfc, ("forgets",), durable=True),
        Setting("probed by the server", keeps, ("forgets",), hosts=two, server_probes=True),
        Setting("probed by the server, tries again", thereafter, ("mutes",), hosts=two,
                server_probes=True),
        Setting("lost", rfc, ("loses",), hosts=two),
        Setting("suspended, probing", reference, ("suspends",)),
        Setting("a dialog, forgotten", dialog, ("mutes", "forgets")),
        Setting("a dialog, set back", replace(wall, trigger="ACKNOWLEDGE", dialog=True),
                ("steps", "mutes"), step=1),
        Setting("tries again, frozen", thereafter, ("mutes", "freezes")),
        Setting("tries again, suspended", thereafter, ("mutes", "suspends")),
        Setting("whatever stops a client", remembering, ends, lease=3),
        Setting("suspended with a dialog", dialog, ("mutes", "freezes", "suspends")),
        Setting("set back, with a kernel lifetime", dhclient, ("steps", "mutes"), step=1),
        Setting("set back, tries again", replace(wall, trigger="RETRY", retries_for=TICK),
                ("steps", "mutes"), step=1),
        Setting("restarted, two addresses", remembering, ("crashes", "restarts"), addresses=two),
        Setting("renewed, two addresses", rfc, (), addresses=two, lease=3),
        Setting("declined", replace(probing, clock="WALL"), ("reuses_early", "steps", "mutes"),
                hosts=two, lease=1, step=1),
        Setting("declined while frozen", probing, ("reuses_early", "freezes"), hosts=two, lease=1),
        Setting("duplicates, two hosts", rfc, ("duplicates",), hosts=two, messages=two, lease=1),
        Setting("no xid, two addresses", replace(rfc, checks_xid=False), addresses=two,
                messages=two, lease=1),
        Setting("declined while suspended", never, ("reuses_early", "suspends"), hosts=two,
                lease=1),
        Setting("declined, two addresses", never, ("forgets",), hosts=two, addresses=two, lease=1),
    )  # fmt: skip


T = TypeVar("T")
Named: TypeAlias = list[tuple[str, T]]


@dataclass(frozen=True)
class Sample:
    """A configuration as the lease table itself behaves in it."""

    setting: Setting
    seen: Exploration
    always: tuple[Property, ...]
    steps: tuple[Property, ...]

    @property
    def counts(self) -> tuple[int, int, int]:
        """What the lease table's counts are."""
        return counts(self.seen)

    @functools.cached_property
    def kept(self) -> Named[Callable[[State], bool]]:
        """The laws of states."""
        return [(law.name, self.seen.instance.predicate(law.term)) for law in (*STATES, *FACTS)]

    @functools.cached_property
    def acts(self) -> Named[Callable[[State, State], bool]]:
        """The laws of acts."""
        return [(law.name, self.seen.instance.step_predicate(law.term)) for law in ACTS]

    @functools.cached_property
    def time(self) -> Named[Callable[[State, State], bool]]:
        """The laws of time."""
        return [(law.name, self.seen.instance.step_predicate(law.term)) for law in TIME]

    def rows(self, changed: Mutant) -> tuple[Successors, Successors]:
        """What the row itself does in a state, and what the changed one does."""
        before, after = (
            self.setting.instance(Table(LEASE_TABLE.variables, (row,))).successors
            for row in (changed.original, changed.changed)
        )
        return before, after

    def shows(self, changed: Mutant) -> bool:
        """Whether the changed row does something else in a state that the table reaches."""
        before, after = self.rows(changed)
        try:
            return any(
                [t for _, t in before(s)] != [t for _, t in after(s)] for s in self.seen.states
            )
        except TypeError:
            return True


def counts(seen: Exploration) -> tuple[int, int, int]:
    """Distinct states, steps, depth: what is pinned."""
    return len(seen.states), seen.steps, seen.depth


def sample(setting: Setting) -> Sample:
    """Explore a configuration; the properties that hold there are those a mutant must keep."""
    instance = setting.instance(LEASE_TABLE)
    seen = explore(instance, ALWAYS, STEPS)
    assert seen.complete
    kept = [tuple(p for p in group if p.name not in seen.violations) for group in (ALWAYS, STEPS)]
    return Sample(setting, seen, *kept)


# Facts -------------------------------------------------------------------------------------------

FACTS = (
    Property(
        "a free slot is empty", "RFC 2131 §2",
        "a slot without a datagram has no client, address, time, lease or xid",
        forall(m, (kind[m] == "FREE").implies(
            (client[m] == NOBODY) & (address[m] == NO_ADDRESS) & (sent[m] == UNSET) & ~current[m])),
    ),
    Property(
        "only an ACK has a lease", "RFC 2132 §9.2",
        "no other datagram carries option 51",
        forall(m, (kind[m] != "ACK").implies(lease[m] == none(DURATION))),
    ),
    Property(
        "an ACK has a granted lease", "RFC 2131 §4.3.1",
        "its length is between the shortest and the longest that is granted",
        forall(m, (kind[m] == "ACK").implies((least <= lease[m]) & (lease[m] <= full))),
    ),
    Property(
        "a DISCOVER names no address", "RFC 2131 §3.1(1)",
        "the client does not suggest one",
        forall(m, (kind[m] == "DISCOVER").implies(address[m] == NO_ADDRESS)),
    ),
    Property(
        "who probes does not hold", "RFC 5227 §2.1",
        "an address is probed before use",
        forall(h, (phase[h] == "PROBING").implies(holds[h] == NO_ADDRESS)),
    ),
    Property(
        "only an exchange has a request time", "RFC 2131 §4.4.1",
        "only an exchange that an ACK may still say something in has a time of its request",
        forall(h, asking_counts(h) | (asked[h] == UNSET)),
    ),
    Property(
        "who has selected nothing wants nothing", "RFC 2131 §4.3.2",
        "a client wants no address before it has selected one",
        forall(h, is_in(phase[h], "INIT", "SELECTING").implies(wants[h] == NO_ADDRESS)),
    ),
    Property(
        "a dead client has no exchange", "RFC 2131 §3.2",
        "a killed process leaves a lease to reboot with, or nothing",
        forall(h, (process[h] == "DEAD").implies(is_in(phase[h], "INIT", "INIT_REBOOT"))),
    ),
    Property(
        "only who probes knows since when", "RFC 5227 §2.1.1",
        "no other client has a time at which its probing began",
        forall(h, (phase[h] == "PROBING") | (probing_since[h] == UNSET)),
    ),
    Property(
        "only a wall clock steps", "the environment's switches",
        "no other clock can be set back",
        forall(h, stepped[h].implies(clock[h] == "WALL")),
    ),
)  # fmt: skip
"""Invariants of every client in every environment."""

OPEN = Case("facts", "every client in every environment", FACTS, {}, numbers())

EFFORT = 3_000_000
"""What Z3 may spend at once, in its own deterministic units."""


def solver_with(assertions: Sequence[Any], *others: Sequence[Any]) -> tuple[Any, list[list[Any]]]:
    """A solver that gives up after its effort, and other terms to ask it about."""
    own, (before, *rest) = read_back(assertions, *others)
    solver = z3.Solver(ctx=own)
    solver.set("rlimit", EFFORT)
    solver.add(*before)
    return solver, rest


class Unset(Initially):
    """The initial state, what is unset being just that: facts may say that something is unset."""

    def state(self, variable: Variable, at: Sequence[Any]) -> Any:
        """What `words.py` says."""
        if variable.initial == "unset":
            return self.leaf(none(variable.sort))
        return super().state(variable, at)


def proved(facts: Case) -> bool:
    """Whether they hold initially and every row keeps them."""
    start = Unset(facts.fixed)
    assumed = [start.read(term, {}) for term in facts.assumptions]
    initially = [[*assumed, z3.Not(start.read(fact.term, {}))] for fact in facts.invariant]
    kept = (step.assertions for step in obligations(facts) if step.row != "initially")
    return all(solver_with(goal)[0].check() == z3.unsat for goal in (*initially, *kept))


# Judgement ---------------------------------------------------------------------------------------


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
    """What mutants are put to: configurations, proved claims with their premises, and facts."""

    samples: tuple[Sample, ...]
    claims: tuple[tuple[Case, Sequence[Any]], ...]
    facts: tuple[Property, ...]


@functools.cache
def bench() -> Bench:
    """All there is; the facts only if they are proved."""
    facts = FACTS if proved(OPEN) else ()
    # A counterexample without drift, among hosts with one client, is one; of others Z3 finds few.
    usual = {**{n: ALIKE for n, c in CONSTANTS.items() if isinstance(c, Constant)}, "drift": 0}
    claims = (
        case("reference", TOLERATED["reference"]),
        *(replace(any_, fixed={**usual, **any_.fixed}) for any_ in (missing(), hearing())),
        replace(OPEN, invariant=facts, fixed={"drift": 0}),
    )
    samples = tuple(sample(setting) for setting in settings())
    return Bench(samples, tuple((claim, premises(claim)) for claim in claims), facts)


def judge(changed: Mutant, on: Bench | None = None) -> Fate:
    """The strongest check that the mutant fails; if none, why that is so; else it survives."""
    on = on or bench()
    if overwritten(changed):
        detail = "a later effect of the row sets the same"
        return Fate(changed.row, changed.part, changed.place, changed.text, "equivalent", detail)
    killer, detail = explored(changed, on.samples)
    if killer in ("count", "survives") and (broken := refuted(changed, on.claims)):
        killer, detail = "proof", broken
    elif killer in ("count", "survives") and (broken := lawless(changed, on.samples)):
        killer, detail = "law", broken
    elif killer == "count" and (reason := doubled(changed, on.samples)):
        killer, detail = "alike", reason
    elif killer == "survives" and (reason := equivalent(changed, on.facts)):
        killer, detail = "equivalent", reason
    elif killer == "survives" and (reason := alike(changed, on.samples)):
        killer, detail = "alike", reason
    return Fate(changed.row, changed.part, changed.place, changed.text, killer, detail)


LOOKS, SMALL = 8, 4000
"""In how many configurations, and of how many states at most, a broken property is looked for once
a count has differed."""


def explored(changed: Mutant, samples: Iterable[Sample]) -> tuple[Killer, str]:
    """What the explorer finds: a crash or a broken property, else a count that differs."""
    count, looks = "", 0
    for known in samples:
        if count and (looks >= LOOKS or len(known.seen.states) > SMALL):
            continue
        if not known.shows(changed):
            continue
        looks += 1
        where = known.setting.name
        room = 3 * len(known.seen.states) // 2 * bytes_per_state(known.seen.instance)
        try:
            instance = known.setting.instance(changed.table)
            seen = explore(instance, known.always, known.steps, stop=True, memory=room)
        except TypeError as error:
            return "crash", f"{where}: {error}"
        for name, trace in seen.violations.items():
            return "property", f"{where}: {name} fails after {len(trace)} steps"
        count = count or different(known, seen)
    return ("count", count) if count else ("survives", "")


def different(known: Sample, seen: Exploration) -> str:
    """How the counts differ, or nothing."""
    if not seen.complete:
        return f"{known.setting.name}: more than {len(known.seen.states)} states"
    pairs = zip(("states", "steps", "depth"), known.counts, counts(seen), strict=True)
    changes = [f"{what} {now}, not {before}" for what, before, now in pairs if now != before]
    return f"{known.setting.name}: {', '.join(changes)}" if changes else ""


def lawless(changed: Mutant, samples: Iterable[Sample]) -> str:
    """A law that is broken by a step of the changed row which the row itself does not take."""
    of_time = changed.changed.name == "tick"
    for known in samples:
        if not known.shows(changed):
            continue
        before, after = known.rows(changed)
        respected, kept = (known.time if of_time else known.acts), known.kept
        for state in known.seen.states:
            usual = {following for _, following in before(state)}
            for _, following in after(state):
                if following in usual:
                    continue
                broken = [name for name, true in respected if not true(state, following)]
                broken += [name for name, true in kept if not true(following)]
                if broken:
                    return f"{known.setting.name}: {broken[0]}"
    return ""


def refuted(changed: Mutant, claims: Iterable[tuple[Case, Sequence[Any]]]) -> str:
    """An obligation of the changed row that has a counterexample; it was proved before."""
    row = changed.changed
    sets = {effect.variable for effect in row.then}
    for claim, before in claims:
        allowed = guards(claim, row)
        if allowed is None:
            continue
        after = After(claim.fixed, row, parameters(row))
        asked = [conjunct for conjunct in claim.invariant if sets & variables_of(conjunct.term)]
        goals = [z3.Not(after.read(conjunct.term, {})) for conjunct in asked]
        solver, (goals,) = solver_with([*before, *allowed], goals)
        for conjunct, goal in zip(asked, goals, strict=True):
            solver.push()
            solver.add(goal)
            if solver.check() == z3.sat:
                return f"{claim.name}/{row.name}/{conjunct.name}"
            solver.pop()
    return ""


# Explanation -------------------------------------------------------------------------------------


def dropped_effect(changed: Mutant) -> Effect | None:
    """The effect that the mutant has not."""
    return changed.original.then[int(changed.place) - 1] if changed.part == "effect" else None


def overwritten(changed: Mutant) -> bool:
    """Whether a later effect of the row sets what the dropped effect would have set."""
    effect = dropped_effect(changed)
    if effect is None:
        return False
    later = changed.original.then[int(changed.place) :]
    return any(e.variable is effect.variable and e.at is effect.at and not e.every for e in later)


def equivalent(changed: Mutant, facts: Iterable[Property]) -> str:
    """Why the mutant does the same as the table, proved by Z3; or nothing."""
    before, after = changed.original, changed.changed
    logic, binding = Logic({}), parameters(before)
    allowed = guards(OPEN, after)
    assert allowed is not None, "with all constants open, no row is ruled out"
    effect = dropped_effect(changed)
    if effect is None:
        differs = z3.Not(z3.And([logic.read(guard, binding) for guard in before.when]))
        reason = "follows from the other guards"
    else:
        index = effect.variable.index
        at = [z3.Const("there", domain(index))] if index else []
        values = [After({}, row, binding).state(effect.variable, at) for row in (before, after)]
        differs = values[0] != values[1]
        allowed += [there != nothing(index) for there in at if index]
        reason = "the variable has that value already"
    assumed = (*any_clock(), *(logic.read(term, {}) for term in numbers()))
    known = {fact.name: logic.read(fact.term, {}) for fact in facts}
    solver, (terms,) = solver_with([*assumed, *allowed, differs], list(known.values()))
    solver.set("core.minimize", True)
    for name, term in zip(known, terms, strict=True):
        solver.assert_and_track(term, name)
    if solver.check() != z3.unsat:
        return ""
    needed = sorted(str(name) for name in solver.unsat_core())
    return reason + (f", because {' and '.join(needed)}" if needed else "")


def alike(changed: Mutant, samples: Iterable[Sample]) -> str:
    """Why no count differs where an effect is missing, as observed in all configurations."""
    effect = dropped_effect(changed)
    shown = [known for known in samples if known.shows(changed)]
    if effect is None or not shown:
        return ""
    pairs = [(known, known.setting.instance(changed.table)) for known in shown]
    where = f"in {configurations(len(shown))}"
    if all(in_step(known.seen.instance, other, effect.variable) for known, other in pairs):
        return f"no row reads the difference, {where}"
    if all(set(known.seen.states) == set(explore(other).states) for known, other in pairs):
        return f"the same states are reached by as many steps, {where}"
    return ""


def doubled(changed: Mutant, samples: Iterable[Sample]) -> str:
    """Why no other states are reached where only names of steps differ, in all configurations."""
    others = Table(LEASE_TABLE.variables, tuple(
        row for row in LEASE_TABLE.actions if row.name != changed.changed.name
    ))  # fmt: skip
    shown = [known for known in samples if known.shows(changed)]
    for known in shown:
        besides = known.setting.instance(others).successors
        before, after = known.rows(changed)
        for state in known.seen.states:
            one, two = ({s for _, s in ways(state)} for ways in (before, after))
            if one != two and not one ^ two <= {s for _, s in besides(state)}:
                return ""
    return f"other rows take the same steps, in {configurations(len(shown))}"


def configurations(number: int) -> str:
    """So many, in words."""
    return f"{number} configuration{'s' if number > 1 else ''}"


def in_step(known: Instance, other: Instance, but: Variable) -> bool:
    """Whether two instances can always take the same steps and agree in all but one variable."""
    kept = [place for place, (variable, _) in enumerate(known.slots) if variable is not but]
    start = (known.initial, other.initial)
    seen, waiting = {start}, [start]
    while waiting:
        one, two = waiting.pop()
        if any(one[place] != two[place] for place in kept):
            return False
        ways, others = known.successors(one), other.successors(two)
        if [edge for edge, _ in ways] != [edge for edge, _ in others]:
            return False
        for pair in zip((s for _, s in ways), (s for _, s in others), strict=True):
            if pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return True


# All of them -------------------------------------------------------------------------------------


@functools.cache
def by_name() -> dict[str, Mutant]:
    """Every mutant."""
    return {changed.name: changed for changed in mutants()}


def judge_by_name(name: str) -> Fate:
    """For another process, which has its own terms: they are told apart by identity."""
    return judge(by_name()[name])


def run(
    jobs: int = 2, progress: Callable[[int, int], None] | None = None, rows: Sequence[str] = ()
) -> list[Fate]:
    """Judge every mutant, or those of some rows; `progress` is told how many of how many."""
    names = [changed.name for changed in mutants(rows)]
    fates = []
    if jobs == 1:
        judged: Iterable[Fate] = map(judge_by_name, names)
        executor = None
    else:
        context = multiprocessing.get_context("spawn")  # Z3 does not survive a fork
        executor = ProcessPoolExecutor(jobs, mp_context=context)
        judged = executor.map(judge_by_name, names, chunksize=4)
    try:
        for fate in judged:
            fates.append(fate)
            if progress is not None:
                progress(len(fates), len(names))
    finally:
        if executor is not None:
            executor.shutdown(cancel_futures=True)
    return fates


# Report ------------------------------------------------------------------------------------------

RECORD = Path(__file__).with_name("mutants.json")
"""The fates of all mutants as the documentation shows them."""


def summary(fates: Sequence[Fate]) -> str:
    """How many were killed by what."""
    count = Counter(fate.killer for fate in fates)
    killed = ", ".join(f"{KILLED_BY[k]} {count[k]}" for k in KILLED_BY)
    explained = f"equivalent {count['equivalent']}, alike {count['alike']}"
    return f"{len(fates)} mutants: {killed}; {explained}; {count['survives']} unexplained"


KILLED_BY: dict[Killer, str] = {
    "crash": "crashes",
    "property": "properties killed",
    "proof": "proofs killed",
    "law": "laws killed",
    "count": "pinned counts killed",
}


def recorded() -> list[Fate]:
    """The fates as recorded."""
    return [Fate(**fate) for fate in json.loads(RECORD.read_text(encoding="utf-8"))]


def as_json(fates: Sequence[Fate]) -> str:
    """The fates, one a line."""
    lines = ",\n".join(json.dumps(asdict(fate), ensure_ascii=False) for fate in fates)
    return f"[\n{lines}\n]\n"


def page() -> str:
    """The recorded fates for the documentation: counts for each row, and every mutant."""
    fates = recorded()
    rows: dict[str, list[Fate]] = {}
    for fate in fates:
        rows.setdefault(fate.row, []).append(fate)
    parts = [summary(fates) + ".", "", *markdown(("row", "mutants", *KILLERS), tallies(rows))]
    for row, its in rows.items():
        lines = [(_part(fate), f"`{fate.text}`", fate.killer, fate.detail) for fate in its]
        parts += ["", f"## `{row}`", "", *markdown(("part", "dropped", "fate", "by"), lines)]
    return "\n".join(parts) + "\n"


def _part(fate: Fate) -> str:
    return f"{fate.part} {fate.place}".rstrip()


def tallies(rows: dict[str, list[Fate]]) -> Iterator[tuple[str, ...]]:
    """For each row how many mutants it has and what became of them."""
    for row, its in rows.items():
        count = Counter(fate.killer for fate in its)
        yield row, str(len(its)), *(str(count[killer] or "") for killer in KILLERS)


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    for line in (head, ["---"] * len(head), *lines):
        cells = (cell.replace("|", r"\|") or " " for cell in line)
        yield f"| {' | '.join(cells)} |"


def shown(fates: Sequence[Fate], rows: Sequence[str]) -> Listing:
    """A table for the terminal: each mutant of the rows asked for, else what nothing killed."""
    kept = [f for f in fates if rows or f.killer in ("equivalent", "alike", "survives")]
    listing = Listing("row", "part", "dropped", "fate", "by")
    for fate in kept:
        colour = {"survives": "red", "equivalent": "green", "alike": "yellow"}.get(fate.killer, "")
        fate_cell = f"[{colour}]{fate.killer}[/]" if colour else fate.killer
        listing.add_row(fate.row, _part(fate), escape(fate.text), fate_cell, escape(fate.detail))
    return listing


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print every fate as JSON.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@click.option("--only", "rows", multiple=True, metavar="ROW", help="Only this row's mutants.")
@click.option("--record", is_flag=True, help="Write the fates for the documentation.")
@click.option("--check", is_flag=True, help="Exit 1 also if the recorded fates are not these.")
def main(json_: bool, jobs: int, rows: tuple[str, ...], record: bool, check: bool) -> None:
    """Drop each part of the lease table in turn; exit 0 if each is killed or explained, else 1.

    Example: python -m holdover.proofs.mutation --only bind
    """
    known = tuple(action.name for action in LEASE_TABLE.actions)
    for row in rows:
        if row not in known:
            raise click.BadParameter(f"no row {row!r}; {nearest(row, known)}", param_hint="--only")
    if rows and (record or check):
        raise click.UsageError("--record and --check are about all rows; leave out --only")
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("mutants", total=None)
        fates = run(jobs, lambda n, of: bar.update(task, completed=n, total=of), rows)
    if record:
        RECORD.write_text(as_json(fates), encoding="utf-8")
    if json_:
        click.echo(as_json(fates), nl=False)
    else:
        console = Console()
        console.print(shown(fates, rows))
        console.print(summary(fates))
    stale = check and fates != recorded()
    if stale:
        click.echo("the recorded fates are not these; run with --record", err=True)
    sys.exit(1 if stale or any(fate.killer == "survives" for fate in fates) else 0)


if __name__ == "__main__":
    main()
