"""The concrete reading: what the lease table means, said as plainly as possible.

Theory of operation.  A `State` gives each variable its value; `now` is one of them.  Time is
absolute and exact (int or Fraction), enumerations are their names, members of an index sort are
counted from 0.  `Interpreter` interprets terms directly, term by term, with no code generated and
nothing folded, shifted or clipped: it is the definition that the finite reading is compared with,
that random runs in real seconds are made of, and by which a solver's counterexample is replayed.  A
term is read once, as a function of the moment, and is asked again at each.

A binding gives the parameters of an action their values, in the order of `Action.given`, as in
`finite.Label`.  Unlike instants in a solver, an unset instant has no value here: comparing it, or
counting from it, raises `UnsetError`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

from holdover.model.table.expr import Action, Bindings, Expr, Reading, Sort, Variable, of_member
from holdover.model.table.table import Table
from holdover.model.table.vocabulary import NOW

Time = int | Fraction
Value = bool | Time | str | None
Slot = tuple[str, int]
Binding = Sequence[Value]

UNBOUND: Mapping[Expr, Value] = MappingProxyType({})
INITIAL: Mapping[str, Value] = {"true": True, "false": False, "unset": None, "none": None, "0": 0}


class UnsetError(TypeError):
    """The table asks when something is that has no time, or for the state of nobody."""


class NotEnabledError(ValueError):
    """An action was to be taken in a state in which a guard forbids it."""


@dataclass(frozen=True)
class State:
    """One moment: `state["holds", 1]` is what the second host holds, `state["serving", 0]` ..."""

    values: tuple[Value, ...]
    places: Mapping[Slot, int] = field(repr=False, compare=False)

    def __getitem__(self, slot: Slot) -> Value:
        return self.values[self.places[slot]]

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.places)

    @property
    def now(self) -> Time:
        """True time."""
        now = self[NOW.name, 0]
        assert isinstance(now, int | Fraction)
        return now

    def but(self, changes: Mapping[Slot, Value]) -> State:
        """The same moment with some values changed."""
        values = list(self.values)
        for slot, value in changes.items():
            values[self.places[slot]] = value
        return State(tuple(values), self.places)


class Interpreter:
    """A table, the constants of one run, and how many members each index sort has."""

    def __init__(self, table: Table, constants: Mapping[str, object], sizes: Mapping[Sort, int]):
        self.table, self.constants, self.sizes = table, constants, sizes
        slots = [
            (variable, member)
            for variable in table.variables
            for member in range(sizes[variable.index] if variable.index else 1)
        ]
        self.places = {(variable.name, member): i for i, (variable, member) in enumerate(slots)}
        self._initial = tuple(
            v.initial if v.initial in v.sort.values else INITIAL[v.initial] for v, _ in slots
        )
        self._meanings = _Meanings(self)
        self._decided = {action.name: _decided(action) for action in table.actions}

    def initial(self) -> State:
        """The state that every run begins in."""
        return State(self._initial, self.places)

    def value(
        self,
        term: Expr,
        state: State,
        bound: Bindings[Value] = UNBOUND,
        *,
        following: State | None = None,
    ) -> Value:
        """What a term is worth in a state; a property of steps needs the `following` state too."""
        return self._meanings.read(term)(_Moment(state, following, bound))

    def holds(self, term: Expr, state: State, *, following: State | None = None) -> bool:
        """Whether a property holds of a state, or of a step."""
        return self.value(term, state, following=following) is True

    def blocking_guard(self, state: State, action: Action, binding: Binding) -> int | None:
        """The first conjunct of `action.when` that does not hold, by its place; None if all do."""
        bound = _bind(action, binding)
        return next(
            (i for i, term in enumerate(action.when) if not self.value(term, state, bound)), None
        )

    def enabled(self, state: State, action: Action, binding: Binding) -> bool:
        """Whether the action may happen here."""
        return self.blocking_guard(state, action, binding) is None

    def step(self, state: State, action: Action, binding: Binding) -> State:
        """The state after the action.  NotEnabledError names the guard that forbids it."""
        blocked = self.blocking_guard(state, action, binding)
        if blocked is not None:
            raise NotEnabledError(
                f"{action.name}{tuple(binding)} at {state.now}: guard {blocked + 1} of "
                f"{len(action.when)} does not hold"
            )
        bound = _bind(action, binding)
        changes: dict[Slot, Value] = {}
        for effect in action.then:
            cases = [bound]
            if effect.every:
                assert effect.at is not None
                cases = [{**bound, effect.at: i} for i in range(self.sizes[effect.at.sort])]
            for case in cases:
                if self.value(effect.where, state, case):
                    at = 0 if effect.at is None else self.value(effect.at, state, case)
                    assert isinstance(at, int)
                    changes[effect.variable.name, at] = self.value(effect.value, state, case)
        return state.but(changes)

    def instances(
        self, state: State, domains: Mapping[str, Sequence[Time]]
    ) -> Iterator[tuple[Action, tuple[Value, ...]]]:
        """Every action that may happen here, for all members and for these lengths of time.

        `domains` has the values to try for the parameters `length`, `skew` and `passing`.
        """
        for action in self.table.actions:
            for binding in self.bindings(state, action, domains):
                yield action, binding

    def bindings(
        self, state: State, action: Action, domains: Mapping[str, Sequence[Time]]
    ) -> Iterator[tuple[Value, ...]]:
        """The bindings with which the action may happen here; each guard is asked early."""
        decided = self._decided[action.name]

        def extend(bound: dict[Expr, Value]) -> Iterator[tuple[Value, ...]]:
            count = len(bound)
            if not all(self.value(term, state, bound) for term in decided[count]):
                return
            if count == len(action.given):
                yield tuple(bound.values())
                return
            name = action.given[count]
            size = self.sizes.get(name.sort)
            for member in domains[str(name.args[0])] if size is None else range(size):
                yield from extend({**bound, name: member})

        yield from extend({})


class _Moment:
    """What the value of a term depends on: a state, the one after the step, the parameters."""

    __slots__ = ("before", "bound", "following")

    def __init__(self, before: State, following: State | None, bound: Bindings[Value]):
        self.before, self.following, self.bound = before, following, bound

    def binding(self, name: Expr, member: Value) -> _Moment:
        """The same with a parameter bound to this member."""
        return _Moment(self.before, self.following, {**self.bound, name: member})

    def after(self) -> _Moment:
        """The moment after the step."""
        if self.following is None:
            raise TypeError("a property of steps needs the state after the step")
        return _Moment(self.following, None, self.bound)


Meaning = Callable[[_Moment], Value]


class _Meanings(Reading[Meaning]):
    """Terms as functions of a moment, a term read once: its parts, put together by its operator."""

    def __init__(self, world: Interpreter):
        self.world = world
        self._known: dict[Expr, Meaning] = {}

    def read(self, term: Expr, bound: Bindings[Meaning] = MappingProxyType({})) -> Meaning:
        """What it was read as before, where it was; a parameter is looked up at each moment."""
        found = self._known.get(term)
        if found is None:
            is_parameter = term.op == "parameter"
            found = _parameter(term) if is_parameter else super().read(term, bound)
            self._known[term] = found
        return found

    def leaf(self, term: Expr) -> Meaning:
        value = None if term.op == "none" else term.args[0]
        assert value is None or isinstance(value, bool | int | Fraction | str)
        return lambda moment: value

    def constant(self, name: str, sort: Sort, at: Sequence[Meaning]) -> Meaning:
        constants, member_at = self.world.constants, _member(name, at)

        def meaning(moment: _Moment) -> Value:
            value = of_member(constants[name], member_at(moment))
            assert isinstance(value, bool | int | Fraction | str)
            return value

        return meaning

    def state(self, variable: Variable, at: Sequence[Meaning]) -> Meaning:
        name, member_at = variable.name, _member(variable.name, at)
        return lambda moment: moment.before[name, member_at(moment)]

    def every(self, bound: Expr, body: Callable[[Meaning], Meaning]) -> Meaning:
        members, holds = range(self.world.sizes[bound.sort]), body(self.read(bound))

        def meaning(moment: _Moment) -> Value:
            return all(holds(moment.binding(bound, member)) for member in members)

        return meaning

    def after(self, term: Expr, bound: Bindings[Meaning]) -> Meaning:
        inner = self.read(term, bound)
        return lambda moment: inner(moment.after())

    def node(self, term: Expr, args: Sequence[Callable[[], Meaning]]) -> Meaning:
        read = [arg() for arg in args]
        match term.op:
            case "and":
                first, second = read
                return lambda moment: first(moment) and second(moment)
            case "or":
                first, second = read
                return lambda moment: first(moment) or second(moment)
            case "not":
                (negated,) = read
                return lambda moment: not negated(moment)
            case "ite":
                condition, then, otherwise = read
                return lambda moment: then(moment) if condition(moment) else otherwise(moment)
        left, right = read
        if term.op == "eq" and _may_be_none(term):
            return lambda moment: left(moment) == right(moment)
        return _of_times(term.op, left, right)


def _parameter(term: Expr) -> Meaning:
    return lambda moment: moment.bound[term]


def _member(name: str, at: Sequence[Meaning]) -> Callable[[_Moment], int]:
    """Whose: the member that the index means, or the only one there is."""
    if not at:
        return lambda moment: 0
    (index,) = at

    def meaning(moment: _Moment) -> int:
        member = index(moment)
        if not isinstance(member, int):
            raise UnsetError(f"{name} of nobody")
        return member

    return meaning


def _of_times(op: str, left: Meaning, right: Meaning) -> Meaning:
    operate = OPERATORS[op]

    def meaning(moment: _Moment) -> Value:
        one, other = left(moment), right(moment)
        if not isinstance(one, int | Fraction) or not isinstance(other, int | Fraction):
            raise UnsetError(f"{op} of {one!r} and {other!r}")
        return operate(one, other)

    return meaning


OPERATORS: Mapping[str, Callable[[Time, Time], Time | bool]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "le": operator.le,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": lambda dividend, divisor: Fraction(dividend) / divisor,
}


def _may_be_none(equation: Expr) -> bool:
    """Equality is a question about names and members; of times it is a comparison."""
    side = equation.args[0]
    return isinstance(side, Expr) and (side.sort.indexes or bool(side.sort.values))


def _bind(action: Action, binding: Binding) -> dict[Expr, Value]:
    return dict(zip(action.given, binding, strict=True))


def _decided(action: Action) -> list[tuple[Expr, ...]]:
    """The guards that can be asked once so many parameters are bound: each once, and in order.

    In order, because a guard may protect the ones behind it from reading an unset instant.
    """
    counts: list[int] = []
    places = {p: place for place, p in enumerate(action.given, 1)}
    for term in action.when:
        needed = max((places[p] for p in term.free), default=0)
        counts.append(max(needed, counts[-1] if counts else 0))
    return [
        tuple(term for term, count in zip(action.when, counts, strict=True) if count == bound)
        for bound in range(len(action.given) + 1)
    ]
