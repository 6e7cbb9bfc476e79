"""The unrolled reading: a finite number of hosts, addresses and datagrams, symbolic numbers.

It serves two purposes.  A *path* applies given rows one after the other to a symbolic state:
`realise` asks whether a run that the explorer found in ticks exists in exact seconds, and theorem
T3's necessity asks whether a run exists for all values of the constants.  *Bounded model checking*
(T1) leaves the choice of the rows to the solver.

References are integers with -1 for none, enumerations are indices into their sort, instants and
durations are reals (integers for bounded model checking).  An unset instant is an unconstrained
number: a guard that reads it is not protected by luck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import z3

from holdover.model.expr import BOOL, DURATION, INSTANT, RATIO, Action, Expr, Reading, Sort, Variable
from holdover.model.finite import NONE
from holdover.model.table import Table
from holdover.model.words import INDEX_SORTS

Term = Any  # z3's own types say too little to help
State = dict[tuple[str, int], Term]
Binding = Mapping[Expr, Term]

OPERATORS: Mapping[str, Callable[..., Term]] = {
    "and": z3.And,
    "or": z3.Or,
    "not": z3.Not,
    "ite": z3.If,
    "eq": lambda x, y: x == y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
}


def number(value: object) -> Term:
    """An exact real."""
    exact = Fraction(str(value))
    return z3.RealVal(f"{exact.numerator}/{exact.denominator}")


class Unrolled(Reading[Term]):
    """Terms over a symbolic state of fixed size.  `fixed` gives constants values."""

    def __init__(
        self,
        sizes: Mapping[Sort, int],
        fixed: Mapping[str, object],
        state: State,
        *,
        integral: bool = False,
    ):
        self.sizes, self.fixed, self.values, self.integral = sizes, fixed, state, integral

    def time(self, value: object) -> Term:
        """A literal instant, duration or ratio."""
        return z3.IntVal(int(str(value))) if self.integral else number(value)

    def leaf(self, term: Expr) -> Term:
        if term.op == "none":
            return z3.IntVal(NONE) if term.sort.indexes else self.unset()
        value = term.args[0]
        if term.op == "constant":
            if str(value) not in self.fixed:
                return symbol(str(value), term.sort)
            value = self.fixed[str(value)]
        if term.sort is BOOL:
            return z3.BoolVal(bool(value))
        if term.sort.values:
            return z3.IntVal(term.sort.values.index(str(value)))
        return self.time(value)

    def unset(self) -> Term:
        """Any number: nothing may depend on it."""
        return z3.FreshInt("unset") if self.integral else z3.FreshReal("unset")

    def state(self, variable: Variable, at: Sequence[Term]) -> Term:
        member = z3.simplify(at[0]).as_long() if at else 0
        return self.values[variable.name, member]

    def every(self, bound: Expr, body: Callable[[Term], Term]) -> Term:
        return z3.And([body(z3.IntVal(i)) for i in range(self.sizes[bound.sort])])

    def node(self, term: Expr, args: Sequence[Callable[[], Term]]) -> Term:
        return OPERATORS[term.op](*(arg() for arg in args))

    def guards(self, action: Action, binding: Binding) -> list[Term]:
        """The guards of a row here."""
        return [self.read(guard, binding) for guard in action.when]

    def step(self, action: Action, binding: Binding) -> State:
        """The state after the row; right sides read the state before."""
        after = dict(self.values)
        for effect in action.then:
            members = range(self.sizes[effect.at.sort]) if effect.every and effect.at is not None else [None]
            for member in members:
                bound = dict(binding)
                if member is not None and effect.at is not None:
                    bound[effect.at] = z3.IntVal(member)
                place = self.read(effect.at, bound) if effect.at is not None else None
                key = (effect.variable.name, z3.simplify(place).as_long() if place is not None else 0)
                value = self.read(effect.value, bound)
                where = self.read(effect.where, bound)
                after[key] = value if z3.is_true(where) else z3.If(where, value, after[key])
        return after


def symbol(name: str, sort: Sort) -> Term:
    """A constant of the table as a symbol."""
    if sort is BOOL:
        return z3.Bool(name)
    if sort in (INSTANT, DURATION, RATIO):
        return z3.Real(name)
    return z3.Int(name)


def initial_state(table: Table, sizes: Mapping[Sort, int], *, integral: bool = False) -> State:
    """The initial state: `unset` is any number, and `now` is 0."""
    state: State = {}
    for variable in table.variables:
        for member in range(sizes[variable.index] if variable.index else 1):
            key = (variable.name, member)
            if variable.sort.values:
                state[key] = z3.IntVal(variable.sort.values.index(variable.initial))
            elif variable.initial in ("true", "false"):
                state[key] = z3.BoolVal(variable.initial == "true")
            elif variable.initial == "none":
                state[key] = z3.IntVal(NONE)
            elif variable.initial == "0":
                state[key] = z3.IntVal(0) if integral else z3.RealVal(0)
            else:
                state[key] = z3.FreshInt("unset") if integral else z3.FreshReal("unset")
    return state


def sizes_of(hosts: int, addresses: int, messages: int) -> dict[Sort, int]:
    """Sizes by index sort."""
    return dict(zip(INDEX_SORTS, (hosts, addresses, messages), strict=True))
