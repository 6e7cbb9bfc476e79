"""The page of the reference client's figures: what it claims, and what it may not claim."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.faults import FAULTS, find_fault
from tests.checkout import ROOT
from tests.measure import never_late
from tests.measure import never_late_page as page

IN_TIME = {
    "holdover": -2.5,
    "measured_lease": 10,
    "after_nak": None,
    "uncertainty": 0.04,
    "removed_by": "kernel",
    "predicted": 0.0,
    "locked": 0.0,
    "reason": "",
}


def cell(fault: str, **more: Any) -> dict[str, Any]:
    return {"fault": fault, "lease": 10, "repeat": 1} | IN_TIME | more


def lost(fault: str) -> dict[str, Any]:
    return {"fault": fault, "lease": 10, "repeat": 1, "reason": "no frames", "predicted": None}


GOOD = [
    cell("frozen"),
    cell("NAK", after_nak=0.01, removed_by="process"),
    cell("shortened=0s", measured_lease=0, holdover=0.004, predicted=0.1),
]
UNREAD = cell("shortened lost=2s", holdover=5.5, measured_lease=2, predicted=8.0)
BUSY = cell("kernel busy", holdover=10.0, locked=15.0, predicted=15.0)


# What is claimed ---------------------------------------------------------------------------------


def test_never_late_is_claimed_where_nothing_is_late_on_the_premises() -> None:
    cells = [*GOOD, UNREAD, BUSY]
    assert page.title(cells) == "Never late, on 2 premises"
    said = " ".join(page.claim(cells).split())
    assert "late in 0 of 3 runs, with 3 faults and leases of 10 s." in said
    assert "late in 1 of 1 runs, by +5.50 s at most, and never later than the model" in said
    assert "late in 1 of 1 runs, by +10.00 s at most, and never later than the model" in said
    assert page.status(cells) == 0


@pytest.mark.parametrize(
    ("odd", "title", "status"),
    [
        (cell("frozen", holdover=0.01), "Late in 1 of 4 runs", page.LATE),
        (cell("NAK", after_nak=1.5), "Late in 1 of 4 runs", page.LATE),
        (cell("shortened=2s", holdover=5, measured_lease=2), "Late in 1 of 4 runs", page.LATE),
        (cell("shortened=0s", holdover=1.2, measured_lease=0), "Late in 1 of 4 runs", page.LATE),
        (cell("frozen", holdover="unbounded"), "Late in 1 of 4 runs", page.LATE),
        (lost("frozen"), "Late or not: not all of it is known", page.UNKNOWN),
        (cell("NAK"), "Late or not: not all of it is known", page.UNKNOWN),
        # Without a premise it may be late, and no later than the model allows.
        (cell("kernel busy", holdover=16, predicted=15), "Never late, on 2 premises", page.LATE),
        (cell("kernel busy", holdover=15.01, predicted=15), "Never late, on 2 premises", 0),
        (lost("shortened killed"), "Never late, on 2 premises", page.UNKNOWN),
    ],
)
def test_it_is_not_claimed_otherwise(odd: dict[str, Any], title: str, status: int) -> None:
    cells = [*GOOD, UNREAD, odd]
    assert (page.title(cells), page.status(cells)) == (title, status)
    assert page.title([*cells, BUSY]) == title, "a premise that is broken changes nothing"
    if status == page.LATE and "Late in" in title:
        assert page.title([*cells, lost("hook")]) == title, "what is known is not unknown"


def test_nothing_is_claimed_of_nothing() -> None:
    assert page.title([UNREAD, BUSY]) == "Late or not: not all of it is known"
    assert "not measured" in page.claim(GOOD)


def test_each_premise_is_broken_by_some_fault_that_is_played_and_no_fault_breaks_two() -> None:
    faults = [find_fault(name) for name in never_late.USUAL]
    assert None not in faults
    breaks = {
        each.name: [premise.breaks(each) for premise in page.PREMISES]
        for each in faults
        if each is not None
    }
    assert all(sum(each) <= 1 for each in breaks.values())
    assert [any(column) for column in zip(*breaks.values(), strict=True)] == [True, True]
    unread = [name for name, (first, _) in breaks.items() if first]
    assert {name.split("=")[0] for name in unread} == {
        "shortened frozen",
        "shortened killed",
        "shortened lost",
    }


# Tables ------------------------------------------------------------------------------------------


def test_a_row_tells_how_many_are_late_and_what_the_model_allows() -> None:
    again = UNREAD | {"repeat": 2, "holdover": -0.5}
    text = page.tables([*GOOD, UNREAD, again, BUSY])
    assert (
        "| frozen: the client's processes are stopped | −2.50 (n = 1) | kernel | 0 of 1 |" in text
    )
    assert "| −0.50 / +2.50 / +5.50 (n = 2, ≤ +8.00) | kernel | 1 of 2 |" in text
    assert "| +10.00 (n = 1, ≤ +15.00) | kernel | 1 of 1 |" in text
    assert "Late on these premises: 0 of 3.\n" in text
    assert "Later than the model allows: 0 of 6.\n" in text


def test_a_lease_that_a_fault_was_not_played_with_is_left_empty() -> None:
    text = page.figures([cell("frozen"), cell("hook", lease=20)], page.holdover)
    assert "| −2.50 (n = 1) |   | kernel | 0 of 1 |" in text


# What is played ----------------------------------------------------------------------------------


def test_what_would_not_shorten_a_lease_is_not_played() -> None:
    def leases(name: str) -> list[int]:
        fault = find_fault(name)
        assert isinstance(fault, Fault)
        wanted = never_late.cells((10, 20, 60), [fault], 2, "reference", "holdover")
        return [each.lease for each in wanted]

    assert leases("shortened=10s") == [20, 20, 60, 60]
    assert leases("frozen") == [10, 10, 20, 20, 60, 60]
    assert leases("kernel busy") == [10, 10, 20, 20], "it holds up the whole machine"
    assert FAULTS["kernel busy"].alone


# The files ---------------------------------------------------------------------------------------


def test_page_and_readme_are_of_the_figures_that_are_kept() -> None:
    raw = (ROOT / page.RAW).read_text(encoding="utf-8")
    found = json.loads(raw)
    assert (ROOT / page.PAGE).read_text(encoding="utf-8") == page.page(found)
    said = page.REGION.findall((ROOT / page.README).read_text(encoding="utf-8"))
    assert said == [page.sentence(found)]
    assert raw == page.kept(found)
