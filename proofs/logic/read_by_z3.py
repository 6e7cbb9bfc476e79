"""Z3 as it is asked by text: its contexts, what it reads, and the values that it finds.

Theory of operation.  Formulas are written as SMT-LIB, as for any solver, and Z3 reads them in a
context of their own (`read_by_z3`).  `solve` asks of them once, `Questions` again and again, and
`greatest` for a value.

What it does not know: obligations, and what an answer means (`solvers.py`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from holdover.proofs.logic import formula
from holdover.proofs.logic.formula import REAL, Formula, Value
from holdover.proofs.logic.obligations import script

KEPT_MEMORY = {-1: 1 << 28, -3: 1 << 25}
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h, in bytes: so many are kept when they
are free, and a piece that is larger the kernel is asked for by itself."""


@cache
def keep_memory() -> None:
    """Have the C library keep what it would give back to the kernel, where that can be said to it.

    A context takes some megabytes and frees them when its question is answered.  Given back, they
    are asked for again by the next one, page by page: a third of the time of short questions.
    """
    with suppress(AttributeError, OSError, TypeError):
        for name, value in KEPT_MEMORY.items():
            ctypes.CDLL(None).mallopt(name, value)


class Read(Sequence[Any]):
    """Some of the truth values that Z3 has read, in their order.

    Each becomes an object of Python's when it is looked at: to assert them needs none.
    """

    def __init__(self, vector: Any, numbers: Sequence[int]):
        self._vector, self._numbers = vector, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, at: Any) -> Any:
        return self._vector[self._numbers[at]]

    def assert_in(self, solver: Any) -> None:
        """Assert them all in a solver of the same context."""
        import z3

        context, vector = solver.ctx.ref(), self._vector.vector
        for number in self._numbers:
            term = z3.Z3_ast_vector_get(context, vector, number)
            z3.Z3_solver_assert(context, solver.solver, term)


def read_by_z3(*parts: Sequence[Formula]) -> tuple[Any, list[Read]]:
    """Parts of assertions as Z3 reads their text, in a context of its own.

    The text has each assertion once: steps of a case have most of theirs in common.

    In a context that is shared Z3's search depends on what else was asked or declared, and with it
    whether it comes to an end before it gives up.
    """
    import z3

    keep_memory()
    own = z3.Context()
    once = dict.fromkeys(term for part in parts for term in part)
    read = z3.parse_smt2_string(script([tuple(once)], rounds=False), ctx=own)
    if len(read) != len(once):
        raise ValueError(f"{len(once)} assertions were written, and {len(read)} read")
    numbers = {term: number for number, term in enumerate(once)}
    return own, [Read(read, [numbers[term] for term in part]) for part in parts]


def solve(assertions: Iterable[Formula], *tactics: str) -> tuple[str, Mapping[str, Value]]:
    """What Z3 says of assertions, by these tactics or by its own; if sat, symbols' values."""
    return _solved(tuple(assertions), tactics)


SOLVED = 64
"""Of so many of the last questions the values are kept."""


@lru_cache(SOLVED)
def _solved(
    assertions: tuple[Formula, ...], tactics: tuple[str, ...]
) -> tuple[str, Mapping[str, Value]]:
    """The same, which is asked once: runs of clients that differ in what no row reads are one."""
    import z3

    own, (terms,) = read_by_z3(assertions)
    solver = z3.Then(*tactics, ctx=own).solver() if tactics else z3.Solver(ctx=own)
    terms.assert_in(solver)
    said = str(solver.check())
    if said != "sat":
        return said, {}
    model = solver.model()
    values = {str(d): value_of(model[d]) for d in model.decls() if d.arity() == 0}
    return said, MappingProxyType(values)


class Questions:
    """Z3 asked again and again of the same assertions, under other assumptions each time.

    An assumption is the name of a truth symbol that the assertions speak of.
    """

    def __init__(self, assertions: Sequence[Formula]):
        import z3

        self._own, (terms,) = read_by_z3(assertions)
        self._solver = z3.SimpleSolver(ctx=self._own)
        terms.assert_in(self._solver)

    def model(self, assumed: Iterable[str]) -> dict[str, Value] | None:
        """The symbols' values in a model; None if there is none.

        ArithmeticError if Z3 does not decide it.
        """
        import z3

        said = str(self._solver.check(*(z3.Bool(name, self._own) for name in assumed)))
        if said == "unknown":
            raise ArithmeticError(f"Z3 does not decide it: {self._solver.reason_unknown()}")
        if said == "unsat":
            return None
        model = self._solver.model()
        return {str(d): value_of(model[d]) for d in model.decls() if d.arity() == 0}


def greatest(term: Formula, assertions: Sequence[Formula]) -> Fraction | None:
    """The greatest value of a term over the reals; None if it has no limit.

    ValueError if nothing satisfies the assertions, or if Z3 does not find it.
    """
    import z3

    value = formula.symbol("greatest_value", REAL)
    own, (terms,) = read_by_z3([formula.equal(value, term), *assertions])
    search = z3.Optimize(ctx=own)
    search.add(*terms)
    most = search.maximize(z3.Real("greatest_value", own))
    if str(search.check()) != "sat":
        raise ValueError("Z3 finds no greatest value")
    reached = search.upper(most)
    finite = z3.is_rational_value(reached) or z3.is_int_value(reached)
    return Fraction(value_of(reached)) if finite else None


def value_of(term: Any) -> Value:
    """What Z3's literal says."""
    import z3

    if z3.is_bool(term):
        return bool(z3.is_true(term))
    if z3.is_rational_value(term):
        return Fraction(term.numerator_as_long(), term.denominator_as_long())
    if z3.is_bv_value(term):
        return int(term.as_signed_long())
    return int(term.as_long()) if z3.is_int_value(term) else str(term)
