"""A state and a step of few hosts that break a conjunct, for which a solver need not instantiate.

Each quantifier is written out over the members, so that Z3 decides it.  The history variables that
proofs know are variables here, and the rows set them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from holdover.model.readings.finite import NONE
from holdover.model.table.expr import Expr, Variable
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.proofs.logic import formula
from holdover.proofs.logic.formula import Formula
from holdover.proofs.logic.invariants import given_at, remembering, request, word
from holdover.proofs.logic.read_by_z3 import solve
from holdover.proofs.logic.unrolled import SymbolicRun, Unrolled, sizes_of


def noting(table: Table) -> Table:
    """A lease table with its history variables."""
    variables = (*table.variables, word, given_at, request)
    return Table(variables, tuple(map(remembering, table.actions)))


NOTING = noting(LEASE_TABLE)


class Open(Unrolled):
    """A state in which a variable may name the member that another is read of."""

    def state(self, variable: Variable, at: Sequence[Formula]) -> Formula:
        """The value of the member that the index is; of none it is the first one's."""
        if not at or at[0].known:
            return super().state(variable, at)
        assert variable.index is not None
        first, *others = (self.values[variable.name, i] for i in range(self.sizes[variable.index]))
        for number, value in enumerate(others, 1):
            first = formula.ite(at[0] == self.whole(number), value, first)
        return first


def breaks(
    row: str,
    broken: Expr,
    invariant: Iterable[Property],
    fixed: Mapping[str, object],
    assumed: Iterable[Expr],
    sizes: tuple[int, int, int] = (2, 1, 1),
    table: Table = NOTING,
) -> bool:
    """Whether there is a state with the invariant from which the row leads to one without `broken`.

    The row is taken by the first host, about the first address and datagram, and the second ones
    where it speaks of two.  Its numbers are symbols.
    """
    many = sizes_of(*sizes)
    path = SymbolicRun(table, many, fixed)
    path.here = Open(many, fixed, {})
    sorts = {
        (v.name, i): v.sort for v in table.variables for i in range(many[v.index] if v.index else 1)
    }
    values = {slot: path.here.variable(f"{slot[0]}_{slot[1]}", s) for slot, s in sorts.items()}
    path.here = here = path.here.where(values)
    asked = []
    for slot, sort in sorts.items():
        if sort.values:
            asked += [values[slot] >= 0, values[slot] < len(sort.values)]
        elif sort.indexes:
            asked += [values[slot] >= NONE, values[slot] < many[sort]]
    asked += [here.read(term, {}) for term in assumed]
    asked += [here.read(each.term, {}) for each in invariant]
    if row:
        action, met = table.action(row), dict.fromkeys(many, 0)
        given: dict[str, object] = {}
        for parameter in action.given:
            name = str(parameter.args[0])
            if parameter.sort.indexes:
                given[name] = met[parameter.sort]
                met[parameter.sort] += 1
            else:
                given[name] = here.variable(name, parameter.sort)
        path.take(row, **given)
        asked += [guard for _, guard in path.conditions]
    answer, _ = solve([*asked, ~path.here.read(broken, {})])
    if answer == "unknown":
        raise ArithmeticError(f"Z3 does not decide whether {row} breaks it")
    return answer == "sat"
