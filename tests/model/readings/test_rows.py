"""A row as one tuple over names does what its lines do."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from holdover.model.explorer.configurations import configurations
from holdover.model.explorer.explore import explore
from holdover.model.readings.branches import Code
from holdover.model.readings.finite import Instance
from holdover.model.readings.rows import SMALL, FiniteRow, RowChanges, quotient, successors_source

SIZES = {"small": 3, "large": SMALL + 1}


def instances() -> dict[str, Instance]:
    named = {c.name: c for c in configurations()}
    return {"small": named["deaf to DHCPNAK"].instance(), "large": named["dhcpcd"].instance()}


@pytest.mark.parametrize("size", SIZES)
def test_the_steps_are_those_of_the_lines(size: str) -> None:
    """The lines read each item when they need it, and make a list."""
    instance = instances()[size]
    assert (len(instance.slots) <= SMALL) is (size == "small")
    by_lines = instance.only(range(len(instance.labels)))
    for state in islice(explore(instance).states, 2_000):
        assert instance.successors(state) == by_lines(state)


def taken(size: int, changes: RowChanges) -> Any:
    row = FiniteRow.of([Code("(s[0] == 1)", safe=True)], changes)
    scope: dict[str, Any] = {}
    exec(successors_source([row], size), scope)
    return scope["successors"]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_later_change_counts_and_reads_the_state_before(size: int) -> None:
    changes = RowChanges(size)
    known, open_ = Code("True", True, True, safe=True), Code("(s[2] == 5)", safe=True)
    changes.put(0, Code("7"), known)
    changes.put(1, Code("s[0]", safe=True), known)
    changes.put(1, Code("8"), open_)
    steps = taken(size, changes)
    rest = (0,) * (size - 3)
    assert steps((1, 2, 5, *rest)) == [(0, (7, 8, 5, *rest))]
    assert steps((1, 2, 6, *rest)) == [(0, (7, 1, 6, *rest))]
    assert steps((2, 2, 5, *rest)) == []


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_what_is_set_anew_may_raise_all_the_same(size: int) -> None:
    """An instant that is not set is moved: a mistake in the table, whatever comes after it."""
    changes = RowChanges(size)
    known = Code("True", True, True, safe=True)
    changes.put(1, Code("(s[2] + 1)"), known)
    changes.put(1, Code("0", True, 0, safe=True), known)
    steps = taken(size, changes)
    rest = (0,) * (size - 3)
    assert steps((1, 2, 5, *rest)) == [(0, (1, 0, 5, *rest))]
    with pytest.raises(TypeError):
        steps((1, 2, None, *rest))


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_instants_lie_further_back_and_none_too_far(size: int) -> None:
    changes = RowChanges(size)
    changes.put(0, Code("None", True, None, safe=True), Code("True", True, True, safe=True))
    changes.shift([0, 1, 2], 2, 5)
    rest = (0,) * (size - 3)
    assert taken(size, changes)((1, -4, 5, *rest)) == [(0, (None, -5, 3, *rest))]


def test_a_quotient_is_exact_and_whole_where_it_can_be() -> None:
    assert quotient(5, 2) * 2 == 5
    assert type(quotient(6, 2)) is int
    with pytest.raises(TypeError):
        quotient(None, 2)
