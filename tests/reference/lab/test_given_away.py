"""The page of what was given away: what it makes of a lab's figures."""

from __future__ import annotations

import json
from typing import Any

from tests.checkout import ROOT
from tests.measure import given_away


def cell(displaced: float | str | None, **more: Any) -> dict[str, Any]:
    return {
        "client": "udhcpc",
        "fault": "given away",
        "lease": 40,
        "as_predicted": True,
        "reason": "",
        "displaced": displaced,
        "predicted_displaced": 20.0,
    } | more


def test_a_row_has_the_repeats_the_bound_and_how_near_they_came() -> None:
    assert given_away.row([cell(10.0), cell(19.0), cell(12.0)]) == [
        "10.00 / 12.00 / 19.00",
        "20.00",
        "0.95",
        "",
    ]


def test_what_is_longer_than_predicted_is_said_and_what_has_no_end() -> None:
    beyond = given_away.row([cell(10.0), cell(21.0, as_predicted=False, reason="too long")])
    assert beyond == ["10.00 / 21.00", "20.00", "1.05", "**longer than predicted**"]
    endless = given_away.row([cell("unbounded", predicted_displaced="unbounded")])
    assert endless == ["forever", "no bound", "", ""]
    refuted = given_away.row([cell("unbounded")])
    assert refuted == ["forever", "20.00", "", "**longer than predicted**"]


def test_what_was_fitted_is_no_prediction() -> None:
    assert given_away.row([cell(10.0, client="dhcpcd")])[3] == "fitted: `kernel_late`"


def test_what_was_not_measured_is_no_figure() -> None:
    never = cell(None, reason="no DHCPNAK came")
    assert given_away.row([never]) == ["unknown", "", "", "no DHCPNAK came"]
    assert given_away.row([cell(3.0), never])[3] == "n = 1 of 2"
    late = cell(3.0, as_predicted=False, reason="it heeds the DHCPNAK late")
    assert given_away.row([late])[3] == "it heeds the DHCPNAK late"


def test_the_page_is_that_of_the_figures() -> None:
    raw = (ROOT / given_away.RAW).read_text("utf-8")
    data = json.loads(raw)
    assert raw == given_away.kept(data)
    assert given_away.page(data) == (ROOT / given_away.PAGE).read_text("utf-8")
    assert {c["fault"] for c in data["cells"]} == set(given_away.FAULTS)
    wrong = {c["client"] for c in data["cells"] if "were predicted" in c["reason"]}
    assert wrong == set(), "who keeps it for longer than the model allows?"
    assert len({c["client"] for c in data["cells"]}) >= 6
