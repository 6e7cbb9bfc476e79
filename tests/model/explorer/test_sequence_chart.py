"""Runs told: every row has its sentence, the chart shows who holds, times are seconds or ticks."""

from collections.abc import Callable
from fractions import Fraction

import pytest

from holdover.model.explorer.explore import Trace, explore
from holdover.model.explorer.sequence_chart import (
    LANE,
    as_data,
    chart,
    events,
    sentences,
    show_time,
)
from holdover.model.readings.finite import Instance, Label
from holdover.model.table.expr import Action
from holdover.model.table.properties import EXCLUSIVE
from holdover.model.table.table import LEASE_TABLE

Build = Callable[..., Instance]


@pytest.fixture(scope="module")
def collision(build: Build) -> Trace:
    model = build("wfwg311", "mutes")
    return explore(model, (EXCLUSIVE,), stop=True).violations["exclusive"]


def alone(build: Build, action: Action) -> Trace:
    """A run of one step by this row; `n` and `g` are the second of their kind."""
    model = build("reference", messages=2)
    second = {"n", "g"}
    binding = tuple(int(str(p.args[0]) in second) for p in action.given)
    return Trace(model, (Label(action, binding),), (model.initial, model.initial))


@pytest.mark.parametrize("action", LEASE_TABLE.actions, ids=lambda action: action.name)
def test_each_row_can_be_told(build: Build, action: Action) -> None:
    (event,) = events(alone(build, action))
    assert event.action == action.name
    assert not set("{}") & set(event.sentence)
    told = "\n".join(sentences([event], "ticks"))
    assert (event.sentence in told) == (action.name != "tick")
    assert len(chart([event], "ticks")) == (1 if action.name == "tick" else 2)
    sources = [data["source"] for data in as_data([event], "ticks")]
    assert sources == [action.source]


def test_sentences_are_the_articles_story(collision: Trace) -> None:
    told = [line.split("  ")[-1] for line in sentences(events(collision), "ticks")]
    wanted = [
        "h1 receives DHCPACK and takes a1",
        "the server falls silent",
        "the lease of h1 lapses",
        "the notice of the lapse goes up on h1",
        "the server reuses a1, once leased to h1: it commits it to h2 and sends DHCPACK",
        "h2 receives DHCPACK and takes a1",
    ]
    assert [line for line in told if line in wanted] == wanted
    assert "the server is back" in told
    assert told[-1].strip() == "Now h1 holds a1 and h2 holds a1."


def test_sentences_are_numbered_without_the_passing_of_time(collision: Trace) -> None:
    told = events(collision)
    lines = sentences(told, "ticks")
    steps = [event for event in told if event.action != "tick"]
    assert len(steps) < len(told)
    assert [int(line.split(".")[0]) for line in lines[:-1]] == list(range(1, len(steps) + 1))


def test_ticks_are_counted_unless_instants_are_given(collision: Trace) -> None:
    told = events(collision)
    ticks = [label.action.name for label in collision.labels].count("tick")
    assert [told[0].time, told[-1].time] == [Fraction(0), Fraction(ticks)]
    times = [Fraction(number, 2) for number in range(len(collision))]
    assert [event.time for event in events(collision, times)] == times


@pytest.mark.parametrize(
    ("time", "unit", "shown"),
    [
        (Fraction(3600), "s", "3600 s"),
        (Fraction(7201, 2), "s", "3600.5 s"),
        (Fraction(1, 3), "s", "0.333 s"),
        (Fraction(0), "ticks", "0 ticks"),
        (Fraction(1), "ticks", "1 tick"),
        (Fraction(1), "s", "1 s"),
        (Fraction(2), "ticks", "2 ticks"),
    ],
)
def test_times_are_written_as_people_do(time: Fraction, unit: str, shown: str) -> None:
    assert show_time(time, unit) == shown


def test_a_line_of_life_is_double_while_its_host_holds(collision: Trace) -> None:
    told = [event for event in events(collision) if event.action != "tick"]
    head, *rows = chart(events(collision), "ticks")
    first, server, other = (head.index(name) for name in ("h1", "server", "h2"))
    assert (server - first, other - server) == (LANE, LANE)
    for event, row in zip(told, rows, strict=True):
        drawn = [row.ljust(other + 1)[at] for at in (first, other)]
        assert drawn == ["│" if place is None else "║" for place in event.holding]
        assert row[server] == "│"
    assert rows[-1][first] == rows[-1][other] == "║"


def test_arrows_point_from_the_sender(collision: Trace) -> None:
    told = [event for event in events(collision) if event.action != "tick"]
    rows = chart(events(collision), "ticks")[1:]
    arrows = {
        (event.action, event.host): "▶" if "▶" in row else "◀"
        for event, row in zip(told, rows, strict=True)
        if "▶" in row or "◀" in row
    }
    assert arrows["discover", 0] == arrows["offer", 1] == arrows["reuse", 1] == "▶"
    assert arrows["discover", 1] == arrows["offer", 0] == arrows["commit", 0] == "◀"
    assert ("bind", 0) not in arrows


def test_a_time_is_written_once(collision: Trace) -> None:
    rows = chart(events(collision), "ticks")[1:]
    shown = [row.split("tick")[0].strip() for row in rows if "tick" in row]
    assert len(shown) == len(set(shown)) > 1


def test_the_chart_names_the_datagram_that_nobody_receives(collision: Trace) -> None:
    assert any("miss REQUEST" in row for row in chart(events(collision), "ticks"))


def test_a_third_host_has_a_lane_of_its_own(build: Build) -> None:
    discover = LEASE_TABLE.action("discover")
    model = build("rfc2131", hosts=3)
    run = Trace(model, (Label(discover, (2, 0)),), (model.initial, model.initial))
    head, row = chart(events(run), "ticks")
    assert head.split() == ["h1", "server", "h2", "h3"]
    assert "◀" in row
    assert row[head.index("h3")] == "│"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("rival_offer", "rival OFFER a1"),
        ("rival_ack", "rival ACK a1"),
        ("rival_nak", "rival NAK a1"),
        ("forge", "forged RELEASE a1"),
    ],
)
def test_the_chart_does_not_blame_the_wrong_party(build: Build, name: str, shown: str) -> None:
    assert shown in chart(events(alone(build, LEASE_TABLE.action(name))), "ticks")[1]


def test_data_has_what_a_program_needs(collision: Trace) -> None:
    rows = list(as_data(events(collision), "ticks"))
    assert len(rows) == len(collision)
    assert rows[0] == {
        "time": 0.0,
        "unit": "ticks",
        "action": "discover",
        "source": LEASE_TABLE.action("discover").source,
        "says": "h1 broadcasts DHCPDISCOVER",
        "holding": [None, None],
    }
    assert rows[-1]["holding"] == ["a1", "a1"]
