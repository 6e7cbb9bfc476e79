"""Narrow instances take the steps of whole ones, and lack nothing that changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from holdover.model.explorer.explore import Exploration, bytes_per_state, explore
from holdover.model.readings.finite import Instance
from holdover.model.readings.narrow import NarrowInstance, narrow_down
from holdover.model.table.expr import exists
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS
from holdover.model.table.vocabulary import h, kernel_end, now
from tests.model.readings.test_finite import CASES

Build = Callable[..., Instance]
MOST = 2_000
"""States that are compared of an instance that has more."""


def seen_of(instance: Instance) -> Exploration:
    room = MOST * bytes_per_state(instance)
    return explore(instance, ALWAYS, STEPS, SOMETIMES, memory=room, keep_steps=True)


def same(narrow: NarrowInstance, whole: Instance) -> bool:
    """Whether the same is seen of both, apart from the items that states of the one lack."""
    kept = [whole.place[item] for item in narrow.place]
    fixed = {whole.place[item]: value for item, value in narrow.unchanging.items()}
    one, all_of_it = seen_of(narrow), seen_of(whole)
    return (
        [tuple(state[slot] for slot in kept) for state in all_of_it.states] == one.states
        and all(state[slot] == value for state in all_of_it.states for slot, value in fixed.items())
        and [str(label) for label in narrow.labels] == [str(label) for label in whole.labels]
        and all_of_it.taken == one.taken
        and all_of_it.fired == one.fired
        and all_of_it.worst == one.worst
        and all_of_it.witnessed == one.witnessed
        and {name: len(run) for name, run in all_of_it.violations.items()}
        == {name: len(run) for name, run in one.violations.items()}
    )


@pytest.mark.kept("cases of the explorer")
@pytest.mark.parametrize("case", CASES)
def test_a_narrow_instance_is_explored_as_the_whole_one(case: str, build: Build) -> None:
    whole = CASES[case](build)
    narrow = narrow_down(whole)
    assert len(narrow.slots) + len(narrow.unchanging) == len(whole.slots)
    assert same(narrow, whole)


def test_items_are_stored_that_a_fault_changes(build: Build) -> None:
    def stored(*faults: str, **more: int) -> set[str]:
        return {
            variable.name for variable, _ in narrow_down(build("rfc2131", *faults, **more)).slots
        }

    nothing = stored()
    assert {"phase", "lease_end", "kind"} < nothing
    assert not {"process", "asleep", "serving", "contested"} & nothing
    for fault, item in {"crashes": "process", "suspends": "asleep", "mutes": "serving"}.items():
        assert item in stored(fault)


def test_an_item_that_changes_must_be_stored(build: Build) -> None:
    """Each by itself is read as if it never changed, and something else is seen."""
    whole = build("rfc2131", "mutes", "crashes", hosts=1)
    narrow = narrow_down(whole)
    assert same(narrow, whole)
    initial = dict(zip(whole.place, whole.initial, strict=True))
    values = dict(zip(whole.place, map(set, zip(*explore(whole).states, strict=True)), strict=True))
    changing = [item for item in narrow.place if len(values[item]) > 1]
    assert len(changing) > len(narrow.place) / 2
    for item in changing:
        wrong = NarrowInstance(whole, {**narrow.unchanging, item: initial[item]})
        with suppress(TypeError):  # an instant is compared that is never set
            assert not same(wrong, whole), item


def test_an_unset_instant_that_never_changes_is_not_compared(build: Build) -> None:
    whole = build("rfc2131", hosts=1)
    initial = dict(zip(whole.place, whole.initial, strict=True))
    narrow = NarrowInstance(whole, {("kernel_end", 0): initial["kernel_end", 0]})
    for world in (whole, narrow):
        holds = world.predicate(exists(h, kernel_end[h] < now))
        with pytest.raises(TypeError):
            holds(world.initial)
