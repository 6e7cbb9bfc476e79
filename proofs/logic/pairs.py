"""What two items of a state can be at the same time, whatever the clocks show.

Theory of operation.  A solver that unrolls the table has to find out again at each depth what each
state has in common: a client in INIT asks for no address, a free slot is for nobody.  Here that is
found once, before, and said to it: where one item has a value, another has one of these.

Times are left out: an instant is anything, and a comparison of times true or false.  So the facts
hold in ticks and in seconds alike.  For each item and each value of it, `Pairs` keeps which values
every other item may have besides.  From the initial state on, each row widens these sets, until no
row widens one.  A row is taken from the states in which one item has one value; what its guards say
of another item narrows them, and what is kept for that other item's value narrows them again.

Nothing is lost.  A state of a run is in each of the sets that belong to its own items.  So a row
that happens in it is found possible in each of them, and the state after it is in the sets of its
items.  That this program follows its own description is not taken for granted: whoever uses the
facts has a solver prove that every row keeps them (`check_kept`).

What it does not know: three items at a time, and anything about instants and durations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from holdover.model.readings.finite import NONE, Instance
from holdover.model.readings.ground import Ground, Grounded, conjuncts, ground_row
from holdover.model.table.expr import BOOL, DURATION, INSTANT, RATIO, Expr, Sort, Variable

TIMES = (INSTANT, DURATION, RATIO)
ANY = Ground("any", ())
"""A time, or a comparison of times."""
EITHER = frozenset((True, False))

Values = frozenset[int]
Masks = tuple[int, ...]
"""By item the values that it may have, each a bit: its place in `Pairs.domains`."""


@dataclass(frozen=True)
class Together:
    """Where item `key` is `value`, item `slot` is one of `among`; items by their place."""

    key: int
    value: int
    slot: int
    among: tuple[int, ...]


class Untimed(Grounded):
    """Terms of the table in which everything about times is open."""

    def leaf(self, term: Expr) -> Ground:
        """A literal."""
        return ANY if term.sort in TIMES else super().leaf(term)

    def constant(self, name: str, sort: Sort, at: Sequence[Ground]) -> Ground:
        """The value of a constant that is no time."""
        return ANY if sort in TIMES else super().constant(name, sort, at)

    def state(self, variable: Variable, at: Sequence[Ground]) -> Ground:
        """An item of the state that is no time."""
        return ANY if variable.sort in TIMES else super().state(variable, at)

    def node(self, term: Expr, args: Sequence[Callable[[], Ground]]) -> Ground:
        """An operator."""
        if term.sort in TIMES or (not term.sort.indexes and compares_times(term)):
            return ANY
        return super().node(term, args)


def compares_times(term: Expr) -> bool:
    """Whether it is a comparison of two times."""
    return term.op in ("eq", "lt", "le") and term.operands[0].sort in TIMES


def values(term: Ground, here: Mapping[int, frozenset[int]]) -> frozenset[int]:
    """The values that a term may have where items may have these."""
    op, args = term.op, term.args
    if op == "value":
        return frozenset(args)
    if op == "place":
        return here[args[0]]
    if op == "any":
        return EITHER
    if op == "not":
        return frozenset(not each for each in values(args[0], here))
    if op == "ite":
        chosen = (values(args[1 if each else 2], here) for each in values(args[0], here))
        return frozenset[int]().union(*chosen)
    parts = [values(arg, here) for arg in args]
    if op == "eq":
        return frozenset(x == y for x in parts[0] for y in parts[1])
    decides = op == "or"
    if frozenset((decides,)) in parts:
        return frozenset((decides,))
    return EITHER if any(decides in part for part in parts) else frozenset((not decides,))


@dataclass(frozen=True)
class UntimedRow:
    """A row for one binding, without times.

    `asks` has by item the values that guards allow, `joint` the guards that read several items.
    `fixed` has by item the one value that the row sets, `sets` what else it sets.
    """

    asks: Mapping[int, int]
    joint: tuple[Ground, ...]
    fixed: Mapping[int, int]
    sets: Mapping[int, Ground]


class Pairs:
    """What any two items of an instance that are no times may be together.

    `values` has what each may be, by its place; `possible` the numbers of the labels that can
    happen at all.
    """

    def __init__(self, instance: Instance):
        self.instance = instance
        self.domains = [domain_of(instance, variable) for variable, _ in instance.slots]
        self.slots = [slot for slot, domain in enumerate(self.domains) if domain]
        self.possible = set[int]()
        self._narrowed = cache(self._may_be)
        self._rows = dict(self._untimed_rows())
        self._found: dict[tuple[int, int], Masks] = {}
        self._close()
        self.values: dict[int, Values] = {
            slot: frozenset(
                v for v in self.domains[slot] if (slot, self._bit(slot, v)) in self._found
            )
            for slot in self.slots
        }

    def facts(self) -> Iterator[Together]:
        """All that is said of two items and not of one of them alone."""
        for (key, bit), masks in self._found.items():
            for slot in self.slots:
                among = self._members(slot, masks[slot])
                if slot != key and among != self.values[slot]:
                    (value,) = self._members(key, bit)
                    yield Together(key, value, slot, tuple(sorted(among)))

    # Values --------------------------------------------------------------------------------------

    def _bit(self, slot: int, value: int) -> int:
        return 1 << self.domains[slot].index(value)

    def _members(self, slot: int, mask: int) -> frozenset[int]:
        return frozenset(v for i, v in enumerate(self.domains[slot]) if mask >> i & 1)

    def _may_be(self, term: Ground, masks: Masks) -> frozenset[int]:
        """The values of a term, where the items that it reads may have these, in their order."""
        places = sorted(term.places)
        here = zip(places, masks, strict=True)
        return values(term, {slot: self._members(slot, mask) for slot, mask in here})

    def _read(self, term: Ground, masks: Sequence[int]) -> frozenset[int]:
        return self._narrowed(term, tuple(masks[place] for place in sorted(term.places)))

    # Rows ----------------------------------------------------------------------------------------

    def _untimed_rows(self) -> Iterator[tuple[int, UntimedRow]]:
        """The rows that set anything but times, by their labels' numbers; the others may happen."""
        reading = Untimed(self.instance.place, self.instance.constants, self.instance.bounds)
        for number, label in enumerate(self.instance.labels):
            if all(effect.variable.sort in TIMES for effect in label.action.then):
                self.possible.add(number)
                continue
            read = ground_row(self.instance, reading, label)
            asks: dict[int, int] = {}
            joint = []
            for guard in conjuncts(read.guard):
                if len(guard.places) != 1:
                    joint.append(guard)
                    continue
                (slot,) = guard.places
                bits = (1 << i for i in range(len(self.domains[slot])))
                mask = sum(bit for bit in bits if True in self._narrowed(guard, (bit,)))
                asks[slot] = asks.get(slot, mask) & mask
            sets = {slot: term for slot, term in read.after.items() if self.domains[slot]}
            fixed = {slot: self._bit(slot, t.args[0]) for slot, t in sets.items() if t.known}
            sets = {slot: term for slot, term in sets.items() if slot not in fixed}
            yield number, UntimedRow(asks, tuple(joint), fixed, sets)

    def _before(self, row: UntimedRow, masks: Sequence[int], key: int) -> list[int] | None:
        """Where of these states the row may happen; None: nowhere."""
        for slot, mask in row.asks.items():
            if not masks[slot] & mask:
                return None
        here = list(masks)
        for slot, mask in row.asks.items():
            here[slot] &= mask
        for slot in row.asks:
            mask = here[slot]
            if slot != key and not mask & (mask - 1):
                kept = self._found.get((slot, mask))
                if kept is None:
                    return None
                for other in self.slots:
                    here[other] &= kept[other]
                    if not here[other]:
                        return None
        return here if all(True in self._read(guard, here) for guard in row.joint) else None

    def _close(self) -> None:
        """Widen what is kept until no row widens it."""
        first = [0] * len(self.domains)
        for slot in self.slots:
            first[slot] = self._bit(slot, int(self.instance.initial[slot] or 0))
        self._found = {(slot, first[slot]): tuple(first) for slot in self.slots}
        before: dict[tuple[int, int], Masks] = {}
        while before != self._found:
            before = dict(self._found)
            for key, bit in before:
                for number, row in self._rows.items():
                    self._take(number, row, key, bit)

    def _take(self, number: int, row: UntimedRow, key: int, bit: int) -> None:
        """What a row makes of the states in which item `key` has this value."""
        here = self._before(row, self._found[key, bit], key)
        if here is None:
            return
        self.possible.add(number)
        for slot, new in [(slot, self._read(term, here)) for slot, term in row.sets.items()]:
            here[slot] = sum(self._bit(slot, value) for value in new)
        for slot, mask in row.fixed.items():
            here[slot] = mask
        reached = here[key]
        while reached:
            low = reached & -reached
            reached ^= low
            here[key] = low
            kept = self._found.get((key, low), (0,) * len(here))
            self._found[key, low] = tuple(map(int.__or__, kept, here))


def domain_of(instance: Instance, variable: Variable) -> tuple[int, ...]:
    """All values of a variable's sort as the finite reading has them; none for times."""
    sort = variable.sort
    if sort in TIMES:
        return ()
    if sort is BOOL:
        return (0, 1)
    if sort.values:
        return tuple(range(len(sort.values)))
    return tuple(range(NONE, instance.bounds.size(sort)))
