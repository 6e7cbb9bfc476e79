"""The concrete reading: what the lease table means, said as plainly as possible.

Theory of operation.  A `State` gives each variable its value; `now` is one of them.  Time is
absolute and exact (int or Fraction), enumerations are their names, members of an index sort are
counted from 0.  `Interpreter` interprets terms directly, term by term, with nothing generated,
folded, shifted or clipped: it is the definition that the finite reading is compared with, that
random runs in real seconds are made of, and by which a solver's counterexample is replayed.  It is
slow: some milliseconds a state.

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
        return _Moment(self, state, following).read(term, bound)

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


class _Moment(Reading[Value]):
    """Terms as values in a state, and after the step that follows."""

    def __init__(self, world: Interpreter, before: State, following: State | None):
        self.world, self.before, self.following = world, before, following

    def leaf(self, term: Expr) -> Value:
        if term.op == "none":
            return None
        value = term.args[0]
        assert isinstance(value, bool | int | Fraction | str)
        return value

    def constant(self, name: str, sort: Sort, at: Sequence[Value]) -> Value:
        member = at[0] if at else 0
        if not isinstance(member, int):
            raise UnsetError(f"{name} of nobody")
        value = of_member(self.world.constants[name], member)
        assert isinstance(value, bool | int | Fraction | str)
        return value

    def state(self, variable: Variable, at: Sequence[Value]) -> Value:
        member = at[0] if at else 0
        if not isinstance(member, int):
            raise UnsetError(f"{variable.name} of nobody")
        return self.before[variable.name, member]

    def every(self, bound: Expr, body: Callable[[Value], Value]) -> Value:
        return all(body(member) for member in range(self.world.sizes[bound.sort]))

    def after(self, term: Expr, bound: Bindings[Value]) -> Value:
        if self.following is None:
            return super().after(term, bound)
        return _Moment(self.world, self.following, None).read(term, bound)

    def node(self, term: Expr, args: Sequence[Callable[[], Value]]) -> Value:
        match term.op:
            case "and":
                return args[0]() and args[1]()
            case "or":
                return args[0]() or args[1]()
            case "not":
                return not args[0]()
            case "ite":
                return args[1]() if args[0]() else args[2]()
        left, right = args[0](), args[1]()
        if term.op == "eq" and _may_be_none(term):
            return left == right
        if not isinstance(left, int | Fraction) or not isinstance(right, int | Fraction):
            raise UnsetError(f"{term.op} of {left!r} and {right!r}")
        return OPERATORS[term.op](left, right)


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
