"""Which run explains a client, where it turns, and how others let go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdover.model.clients.profile import STANDARD, load
from holdover.model.table.properties import EXCLUSIVE
from holdover.proofs.logic.invariants import OWNED
from holdover.proofs.verdicts.judge import Judgement, judge
from holdover.reference.explanation.comparison import breaks, compare, effect_of
from holdover.reference.explanation.course import answers_to_notice
from holdover.reference.explanation.said import follower_lines
from tests.reference.explanation.told import compared, judged


def test_the_turning_point_is_the_lapse_after_which_the_address_stays() -> None:
    found = compared("wfwg311")
    assert found.turning is not None
    column = found.course.columns[found.turning.column]
    assert [each.action.name for each in column.happened] == ["lapse"]
    assert (float(found.turning.at), found.turning.host) == (3600, 0)
    assert found.turning.says.startswith(
        "here the lease is over; h1 still holds a1: the address stays until a notice is answered"
    )


def test_of_a_late_anchor_the_lease_is_over_at_the_server_alone() -> None:
    found = compared("networkd")
    assert found.turning is not None
    assert "here the lease is over at the server, and to h1 it lasts until 3601 s" in (
        found.turning.says
    )


def test_of_a_client_that_holds_the_run_is_that_without_its_guard() -> None:
    found = compared("wfwg311-fixed")
    assert (found.without, found.source.outcome) == ("releases before the notice", "violated")
    (own,) = found.followers
    assert own.judgement is judged("wfwg311-fixed")
    assert own.lets_go is not None
    assert "trigger[h] = LAPSE" in effect_of(own.lets_go)


@pytest.mark.parametrize(
    ("name", "guard", "row"),
    [
        ("wfwg311-fixed", "releases before the notice", "lapse"),
        ("rfc2131", "releases before the notice", "lapse"),
        ("reference", "counts from the REQUEST", "lapse"),
    ],
)
def test_of_each_client_that_holds_the_guard_is_named_and_prevents_that_run(
    name: str, guard: str, row: str
) -> None:
    """With the guard it lives the same schedule; without it, that is a run to harm, in seconds."""
    found = compared(name)
    assert (judged(name).outcome, found.without) == ("holds", guard)
    assert (found.source.outcome, found.source.unit) == ("violated", "s")
    wanted = OWNED if judged(name).profile.probes else EXCLUSIVE
    assert breaks(found.course, wanted)
    (own,) = found.followers
    assert (own.collides, own.given_away, own.course.stopped) == (False, False, "")
    assert own.lets_go is not None
    assert own.lets_go.action.name == row


def test_a_collision_that_is_over_in_the_end_is_one() -> None:
    """The user answers the notice when the server has already reused the address."""
    found = compared("wfwg311")
    late = answers_to_notice(found.course, found.steps)[len(found.steps) - 1]
    whole = replace(found.course, columns=(*found.course.columns, *late.columns))
    assert whole.world.holds(EXCLUSIVE.term, whole.columns[-1].state)
    assert breaks(whole, EXCLUSIVE)
    assert not breaks(compared("wfwg311", "wfwg311-fixed").followers[0].course, EXCLUSIVE)


def test_the_run_of_who_collides_comes_first_whoever_is_asked_about() -> None:
    found = compared("wfwg311-fixed", "wfwg311")
    assert (found.without, found.source) == ("", judged("wfwg311"))
    assert [each.judgement.profile.name for each in found.followers] == ["wfwg311-fixed"]


def test_two_that_hold_follow_the_run_without_the_guard_of_the_first() -> None:
    found = compared("wfwg311-fixed", "rfc2131")
    assert [each.collides for each in found.followers] == [False, False]


def test_another_that_collides_too_is_said_to() -> None:
    (follower,) = compared("wfwg311", "udhcpc").followers
    assert (follower.collides, follower.lets_go) == (True, None)


@pytest.mark.parametrize("fault", ["forgets", "rival", "clones", "settles", "reuses_early"])
def test_where_two_want_one_address_at_the_end_nobody_is_said_to_come_through(fault: str) -> None:
    """The reference client probes: at the end of such a run it has not used the address yet."""
    world = STANDARD.and_faults(fault)
    found = compare(judge(load("rfc2131"), world), judge(load("reference"), world))
    assert found is not None
    (follower,) = found.followers
    assert not follower.collides
    said = " ".join(follower_lines(found, follower))
    assert "harmless" not in said
    assert "what comes next decides" in said or "while it was still held" in said


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("forgets", "here the server has no record of the lease of a1; h1 still holds it"),
        ("rival", "here h2 holds a1, which the server has on record for h1"),
        ("settles", "here h2 has a1 without a lease"),
    ],
)
def test_the_turning_point_says_what_is_over(fault: str, says: str) -> None:
    found = compare(judge(load("rfc2131"), STANDARD.and_faults(fault)))
    assert found is not None
    assert found.turning is not None
    assert found.turning.says.startswith(says)


def test_of_what_is_unknown_there_is_no_run() -> None:
    unknown = Judgement(load("wfwg311"), STANDARD, "unknown", "cut off", None, None)
    assert compare(unknown) is None
