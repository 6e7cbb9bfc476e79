"""The symbolic reading: a finite instance as bit-vectors, for searches by a solver.

Theory of operation.  What the explorer enumerates, a solver reasons about: the same table, the same
constants and bounds.  `Grounded` unrolls quantifiers and folds constants; what is left of each row
and binding is a tree over the items of the finite state, and becomes a z3 term.  An item is a Bool
or a bit-vector just wide enough for its `Range`: enumerations are indices, references are indices
or -1 (none), instants are whole ticks relative to `now`, and one code more stands for unset.  Where
time passes, instants are shifted and clipped at -past, as in the finite reading.

Nothing overflows and nothing is rounded.  How far instants and durations reach is the closure of
the rows' effects in interval arithmetic, which bounds every state within reach; a sum is as wide as
its operands need; fractions are numerators over a common denominator.

A step is a choice of a row, by the number of its label.  `check_depth` unrolls the relation step by
step and asks after each whether the property can be broken there, so the first *sat* is a shortest
run (Biere et al., TACAS 1999), or it is led to one by a proved bound (`steps_left.py`); that run is
then taken again in the finite reading.

What it does not know: instants that only guards keep from being pushed ever further (a wall clock
set back once in each lease) are refused (`UnlimitedError`).  A term that compares an unset instant
has some value here, where the finite reading raises; if that is in a run found, taking it again
raises.  Checks end at their time limit; Ctrl-C ends the program, see `holdover.reference.signals`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor

import z3

from holdover.model.readings.finite import NONE, Instance, State, Value
from holdover.model.readings.ground import UNSET, Ground, Grounded, GroundRow, ground_row, value
from holdover.model.table.expr import BOOL, DURATION, INSTANT, Expr, Variable
from holdover.model.table.properties import Property
from holdover.proofs.logic.intervals import (
    Interval,
    Number,
    Range,
    Term,
    UnlimitedError,
    alike,
    extent,
    hull,
    signed_width,
    widen,
)

ROUNDS = 64
"""How often every row is applied to intervals that still grow."""


class Symbolic:
    """An instance as terms over an unknown state `before`, a row `row`, and the state `after`.

    `relation` holds where the row leads from the one to the other; `guards` and `changes` have for
    each row its guard and what it makes of the items that it sets, over `before`; `start` is the
    initial state.  UnlimitedError, if an instant has no bound.
    """

    def __init__(self, instance: Instance):
        self.instance, self.past = instance, instance.bounds.past
        self.reading = Grounded(instance.place, instance.constants, instance.bounds)
        self.rows = [ground_row(instance, self.reading, label) for label in instance.labels]
        self.ranges = self._ranges()
        self.before, self.row, self.after = self.state("s"), self.choice("row"), self.state("t")
        self.start = [self.code(slot, item) for slot, item in enumerate(instance.initial)]
        self.guards = [z3.simplify(self.truth(row.guard)) for row in self.rows]
        self.changes = [
            {slot: z3.simplify(self._change(slot, term, row)) for slot, term in row.after.items()}
            for row in self.rows
        ]
        self.relation = z3.And(list(self._relation()))

    # The table -----------------------------------------------------------------------------------

    def _ranges(self) -> list[Range]:
        """Each item's range: by its sort, and for times the closure over all rows."""
        slots = self.instance.slots
        found: dict[Variable, Interval] = {}
        for (variable, _), item in zip(slots, self.instance.initial, strict=True):
            first = None if item is None else (Fraction(item), Fraction(item))
            found[variable] = hull(found.get(variable), first)
        for _ in range(ROUNDS):
            before = dict(found)
            places = [before[variable] for variable, _ in slots]
            for row in self.rows:
                for slot, term in row.after.items():
                    variable = slots[slot][0]
                    if variable.sort in (INSTANT, DURATION):
                        new = extent(term, places)
                        if new and row.passed and variable.sort is INSTANT:
                            low, high = (max(x - row.passed, Fraction(-self.past)) for x in new)
                            new = low, high
                        found[variable] = hull(found[variable], new)
            if found == before:
                return [self._range(variable, found[variable]) for variable, _ in slots]
        growing = ", ".join(v.name for v in found if found[v] != before[v])
        raise UnlimitedError(f"no bound on {growing} after {ROUNDS} rounds of every row")

    def _range(self, variable: Variable, found: Interval) -> Range:
        if variable.sort.values:
            return Range(0, len(variable.sort.values) - 1)
        if variable.sort.indexes:
            return Range(NONE, self.instance.bounds.size(variable.sort) - 1)
        low, high = found or (0, 0)
        return Range(floor(low), ceil(high), optional=variable.sort is not BOOL)

    # States --------------------------------------------------------------------------------------

    def state(self, name: str) -> list[Term]:
        """A symbolic state: an unknown for each item."""
        return [
            z3.Bool(f"{name}_{i}") if v.sort is BOOL else z3.BitVec(f"{name}_{i}", r.width)
            for i, ((v, _), r) in enumerate(zip(self.instance.slots, self.ranges, strict=True))
        ]

    def choice(self, name: str) -> Term:
        """An unknown row, as the number of its label."""
        return z3.BitVec(name, max(1, (len(self.rows) - 1).bit_length()))

    def code(self, slot: int, item: Value) -> Term:
        """An item of a finite state as a literal; ValueError if it is out of range."""
        variable, r = self.instance.slots[slot][0], self.ranges[slot]
        if variable.sort is BOOL:
            return z3.BoolVal(bool(item))
        if not (r.optional if item is None else r.low <= item <= r.high):
            raise ValueError(f"{variable.name} = {item} is not in {r}")
        return z3.BitVecVal(r.unset if item is None else int(item), r.width)

    @property
    def coded(self) -> Term:
        """That each item of `before` is the code of something; some codes are of nothing."""
        parts = []
        for item, r in zip(self.before, self.ranges, strict=True):
            if not z3.is_bool(item):
                codes = [r.low, r.high, *([r.unset] if r.optional else [])]
                low, high = min(codes), max(codes)
                at_most = item <= high if low < 0 else z3.ULE(item, high)
                parts += [at_most, item >= low if low < 0 else z3.UGE(item, low)]
        return z3.And(parts)

    def decoded(self, items: Sequence[Term]) -> State:
        """The finite state that literals stand for."""

        def item(slot: int, literal: Term) -> Value:
            r = self.ranges[slot]
            if self.instance.slots[slot][0].sort is BOOL:
                return bool(z3.is_true(literal))
            number = int(literal.as_signed_long() if r.low < 0 else literal.as_long())
            return None if r.optional and number == r.unset else number

        return tuple(item(slot, literal) for slot, literal in enumerate(items))

    # Terms ---------------------------------------------------------------------------------------

    def _item(self, number: int) -> tuple[Term, Range, Variable]:
        state, slot = (self.before, number) if number >= 0 else (self.after, ~number)
        return state[slot], self.ranges[slot], self.instance.slots[slot][0]

    def _is_truth(self, term: Ground) -> bool:
        if term.op == "place":
            return self._item(term.args[0])[2].sort is BOOL
        if term.op == "ite":
            return self._is_truth(term.args[1])
        return term.op in ("and", "or", "not", "eq", "lt", "le") or isinstance(term.args[0], bool)

    def truth(self, term: Ground) -> Term:
        """A truth value, over `before` and, where it reads places `~p`, over `after`."""
        op, args = term.op, term.args
        if op == "value":
            return z3.BoolVal(bool(args[0]))
        if op == "place":
            return self._item(args[0])[0]
        if op in ("and", "or", "not", "ite") or self._is_truth(args[0]):
            parts = [self.truth(arg) for arg in args]
            if op in ("and", "or"):
                return z3.And(parts) if op == "and" else z3.Or(parts)
            return {"not": z3.Not, "ite": z3.If, "eq": lambda x, y: x == y}[op](*parts)
        left, right = alike([self.number(arg) for arg in args])
        if op == "eq":
            same = z3.Or(left.unset, left.bits == right.bits)
            return z3.And(left.unset == right.unset, same)
        return left.bits < right.bits if op == "lt" else left.bits <= right.bits

    def number(self, term: Ground) -> Number:
        """A value of any other sort."""
        op, args = term.op, term.args
        if op == "value":
            known = Fraction(0 if args[0] == UNSET else args[0])
            bits = z3.BitVecVal(known.numerator, signed_width(known.numerator))
            return Number(bits, known.denominator, z3.BoolVal(args[0] == UNSET))
        if op == "place":
            item, r, _ = self._item(args[0])
            unset = item == r.unset if r.optional else z3.BoolVal(False)
            return Number(item if r.low < 0 else z3.ZeroExt(1, item), 1, unset)
        if op in ("mul", "div"):
            ratio = Fraction(args[1].args[0])  # the language knows no other right side
            ratio = 1 / ratio if op == "div" else ratio
            left = self.number(args[0])
            return left.times(ratio.numerator, left.over * ratio.denominator)
        left, right = alike([self.number(arg) for arg in args[-2:]])
        if op == "ite":
            condition = self.truth(args[0])
            bits = z3.If(condition, left.bits, right.bits)
            return Number(bits, left.over, z3.If(condition, left.unset, right.unset))
        x, y = (widen(n.bits, n.bits.size() + 1) for n in (left, right))
        return Number(x + y if op == "add" else x - y, left.over, z3.Or(left.unset, right.unset))

    def amount(self, term: Expr, given: Mapping[Expr, int]) -> Term:
        """A whole number over `before`, in two's complement; TypeError if it is a fraction.

        Where it reads an instant that is not set it has some value.
        """
        members = {name: value(member) for name, member in given.items()}
        number = self.number(self.reading.read(term, members))
        if number.over != 1:
            raise TypeError(f"no whole number: {term}")
        return number.bits

    def at(self, term: Term, before: Sequence[Term], row: Term, after: Sequence[Term]) -> Term:
        """A term of these states and this row."""
        names = [*self.before, self.row, *self.after]
        return z3.substitute(term, *zip(names, [*before, row, *after], strict=True))

    def later(self, term: Term) -> Term:
        """A term over `before`, of `after`."""
        return self.at(term, self.after, self.row, self.after)

    def initially(self, term: Term) -> Term:
        """A term over `before`, of the initial state."""
        return self.at(term, self.start, self.row, self.after)

    # Steps ---------------------------------------------------------------------------------------

    def _change(self, slot: int, term: Ground, row: GroundRow) -> Term:
        """The code that an item has after the row; TypeError if it is no whole number of ticks."""
        variable, r = self.instance.slots[slot][0], self.ranges[slot]
        if variable.sort is BOOL:
            return self.truth(term)
        new = self.number(term)
        if new.over != 1:
            raise TypeError(f"{variable.name} is no whole number of ticks: {term}")
        width = max(new.bits.size(), r.width, signed_width(self.past), signed_width(row.passed))
        bits = widen(new.bits, width + 1)
        if row.passed and variable.sort is INSTANT:
            bits = bits - row.passed
            bits = z3.If(bits < -self.past, z3.BitVecVal(-self.past, width + 1), bits)
        bits = z3.Extract(r.width - 1, 0, bits)  # which loses nothing: ranges are closed
        return z3.If(new.unset, z3.BitVecVal(r.unset, r.width), bits) if r.optional else bits

    def _relation(self) -> Iterator[Term]:
        yield z3.ULE(self.row, len(self.rows) - 1)
        made: list[dict[int, tuple[Term, list[Term]]]] = [{} for _ in self.before]
        for number, (guard, changes) in enumerate(zip(self.guards, self.changes, strict=True)):
            chosen = self.row == number
            yield z3.Implies(chosen, guard)
            for slot, term in changes.items():  # rows that make the same of an item share a case
                made[slot].setdefault(term.get_id(), (term, []))[1].append(chosen)
        for old, new, cases in zip(self.before, self.after, made, strict=True):
            result = old
            for term, chosen_by in cases.values():
                result = z3.If(z3.Or(chosen_by), term, result)
            yield new == result

    def property(self, prop: Property) -> tuple[Term, bool]:
        """A property as a term, and whether it is one of steps."""
        ground = self.reading.read(prop.term, {})
        return self.truth(ground), any(number < 0 for number in ground.places)


# Questions ---------------------------------------------------------------------------------------
