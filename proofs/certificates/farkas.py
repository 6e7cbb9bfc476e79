"""Which sum contradicts itself: multipliers for what letters say of numbers.

Theory of operation.  Z3 is asked whether rows `p >= 0` and `p > 0`, a row for each letter, have a
solution, each product of unknowns being an unknown of its own.  Where they have none, and
each of the rows that are left is needed, their multipliers are unique but for a common factor
(Farkas), and are found by elimination in exact fractions.

What it does not know: that a product of unknowns has to do with them.  Products of two rows may be
given as rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from holdover.proofs.certificates.check import Polynomial


@dataclass(frozen=True)
class Row:
    """What is not negative, and positive where it is `strict`; `about` is what says so."""

    about: tuple[tuple[bool, int], ...]
    polynomial: Polynomial
    strict: bool


def contradictions(rows: Sequence[Row], most: int = 8) -> list[list[tuple[Fraction, Row]]]:
    """Multipliers of some of the rows whose sum contradicts itself, so often as none is twice."""
    import z3

    found = list[list[tuple[Fraction, Row]]]()
    if not rows:
        return found
    solver = z3.SolverFor("QF_LRA", ctx=z3.Context())
    solver.from_string(text_of(rows))
    names = [z3.Bool(f"k{place}", solver.ctx) for place in range(len(rows))]
    left = list(range(len(rows)))

    def core(places: Sequence[int]) -> list[int] | None:
        if solver.check(*(names[place] for place in places)) != z3.unsat:
            return None
        return sorted(int(str(name)[1:]) for name in solver.unsat_core())

    while len(found) < most and (kept := core(left)) is not None:
        for place in reversed(kept):
            if place in kept:
                less = core([other for other in kept if other != place])
                kept = kept if less is None else less
        chosen = [rows[place] for place in kept]
        found.append(list(zip(multipliers(chosen), chosen, strict=True)))
        left = [place for place in left if place not in kept]
    return found


def text_of(rows: Sequence[Row]) -> str:
    """The rows as SMT-LIB, each under the name of its place."""
    unknowns: dict[tuple[int, ...], str] = {}
    lines = []
    for place, row in enumerate(rows):
        parts = ["0.0"]
        for monomial, number in row.polynomial.items():
            factor = f"(/ {abs(number.numerator)}.0 {number.denominator}.0)"
            factor = f"(- {factor})" if number < 0 else factor
            if not monomial:
                parts.append(factor)
                continue
            name = unknowns.setdefault(monomial, f"u{len(unknowns)}")
            parts.append(f"(* {factor} {name})")
        op = ">" if row.strict else ">="
        said = f"({op} (+ {' '.join(parts)}) 0.0)"
        lines.append(f"(declare-fun k{place} () Bool)(assert (=> k{place} {said}))")
    return "\n".join([*(f"(declare-fun {name} () Real)" for name in unknowns.values()), *lines])


def multipliers(rows: Sequence[Row]) -> list[Fraction]:
    """The multipliers of rows each of which is needed: whole numbers, as small as can be."""
    unknowns = {monomial for row in rows for monomial in row.polynomial if monomial}
    matrix = [
        [Fraction(row.polynomial.get(monomial, 0)) for row in rows] for monomial in sorted(unknowns)
    ]
    free = _one_free(matrix, len(rows))
    if any(factor < 0 for factor in free):
        free = [-factor for factor in free]
    whole = lcm(*(factor.denominator for factor in free))
    common = gcd(*(int(factor * whole) for factor in free))
    return [factor * whole / common for factor in free]


def _one_free(matrix: list[list[Any]], width: int) -> list[Fraction]:
    """The vector that a matrix takes to 0, where there is one but for a factor."""
    pivots: list[int] = []
    rows = [list(row) for row in matrix]
    for column in range(width):
        place = next((i for i in range(len(pivots), len(rows)) if rows[i][column]), None)
        if place is None:
            continue
        rows[len(pivots)], rows[place] = rows[place], rows[len(pivots)]
        pivot = rows[len(pivots)]
        pivot[:] = [value / pivot[column] for value in pivot]
        for other in rows:
            if other is not pivot and other[column]:
                other[:] = [x - other[column] * y for x, y in zip(other, pivot, strict=True)]
        pivots.append(column)
    (free,) = (column for column in range(width) if column not in pivots)
    found = [Fraction(0)] * width
    found[free] = Fraction(1)
    for row, column in zip(rows, pivots, strict=False):
        found[column] = -row[free]
    return found
