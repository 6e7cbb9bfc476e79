"""The tables of an instance, made or found where they were kept.

Theory of operation.  To make them takes longer than to search most of the instances that the proofs
compare.  They hang on the sources and on what the instance fixes, as compiled code does, and are
kept with it (`model/readings/kept.py`).  What a search needs of them is the arrays of the kernel,
the values by which words become states, and the rules' names; the rest is not kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from holdover.model.packed.program import Program, program
from holdover.model.packed.tabulated import KnownTables, Tabulated
from holdover.model.readings.finite import Instance
from holdover.model.readings.ground import Array
from holdover.model.readings.kept import find_or_make
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS, Property

Packed = tuple[str, tuple[int, ...], bytes]
"""An array as it is kept: its type, its shape and what it has."""


def pack(array: Array) -> Packed:
    """An array to be kept."""
    return array.dtype.str, array.shape, array.tobytes()


def unpack(packed: Packed) -> Array:
    """The array.  A copy: numba would compile a kernel once more for one that is read only."""
    kind, shape, data = packed
    return np.frombuffer(data, dtype=kind).reshape(shape).copy()


def tabulate(
    instance: Instance,
    always: Sequence[Property] = (),
    steps: Sequence[Property] = (),
    sometimes: Sequence[Property] = (),
    *,
    beside: Instance | None = None,
) -> tuple[Tabulated, Program]:
    """An instance with its arrays, which may have been kept (`model/readings/kept.py`)."""
    asked = instance, always, steps, sometimes
    made: list[tuple[Tabulated, Program]] = []

    def make() -> tuple[list[Packed], list[tuple[int, str, int]], list[Packed]]:
        tabulated = Tabulated(*asked, beside=beside)
        arrays = program(tabulated)
        made.append((tabulated, arrays))
        values = [pack(kind.matrix) for kind in tabulated.kinds.values()]
        rules = [(rule.form, rule.name, rule.label) for rule in tabulated.rules]
        return values, rules, [pack(array) for array in arrays]

    values, rules, arrays = find_or_make(_key(*asked, beside), make)
    if made:
        return made[0]
    known = KnownTables([unpack(each) for each in values], rules)
    return Tabulated(*asked, known=known), Program(*map(unpack, arrays))


def _key(
    instance: Instance,
    always: Sequence[Property],
    steps: Sequence[Property],
    sometimes: Sequence[Property],
    beside: Instance | None,
) -> tuple[object, ...] | None:
    """By what an instance's tables are told from others; None where a property is none of ours."""
    ours = {id(each): each.name for each in (*ALWAYS, *STEPS, *SOMETIMES)}
    names = [[ours.get(id(each)) for each in some] for some in (always, steps, sometimes)]
    other = None if beside is None else beside.key
    if instance.key is None or None in itertools.chain(*names) or (beside and other is None):
        return None
    return ("tables", *instance.key, *names, other)
