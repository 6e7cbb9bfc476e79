"""A course in ticks: the same states but for times, or none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdover.model.table.properties import EXCLUSIVE
from holdover.reference.explanation.in_ticks import small_world, states_of, ticks_in
from tests.reference.explanation.told import compared, judged


@pytest.mark.parametrize("name", ["wfwg311", "networkd", "dhcpcd", "connman"])
def test_the_client_of_a_run_has_a_state_in_ticks_after_each_of_its_steps(name: str) -> None:
    found = compared(name)
    world = small_world(found.source, found.source)
    states = states_of(world, found.course, ticks_in(found.source.run), world.initial)
    assert None not in states
    for column, state in zip(found.course.columns, states, strict=True):
        assert state is not None
        told = world.describe(state)
        for host in range(2):
            held = column.state["holds", host]
            assert told[f"holds[h{host + 1}]"] == (None if held is None else "a1")
            assert told[f"phase[h{host + 1}]"] == column.state["phase", host]


def test_ticks_are_as_many_as_the_run_has() -> None:
    run = judged("wfwg311").run
    ticks = ticks_in(run)
    assert sum(ticks) == sum(event.action == "tick" for event in run) == 4
    assert len(ticks) == len(compared("wfwg311").steps)


def test_the_fix_does_not_collide_in_ticks_either() -> None:
    found = compared("wfwg311", "wfwg311-fixed")
    (fixed,) = found.followers
    world = small_world(fixed.judgement, found.source)
    assert world.constants["trigger"] == "LAPSE"
    assert small_world(found.source, found.source).constants["trigger"] != "LAPSE"
    states = states_of(world, fixed.course, ticks_in(found.source.run), world.initial)
    exclusive = world.predicate(EXCLUSIVE.term)
    assert all(state is not None and exclusive(state) for state in states)


def test_from_where_the_states_differ_there_is_none() -> None:
    found = compared("wfwg311", "wfwg311-fixed")
    world = small_world(found.source, found.source)
    ticks = ticks_in(found.source.run)
    (fixed,) = found.followers
    states = states_of(world, fixed.course, ticks, world.initial)  # in the world of the other one
    lapse = next(
        place
        for place, column in enumerate(fixed.course.columns)
        if column.happened[0].action.name == "lapse"
    )
    assert None not in states[:lapse]
    assert set(states[lapse:]) == {None}


def test_where_time_passes_otherwise_there_is_none() -> None:
    found = compared("wfwg311")
    world = small_world(found.source, found.source)
    ticks = ticks_in(found.source.run)
    first = next(place for place, passing in enumerate(ticks) if passing)
    longer = [each * 9 for each in ticks]
    states = states_of(world, found.course, longer, world.initial)
    assert None not in states[:first]
    assert states[-1] is None


def test_without_a_beginning_there_is_none() -> None:
    found = compared("wfwg311")
    world = small_world(found.source, found.source)
    assert set(states_of(world, found.course, ticks_in(found.source.run), None)) == {None}


def test_of_a_run_that_no_search_has_found_the_world_is_the_clients_own() -> None:
    found = replace(judged("wfwg311"), looked_at=None)
    world = small_world(found, found)
    assert (world.bounds.hosts, world.bounds.messages, world.bounds.lengths) == (2, 1, (3,))
    assert world.constants["delay"] == 1
