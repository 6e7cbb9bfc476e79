"""The parametric reading: the lease table in first-order logic over the reals.

Hosts, addresses and datagrams are uninterpreted sorts of any size with a distinguished `none`;
`forall` is a quantifier over the rest; instants, durations and ratios are reals; an unset instant
is any real.  A state variable is a function of its index.  Its value after a step is a term over
the state before (`After`), so there are no frame axioms to forget.

Constants that are not `fixed` are symbols: what is proved holds for all their values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import z3

from holdover.model.table.expr import (
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
from holdover.model.table.vocabulary import HOST

Term = Any  # z3's own types say too little to help
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

_domains: dict[str, Term] = {}
_members: dict[tuple[str, str], Term] = {}


def domain(sort: Sort) -> Term:
    """The solver's sort."""
    if sort is BOOL:
        return z3.BoolSort()
    if sort in (INSTANT, DURATION, RATIO):
        return z3.RealSort()
    if sort.name not in _domains:
        if sort.indexes:
            _domains[sort.name] = z3.DeclareSort(sort.name)
        else:
            # Values carry their sort's name: ACKNOWLEDGE and ACK occur in several sorts.
            names = [f"{sort.name}_{value}" for value in sort.values]
            _domains[sort.name], members = z3.EnumSort(sort.name, names)
            for value, member in zip(sort.values, members, strict=True):
                _members[sort.name, value] = member
    return _domains[sort.name]


def nothing(sort: Sort) -> Term:
    """The member of an index sort that stands for none."""
    return z3.Const(f"no_{sort.name}", domain(sort))


def literal(sort: Sort, value: object) -> Term:
    """A value of a sort."""
    if sort.values:
        domain(sort)
        return _members[sort.name, str(value)]
    if sort is BOOL:
        return z3.BoolVal(bool(value))
    return real(value)


def real(value: object) -> Term:
    """An exact real."""
    exact = Fraction(str(value))
    return z3.RealVal(f"{exact.numerator}/{exact.denominator}")


ALIKE = "alike"
"""How a constant of hosts is fixed that is open, and the same for all hosts."""


class Logic(Reading[Term]):
    """Terms as formulas over the state before a step."""

    def __init__(self, fixed: Mapping[str, object]):
        self.fixed = fixed
        self.inside: list[Term] = []  # the members that the quantifiers around a term speak of

    def leaf(self, term: Expr) -> Term:
        """A literal or none."""
        if term.op == "none":
            if term.sort.indexes:
                return nothing(term.sort)
            return z3.Const(f"unset_{term.sort}", domain(term.sort))
        return literal(term.sort, term.args[0])

    def constant(self, name: str, sort: Sort, at: Sequence[Term]) -> Term:
        """A fixed constant's value; a function of the host, or a symbol, for an open one.

        One that is fixed as a tuple has a value for each kind of client, as `ALIKE` any one value.
        """
        value = self.fixed.get(name)
        if value is ALIKE:
            return z3.Const(name, domain(sort))
        if isinstance(value, tuple):
            return of_kind(at[0], [literal(sort, each) for each in value])
        if name in self.fixed:
            return literal(sort, value)
        if at:
            return z3.Function(name, domain(HOST), domain(sort))(*at)
        return z3.Const(name, domain(sort))

    def state(self, variable: Variable, at: Sequence[Term]) -> Term:
        """A function of its index, or a symbol."""
        if variable.index is None:
            return z3.Const(variable.name, domain(variable.sort))
        return z3.Function(variable.name, domain(variable.index), domain(variable.sort))(*at)

    def node(self, term: Expr, args: Sequence[Callable[[], Term]]) -> Term:
        """The operator; where the drift is open, a clock bound is a function."""
        if "drift" not in self.fixed and (bound := clock_bound(term)) is not None:
            return bound(args[0]())
        return OPERATORS[term.op](*(arg() for arg in args))

    def every(self, bound: Expr, body: Callable[[Term], Term]) -> Term:
        """A quantifier over all members, which none is not.

        A member's name tells how deep it stands.  Numbered as they come (`FreshConst`), a question
        would be another after others were asked, and a solver's search with it.
        """
        member = z3.Const(f"{bound.args[0]}_{len(self.inside) + 1}", domain(bound.sort))
        self.inside.append(member)
        said = body(member)
        self.inside.pop()
        return z3.ForAll([member], z3.Implies(member != nothing(bound.sort), said))


def of_kind(host: Term, values: Sequence[Term]) -> Term:
    """The value of a host's kind of client; any hosts may be of any kind."""
    *others, value = values
    for number, other in reversed(list(enumerate(others, 1))):
        is_of = z3.Function(f"is_client_{number}", domain(HOST), z3.BoolSort())
        value = z3.If(is_of(host), other, value)
    return value


SLOWEST = z3.Function("slowest", z3.RealSort(), z3.RealSort())
FASTEST = z3.Function("fastest", z3.RealSort(), z3.RealSort())


def clock_bound(term: Expr) -> Term | None:
    """The function that a length over 1 - drift or 1 + drift stands for, where the drift is open.

    Left open as functions of the length, these quotients keep the arithmetic linear, and what is
    proved holds for clocks of any bounded quality.
    """
    divisor = term.args[1] if term.op == "div" else None
    if not isinstance(divisor, Expr):
        return None
    rate = divisor.args[1]
    if not isinstance(rate, Expr) or rate.args != ("drift",):
        raise ValueError("only lengths over 1 - drift or 1 + drift have a quotient")
    return {"sub": SLOWEST, "add": FASTEST}[divisor.op]


def right_within(x: Term) -> list[Term]:
    """What is assumed of the bounds for a length `x`: they enclose it."""
    return [z3.Implies(x >= 0, z3.And(FASTEST(x) >= 0, FASTEST(x) <= x, x <= SLOWEST(x)))]


def any_clock() -> list[Term]:
    """What is assumed of clocks of any quality: of a longer time they show more, and err by more.

    That they are right within their bounds is not needed.
    """
    x, y = z3.Reals("x y")
    more = (
        FASTEST(x) <= FASTEST(y),
        SLOWEST(x) - x <= SLOWEST(y) - y,
        x - FASTEST(x) <= y - FASTEST(y),
    )
    return [z3.ForAll([x, y], z3.Implies(x <= y, term)) for term in more]


class After(Logic):
    """Terms over the state after an action, written in the state before it."""

    def __init__(self, fixed: Mapping[str, object], action: Action, binding: Binding):
        super().__init__(fixed)
        self.before, self.action, self.binding = Logic(fixed), action, binding
        self.before.inside = self.inside  # what it reads stands under the same quantifiers

    def state(self, variable: Variable, at: Sequence[Term]) -> Term:
        """What the effects make of a variable at this index."""
        value = self.before.state(variable, at)
        for effect in self.action.then:
            if effect.variable is not variable:
                continue
            bound = dict(self.binding)
            if effect.every and effect.at is not None:
                bound[effect.at] = at[0]
                hit = self.before.read(effect.where, bound)
            elif effect.at is not None:
                hit = at[0] == self.before.read(effect.at, bound)
            else:
                hit = z3.BoolVal(True)
            value = z3.If(hit, self.before.read(effect.value, bound), value)
        return value


class Initially(Logic):
    """Terms over the initial state, in which an unset instant is any real."""

    def state(self, variable: Variable, at: Sequence[Term]) -> Term:
        """The value that the variable begins with."""
        if variable.sort.values:
            return literal(variable.sort, variable.initial)
        if variable.initial in ("true", "false"):
            return z3.BoolVal(variable.initial == "true")
        if variable.initial == "none":
            return nothing(variable.sort)
        if variable.initial == "0":
            return real(0)
        return super().state(variable, at)


def parameters(action: Action) -> dict[Expr, Term]:
    """A symbol for each parameter of an action."""
    return {p: z3.Const(f"{p.args[0]}", domain(p.sort)) for p in action.given}


def are_members(binding: Binding) -> list[Term]:
    """No parameter of an index sort is none."""
    return [value != nothing(p.sort) for p, value in binding.items() if p.sort.indexes]
