"""T1, refutation: wfwg311 collides, and the shortest collision has the explorer's length.

Bounded model checking (`check_depth`) in ticks: no run of fewer steps collides, one of that length
does, and the explorer's own successor function takes its steps.

Ticks are not time.  So the explorer's run is taken again in seconds (`realise`), and a query in
real time leaves to the solver which row comes at each step, and how long time passes before it: no
run of fewer rows collides.

The two hosts have one client, and can be exchanged for each other: of runs that differ in nothing
else, the second query is about one.

Both queries are told what every state has in common (`t1_lemmas.py`), once the solver has proved in
the same reading that each row keeps it.  What it does not prove, it is not told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from holdover.model.clients.profile import Environment, in_seconds, in_ticks, load
from holdover.model.explorer.explore import Trace, explore
from holdover.model.explorer.length import count_steps, length_in_search
from holdover.model.readings.finite import Instance, Label, bounds_for
from holdover.model.seconds import show_seconds
from holdover.model.table.properties import EXCLUSIVE
from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.logic import formula
from holdover.proofs.logic.concretise import realise
from holdover.proofs.logic.formula import FALSE, REAL, TRUE, Formula, with_values
from holdover.proofs.logic.solvers import solve
from holdover.proofs.logic.unrolled import Slot, State, Timed, sizes_of
from holdover.proofs.result import Check, Outcome, Progress, Theorem, silent
from holdover.proofs.theorems.t1_lemmas import LEMMAS, Known

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


def unfold_in_seconds(model: Instance, depth: int, known: Known | None = None) -> Unfolding:
    """Runs of so many rows: before each, time passes for as long as the solver likes, or not.

    So `tick` is no row here, and ticks of whatever length are all among these runs.  `known` is
    what is proved of every state, or nothing.
    """
    constants = in_seconds(load(PROFILE), ENVIRONMENT)
    runs = Unfolding(model, [Timed.initially(model.table, sizes_of(*SIZES), constants)])
    rows = [n for n in rows_of(model) if known is None or n in known.possible]
    for _ in range(depth):
        runs.step(rows)
        runs.name_hosts()
        if known is not None:
            runs.conditions += known.said(runs.states[-1])
    return runs


def known_in_seconds(model: Instance) -> Known | None:
    """What the solver proves of every state in real time; None if it does not prove it.

    One query: from any state of which all of it is so, time passes and a row is taken, to a state
    of which it is not.
    """
    known = Known(model, LEMMAS)
    constants = in_seconds(load(PROFILE), ENVIRONMENT)
    start = Timed.initially(model.table, sizes_of(*SIZES), constants)
    open_ = {
        (name, member): start.variable(f"{name}_{member}_before", model.variable(name).sort)
        for name, member in start.values
    }
    step = Unfolding(model, [start.where(open_)])
    step.conditions += known.said(step.states[0])
    step.step(rows_of(model))
    never = [n for n in rows_of(model) if n not in known.possible]
    surprise = formula.any_of(step.choices[0] == n for n in never)
    lost = surprise | ~formula.all_of(known.said(step.states[1]))
    claims = ([~formula.all_of(known.said(start))], [*step.conditions, lost])
    answers = [solve(claim, *BIT_AND_REAL)[0] for claim in claims]
    return known if answers == ["unsat", "unsat"] else None


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
    """What bounded model checking says of that length: no collision is shorter, one is as long."""
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
    runs = unfold_in_seconds(model, steps - 1, known_in_seconds(model))
    answer, _ = collision_within(runs, *BIT_AND_REAL)
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
        *shortest(check_depth(model, EXCLUSIVE, len(found), lemmas=LEMMAS), found),
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
