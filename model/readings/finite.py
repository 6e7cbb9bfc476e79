"""The finite reading: the lease table as a Python function from a state to its successors.

Theory of operation.  Sorts are ranges, quantifiers are unrolled, constants are folded, and what
remains of the table is written out as Python source, one `if` for each row and binding, and
compiled.  A state is a flat tuple in the order of `Instance.slots`: enumerations are indices into
their sort, references are indices or -1 (none), instants are whole ticks relative to `now`, which
is therefore 0 and not stored; `None` is an unset instant, and comparing it raises.

Time is infinite, states are not: after `tick` every instant is shifted, and one that lies more than
`Bounds.past` ticks back stays there.  This loses nothing if no guard tells apart two instants that
far back: `Bounds.past` must exceed the sum of all durations that a guard may add to an instant.
`past_needed` gives that sum.

What it does not know: more datagrams in flight than slots, other lease lengths than
`Bounds.lengths`, fractions of a tick.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import Any, TypeVar

from holdover.model.readings.branches import FEW, Code, branches, code_of, conjuncts, constant_code
from holdover.model.readings.kept import find_or_make
from holdover.model.readings.rows import (
    FiniteRow,
    RowChanges,
    all_steps_source,
    known_rows,
    quotient,
    successors_source,
)
from holdover.model.table.expr import (
    INSTANT,
    Action,
    Effect,
    Expr,
    SharedReading,
    Sort,
    Variable,
    of_member,
)
from holdover.model.table.table import LEASE_TABLE, Table, constants_of
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE, NOW

T = TypeVar("T")
Value = bool | int | Fraction | None
State = tuple[Value, ...]
Constants = Mapping[str, object]
Steps = list[tuple[int, State]]
"""The steps from a state: by which edge, and where to."""

Successors = Callable[[State], Steps]

NONE = -1
INITIAL: Mapping[str, object] = {"true": True, "false": False, "unset": None, "none": NONE}


@dataclass(frozen=True)
class Bounds:
    """How much of the infinite model is looked at; no meaning of the table depends on it."""

    hosts: int
    addresses: int
    messages: int
    lengths: tuple[int, ...]
    skews: tuple[int, ...]
    past: int

    def size(self, sort: Sort) -> int:
        """How many members an index sort has."""
        return {HOST: self.hosts, ADDRESS: self.addresses, MESSAGE: self.messages}[sort]

    def domain(self, name: Expr) -> Sequence[int]:
        """The values a parameter takes."""
        if name.sort.indexes:
            return range(self.size(name.sort))
        return {"length": self.lengths, "skew": self.skews, "passing": (1,)}[str(name.args[0])]


@dataclass(frozen=True)
class Label:
    """An edge: which row fired, and for what."""

    action: Action
    binding: tuple[int, ...]

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self.given.items())
        return f"{self.action.name}({given})"

    @cached_property
    def given(self) -> dict[str, int]:
        """The row's parameters, by name."""
        names = (str(p.args[0]) for p in self.action.given)
        return dict(zip(names, self.binding, strict=True))

    @property
    def host(self) -> int | None:
        """The host that the step is about."""
        return self.given.get("h")

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """The datagrams that it is about."""
        pairs = zip(self.action.given, self.binding, strict=True)
        return tuple(value for p, value in pairs if p.sort is MESSAGE)


BINARY: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "eq": ("==", lambda x, y: x == y),
    "lt": ("<", lambda x, y: x < y),
    "le": ("<=", lambda x, y: x <= y),
    "add": ("+", lambda x, y: x + y),
    "sub": ("-", lambda x, y: x - y),
    "mul": ("*", lambda x, y: x * y),
    "div": ("/", lambda x, y: Fraction(x) / y),
}


class Source(SharedReading[Code]):
    """Terms as Python source over the tuples `s` (before) and `t` (after)."""

    def __init__(self, slots: Mapping[tuple[str, int], int], constants: Constants, bounds: Bounds):
        super().__init__()
        self.slots, self.constants, self.bounds = slots, constants, bounds
        self.tuple_name = "s"

    def place(self, term: Expr) -> str:
        """Over which of the two tuples."""
        return self.tuple_name

    def leaf(self, term: Expr) -> Code:
        """A literal: its value, known."""
        if term.op == "none":
            return constant_code(NONE if term.sort.indexes else None)
        return self.fixed(term.args[0], term.sort)

    def constant(self, name: str, sort: Sort, at: Sequence[Code]) -> Code:
        """The value of a constant, known."""
        member = at[0].value if at else 0
        assert isinstance(member, int)
        return self.fixed(of_member(self.constants[name], member), sort)

    def fixed(self, value: object, sort: Sort) -> Code:
        """A value of a sort, known."""
        if isinstance(value, str):
            return constant_code(sort.values.index(value))
        assert isinstance(value, bool | int | Fraction)
        return constant_code(value)

    def state(self, variable: Variable, at: Sequence[Code]) -> Code:
        """An item of the state tuple; `now` is 0."""
        if variable is NOW:
            return constant_code(0)
        member = at[0].value if at else 0
        assert isinstance(member, int)
        slot = self.slots[variable.name, member]
        item = slot if self.tuple_name == "s" else None
        return Code(f"{self.tuple_name}[{slot}]", safe=True, item=item)

    def every(self, bound: Expr, body: Callable[[Code], Code]) -> Code:
        """The conjunction over all members."""
        return self._join(
            "and", [body(constant_code(i)) for i in range(self.bounds.size(bound.sort))]
        )

    def after(self, term: Expr, bound: Mapping[Expr, Code]) -> Code:
        """The same over the tuple after the step; TypeError for instants."""
        if term.sort is INSTANT:
            raise TypeError("instants before and after a step are counted from different zeros")
        self.tuple_name = "t"
        try:
            return self.read(term, bound)
        finally:
            self.tuple_name = "s"

    def node(self, term: Expr, args: Sequence[Callable[[], Code]]) -> Code:
        """An operator, folded as far as its arguments are known."""
        if term.op in ("and", "or"):
            return self._join(term.op, (arg() for arg in args))
        if term.op == "not":
            inner = args[0]()
            if inner.known:
                return constant_code(not inner.value)
            return Code(f"(not {inner.text})", safe=inner.safe)
        if term.op == "ite":
            condition = args[0]()
            if condition.known:
                return args[1]() if condition.value else args[2]()
            then, otherwise = args[1](), args[2]()
            if then == otherwise:
                return then
            safe = condition.safe and then.safe and otherwise.safe
            return Code(f"({then.text} if {condition.text} else {otherwise.text})", safe=safe)
        symbol, function = BINARY[term.op]
        left, right = args[0](), args[1]()
        unset = any(each.known and each.value is None for each in (left, right))
        if left.known and right.known and (term.op == "eq" or not unset):
            return constant_code(function(left.value, right.value))
        if term.op in ("mul", "div") and right.known and right.value == 1:
            return left
        if term.op in ("add", "sub") and right.known and right.value == 0:
            return left
        if term.op == "div" and right.known:
            return Code(f"quotient({left.text}, {right.text})")
        text = f"({left.text} {symbol} {right.text})"
        if term.op != "eq" or not (left.safe and right.safe):
            return Code(text)
        item, other = (left, right) if right.known else (right, left)
        among = (other.value,) if other.known and item.item is not None and not item.among else ()
        return Code(text, safe=True, item=item.item if among else None, among=among)

    def _join(self, word: str, parts: Iterator[Code] | list[Code]) -> Code:
        stop = word == "or"
        open_parts: list[Code] = []
        for part in parts:
            if part.known and bool(part.value) is stop:
                if not open_parts:
                    return part
                open_parts.append(part)
                break
            if not part.known:
                open_parts.append(part)
        if not open_parts:
            return constant_code(not stop)
        if len(open_parts) == 1:
            return open_parts[0]
        text = "(" + f" {word} ".join(part.text for part in open_parts) + ")"
        safe = all(part.safe for part in open_parts)
        if word == "and":
            joined = tuple(each for part in open_parts for each in (part.parts or (part,)))
            return Code(text, safe=safe, parts=joined)
        item = open_parts[0].item
        if all(part.item == item and part.among for part in open_parts):
            among = tuple(dict.fromkeys(value for part in open_parts for value in part.among))
            if len(among) > FEW:
                text = f"({self.tuple_name}[{item}] in {{{', '.join(map(repr, among))}}})"
            return Code(text, safe=safe, item=item, among=among)
        return Code(text, safe=safe)


class Instance:
    """A table with everything fixed: constants and bounds.  Its states are tuples.

    `like`: another with the same variables, constants and bounds, which has read most terms.
    """

    def __init__(
        self, table: Table, constants: Constants, bounds: Bounds, *, like: Instance | None = None
    ):
        self.table, self.constants, self.bounds = table, constants, bounds
        self.slots: list[tuple[Variable, int]] = [
            (variable, member)
            for variable in table.variables
            if variable is not NOW
            for member in range(bounds.size(variable.index) if variable.index else 1)
        ]
        self.place = {(v.name, member): i for i, (v, member) in enumerate(self.slots)}
        self.source: Source = like.source if like else Source(self.place, constants, bounds)
        self.initial: State = tuple(self._initial(v) for v, _ in self.slots)
        self._known = known_rows(tuple(table.variables), bounds)

    @cached_property
    def _rows(self) -> list[tuple[Label, FiniteRow]]:
        """The edges with their rows; who asks for single rows only never needs them all."""
        return [
            (Label(action, binding), row)
            for action in self.table.actions
            for binding in self.bindings(action)
            if (row := self._row(action, binding)) is not None
        ]

    @property
    def key(self) -> tuple[object, ...] | None:
        """What tells it from other instances of the lease table; None if its table is another."""
        fixed = sorted(self.constants.items())
        return (fixed, self.bounds) if self.table is LEASE_TABLE else None

    def _kept(self, what: str, make: Callable[[], T]) -> T:
        return find_or_make(None if self.key is None else (what, *self.key), make)

    @cached_property
    def labels(self) -> list[Label]:
        """The edges."""
        actions = self.table.actions
        edges = self._kept(
            "edges", lambda: [(actions.index(e.action), e.binding) for e, _ in self._rows]
        )
        return [Label(actions[number], binding) for number, binding in edges]

    @cached_property
    def lines(self) -> list[list[str]]:
        """Of each edge, the source that adds its step to `out`."""
        return [
            list(branches([row.ending(f"out.append(({number}, tuple(t)))")]))
            for number, (_, row) in enumerate(self._rows)
        ]

    @cached_property
    def text(self) -> str:
        """The source of `successors`."""
        return successors_source([row for _, row in self._rows], len(self.slots))

    @cached_property
    def successors(self) -> Successors:
        """The steps from a state: by which edge (its place in `labels`), and where to."""
        scope = self._scope()
        exec(self._kept("successors", lambda: code_of(self.text, "successors")), scope)
        return scope["successors"]  # type: ignore[no-any-return]

    def _initial(self, variable: Variable) -> Value:
        if variable.initial in variable.sort.values:
            return variable.sort.values.index(variable.initial)
        value = INITIAL[variable.initial]
        assert value is None or isinstance(value, int)
        return value

    def predicate(self, term: Expr) -> Callable[[State], bool]:
        """A property of states as a function."""
        code = self.source.read(term, {}).text
        return self.compiled(f"def predicate(s):\n    return {code}\n", "predicate")  # type: ignore[no-any-return]

    def step_predicate(self, term: Expr) -> Callable[[State, State], bool]:
        """A property of steps as a function of the states before and after."""
        code = self.source.read(term, {}).text
        return self.compiled(f"def predicate(s, t):\n    return {code}\n", "predicate")  # type: ignore[no-any-return]

    def steps_predicate(self, term: Expr) -> Callable[[State, Iterable[tuple[int, State]]], bool]:
        """Whether a property is true of each of some steps from a state."""
        text = all_steps_source(self.source.read(term, {}).text)
        return self.compiled(text, "predicate")  # type: ignore[no-any-return]

    def always_true(self, term: Expr) -> bool:
        """Whether a property is true of whatever state or step, by what is fixed alone."""
        code = self.source.read(term, {})
        return code.known and code.value is True

    def source_of(self, term: Expr, binding: Mapping[Expr, int]) -> str:
        """A term as Python source over a state `s`."""
        return self.source.read(term, {p: constant_code(v) for p, v in binding.items()}).text

    def largest(self, cases: Sequence[tuple[str, str]]) -> Callable[[State], int | None]:
        """The largest value among (condition, value) sources that apply; None if none does."""
        lines = "".join(
            f"    if {c}:\n        v = {v}\n        if most is None or v > most: most = v\n"
            for c, v in cases
        )
        text = f"def largest(s):\n    most = None\n{lines}    return most\n"
        return self.compiled(text, "largest")  # type: ignore[no-any-return]

    def only(self, edges: Iterable[int]) -> Successors:
        """As `successors`, of these edges alone."""
        lines = (line for edge in edges for line in self.lines[edge])
        text = "\n".join(["def successors(s):", "    out = []", *lines, "    return out", ""])
        return self.compiled(text, "successors")  # type: ignore[no-any-return]

    def conditions(self, label: Label) -> list[str]:
        """The guard of a row as Python source over a state `s`: all of these must hold."""
        bound = dict(zip(label.action.given, map(constant_code, label.binding), strict=True))
        guard = self.source._join("and", (self.source.read(w, bound) for w in label.action.when))
        return list(conjuncts(ast.parse(guard.text, mode="eval").body))

    def row(self, label: Label) -> Callable[[State], State | None]:
        """One row for one binding: the state after it, or None where a guard forbids it."""
        found = self._row(label.action, label.binding)
        if found is None:
            return lambda _: None
        lines = branches([found.ending("return tuple(t)")])
        text = "\n".join(["def row(s):", *lines, "    return None", ""])
        row: Callable[[State], State | None] = self.compiled(text, "row")
        return row

    def bindings(self, action: Action) -> Iterator[tuple[int, ...]]:
        """Every choice of members and lengths for the row, enabled or not."""
        return itertools.product(*(self.bounds.domain(p) for p in action.given))

    def compiled(self, text: str, name: str) -> Any:
        """A function from its source; `name` is what it is called there."""
        scope = self._scope()
        exec(code_of(text, name), scope)
        return scope[name]

    @staticmethod
    def _scope() -> dict[str, Any]:
        """What compiled source may name."""
        return {"Fraction": Fraction, "quotient": quotient}

    def _row(self, action: Action, binding: tuple[int, ...]) -> FiniteRow | None:
        """The row of an edge.  Instances share it where all that the row reads is the same."""
        key = (action, binding, *[self.constants.get(name) for name in constants_of(action)])
        if key not in self._known:
            self._known[key] = self._read_row(action, binding)
        return self._known[key]

    def _read_row(self, action: Action, binding: tuple[int, ...]) -> FiniteRow | None:
        bound = {p: constant_code(v) for p, v in zip(action.given, binding, strict=True)}
        guard = self.source._join("and", (self.source.read(w, bound) for w in action.when))
        if guard.known and not guard.value:
            return None
        changes, passed = RowChanges(len(self.slots)), 0
        for effect in action.then:
            if effect.variable is NOW:
                value = self.source.read(effect.value, bound).value
                assert isinstance(value, int)
                passed = value
            else:
                self._effect(effect, bound, changes)
        if passed:
            instants = [i for i, (v, _) in enumerate(self.slots) if v.sort is INSTANT]
            changes.shift(instants, passed, self.bounds.past)
        return FiniteRow.of(guard.conjuncts, changes)

    def _effect(self, effect: Effect, bound: dict[Expr, Code], changes: RowChanges) -> None:
        if effect.every:
            assert effect.at is not None
            members = [
                {**bound, effect.at: constant_code(i)} for i in self.bounds.domain(effect.at)
            ]
        else:
            members = [bound]
        for at in members:
            where = self.source.read(effect.where, at)
            if where.known and not where.value:
                continue
            member = self.source.read(effect.at, at).value if effect.at is not None else 0
            assert isinstance(member, int)
            value = self.source.read(effect.value, at)
            if (slot := self.place.get((effect.variable.name, member))) is not None:
                changes.put(slot, value, where)

    def variable(self, name: str) -> Variable:
        """The variable of that name."""
        return next(v for v in self.table.variables if v.name == name)

    def describe(self, state: State) -> dict[str, object]:
        """A state with the words of the table, for people and for JSON."""
        shown: dict[str, object] = {}
        for (variable, member), value in zip(self.slots, state, strict=True):
            at = f"[{name_of(variable.index, member)}]" if variable.index else ""
            shown[variable.name + at] = self.show(variable.sort, value)
        return shown

    def show(self, sort: Sort, value: Value) -> object:
        """A value as people write it."""
        if sort.values and isinstance(value, int):
            return sort.values[value]
        if sort.indexes:
            return None if value == NONE else name_of(sort, value)
        return value


def name_of(sort: Sort | None, member: object) -> str:
    """h1, h2, ... for hosts; a1, ... for addresses; m1, ... for datagrams."""
    assert sort is not None
    assert isinstance(member, int)
    return f"{sort.name[0].lower()}{member + 1}"


ADDED = ("grace", "delay", "late", "probe_time", "kernel_late", "margin", "step", "asks_for")


def greatest(value: object) -> int:
    """What is fixed, in ticks, of the host for which it is most; 0 for what is no duration."""
    each = value if isinstance(value, tuple) else (value,)
    return max((of for of in each if isinstance(of, int)), default=0)


def past_needed(constants: Constants) -> int:
    """Ticks into the past that a guard could still tell apart: all that is ever added up, and one.

    A lease as the client honours it, and everything that may delay its count or its end.
    """
    duration = {name: greatest(value) for name, value in constants.items()}
    drift = Fraction(str(constants["drift"]))
    honoured = ceil(max(duration["full"], duration["floor"]) / (1 - drift))
    patience = max(duration["retries_for"], duration["acknowledge_within"])
    return honoured + patience + sum(duration[name] for name in ADDED) + 1


MOST_SKEWS = 64
"""More errors of a clock than these are not tried one by one: each is an edge of its own."""


def bounds_for(
    constants: Constants, hosts: int, addresses: int, messages: int, *, past: int = 0
) -> Bounds:
    """The bounds of an instance of this size: lease lengths, what drift can add, how far back."""
    full, least = int(str(constants["full"])), int(str(constants["least"]))
    drift = Fraction(str(constants["drift"]))
    lengths = (full,) if least == full else (least, full)
    longest = max(full, greatest(constants["floor"]))
    late = int(longest * drift / (1 - drift)) if drift else 0
    early = int(longest * drift / (1 + drift)) if drift else 0
    skews = tuple(range(-early, late + 1))
    if len(skews) > MOST_SKEWS:  # the extremes are what a worst case needs
        skews = (-early, 0, late)
    return Bounds(hosts, addresses, messages, lengths, skews, max(past, past_needed(constants)))
