"""What is known of an instance before its tables are made: its rows, and some of its states.

Theory of operation.  A row as a `Ground` depends on its binding, on the bounds, and on the
constants that occur in it.  Instances of one layout share it by these.

States are sampled for the values that their parts take together.  Steps are taken from a state if
two of its parts have values that no state before had together in these parts; so few states have
nearly all the values that any state has.

What it does not know: whether these are all values.  The closure finds out (`tabulated.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from operator import itemgetter

from holdover.model.packed.components import shift_instant
from holdover.model.readings.finite import Instance, Label, State
from holdover.model.readings.ground import Ground, Grounded, conjuncts, ground_row, place
from holdover.model.table.expr import INSTANT
from holdover.model.table.table import constants_of

Said = tuple[Sequence[Ground], dict[int, Ground]]
"""The guards of a row, as small as they get, and the items that change."""


@cache
def known_rows(*layout: object) -> dict[object, Said]:
    """The rows that were read for states of this layout."""
    return {}


def said_by_rows(instance: Instance, reading: Grounded) -> Iterator[Said]:
    """What each edge of an instance says, in their order."""
    known = known_rows(tuple(instance.table.variables), instance.bounds)
    for label in instance.labels:
        fixed = [instance.constants.get(name) for name in constants_of(label.action)]
        key = (label.action, label.binding, *fixed)
        if key not in known:
            known[key] = _said(instance, reading, label)
        yield known[key]


def _said(instance: Instance, reading: Grounded, label: Label) -> Said:
    row = ground_row(instance, reading, label)
    guards = [part for guard in row.guards for part in conjuncts(guard)]
    after = dict(row.after)
    for slot, (variable, _) in enumerate(instance.slots if row.passed else ()):
        if variable.sort is INSTANT:
            after[slot] = shift_instant(after[slot], row.passed, instance.bounds.past)
    return guards, {slot: term for slot, term in after.items() if term != place(slot)}


def sample(instance: Instance, parts: Sequence[Sequence[int]], most: int) -> list[State]:
    """States in which parts have values that they had together in none before.

    `parts` has the items of each.  No more steps are taken once there are `most` states.
    """
    values_of = [itemgetter(*slots) for slots in parts]
    pairs = list(itertools.combinations(range(len(parts)), 2))
    seen: set[tuple[int, int, object, object]] = set()
    found: list[State] = []

    def look_at(state: State) -> None:
        values = [of(state) for of in values_of]
        together = {(i, j, values[i], values[j]) for i, j in pairs}
        if not together <= seen:
            seen.update(together)
            found.append(state)

    look_at(instance.initial)
    for state in found:  # it grows meanwhile
        if len(found) >= most:
            break
        for _, following in instance.successors(state):
            look_at(following)
    return found
