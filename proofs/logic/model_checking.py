"""Bounded model checking of a finite instance.

A solver that unrolls a table finds out again, at each depth, what all its states have in common.
Lemmas say it.  `proved_lemmas` has the solver prove that each row keeps them, and what `Pairs`
finds, in a query about one step from any state.  Only then is each state of a run told so.  That
leaves out no run: a state that is reached has them.  A lemma that some row breaks is not told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
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
from holdover.proofs.logic.pairs import Pairs
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
    lemmas: Sequence[Property] = (),
    timeout: float = inf,
    logic: str | None = "QF_BV",
) -> BoundedResult:
    """Whether a run of at most `depth` steps breaks a property of states or of steps.

    `lemmas` may hold of every state: those that are proved make the search shorter.
    `timeout` is in seconds, for all of it; `logic` chooses the solver, None is Z3's default one.
    UnlimitedError, if the instance cannot be read; DisagreementError, if the finite reading has no
    such run.
    """
    start = time.perf_counter()
    reading = Symbolic(instance)
    good, of_steps = reading.property(prop)

    def left() -> float:
        return timeout - (time.perf_counter() - start)

    def fresh() -> Any:
        return z3.SolverFor(logic) if logic else z3.Solver()

    step = reading.relation
    if lemmas:
        step = z3.And(
            step, *proved_lemmas(reading, lemmas, lambda s: ask_solver(s, left()), fresh).terms
        )
    solver = fresh()
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
        answer = ask_solver(solver, left())
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


@dataclass(frozen=True)
class Proved:
    """Terms over a row and the state after it, so of every step; and the lemmas among them."""

    terms: tuple[Term, ...] = ()
    lemmas: tuple[Property, ...] = ()


def proved_lemmas(
    reading: Symbolic,
    lemmas: Sequence[Property],
    ask: Callable[[Any], Any] = lambda solver: solver.check(),
    fresh: Callable[[], Any] = lambda: z3.SolverFor("QF_BV"),
) -> Proved:
    """What of these lemmas, and of what `Pairs` finds, the solver proves; nothing if it gives up.

    A lemma goes that a step breaks which starts where all of them hold, and the rest is asked about
    again.  DisagreementError, if what `Pairs` found is not so.
    """
    pairs = Pairs(reading.instance)
    happens = z3.And(
        [reading.row != n for n in range(len(reading.rows)) if n not in pairs.possible]
    )
    facts = z3.And(list(_facts(reading, pairs)))

    def after(term: Term) -> Term:
        return reading.at(term, reading.after, reading.row, reading.after)

    def first(term: Term) -> bool:
        here = reading.at(term, reading.start, reading.row, reading.after)
        return bool(z3.is_true(z3.simplify(here)))

    kept = {lemma: reading.property(lemma)[0] for lemma in lemmas}
    kept = {lemma: term for lemma, term in kept.items() if first(term)}
    while True:
        told = (happens, after(facts), *map(after, kept.values()))
        solver = fresh()
        solver.add(facts, *kept.values(), reading.relation, z3.Not(z3.And(told)))
        answer = ask(solver)
        if answer == z3.unknown:
            return Proved()
        if answer == z3.unsat and first(facts):
            return Proved(told, tuple(kept))
        broken = [] if answer == z3.unsat else _broken(solver.model(), kept, after)
        if not broken:
            raise DisagreementError("a row leads to what two items cannot be together")
        kept = {lemma: term for lemma, term in kept.items() if lemma not in broken}


def _facts(reading: Symbolic, pairs: Pairs) -> Iterator[Term]:
    """What `Pairs` finds, as terms over `before`."""
    for slot, values in pairs.values.items():
        if len(values) < len(pairs.domains[slot]):
            yield reading.among(slot, sorted(values))
    for fact in pairs.facts():
        here = reading.among(fact.key, [fact.value])
        yield z3.Implies(here, reading.among(fact.slot, fact.among))


def _broken(
    model: Any, kept: dict[Property, Term], after: Callable[[Term], Term]
) -> list[Property]:
    """The lemmas that do not hold after this step."""
    return [lemma for lemma, term in kept.items() if not z3.is_true(model.eval(after(term), True))]


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
