"""Proof obligations: what has to be unsatisfiable for an invariant to be inductive.

For every conjunct there is one obligation that it holds initially, and one for each row that could
disturb it: the whole invariant, the assumptions and the row's guards hold before, the conjunct
fails after.  A row that sets nothing a conjunct reads cannot disturb it and gives no obligation.

Nothing is vacuous: for every row `Firing` asks whether invariant, assumptions and guards can hold
together.  A row for which they cannot is *proved never to fire*, and is listed as such; the
explorer must agree (T5).

An answer is "proved" (unsat), "refuted" (sat: a state and a step that break the conjunct) or
"unknown"; only the first counts.

Most rows keep a conjunct by themselves: their guards and the conjunct before give the conjunct
after.  `reasons.toml` lists the steps that take more, and what.  An answer is that of the whole
obligation all the same: what follows from some of its premises follows from all.  If the list has
too little, a solver is asked again with all premises, and takes longer; nothing else depends on it.
`python -m holdover.proofs.theorems.reasons` prints the list as today's table has it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources

from holdover.model.table.expr import Action, Expr
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.proofs.logic import formula
from holdover.proofs.logic.first_order import (
    After,
    Initially,
    Logic,
    any_clock,
    are_members,
    parameters,
)
from holdover.proofs.logic.formula import FALSE, TRUE, Formula
from holdover.proofs.logic.invariants import remembering


@dataclass(frozen=True)
class Case:
    """The claim that an invariant is inductive, for these constants and under these assumptions.

    `ruled_out`: rows that cannot happen in such a network, though the constants allow them.
    """

    name: str
    says: str
    invariant: tuple[Property, ...] = field(repr=False)
    fixed: Mapping[str, object]
    assumptions: tuple[Expr, ...] = field(repr=False)
    table: Table = field(default=LEASE_TABLE, repr=False)
    ruled_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Obligation:
    """Assertions that must have no model: premises, and last what is not to follow from them.

    `first` are premises that are expected to suffice (`reasons.py`); none, where nothing is known.
    """

    case: str
    row: str
    conjunct: str
    assertions: tuple[Formula, ...] = field(repr=False, compare=False)  # pages of text
    first: tuple[Formula, ...] = field(default=(), repr=False, compare=False)

    @property
    def name(self) -> str:
        """case/row/conjunct, as in file names."""
        return f"{self.case}/{self.row}/{self.conjunct}"

    def smtlib(self, expected: str = "unsat") -> str:
        """The obligation in SMT-LIB 2.6; it is sat where it is one that must fail."""
        text = script([self.assertions[:-1], self.assertions[-1:]], rounds=False)
        logic, rest = text.split("\n", 1)
        return f"; {self.name}: expected {expected}\n{logic}\n(set-info :status {expected})\n{rest}"


def script(parts: Sequence[Sequence[Formula]], *, rounds: bool) -> str:
    """Assertions as SMT-LIB: the first part, then the others; in `rounds`, each with a check."""
    declared = formula.declarations(term for part in parts for term in part)

    def asserted(part: Sequence[Formula]) -> str:
        return "".join(f"(assert {formula.text_of(term)})\n" for term in part)

    body = asserted(parts[0])
    for part in parts[1:]:
        body += f"(push 1)\n{asserted(part)}(check-sat)\n(pop 1)\n" if rounds else asserted(part)
    return f"(set-logic ALL)\n{declared}{body}" + ("" if rounds else "(check-sat)\n")


def premises(case: Case, logic: Logic) -> list[Formula]:
    """Invariant and assumptions in the state before, which `logic` reads."""
    return [
        *telling(logic.read(conjunct.term, {}) for conjunct in case.invariant),
        *assumptions(case, logic),
    ]


def assumptions(case: Case, logic: Logic) -> list[Formula]:
    """What is assumed of constants and clocks."""
    clocks = [] if "drift" in case.fixed else any_clock()
    return [*clocks, *telling(logic.read(term, {}) for term in case.assumptions)]


def telling(terms: Iterable[Formula]) -> list[Formula]:
    """The terms that say something."""
    return [term for term in terms if term is not TRUE]


def guards(logic: Logic, action: Action) -> list[Formula] | None:
    """A row's guards, or None where the constants alone rule the row out."""
    binding = parameters(action)
    terms = [logic.read(guard, binding) for guard in action.when]
    if any(term is FALSE for term in terms):
        return None
    return [*are_members(binding), *telling(terms)]


@cache
def reasons() -> Mapping[tuple[str, str], Sequence[str]]:
    """The names of the other conjuncts that a row takes to keep a conjunct, by row and conjunct."""
    text = (resources.files("holdover.proofs.logic") / "reasons.toml").read_text("utf-8")
    return {
        (row, conjunct): tuple(others)
        for conjunct, rows in tomllib.loads(text).items()
        for row, others in rows.items()
    }


class Steps:
    """The steps of a case, row by row; what they have in common is read once."""

    def __init__(self, case: Case):
        self.case, self.logic = case, Logic(case.fixed)
        self.before, self.assumed = premises(case, self.logic), assumptions(case, self.logic)
        self.kept = {each.name: self.logic.read(each.term, {}) for each in case.invariant}
        self.reads = {each.name: each.term.reads for each in case.invariant}

    def of(self, action: Action) -> Iterator[Obligation]:
        """That the row keeps each conjunct that it could disturb."""
        allowed = guards(self.logic, action)
        if allowed is None:
            return
        changed = {effect.variable for effect in action.then}
        after = After(self.logic, action, parameters(action))
        for conjunct in self.case.invariant:
            if changed & self.reads[conjunct.name]:
                yield Obligation(
                    self.case.name,
                    action.name,
                    conjunct.name,
                    (*self.before, *allowed, ~after.read(conjunct.term, {})),
                    self._first(allowed, action.name, conjunct.name),
                )

    def _first(self, allowed: Sequence[Formula], row: str, conjunct: str) -> tuple[Formula, ...]:
        """The guards, the conjunct, and what else the row is known to take to keep it.

        None where that is no part of this invariant: it has another argument.
        """
        others = reasons().get((row, conjunct))
        if others is None:
            return tuple(dict.fromkeys((*allowed, *telling([self.kept[conjunct]]))))
        if not self.kept.keys() >= set(others):
            return ()
        known = telling(self.kept[name] for name in (conjunct, *others))
        return tuple(dict.fromkeys((*allowed, *known, *self.assumed)))


def obligations(case: Case) -> Iterator[Obligation]:
    """Everything that has to be unsatisfiable for the case to be proved."""
    steps, start = Steps(case), Initially(case.fixed)
    for conjunct in case.invariant:
        goal = ~start.read(conjunct.term, {})
        first = tuple(dict.fromkeys(steps.assumed))
        yield Obligation(case.name, "initially", conjunct.name, (*steps.assumed, goal), first)
    for action in map(remembering, case.table.actions):
        yield from steps.of(action)


def firing(case: Case) -> Iterator[Obligation]:
    """For each row that the constants allow: its premises, which should have a model.

    Where the drift is open, a model without drift will do.
    """
    case = replace(case, fixed={"drift": 0, **case.fixed})
    logic = Logic(case.fixed)
    before = premises(case, logic)
    for action in case.table.actions:
        allowed = guards(logic, action)
        if allowed is not None:
            fires = formula.all_of(allowed)  # one, so that rows differ in their last assertion only
            yield Obligation(case.name, action.name, "fires", (*before, fires))
