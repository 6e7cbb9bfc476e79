"""The unrolled reading: a few hosts, addresses and datagrams, with symbolic numbers.

It serves two purposes.  A *path* (`SymbolicRun`) applies given rows one after the other to a
symbolic state:  T3 asks whether a run exists for all values of the constants, and `realise` whether
a run that the explorer found in ticks exists in exact seconds.  Where the choice of the rows is the
solver's as well (T1), indices are machine words (`Timed`).

References are indices with -1 for none, enumerations are indices into their sort.  An unset instant
is an unconstrained number: a guard that reads it is not protected by luck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import z3

from holdover.model.readings.finite import NONE
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
    of_member,
)
from holdover.model.table.table import Table
from holdover.model.table.vocabulary import INDEX_SORTS, h
from holdover.proofs.logic.first_order import OPERATORS, clock_bound, real

Term = Any  # z3's own types say too little to help
Slot = tuple[str, int]
State = dict[Slot, Term]
Binding = Mapping[Expr, Term]
Sizes = Mapping[Sort, int]


class Unrolled(Reading[Term]):
    """Terms over a symbolic state of fixed size.  Constants that are not `fixed` are symbols."""

    def __init__(self, sizes: Sizes, fixed: Mapping[str, object], values: State):
        self.sizes, self.fixed, self.values = sizes, fixed, values

    @classmethod
    def initially(cls, table: Table, sizes: Sizes, fixed: Mapping[str, object]) -> Self:
        """The initial state of a table."""
        empty = cls(sizes, fixed, {})
        return empty.where(empty.initial(table))

    def where(self, values: State) -> Self:
        """The same where the state is this."""
        return type(self)(self.sizes, self.fixed, values)

    def whole(self, value: int) -> Term:
        """An index."""
        return z3.IntVal(value)

    def time(self, value: object) -> Term:
        """A literal instant, duration or ratio."""
        return real(value)

    def unset(self) -> Term:
        """Any instant: nothing may depend on it."""
        return z3.FreshReal("unset")

    def variable(self, name: str, sort: Sort) -> Term:
        """A symbol of a sort."""
        if sort is BOOL:
            return z3.Bool(name)
        return z3.Real(name) if sort in (INSTANT, DURATION, RATIO) else z3.Int(name)

    def index(self, term: Term) -> int:
        """The number that an index term is."""
        return int(z3.simplify(term).as_long())

    def leaf(self, term: Expr) -> Term:
        """A literal or none."""
        if term.op == "none":
            return self.whole(NONE) if term.sort.indexes else self.unset()
        return self.known(term.args[0], term.sort)

    def constant(self, name: str, sort: Sort, at: Sequence[Term]) -> Term:
        """A fixed constant's value, or a symbol for an open one: one for each host."""
        member = self.index(at[0]) if at else 0
        value = of_member(self.fixed.get(name), member)
        if value is None:
            return self.variable(f"{name}_{member}" if at else name, sort)
        return self.known(value, sort)

    def known(self, value: object, sort: Sort) -> Term:
        """A value of a sort."""
        if sort is BOOL:
            return z3.BoolVal(bool(value))
        if sort.values:
            return self.whole(sort.values.index(str(value)))
        return self.time(value)

    def state(self, variable: Variable, at: Sequence[Term]) -> Term:
        """The symbolic value of one variable of one member."""
        return self.values[variable.name, self.index(at[0]) if at else 0]

    def every(self, bound: Expr, body: Callable[[Term], Term]) -> Term:
        """The conjunction over all members."""
        return z3.And([body(self.whole(i)) for i in range(self.sizes[bound.sort])])

    def node(self, term: Expr, args: Sequence[Callable[[], Term]]) -> Term:
        """The operator; where the drift is open, a clock bound is a function."""
        if "drift" not in self.fixed and (bound := clock_bound(term)) is not None:
            return bound(args[0]())
        return OPERATORS[term.op](*(arg() for arg in args))

    def bind(self, action: Action, binding: Sequence[int]) -> dict[Expr, Term]:
        """Parameters with the values of an edge label."""
        return {
            p: self.whole(v) if p.sort.indexes else self.time(v)
            for p, v in zip(action.given, binding, strict=True)
        }

    def guards(self, action: Action, bound: Binding) -> list[Term]:
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
                where, value = self.read(effect.where, case), self.read(effect.value, case)
                before = after.get(slot, self.values[slot])
                after[slot] = value if z3.is_true(where) else z3.If(where, value, before)
        return after

    def initial(self, table: Table) -> State:
        """The initial state of a table."""
        return {
            (v.name, i): self._initial(v)
            for v in table.variables
            for i in range(self.sizes[v.index] if v.index else 1)
        }

    def _initial(self, variable: Variable) -> Term:
        start = variable.initial
        if variable.sort.values:
            return self.whole(variable.sort.values.index(start))
        if start in ("true", "false"):
            return z3.BoolVal(start == "true")
        return {"none": lambda: self.whole(NONE), "0": lambda: self.time(0), "unset": self.unset}[
            start
        ]()


class Timed(Unrolled):
    """Indices on machine words of `BITS` bits, for bit-blasting, and times in reals.

    A client as its profile has it, in seconds; clocks are exact, and leases full ones.
    """

    BITS = 6

    def whole(self, value: int) -> Term:
        """An index; ValueError where it does not fit."""
        if not -(1 << (self.BITS - 1)) <= value < 1 << (self.BITS - 1):
            raise ValueError(f"{value} does not fit into {self.BITS} bits")
        return z3.BitVecVal(value, self.BITS)

    def variable(self, name: str, sort: Sort) -> Term:
        """A symbol of a sort."""
        if sort is BOOL or sort in (INSTANT, DURATION, RATIO):
            return super().variable(name, sort)
        return z3.BitVec(name, self.BITS)

    def index(self, term: Term) -> int:
        """The number that an index term is."""
        return int(z3.simplify(term).as_signed_long())

    def node(self, term: Expr, args: Sequence[Callable[[], Term]]) -> Term:
        """The operator; ValueError for a quotient unless the drift is 0, its divisor then 1."""
        if term.op != "div":
            return super().node(term, args)
        if self.fixed["drift"] != 0:
            raise ValueError("clocks are exact here: no drift")
        return args[0]()

    def bind(self, action: Action, binding: Sequence[int]) -> dict[Expr, Term]:
        """Parameters of a label, whose one lease length is a full lease; clocks are exact."""
        exact = {"length": self.fixed["full"], "skew": 0}
        return {
            p: self.whole(v) if p.sort.indexes else self.time(exact[str(p.args[0])])
            for p, v in zip(action.given, binding, strict=True)
        }


def sizes_of(hosts: int, addresses: int, messages: int) -> dict[Sort, int]:
    """Sizes by index sort."""
    return dict(zip(INDEX_SORTS, (hosts, addresses, messages), strict=True))


class SymbolicRun:
    """A run whose rows are given and whose numbers are symbols.

    `conditions` are the guards met on the way, in order, each with the row it belongs to; `states`
    are those before, between and after its `rows`.
    """

    def __init__(self, table: Table, sizes: Sizes, fixed: Mapping[str, object]):
        self.table, self.sizes, self.fixed = table, sizes, fixed
        self.here = Unrolled(sizes, fixed, {})
        self.start = self.here.initial(table)
        self.here = Unrolled(sizes, fixed, self.start)
        self.states = [self.start]
        self.conditions: list[tuple[str, Term]] = []
        self.rows: list[tuple[Action, dict[Expr, Term]]] = []

    def take(self, name: str, **given: object) -> None:
        """Apply a row; parameters by name, as numbers or as terms (there `h` is the first host)."""
        action = self.table.action(name)
        bound: dict[Expr, Term] = {}
        for p in action.given:
            value = given[str(p.args[0])]
            if isinstance(value, Expr):
                value = self.here.read(value, {h: self.here.whole(0)})
            elif p.sort.indexes:
                value = self.here.whole(int(str(value)))
            elif not z3.is_expr(value):
                value = self.here.time(value)
            bound[p] = value
        self.conditions += [(name, guard) for guard in self.here.guards(action, bound)]
        changed = {slot: z3.simplify(v) for slot, v in self.here.changes(action, bound).items()}
        self.here = Unrolled(self.sizes, self.fixed, {**self.here.values, **changed})
        self.states.append(self.here.values)
        self.rows.append((action, bound))
