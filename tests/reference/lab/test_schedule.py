"""A collision of the model as a course of steps: which it is, in what order, and followed how."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest

from holdover.model.clients.profile import Profile, load
from holdover.model.errors import InputError
from holdover.model.table.properties import EXCLUSIVE
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import HOST
from holdover.proofs.result import silent
from holdover.reference.lab.collision.plan import (
    PLAYED,
    SURROUNDINGS,
    UNPLAYED,
    plan_course,
    send_at_once,
    staying,
)
from holdover.reference.lab.collision.schedule import (
    KERNEL_ROW,
    Plan,
    PlanError,
    PlanFollower,
    Step,
)

OLD, FIXED = load("wfwg311"), load("wfwg311-fixed")
H1, H2 = 0, 1
KEPT = replace(
    load("rfc2131"),
    name="kept",
    trigger="NEVER",
    enforcer="KERNEL",
    margin=Fraction(5, 2),
    kernel_late=Fraction(5, 2),
)
"""A client that does nothing at its lease end; the kernel removes its address in time."""


@cache
def plan(profile: Profile) -> Plan:
    return plan_course(profile, SURROUNDINGS, silent)


def names(steps: Sequence[Step]) -> list[str]:
    return [step.action.name for step in steps]


def followed(course: PlanFollower) -> list[Step]:
    steps = []
    while (step := course.next()) is not None:
        course.take(step)
        steps.append(step)
    return steps


# Plans -------------------------------------------------------------------------------------------


def test_the_course_of_a_client_that_collides_is_its_shortest_collision() -> None:
    found = plan(OLD)
    assert (found.outcome, found.made_to_stay) == ("violated", False)
    assert names(found.steps) == [
        "discover",
        "offer",
        "select",
        "commit",
        "bind",
        "mute",
        "renew",
        "miss",
        "rebind",
        "miss",
        "lapse",
        "notify",
        "unmute",
        "discover",
        "offer",
        "select",
        "reuse",
        "bind",
    ]
    at = {step.action.name: step.at for step in found.steps}
    assert (at["renew"], at["rebind"], at["lapse"]) == (5, Fraction(35, 4), 10)


def test_the_course_of_a_client_that_does_not_is_that_of_one_that_stays() -> None:
    found = plan(FIXED)
    assert (found.outcome, found.made_to_stay) == ("holds", True)
    assert staying(FIXED).facts() == OLD.facts()
    assert names(found.steps) == names(plan(OLD).steps)


def test_every_row_can_be_played_or_it_is_said_why_not() -> None:
    rows = {action.name for action in LEASE_TABLE.actions} - {"tick"}
    assert rows == PLAYED | set(UNPLAYED)
    assert not PLAYED & set(UNPLAYED)


def test_what_a_client_sends_is_taken_at_once() -> None:
    """In the model the server may fall silent while a datagram is on its way."""

    def step(at: int, row: str, *binding: int) -> Step:
        return Step(at, LEASE_TABLE.action(row), binding)

    renew, mute, miss = step(5, "renew", H1, 0, 0), step(5, "mute"), step(5, "miss", 0, H1)
    assert send_at_once([renew, mute, miss]) == (mute, renew, miss)
    assert send_at_once([mute, renew]) == (mute, renew)
    with pytest.raises(PlanError, match="a DHCPREQUEST that is on its way for 1 s"):
        send_at_once([renew, mute, replace(miss, at=6)])


# What cannot be played ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "environment", "words"),
    [
        (load("reference"), SURROUNDINGS, "it needs hosts that probe"),
        (load("rfc2131"), replace(SURROUNDINGS, drift=Fraction(1, 100)), "a clock that is fast"),
        (replace(FIXED, clock="MONOTONIC"), SURROUNDINGS.and_faults("suspends"), "that sleeps"),
        (OLD, replace(SURROUNDINGS, lease=Fraction(21, 2)), "whole seconds"),
        (OLD, replace(SURROUNDINGS, server_probes=True), "does not probe"),
    ],
)
def test_what_a_link_cannot_play_is_refused(profile, environment, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=words):
        plan_course(profile, environment, silent)


def test_a_frozen_process_can_be_played() -> None:
    found = plan_course(load("rfc2131"), SURROUNDINGS.and_faults("freezes"), silent)
    assert found.outcome == "violated"
    assert "freeze" in names(found.steps)


# Followed ----------------------------------------------------------------------------------------


def test_followed_with_its_own_constants_the_old_client_stays_and_the_fixed_one_does_not() -> None:
    for profile, holds in ((OLD, 0), (FIXED, None)):
        course = PlanFollower(plan(profile))
        followed(course)
        assert course.complete
        assert (course.state["holds", H1], course.state["holds", H2]) == (holds, 0)


def test_the_fixed_client_releases_in_the_row_of_the_lapse() -> None:
    course = PlanFollower(plan(FIXED))
    while (step := course.next()) is not None:
        before, after = course.take(step)
        if before["holds", H1] is not None and after["holds", H1] is None:
            assert (step.action.name, step.at) == ("lapse", 10)
            assert course.sentence(step, before) == "the lease of h1 lapses"
            return
    pytest.fail("it did not release")


def test_after_the_last_step_what_is_due_is_done() -> None:
    """A client that acts up to 1.5 s late on its deadline has as long for the collision."""
    found = plan(load("connman"))
    steps = followed(PlanFollower(found, further=3))
    assert [(step.action.name, step.at) for step in steps[len(found.steps) :]] == [
        ("lapse", Fraction("11.5")),
        ("notify", Fraction("11.5")),
    ]


def test_what_the_kernel_removes_is_a_row() -> None:
    course = PlanFollower(plan(KEPT))
    due = next(
        step for step in followed(PlanFollower(plan(KEPT))) if step.action.name == KERNEL_ROW
    )
    assert (due.at, due.binding) == (10, (H1,))
    while (step := course.next()) is not None and step.at < 7:
        course.take(step)
    with pytest.raises(PlanError, match=f"does not allow what comes next: {KERNEL_ROW}"):
        course.take(course.kernel_row(H1, 7))
    course.take(course.kernel_row(H1, Fraction(15, 2)))
    assert course.state["holds", H1] is None


def test_a_step_that_the_table_does_not_allow_is_otherwise() -> None:
    found = plan(OLD)
    course = PlanFollower(replace(found, steps=found.steps[1:]))
    with pytest.raises(PlanError, match="guard"):
        followed(course)


def test_two_hosts_hold_at_the_end_where_the_model_says_so() -> None:
    course = PlanFollower(plan(OLD))
    followed(course)
    world = course._world
    assert not world.holds(EXCLUSIVE.term, course.state)
    assert world.sizes[HOST] == 2
