"""Nodes as integers: the numbers of their parts' values, side by side.

Theory of operation.  Every value that a part of a world's nodes has is numbered, and a node is the
numbers of its parts, packed.  A layer of a search is an array of these, and what can be done to
each part by itself is done to the whole array.  `node` is the way back, with no more than some of
the parts: in the place of all others stand objects that can be moved and not read.

What it does not know: more values of a part than the integer has room for; it says so then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain, permutations
from operator import itemgetter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from holdover.reference.refinement.world import Node, Value, World

Numbers = NDArray[np.int64]

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
        self._shifts = [sum(bits[p.kind] for p in parts[:n]) for n in range(len(parts))]
        self._lows = [(1 << bits[part.kind]) - 1 for part in parts]
        self._bits: dict[int, int] = {}
        self._values: dict[str, list[Value]] = {kind: [] for kind in bits}
        self._numbers: dict[str, dict[Value, int]] = {kind: {} for kind in bits}
        self._older: dict[str, dict[int, int]] = {kind: {} for kind in bits}
        self._renamed: dict[tuple[str, tuple[int, ...]], dict[int, int]] = {}
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

    # Nodes and their parts -----------------------------------------------------------------------

    def first(self) -> tuple[Numbers, Numbers]:
        """The node where every run begins, alone in its layer, in order (`in_order`)."""
        packed = sum(
            self._number(n, part.value(self._first)) << self._shifts[n]
            for n, part in enumerate(self.world.parts)
        )
        return self.in_order(np.array([packed], dtype=np.int64))

    def _number(self, part: int, value: Value) -> int:
        """The number of a value; OverflowError where there are too many of its kind."""
        kind = self.world.parts[part].kind
        numbers = self._numbers[kind]
        number = numbers.setdefault(value, len(numbers))
        if number == len(self._values[kind]):
            self._values[kind].append(value)
        if number > self._lows[part]:
            raise OverflowError(f"more than {number} values of a {kind}: no room for them")
        return number

    def node(self, packed: int, mask: int) -> Node:
        """A node of which the parts in the mask are shown."""
        values = [
            self._values[part.kind][packed >> self._shifts[n] & self._lows[n]]
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
                packed |= self._number(n, value) << self._shifts[n]
            elif value != self._all_hidden[n]:  # other values are compared, which raises by itself
                raise HiddenError(n)
        return packed

    def bits(self, mask: int) -> int:
        """All bits of the parts in a mask."""
        if mask not in self._bits:
            fields = zip(self._lows, self._shifts, strict=True)
            self._bits[mask] = sum(low << at for n, (low, at) in enumerate(fields) if mask >> n & 1)
        return self._bits[mask]

    def part(self, nodes: Numbers, n: int) -> Numbers:
        """The number that each node has of one part."""
        return nodes >> self._shifts[n] & self._lows[n]

    def older(self, nodes: Numbers) -> Numbers:
        """The nodes a tick later."""
        later = np.zeros(len(nodes), dtype=np.int64)
        for n, part in enumerate(self.world.parts):
            known = self._older[part.kind]
            later |= self._mapped(nodes, n, n, known, self.world.older) << self._shifts[n]
        return later

    def _mapped(
        self,
        nodes: Numbers,
        source: int,
        to: int,
        known: dict[int, int],
        change: Callable[[int, Value], Value],
    ) -> Numbers:
        """The numbers of what a part's values become, which is remembered in `known`."""
        before, where = np.unique(self.part(nodes, source), return_inverse=True)
        after = np.empty(len(before), dtype=np.int64)
        for i, number in enumerate(before.tolist()):
            if number not in known:
                value = self._values[self.world.parts[source].kind][number]
                known[number] = self._number(to, change(to, value))
            after[i] = known[number]
        return after[where]

    # Order ---------------------------------------------------------------------------------------

    def in_order(self, nodes: Numbers) -> tuple[Numbers, Numbers]:
        """One node for all that are the same but for the names of hosts and slots: the least.

        And by which of `orders` the hosts were put to their places.  Neither a row, a core nor a
        property could ask for the name of a slot, or of a host, where hosts have none.
        """
        best, by = self._slots_in_order(nodes), np.zeros(len(nodes), dtype=np.int64)
        for number, order in enumerate(self.orders[1:], 1):
            other = self._slots_in_order(self._reordered(nodes, order))
            less = other < best
            best[less], by[less] = other[less], number
        return best, by

    def _slots_in_order(self, nodes: Numbers) -> Numbers:
        """By their content: of two that say the same, the one that was sent first is first."""
        slots = [*self.world.slot.values()]
        if len(slots) == 1:
            return nodes.copy()
        values = self._values["slot"]
        ranked = np.array(sorted(range(len(values)), key=values.__getitem__))
        rank = np.argsort(ranked)
        ranks = np.sort(np.stack([rank[self.part(nodes, n)] for n in slots]), axis=0)
        after = nodes & ~self.bits(sum(1 << n for n in slots))
        for n, of_slot in zip(slots, ranks, strict=True):
            after |= ranked[of_slot] << self._shifts[n]
        return after

    def _reordered(self, nodes: Numbers, order: tuple[int, ...]) -> Numbers:
        """The nodes with the hosts in that order; what names a host names its new place."""
        after = np.zeros(len(nodes), dtype=np.int64)
        rename = partial(self.world.renamed, order=order)
        at = {(part.kind, part.host): n for n, part in enumerate(self.world.parts)}
        for n, part in enumerate(self.world.parts):
            if part.host is not None:
                numbers = self.part(nodes, at[part.kind, order[part.host]])
            else:
                known = self._renamed.setdefault((part.kind, order), {})
                numbers = self._mapped(nodes, n, n, known, rename)
            after |= numbers << self._shifts[n]
        return after
