"""Which sum contradicts itself: multipliers for what letters say of numbers.

Theory of operation.  Z3 is asked whether rows `p >= 0` and `p > 0`, a row for each letter, have a
solution, each product of unknowns being an unknown of its own.  Where they have none, and
each of the rows that are left is needed, their multipliers are unique but for a common factor
(Farkas), and are found by elimination in exact fractions.

What it does not know: that a product of unknowns has to do with them.  Products of two rows may be
given as rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from holdover.proofs.certificates.check import Polynomial
from holdover.proofs.certificates.letters import unsat


@dataclass(frozen=True)
class Row:
    """What is not negative, and positive where it is `strict`; `about` is what says so."""

    about: tuple[tuple[bool, int], ...]
    polynomial: Polynomial
    strict: bool


class Sums:
    """Rows that have been asked about, and what Z3 has learned of them."""

    def __init__(self) -> None:
        import z3

        self.z3: Any = z3
        self.solver = z3.SolverFor("QF_LRA", ctx=z3.Context())
        self.names: dict[tuple[tuple[bool, int], ...], Any] = {}
        self.places: dict[int, tuple[tuple[bool, int], ...]] = {}
        self.unknowns: dict[tuple[int, ...], str] = {}

    def contradictions(
        self, rows: Sequence[Row], most: int = 8
    ) -> list[list[tuple[Fraction, Row]]]:
        """Multipliers of some of the rows whose sum contradicts itself, so often as none is twice.

        Of rows with the same `about` it takes one.
        """
        left, found = {row.about: row for row in rows}, list[list[tuple[Fraction, Row]]]()
        self.tell([row for row in left.values() if row.about not in self.names])
        while len(found) < most and (kept := self.core(left)) is not None:
            factors = multipliers([left[about] for about in kept])
            for about in reversed(kept) if factors is None else ():
                if about in kept:
                    less = self.core([other for other in kept if other != about])
                    kept = kept if less is None else less
            chosen = [left.pop(about) for about in kept]
            found.append(list(zip(factors or multipliers(chosen) or (), chosen, strict=True)))
        return found

    def core(
        self, chosen: Iterable[tuple[tuple[bool, int], ...]]
    ) -> list[tuple[tuple[bool, int], ...]] | None:
        """Rows of these that have no solution, in order; None if all together have one."""
        if not unsat(self.solver, [self.names[about] for about in chosen]):
            return None
        return sorted(self.places[name.get_id()] for name in self.solver.unsat_core())

    def tell(self, rows: Sequence[Row]) -> None:
        """The rows as SMT-LIB, each under a name."""
        known, lines = len(self.unknowns), list[str]()
        for place, row in enumerate(rows, len(self.names)):
            parts = ["0.0"]
            for monomial, number in row.polynomial.items():
                factor = f"(/ {abs(number.numerator)}.0 {number.denominator}.0)"
                factor = f"(- {factor})" if number < 0 else factor
                if monomial:
                    name = self.unknowns.setdefault(monomial, f"u{len(self.unknowns)}")
                    factor = f"(* {factor} {name})"
                parts.append(factor)
            said = f"({'>' if row.strict else '>='} (+ {' '.join(parts)}) 0.0)"
            lines.append(f"(declare-fun k{place} () Bool)(assert (=> k{place} {said}))")
            name = self.names[row.about] = self.z3.Bool(f"k{place}", self.solver.ctx)
            self.places[name.get_id()] = row.about
        names = list(self.unknowns.values())[known:]
        declared = [f"(declare-fun {name} () Real)" for name in names]
        self.solver.from_string("\n".join([*declared, *lines]))


def multipliers(rows: Sequence[Row]) -> list[Fraction] | None:
    """The multipliers of rows each of which is needed: whole numbers, as small as can be.

    None, where they are not unique: then not each is needed.
    """
    unknowns = {monomial for row in rows for monomial in row.polynomial if monomial}
    matrix = [
        [Fraction(row.polynomial.get(monomial, 0)) for row in rows] for monomial in sorted(unknowns)
    ]
    free = _one_free(matrix, len(rows))
    if free is None or not all(free):
        return None
    if any(factor < 0 for factor in free):
        free = [-factor for factor in free]
    whole = lcm(*(factor.denominator for factor in free))
    common = gcd(*(int(factor * whole) for factor in free))
    return [factor * whole / common for factor in free]


def _one_free(matrix: list[list[Any]], width: int) -> list[Fraction] | None:
    """The vector that a matrix takes to 0, where there is one but for a factor."""
    pivots: list[int] = []
    rows = [list(row) for row in matrix]
    for column in range(width):
        place = next((i for i in range(len(pivots), len(rows)) if rows[i][column]), None)
        if place is None:
            continue
        rows[len(pivots)], rows[place] = rows[place], rows[len(pivots)]
        pivot = rows[len(pivots)]
        first = pivot[column]
        pivot[:] = [value / first if value else value for value in pivot]
        for other in rows:
            if other is not pivot and other[column]:
                factor = other[column]
                other[:] = [x - factor * y if y else x for x, y in zip(other, pivot, strict=True)]
        pivots.append(column)
    if len(pivots) != width - 1:
        return None
    (free,) = (column for column in range(width) if column not in pivots)
    found = [Fraction(0)] * width
    found[free] = Fraction(1)
    for row, column in zip(rows, pivots, strict=False):
        found[column] = -row[free]
    return found
