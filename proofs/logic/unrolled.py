"""The unrolled reading: a few hosts, addresses and datagrams, with symbolic numbers.

It serves two purposes.  A *path* (`SymbolicRun`) applies given rows one after the other to a
symbolic state:  T3 asks whether a run exists for all values of the constants, and `realise` whether
a run that the explorer found in ticks exists in exact seconds.  Where the choice of the rows is the
solver's as well (T1), indices are machine words (`Timed`).

What is known is computed with as Python's numbers; a formula stands only for what is open.

References are indices with -1 for none, enumerations are indices into their sort.  An unset instant
is an unconstrained number: a guard that reads it is not protected by luck.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, Self

from holdover.model.readings.finite import NONE
from holdover.model.table.expr import (
    BOOL,
    DURATION,
    INSTANT,
    RATIO,
    TRUE,
    Action,
    Expr,
    Reading,
    Sort,
    Variable,
    of_member,
)
from holdover.model.table.table import Table
from holdover.model.table.vocabulary import INDEX_SORTS, h
from holdover.proofs.logic import formula
from holdover.proofs.logic.first_order import BINARY, Later, clock_bound, operate, real
from holdover.proofs.logic.formula import REAL, TRUTH, WHOLE, Formula, words

Slot = tuple[str, int]
State = dict[Slot, Formula]
Binding = Mapping[Expr, Formula]
Sizes = Mapping[Sort, int]

Known = bool | int | Fraction
"""What a term is that constants decide."""

Value = Known | Formula


def value_of(term: Formula) -> Value:
    """A formula as the value that it is, where it is known."""
    known: Any = term.of if term.known else term
    return known  # type: ignore[no-any-return]


COMPUTED: Mapping[str, Callable[[Any, Any], Known]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "le": operator.le,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
}


@dataclass
class Unsets:
    """How many unset instants have a name: each has one of its own."""

    count: int = 0


READINGS, STATES = 1 << 14, 1 << 10
"""Of so many terms it is kept what they mean, each in so many states at most."""

Meanings = dict[tuple[object, ...], Formula]
"""What a term means, by the items of the state that it reads and by what its parameters are."""


class _Term:
    """On what it depends what a term means: items of the state, constants, and parameters."""

    def __init__(self, term: Expr, sizes: Sizes):
        self.slots = tuple(
            (variable.name, member)
            for variable in sorted(term.reads, key=lambda variable: variable.name)
            for member in range(sizes[variable.index] if variable.index else 1)
        )
        self.constants, self.parameters = tuple(sorted(term.constants)), term.free
        self.names_unset = _names_unset(term)
        self._meanings: dict[tuple[object, ...], Meanings] = {}

    def meanings(self, fixed: Mapping[str, object]) -> Meanings:
        """What readings have in common that fix its constants so: it is filled by who reads."""
        here = tuple([fixed.get(name, _OPEN) for name in self.constants])
        return self._meanings.setdefault(here, {})


_OPEN = object()


@lru_cache(READINGS)
def _seen(term: Expr, reading: type, sizes: frozenset[tuple[Sort, int]]) -> list[_Term | None]:
    """What is known of a term for one kind of reading; nothing before it is read."""
    return []


def _names_unset(term: Expr) -> bool:
    """Whether an unset instant occurs in a term, which has another name each time it is read."""
    unset = term.op == "none" and not term.sort.indexes
    return unset or any(map(_names_unset, term.operands))


class _Kind:
    """What readings share that have the same sizes and fix the same constants."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = frozenset(sizes.items())
        self.constants: dict[tuple[object, ...], Value] = {}
        self.meanings: dict[Expr, tuple[Meanings, _Term]] = {}


class Unrolled(Reading[Formula]):
    """Formulas over a symbolic state of fixed size.  Constants that are not `fixed` are symbols."""

    INDEX = WHOLE
    """What indices are to a solver."""

    def __init__(
        self,
        sizes: Sizes,
        fixed: Mapping[str, object],
        values: State,
        unsets: Unsets | None = None,
        kind: _Kind | None = None,
    ):
        self.sizes, self.fixed, self.values = sizes, fixed, values
        self.unsets, self.kind = unsets or Unsets(), kind or _Kind(sizes)

    @classmethod
    def initially(cls, table: Table, sizes: Sizes, fixed: Mapping[str, object]) -> Self:
        """The initial state of a table."""
        empty = cls(sizes, fixed, {})
        return empty.where(empty.initial(table))

    def where(self, values: State) -> Self:
        """The same where the state is this."""
        return type(self)(self.sizes, self.fixed, values, self.unsets, self.kind)

    def read(self, term: Expr, bound: Binding) -> Formula:
        """What a term means here, as it was read where all that it reads was the same."""
        if term.op == "parameter":
            return bound[term]
        found = self.kind.meanings.get(term) or self._meanings(term)
        if found is None:
            return self._read(term, bound)
        meanings, of = found
        values = self.values
        key = (*[values[slot] for slot in of.slots], *[bound[name] for name in of.parameters])
        said = meanings.get(key)
        if said is None:
            if len(meanings) == STATES:
                meanings.clear()
            said = meanings[key] = self._read(term, bound)
        return said

    def _meanings(self, term: Expr) -> tuple[Meanings, _Term] | None:
        """What is known of a term's meanings, and on what they depend.

        None where nothing is kept: what has names of its own is read anew each time; and of a term
        that is read for the first time, as many are that a run makes, it takes longer to find out.
        """
        seen = _seen(term, type(self), self.kind.sizes)
        if not seen:
            seen.append(None)
            return None
        of = seen[0]
        if of is None:
            of = seen[0] = _Term(term, self.sizes)
        if of.names_unset:
            return None
        found = self.kind.meanings[term] = of.meanings(self.fixed), of
        return found

    def _read(self, term: Expr, bound: Binding) -> Formula:
        given = {name: value_of(value) for name, value in bound.items()}
        return self.formula(self.value(term, given), term.sort)

    def formula(self, value: Value, sort: Sort) -> Formula:
        """A value of a sort as a formula."""
        if isinstance(value, Formula):
            return value
        if sort is BOOL:
            return formula.TRUE if value else formula.FALSE
        if sort in (INSTANT, DURATION, RATIO):
            return formula.literal(REAL, value)
        return self.whole(int(value))

    def value(self, term: Expr, bound: Mapping[Expr, Value]) -> Value:
        """What a term is: a value where it is known, else a formula."""
        op, args = term.op, term.args
        if op == "parameter":
            return bound[term]
        if op == "state":
            return self._item(args, bound)
        if op in ("and", "or"):
            return self._joined(op, args, bound)
        if op in COMPUTED:
            first, second = self.value(args[0], bound), self.value(args[1], bound)  # type: ignore[arg-type]
            if not isinstance(first, Formula) and not isinstance(second, Formula):
                return COMPUTED[op](first, second)
            left, right = term.operands
            return value_of(
                BINARY[op](self.formula(first, left.sort), self.formula(second, right.sort))
            )
        if op == "constant":
            return self._constant(term, bound)
        if op == "not":
            inner = self.value(args[0], bound)  # type: ignore[arg-type]
            return ~inner if isinstance(inner, Formula) else not inner
        if op == "ite":
            condition, then, otherwise = term.operands
            chosen = self.value(condition, bound)
            if not isinstance(chosen, Formula):
                return self.value(then if chosen else otherwise, bound)
            values = (self.value(each, bound) for each in (then, otherwise))
            return value_of(formula.ite(chosen, *(self.formula(v, term.sort) for v in values)))
        if op == "literal":
            key = (args[0], term.sort)
            if key not in self.kind.constants:
                self.kind.constants[key] = value_of(self.leaf(term))
            return self.kind.constants[key]
        if op == "none":
            return value_of(self.leaf(term))
        if op == "forall":
            name, body = args
            assert isinstance(name, Expr)
            assert isinstance(body, Expr)
            return self._every(name, body, bound)
        later = [partial(self._later, each, bound) for each in term.operands]
        return value_of(self.node(term, later))

    def _later(self, term: Expr, bound: Mapping[Expr, Value]) -> Formula:
        return self.formula(self.value(term, bound), term.sort)

    def _joined(self, op: str, args: Sequence[object], bound: Mapping[Expr, Value]) -> Value:
        left, right = args
        assert isinstance(left, Expr)
        assert isinstance(right, Expr)
        first = self.value(left, bound)
        if not isinstance(first, Formula):
            return first if bool(first) is (op == "or") else self.value(right, bound)
        second = self.value(right, bound)
        if not isinstance(second, Formula):
            return second if bool(second) is (op == "or") else first
        return value_of(first & second if op == "and" else first | second)

    def _every(self, name: Expr, body: Expr, bound: Mapping[Expr, Value]) -> Value:
        open_: list[Formula] = []
        for member in range(self.sizes[name.sort]):
            said = self.value(body, {**bound, name: member})
            if isinstance(said, Formula):
                open_.append(said)
            elif not said:
                return False
        return value_of(formula.all_of(open_))

    def _item(self, args: Sequence[object], bound: Mapping[Expr, Value]) -> Value:
        variable, *at = args
        assert isinstance(variable, Variable)
        places = [self.value(each, bound) for each in at]  # type: ignore[arg-type]
        if any(isinstance(place, Formula) for place in places):
            assert variable.index is not None
            return value_of(self.state(variable, [self.formula(p, variable.index) for p in places]))
        return value_of(self.values[variable.name, int(places[0]) if places else 0])  # type: ignore[arg-type]

    def _constant(self, term: Expr, bound: Mapping[Expr, Value]) -> Value:
        name, *at = term.args
        places = [self.value(each, bound) for each in at]  # type: ignore[arg-type]
        key = (name, *places)
        found = self.kind.constants.get(key)
        if found is None:
            members = [
                self.formula(p, each.sort) for p, each in zip(places, term.operands, strict=True)
            ]
            found = self.kind.constants[key] = value_of(
                self.constant(str(name), term.sort, members)
            )
        return found

    def whole(self, value: int) -> Formula:
        """An index."""
        return formula.literal(self.INDEX, value)

    def unset(self) -> Formula:
        """Any instant: nothing may depend on it."""
        self.unsets.count += 1
        return formula.symbol(f"unset_{self.unsets.count}", REAL)

    def variable(self, name: str, sort: Sort) -> Formula:
        """A symbol of a sort."""
        if sort is BOOL:
            return formula.symbol(name, TRUTH)
        timed = sort in (INSTANT, DURATION, RATIO)
        return formula.symbol(name, REAL if timed else self.INDEX)

    def index(self, term: Formula) -> int:
        """The number that an index term is; ValueError if it is open."""
        if not isinstance(term.of, int) or not term.known:
            raise ValueError(f"{term} is no known index")
        return term.of

    def leaf(self, term: Expr) -> Formula:
        """A literal or none."""
        if term.op == "none":
            return self.whole(NONE) if term.sort.indexes else self.unset()
        return self.known(term.args[0], term.sort)

    def constant(self, name: str, sort: Sort, at: Sequence[Formula]) -> Formula:
        """A fixed constant's value, or a symbol for an open one: one for each host."""
        member = self.index(at[0]) if at else 0
        value = of_member(self.fixed.get(name), member)
        if value is None:
            return self.variable(f"{name}_{member}" if at else name, sort)
        return self.known(value, sort)

    def known(self, value: object, sort: Sort) -> Formula:
        """A value of a sort."""
        if sort is BOOL:
            return formula.literal(TRUTH, bool(value))
        if sort.values:
            return self.whole(sort.values.index(str(value)))
        return real(value)

    def state(self, variable: Variable, at: Sequence[Formula]) -> Formula:
        """The symbolic value of one variable of one member."""
        return self.values[variable.name, self.index(at[0]) if at else 0]

    def every(self, bound: Expr, body: Callable[[Formula], Formula]) -> Formula:
        """The conjunction over all members."""
        return formula.all_of(body(self.whole(i)) for i in range(self.sizes[bound.sort]))

    def node(self, term: Expr, args: Sequence[Later]) -> Formula:
        """The operator; where the drift is open, a clock bound is a function."""
        if "drift" not in self.fixed and (bound := clock_bound(term)) is not None:
            return bound(args[0]())
        return operate(term.op, args)

    def bind(self, action: Action, binding: Sequence[int]) -> dict[Expr, Formula]:
        """Parameters with the values of an edge label."""
        return {
            p: self.whole(v) if p.sort.indexes else real(v)
            for p, v in zip(action.given, binding, strict=True)
        }

    def of_sorts(self, variables: Iterable[Variable]) -> list[Formula]:
        """That each item is a member of its sort, or none; times may be any."""
        found = []
        for variable in variables:
            sort = variable.sort
            numbers = range(NONE, self.sizes[sort]) if sort.indexes else range(len(sort.values))
            for member in range(self.sizes[variable.index] if variable.index else 1):
                item = self.values[variable.name, member]
                if numbers:
                    found.append(formula.any_of(item == self.whole(n) for n in numbers))
        return found

    def guards(self, action: Action, bound: Binding) -> list[Formula]:
        """The guards of a row here."""
        return [self.read(guard, bound) for guard in action.when]

    def changes(self, action: Action, bound: Binding) -> State:
        """What a row sets; right sides read the state before."""
        after: State = {}
        for effect in action.then:
            cases = [dict(bound)]
            if effect.every and effect.at is not None:
                members = range(self.sizes[effect.at.sort])
                cases = [{**bound, effect.at: self.whole(i)} for i in members]
            for case in cases:
                at = 0 if effect.at is None else self.index(self.read(effect.at, case))
                slot = (effect.variable.name, at)
                value = self.read(effect.value, case)
                if effect.where is not TRUE:
                    before = after.get(slot, self.values[slot])
                    value = formula.ite(self.read(effect.where, case), value, before)
                after[slot] = value
        return after

    def initial(self, table: Table) -> State:
        """The initial state of a table."""
        return {
            (v.name, i): self._initial(v)
            for v in table.variables
            for i in range(self.sizes[v.index] if v.index else 1)
        }

    def _initial(self, variable: Variable) -> Formula:
        start = variable.initial
        if variable.sort.values:
            return self.whole(variable.sort.values.index(start))
        if start in ("true", "false"):
            return formula.literal(TRUTH, start == "true")
        return {"none": lambda: self.whole(NONE), "0": lambda: real(0), "unset": self.unset}[
            start
        ]()


class Timed(Unrolled):
    """Indices on machine words, for bit-blasting, and times in reals.

    A client as its profile has it, in seconds; clocks are exact, and leases full ones.
    """

    INDEX = words(6)

    def node(self, term: Expr, args: Sequence[Later]) -> Formula:
        """The operator; ValueError for a quotient unless the drift is 0, its divisor then 1."""
        if term.op != "div":
            return super().node(term, args)
        if self.fixed["drift"] != 0:
            raise ValueError("clocks are exact here: no drift")
        return args[0]()

    def bind(self, action: Action, binding: Sequence[int]) -> dict[Expr, Formula]:
        """Parameters of a label, whose one lease length is a full lease; clocks are exact."""
        exact = {"length": self.fixed["full"], "skew": 0}
        return {
            p: self.whole(v) if p.sort.indexes else real(exact[str(p.args[0])])
            for p, v in zip(action.given, binding, strict=True)
        }


def sizes_of(hosts: int, addresses: int, messages: int) -> dict[Sort, int]:
    """Sizes by index sort."""
    return dict(zip(INDEX_SORTS, (hosts, addresses, messages), strict=True))


def choices(names: Sequence[Expr], size: Callable[[Sort], int]) -> Iterator[dict[Expr, int]]:
    """Each choice of members for these parameters, of one sort different ones."""
    for members in itertools.product(*(range(size(name.sort)) for name in names)):
        chosen = dict(zip(names, members, strict=True))
        if len({(name.sort, member) for name, member in chosen.items()}) == len(names):
            yield chosen


@dataclass(frozen=True, eq=False)
class _Reached:
    """What rows come to: the guards of the last one, the state after it, and the unset instants.

    `then`: what is reached from here, by row, its parameters, and the unset instants before it.
    """

    guards: tuple[Formula, ...]
    values: State
    unsets: int
    then: dict[tuple[object, ...], _Reached] = field(default_factory=dict)


RUNS = 128
"""Of so many kinds of hosts it is kept what their rows come to: T3's runs have 129."""


@lru_cache(RUNS)
def _begun(
    table: Table, sizes: frozenset[tuple[Sort, int]], fixed: frozenset[tuple[str, object]]
) -> tuple[_Reached, _Kind]:
    """The initial state, and what is known of terms, which the runs of such hosts share."""
    here = Unrolled(dict(sizes), dict(fixed), {})
    return _Reached((), here.initial(table), here.unsets.count), here.kind


class SymbolicRun:
    """A run whose rows are given and whose numbers are symbols.

    `conditions` are the guards met on the way, in order, each with the row it belongs to; `states`
    are those before, between and after its `rows`.  Runs begin alike: what a row comes to that is
    taken after the same rows, with the same parameters, is read once.
    """

    def __init__(self, table: Table, sizes: Sizes, fixed: Mapping[str, object]):
        self.table, self.sizes, self.fixed = table, sizes, fixed
        self._reached, kind = _begun(table, frozenset(sizes.items()), frozenset(fixed.items()))
        self.start = self._reached.values
        self.here = Unrolled(sizes, fixed, self.start, Unsets(self._reached.unsets), kind)
        self.states = [self.start]
        self.conditions: list[tuple[str, Formula]] = []
        self.rows: list[tuple[Action, dict[Expr, Formula]]] = []

    def take(self, name: str, **given: object) -> None:
        """Apply a row; parameters by name, as numbers or as terms (there `h` is the first host)."""
        action = self.table.action(name)
        bound: dict[Expr, Formula] = {}
        for p in action.given:
            value = given[str(p.args[0])]
            if isinstance(value, Expr):
                value = self.here.read(value, {h: self.here.whole(0)})
            elif p.sort.indexes:
                value = self.here.whole(int(str(value)))
            bound[p] = value if isinstance(value, Formula) else real(value)
        key = (action, self.here.unsets.count, *bound.values())
        if key not in self._reached.then:
            self._reached.then[key] = self._reach(action, bound)
        self._reached = self._reached.then[key]
        self.conditions += [(name, guard) for guard in self._reached.guards]
        self.here = self.here.where(self._reached.values)
        self.here.unsets.count = self._reached.unsets
        self.states.append(self.here.values)
        self.rows.append((action, bound))

    def _reach(self, action: Action, bound: Binding) -> _Reached:
        """What the row comes to here."""
        guards = tuple(self.here.guards(action, bound))
        values = {**self.here.values, **self.here.changes(action, bound)}
        return _Reached(guards, values, self.here.unsets.count)
