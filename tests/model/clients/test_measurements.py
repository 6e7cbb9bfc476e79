"""What was measured beside what is predicted."""

import re
from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.clients.measurements import (
    FAULTS,
    Comparison,
    MeasuredCase,
    Summand,
    compare,
    comparisons,
    constants_of,
    data,
    join_words,
    parts,
    predict,
    refutations,
)
from holdover.model.clients.profile import (
    Environment,
    Profile,
    Seconds,
    builtin_names,
    in_seconds,
    load,
)
from holdover.model.readings.constants import seconds
from holdover.model.table import bound
from holdover.model.table.vocabulary import h

ALL = comparisons()


def cell(c: Comparison) -> str:
    m = c.measurement
    return f"{m.profile}-{m.fault}-{m.lease}".replace(" ", "_")


@pytest.mark.parametrize("comparison", ALL, ids=cell)
def test_measurement_does_not_exceed_its_prediction(comparison: Comparison) -> None:
    assert not comparison.exceeds, comparison.explanation


@pytest.mark.parametrize("comparison", ALL, ids=cell)
def test_held_forever_only_where_there_is_no_bound(comparison: Comparison) -> None:
    seen = comparison.measurement
    if seen.high is None and seen.at_least is None:
        assert comparison.worst is None


@pytest.mark.parametrize("comparison", ALL, ids=cell)
def test_no_bound_only_where_something_was_held_forever(comparison: Comparison) -> None:
    """A profile without a bound that was seen to release would be too dark a picture."""
    if comparison.worst is None:
        assert comparison.measurement.high is None


@pytest.mark.parametrize("comparison", ALL, ids=cell)
def test_difference_is_explained(comparison: Comparison) -> None:
    assert comparison.explanation
    if comparison.worst is not None:
        assert sum(part.size for part in comparison.parts) == comparison.worst
    assert "EXCEEDED" not in comparison.explanation


@pytest.mark.parametrize(
    ("profile", "fault", "left"),
    [
        ("udhcpc", "server killed", "1.4"),  # 18.6 s allowed, up to 17.2 s seen
        ("dhclient", "server killed", "1.26"),  # 2.1 s and 0.84 s
        ("dhclient-nolifetime", "frozen", None),  # forever
        ("dhclient-nolifetime", "clock set back", None),  # no end was seen
    ],
)
def test_slack_is_what_the_prediction_has_left(profile: str, fault: str, left: str | None) -> None:
    cell = (profile, fault, Fraction(10))
    (found,) = (
        c for c in ALL if (c.measurement.profile, c.measurement.fault, c.measurement.lease) == cell
    )
    assert found.slack == (None if left is None else Fraction(left))


def test_what_did_not_stand_is_kept_with_what_the_profile_says_since() -> None:
    """Where a constant was mended, the profile has the value that the table gives."""
    mended = 0
    for row in refutations():
        client = load(row.profile)
        for key, value in re.findall(r"(\w+) = ([\w.]*\w)", row.since):
            now = getattr(client, key)
            assert now == (value.upper() if isinstance(now, str) else Fraction(value)), row
            mended += 1
    assert mended >= 8


def test_what_was_fitted_is_said_to_be() -> None:
    """A late constant that a measurement has raised is fitted, or its source says the same."""
    for row in refutations():
        if row.by != "its source" and "late = " in row.since:
            assert dict(load(row.profile).why)["late"].startswith(("fitted: ", "read: "))


def test_every_measured_profile_and_fault_exists() -> None:
    rows = data()[1]
    assert {m.profile for m in rows} <= set(builtin_names())
    assert {m.fault for m in rows} == set(FAULTS) - {"unacknowledged"}


def test_cells_are_distinct() -> None:
    cells = [(m.profile, m.fault, m.lease) for m in data()[1]]
    assert len(cells) == len(set(cells))


def test_each_row_has_one_kind_of_result() -> None:
    for m in data()[1]:
        assert m.high is None or (m.low <= m.high and m.at_least is None)


def test_error_is_the_poll_and_half_the_last_digit() -> None:
    known = {(m.profile, m.fault, int(m.lease)): m.error for m in data()[1]}
    assert known["dhcpcd", "server killed", 10] == Fraction("0.07")
    assert known["dhcpcd", "kill -9", 10] == Fraction("0.52")
    assert known["dhclient", "hook", 24] == Fraction("0.025")


def test_excess_beyond_the_error_refutes_a_profile() -> None:
    worst = predict("networkd", "frozen", Seconds(10))
    assert worst == Fraction("2.6")
    seen = MeasuredCase("networkd", "frozen", Seconds(10), worst, worst, error=Fraction("0.07"))
    assert not compare(seen).exceeds
    assert not compare(replace(seen, high=worst + Fraction("0.07"))).exceeds
    above = compare(replace(seen, high=worst + Fraction("0.08")))
    assert above.exceeds
    assert "EXCEEDED by 0.08" in above.explanation


def test_run_without_end_refutes_a_profile_with_a_bound() -> None:
    endless = MeasuredCase("networkd", "frozen", Seconds(10), Seconds(0), None, Fraction(0))
    assert compare(endless).exceeds
    assert compare(replace(endless, at_least=Seconds(3))).exceeds
    assert not compare(replace(endless, at_least=Seconds(2))).exceeds


def test_no_bound_for_a_frozen_process_that_no_kernel_backs() -> None:
    assert predict("pyroute2", "frozen", Seconds(10)) is None
    assert predict("wfwg311", "hook", Seconds(3600)) == 20
    assert predict("wfwg311", "unacknowledged", Seconds(3600)) is None
    assert predict("wfwg311-fixed", "unacknowledged", Seconds(3600)) == 0


@pytest.mark.parametrize(
    ("client", "surroundings", "said"),
    [
        (Profile("c", trigger="NEVER"), Environment(), "the process never releases"),
        (
            Profile("c", trigger="ACKNOWLEDGE", dialog=True),
            Environment(acknowledge_within=None),
            "nobody acknowledges",
        ),
        (
            Profile("c", clock="MONOTONIC", enforcer="KERNEL"),
            Environment(faults=frozenset({"suspends"})),
            "the kernel lifetime stands still in suspend",
        ),
        (
            Profile("c", clock="WALL", enforcer="KERNEL"),
            Environment(faults=frozenset({"steps", "crashes", "restarts"})),
            "after a restart the kernel lifetime is set by a stepped clock",
        ),
        (
            Profile("c", anchor="ACK"),
            Environment(faults=frozenset({"freezes", "thaws"})),
            "the lease may be counted from any later time",
        ),
    ],
)
def test_reason_for_no_bound(client: Profile, surroundings: Environment, said: str) -> None:
    assert said in [part.words for part in parts(in_seconds(client, surroundings))]


def test_drift_is_a_part() -> None:
    constants = in_seconds(
        Profile("c"), Environment(lease=Seconds(86400), drift=Fraction(1, 10**4))
    )
    (part,) = parts(constants)
    assert part == Summand("drift", seconds(bound.worst_holdover(h), constants), True)


def test_retries_are_a_part() -> None:
    constants = in_seconds(Profile("c", trigger="RETRY", retries_for=Seconds(60)), Environment())
    assert parts(constants) == (Summand("trying for a new lease", Fraction(60), True),)


def test_prediction_is_in_the_lease_of_the_measurement() -> None:
    assert constants_of("udhcpc", "hook", Seconds(24))["full"] == 24
    assert predict("udhcpc", "server killed", Seconds(6)) == Fraction("22.6")


def test_what_is_listed() -> None:
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b", "c"]) == "a, b and c"
