"""Proof obligations: what has to be unsatisfiable for an invariant to be inductive.

For every conjunct there is one obligation that it holds initially, and one for each row that could
disturb it: the whole invariant, the assumptions and the row's guards hold before, the conjunct
fails after.  A row that sets nothing a conjunct reads cannot disturb it and gives no obligation.

Nothing is vacuous: for every row `Firing` asks whether invariant, assumptions and guards can hold
together.  A row for which they cannot is *proved never to fire*, and is listed as such; the
explorer must agree (T5).

An answer is "proved" (unsat), "refuted" (sat: a state and a step that break the conjunct) or
"unknown"; only the first counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import z3

from holdover.model.table.expr import Action, Expr, Variable
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.proofs.logic.first_order import (
    After,
    Initially,
    Logic,
    any_clock,
    are_members,
    parameters,
)
from holdover.proofs.logic.invariants import remembering


@dataclass(frozen=True)
class Case:
    """The claim that an invariant is inductive, for these constants and under these assumptions."""

    name: str
    says: str
    invariant: tuple[Property, ...] = field(repr=False)
    fixed: Mapping[str, object]
    assumptions: tuple[Expr, ...] = field(repr=False)
    table: Table = field(default=LEASE_TABLE, repr=False)


@dataclass(frozen=True)
class Obligation:
    """Assertions that must have no model."""

    case: str
    row: str
    conjunct: str
    assertions: tuple[Any, ...] = field(repr=False)  # pages of text

    @property
    def name(self) -> str:
        """case/row/conjunct, as in file names."""
        return f"{self.case}/{self.row}/{self.conjunct}"

    def smtlib(self, expected: str = "unsat") -> str:
        """The obligation in SMT-LIB 2.6; it is sat where it is one that must fail."""
        text = script([self.assertions[:-1], self.assertions[-1:]], rounds=False)
        logic, rest = text.split("\n", 1)
        return f"; {self.name}: expected {expected}\n{logic}\n(set-info :status {expected})\n{rest}"


def script(parts: Sequence[Sequence[Any]], *, rounds: bool) -> str:
    """Assertions as SMT-LIB: the first part, then the others; in `rounds`, each with a check."""
    solver = z3.Solver()
    solver.add(*(term for part in parts for term in part))
    text = solver.to_smt2()
    declared = text[: text.find("(assert")] if "(assert" in text else ""
    skipped = (";", "(set-info")
    declared = "".join(f"{x}\n" for x in declared.splitlines() if x and not x.startswith(skipped))

    def asserted(part: Sequence[Any]) -> str:
        return "".join(f"(assert {term.sexpr()})\n" for term in part)

    body = asserted(parts[0])
    for part in parts[1:]:
        body += f"(push 1)\n{asserted(part)}(check-sat)\n(pop 1)\n" if rounds else asserted(part)
    return f"(set-logic ALL)\n{declared}{body}" + ("" if rounds else "(check-sat)\n")


def variables_of(term: object) -> set[Variable]:
    """The state that a term reads."""
    if isinstance(term, Variable):
        return {term}
    if isinstance(term, Expr):
        return set().union(*(variables_of(arg) for arg in term.args)) if term.args else set()
    return set()


def premises(case: Case) -> list[Any]:
    """Invariant and assumptions in the state before."""
    logic = Logic(case.fixed)
    terms = [p.term for p in case.invariant] + list(case.assumptions)
    clocks = [] if "drift" in case.fixed else any_clock()
    return [*clocks, *(logic.read(term, {}) for term in terms)]


def guards(case: Case, action: Action) -> list[Any] | None:
    """A row's guards, or None where the constants alone rule the row out."""
    binding = parameters(action)
    logic = Logic(case.fixed)
    terms = [logic.read(guard, binding) for guard in action.when]
    if any(z3.is_false(z3.simplify(term)) for term in terms):
        return None
    return [*are_members(binding), *terms]


def obligations(case: Case) -> Iterator[Obligation]:
    """Everything that has to be unsatisfiable for the case to be proved."""
    before = premises(case)
    assumed = [Logic(case.fixed).read(term, {}) for term in case.assumptions]
    start = Initially(case.fixed)
    for conjunct in case.invariant:
        goal = z3.Not(start.read(conjunct.term, {}))
        yield Obligation(case.name, "initially", conjunct.name, (*assumed, goal))
    reads = {conjunct.name: variables_of(conjunct.term) for conjunct in case.invariant}
    for action in map(remembering, case.table.actions):
        allowed = guards(case, action)
        if allowed is None:
            continue
        changed = {effect.variable for effect in action.then}
        after = After(case.fixed, action, parameters(action))
        for conjunct in case.invariant:
            if changed & reads[conjunct.name]:
                goal = z3.Not(after.read(conjunct.term, {}))
                yield Obligation(case.name, action.name, conjunct.name, (*before, *allowed, goal))


def firing(case: Case) -> Iterator[Obligation]:
    """For each row that the constants allow: its premises, which should have a model.

    Where the drift is open, a model without drift will do.
    """
    case = replace(case, fixed={"drift": 0, **case.fixed})
    before = premises(case)
    for action in case.table.actions:
        allowed = guards(case, action)
        if allowed is not None:
            yield Obligation(case.name, action.name, "fires", (*before, *allowed))
