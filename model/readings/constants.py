"""The numeric reading: terms over constants alone, evaluated exactly.

The bound of T3 is such a term.  Durations and ratios are fractions, switches are truth values,
choices are their names.  A term that speaks of a state or of all members of a sort has no number;
reading it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from operator import add, eq, le, lt, mul, sub, truediv
from typing import Any

from holdover.model.table.expr import Expr, Reading, Sort, Variable, of_member
from holdover.model.table.vocabulary import h

Number = Fraction | bool | str
Constants = Mapping[str, object]

OPERATORS: Mapping[str, Callable[[Any, Any], Number]] = {
    "eq": eq,
    "lt": lt,
    "le": le,
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": truediv,
}


class Numeric(Reading[Number]):
    """Terms as exact numbers, given a value for each constant."""

    def __init__(self, constants: Constants):
        self.constants = constants

    def of(self, term: Expr, host: int) -> Number:
        """The number of a term in which `h` is this host."""
        return self.read(term, {h: Fraction(host)})

    def leaf(self, term: Expr) -> Number:
        """A literal."""
        if term.op == "none":
            raise TypeError(f"none of sort {term.sort} is no number")
        return self.number(term.args[0])

    def constant(self, name: str, sort: Sort, at: Sequence[Number]) -> Number:
        """The value given for a constant."""
        return self.number(of_member(self.constants[name], int(at[0]) if at else 0))

    def number(self, value: object) -> Number:
        """A value as a number; TypeError if it is none."""
        if isinstance(value, bool | str):
            return value
        if isinstance(value, int | Fraction):
            return Fraction(value)
        raise TypeError(f"{value!r} is no number")

    def state(self, variable: Variable, at: Sequence[Number]) -> Number:
        """State has no number."""
        raise TypeError(f"{variable.name} is state: it has no number")

    def every(self, bound: Expr, body: Callable[[Number], Number]) -> Number:
        """Neither has a quantifier."""
        raise TypeError(f"a term over all {bound.sort} has no number")

    def node(self, term: Expr, args: Sequence[Callable[[], Number]]) -> Number:
        """An operator on numbers; only what is chosen or needed is read."""
        match term.op:
            case "and":
                return all(arg() for arg in args)
            case "or":
                return any(arg() for arg in args)
            case "not":
                return not args[0]()
            case "ite":
                return args[1]() if args[0]() else args[2]()
        return OPERATORS[term.op](*(arg() for arg in args))


def evaluate(term: Expr, constants: Constants, host: int = 0) -> Number:
    """The value of a term over constants, and over those of one host: a fraction, a truth value ...

    Where all hosts have the same client it does not matter which host that is.
    """
    return Numeric(constants).of(term, host)


def seconds(term: Expr, constants: Constants, host: int = 0) -> Fraction:
    """The value of a duration or a ratio."""
    value = evaluate(term, constants, host)
    if isinstance(value, bool | str):
        raise TypeError(f"{term.sort} is no duration")
    return value


def holds(term: Expr, constants: Constants, host: int = 0) -> bool:
    """The value of a truth term."""
    value = evaluate(term, constants, host)
    if not isinstance(value, bool):
        raise TypeError(f"{term.sort} is no truth value")
    return value
