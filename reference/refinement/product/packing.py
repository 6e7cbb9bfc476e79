"""Nodes as integers: the numbers of their parts' values, side by side.

Theory of operation.  Every value that a part of a world's nodes has is numbered, and a node is the
numbers of its parts, packed.  `node` is the way back, with no more than some of the parts: in the
place of all others stand objects that can be moved and not read.

What it does not know: more values of a part than the integer has room for; it says so then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, permutations
from operator import itemgetter
from typing import Any, cast

import numpy as np

from holdover.reference.refinement.product.kernel import Numbers
from holdover.reference.refinement.world import Node, Value, World

ROOM = 62
"""Bits of a packed node."""

BITS, MOST_BITS = {"process": 4, "server": 14, "slot": 10}, 24
"""And those of a part; the clients share what is left, and have no more than these each."""


class HiddenError(Exception):
    """A value was read that the answer was not to depend on."""

    def __init__(self, part: int):
        super().__init__(part)
        self.part = part


class _Hidden:
    """A value of a part that is not shown."""

    __slots__ = ("part",)

    def __init__(self, part: int):
        self.part = part

    def read(self, *_: object) -> Any:
        """Whatever is asked of it."""
        raise HiddenError(self.part)

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = __bool__ = read
    __add__ = __radd__ = __sub__ = __rsub__ = __neg__ = __index__ = __str__ = __repr__ = read


def _joiner(
    places: Iterable[int], first: tuple[Any, ...]
) -> Callable[[Iterable[Any]], tuple[Any, ...]]:
    """What puts values to these places; elsewhere stands what the first node has."""
    at = {place: n for n, place in enumerate(places)}
    order = [at.get(place, len(at) + place) for place in range(len(first))]
    if len(order) < 2:  # `itemgetter` has no tuple then
        return lambda values: tuple([(*values, *first)[n] for n in order])
    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(*order)
    return lambda values: pick((*values, *first))


class Packing:
    """The nodes of a world as integers.  `orders`: in which its hosts may stand."""

    def __init__(self, world: World):
        self.world, parts = world, world.parts
        left = ROOM - sum(BITS.get(part.kind, 0) for part in parts)
        bits = {**BITS, "client": min(MOST_BITS, left // len(world.hosts))}
        self.shifts = [sum(bits[p.kind] for p in parts[:n]) for n in range(len(parts))]
        self.lows = [(1 << bits[part.kind]) - 1 for part in parts]
        self._bits: dict[int, int] = {}
        self._values: dict[str, list[Value]] = {kind: [] for kind in bits}
        self._numbers: dict[str, dict[Value, int]] = {kind: {} for kind in bits}
        self._older: dict[str, dict[int, int]] = {kind: {} for kind in bits}
        hosts = range(len(world.hosts))
        self.orders = [tuple(hosts)] if world.named else [*permutations(hosts)]
        self._first = world.first()
        self._all_hidden = [
            cast("Value", tuple(tuple(_Hidden(n) for _ in places) for places in part.members))
            for n, part in enumerate(parts)
        ]
        self._join = [
            _joiner(chain(*(part.members[m] for part in parts)), first)
            for m, first in enumerate(self._first)
        ]

    def first(self) -> int:
        """The node where every run begins."""
        return sum(
            self._number(n, part.value(self._first)) << self.shifts[n]
            for n, part in enumerate(self.world.parts)
        )

    def _number(self, part: int, value: Value) -> int:
        """The number of a value; OverflowError where there are too many of its kind."""
        kind = self.world.parts[part].kind
        numbers = self._numbers[kind]
        number = numbers.setdefault(value, len(numbers))
        if number == len(self._values[kind]):
            self._values[kind].append(value)
        if number > self.lows[part]:
            raise OverflowError(f"more than {number} values of a {kind}: no room for them")
        return number

    def node(self, packed: int, mask: int) -> Node:
        """A node of which the parts in the mask are shown."""
        values = [
            self._values[part.kind][packed >> self.shifts[n] & self.lows[n]]
            if mask >> n & 1
            else self._all_hidden[n]
            for n, part in enumerate(self.world.parts)
        ]
        return tuple(  # type: ignore[return-value]
            join(chain.from_iterable(member))
            for join, member in zip(self._join, zip(*values, strict=True), strict=True)
        )

    def pack(self, then: Node, mask: int) -> int:
        """The parts in the mask of a node; HiddenError if another part has changed."""
        packed = 0
        for n, part in enumerate(self.world.parts):
            value = part.value(then)
            if mask >> n & 1:
                packed |= self._number(n, value) << self.shifts[n]
            elif value != self._all_hidden[n]:  # other values are compared, which raises by itself
                raise HiddenError(n)
        return packed

    def bits(self, mask: int) -> int:
        """All bits of the parts in a mask."""
        if mask not in self._bits:
            fields = zip(self.lows, self.shifts, strict=True)
            self._bits[mask] = sum(low << at for n, (low, at) in enumerate(fields) if mask >> n & 1)
        return self._bits[mask]

    def aged(self, key: int, n: int) -> int:
        """The bits of one part a tick later."""
        part = self.world.parts[n]
        known, number = self._older[part.kind], key >> self.shifts[n] & self.lows[n]
        if number not in known:
            known[number] = self._number(n, self.world.older(n, self._values[part.kind][number]))
        return known[number] << self.shifts[n]

    def renamed(self, key: int, n: int, order: tuple[int, ...]) -> int:
        """The bits of one part when the hosts stand in another order."""
        value = self._values[self.world.parts[n].kind][key >> self.shifts[n] & self.lows[n]]
        return self._number(n, self.world.renamed(n, value, order)) << self.shifts[n]

    def ranks(self) -> tuple[Numbers, Numbers]:
        """The ranks of what may be in a slot, and its numbers by rank.

        Of two that say the same, the one that was sent first is first.
        """
        values = self._values["slot"]
        ranked = np.array(sorted(range(len(values)), key=values.__getitem__), dtype=np.int64)
        return np.argsort(ranked), ranked
