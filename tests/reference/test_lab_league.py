"""The league page: what it makes of a lab's figures, and of measurements made by hand."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from holdover.model.measured import Measurement
from tests.net import league


def cell(holdover: float | str, **more: Any) -> dict[str, Any]:
    return {
        "client": "udhcpc", "server": "kea", "fault": "server killed", "lease": 10, "repeat": 1,
        "says": "late", "reason": "", "holdover": holdover, "after NAK": None, "duplicate": 0.0,
        "removed by": "process" if holdover != "forever" else "",
    } | more  # fmt: skip


def by_hand(low: float, high: float | None) -> Measurement:
    there = None if high is None else Fraction(high)
    return Measurement("udhcpc", "server killed", Fraction(10), Fraction(low), there, Fraction(0))


@pytest.mark.parametrize(
    ("row", "seen", "agree"),
    [
        (by_hand(17, 17.5), [cell(17.2)], "yes"),
        (by_hand(17, 17.5), [cell(18.4), cell(20)], "yes"),
        (by_hand(17, 17.5), [cell(19), cell(20)], "NO: 1.5 s apart"),
        (by_hand(17, 17.5), [cell(15)], "NO: 2.0 s apart"),
        (by_hand(17, 17.5), [cell(19.9, **{"removed by": "kernel"})], "yes"),
        (by_hand(17, 17.5), [cell(17.2), cell("forever")], "NO"),
        (by_hand(30, None), [cell("forever")], "yes"),
        (by_hand(30, None), [cell("forever"), cell(17)], "NO"),
    ],
)
def test_two_measurements_agree_or_not(
    row: Measurement, seen: list[dict[str, Any]], agree: str
) -> None:
    assert league.agreement(row, seen) == agree


def test_repeats_are_least_median_and_greatest() -> None:
    assert league.shown([cell(17.25), cell(16.5), cell(17.75)]) == (
        "+16.50 / +17.25 / +17.75 process"
    )
    assert league.shown([cell("forever", duplicate=12.3)]) == "forever; two hosts 12.3 s"
    refused = {"fault": "NAK", "removed by": "process"}
    assert league.shown([cell(-5, **refused, **{"after NAK": 0.25})]) == "NAK +0.25 process"
    assert league.shown([cell(-5, **refused)]) == "no NAK process"
    lost = {key: value for key, value in cell(0, reason="no frames").items() if key != "holdover"}
    assert league.shown([lost]) == "unknown: no frames"
    assert league.shown([lost, cell(17.25)]) == "+17.25 process (n = 1)"


def test_the_page_counts_what_is_wrong_and_unknown() -> None:
    cells = [
        cell(17.25, says="wrong", reason="too much"), cell(17.5, says="wrong", reason="too much"),
        cell(0.004, says="unknown", reason="within the uncertainty of 0.05 s"),
        cell(0.002, says="unknown", reason="within the uncertainty of 0.03 s"),
    ]  # fmt: skip
    text = league.page({"cells": cells, "conditions": {"date": "2026-11-26"}})
    assert "- udhcpc, server killed: too much (2)\n" in text
    assert "2 of 4 cells.\n\n- udhcpc, server killed: within the uncertainty (2)\n" in text
    assert "| udhcpc | server killed | +17.2 |" in text


ROOT = Path(__file__).parents[2]


def test_page_and_readme_are_of_the_figures_that_are_kept() -> None:
    raw = (ROOT / league.RAW).read_text(encoding="utf-8")
    data = json.loads(raw)
    text = (ROOT / league.PAGE).read_text(encoding="utf-8")
    assert text == league.page(data)
    assert "| NO" not in text, "the lab and a measurement by hand do not agree: say why"
    found = league.REGION.findall((ROOT / league.README).read_text(encoding="utf-8"))
    assert found == [league.summary(data)]
    assert raw == league.kept(data)


def test_the_readme_has_the_extremes_and_the_worst_that_is_predicted() -> None:
    known = {"predicted": 18.6}
    assert league.brief([cell(0.25, **known), cell(0.5, **known)]) == "+0.25 to +0.50 (≤ +18.60)"
    assert league.brief([cell(17.25, **known)]) == "**+17.25** (≤ +18.60)"
    assert league.brief([cell("forever", predicted="unbounded")]) == "**forever** (no bound)"
    refused = {"fault": "NAK", "predicted": 1.1}
    assert league.brief([cell(-5, **refused, **{"after NAK": 0.25})]) == "+0.25"
    assert league.brief([cell(-5, **refused)]) == "none came"
    lost = {key: value for key, value in cell(0).items() if key != "holdover"}
    assert (league.brief([lost]), league.brief([])) == ("unknown", "")
    assert league.brief([lost, cell(17.25, **known)]) == "**+17.25** (≤ +18.60), n = 1"
    heeded = cell(-5, **refused, **{"after NAK": 0.25})
    assert league.brief([heeded, cell(-5, **refused)]) == "+0.25, n = 1", "in one none came"
