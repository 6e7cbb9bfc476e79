"""Ground terms: what the table says of one row and one binding, over arrays of values.

Theory of operation.  `Grounded` is the reading that unrolls quantifiers, fixes constants and folds
what they decide; what is left is a tree over *places* (the items of a finite state).  `evaluate`
computes such a tree for many states at once: each place is given as a numpy array, and arrays of
different shape broadcast, so that one call yields a whole table over independent parts of a state.

Enumerations, references and truth values are what they are in the finite reading.  An unset instant
is `UNSET`; where it would be compared or added to, the result is `MISREAD`, and so is what comes of
it, except where an earlier part of a conjunction or disjunction decides, as in Python.  Fractions
are kept as a numerator and a common denominator: nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from holdover.model.readings.finite import BINARY, NONE, Bounds, Constants, Instance, Label
from holdover.model.table.expr import (
    INSTANT,
    Effect,
    Expr,
    SharedReading,
    Sort,
    Variable,
    of_member,
)
from holdover.model.table.vocabulary import NOW

Array = npt.NDArray[Any]
UNSET = -(1 << 40)
"""An instant that is not set; a finite state's `None`."""
MISREAD = UNSET - 1
"""What comparing or moving an unset instant gives, which the finite reading raises."""


@dataclass(frozen=True)
class Ground:
    """A term without parameters: a value, a place (the number of a state's item) or an operator.

    A place `~p` (negative) is item `p` after the step.
    """

    op: str
    args: tuple[Any, ...]
    places: frozenset[int] = field(compare=False, repr=False, default=frozenset())

    @property
    def known(self) -> bool:
        """Whether it is a value."""
        return self.op == "value"


def value(of: object) -> Ground:
    """A value; `None`, an instant that is not set, is UNSET."""
    return Ground("value", (UNSET if of is None else of,))


@cache
def place(number: int) -> Ground:
    """An item of the state."""
    return Ground("place", (number,), frozenset({number}))


NO = value(False)


def compound(op: str, args: Sequence[Ground]) -> Ground:
    """An operator; places are the arguments' places."""
    return Ground(op, tuple(args), frozenset().union(*(arg.places for arg in args)))


def join_parts(op: str, parts: Iterable[Ground]) -> Ground:
    """A conjunction or disjunction, flat; what comes after a deciding part is not read."""
    left: list[Ground] = []
    for part in parts:
        if part.known:
            if bool(part.args[0]) is (op == "or"):
                return part if not left else compound(op, [*left, part])
        elif part.op == op:
            left += part.args
        else:
            left.append(part)
    if not left:
        return value(op == "and")
    return left[0] if len(left) == 1 else compound(op, left)


def negate(term: Ground) -> Ground:
    """The negation."""
    if term.known:
        return value(not term.args[0])
    if term.op == "not":
        inner: Ground = term.args[0]
        return inner
    return compound("not", (term,))


def conjuncts(term: Ground) -> list[Ground]:
    """Terms whose conjunction it is, as small as they get."""
    if term.op == "and":
        return [part for arg in term.args for part in conjuncts(arg)]
    if term.op == "not" and term.args[0].op == "or":
        return [part for arg in term.args[0].args for part in conjuncts(negate(arg))]
    return [term]


def disjuncts(term: Ground) -> list[Ground]:
    """Terms whose disjunction it is, as small as they get."""
    if term.op == "or":
        return [part for arg in term.args for part in disjuncts(arg)]
    if term.op == "not" and term.args[0].op == "and":
        return [part for arg in term.args[0].args for part in disjuncts(negate(arg))]
    return [term]


class Grounded(SharedReading[Ground]):
    """Terms of the table with members for parameters and values for constants.

    Rows that say the same have the same term in common, as an object.
    """

    def __init__(self, places: Mapping[tuple[str, int], int], constants: Constants, bounds: Bounds):
        super().__init__()
        self.places, self.constants, self.bounds = places, constants, bounds
        self.following = False

    def place(self, term: Expr) -> object:
        """Whether it is read of the state after the step."""
        return self.following

    def leaf(self, term: Expr) -> Ground:
        """A literal: its value."""
        if term.op == "none":
            return value(NONE if term.sort.indexes else None)
        return self.fixed(term.args[0], term.sort)

    def constant(self, name: str, sort: Sort, at: Sequence[Ground]) -> Ground:
        """The value of a constant."""
        return self.fixed(of_member(self.constants[name], at[0].args[0] if at else 0), sort)

    def fixed(self, of: object, sort: Sort) -> Ground:
        """A value of a sort."""
        return value(sort.values.index(of) if isinstance(of, str) else of)

    def state(self, variable: Variable, at: Sequence[Ground]) -> Ground:
        """An item of the state; `now` is 0."""
        if variable is NOW:
            return value(0)
        number = self.places[variable.name, at[0].args[0] if at else 0]
        return place(~number if self.following else number)

    def every(self, bound: Expr, body: Callable[[Ground], Ground]) -> Ground:
        """The conjunction over all members."""
        return join_parts("and", (body(value(i)) for i in range(self.bounds.size(bound.sort))))

    def after(self, term: Expr, bound: Mapping[Expr, Ground]) -> Ground:
        """The same of the state after the step; TypeError for instants."""
        if term.sort is INSTANT:
            raise TypeError("instants before and after a step are counted from different zeros")
        self.following = True
        try:
            return self.read(term, bound)
        finally:
            self.following = False

    def node(self, term: Expr, args: Sequence[Callable[[], Ground]]) -> Ground:
        """An operator, decided as far as its arguments are known."""
        if term.op in ("and", "or"):
            return join_parts(term.op, (arg() for arg in args))
        if term.op == "not":
            return negate(args[0]())
        if term.op == "ite":
            condition = args[0]()
            return choice(condition, args[1], args[2])
        left, right = args[0](), args[1]()
        if left.known and right.known:
            return value(BINARY[term.op][1](left.args[0], right.args[0]))
        return compound(term.op, (left, right))


def choice(
    condition: Ground, then: Callable[[], Ground], otherwise: Callable[[], Ground]
) -> Ground:
    """One of two terms; only the chosen one is read."""
    if condition.known:
        return then() if condition.args[0] else otherwise()
    first, second = then(), otherwise()
    return first if first == second else compound("ite", (condition, first, second))


# Rows --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GroundRow:
    """A row for one binding: its guards, the items that it sets, and the ticks that pass then.

    Where time passes, `after` has every instant, as it is before that: the reader moves it.
    """

    guards: tuple[Ground, ...]
    after: Mapping[int, Ground]
    passed: int

    @property
    def guard(self) -> Ground:
        """All guards."""
        return join_parts("and", self.guards)


def ground_row(instance: Instance, reading: Grounded, label: Label) -> GroundRow:
    """What a row says for one binding; its right sides read the state before."""
    bound = {p: value(v) for p, v in zip(label.action.given, label.binding, strict=True)}
    guards = tuple(reading.read(when, bound) for when in label.action.when)
    after: dict[int, Ground] = {}
    passed = 0

    def change(effect: Effect, at: Mapping[Expr, Ground]) -> None:
        member = reading.read(effect.at, at).args[0] if effect.at is not None else 0
        slot = instance.place[effect.variable.name, member]
        after[slot] = choice(
            reading.read(effect.where, at),
            lambda: reading.read(effect.value, at),
            lambda: after.get(slot, place(slot)),
        )

    for effect in label.action.then:
        if effect.variable is NOW:
            passed = int(reading.read(effect.value, bound).args[0])
        elif effect.every and effect.at is not None:
            for member in instance.bounds.domain(effect.at):
                change(effect, {**bound, effect.at: value(member)})
        else:
            change(effect, bound)
    if passed:
        for slot, (variable, _) in enumerate(instance.slots):
            if variable.sort is INSTANT:
                after.setdefault(slot, place(slot))
    return GroundRow(guards, after, passed)


# Values ------------------------------------------------------------------------------------------


def replace_terms(term: Ground, by: Callable[[Ground], Ground | None]) -> Ground:
    """The term with each outermost subterm that `by` gives another for replaced by it."""
    other = by(term)
    if other is not None:
        return other
    if term.op in ("value", "place", "view"):
        return term
    args = [replace_terms(arg, by) for arg in term.args]
    if term.op in ("and", "or"):
        return join_parts(term.op, args)
    if term.op == "not":
        return negate(args[0])
    if term.op == "ite":
        return choice(args[0], lambda: args[1], lambda: args[2])
    if all(arg.known for arg in args):
        return value(BINARY[term.op][1](args[0].args[0], args[1].args[0]))
    return compound(term.op, args)


# Evaluation --------------------------------------------------------------------------------------

Columns = Callable[[Ground], Array]
"""What a place (or another leaf) is, as an array."""

COMPARES: Mapping[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal,
    "lt": np.less,
    "le": np.less_equal,
}


def evaluate(term: Ground, columns: Columns) -> Any:
    """The term's value for each element: truth is 0 or 1, MISREAD where the finite reading raises.

    A whole value is a plain number.  TypeError if an element is no whole number of ticks.
    """
    number, over = _number(term, columns)
    if over == 1:
        return number
    if ((number % over != 0) & (number > MISREAD)).any():
        raise TypeError(f"not a whole number of ticks: {term}")
    return np.where(number <= MISREAD, number, number // over)


def _number(term: Ground, columns: Columns) -> tuple[Any, int]:
    """The same as numerators over a common denominator; UNSET and MISREAD are not scaled.

    A value that is whole is a plain number: what numpy does with that is quicker.
    """
    if term.op == "value":
        of = term.args[0]
        return (of.numerator if of.denominator == 1 else np.asarray(of.numerator)), of.denominator
    if term.op in ("and", "or"):
        goes_on = 1 if term.op == "and" else 0
        found = evaluate(term.args[0], columns)
        for arg in term.args[1:]:
            found = np.where(found == goes_on, evaluate(arg, columns), found)
        return found, 1
    if term.op == "not":
        inner = evaluate(term.args[0], columns)
        return np.where(inner == MISREAD, MISREAD, 1 - inner), 1
    if term.op == "ite":
        condition = evaluate(term.args[0], columns)
        then, other, over = _common(*(_number(arg, columns) for arg in term.args[1:]))
        return np.where(condition == MISREAD, MISREAD, np.where(condition == 1, then, other)), over
    if term.op in ("mul", "div"):
        number, over = _number(term.args[0], columns)
        ratio = Fraction(term.args[1].args[0])  # the language knows no other right side
        ratio = 1 / ratio if term.op == "div" else ratio
        moved = np.where(number <= UNSET, MISREAD, number * ratio.numerator)
        return moved, over * ratio.denominator
    if term.op in ("add", "sub", *COMPARES):
        first, second = term.args
        left, right, over = _common(_number(first, columns), _number(second, columns))
        least = MISREAD if term.op == "eq" else UNSET
        misread = (left <= least) | (right <= least)
        if term.op in COMPARES:
            return np.where(misread, MISREAD, COMPARES[term.op](left, right)), 1
        return np.where(misread, MISREAD, left + right if term.op == "add" else left - right), over
    return columns(term), 1


def _common(first: tuple[Any, int], second: tuple[Any, int]) -> tuple[Any, Any, int]:
    (left, over_left), (right, over_right) = first, second
    if over_left == over_right:
        return left, right, over_left
    return (
        np.where(left <= UNSET, left, left * over_right),
        np.where(right <= UNSET, right, right * over_left),
        over_left * over_right,
    )
