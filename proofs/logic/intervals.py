"""Whole numbers between bounds, and as bit-vectors: what a term may be worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import lcm
from typing import Any

import z3

from holdover.model.readings.ground import UNSET, Ground

Term = Any  # z3's own types say too little to help


Interval = tuple[Fraction, Fraction] | None  # of the values that are set; None: there are none


class UnlimitedError(ValueError):
    """Interval arithmetic gives no bound for an instant or a duration."""


@dataclass(frozen=True)
class Range:
    """Whole numbers from `low` to `high`, and where `optional` a code for unset."""

    low: int
    high: int
    optional: bool = False

    @property
    def unset(self) -> int:
        """The code for unset: next to the values, on the side where it costs least."""
        return self.low - 1 if self.low < 0 else self.high + 1

    @property
    def width(self) -> int:
        """Bits of a code; two's complement where there are negative ones."""
        codes = [self.low, self.high, *([self.unset] if self.optional else [])]
        if min(codes) < 0:
            return max(signed_width(code) for code in codes)
        return max(1, max(codes).bit_length())


@dataclass(frozen=True)
class Number:
    """A term: the two's complement `bits` over the denominator `over`, unless `unset` holds."""

    bits: Term
    over: int
    unset: Term

    def times(self, factor: int, over: int) -> Number:
        """The numerator times `factor`, over another denominator."""
        width = self.bits.size() + signed_width(factor)
        return Number(widen(self.bits, width) * factor, over, self.unset)


def signed_width(number: int) -> int:
    """Bits of a whole number in two's complement."""
    return (number if number >= 0 else ~number).bit_length() + 1


def widen(bits: Term, width: int) -> Term:
    """The same number in `width` bits."""
    return z3.SignExt(width - bits.size(), bits) if width > bits.size() else bits


def alike(numbers: Sequence[Number]) -> list[Number]:
    """The same numbers over one denominator and in one width."""
    over = reduce(lcm, (n.over for n in numbers))
    numbers = [n if n.over == over else n.times(over // n.over, over) for n in numbers]
    width = max(n.bits.size() for n in numbers)
    return [Number(widen(n.bits, width), over, n.unset) for n in numbers]


def hull(first: Interval, second: Interval) -> Interval:
    """The smallest interval that contains both."""
    if first is None or second is None:
        return first or second
    return min(first[0], second[0]), max(first[1], second[1])


def extent(term: Ground, places: Sequence[Interval]) -> Interval:
    """The interval of an instant or a duration, from the intervals of the state's items."""
    if term.op == "value":
        number = Fraction(term.args[0])
        return None if number == UNSET else (number, number)
    if term.op == "place":
        (number,) = term.args
        return places[int(number)]
    left, right = (extent(arg, places) for arg in term.args[-2:])  # of `ite`, its branches
    if term.op == "ite":
        return hull(left, right)
    if left is None or right is None:
        return None
    if term.op in ("mul", "div"):
        ratio = right[0] if term.op == "mul" else 1 / right[0]
        return min(x * ratio for x in left), max(x * ratio for x in left)
    low, high = right if term.op == "add" else (-right[1], -right[0])
    return left[0] + low, left[1] + high
