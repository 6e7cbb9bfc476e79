"""A tabulated instance as flat arrays, and what a number of expansions saw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from holdover.model.packed.components import Joint
from holdover.model.packed.tabulated import Tabulated
from holdover.model.readings.ground import Array

PARTITIONS = 16
"""Parts that the states are dealt out to: the most workers that can share a search."""


class Program(NamedTuple):
    """A tabulated instance, flat.

    A state's component `c` is `state >> shift[c] & low[c]`.  `masks[first[c] + value]` has one bit
    for each rule.  Rule `r` has the conditions from `condition_of[r]` to `condition_of[r + 1]`, and
    updates likewise.  Condition `k` has the axes from `condition_axis[k]` on and its table at
    `condition_at[k]`; axis `x` adds `views[view_at[x] + value]` to the place in the table, for the
    value of component `axis[x]`.
    """

    shift: Array
    low: Array
    first: Array
    masks: Array
    form: Array
    condition_of: Array
    condition_axis: Array
    condition_at: Array
    conditions: Array
    update_of: Array
    update_axis: Array
    update_at: Array
    updates: Array
    axis: Array
    view_at: Array
    views: Array


class Tally(NamedTuple):
    """What a number of expansions saw.

    `covered[0]` is how many states they stand for; `fired[r]` how often rule `r` did; `example[r]`
    the least state in which a watch saw something; `largest[r]` the largest value of a measure.
    """

    covered: Array
    fired: Array
    example: Array
    largest: Array


NOTHING = np.iinfo(np.uint64).max
"""The example of a watch that saw nothing."""


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


def program(tabulated: Tabulated) -> Program:
    """The arrays of an instance."""
    components = tabulated.components
    words = (len(tabulated.rules) + 63) // 64
    first = np.cumsum([0, *(len(c.kind) for c in components)])
    masks = np.zeros((first[-1], words), dtype=np.uint64)
    axis: list[int] = []
    view_at: list[int] = []
    views: list[Array] = []
    viewed = 0
    flat: dict[str, tuple[list[int], list[int], list[int], list[Array]]] = {
        "condition": ([0], [0], [0], []),
        "update": ([0], [0], [0], []),
    }

    def store(what: str, joint: Joint, table: Array) -> None:
        nonlocal viewed
        stride = 1
        for one in reversed(joint.axes):
            axis.append(one.component)
            view_at.append(viewed)
            views.append(one.views * stride)
            viewed += len(one.views)
            stride *= one.size
        _, axes, at, tables = flat[what]
        axes.append(len(axis))
        tables.append(table.ravel())
        at.append(at[-1] + table.size)

    for number in range(len(tabulated.rules)):
        word, bit = number // 64, np.uint64(1) << np.uint64(number % 64)
        for component, ids in tabulated.masks_of[number].items():
            masks[first[component] + ids, word] |= bit
        for joint in tabulated.conditions[number]:
            store("condition", joint, joint.values)
        flat["condition"][0].append(len(flat["condition"][3]))
    # Axes of updates come after all axes of conditions: each list of axes is one run of numbers.
    flat["update"][1][0] = len(axis)
    for number in range(len(tabulated.rules)):
        for component, joint in tabulated.updates[number].items():
            shift = tabulated.shifts[component] if component >= 0 else 0
            store("update", joint, joint.values << shift)
        flat["update"][0].append(len(flat["update"][3]))

    def whole(numbers: list[int]) -> Array:
        return np.array(numbers, dtype=np.int64)

    def together(arrays: list[Array], kind: Any) -> Array:
        return np.concatenate([*arrays, np.zeros(1)]).astype(kind)

    return Program(
        np.array(tabulated.shifts, dtype=np.uint64),
        np.array([(1 << c.kind.bits) - 1 for c in components], dtype=np.uint64),
        whole(list(first)),
        masks,
        np.array([rule.form for rule in tabulated.rules], dtype=np.uint8),
        whole(flat["condition"][0]),
        whole(flat["condition"][1]),
        whole(flat["condition"][2]),
        together(flat["condition"][3], np.uint8),
        whole(flat["update"][0]),
        whole(flat["update"][1]),
        whole(flat["update"][2]),
        np.concatenate([*flat["update"][3], np.zeros(1, dtype=np.int64)]).astype(np.uint64),
        whole(axis),
        whole(view_at),
        together(views, np.int64),
    )
