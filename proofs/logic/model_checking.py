"""Bounded model checking of a finite instance.

A solver that unrolls a table finds out again, at each depth, what all its states have in common.
Lemmas say it.  `proved_lemmas` has the solver prove that each row keeps them, in a query about one
step from any state.  Only then is each state of a run told so.  That leaves out no run: a state
that is reached has them.  A lemma that some row breaks is not told.

Where there is a bound on the steps that are left, and it is proved (`steps_left.py`), nothing is
unrolled: the bound says from where on to look, and leads the search.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any

import z3

from holdover.model.explorer.explore import Trace
from holdover.model.readings.finite import Instance, State
from holdover.model.table.expr import Expr
from holdover.model.table.properties import Property
from holdover.proofs.logic.bitvectors import Symbolic
from holdover.proofs.logic.concretise import replay
from holdover.proofs.logic.intervals import Term
from holdover.proofs.logic.steps_left import Ask, Led, UndecidedError, proved_bounds
from holdover.proofs.result import Outcome

Found = tuple[Outcome, int, list[tuple[int, State]] | None]
"""What a search comes to, up to which length, and the run that it found."""


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
    lemmas: Sequence[Property] = (),
    left: Expr | None = None,
    timeout: float = inf,
    logic: str | None = "QF_BV",
) -> BoundedResult:
    """Whether a run of at most `depth` steps breaks a property of states or of steps.

    `lemmas` may hold of every state: those that are proved make the search shorter.
    `left` may be a bound on the steps that are left until the property of states breaks, with
    parameters: if it is proved, it makes the search shorter.
    `timeout` is in seconds, for all of it; `logic` chooses the solver, None is Z3's default one.
    UnlimitedError, if the instance cannot be read; DisagreementError, if the finite reading has no
    such run.
    """
    start = time.perf_counter()
    reading = Symbolic(instance)
    good, of_steps = reading.property(prop)

    def ask(solver: Any, *assumed: Term) -> Any:
        return ask_solver(solver, timeout - (time.perf_counter() - start), *assumed)

    def fresh() -> Any:
        return z3.SolverFor(logic) if logic else z3.Solver()

    known = proved_lemmas(reading, lemmas, ask, fresh).terms if lemmas else ()
    bounds: tuple[Term, ...] = ()
    if left is not None and not of_steps and at_start(reading, good):
        bounds = proved_bounds(reading, good, left, known, ask, fresh)
    if bounds:
        outcome, length, run = _led(Led(reading, good, bounds, depth, fresh(), ask), depth)
    else:
        solver = fresh()
        outcome, length, run = _unrolled(reading, good, of_steps, depth, known, solver, ask)
    trace = None if run is None else _confirmed(reading, run, prop, of_steps)
    return BoundedResult(outcome, time.perf_counter() - start, length, trace)


def _led(led: Led, depth: int) -> Found:
    """What a search comes to that goes from state to state."""
    for steps in range(max(1, led.least), depth + 1):
        try:
            run = led.run(led.reading.instance.initial, steps)
        except UndecidedError:
            return "unknown", steps - 1, None
        if run is not None:
            return "violated", len(run), run
    return "holds", depth, None


def _unrolled(
    reading: Symbolic,
    good: Term,
    of_steps: bool,
    depth: int,
    known: Sequence[Term],
    solver: Any,
    ask: Ask,
) -> Found:
    """What a search comes to that has the rows in one formula, length by length."""
    step = z3.And(reading.relation, *map(reading.later, known))
    states, rows = [reading.start], [reading.row]
    for k in range(depth + 1):
        if k:
            states.append(reading.state(f"s{k}"))
            rows.append(reading.choice(f"row{k}"))
            solver.add(reading.at(step, states[-2], rows[-1], states[-1]))
        elif of_steps:
            continue
        last = states[-2] if of_steps else states[-1]
        here = z3.simplify(reading.at(good, last, rows[-1], states[-1]))
        solver.push()
        solver.add(z3.Not(here))
        answer = ask(solver)
        if answer == z3.sat:
            model = solver.model()
            numbers = [model.eval(row, True).as_long() for row in rows[1:]]
            after = [reading.decoded([model.eval(x, True) for x in state]) for state in states[1:]]
            return "violated", k, list(zip(numbers, after, strict=True))
        if answer == z3.unknown:
            return "unknown", k - 1, None
        solver.pop()
        solver.add(here)  # it is so of every run that goes on
    return "holds", depth, None


def ask_solver(solver: Any, left: float, *assumed: Term) -> Any:
    """The solver's answer within `left` seconds; unknown after that, or if there are none."""
    if left <= 0:
        return z3.unknown
    if left < inf:
        solver.set("timeout", ceil(left * 1000))
    return solver.check(*assumed)


@dataclass(frozen=True)
class Proved:
    """Terms over a state, so of every state of a run; and the lemmas among them."""

    terms: tuple[Term, ...] = ()
    lemmas: tuple[Property, ...] = ()


def proved_lemmas(
    reading: Symbolic,
    lemmas: Sequence[Property],
    ask: Ask = lambda solver: solver.check(),
    fresh: Callable[[], Any] = lambda: z3.SolverFor("QF_BV"),
) -> Proved:
    """What of these lemmas the solver proves; nothing if it gives up.

    A lemma goes that a step breaks which starts where all of them hold, and the rest is asked about
    again.  Proved with them is that what follows a state is one.
    """
    kept = {lemma: reading.property(lemma)[0] for lemma in lemmas}
    kept = {lemma: term for lemma, term in kept.items() if at_start(reading, term)}
    while True:
        told = (reading.coded, *kept.values())
        solver = fresh()
        solver.add(*told, reading.relation, z3.Not(z3.And([reading.later(term) for term in told])))
        answer = ask(solver)
        if answer == z3.unsat:
            return Proved(told, tuple(kept))
        broken = [] if answer == z3.unknown else _broken(solver.model(), kept, reading.later)
        if not broken:
            return Proved()
        kept = {lemma: term for lemma, term in kept.items() if lemma not in broken}


def at_start(reading: Symbolic, term: Term) -> bool:
    """Whether it is so of the initial state."""
    return bool(z3.is_true(z3.simplify(reading.initially(term))))


def _broken(
    model: Any, kept: dict[Property, Term], later: Callable[[Term], Term]
) -> list[Property]:
    """The lemmas that do not hold after this step."""
    return [lemma for lemma, term in kept.items() if not z3.is_true(model.eval(later(term), True))]


def _confirmed(
    reading: Symbolic, run: Sequence[tuple[int, State]], prop: Property, of_steps: bool
) -> Trace:
    """The run as the finite reading takes it; DisagreementError unless it sees it break too."""
    instance = reading.instance
    labels = [instance.labels[row] for row, _ in run]
    found = (instance.initial, *(state for _, state in run))
    trace = replay(instance, labels)
    if trace is None or trace.states != found:
        raise DisagreementError(f"no run of the finite reading: {', '.join(map(str, labels))}")
    if of_steps:
        kept = instance.step_predicate(prop.term)(found[-2], found[-1])
    else:
        kept = instance.predicate(prop.term)(found[-1])
    if kept:
        raise DisagreementError(f"in the finite reading, {prop.name} holds after {len(run)} steps")
    return trace
