"""Bounded model checking of a finite instance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any

import z3

from holdover.model.explorer.explore import Trace
from holdover.model.readings.finite import Instance
from holdover.model.table.properties import Property
from holdover.proofs.logic.bitvectors import Symbolic
from holdover.proofs.logic.concretise import replay
from holdover.proofs.logic.intervals import Term
from holdover.proofs.result import Outcome


class DisagreementError(RuntimeError):
    """A run of the symbolic reading that the finite reading does not have."""


@dataclass(frozen=True)
class BoundedResult:
    """What a search came to, in seconds.

    `depth` is in steps, and None where the outcome is for runs of any length: the length of
    `trace`, a shortest run that breaks the property, or the length up to which no run does (-1: not
    even the initial state was decided).
    """

    outcome: Outcome
    seconds: float
    depth: int | None = None
    trace: Trace | None = None


def check_depth(
    instance: Instance,
    prop: Property,
    depth: int,
    *,
    timeout: float = inf,
    logic: str | None = "QF_BV",
) -> BoundedResult:
    """Whether a run of at most `depth` steps breaks a property of states or of steps.

    `timeout` is in seconds, for all of it; `logic` chooses the solver, None is Z3's default one.
    UnlimitedError, if the instance cannot be read; DisagreementError, if the finite reading has no
    such run.
    """
    start = time.perf_counter()
    reading = Symbolic(instance)
    good, of_steps = reading.property(prop)
    solver = z3.SolverFor(logic) if logic else z3.Solver()
    states, rows = [reading.start], [reading.row]
    for k in range(depth + 1):
        if k:
            states.append(reading.state(f"s{k}"))
            rows.append(reading.choice(f"row{k}"))
            solver.add(reading.at(reading.relation, states[-2], rows[-1], states[-1]))
        elif of_steps:
            continue
        last = states[-2] if of_steps else states[-1]
        here = z3.simplify(reading.at(good, last, rows[-1], states[-1]))
        solver.push()
        solver.add(z3.Not(here))
        answer = ask_solver(solver, timeout - (time.perf_counter() - start))
        if answer == z3.sat:
            trace = _confirmed(reading, solver.model(), states, rows[1:], prop, of_steps)
            return BoundedResult("violated", time.perf_counter() - start, k, trace)
        if answer == z3.unknown:
            return BoundedResult("unknown", time.perf_counter() - start, k - 1)
        solver.pop()
        solver.add(here)  # it is so of every run that goes on
    return BoundedResult("holds", time.perf_counter() - start, depth)


def ask_solver(solver: Any, left: float) -> Any:
    """The solver's answer within `left` seconds; unknown after that, or if there are none."""
    if left <= 0:
        return z3.unknown
    if left < inf:
        solver.set("timeout", ceil(left * 1000))
    return solver.check()


def _confirmed(
    reading: Symbolic,
    model: Any,
    states: Sequence[Sequence[Term]],
    rows: Sequence[Term],
    prop: Property,
    of_steps: bool,
) -> Trace:
    """The run that a model is; DisagreementError unless the finite reading sees it break too."""
    found = tuple(reading.decoded([model.eval(x, True) for x in state]) for state in states)
    instance = reading.instance
    labels = [instance.labels[model.eval(row, True).as_long()] for row in rows]
    trace = replay(instance, labels)
    if trace is None or trace.states != found:
        raise DisagreementError(f"no run of the finite reading: {', '.join(map(str, labels))}")
    if of_steps:
        kept = instance.step_predicate(prop.term)(found[-2], found[-1])
    else:
        kept = instance.predicate(prop.term)(found[-1])
    if kept:
        raise DisagreementError(f"in the finite reading, {prop.name} holds after {len(rows)} steps")
    return trace
