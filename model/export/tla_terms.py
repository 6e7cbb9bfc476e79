"""Terms of the lease table as phrases of TLA+."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdover.model.readings.definitions import Definition
from holdover.model.readings.prose import AND, COMPARE, IMPLIES, NOT, Phrase, Prose, shape
from holdover.model.table import client
from holdover.model.table.expr import (
    DURATION,
    INSTANT,
    RATIO,
    TRUE,
    Bindings,
    Effect,
    Expr,
    Sort,
    Variable,
    parameter,
)
from holdover.model.table.vocabulary import NOW, h

SYMBOLS = {"eq": "=", "ne": "#", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


INTEGERS = ("Int", "Nat")  # of the module Integers


def camel(name: str) -> str:
    """within_lease as an operator is called: WithinLease."""
    parts = re.findall(r"[A-Za-z0-9]+", name)
    return "".join(p.capitalize() if p.isupper() else p[0].upper() + p[1:] for p in parts)


def value_of(value: object) -> str:
    """A literal or a constant's value.  ValueError for a time that is no whole number."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, int | Fraction) and value == int(value):
        return str(int(value))
    raise ValueError(f"{value!r} is no whole number of ticks: TLA+'s numbers for TLC are integers")


def parameters(term: Expr) -> tuple[Expr, ...]:
    """The parameters of a term that it does not bind itself, in order."""
    if term.op == "parameter":
        return (term,)
    found = [p for part in term.args if isinstance(part, Expr) for p in parameters(part)]
    bound = term.args[0] if term.op == "forall" else None
    return tuple(dict.fromkeys(p for p in found if p is not bound))


Match = dict[Expr, Expr]


def matches(pattern: Expr, term: Expr, free: Match, bound: tuple[Expr, ...] = ()) -> bool:
    """Whether `term` is `pattern` for some choice of its free parameters, which goes to `free`."""
    if pattern.op == "parameter" and not any(pattern is b for b in bound):
        if pattern.sort != term.sort or not set(bound).isdisjoint(parameters(term)):
            return False
        return shape(free.setdefault(pattern, term)) == shape(term)
    if (pattern.op, pattern.sort, len(pattern.args)) != (term.op, term.sort, len(term.args)):
        return False
    if pattern.op == "forall":
        assert isinstance(pattern.args[0], Expr)
        bound = (*bound, pattern.args[0])
    return all(
        matches(p, t, free, bound)
        if isinstance(p, Expr) and isinstance(t, Expr)
        else p is t or (type(p) is type(t) and not isinstance(p, Expr) and p == t)
        for p, t in zip(pattern.args, term.args, strict=True)
    )


def _wider(build: Callable[[Expr, Expr], Expr], name: str, sort: Sort) -> Definition:
    said = (build.__doc__ or "").partition("\n")[0]
    return Definition(f"{build.__name__}(h, {name})", build(h, parameter(name, sort)), said)


WIDER = (_wider(client.in_time, "end", INSTANT), _wider(client.honoured, "length", DURATION))
"""Names for more arguments than `named.DEFINITIONS` has them for."""


@dataclass(frozen=True)
class Named:
    """A term with a name, as an operator of its free parameters."""

    name: str
    given: tuple[Expr, ...]
    term: Expr
    meaning: str


class Names:
    """What names of the module are taken."""

    def __init__(self, taken: Sequence[str]):
        self.taken = set(taken)

    def claim(self, name: str, suffix: str = "_") -> str:
        """The name, or another one that is free; taken from now on."""
        while name in self.taken:
            name += suffix
        self.taken.add(name)
        return name

    def within(self, name: str, scope: Sequence[str]) -> str:
        """A name for something bound here: not taken, nor bound further out."""
        number, free = 1, name
        while free in self.taken or free in scope:
            number += 1
            free = f"{name}{number}"
        return free


class Terms(Prose):
    """Terms as phrases of TLA+; a parameter is bound to the phrase of its name."""

    def __init__(self, names: Names, named: Sequence[Named] = (), mixed: Container[str] = ()):
        super().__init__()
        self.taken, self.named, self.mixed = names, tuple(named), mixed
        self.used: set[str] = set()
        self.scope: list[str] = []

    def read(self, term: Expr, bound: Bindings[Phrase]) -> Phrase:
        """As `Reading.read`, but a term that has a name is an operator applied to its arguments."""
        for named in self.named if term.op not in ("parameter", "literal", "constant") else ():
            free: Match = {}
            if matches(named.term, term, free):
                self.used.add(named.name)
                given = [text(self.read(free[p], bound)) for p in named.given]
                return Phrase("name", word=apply_operator(named.name, given))
        return super().read(term, bound)

    def leaf(self, term: Expr) -> Phrase:
        """A literal, or the model value that stands for nothing."""
        if term.op == "none":
            return Phrase("value", word="None" if term.sort.indexes else "Unset")
        (value,) = term.args
        if term.sort is RATIO:
            assert isinstance(value, int | Fraction)
            top, bottom = Fraction(value).as_integer_ratio()
            parts = (Phrase("value", word=str(top)), Phrase("value", word=str(bottom)))
            return Phrase("ratio", parts)
        return Phrase("value", word=value_of(value))

    def constant(self, name: str, sort: Sort, at: Sequence[Phrase]) -> Phrase:
        """The name of a constant; with its index where hosts differ in it."""
        if sort is RATIO:
            parts = (Phrase("value", word=f"{name}_num"), Phrase("value", word=f"{name}_den"))
            return Phrase("ratio", parts)
        index = f"[{text(at[0])}]" if name in self.mixed else ""
        return Phrase("name", word=name + index)

    def after(self, term: Expr, bound: Bindings[Phrase]) -> Phrase:
        """A primed variable; TypeError for instants, which are counted from another zero there."""
        if term.sort is INSTANT:
            raise TypeError("instants before and after a step are counted from different zeros")
        if term.op != "state":
            raise TypeError("only a state variable is read after the step")
        variable, *at = term.args
        assert isinstance(variable, Variable)
        index = [text(self.read(a, bound)) for a in at if isinstance(a, Expr)]
        return Phrase("name", word=f"{variable.name}'" + (f"[{index[0]}]" if index else ""))

    def state(self, variable: Variable, at: Sequence[Phrase]) -> Phrase:
        """A variable, applied to its index."""
        index = f"[{', '.join(text(member) for member in at)}]" if at else ""
        return Phrase("name", word=variable.name + index)

    def every(self, bound: Expr, body: Callable[[Phrase], Phrase]) -> Phrase:
        """The quantifier, over the set that is called like the sort."""
        name = self.taken.within(str(bound.args[0]), self.scope)
        self.scope.append(name)
        inner = body(Phrase("name", word=name))
        self.scope.pop()
        return Phrase("every", (Phrase("bound", word=f"{name} \\in {bound.sort}"), inner))

    def node(self, term: Expr, args: Sequence[Callable[[], Phrase]]) -> Phrase:
        """An operator, said shortly where prose knows how."""
        if term.op == "ite" and (condition := args[0]()).word in ("TRUE", "FALSE"):
            return args[1]() if condition.word == "TRUE" else args[2]()
        return super().node(term, args)


def apply_operator(name: str, given: Sequence[str]) -> str:
    """An operator with its arguments, or alone."""
    return f"{name}({', '.join(given)})" if given else name


def splits(phrase: Phrase) -> bool:
    """Whether TLC, meeting this among the conjuncts of an action, would follow several branches."""
    if phrase.op in ("and", "every", "ite"):
        return any(splits(part) for part in phrase.parts)
    if phrase.op == "implies":
        return splits(phrase.parts[1])
    return phrase.op in ("or", "some")


def rank(phrase: Phrase) -> int:
    """How tightly the text binds.  TLA+ has no order between conjunction and disjunction."""
    return AND if phrase.op == "or" else phrase.rank


def within(phrase: Phrase, outer: int) -> str:
    """The text as an operand of something that binds at `outer`."""
    return text(phrase) if rank(phrase) > outer else f"({text(phrase)})"


def text(phrase: Phrase) -> str:
    """A phrase as TLA+."""
    op, parts = phrase.op, phrase.parts
    if op in ("and", "or"):
        return (" /\\ " if op == "and" else " \\/ ").join(within(p, AND) for p in parts)
    if op == "not":
        return f"~{within(parts[0], NOT)}"
    if op == "implies":
        right = parts[1]
        plain = right.op in ("every", "some")
        return f"{within(parts[0], IMPLIES)} => {text(right) if plain else within(right, IMPLIES)}"
    if op in ("in", "not in"):
        sign = "\\in" if op == "in" else "\\notin"
        return f"{within(parts[0], COMPARE)} {sign} {{{', '.join(text(p) for p in parts[1:])}}}"
    if op == "ite":
        condition, then, otherwise = (text(part) for part in parts)
        return f"IF {condition} THEN {then} ELSE {otherwise}"
    if op in ("every", "some"):
        names = [parts[0].word]
        while (inner := parts[1]).op == op:
            parts = inner.parts
            names.append(parts[0].word)
        sign = "\\A" if op == "every" else "\\E"
        return f"{sign} {', '.join(names)} : {text(inner)}"
    if op in SYMBOLS:
        (left, under_left), (right_, under_right) = (fraction(part) for part in parts)
        left, right_ = times(left, under_right), times(right_, under_left)
        return f"{within(left, COMPARE)} {SYMBOLS[op]} {within(right_, COMPARE)}"
    if op in ("add", "sub", "mul"):
        sign = {"add": "+", "sub": "-", "mul": "*"}[op]
        left_rank = rank(phrase) - (parts[0].op == op)
        return f"{within(parts[0], left_rank)} {sign} {within(parts[1], rank(phrase))}"
    if op in ("div", "ratio"):
        raise ValueError("a fraction can only be compared: TLC's numbers are integers")
    return phrase.word


ONE = Phrase("value", word="1")


def times(left: Phrase, right: Phrase) -> Phrase:
    """The product, said shortly."""
    if ONE in (left, right):
        return right if left == ONE else left
    return Phrase("mul", (left, right))


def fraction(phrase: Phrase) -> tuple[Phrase, Phrase]:
    """An arithmetical phrase as numerator and denominator, neither with a division in it."""
    if phrase.op == "ratio":
        return phrase.parts[0], phrase.parts[1]
    if phrase.op not in ("add", "sub", "mul", "div"):
        return phrase, ONE
    (a, b), (c, d) = (fraction(part) for part in phrase.parts)
    if phrase.op == "mul":
        return times(a, c), times(b, d)
    if phrase.op == "div":
        return times(a, d), times(b, c)
    if b == d:
        return Phrase(phrase.op, (a, c)), b
    return Phrase(phrase.op, (times(a, d), times(c, b))), times(b, d)


def _place(word: str, order: Sequence[str]) -> int:
    return order.index(word) if word in order else len(order)


def _passing(then: Expr) -> Expr:
    """How long passes where `now` becomes this: `now` is 0, and `now + p` is p."""
    first, *rest = then.args
    counted = then.op == "add" and isinstance(first, Expr) and first.args == (NOW,)
    return rest[0] if counted and isinstance(rest[0], Expr) else then


class _Changed:
    """What a variable becomes; later effects win, and all read the state before."""

    def __init__(self, terms: Terms, variable: Variable, bound: Mapping[Expr, Phrase]):
        self.terms, self.variable, self.bound = terms, variable, bound
        self.whole = variable.name
        self.exceptions: dict[str, str] = {}
        self.member, self.body = "", ""  # of a function that is given member by member

    def apply(self, effect: Effect) -> None:
        """One more effect."""
        if effect.at is None:
            self.whole = text(self.terms.read(effect.value, self.bound))
        elif not effect.every:
            at, value = (text(self.terms.read(t, self.bound)) for t in (effect.at, effect.value))
            self.exceptions.pop(at, None)
            self.exceptions[at] = value
        else:
            self._each(str(effect.at.args[0]))
            inner = {**self.bound, effect.at: Phrase("name", word=self.member)}
            self.terms.scope.append(self.member)
            value = text(self.terms.read(effect.value, inner))
            if effect.where is not TRUE:
                where = text(self.terms.read(effect.where, inner))
                value = f"IF {where} THEN {value} ELSE {self.body}"
            self.terms.scope.pop()
            self.body = value

    def shift(self, passed: str) -> None:
        """Time passes after the effects."""
        if self.variable.index is None:
            self.whole = f"Later({self.whole}, {passed})"
        else:
            self._each(self.variable.index.name[0].lower())
            self.body = f"Later({self.body}, {passed})"

    def _each(self, name: str) -> None:
        if self.member and not self.exceptions:
            return
        before = str(self)
        self.member = self.terms.taken.within(name, self.terms.scope)
        self.exceptions, self.body = {}, f"{before}[{self.member}]"

    def __str__(self) -> str:
        index = self.variable.index
        whole = f"[{self.member} \\in {index} |-> {self.body}]" if self.member else self.whole
        if not self.exceptions:
            return whole
        changes = ", ".join(f"![{at}] = {value}" for at, value in self.exceptions.items())
        return f"[{whole} EXCEPT {changes}]"
