"""Instances for `engine_battery.py`, what the explorer finds in them, and their tables: made once.

Theory of operation.  Nothing here comes from a module of the engine.  So `test_engine_defects.py`
has it made before it forks a process for each defect, and the processes share it.  A module that
a defect is in must not be imported by then; `tests/seeding.py` refuses to put a defect into one.

What it does not know: which modules have defects.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numba

from holdover.model.explorer.configurations import configurations
from holdover.model.explorer.explore import Exploration, explore
from holdover.model.readings.finite import Instance
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS

if TYPE_CHECKING:
    from holdover.model.packed.tabulated import Tabulated

PINNED = {c.name: c for c in configurations()}
SMALLEST = "server forgets"
"""A property of states is broken there, and one of steps."""
LATE = "networkd-keep"
"""Its host outstays: the worst counts."""
LATEST_AMID = "answered twice"
"""Its worst is not the last that a level comes to."""
TWO_MESSAGES, TWO_ADDRESSES = "duplicates", "lifecycle, two addresses"
THREE_HOSTS, WIDER = "lifecycle, three hosts", "wfwg311-thereafter"


@cache
def instance_of(name: str) -> Instance:
    """A pinned instance."""
    return PINNED[name].instance()


@cache
def explored(name: str) -> Exploration:
    """What the explorer finds in it."""
    return explore(instance_of(name), ALWAYS, STEPS, SOMETIMES)


@cache
def tables(*what: Any) -> Tabulated:
    """Each instance is tabulated once: that takes longer than to search it."""
    from holdover.model.packed.tabulated import Tabulated

    return Tabulated(*what)


def without_tables() -> None:
    """Make what rests on the lease table and on the finite reading; and have numba ready."""
    numba.njit(lambda number: number + 1)(1)
    for name in (SMALLEST, LATE, LATEST_AMID):
        explored(name)


def with_tables() -> None:
    """Make the tables of the instances that the checks search."""
    for name in (SMALLEST, LATE, LATEST_AMID, TWO_MESSAGES, TWO_ADDRESSES, THREE_HOSTS, WIDER):
        tables(instance_of(name), ALWAYS, STEPS, SOMETIMES)
