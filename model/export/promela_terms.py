"""Terms of the lease table as expressions of Promela."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from holdover.model.readings.finite import BINARY, NONE, Bounds, Constants, name_of
from holdover.model.table.expr import (
    BOOL,
    INSTANT,
    Action,
    Effect,
    Expr,
    Reading,
    Sort,
    Variable,
    of_member,
)
from holdover.model.table.vocabulary import NOW

Place = tuple[Variable, int]
"""A variable and a member of its index sort (0 where it has none)."""


NOTHING = 255
"""What stands for no member of an index sort; a byte holds it and as many members."""


OPERATORS = {
    "eq": ("==", "!="),
    "lt": ("<", ">="),
    "le": ("<=", ">"),
    "add": ("+", ""),
    "sub": ("-", ""),
}
"""What a binary operator is in Promela, and what its negation is."""


SHORT, INT = 2**15 - 1, 2**31 - 1


ROOM = 4
"""Instants lie within this many times `Bounds.past`: the past is longer than any lease, and what
a row adds to an instant is part of it."""


@dataclass(frozen=True)
class Written:
    """A term as Promela.  It stands for `text` divided by `over`, and reads these places.

    `denied` is the text of its negation, where there is a shorter one than `!`; `parts` are the
    texts that `chain` joins, if the term is a conjunction or a disjunction.
    """

    text: str
    reads: frozenset[Place] = frozenset()
    over: int = 1
    known: bool = False
    value: object = None
    denied: str = ""
    chain: str = ""
    parts: tuple[str, ...] = ()

    def times(self, factor: int) -> Written:
        """The same term over a denominator that many times as large."""
        if factor == 1:
            return self
        text = str(int(self.text) * factor) if self.known else f"({self.text} * {factor})"
        return Written(text, self.reads, self.over * factor, self.known, self.value)


class Promela(Reading[Written]):
    """Terms as Promela expressions over the state before the step."""

    conditional = "({condition} -> {then} : {otherwise})"
    """One of two, as the language writes it."""

    def __init__(self, constants: Constants, bounds: Bounds):
        self.constants, self.bounds = constants, bounds

    def known(self, value: object, sort: Sort) -> Written:
        """A value that does not depend on the state."""
        if value is None:
            return Written("UNSET", known=True)
        if sort.indexes:
            text = "NONE" if value == NONE else name_of(sort, value)
        elif isinstance(value, Fraction):
            return Written(str(value.numerator), frozenset(), value.denominator, True, value)
        else:
            text = str(value).lower() if sort is BOOL else str(value)
        return Written(text, known=True, value=value)

    def leaf(self, term: Expr) -> Written:
        """A literal: its value."""
        if term.op == "none":
            return self.known(NONE if term.sort.indexes else None, term.sort)
        return self.known(term.args[0], term.sort)

    def constant(self, name: str, sort: Sort, at: Sequence[Written]) -> Written:
        """The value of a constant."""
        member = at[0].value if at else 0
        assert isinstance(member, int)
        return self.known(of_member(self.constants[name], member), sort)

    def before(self, place: Place) -> Written:
        """What a place holds before the step."""
        return Written(self.place(*place), frozenset({place}))

    def state(self, variable: Variable, at: Sequence[Written]) -> Written:
        """An item of an array, or a variable without index; `now` is 0."""
        if variable is NOW:
            return self.known(0, INSTANT)
        member = at[0].value if at else 0
        assert isinstance(member, int)
        return self.before((variable, member))

    def place(self, variable: Variable, member: int) -> str:
        """What is assigned to."""
        at = f"[{name_of(variable.index, member)}]" if variable.index else ""
        return variable.name + at

    def every(self, bound: Expr, body: Callable[[Written], Written]) -> Written:
        """The conjunction over all members."""
        members = range(self.bounds.size(bound.sort))
        return self.joined("and", (body(self.known(i, bound.sort)) for i in members))

    def node(self, term: Expr, args: Sequence[Callable[[], Written]]) -> Written:
        """An operator, decided as far as its arguments are known."""
        if term.op in ("and", "or"):
            return self.joined(term.op, (arg() for arg in args))
        if term.op == "not":
            inner = args[0]()
            if inner.known:
                return self.known(not inner.value, BOOL)
            text = inner.denied or f"!{inner.text}"
            return Written(text, inner.reads, denied=inner.text)
        if term.op == "ite":
            condition = args[0]()
            if condition.known:
                return args[1]() if condition.value else args[2]()
            return self.choice(condition, args[1](), args[2]())
        left, right = args[0](), args[1]()
        if left.known and right.known:
            return self.known(BINARY[term.op][1](left.value, right.value), term.sort)
        if term.op in ("mul", "div"):
            return self.scaled(left, right, term.op == "div")
        return self.combined(term.op, left, right)

    def joined(self, op: str, parts: Iterable[Written]) -> Written:
        """A conjunction or disjunction; what comes after a deciding part is not read."""
        left: list[Written] = []
        for part in parts:
            if not part.known:
                left.append(part)
            elif bool(part.value) is (op == "or"):
                return part
        if not left:
            return self.known(op == "and", BOOL)
        if len(left) == 1:
            return left[0]
        symbol = {"and": " && ", "or": " || "}[op]
        texts = tuple(text for p in left for text in (p.parts if p.chain == op else (p.text,)))
        return Written(f"({symbol.join(texts)})", reads(left), chain=op, parts=texts)

    def choice(self, condition: Written, then: Written, otherwise: Written) -> Written:
        """One of two."""
        if condition.known:
            return then if condition.value else otherwise
        first, second, over = common(then, otherwise)
        if first.text == second.text:
            return first
        text = self.conditional.format(
            condition=condition.text, then=first.text, otherwise=second.text
        )
        return Written(text, reads((condition, first, second)), self.fits(over))

    def scaled(self, left: Written, right: Written, divides: bool) -> Written:
        """A duration times or divided by a ratio that is known."""
        if not right.known or not isinstance(right.value, int | Fraction):
            raise ValueError(f"not a ratio that is known: {right.text}")
        ratio = 1 / Fraction(right.value) if divides else Fraction(right.value)
        text = left.text if ratio.numerator == 1 else f"({left.text} * {ratio.numerator})"
        self.fits(left.over * ratio.numerator)
        return Written(text, left.reads, self.fits(left.over * ratio.denominator))

    def combined(self, op: str, left: Written, right: Written) -> Written:
        """A sum, a difference or a comparison."""
        if op in ("add", "sub") and right.known and right.value == 0:
            return left
        first, second, over = common(left, right)
        self.fits(over)
        symbol, denied = OPERATORS[op]
        both = reads((left, right))
        text = f"({first.text} {symbol} {second.text})"
        if not denied:
            return Written(text, both, over)
        return Written(text, both, denied=f"({first.text} {denied} {second.text})")

    def changes(
        self, action: Action, bound: Mapping[Expr, Written]
    ) -> tuple[dict[Place, Written], int]:
        """What a row sets each place to, as of the state before it, and how many ticks pass."""
        after: dict[Place, Written] = {}
        passed = 0
        for effect in action.then:
            if effect.variable is NOW:
                amount = self.read(effect.value, bound).value
                assert isinstance(amount, int)
                passed = amount
                continue
            for at in self.members(effect, bound):
                where = self.read(effect.where, at)
                if where.known and not where.value:
                    continue
                member = self.read(effect.at, at).value if effect.at is not None else 0
                assert isinstance(member, int)
                place = (effect.variable, member)
                value = self.read(effect.value, at)
                if value.over != 1:
                    raise ValueError(f"{action.name}: {effect.variable.name} may not be whole")
                after[place] = self.choice(where, value, after.get(place, self.before(place)))
        return after, passed

    def members(
        self, effect: Effect, bound: Mapping[Expr, Written]
    ) -> Iterator[Mapping[Expr, Written]]:
        """The bindings for which an effect is to be read: one for each member that it sets."""
        if not effect.every:
            yield bound
            return
        assert effect.at is not None
        for i in self.bounds.domain(effect.at):
            yield {**bound, effect.at: self.known(i, effect.at.sort)}

    def fits(self, factor: int) -> int:
        """The factor, unless an instant times this might need more than 32 bits."""
        if abs(factor) * ROOM * self.bounds.past > INT:
            raise ValueError(f"numbers times {factor} need more than SPIN's 32 bits")
        return factor


def reads(terms: Iterable[Written]) -> frozenset[Place]:
    """All that any of them reads."""
    return frozenset[Place]().union(*(term.reads for term in terms))


def common(left: Written, right: Written) -> tuple[Written, Written, int]:
    """Both over their least common denominator."""
    over = lcm(left.over, right.over)
    return left.times(over // left.over), right.times(over // right.over), over
