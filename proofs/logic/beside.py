"""A row of the lease table beside what solvers and checkers are given for it.

Theory of operation.  Each guard stands beside its formula; each variable that the row sets, with
what the table says of it, beside its value after the step, at any index `x`.  Both come from the
terms of the table: the left by way of the documentation (`prose.py`), the right by way of the
proofs (`first_order.py`).  Whether they mean the same is for the reader to see; the formulas are
evaluated against the concrete reading in `tests/measure/second_reading.py`.

What it does not know: invariants and assumptions, which are not of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from holdover.model.readings import prose
from holdover.model.table.expr import Action
from holdover.proofs.logic import formula
from holdover.proofs.logic.first_order import After, Logic, are_members, domain, parameters
from holdover.proofs.logic.formula import Formula


@dataclass(frozen=True)
class Pair:
    """What the table says, and the same as SMT-LIB; for an effect, of which variable."""

    says: str
    smtlib: str
    variable: str = ""


def formulas(row: Action, fixed: Mapping[str, object]) -> Iterator[tuple[str, Formula, str]]:
    """What the table says, the formula, and for an effect the variable."""
    before, binding = Logic(fixed), parameters(row)
    members = [each for each in row.given if each.sort.indexes]
    for parameter, member in zip(members, are_members(binding), strict=True):
        yield f"{prose.text(parameter)} is a {parameter.sort}", member, ""
    for guard in row.when:
        yield prose.text(guard), before.read(guard, binding), ""
    after = After(before, row, binding)
    for variable in dict.fromkeys(effect.variable for effect in row.then):
        said = prose.effects([each for each in row.then if each.variable is variable])
        index = variable.index
        at = [] if index is None else [formula.symbol("x", domain(index))]
        yield "; ".join(said), after.state(variable, at), variable.name + ("[x]" if at else "")


def pairs(row: Action, fixed: Mapping[str, object]) -> list[Pair]:
    """The row, part by part; `fixed` are the constants that are not left open."""
    return [
        Pair(says, formula.text_of(term), variable) for says, term, variable in formulas(row, fixed)
    ]
