"""The expression language in which the lease table is written.

Theory of operation.  An `Expr` is a term: an operator, its arguments and its sort.  Python's
operators build terms and never decide anything, so a guard is data that several *readings* can
interpret: a concrete evaluator, generated Python, Z3, prose.  A reading is a subclass of `Reading`;
the one recursion over terms is `Reading.read`.

Three traps are closed at construction:

* Truth.  `Expr.__bool__` raises, so `and`, `or`, `not`, `if`, `in`, `max` and chained comparisons
  fail when the table is imported.  With terms that have a truth value, `phase == 3 and now >= t1`
  silently means `now >= t1`, and a bug planted in such a guard is "proved" absent.
* Sorts.  Every operator checks its arguments.  Instants and durations are different sorts, and
  there are no instant literals: hence every well-sorted term means the same when all instants are
  shifted together.  The finite reading rests on that (it keeps `now` at 0).
* Absence.  A reference may be `none`; an instant may be `unset`.  Equality with `none` is a normal
  question; comparing an `unset` instant is a mistake in the table, which the finite readings raise
  and the parametric reading covers by letting an unset instant be any number.

Not here: functions between index sorts, nested quantifiers over effects, arithmetic beyond sums and
products with a constant ratio.  The table needs none of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, cached_property, partial
from typing import Generic, TypeVar


@dataclass(frozen=True)
class Sort:
    """What a term ranges over: truth, time, one of a few named values, or one of many things."""

    name: str
    values: tuple[str, ...] = ()
    indexes: bool = False

    def __str__(self) -> str:
        return self.name


BOOL = Sort("Bool")
INSTANT = Sort("Instant")
DURATION = Sort("Duration")
RATIO = Sort("Ratio")

Literal = bool | int | str | Fraction


@dataclass(frozen=True, eq=False)
class Expr:
    """A term.  `args` are terms, except in the leaves, where they name what the leaf stands for."""

    op: str
    args: tuple[object, ...]
    sort: Sort

    def __bool__(self) -> bool:
        raise TypeError(
            "a term has no truth value: write & | ~ and is_in, not `and`, `or`, `not`, `in`, "
            "`if`, `max` or a chained comparison"
        )

    __hash__ = object.__hash__

    @cached_property
    def operands(self) -> tuple[Expr, ...]:
        """The arguments that are terms."""
        return tuple(arg for arg in self.args if isinstance(arg, Expr))

    @cached_property
    def free(self) -> tuple[Expr, ...]:
        """The parameters that occur in it and that no quantifier in it binds."""
        if self.op == "parameter":
            return (self,)
        found = dict.fromkeys(p for arg in self.operands for p in arg.free)
        return tuple(p for p in found if self.op != "forall" or p is not self.args[0])

    @cached_property
    def quantified(self) -> bool:
        """Whether a quantifier occurs in it."""
        return self.op == "forall" or any(arg.quantified for arg in self.operands)

    @cached_property
    def constants(self) -> frozenset[str]:
        """The names of the constants that occur in it."""
        own = (str(self.args[0]),) if self.op == "constant" else ()
        return _same(frozenset(own).union(*(arg.constants for arg in self.operands)))

    @cached_property
    def reads(self) -> frozenset[Variable]:
        """The state that it reads."""
        own = (arg for arg in self.args if isinstance(arg, Variable))
        return frozenset(own).union(*(arg.reads for arg in self.operands))

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return _compare("eq", self, lift(other, self.sort))

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return ~(self == other)

    def __lt__(self, other: Expr | int) -> Expr:
        return _compare("lt", self, lift(other, self.sort))

    def __le__(self, other: Expr | int) -> Expr:
        return _compare("le", self, lift(other, self.sort))

    def __gt__(self, other: Expr | int) -> Expr:
        return _compare("lt", lift(other, self.sort), self)

    def __ge__(self, other: Expr | int) -> Expr:
        return _compare("le", lift(other, self.sort), self)

    def __and__(self, other: Expr) -> Expr:
        return _logic("and", self, other)

    def __or__(self, other: Expr) -> Expr:
        return _logic("or", self, other)

    def __invert__(self) -> Expr:
        return _logic("not", self)

    def implies(self, other: Expr) -> Expr:
        """`other` wherever `self`; read in order, so that `self` guards what `other` reads."""
        return ~self | other

    def __add__(self, other: Expr) -> Expr:
        sums = {(INSTANT, DURATION): INSTANT, (DURATION, DURATION): DURATION, (RATIO, RATIO): RATIO}
        return _arithmetic("add", self, lift(other, self.sort), sums)

    def __sub__(self, other: Expr) -> Expr:
        differences = {
            (INSTANT, INSTANT): DURATION,
            (INSTANT, DURATION): INSTANT,
            (DURATION, DURATION): DURATION,
            (RATIO, RATIO): RATIO,
        }
        return _arithmetic("sub", self, other, differences)

    def __mul__(self, other: Expr) -> Expr:
        return _arithmetic("mul", self, other, {(DURATION, RATIO): DURATION})

    def __truediv__(self, other: Expr) -> Expr:
        return _arithmetic("div", self, other, {(DURATION, RATIO): DURATION})


Params = tuple[Expr, ...]


@cache
def _same(names: frozenset[str]) -> frozenset[str]:
    """One set for all that are equal: to find it in a dictionary is to compare addresses."""
    return names


def lift(value: object, sort: Sort) -> Expr:
    """A Python value as a literal of `sort`, a term as itself.  TypeError if it cannot be one."""
    if isinstance(value, Expr):
        return value
    fits = (
        (sort is BOOL and isinstance(value, bool))
        or (sort in (DURATION, RATIO) and isinstance(value, int | Fraction))
        or (isinstance(value, str) and value in sort.values)
    )
    if not fits:
        raise TypeError(f"{value!r} is no literal of sort {sort}")
    return Expr("literal", (value,), sort)


def _compare(op: str, left: Expr, right: Expr) -> Expr:
    if left.sort != right.sort:
        raise TypeError(f"cannot compare {left.sort} with {right.sort}")
    if op != "eq" and left.sort not in (INSTANT, DURATION, RATIO):
        raise TypeError(f"{left.sort} has no order")
    return Expr(op, (left, right), BOOL)


def _logic(op: str, *args: object) -> Expr:
    for arg in args:
        if not isinstance(arg, Expr) or arg.sort is not BOOL:
            raise TypeError(f"{op} takes truth values, not {getattr(arg, 'sort', arg)!r}")
    return Expr(op, args, BOOL)


def _arithmetic(
    op: str, left: Expr, right: Expr, results: Mapping[tuple[Sort, Sort], Sort]
) -> Expr:
    result = results.get((left.sort, right.sort))
    if result is None:
        raise TypeError(f"cannot {op} {left.sort} and {right.sort}")
    return Expr(op, (left, right), result)


# Leaves ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variable:
    """A piece of state, one for each member of `index` (or one in all), with its meaning."""

    name: str
    sort: Sort
    index: Sort | None
    initial: str
    meaning: str
    source: str

    def __hash__(self) -> int:
        """Of the name: all readings look variables up."""
        return hash(self.name)

    def __getitem__(self, at: Expr) -> Expr:
        if at.sort != self.index:
            raise TypeError(f"{self.name} is indexed by {self.index}, not by {at.sort}")
        return Expr("state", (self, at), self.sort)

    def __call__(self) -> Expr:
        """The one value of a variable that has no index."""
        if self.index is not None:
            raise TypeError(f"{self.name} needs an index of sort {self.index}")
        return Expr("state", (self,), self.sort)


@dataclass(frozen=True)
class Constant:
    """What a run holds fixed, one for each member of `index`: a client's fact, host by host."""

    name: str
    sort: Sort
    index: Sort

    def __getitem__(self, at: Expr) -> Expr:
        if at.sort != self.index:
            raise TypeError(f"{self.name} is indexed by {self.index}, not by {at.sort}")
        return Expr("constant", (self.name, at), self.sort)


def of_member(value: object, member: int) -> object:
    """What is fixed for a member: its item where each has its own, else what is so for all."""
    return value[member] if isinstance(value, tuple) else value


def parameter(name: str, sort: Sort) -> Expr:
    """A name that an action or a quantifier binds."""
    return Expr("parameter", (name,), sort)


def constant(name: str, sort: Sort) -> Expr:
    """A number, switch or choice that the surroundings fix for the whole run, for all alike."""
    return Expr("constant", (name,), sort)


def none(sort: Sort) -> Expr:
    """No member of an index sort; for instants, `unset`: no time at all."""
    if not (sort.indexes or sort is INSTANT or sort is DURATION):
        raise TypeError(f"{sort} has no none")
    return Expr("none", (), sort)


TRUE = lift(True, BOOL)
FALSE = lift(False, BOOL)


# Compounds ---------------------------------------------------------------------------------------


def all_of(*terms: Expr) -> Expr:
    """The conjunction, left to right."""
    result = TRUE
    for term in terms:
        result = term if result is TRUE else result & term
    return result


def any_of(*terms: Expr) -> Expr:
    """The disjunction, left to right."""
    result = FALSE
    for term in terms:
        result = term if result is FALSE else result | term
    return result


def is_in(term: Expr, *values: str) -> Expr:
    """Whether an enumerated term has one of these values."""
    return any_of(*(term == value for value in values))


def ite(condition: Expr, then: object, otherwise: Expr) -> Expr:
    """`then` where `condition`, else `otherwise`; only the chosen one is read."""
    chosen = lift(then, otherwise.sort)
    if condition.sort is not BOOL or chosen.sort != otherwise.sort:
        raise TypeError(f"ite({condition.sort}, {chosen.sort}, {otherwise.sort})")
    return Expr("ite", (condition, chosen, otherwise), otherwise.sort)


def forall(bound: Expr, body: Expr) -> Expr:
    """`body` for every member of the index sort of `bound` (a parameter)."""
    if bound.op != "parameter" or not bound.sort.indexes or body.sort is not BOOL:
        raise TypeError("forall(parameter of an index sort, truth value)")
    return Expr("forall", (bound, body), BOOL)


def exists(bound: Expr, body: Expr) -> Expr:
    """`body` for some member: written with the only quantifier there is."""
    return ~forall(bound, ~body)


def following(term: Expr) -> Expr:
    """The value of `term` after the step; only in properties of steps."""
    return Expr("following", (term,), term.sort)


# Readings ----------------------------------------------------------------------------------------

R = TypeVar("R")
Bindings = Mapping[Expr, R]

NO_OPERATORS = frozenset(
    ("parameter", "forall", "literal", "none", "constant", "state", "following")
)


class Reading(ABC, Generic[R]):
    """An interpretation of terms; `read` is the only recursion over them."""

    def read(self, term: Expr, bound: Bindings[R]) -> R:
        """What `term` means here, its parameters being bound by `bound`."""
        if term.op not in NO_OPERATORS:
            return self.node(term, [partial(self.read, each, bound) for each in term.operands])
        if term.op == "parameter":
            return bound[term]
        if term.op == "forall":
            name, body = term.args
            assert isinstance(name, Expr)
            assert isinstance(body, Expr)
            return self.every(name, lambda member: self.read(body, {**bound, name: member}))
        if term.op in ("literal", "none"):
            return self.leaf(term)
        if term.op == "constant":
            members = [self.read(each, bound) for each in term.operands]
            return self.constant(str(term.args[0]), term.sort, members)
        if term.op == "state":
            variable = term.args[0]
            assert isinstance(variable, Variable)
            return self.state(variable, [self.read(each, bound) for each in term.operands])
        (inner,) = term.args
        assert isinstance(inner, Expr)
        return self.after(inner, bound)

    @abstractmethod
    def leaf(self, term: Expr) -> R:
        """A literal or none."""

    @abstractmethod
    def constant(self, name: str, sort: Sort, at: Sequence[R]) -> R:
        """What is fixed for the whole run: for all alike, or for the member `at`."""

    @abstractmethod
    def state(self, variable: Variable, at: Sequence[R]) -> R:
        """A variable's value before the step."""

    @abstractmethod
    def node(self, term: Expr, args: Sequence[Callable[[], R]]) -> R:
        """An operator; the arguments are read when called, so that guards can protect."""

    @abstractmethod
    def every(self, bound: Expr, body: Callable[[R], R]) -> R:
        """The quantifier."""

    def after(self, term: Expr, bound: Bindings[R]) -> R:
        """The value after the step, for readings that know of steps."""
        raise TypeError(f"{type(self).__name__} does not read properties of steps")


class SharedReading(Reading[R]):
    """A reading that reads a term once for each binding of the parameters that occur in it."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], R] = {}

    def read(self, term: Expr, bound: Bindings[R]) -> R:
        """What it was read as before, where it was."""
        if term.op in ("parameter", "literal", "none"):
            return super().read(term, bound)
        key = (term, self.place(term), *[bound[name] for name in term.free])
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = super().read(term, bound)
        return found

    def place(self, term: Expr) -> object:
        """What else the reading of a term depends on."""
        return None


# Actions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Effect:
    """`variable` at `at` takes `value`; with `every`, at each member for which `where` holds."""

    variable: Variable
    at: Expr | None
    value: Expr
    where: Expr = TRUE
    every: bool = False


def becomes(target: Expr, value: object) -> Effect:
    """The effect that gives a state term a new value; right sides read the state before."""
    variable, *at = target.args
    if target.op != "state" or not isinstance(variable, Variable):
        raise TypeError("only a state variable can become something")
    new = lift(value, target.sort)
    if new.sort != target.sort:
        raise TypeError(f"{variable.name} is {target.sort} and cannot become {new.sort}")
    index = at[0] if at else None
    assert index is None or isinstance(index, Expr)
    return Effect(variable, index, new)


def everywhere(bound: Expr, where: Expr, *effects: Effect) -> tuple[Effect, ...]:
    """The effects at each member `bound` for which `where` holds (read before the step)."""
    for effect in effects:
        if effect.at is not bound:
            raise TypeError(f"everywhere({bound.args[0]}) must set variables at that index")
    return tuple(Effect(e.variable, e.at, e.value, where, True) for e in effects)


@dataclass(frozen=True)
class Due:
    """Time may not pass `instant` while `condition`: the action is prompt."""

    condition: Expr
    instant: Expr


@dataclass(frozen=True, eq=False)
class Action:
    """A row of the table: who may do what (`when`) and what changes (`then`); the rest stays.

    It is itself and equals no other, as its terms do: a look into a dictionary by a row is cheap.
    `says` tells the step in one sentence; `{h}` and the like stand for the parameters.
    """

    name: str
    source: str
    says: str
    given: Params
    when: tuple[Expr, ...]
    then: tuple[Effect, ...]
    due: Due | None = field(default=None)
