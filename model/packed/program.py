"""A tabulated instance as flat arrays, and what a number of expansions saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from holdover.model.packed.components import BESIDE, STEP, Joint
from holdover.model.packed.tabulated import Tabulated
from holdover.model.readings.ground import Array

PARTITIONS = 16
"""Parts that the states are dealt out to: the most workers that can share a search."""


NOTHING = np.iinfo(np.uint64).max
"""The example of a watch that saw nothing."""

SHIFT, LOW, FIRST = range(3)
"""Columns of `Program.parts`."""

GROUP = 8
"""Parts of a state are filled up to a multiple of this, with parts of no bits."""

STEPS, CONDITIONAL = range(2)
"""Rows of `Program.kinds`."""

OWN = 2
"""Updates of a rule that stand in its record."""

CONDITIONS, JOINTS, END = 2 * OWN, 2 * OWN + 1, 2 * OWN + 2
"""Columns of `Program.rules` after the places and components of a rule's own updates."""

AT, AXES, AXES_END = range(3)
"""Columns of `Program.joints`."""


class Program(NamedTuple):
    """A tabulated instance, flat; every number of it is a word.

    The value of component `c` is `state >> parts[c, SHIFT] & parts[c, LOW]`.  From
    `masks[parts[c, FIRST] + value * words]` on it has one bit for each rule, in `words` words;
    `kinds` has bits for rules likewise: a row for each form, and one for those with conditions.

    A row of `rules` has OWN pairs of a place and a component, then numbers of `joints`: where
    conditions begin, where updates by several components begin, and where they end.  An update of
    its own is `numbers[place + value]`.  A joint is `numbers[at + ...]`, where each of its axes, a
    row of a component and a place, adds `views[place + value]`.
    """

    parts: Array
    masks: Array
    kinds: Array
    rules: Array
    joints: Array
    axes: Array
    numbers: Array


class Tally(NamedTuple):
    """What a number of expansions saw.

    `covered[0]` is how many states they stand for; `fired[r]` how often rule `r` did; `example[r]`
    the least state in which a watch saw something; `largest[r]` the largest value of a measure.
    """

    covered: Array
    fired: Array
    example: Array
    largest: Array


LEAST_VALUE = np.iinfo(np.int64).min
"""The largest value of a measure that measured nothing."""


def empty_tally(rules: int) -> Tally:
    """What is seen before the first expansion."""
    return Tally(
        np.zeros(1, dtype=np.int64),
        np.zeros(rules, dtype=np.int64),
        np.full(rules, NOTHING, dtype=np.uint64),
        np.full(rules, LEAST_VALUE, dtype=np.int64),
    )


def add_up(tallies: Iterable[Tally]) -> Tally:
    """What several saw together."""
    covered, fired, example, largest = zip(*tallies, strict=True)
    return Tally(
        np.sum(covered, axis=0),
        np.sum(fired, axis=0),
        np.min(example, axis=0),
        np.max(largest, axis=0),
    )


class Numbers:
    """Arrays one behind the other; one that is there already is not put there again."""

    def __init__(self) -> None:
        self.arrays: list[Array] = []
        self.places: dict[bytes, int] = {}
        self.count = 0

    def put(self, numbers: Array) -> int:
        """Where these numbers are."""
        words = np.ascontiguousarray(numbers, dtype=np.int64).view(np.uint64).ravel()
        if words.tobytes() not in self.places:
            self.places[words.tobytes()] = self.count
            self.arrays.append(words)
            self.count += len(words)
        return self.places[words.tobytes()]

    def whole(self) -> Array:
        """All of them."""
        return np.concatenate(self.arrays)


def program(tabulated: Tabulated) -> Program:
    """The arrays of an instance."""
    components = tabulated.components
    words = (len(tabulated.rules) + 63) // 64
    first = np.cumsum([0, *(len(c.kind) for c in components)])
    masks = np.zeros((first[-1] + 1, words), dtype=np.uint64)
    masks[-1] = NOTHING
    kinds = np.zeros((2, words), dtype=np.uint64)
    numbers = Numbers()
    nothing = numbers.put(np.zeros(max(len(c.kind) for c in components)))
    axes: list[tuple[int, int]] = []
    joints: list[tuple[int, int, int]] = []
    rules: list[list[int]] = []

    def store(joint: Joint, table: Array) -> None:
        begin, stride = len(axes), 1
        for one in reversed(joint.axes):
            axes.append((one.component, numbers.put(one.views * stride)))
            stride *= one.size
        joints.append((numbers.put(table), begin, len(axes)))

    for number, rule in enumerate(tabulated.rules):
        word, bit = number // 64, np.uint64(1) << np.uint64(number % 64)
        if rule.form in (STEP, BESIDE):
            kinds[STEPS, word] |= bit
        for component, ids in tabulated.masks_of[number].items():
            masks[first[component] + ids, word] |= bit
        conditions = len(joints)
        for joint in tabulated.conditions[number]:
            kinds[CONDITIONAL, word] |= bit
            store(joint, joint.values)
        updates = len(joints)
        own: list[int] = []
        for component, joint in tabulated.updates[number].items():
            table = joint.values << (tabulated.shifts[component] if component >= 0 else 0)
            if len(joint.axes) == 1 and len(own) < 2 * OWN:
                (axis,) = joint.axes
                own += [numbers.put(table[axis.views]), axis.component]
            else:
                store(joint, table)
        own += [nothing, 0] * (OWN - len(own) // 2)
        rules.append([*own, conditions, updates, len(joints)])

    def together(rows: Sequence[Sequence[int]], columns: int) -> Array:
        return np.array(rows, dtype=np.uint64).reshape(-1, columns)

    low = [(1 << c.kind.bits) - 1 for c in components]
    parts = list(zip(tabulated.shifts, low, first[:-1] * words, strict=True))
    parts += [(0, 0, first[-1] * words)] * (-len(parts) % GROUP)
    return Program(
        together(parts, 3),
        masks.ravel(),
        kinds,
        together(rules, END + 1),
        together(joints, 3),
        together(axes, 2),
        numbers.whole(),
    )
