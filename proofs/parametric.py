"""The parametric reading: the lease table in first-order logic over the reals, for Z3 and cvc5.

Hosts, addresses and datagrams are uninterpreted sorts of any size with a distinguished `none`;
`forall` is a quantifier; instants, durations and ratios are reals.  A state variable is a function;
its value after a step is a term over the state before it, so there are no frame axioms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import z3

from holdover.model.expr import (
    BOOL,
    DURATION,
    INSTANT,
    RATIO,
    Action,
    Expr,
    Reading,
    Sort,
    Variable,
)
from holdover.model.words import ANCHOR  # noqa: F401

Term = Any  # z3's own types are too loose to help


class Logic(Reading[Term]):
    """Terms as formulas.  `fixed` gives constants a value; the others are symbols."""

    def __init__(self, fixed: Mapping[str, object], action: Action | None = None, binding: Mapping[Expr, Term] | None = None):
        self.fixed = fixed
        self.action, self.binding = action, binding or {}
        self.fresh = 0

    def leaf(self, term: Expr) -> Term:
        if term.op == "none":
            return nothing(term.sort)
        value = term.args[0]
        if term.op == "constant":
            name = str(value)
            if name not in self.fixed:
                return z3.Const(name, domain(term.sort))
            value = self.fixed[name]
        return literal(term.sort, value)

    def state(self, variable: Variable, at: Sequence[Term]) -> Term:
        return function(variable)(*at)

    def node(self, term: Expr, args: Sequence[Callable[[], Term]]) -> Term:
        return OPERATORS[term.op](*(arg() for arg in args))

    def every(self, bound: Expr, body: Callable[[Term], Term]) -> Term:
        self.fresh += 1
        member = z3.Const(f"{bound.args[0]}_{self.fresh}", domain(bound.sort))
        return z3.ForAll([member], z3.Implies(member != nothing(bound.sort), body(member)))

    def after(self, term: Expr, bound: Mapping[Expr, Term]) -> Term:
        return After(self).read(term, bound)


class After(Logic):
    """Terms in the state after the step."""

    def __init__(self, before: Logic):
        super().__init__(before.fixed, before.action, before.binding)
        self.before = before

    def state(self, variable: Variable, at: Sequence[Term]) -> Term:
        assert self.action is not None
        value = self.before.state(variable, at)
        for effect in self.action.then:
            if effect.variable is not variable:
                continue
            if effect.every:
                bound = {**self.binding, effect.at: at[0]}
                hit = self.before.read(effect.where, bound)
            else:
                bound = dict(self.binding)
                hit = at[0] == self.before.read(effect.at, bound) if effect.at is not None else z3.BoolVal(True)
            value = z3.If(hit, self.before.read(effect.value, bound), value)
        return value


OPERATORS: Mapping[str, Callable[..., Term]] = {
    "and": z3.And, "or": z3.Or, "not": z3.Not, "ite": z3.If,
    "eq": lambda x, y: x == y, "lt": lambda x, y: x < y, "le": lambda x, y: x <= y,
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
}

_enums: dict[Sort, tuple[Term, dict[str, Term]]] = {}
_sorts: dict[Sort, Term] = {}

def domain(sort: Sort) -> Term:
    if sort is BOOL:
        return z3.BoolSort()
    if sort in (INSTANT, DURATION, RATIO):
        return z3.RealSort()
    if sort.indexes:
        return _sorts.setdefault(sort, z3.DeclareSort(sort.name))
    if sort not in _enums:
        enum, values = z3.EnumSort(sort.name, [v for v in sort.values])
        _enums[sort] = (enum, dict(zip(sort.values, values)))
    return _enums[sort][0]

def nothing(sort: Sort) -> Term:
    return z3.Const(f"no_{sort.name}", domain(sort))

def literal(sort: Sort, value: object) -> Term:
    if sort.values:
        domain(sort)
        return _enums[sort][1][str(value)]
    if sort is BOOL:
        return z3.BoolVal(bool(value))
    v = Fraction(value)
    return z3.RealVal(f"{v.numerator}/{v.denominator}")

def function(variable: Variable) -> Term:
    args = [domain(variable.index)] if variable.index else []
    return z3.Function(variable.name, *args, domain(variable.sort)) if args else (lambda: z3.Const(variable.name, domain(variable.sort)))
