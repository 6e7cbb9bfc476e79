"""The prose reading: terms and effects of the lease table as text for people.

A term becomes a `Phrase`, a small tree that knows how tightly it binds, so that parentheses stand
only where they are needed.  What the expression language writes with few operators is said shortly:
`¬(x < y)` is `x ≥ y`, a chain of equalities is `x ∈ {A, B}`, `¬p ∨ q` is `p ⇒ q`, `¬∀ ¬` is `∃`.
Terms that have a name in the table's modules (`runs`, `leased`, ...) are shown by their name where
the reader has been given `Name`s; a name is recognised by the shape of the term, never by its text.

Not here: sentences.  What a step means in words is the row's own `says`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdover.model.table.expr import TRUE, Bindings, Due, Effect, Expr, Reading, Sort, Variable
from holdover.model.table.vocabulary import NOW

# How tightly an operator binds; an operand that binds no tighter is put in parentheses.
CHOICE, IMPLIES, OR, AND, NOT, COMPARE, SUM, PRODUCT, ATOM = range(9)

SYMBOLS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}
OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le"}
ARITHMETIC = {"add": ("+", SUM), "sub": ("−", SUM), "mul": ("×", PRODUCT), "div": ("/", PRODUCT)}


@dataclass(frozen=True)
class Phrase:
    """A term as it will be written: an operator, the phrases below it, or the text of a leaf."""

    op: str
    parts: tuple[Phrase, ...] = ()
    word: str = ""

    @property
    def rank(self) -> int:
        """How tightly it binds."""
        if self.op in SYMBOLS or self.op in ("in", "not in"):
            return COMPARE
        if self.op in ARITHMETIC:
            return ARITHMETIC[self.op][1]
        ranks = {"or": OR, "and": AND, "not": NOT, "implies": IMPLIES}
        ranks |= {"ite": CHOICE, "every": CHOICE, "some": CHOICE}
        return ranks.get(self.op, ATOM)

    def within(self, rank: int) -> str:
        """Its text as an operand of something that binds at `rank`."""
        return str(self) if self.rank > rank else f"({self})"

    def __str__(self) -> str:
        match self.op:
            case "and" | "or":
                sign = " ∧ " if self.op == "and" else " ∨ "
                return sign.join(part.within(self.rank) for part in self.parts)
            case "not":
                return f"¬{self.parts[0].within(AND)}"
            case "implies":
                return f"{self.parts[0].within(IMPLIES)} ⇒ {self.parts[1].within(IMPLIES)}"
            case "in" | "not in":
                values = ", ".join(str(value) for value in self.parts[1:])
                sign = "∈" if self.op == "in" else "∉"
                return f"{self.parts[0].within(COMPARE)} {sign} {{{values}}}"
            case "ite":
                condition, then, otherwise = self.parts
                shown = then.within(CHOICE)
                return f"if {condition.within(CHOICE)} then {shown} else {otherwise}"
            case "every" | "some":
                return self._quantified()
        if self.op in SYMBOLS:
            left, right = (part.within(COMPARE) for part in self.parts)
            return f"{left} {SYMBOLS[self.op]} {right}"
        if self.op in ARITHMETIC:
            sign, rank = ARITHMETIC[self.op]
            left = self.parts[0].within(rank - 1)
            return f"{left} {sign} {self.parts[1].within(rank)}"
        return self.word

    def _quantified(self) -> str:
        sign = "∀" if self.op == "every" else "∃"
        name, body = self.parts
        parts = _clauses(body, "or" if self.op == "every" else "and")
        first, rest = parts[0], parts[1:]
        limit = _negated(first) if self.op == "every" else first
        if rest and limit.op == "ne" and name in limit.parts:
            (other,) = (part for part in limit.parts if part != name)
            return f"{sign} {name} ≠ {other}: {_joined(self.op, rest)}"
        if rest and self.op == "every" and first.op in ("not", "ne", "not in"):
            return f"{sign} {name} with {limit}: {_joined(self.op, rest)}"
        return f"{sign} {name}: {body}"


def _clauses(body: Phrase, op: str) -> tuple[Phrase, ...]:
    if body.op == "implies" and op == "or":
        return (_negated(body.parts[0]), *_clauses(body.parts[1], op))
    return body.parts if body.op == op else (body,)


def _joined(op: str, parts: tuple[Phrase, ...]) -> Phrase:
    return _disjunction(parts) if op == "every" else _conjunction(parts)


def _conjunction(parts: Iterable[Phrase]) -> Phrase:
    flat: list[Phrase] = []
    for part in parts:
        flat += part.parts if part.op == "and" else (part,)
    return flat[0] if len(flat) == 1 else Phrase("and", tuple(flat))


def _disjunction(parts: Iterable[Phrase]) -> Phrase:
    flat: list[Phrase] = []
    for part in parts:
        for clause in part.parts if part.op == "or" else (part,):
            merged = _merged(flat[-1], clause) if flat else None
            flat[-1:] = [merged] if merged else [*flat[-1:], clause]
    if len(flat) == 1:
        return flat[0]
    if flat[0].op == "not" and flat[0].parts[0].op != "in":
        return Phrase("implies", (flat[0].parts[0], _disjunction(flat[1:])))
    return Phrase("or", tuple(flat))


def _merged(left: Phrase, right: Phrase) -> Phrase | None:
    """`x = A ∨ x = B` as `x ∈ {A, B}`."""
    if left.op not in ("eq", "in") or right.op not in ("eq", "in"):
        return None
    values = (*left.parts[1:], *right.parts[1:])
    if left.parts[0] != right.parts[0] or any(value.op != "value" for value in values):
        return None
    return Phrase("in", (left.parts[0], *values))


def _negated(phrase: Phrase) -> Phrase:
    if phrase.op == "not":
        return phrase.parts[0]
    if phrase.op in OPPOSITE:
        return Phrase(OPPOSITE[phrase.op], phrase.parts)
    if phrase.op in ("in", "not in"):
        return Phrase("not in" if phrase.op == "in" else "in", phrase.parts)
    if phrase.op == "implies":
        return _conjunction((phrase.parts[0], _negated(phrase.parts[1])))
    if phrase.op == "or" and all(part.rank > AND for part in phrase.parts):
        return _conjunction(_negated(part) for part in phrase.parts)
    if phrase.op in ("every", "some"):
        other = "some" if phrase.op == "every" else "every"
        return Phrase(other, (phrase.parts[0], _negated(phrase.parts[1])))
    return Phrase("not", (phrase,))


# Names for terms ---------------------------------------------------------------------------------

Shape = tuple[object, ...]


@dataclass(frozen=True)
class Name:
    """A term that has a name in the table's modules, for one choice of its parameters."""

    text: str
    term: Expr


def shape(term: Expr) -> Shape:
    """What two terms have in common that were built alike."""
    parts = [shape(a) if isinstance(a, Expr) else a for a in term.args]
    return (term.op, term.sort, *parts)


# The reading -------------------------------------------------------------------------------------


class Prose(Reading[Phrase]):
    """Terms as phrases; parameters that are not bound stand for themselves."""

    def __init__(self, names: Iterable[Name] = ()):
        self.names = {shape(name.term): name.text for name in names}

    def phrase(self, term: Expr) -> Phrase:
        """The term as a phrase, its free parameters standing for themselves."""
        return self.read(term, _parameters(term))

    def read(self, term: Expr, bound: Bindings[Phrase]) -> Phrase:
        """As `Reading.read`, but a term that has a name is called by it."""
        name = self.names.get(shape(term)) if self.names else None
        return Phrase("name", word=name) if name else super().read(term, bound)

    def leaf(self, term: Expr) -> Phrase:
        """A literal is a value."""
        if term.op == "none":
            return Phrase("value", word="none" if term.sort.indexes else "unset")
        return Phrase("value", word=number(term.args[0]))

    def constant(self, name: str, sort: Sort, at: Sequence[Phrase]) -> Phrase:
        """A constant is a name, with its index in brackets."""
        return Phrase("name", word=name + show_index(at))

    def state(self, variable: Variable, at: Sequence[Phrase]) -> Phrase:
        """A variable with its index in brackets."""
        return Phrase("name", word=variable.name + show_index(at))

    def every(self, bound: Expr, body: Callable[[Phrase], Phrase]) -> Phrase:
        """The quantifier, its parameter being itself."""
        name = Phrase("name", word=str(bound.args[0]))
        return Phrase("every", (name, body(name)))

    def after(self, term: Expr, bound: Bindings[Phrase]) -> Phrase:
        """A primed term."""
        return Phrase("name", word=f"{self.read(term, bound).within(ATOM - 1)}′")

    def node(self, term: Expr, args: Sequence[Callable[[], Phrase]]) -> Phrase:
        """An operator, said shortly."""
        parts = tuple(arg() for arg in args)
        match term.op:
            case "and":
                return _conjunction(parts)
            case "or":
                return _disjunction(parts)
            case "not":
                return _negated(parts[0])
        if term.op == "ite" and parts[0].word == "true":
            return parts[1]
        if term.op in ("lt", "le") and parts[1].word == NOW.name and parts[0].op == "name":
            return Phrase("gt" if term.op == "lt" else "ge", (parts[1], parts[0]))
        return Phrase(term.op, parts)


def show_index(at: Sequence[Phrase]) -> str:
    """An index in brackets, if there is one."""
    return f"[{', '.join(str(member) for member in at)}]" if at else ""


def _parameters(term: Expr) -> dict[Expr, Phrase]:
    found: dict[Expr, Phrase] = {}
    if term.op == "parameter":
        found[term] = Phrase("name", word=str(term.args[0]))
    for part in term.args:
        if isinstance(part, Expr):
            found |= _parameters(part)
    return found


def number(value: object) -> str:
    """A literal as people write it: 3, 2.5, true, BOUND."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Fraction):
        exact = value.denominator == 1 or Fraction(str(float(value))) == value
        return f"{float(value):.15g}" if exact else f"{value.numerator}/{value.denominator}"
    return str(value)


def text(term: Expr, reader: Prose | None = None) -> str:
    """A term in one line."""
    return str((reader or Prose()).phrase(term))


def effects(then: Sequence[Effect], reader: Prose | None = None) -> list[str]:
    """One line for each effect that lasts; those over the same members share a line.

    Where a row sets a variable twice, the later effect is the one that counts.
    """
    last = {_target(effect): effect for effect in then if not effect.every}
    said: list[str] = []
    before = ""
    for effect in then:
        if not effect.every and last[_target(effect)] is not effect:
            continue
        line = f"{_target(effect)} := {text(effect.value, reader)}"
        head = _members(effect, reader)
        if head and head == before:
            said[-1] += f", {line}"
        else:
            said.append(head + line)
        before = head
    return said


def _target(effect: Effect) -> str:
    index = f"[{text(effect.at)}]" if effect.at is not None else ""
    return effect.variable.name + index


def _members(effect: Effect, reader: Prose | None) -> str:
    if not effect.every or effect.at is None:
        return ""
    limit = "" if effect.where is TRUE else f" with {text(effect.where, reader)}"
    return f"for each {text(effect.at)}{limit}: "


def due(prompt: Due, reader: Prose | None = None) -> str:
    """When an action is due, and under what condition."""
    instant = text(prompt.instant, reader)
    when = "at once" if instant == NOW.name else f"by {instant}"
    return f"{when}, while {text(prompt.condition, reader)}"
