"""The parametric reading: the lease table in first-order logic over the reals.

Hosts, addresses and datagrams are uninterpreted sorts of any size with a distinguished `none`;
`forall` is a quantifier over the rest; instants, durations and ratios are reals; an unset instant
is any real.  A state variable is a function of its index.  Its value after a step is a term over
the state before (`After`), so there are no frame axioms to forget.

Constants that are not `fixed` are symbols: what is proved holds for all their values.

What a term means depends on the constants that occur in it, and on no others.  Cases differ in a
few; so a term is read once for the values of its own, and all cases share that (`_readings`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache

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
from holdover.model.table.table import constants_of
from holdover.model.table.vocabulary import HOST
from holdover.proofs.logic import formula
from holdover.proofs.logic.formula import REAL, TRUE, TRUTH, Domain, Formula, Function

Binding = Mapping[Expr, Formula]
Later = Callable[[], Formula]


def operate(op: str, args: Sequence[Later]) -> Formula:
    """An operator of the lease table's language; what a constant decides is not read on."""
    if op in ("and", "or"):
        first = args[0]()
        if first.known and bool(first.of) is (op == "or"):
            return first
        return first & args[1]() if op == "and" else first | args[1]()
    if op == "not":
        return ~args[0]()
    if op == "ite":
        condition = args[0]()
        if condition.known:
            return args[1]() if condition.of else args[2]()
        return formula.ite(condition, args[1](), args[2]())
    return BINARY[op](args[0](), args[1]())


BINARY: Mapping[str, Callable[[Formula, Formula], Formula]] = {
    "eq": lambda x, y: x == y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
}


@cache
def domain(sort: Sort) -> Domain:
    """The solver's sort.  Values carry their sort's name: ACK occurs in several sorts."""
    if sort is BOOL:
        return TRUTH
    if sort in (INSTANT, DURATION, RATIO):
        return REAL
    return Domain(sort.name, tuple(f"{sort.name}_{value}" for value in sort.values))


@cache
def nothing(sort: Sort) -> Formula:
    """The member of an index sort that stands for none."""
    return formula.symbol(f"no_{sort.name}", domain(sort))


def literal(sort: Sort, value: object) -> Formula:
    """A value of a sort."""
    if sort.values:
        return formula.literal(domain(sort), f"{sort.name}_{value}")
    return formula.literal(TRUTH, bool(value)) if sort is BOOL else real(value)


def real(value: object) -> Formula:
    """An exact real."""
    exact = value if type(value) in (int, Fraction) else Fraction(str(value))
    return formula.literal(REAL, exact)


ALIKE = "alike"
"""How a constant of hosts is fixed that is open, and the same for all hosts."""


Known = dict[tuple[object, ...], Formula]
"""Terms as they were read: each with how deep it stands, and with what its parameters stand for."""


READINGS = 4096
"""Of so many kinds of reading it is kept what terms are: a case has some hundreds."""


@lru_cache(READINGS)
def _readings(kind: tuple[object, ...], values: tuple[tuple[str, object], ...]) -> Known:
    """What readings of one kind have in common that agree in these constants; the others are open.

    It is filled by who reads.  Of so many of the last ones it is kept.
    """
    return {}


class Logic(Reading[Formula]):
    """Terms as formulas over the state before a step."""

    def __init__(self, fixed: Mapping[str, object]):
        self.fixed = fixed
        self.inside: list[Formula] = []  # the members that the quantifiers around a term speak of
        self.quantifies = False  # whether a term is read with quantifiers that do not occur in it
        self._by_constants: dict[frozenset[str], Known] = {}

    def read(self, term: Expr, bound: Binding) -> Formula:
        """What it means; it was read before, perhaps, where its constants have the same values."""
        if term.op in ("parameter", "literal", "none"):
            return super().read(term, bound)
        known = self._by_constants.get(term.constants)
        if known is None:
            known = self._by_constants[term.constants] = self._known(term.constants)
        # A quantifier's member is named by how deep it stands.
        depth = len(self.inside) if term.quantified or self.quantifies else None
        key = (term, depth, *[bound[name] for name in term.free])
        found = known.get(key)
        if found is None:
            found = known[key] = super().read(term, bound)
        return found

    def kind(self) -> tuple[object, ...]:
        """On what a reading depends beside the term, its parameters, and its constants."""
        return (type(self),)

    def _known(self, constants: frozenset[str]) -> Known:
        named = sorted(constants & self.fixed.keys())
        return _readings(self.kind(), tuple((name, self.fixed[name]) for name in named))

    def leaf(self, term: Expr) -> Formula:
        """A literal or none."""
        if term.op == "none":
            if term.sort.indexes:
                return nothing(term.sort)
            return formula.symbol(f"unset_{term.sort}", domain(term.sort))
        return literal(term.sort, term.args[0])

    def constant(self, name: str, sort: Sort, at: Sequence[Formula]) -> Formula:
        """A fixed constant's value; a function of the host, or a symbol, for an open one.

        One that is fixed as a tuple has a value for each kind of client, as `ALIKE` any one value.
        """
        value = self.fixed.get(name)
        if value is ALIKE:
            return formula.symbol(name, domain(sort))
        if isinstance(value, tuple):
            return of_kind(at[0], [literal(sort, each) for each in value])
        if name in self.fixed:
            return literal(sort, value)
        if at:
            return Function(name, (domain(HOST),), domain(sort))(*at)
        return formula.symbol(name, domain(sort))

    def state(self, variable: Variable, at: Sequence[Formula]) -> Formula:
        """A function of its index, or a symbol."""
        if variable.index is None:
            return formula.symbol(variable.name, domain(variable.sort))
        return Function(variable.name, (domain(variable.index),), domain(variable.sort))(*at)

    def node(self, term: Expr, args: Sequence[Later]) -> Formula:
        """The operator; where the drift is open, a clock bound is a function."""
        if "drift" not in self.fixed and (bound := clock_bound(term)) is not None:
            return bound(args[0]())
        return operate(term.op, args)

    def every(self, bound: Expr, body: Callable[[Formula], Formula]) -> Formula:
        """A quantifier over all members, which none is not.

        A member's name tells how deep it stands.  Numbered as they come, a question would be
        another after others were asked, and a solver's search with it.
        """
        name = f"{bound.args[0]}_{len(self.inside) + 1}"
        member = formula.variable(name, domain(bound.sort))
        self.inside.append(member)
        said = body(member)
        self.inside.pop()
        return formula.forall([member], (member != nothing(bound.sort)).implies(said))


def of_kind(host: Formula, values: Sequence[Formula]) -> Formula:
    """The value of a host's kind of client; any hosts may be of any kind."""
    *others, value = values
    for number, other in reversed(list(enumerate(others, 1))):
        is_of = Function(f"is_client_{number}", (domain(HOST),), TRUTH)
        value = formula.ite(is_of(host), other, value)
    return value


SLOWEST = Function("slowest", (REAL,), REAL)
FASTEST = Function("fastest", (REAL,), REAL)


def clock_bound(term: Expr) -> Function | None:
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


def right_within(x: Formula) -> list[Formula]:
    """What is assumed of the bounds for a length `x`: they enclose it."""
    enclosed = formula.all_of((FASTEST(x) >= 0, FASTEST(x) <= x, x <= SLOWEST(x)))
    return [(x >= 0).implies(enclosed)]


def any_clock() -> list[Formula]:
    """What is assumed of clocks of any quality: of a longer time they show more, and err by more.

    That they are right within their bounds is not needed.
    """
    x, y = formula.variable("x", REAL), formula.variable("y", REAL)
    more = (
        FASTEST(x) <= FASTEST(y),
        SLOWEST(x) - x <= SLOWEST(y) - y,
        x - FASTEST(x) <= y - FASTEST(y),
    )
    return [formula.forall([x, y], (x <= y).implies(term)) for term in more]


class After(Logic):
    """Terms over the state after an action, written in the state that `before` reads."""

    def __init__(self, before: Logic, action: Action, binding: Binding):
        super().__init__(before.fixed)
        self.before, self.action, self.binding = before, action, binding
        self.inside = before.inside  # what it reads stands under the same quantifiers
        self.changed = frozenset(effect.variable for effect in action.then)
        self.quantifies = any(e.value.quantified or e.where.quantified for e in action.then)

    def read(self, term: Expr, bound: Binding) -> Formula:
        """What it means then: as before, where the action sets nothing that it reads."""
        if self.changed.isdisjoint(term.reads):
            return self.before.read(term, bound)
        return super().read(term, bound)

    def kind(self) -> tuple[object, ...]:
        """Which reading of the state before, and which step."""
        return (type(self), *self.before.kind(), self.action, *self.binding.items())

    def _known(self, constants: frozenset[str]) -> Known:
        """An effect's constants are read, too."""
        return super()._known(constants.union(constants_of(self.action)))

    def state(self, variable: Variable, at: Sequence[Formula]) -> Formula:
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
                hit = TRUE
            if not (hit.known and not hit.of):
                value = formula.ite(hit, self.before.read(effect.value, bound), value)
        return value


class Initially(Logic):
    """Terms over the initial state, in which an unset instant is any real."""

    def state(self, variable: Variable, at: Sequence[Formula]) -> Formula:
        """The value that the variable begins with."""
        if variable.sort.values:
            return literal(variable.sort, variable.initial)
        if variable.initial in ("true", "false"):
            return formula.literal(TRUTH, variable.initial == "true")
        if variable.initial == "none":
            return nothing(variable.sort)
        if variable.initial == "0":
            return real(0)
        return super().state(variable, at)


def parameters(action: Action) -> dict[Expr, Formula]:
    """A symbol for each parameter of an action."""
    return {p: formula.symbol(f"{p.args[0]}", domain(p.sort)) for p in action.given}


def are_members(binding: Binding) -> list[Formula]:
    """No parameter of an index sort is none."""
    return [value != nothing(p.sort) for p, value in binding.items() if p.sort.indexes]
