"""What a tabulated instance is made of: components of the state, rules, and joint tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from holdover.model.readings.ground import MISREAD, UNSET, Array, Ground, compound, value
from holdover.model.table.expr import Sort, Variable

WORD = 63
"""Bits of a state: a word less one bit, so that no state is the mark of a free place."""


LARGEST = 1 << 22
"""Entries of one table at most."""


STEP, WATCH, MEASURE, BESIDE = 0, 1, 2, 3
"""The forms of a rule: a row of the instance, what is watched or measured, a row of another."""


class TooManyValuesError(ValueError):
    """The instance has no tables within the bounds of this reading; the message says why."""


class ValueDomain:
    """The values that the components of one sort take, numbered."""

    def __init__(self, sort: Sort | None, variables: Sequence[Variable], initial: Sequence[int]):
        self.sort, self.variables = sort, tuple(variables)
        self.matrix: Array = np.array([initial], dtype=np.int64)
        self.numbers: dict[bytes, int] = {self.matrix[0].tobytes(): 0}

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def bits(self) -> int:
        """How many bits number a value."""
        return max(1, (len(self) - 1).bit_length())

    def add(self, rows: Array) -> bool:
        """Number the values that are new; whether there were any."""
        fresh = [row for row in dict.fromkeys(as_keys(rows)) if row not in self.numbers]
        for row in fresh:
            self.numbers[row] = len(self.numbers)
        if fresh:
            more = np.frombuffer(b"".join(fresh), dtype=np.int64)
            self.matrix = np.concatenate([self.matrix, more.reshape(len(fresh), -1)])
        return bool(fresh)

    def lookup(self, rows: Array) -> Array:
        """The numbers of these values; KeyError where one is not known."""
        return np.array([self.numbers[row] for row in as_keys(rows)], dtype=np.int64)


def as_keys(rows: Array) -> list[bytes]:
    """Each row of a matrix of words, to be looked up."""
    data, width = rows.astype(np.int64, copy=False).tobytes(), 8 * rows.shape[1]
    return [data[at : at + width] for at in range(0, len(data), width)]


@dataclass(frozen=True)
class Component:
    """A part of the state: its kind, which member, its items, where it lies in the word."""

    number: int
    kind: ValueDomain
    member: int
    slots: tuple[int, ...]


@dataclass(frozen=True)
class PackedRule:
    """A row with its binding, or a property: guards, and the items that change."""

    form: int
    name: str
    label: int
    guards: tuple[Ground, ...]
    after: Mapping[int, Ground]
    measured: Ground | None = None


@dataclass(frozen=True)
class Axis:
    """A component as a condition or an update sees it: a view for each of its values."""

    component: int
    views: Array
    size: int


@dataclass(frozen=True)
class Joint:
    """A table over the views of some components; `values` has one dimension for each axis."""

    axes: tuple[Axis, ...]
    values: Array


def read(values: Array, rule: PackedRule) -> Array:
    """The values; TypeError where the rule reads an instant that is not set."""
    if (values == MISREAD).any():
        raise TypeError(f"{rule.name}: an instant that is not set is compared or moved")
    return values


def shift_instant(term: Ground, passed: int, past: int) -> Ground:
    """An instant after `passed` ticks; one that lies more than `past` back stays there."""
    if term == value(UNSET):
        return term
    moved = compound("sub", (term, value(passed)))
    clipped = compound("ite", (compound("lt", (moved, value(-past))), value(-past), moved))
    return compound("ite", (compound("eq", (term, value(UNSET))), value(UNSET), clipped))
