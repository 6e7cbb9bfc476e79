"""T1, refutation: wfwg311 collides, and the shortest collision has the explorer's length.

Bounded model checking (`check_depth`) in ticks: no run of fewer steps collides, one of that length
does, and the explorer's own successor function takes its steps.

Ticks are not time.  So the explorer's run is taken again in seconds (`realise`), and a query in
real time leaves to the solver which row comes at each step, and how long time passes before it: no
run of fewer rows collides.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import z3

from holdover.model.clients.profile import Environment, in_seconds, in_ticks, load
from holdover.model.explorer.explore import Trace, explore
from holdover.model.readings.finite import Instance, Label, bounds_for
from holdover.model.seconds import show_seconds
from holdover.model.table.properties import EXCLUSIVE
from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.logic.concretise import realise
from holdover.proofs.logic.model_checking import BoundedResult, check_depth
from holdover.proofs.logic.unrolled import Slot, State, Timed, sizes_of
from holdover.proofs.result import Check, Outcome, Progress, Theorem, silent

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
    """All runs of some rows in real time as one formula: `choices[i]` is the label at step i."""

    model: Instance
    states: list[Timed]
    choices: list[Any] = field(default_factory=list)
    formula: list[Any] = field(default_factory=list)

    def take(self, here: Timed, labels: Iterable[int]) -> None:
        """One more row, which the solver chooses among these labels, from the state `here`."""
        step = len(self.choices) + 1
        choice = z3.BitVec(f"choice_{step}", 8)
        self.choices.append(choice)
        writes: dict[Slot, dict[int, tuple[Any, list[Any]]]] = {}
        allowed = []
        for number in labels:
            label = self.model.labels[number]
            bound = here.bind(label.action, label.binding)
            chosen = choice == number
            allowed.append(chosen)
            self.formula.append(z3.Implies(chosen, z3.And(here.guards(label.action, bound))))
            for slot, value in here.changes(label.action, bound).items():
                value = z3.simplify(value)
                written = writes.setdefault(slot, {})
                written.setdefault(value.get_id(), (value, []))[1].append(chosen)
        self.formula.append(z3.Or(allowed))
        following: State = dict(here.values)
        for (name, member), values in writes.items():
            new = here.variable(f"{name}_{member}_{step}", self.model.variable(name).sort)
            value = here.values[name, member]
            for candidate, when in values.values():
                value = z3.If(z3.Or(when), candidate, value)
            self.formula.append(new == value)
            following[name, member] = new
        self.states.append(here.where(following))


def unfold_in_seconds(model: Instance, depth: int) -> Unfolding:
    """Runs of so many rows: before each, time passes for as long as the solver likes, or not.

    So `tick` is no row here, and ticks of whatever length are all among these runs.
    """
    constants = in_seconds(load(PROFILE), ENVIRONMENT)
    runs = Unfolding(model, [Timed.initially(model.table, sizes_of(*SIZES), constants)])
    tick = model.table.action("tick")
    rows = [number for number, label in enumerate(model.labels) if label.action is not tick]
    for step in range(depth):
        here, passing = runs.states[-1], z3.Real(f"passing_{step}")
        given = {tick.given[0]: passing}
        may_pass = z3.And(here.guards(tick, given))
        runs.formula += [passing >= 0, z3.Or(passing == 0, may_pass)]
        runs.take(here.where({**here.values, **here.changes(tick, given)}), rows)
    return runs


def collides(state: Timed) -> Any:
    """Two hosts hold an address."""
    return z3.Not(state.read(EXCLUSIVE.term, {}))


def bit_and_real() -> Any:
    """The strategy for machine words beside reals."""
    return z3.Then("simplify", "propagate-values", "solve-eqs", "smt").solver()


def collision_within(runs: Unfolding, solver: Any) -> tuple[str, list[Label] | None]:
    """Whether one of these runs collides, at its end or before; sat: its rows as well."""
    solver.add(*runs.formula)
    hits = [collides(state) for state in runs.states]
    solver.add(z3.Or(hits))
    answer = str(solver.check())
    if answer != "sat":
        return answer, None
    values = solver.model()
    length = next(i for i, hit in enumerate(hits) if z3.is_true(values.eval(hit, True)))
    numbers = [values.eval(choice, True).as_long() for choice in runs.choices[:length]]
    return answer, [runs.model.labels[number] for number in numbers]


def explore_collision(model: Instance) -> Trace | None:
    """The explorer's shortest collision."""
    return explore(model, (EXCLUSIVE,), stop=True).violations.get("exclusive")


NONE_FOUND: Mapping[str, Outcome] = {"unsat": "holds", "sat": "violated"}
"""What a solver's answer says of the claim that no run collides."""


def shortest(found: BoundedResult, depth: int) -> tuple[Check, Check]:
    """What bounded model checking says of that length: no collision is shorter, one is as long."""
    none: Outcome = "holds"
    one: Outcome = "violated"
    if found.outcome == "unknown":
        none = "holds" if found.depth == depth - 1 else "unknown"
        one = "unknown"
    elif found.outcome == "violated":
        none = "holds" if found.depth == depth else "violated"
        one = "holds" if found.depth == depth else "violated"
    said = f"z3: {found.outcome}" + ("" if found.depth is None else f" at {found.depth} steps")
    return (
        Check(
            "none shorter",
            f"no run of fewer than {depth} steps collides",
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


def none_in_seconds(model: Instance, rows: int) -> Check:
    """That no run of fewer rows collides in real time."""
    start = time.perf_counter()
    answer, _ = collision_within(unfold_in_seconds(model, rows - 1), bit_and_real())
    return Check(
        "none shorter in seconds",
        f"in real time no run of fewer than {rows} rows collides, `tick` not counted",
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


def prove(progress: Progress = silent) -> Theorem:
    """T1's checks."""
    model = instance()
    progress("T1: exploring")
    found = explore_collision(model)
    if found is None:
        none = Check("explorer", "the explorer finds a collision", "violated")
        return Theorem("T1", TITLE, (none,))
    depth, rows = len(found), sum(label.action.name != "tick" for label in found.labels)
    checks = [
        Check("explorer", "the explorer finds a collision", "holds", f"{depth} steps"),
        in_real_time(found),
    ]
    progress(f"T1: collisions of up to {depth} steps")
    checks += shortest(check_depth(model, EXCLUSIVE, depth), depth)
    progress(f"T1: no collision of {rows - 1} rows in real time")
    checks.append(none_in_seconds(model, rows))
    return Theorem("T1", TITLE, tuple(checks))
