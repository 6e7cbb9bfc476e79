"""Orbits of states: all that renamings of hosts, addresses and datagrams make of one state.

Theory of operation.  They are made item by item, with the tables alone, and not with the symmetry
that `engine_battery.py` compares with them.  So `test_engine_defects.py` makes them once, before it
forks a process for each defect.

What it does not know: which of the states are reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from holdover.model.explorer.configurations import Configuration
from holdover.model.explorer.explore import explore
from holdover.model.readings.finite import Instance, State
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE
from tests.model.engine.prepared import tables

if TYPE_CHECKING:
    from holdover.model.packed.tabulated import Tabulated

INSTANCES = (("udhcpc", 3, 2, 2), ("rfc2131", 2, 1, 4))
"""Profiles, each with how many hosts, addresses and datagrams there are."""


@cache
def all_orbits() -> tuple[tuple[Tabulated, tuple[frozenset[int], ...]], ...]:
    """For each instance its tables, and some orbits as words.

    Of states that a search comes to first, and of any: few values, so that members tie.
    """
    return tuple(orbits_in(profile, sizes) for profile, *sizes in INSTANCES)


def orbits_in(profile: str, sizes: list[int]) -> tuple[Tabulated, tuple[frozenset[int], ...]]:
    """The tables of an instance, and its orbits."""
    hosts, addresses, messages = sizes
    instance = Configuration(
        "", profile, hosts, addresses, messages, 2, 0, (), 0, 0, 0, {}, (), ()
    ).instance()
    tabulated = tables(instance)
    groups = [
        dict(zip(("Host", "Address", "Message"), names, strict=True))
        for names in product(*(permutations(range(n)) for n in sizes))
    ]
    found = explore(instance, memory=1_000_000).states
    return tabulated, tuple(
        frozenset(tabulated.pack(renamed(instance, state, names)) for names in groups)
        for state in (*found[:: len(found) // 10], *any_states(tabulated, 40))
    )


def any_states(tabulated: Tabulated, count: int) -> Iterator[State]:
    """States put together of any values, two or three of each kind; every second one mirrored."""
    random = np.random.default_rng(count)
    for number in range(count):
        few = {
            kind: random.integers(len(kind), size=random.integers(2, 4))
            for kind in tabulated.kinds.values()
        }
        state = tabulated.unpack(
            sum(
                int(random.choice(few[c.kind])) << shift
                for c, shift in zip(tabulated.components, tabulated.shifts, strict=True)
            )
        )
        yield mirrored(tabulated.instance, state, number % 4 == 3) if number % 2 else state


def mirrored(instance: Instance, state: State, unowned: bool) -> State:
    """The state with all hosts like the first, and the last datagrams of one, the first another's.

    So hosts tie, or nearly so, and what each has sent lies in the slots in any order.  `unowned`:
    with the addresses as they are initially.
    """
    other, half = list(state), instance.bounds.messages // 2
    for slot, (variable, member) in enumerate(instance.slots):
        if variable.index is HOST:
            other[slot] = other[instance.place[variable.name, 0]]
        if variable.index is ADDRESS and unowned:
            other[slot] = instance.initial[slot]
        if variable.index is MESSAGE and member >= half:
            of = other[instance.place[variable.name, member - half]]
            other[slot] = {0: 1, 1: 0}.get(int(of or 0), of) if variable.sort is HOST else of
    return tuple(other)


def renamed(instance: Instance, state: State, names: Mapping[str, tuple[int, ...]]) -> State:
    """The state with members renamed, item by item."""
    other: list[Any] = list(state)
    for slot, (variable, member) in enumerate(instance.slots):
        of: Any = state[slot]
        if variable.sort.indexes and of != -1:
            of = names[variable.sort.name][of]
        to = names[variable.index.name][member] if variable.index is not None else member
        other[instance.place[variable.name, to]] = of
    return tuple(other)
