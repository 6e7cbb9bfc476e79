"""T1, refutation: wfwg311 collides, and the shortest collision has the explorer's length.

In ticks (`check_depth`) no run of fewer steps collides, one of that length does, and the explorer's
own successor function takes its steps.

Ticks are not time.  So the explorer's run is taken again in seconds (`realise`), and in real time,
where the solver may choose which row comes at each step and how long time passes before it, no run
of fewer rows collides.

That there is no shorter run is not found by looking at all of them.  A bound says of each state how
many steps it is away from a collision at least (`t1_steps_left.py`), by what every state has in
common (`t1_lemmas.py`).  The solver proves both in the same reading, of one step from any state.
What it does not prove, it is not told; and without a bound it searches all runs of that length, as
one formula.  In seconds such a search is about one of two runs that differ in nothing but which
host is the first, since they have one client.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from holdover.model.clients.profile import Environment, in_seconds, in_ticks, load
from holdover.model.explorer.explore import Trace, explore
from holdover.model.explorer.length import count_steps, length_in_search
from holdover.model.readings.finite import Instance, Label, bounds_for
from holdover.model.seconds import show_seconds
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.logic import formula
from holdover.proofs.logic.concretise import realise
from holdover.proofs.logic.formula import FALSE, REAL, TRUE, Formula, with_values
from holdover.proofs.logic.read_by_z3 import solve
from holdover.proofs.logic.unrolled import Slot, State, Timed, choices, sizes_of
from holdover.proofs.result import Check, Outcome, Progress, Theorem, silent
from holdover.proofs.theorems.t1_lemmas import LEMMAS
from holdover.proofs.theorems.t1_steps_left import IN_SECONDS, IN_TICKS

if TYPE_CHECKING:
    from holdover.proofs.logic.model_checking import BoundedResult

TITLE = "wfwg311 collides: the shortest run, found twice"
SIZES = (2, 1, 1)
PROFILE = "wfwg311"
TICK = Fraction(1200)
ENVIRONMENT = Environment(acknowledge_within=None, faults=frozenset({"mutes"}))
"""A lease of an hour in three ticks, so that T1, T2 and the end are apart; a server that may fall
silent, a user who may never answer."""


def instance(profile: str = PROFILE) -> Instance:
    """The configuration that both searches look at."""
    constants = in_ticks(load(profile), ENVIRONMENT, TICK)
    return Instance(LEASE_TABLE, constants, bounds_for(constants, *SIZES))


@dataclass
class Unfolding:
    """All runs of some rows in real time as one formula: `choices[i]` is the label at step i.

    `possible` has the values that an item of a state can have, as far as that is seen from the rows
    before it, one item by itself: a row that none of them lets happen is no choice at that step.
    """

    model: Instance
    states: list[Timed]
    choices: list[Formula] = field(default_factory=list)
    conditions: list[Formula] = field(default_factory=list)
    possible: dict[Formula, frozenset[Formula]] = field(default_factory=dict)

    def values_of(self, term: Formula) -> frozenset[Formula] | None:
        """The literals that a term may be worth; None: any."""
        if term.known:
            return frozenset((term,))
        if term.op != "ite":
            return self.possible.get(term)
        then, otherwise = map(self.values_of, term.args[1:])
        return None if then is None or otherwise is None else then | otherwise

    def decided(self, term: Formula) -> Formula:
        """The term, where an item that cannot have a value does not have it."""

        def never(part: Formula) -> Formula | None:
            if part.op != "=" or not part.args[1].known:
                return None
            values = self.values_of(part.args[0])
            return None if values is None or part.args[1] in values else FALSE

        return formula.replace(term, never)

    def take(self, here: Timed, labels: Iterable[int]) -> None:
        """One more row, which the solver chooses among these labels, from the state `here`."""
        step = len(self.choices) + 1
        choice = formula.symbol(f"choice_{step}", formula.words(8))
        self.choices.append(choice)
        writes: dict[Slot, dict[Formula, list[Formula]]] = {}
        allowed = []
        for number in labels:
            label = self.model.labels[number]
            bound = here.bind(label.action, label.binding)
            guard = self.decided(formula.all_of(here.guards(label.action, bound)))
            if guard is FALSE:
                continue
            chosen = choice == number
            allowed.append(chosen)
            self.conditions.append(chosen.implies(guard))
            for slot, value in here.changes(label.action, bound).items():
                value = self.decided(value)
                writes.setdefault(slot, {}).setdefault(value, []).append(chosen)
        self.conditions.append(formula.any_of(allowed))
        following: State = dict(here.values)
        for (name, member), values in writes.items():
            value = here.values[name, member]
            found = [self.values_of(each) for each in (value, *values)]
            if found == [frozenset((value,))] * len(found):
                continue
            new = here.variable(f"{name}_{member}_{step}", self.model.variable(name).sort)
            if None not in found:
                self.possible[new] = frozenset[Formula]().union(*(each or () for each in found))
            for candidate, when in values.items():
                value = formula.ite(formula.any_of(when), candidate, value)
            self.conditions.append(new == value)
            following[name, member] = new
        self.states.append(here.where(following))

    def name_hosts(self) -> None:
        """Have the first host take the first step that a host takes."""
        early, late = host_order(self.model)
        before = [c == number for c in self.choices[:-1] for number in early]
        second = formula.any_of(self.choices[-1] == number for number in late)
        self.conditions.append(second.implies(formula.any_of(before)))

    def step(self, labels: Iterable[int]) -> None:
        """Time passes for as long as the solver likes, or not; then one more row."""
        here, tick = self.states[-1], self.model.table.action("tick")
        passing = formula.symbol(f"passing_{len(self.choices)}", REAL)
        given = {tick.given[0]: passing}
        may_pass = formula.all_of(here.guards(tick, given))
        self.conditions += [passing >= 0, (passing == 0) | may_pass]
        self.take(here.where({**here.values, **here.changes(tick, given)}), labels)


def host_order(instance: Instance) -> tuple[list[int], list[int]]:
    """The labels of the first host, and those of others, by their numbers.

    Where hosts can be exchanged, each run is one, up to their names, in which the first host takes
    the first step that a host takes.
    """
    of_first = [n for n, label in enumerate(instance.labels) if label.host == 0]
    others = [n for n, label in enumerate(instance.labels) if label.host not in (None, 0)]
    return of_first, others


def rows_of(model: Instance) -> list[int]:
    """The labels that are no ticks, by their numbers: in seconds, time passes between any two."""
    return [n for n, label in enumerate(model.labels) if label.action.name != "tick"]


@dataclass(frozen=True)
class Known:
    """What the solver has proved: lemmas of every state, and that no run of fewer rows collides."""

    lemmas: tuple[Property, ...] = ()
    rows: int = 0

    def said(self, here: Timed, model: Instance) -> list[Formula]:
        """The lemmas of one state, and that its items are of their sorts."""
        if not self.lemmas:
            return []
        said = (here.read(lemma.term, {}) for lemma in self.lemmas)
        return [*here.of_sorts(model.table.variables), *said]


NOTHING = Known()


def unfold_in_seconds(model: Instance, depth: int, known: Known = NOTHING) -> Unfolding:
    """Runs of so many rows: before each, time passes for as long as the solver likes, or not.

    So `tick` is no row here, and ticks of whatever length are all among these runs.
    """
    runs = Unfolding(model, [start_in_seconds(model)])
    for taken in range(1, depth + 1):
        runs.step(rows_of(model))
        runs.name_hosts()
        runs.conditions += known.said(runs.states[-1], model)
        if known.rows:
            near = [rows <= depth - taken for rows in rows_left(runs.states[-1], model)]
            runs.conditions.append(formula.any_of([*map(collides, runs.states), *near]))
    return runs


def start_in_seconds(model: Instance) -> Timed:
    """The initial state, in real time."""
    constants = in_seconds(load(PROFILE), ENVIRONMENT)
    return Timed.initially(model.table, sizes_of(*SIZES), constants)


def known_in_seconds(model: Instance) -> Known:
    """What the solver proves in real time.

    From any state that has the lemmas time passes, and a row is taken.  Has the state after it the
    lemmas, all of them?  And does a row lower no bound by more than one, and begin at one where the
    hosts collide after it (`proofs/logic/steps_left.py`)?
    """
    known, start = Known(LEMMAS), start_in_seconds(model)
    open_ = {
        (name, member): start.variable(f"{name}_{member}_before", model.variable(name).sort)
        for name, member in start.values
    }
    step = Unfolding(model, [start.where(open_)])
    step.conditions += known.said(step.states[0], model)
    step.step(rows_of(model))
    before, after = step.states

    def proved(*claims: Formula) -> bool:
        said, _ = solve([*step.conditions, ~formula.all_of(claims)], *BIT_AND_REAL)
        return said == "unsat"

    if formula.all_of(known.said(start, model)) is not TRUE:
        return NOTHING
    if not proved(*known.said(after, model)):
        return NOTHING
    earlier, later = rows_left(before, model), rows_left(after, model)
    last = formula.any_of(rows <= 1 for rows in earlier)
    steady = formula.all_of(rows <= then + 1 for rows, then in zip(earlier, later, strict=True))
    bounded = proved(collides(before) | formula.ite(collides(after), last, steady))
    if collides(start) is not FALSE or not bounded:
        return known
    return replace(known, rows=min(int(str(rows.of)) for rows in rows_left(start, model)))


def rows_left(here: Timed, model: Instance) -> list[Formula]:
    """The bounds on the rows that are left here, one for each two hosts."""
    return [
        here.read(IN_SECONDS, {name: here.whole(member) for name, member in given.items()})
        for given in choices(IN_SECONDS.free, model.bounds.size)
    ]


def collides(state: Timed) -> Formula:
    """Two hosts hold an address."""
    return ~state.read(EXCLUSIVE.term, {})


BIT_AND_REAL = ("simplify", "propagate-values", "solve-eqs", "bit-blast", "simplify", "smt")
"""The tactics for machine words beside reals."""


def collision_within(runs: Unfolding, *tactics: str) -> tuple[str, list[Label] | None]:
    """Whether one of these runs collides, at its end or before; sat: its rows as well."""
    hits = [collides(state) for state in runs.states]
    answer, values = solve([*runs.conditions, formula.any_of(hits)], *tactics)
    if answer != "sat":
        return answer, None
    length = next(i for i, hit in enumerate(hits) if with_values(hit, values) is TRUE)
    numbers = [with_values(choice, values).of for choice in runs.choices[:length]]
    return answer, [runs.model.labels[int(str(number))] for number in numbers]


def explore_collision(model: Instance) -> Trace | None:
    """The explorer's shortest collision."""
    return explore(model, (EXCLUSIVE,), stop=True).violations.get("exclusive")


NONE_FOUND: Mapping[str, Outcome] = {"unsat": "holds", "sat": "violated"}
"""What a solver's answer says of the claim that no run collides."""


def shortest(found: BoundedResult, run: Trace) -> tuple[Check, Check]:
    """What a search in ticks says of that length: no collision is shorter, one is as long."""
    depth, length = len(run), length_in_search(run.labels)
    none: Outcome = "holds"
    one: Outcome = "violated"
    if found.outcome == "unknown":
        none = "holds" if found.depth == depth - 1 else "unknown"
        one = "unknown"
    elif found.outcome == "violated":
        none = "holds" if found.depth == depth else "violated"
        one = "holds" if found.depth == depth else "violated"
    said = f"z3: {found.outcome}" + ("" if found.depth is None else f" at depth {found.depth}")
    return (
        Check(
            "none shorter",
            f"no run of fewer than {length}, counted together, collides",
            none,
            said,
            found.seconds,
        ),
        Check(
            "one of that length",
            "a run of that length collides, and the explorer can take its steps",
            one,
            said,
        ),
    )


def none_in_seconds(model: Instance, steps: int) -> Check:
    """That no run of fewer steps collides in real time."""
    start = time.perf_counter()
    known = known_in_seconds(model)
    if known.rows >= steps:
        answer = "unsat"
    else:
        answer, _ = collision_within(unfold_in_seconds(model, steps - 1, known), *BIT_AND_REAL)
    return Check(
        "none shorter in seconds",
        f"in real time no run of fewer than {steps} steps collides",
        NONE_FOUND.get(answer, "unknown"),
        f"z3: {answer}",
        time.perf_counter() - start,
    )


def instants(found: Trace) -> list[Fraction] | None:
    """When each step of the explorer's run is taken, in the profile's seconds; None: it cannot."""
    return realise(found, in_seconds(load(PROFILE), ENVIRONMENT), EXCLUSIVE)


def in_real_time(found: Trace) -> Check:
    """That the explorer's run is one in seconds."""
    start = time.perf_counter()
    taken = instants(found)
    detail = "no such run" if taken is None else f"a collision after {show_seconds(taken[-1])}"
    return Check(
        "in seconds",
        "the explorer's run exists in real time, with a lease of an hour",
        "violated" if taken is None else "holds",
        detail,
        time.perf_counter() - start,
    )


NOT_FOUND = Check("explorer", "the explorer finds a collision", "violated")


def checks_in_ticks() -> list[Check]:
    """That the explorer's collision exists, also in seconds, and no shorter one in ticks."""
    from holdover.proofs.logic.model_checking import check_depth

    model = instance()
    found = explore_collision(model)
    if found is None:
        return [NOT_FOUND]
    return [
        Check(
            "explorer", "the explorer finds a collision", "holds", length_in_search(found.labels)
        ),
        in_real_time(found),
        *shortest(check_depth(model, EXCLUSIVE, len(found), lemmas=LEMMAS, left=IN_TICKS), found),
    ]


def checks_in_seconds() -> list[Check]:
    """That there is no shorter one in real time."""
    model = instance()
    found = explore_collision(model)
    if found is None:
        return [NOT_FOUND]
    steps = count_steps(label.action.name for label in found.labels)
    return [none_in_seconds(model, steps)]


def prove(progress: Progress = silent) -> Theorem:
    """T1's checks."""
    progress("T1: collisions in ticks")
    checks = checks_in_ticks()
    progress("T1: none shorter in real time")
    return Theorem("T1", TITLE, (*checks, *checks_in_seconds()))
