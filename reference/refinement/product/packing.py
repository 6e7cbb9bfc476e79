"""Nodes as integers: the numbers of their parts' values, side by side.

Theory of operation.  Every value that a part of a world's nodes has is numbered, and a node is the
numbers of its parts, packed.  `node` is the way back, with no more than some of the parts: in the
place of all others stand objects that can be moved and not read.

What it does not know: more values of a part than the integer has room for; it says so then.
"""

from __future__ import annotations

from itertools import accumulate, chain, pairwise, permutations
from typing import Any

import numpy as np

from holdover.reference.refinement.product.kernel import Numbers
from holdover.reference.refinement.world import Node, Value, World, picker

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


Flat = tuple[Any, ...]
"""What a part of a node, or a whole one, has of state, locals and taken, one after the other."""


def _flat(members: Value | Node) -> Flat:
    return (*members[0], *members[1], *members[2])


class Packing:
    """The nodes of a world as integers.  `orders`: in which its hosts may stand."""

    def __init__(self, world: World):
        self.world, parts = world, world.parts
        left = ROOM - sum(BITS.get(part.kind, 0) for part in parts)
        bits = {**BITS, "client": min(MOST_BITS, left // len(world.hosts))}
        self.shifts = [sum(bits[p.kind] for p in parts[:n]) for n in range(len(parts))]
        self.lows = [(1 << bits[part.kind]) - 1 for part in parts]
        self._kinds = [part.kind for part in parts]
        self._bits: dict[int, int] = {}
        self._values: dict[str, list[Flat]] = {kind: [] for kind in bits}
        self._numbers: dict[str, dict[Flat, int]] = {kind: {} for kind in bits}
        self._older: dict[str, dict[int, int]] = {kind: {} for kind in bits}
        hosts = range(len(world.hosts))
        self.orders = [tuple(hosts)] if world.named else [*permutations(hosts)]
        self._hidden: list[Flat] = [
            tuple(_Hidden(n) for _ in chain(*part.members)) for n, part in enumerate(parts)
        ]
        self._first = _flat(world.first())
        ends = [*accumulate(map(len, world.first()), initial=0)]
        at = [
            [
                begin + place
                for begin, places in zip(ends, part.members, strict=False)
                for place in places
            ]
            for part in parts
        ]
        self._of_part = [picker(tuple(places)) for places in at]
        whence = {place: n for n, place in enumerate(chain(*at))}
        self._members = [
            picker(tuple(whence.get(place, len(whence) + place) for place in range(*span)))
            for span in pairwise(ends)
        ]

    def first(self) -> int:
        """The node where every run begins."""
        return sum(
            self._number(n, value(self._first)) << self.shifts[n]
            for n, value in enumerate(self._of_part)
        )

    def _number(self, part: int, value: Flat) -> int:
        """The number of a value; OverflowError where there are too many of its kind."""
        kind = self._kinds[part]
        numbers = self._numbers[kind]
        number = numbers.setdefault(value, len(numbers))
        if number == len(self._values[kind]):
            self._values[kind].append(value)
        if number > self.lows[part]:
            raise OverflowError(f"more than {number} values of a {kind}: no room for them")
        return number

    def node(self, packed: int, mask: int) -> Node:
        """A node of which the parts in the mask are shown."""
        values: list[Any] = []
        for n, kind in enumerate(self._kinds):
            if mask >> n & 1:
                values += self._values[kind][packed >> self.shifts[n] & self.lows[n]]
            else:
                values += self._hidden[n]
        whole = (*values, *self._first)  # the latter for what is in no part
        state, locals_, taken = self._members
        return state(whole), locals_(whole), taken(whole)

    def pack(self, then: Node, mask: int) -> int:
        """The parts in the mask of a node; HiddenError if another part has changed."""
        packed, whole = 0, _flat(then)
        for n, of_part in enumerate(self._of_part):
            value = of_part(whole)
            if mask >> n & 1:
                packed |= self._number(n, value) << self.shifts[n]
            elif value != self._hidden[n]:  # other values are compared, which raises by itself
                raise HiddenError(n)
        return packed

    def bits(self, mask: int) -> int:
        """All bits of the parts in a mask."""
        if mask not in self._bits:
            fields = zip(self.lows, self.shifts, strict=True)
            self._bits[mask] = sum(low << at for n, (low, at) in enumerate(fields) if mask >> n & 1)
        return self._bits[mask]

    def a_tick_later(self, key: int, n: int) -> int:
        """The bits of one part a tick later."""
        known, number = self._older[self._kinds[n]], key >> self.shifts[n] & self.lows[n]
        if number not in known:
            known[number] = self._number(n, _flat(self.world.older(n, self._value(n, number))))
        return known[number] << self.shifts[n]

    def renamed(self, key: int, n: int, order: tuple[int, ...]) -> int:
        """The bits of one part when the hosts stand in another order."""
        value = self._value(n, key >> self.shifts[n] & self.lows[n])
        return self._number(n, _flat(self.world.renamed(n, value, order))) << self.shifts[n]

    def _value(self, part: int, number: int) -> Value:
        """What a part has of each member of a node."""
        flat, (places, locals_, _) = (
            self._values[self._kinds[part]][number],
            self.world.parts[part].members,
        )
        most = len(places) + len(locals_)
        return flat[: len(places)], flat[len(places) : most], flat[most:]

    def ranks(self) -> tuple[Numbers, Numbers]:
        """The ranks of what may be in a slot, and its numbers by rank.

        Of two that say the same, the one that was sent first is first.
        """
        values = self._values["slot"]
        ranked = np.array(sorted(range(len(values)), key=values.__getitem__), dtype=np.int64)
        return np.argsort(ranked), ranked
