"""A run followed on the lease table by its own client, by others, and where the user answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdover.model.table.properties import EXCLUSIVE
from holdover.model.table.vocabulary import MESSAGE
from holdover.reference.explanation.course import (
    TICK,
    answers_to_notice,
    follow,
    schedule_of,
    sizes_in,
)
from tests.reference.explanation.told import compared, judged


@pytest.mark.parametrize("drifts", [False, True], ids=["exact clocks", "drift"])
@pytest.mark.parametrize("name", ["wfwg311", "networkd", "connman", "dhcpcd"])
def test_a_client_lives_its_own_run_as_it_was_found(name: str, drifts: bool) -> None:
    found, course = judged(name, drifts=drifts), compared(name, drifts=drifts).course
    assert (course.differences, course.stopped) == ([], "")
    steps = [each for each in found.run if each.action != TICK.name]
    told = [each for c in course.columns for each in c.happened if each.action is not TICK]
    assert [(e.time, e.action, e.sentence, e.host) for e in steps] == [
        (e.at, e.action.name, e.says, e.host) for e in told
    ]
    for event, happening in zip(steps, told, strict=True):
        held = [happening.after["holds", host] for host in range(len(event.holding))]
        assert [None if a is None else f"a{int(str(a)) + 1}" for a in held] == list(event.holding)


def test_the_fixed_client_lets_go_at_the_same_step_and_does_nothing_else_otherwise() -> None:
    (fixed,) = compared("wfwg311", "wfwg311-fixed").followers
    assert (fixed.collides, fixed.course.differences) == (False, [])
    assert fixed.lets_go is not None
    assert (fixed.lets_go.action.name, fixed.lets_go.at) == ("lapse", 3600)
    last = fixed.course.columns[-1].state
    assert (last["notice", 0], last["holds", 0], last["holds", 1]) == ("SHOWN", None, 0)


def test_another_client_takes_its_own_steps_when_they_are_due() -> None:
    (follower,) = compared("networkd", "reference").followers
    by_itself = [
        (e.action.name, e.at)
        for e in follower.course.differences
        if e.how == "by itself" and e.action is not TICK
    ]
    assert ("renew", 1800) in by_itself
    assert ("lapse", 3600) in by_itself
    left_out = [e for e in follower.course.differences if e.how == "left out"]
    assert [e.action.name for e in left_out] == ["renew", "rebind"]
    assert all(e.why and e.before is e.after for e in left_out)
    assert not follower.collides


def test_who_answers_the_notice_before_the_reuse_does_not_collide() -> None:
    found = compared("wfwg311")
    answered = answers_to_notice(found.course, found.steps)
    shown = [n for n, c in enumerate(found.course.columns) if c.state["notice", 0] == "SHOWN"]
    assert list(answered) == shown
    count = len(found.course.columns)
    for number, other in answered.items():
        states = [column.state for column in other.columns]
        assert len(states) == count - number
        assert states[0]["holds", 0] is None
        collided = not all(other.world.holds(EXCLUSIVE.term, state) for state in states)
        assert not collided
        assert states[-1]["holds", 1] == 0
    late = found.course.columns[-1].state
    assert not found.course.world.holds(EXCLUSIVE.term, late)


def test_a_datagram_that_nobody_takes_does_not_stop_the_run() -> None:
    (follower,) = compared("dhclient", "reference").followers
    assert follower.course.stopped == ""
    assert len(follower.course.columns) == len(compared("dhclient").course.columns)


def test_a_run_that_does_not_know_its_seconds_is_refused() -> None:
    run = [replace(event, exact=()) for event in judged("wfwg311").run]
    with pytest.raises(ValueError, match="discover: a run without the seconds of its parameters"):
        schedule_of(run)


def test_a_run_that_cannot_go_on_says_so_and_has_all_its_columns() -> None:
    found = compared("wfwg311")
    world = found.course.world
    late = [replace(found.steps[0], at=0), replace(found.steps[-1], at=10**6)]
    course = follow(world, late)
    assert len(course.columns) == 2
    assert course.stopped or course.columns[-1].state.now == 10**6


def test_sizes_are_those_that_the_run_speaks_of() -> None:
    assert sizes_in(judged("wfwg311").run)[MESSAGE] == 1
