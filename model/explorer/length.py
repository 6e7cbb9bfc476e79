"""How long a run is, said in one way wherever it is told.

A step is a row of the lease table that is taken.  The row `tick` is none: it lets time pass, and
that shows in the instants.  A search in ticks takes both as edges of one graph, so its depth counts
both; where that number is of interest, the two are said apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdover.model.readings.finite import Label

TICK = "tick"


def count_steps(actions: Iterable[str]) -> int:
    """How many steps a run of these rows has."""
    return sum(name != TICK for name in actions)


def count_of(number: int, noun: str, plural: str = "s") -> str:
    """A number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{plural}"


def length_in_search(labels: Iterable[Label]) -> str:
    """The length of a run as a search counts it, in words: 18 steps and 4 ticks."""
    names = [label.action.name for label in labels]
    steps = count_steps(names)
    ticks = len(names) - steps
    return f"{count_of(steps, 'step')} and {count_of(ticks, 'tick')}"
