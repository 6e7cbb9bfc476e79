"""T0, time can pass: whatever holds it up may happen at once, and is settled by that.

`tick` waits for two things: a prompt row that is due (`Due`), and a datagram that cannot be in
flight any longer.  Were one of them stuck, no run would go on from there, and every statement about
what follows would be empty: a *timelock*.

*For any number of hosts, addresses and datagrams*, any client, fault and clock.  `FACTS` are
inductive; and in a state in which they are true

* a prompt row that is due may happen, or one that takes its place (`INSTEAD`), unless a datagram in
  flight has the slot that it needs;
* a datagram in flight, but for those that a frozen process keeps, may be acted upon by a row that
  is no fault (`ARRIVES`);
* the first is not due any longer then, and the second is gone, or has become its answer.

*That this comes to an end*, so that time does not stand still in ever new steps, is not proved but
explored: in a small network with all faults at once, each state that is reached has a way to a
`tick` by rows that need no fault.  A fault's switch only adds rows, or does nothing where there is
one host (`ABOUT_OTHERS`), so that this is so of each combination of faults as well.

Assumed: a network is finite, since of infinitely many deadlines none need be the first; clocks are
right within their bounds; a lease is longer than nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdover.model.clients.profile import FAULTS, Environment, in_ticks, load
from holdover.model.readings.finite import Instance, bounds_for
from holdover.model.table.client import NO_ADDRESS, buffered, slowest
from holdover.model.table.expr import DURATION, Action, Expr, all_of, exists, forall, is_in, lift
from holdover.model.table.laws import ABOUT_AN_ADDRESS, SOMEBODYS
from holdover.model.table.properties import Property
from holdover.model.table.server import NOBODY
from holdover.model.table.table import LEASE_TABLE, mentions
from holdover.model.table.vocabulary import (
    KIND,
    MESSAGE,
    a,
    full,
    h,
    kind,
    length,
    m,
    n,
    now,
    owner,
    phase,
    server_end,
    skew,
    wants,
)
from holdover.proofs.logic import formula
from holdover.proofs.logic.first_order import (
    FASTEST,
    SLOWEST,
    After,
    Logic,
    are_members,
    domain,
    literal,
    parameters,
)
from holdover.proofs.logic.formula import REAL, WHOLE, Formula
from holdover.proofs.logic.obligations import Case, Obligation
from holdover.proofs.logic.obligations import obligations as of_case
from holdover.proofs.logic.solvers import (
    CaseVerdict,
    answers,
    answers_of_each,
    decide,
    whether_fire,
)
from holdover.proofs.result import Check, Outcome, Progress, Theorem, silent
from holdover.proofs.theorems.t2_safety import detail, numbers

TITLE = "time can pass: whatever holds it up may happen at once"

FACTS = (
    SOMEBODYS,
    ABOUT_AN_ADDRESS,
    Property(
        "who has selected wants an address",
        "RFC 2131 §4.3.2",
        "past SELECTING a client has an address to ask for, or to use",
        forall(h, is_in(phase[h], "INIT", "SELECTING") | (wants[h] != NO_ADDRESS)),
    ),
    Property(
        "no record reaches too far",
        "RFC 2131 §4.3.1",
        "a lease on record ends no later than a full one that is granted now",
        forall(a, (owner[a] != NOBODY).implies(server_end[a] <= now + slowest(full))),
    ),
)
"""What a row that is due relies on; in the table each follows from how the state came about."""

OPEN = Case("T0", "every client in every environment", FACTS, {}, numbers())

INSTEAD: Mapping[str, tuple[str, ...]] = {
    "use": ("use", "decline"),
    "yield_address": ("yield_address", "conflict_ends"),
}
"""Rows any of which settles what is due; else it is the row itself."""

ARRIVES: Mapping[str, tuple[str, ...]] = {
    "DISCOVER": ("offer", "find_none", "miss"),
    "OFFER": ("select", "miss", "ignore"),
    "REQUEST": ("prolong", "commit", "refuse", "stay_silent", "miss"),
    "ACK": ("bind", "extend", "cut_short", "cut_off", "miss", "ignore"),
    "NAK": ("obey_nak", "disregard_nak", "miss", "ignore"),
    "RELEASE": ("free", "miss"),
    "DECLINE": ("withhold", "disregard", "miss"),
}
"""For each datagram rows that act upon it, and are no faults."""

NO_ERROR = {skew: lift(0, DURATION)}
LONGEST = {length: full, skew: slowest(full) - full}
MEASURED: Mapping[str, Mapping[Expr, Expr]] = {
    "bind": NO_ERROR,
    "extend": NO_ERROR,
    "cut_short": NO_ERROR,
    "prolong": LONGEST,
    "commit": LONGEST,
}
"""A lease and a clock's error with which the row may happen, where it may."""

STAGES = ("FREE", "ACK", "REQUEST", "OFFER", "DISCOVER")
"""What a datagram may yet become, before it; NAK, DECLINE and RELEASE stand beside an ACK."""


def may_happen(row: Action, given: Sequence[Expr]) -> Expr:
    """The row's guards are true of some members, those `given` and others."""
    term = all_of(*row.when)
    for parameter in row.given:
        if parameter.sort.indexes and not any(parameter is known for known in given):
            term = exists(parameter, term)
    return term


@dataclass(frozen=True)
class Obstacle:
    """Something that holds time up: while `holds`, until one of the `rows` happens."""

    name: str
    given: tuple[Expr, ...]
    holds: tuple[Expr, ...]
    rows: tuple[Action, ...]


def blocks() -> Iterator[Obstacle]:
    """Everything that `tick` waits for."""
    still = forall(n, (kind[n] == "FREE") | buffered(n))
    for row in LEASE_TABLE.actions:
        if row.due is not None:
            given = tuple(p for p in row.given if mentions(row.due, p))
            rows = tuple(LEASE_TABLE.action(name) for name in INSTEAD.get(row.name, (row.name,)))
            yield Obstacle(
                row.name, given, (row.due.condition, row.due.instant <= now, still), rows
            )
    for value, names in ARRIVES.items():
        rows = tuple(LEASE_TABLE.action(name) for name in names)
        yield Obstacle(value, (m,), (kind[m] == value, ~buffered(m)), rows)


def right_within() -> Formula:
    """Clocks are right within their bounds, which encloses each length."""
    x = formula.variable("x", REAL)
    return formula.forall([x], (x >= 0).implies((FASTEST(x) <= x) & (x <= SLOWEST(x))))


def held_up(blocked: Obstacle, logic: Logic) -> tuple[list[Formula], dict[Expr, Formula]]:
    """What holds time up, in terms that `logic` reads; with the symbols for its parameters."""
    binding = {p: formula.symbol(str(p.args[0]), domain(p.sort)) for p in blocked.given}
    holds = [logic.read(term, binding) for term in blocked.holds]
    return [*are_members(binding), *holds], binding


def premises(logic: Logic) -> list[Formula]:
    """The facts and the numbers."""
    clocks = [] if "drift" in logic.fixed else [right_within()]
    return [*clocks, *(logic.read(t, {}) for t in (*(fact.term for fact in FACTS), *numbers()))]


def obligations(blocked: Obstacle) -> Iterator[Obligation]:
    """What must not be: none of the rows may happen, or one does and time is held up as before."""
    logic = Logic({})
    holds, known = held_up(blocked, logic)
    before = [*premises(logic), *holds]
    possible = []
    for row in blocked.rows:
        measured = {p: logic.read(term, {}) for p, term in MEASURED.get(row.name, {}).items()}
        possible.append(logic.read(may_happen(row, blocked.given), {**known, **measured}))
    yield Obligation("T0", blocked.name, "may", (*before, ~formula.any_of(possible)))
    for row in blocked.rows:
        binding = {**parameters(row), **known}
        happens = (logic.read(guard, binding) for guard in row.when)
        left = ~makes_progress(blocked, known, After(logic, row, binding))
        goal = formula.all_of((*are_members(binding), *happens, left))
        yield Obligation("T0", blocked.name, f"settled by {row.name}", (*before, goal))


def all_obligations() -> Iterator[Obligation]:
    """That the facts are inductive, and what they are needed for."""
    yield from of_case(OPEN)
    for blocked in blocks():
        yield from obligations(blocked)


def makes_progress(blocked: Obstacle, known: Mapping[Expr, Formula], after: After) -> Formula:
    """After the row: what was due is not, or the datagram is nearer to being gone."""
    if blocked.name not in KIND.values:
        condition, due, _ = blocked.holds
        return ~(after.read(condition, known) & after.read(due, known))
    this, other = known[m], formula.symbol("other", domain(MESSAGE))

    def left(reading: Logic, at: Formula) -> Formula:
        return stage(reading.read(kind[m], {m: at}))

    before = after.before
    return (left(after, this) < left(before, this)) & (left(after, other) <= left(before, other))


def stage(value: Formula) -> Formula:
    """How far a datagram is from being gone."""
    found = formula.literal(WHOLE, STAGES.index("ACK"))
    for number, name in enumerate(STAGES):
        is_there = value == literal(KIND, name)
        found = formula.ite(is_there, formula.literal(WHOLE, number), found)
    return found


def occurs(blocked: Obstacle) -> Obligation:
    """What holds time up does happen: its premises must have a model, on perfect clocks."""
    perfect = Logic({"drift": 0})
    holds, _ = held_up(blocked, perfect)
    return Obligation("T0", blocked.name, "occurs", (*premises(perfect), formula.all_of(holds)))


def prove_may(solvers: Sequence[str] = ("z3",)) -> Check:
    """Whatever holds time up may happen, and is settled by that: for any network and client."""
    start = time.perf_counter()
    facts = decide(OPEN, solvers)
    groups = [list(obligations(blocked)) for blocked in blocks()]
    every = [each for group in groups for each in group]
    by_z3_said = answers_of_each("z3", every) if "z3" in solvers else {}
    answered = (
        answer
        for group in groups
        for name in solvers
        for answer in (
            [by_z3_said[each.name] for each in group] if name == "z3" else answers(name, group)
        )
    )
    fires = whether_fire([occurs(blocked) for blocked in blocks()])
    verdict = CaseVerdict(OPEN, (*facts.answers, *answered), (*facts.fires, *fires))
    data = {"never_fire": list(verdict.never_fire), "obligations": len(verdict.answers)}
    return Check("may", TITLE, verdict.outcome, detail(verdict), time.perf_counter() - start, data)


# All faults at once, explored --------------------------------------------------------------------

EXPLORED = ("rfc2131", "wfwg311")
ABOUT_OTHERS = ("clones", "settles", "intrudes")
"""Faults that do nothing to one host: an address without a lease stops only others."""

TICK = Fraction(1200)
"""A lease of an hour in three: T1, T2 and the end are a tick apart."""


def instances(profile: str, faults: Iterable[str]) -> tuple[Instance, Instance]:
    """One host, one address, one datagram: with these faults, and the same without any."""
    surroundings = Environment(
        acknowledge_within=None, step=TICK, delay=TICK, faults=frozenset(faults)
    )
    constants = in_ticks(load(profile), surroundings, TICK)
    bounds = bounds_for(constants, 1, 1, 1)
    without = {**constants, **dict.fromkeys(FAULTS, False)}
    return Instance(LEASE_TABLE, constants, bounds), Instance(LEASE_TABLE, without, bounds)


MOST = 2_000_000
"""States at most, 32 MB: the search is not kept in parts."""


def count_stuck(among: Instance, without: Instance) -> tuple[int, int] | None:
    """How many states there are; and from how many no way leads to a `tick`, by no fault.

    None if there are more than `MOST` states.
    """
    import numpy as np

    from holdover.model.engine.ways import Ways
    from holdover.model.packed.components import BESIDE
    from holdover.model.packed.tables import tabulate

    ways = Ways(*tabulate(among, beside=without))
    words = ways.within_reach(ways.moves, MOST)
    if words is None:
        return None
    words.sort()
    passing = ways.rules(lambda rule: rule.form == BESIDE and rule.name == "tick")
    free = np.zeros(len(words), dtype=np.bool_)
    free[ways.steps(words, passing)[0]] = True
    held = np.flatnonzero(~free)
    sources, targets = ways.steps(words[held], ways.rules(lambda rule: rule.form == BESIDE))
    sources, places = held[sources], np.searchsorted(words, targets)
    if (words.take(places, mode="clip") != targets).any():
        raise KeyError("a row without a fault leads to a state that no row among faults leads to")
    while (new := sources[free[places] & ~free[sources]]).size:
        free[new] = True
    return len(words), int(len(words) - free.sum())


def explore_network(profile: str) -> Check:
    """In a small network with all faults at once time can pass from each state, without a fault.

    By the engine's kernel; the tests hold it to the plain explorer.
    """
    start = time.perf_counter()
    among, without = instances(profile, (name for name in FAULTS if name not in ABOUT_OTHERS))
    says = f"{profile} among all faults at once: from each state time can pass, by no fault"
    found = count_stuck(among, without)
    if found is None:
        return Check(profile, says, "unknown", "the search was cut off")
    outcome: Outcome = "violated" if found[1] else "holds"
    said = f"{found[0]} states, {found[1]} from which it cannot"
    return Check(profile, says, outcome, said, time.perf_counter() - start)


def prove(solvers: Sequence[str] = ("z3",), progress: Progress = silent) -> Theorem:
    """All checks."""
    progress("T0: what holds time up may happen")
    may = prove_may(solvers)
    progress("T0: all faults at once")
    return Theorem("T0", TITLE, (may, *map(explore_network, EXPLORED)))
