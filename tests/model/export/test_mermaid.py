"""A run as a diagram of Mermaid: each step is there, and a host is active while it holds."""

from __future__ import annotations

import pytest

from holdover.model.explorer.configurations import configurations
from holdover.model.explorer.explore import explore
from holdover.model.explorer.sequence_chart import ChartEvent, events, steps_of
from holdover.model.export.mermaid import mermaid
from holdover.model.table.properties import EXCLUSIVE


def collision(name: str) -> list[ChartEvent]:
    instance = next(c for c in configurations() if c.name == name).instance()
    return events(explore(instance, (EXCLUSIVE,), stop=True).violations["exclusive"])


def test_each_step_is_a_line_and_both_hosts_are_active_in_the_end() -> None:
    run = collision("wfwg311")
    lines = [line.strip() for line in mermaid(run, "ticks").splitlines()]
    assert lines[:4] == [
        "sequenceDiagram",
        "participant h1",
        "participant server",
        "participant h2",
    ]
    notes = [line for line in lines if line.startswith("Note over h1,h2: ")]
    times = dict.fromkeys(event.time for event in steps_of(run))
    assert len(notes) == len(times) + 1
    told = [line for line in lines[4:] if line not in notes and "activate" not in line]
    assert len(told) == len(steps_of(run))
    arrows = [line for line in told if "->>" in line]
    assert arrows[:4] == [
        "h1->>server: DISCOVER",
        "server->>h1: OFFER",
        "h1->>server: REQUEST",
        "server->>h1: ACK",
    ]
    assert [line for line in lines if "activate" in line] == [
        "activate h1",
        "activate h2",
        "deactivate h1",
        "deactivate h2",
    ]
    assert lines[-3] == "Note over h1,h2: now h1 holds a1 and h2 holds a1"


def test_who_lets_go_is_no_longer_active() -> None:
    run = collision("wfwg311")
    gone = [
        ChartEvent(e.time, e.label, e.sentence, e.host, (None, e.holding[1]), e.datagram)
        for e in run
        if e.time >= steps_of(run)[-1].time
    ]
    held = [e for e in run if e.time < steps_of(run)[-1].time]
    lines = [line.strip() for line in mermaid([*held, *gone], "ticks").splitlines()]
    assert [line for line in lines if "activate" in line] == [
        "activate h1",
        "deactivate h1",
        "activate h2",
        "deactivate h2",
    ]


def test_what_ends_a_line_or_begins_a_number_is_not_in_it() -> None:
    run = collision("wfwg311")
    odd = [ChartEvent(e.time, e.label, "a; b #3", e.host, e.holding) for e in run]
    assert ";" not in mermaid(odd, "s")
    assert "#" not in mermaid(odd, "s")


def test_nothing_is_no_diagram() -> None:
    with pytest.raises(ValueError, match="without steps"):
        mermaid([], "s")
