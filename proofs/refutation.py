"""T1, refutation: wfwg311 collides, and the shortest collision has the explorer's length.

Bounded model checking: the choice of the row at each step is the solver's.  Two queries: no run of
fewer steps collides (unsat), one of that length does (sat).  The run found is replayed by the
explorer's own successor function, step by step.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import z3

from holdover.model.explore import Trace, explore
from holdover.model.finite import Instance, Label, bounds_for
from holdover.model.profile import Environment, in_ticks, load
from holdover.model.properties import EXCLUSIVE
from holdover.model.table import LEASE_TABLE
from holdover.proofs.realise import replay
from holdover.proofs.result import Check, Progress, Theorem, silent
from holdover.proofs.unrolled import State, Words, sizes_of

TITLE = "wfwg311 collides: the shortest run, found twice"
SIZES = (2, 1, 1)
TICK = Fraction(1800)
ENVIRONMENT = Environment(acknowledge_within=None, faults=frozenset({"mutes"}))
"""A lease of an hour in two ticks, a server that may fall silent, a user who may never answer."""


def instance(profile: str = "wfwg311") -> Instance:
    """The configuration that both searches look at."""
    constants = in_ticks(load(profile), ENVIRONMENT, TICK)
    return Instance(LEASE_TABLE, constants, bounds_for(constants, *SIZES))


@dataclass
class Unfolding:
    """All runs of `depth` steps as one formula: `choices[i]` is the label taken at step i."""

    depth: int
    choices: list[Any]
    states: list[Words]
    formula: list[Any]


def unfold(model: Instance, depth: int) -> Unfolding:
    """The transition relation of the instance's own labels, `depth` times."""
    sizes = sizes_of(*SIZES)
    table, constants = model.table, model.constants
    start = Words(sizes, constants, {})
    result = Unfolding(depth, [], [Words(sizes, constants, start.initial(table))], [])
    sorts = {(v.name, i): v.sort for v in table.variables for i in range(max(SIZES))}
    for step in range(depth):
        here = result.states[-1]
        choice = z3.BitVec(f"choice_{step}", 8)
        result.choices.append(choice)
        result.formula.append(z3.ULT(choice, len(model.labels)))
        writes: dict[tuple[str, int], dict[int, tuple[Any, list[Any]]]] = {}
        for number, label in enumerate(model.labels):
            bound = here.bind(label.action, label.binding)
            chosen = choice == number
            result.formula.append(z3.Implies(chosen, z3.And(here.guards(label.action, bound))))
            for slot, value in here.changes(label.action, bound).items():
                value = z3.simplify(value)
                written = writes.setdefault(slot, {})
                written.setdefault(value.get_id(), (value, []))[1].append(chosen)
        following: State = dict(here.values)
        for slot, values in writes.items():
            name, member = slot
            new = here.variable(f"{name}_{member}_{step + 1}", sorts[slot])
            value = here.values[slot]
            for candidate, when in values.values():
                value = z3.If(z3.Or(when), candidate, value)
            result.formula.append(new == value)
            following[slot] = new
        result.states.append(Words(sizes, constants, following))
    return result


def collides(state: Words) -> Any:
    """Two hosts hold an address."""
    return z3.Not(state.read(EXCLUSIVE.term, {}))


def bit_blaster() -> Any:
    """The strategy that decides these formulas in seconds."""
    steps = ("simplify", "propagate-values", "solve-eqs", "bit-blast", "sat")
    return z3.Then(*steps).solver()


def collision_within(model: Instance, depth: int) -> tuple[str, list[Label] | None]:
    """Whether some run of at most `depth` steps collides: sat, unsat or unknown, and the run."""
    unfolded = unfold(model, depth)
    solver = bit_blaster()
    solver.add(*unfolded.formula)
    hits = [collides(state) for state in unfolded.states]
    solver.add(z3.Or(hits))
    answer = str(solver.check())
    if answer != "sat":
        return answer, None
    values = solver.model()
    length = next(i for i, hit in enumerate(hits) if z3.is_true(values.eval(hit, True)))
    numbers = [values.eval(choice, True).as_long() for choice in unfolded.choices[:length]]
    return answer, [model.labels[number] for number in numbers]


def explored(model: Instance) -> Trace | None:
    """The explorer's shortest collision."""
    return explore(model, (EXCLUSIVE,), stop=True).violations.get("exclusive")


def prove(progress: Progress = silent) -> Theorem:
    """T1's checks."""
    model = instance()
    progress("T1: exploring")
    found = explored(model)
    if found is None:
        none = Check("explorer", "the explorer finds a collision", "violated")
        return Theorem("T1", TITLE, (none,))
    depth = len(found)
    checks = [Check("explorer", "the explorer finds a collision", "holds", f"{depth} steps")]

    progress(f"T1: no collision within {depth - 1} steps")
    start = time.perf_counter()
    answer, _ = collision_within(model, depth - 1)
    checks.append(Check(
        "none shorter", f"no run of fewer than {depth} steps collides",
        {"unsat": "holds", "sat": "violated"}.get(answer, "unknown"),  # type: ignore[arg-type]
        f"z3: {answer}", time.perf_counter() - start,
    ))  # fmt: skip

    progress(f"T1: a collision of {depth} steps")
    start = time.perf_counter()
    answer, run = collision_within(model, depth)
    replayed = replay(model, run) if run is not None else None
    confirmed = (
        replayed is not None
        and len(replayed) == depth
        and not model.predicate(EXCLUSIVE.term)(replayed.states[-1])
    )
    checks.append(Check(
        "one of that length", "a run of that length collides, and the explorer can take its steps",
        "holds" if confirmed else {"sat": "violated", "unsat": "violated"}.get(answer, "unknown"),  # type: ignore[arg-type]
        f"z3: {answer}", time.perf_counter() - start,
    ))  # fmt: skip
    return Theorem("T1", TITLE, tuple(checks))
