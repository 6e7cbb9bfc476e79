"""The page of cures: what it makes of a lab's figures, and that it is of these cures."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from holdover.model.clients.cures import cures
from tests.checkout import ROOT
from tests.measure import cures as page_of_cures
from tests.measure import cures_of_releases, patched
from tests.measure.lab_runs import number

RAW = ROOT / page_of_cures.RAW


def cell(client: str, holdover: float | str, **more: Any) -> dict[str, Any]:
    return {
        "client": client,
        "server": "kea",
        "fault": "frozen",
        "lease": 10,
        "repeat": 1,
        "outcome": "violated",
        "reason": "",
        "holdover": holdover,
        "removed_by": "kernel",
        "duplicate": 0.0,
    } | more


def test_the_page_is_that_of_the_figures() -> None:
    raw = RAW.read_text("utf-8")
    data = json.loads(raw)
    assert raw == page_of_cures.kept(data)
    assert page_of_cures.page(data) == (ROOT / page_of_cures.PAGE).read_text("utf-8")


@pytest.mark.parametrize("words", page_of_cures.played(page_of_cures.profiles()))
def test_each_client_and_cure_was_played_three_times_at_least_with_each_lease(words: str) -> None:
    data = json.loads(RAW.read_text("utf-8"))
    faults = [fault for fault in page_of_cures.FAULTS if fault != "hook"]
    faults += ["hook"] if cures_of_releases.has_hook(words) else []
    for lease in page_of_cures.LEASES:
        for fault in faults:
            cells = page_of_cures.cells_of(data, words, lease, fault)
            assert sum("holdover" in each for each in cells) >= 3, (words, lease, fault)


def test_a_cure_that_was_measured_makes_its_client_less_late() -> None:
    data = json.loads(RAW.read_text("utf-8"))
    for cure in cures():
        if cure.played:
            latest = [
                max(number(c["holdover"]) for c in data["cells"] if c["client"] == words)
                for words in (cure.profile, cure.played)
            ]
            assert latest[1] < latest[0], cure


def test_in_short_is_the_latest_and_how_many_are_late() -> None:
    cells = [cell("x", 3.0), cell("x", -1.0, outcome="holds"), cell("x", 0.01, outcome="unknown")]
    assert page_of_cures.in_short({"cells": cells}, "x") == ("+3.00", "1 of 3 late, 1 unknown")
    assert page_of_cures.in_short({"cells": cells[1:2]}, "x") == ("−1.00", "all 1 in time")
    endless = [cell("x", "unbounded")]
    assert page_of_cures.in_short({"cells": endless}, "x") == ("forever", "1 of 1 late")
    undecided = [cell("x", 0.01, outcome="unknown"), cell("x", -1.0, outcome="holds")]
    assert page_of_cures.in_short({"cells": undecided}, "x") == ("+0.010", "0 late, 1 unknown")


def test_what_is_played_again_takes_the_place_of_what_was() -> None:
    conditions = {"cells": "2", "date": "2026-11-28", "patched": "busybox 1"}
    before = {"conditions": conditions, "cells": [cell("udhcpc", 1.0), cell("connman", 2.0)]}
    gone = {**before, "cells": [*before["cells"], cell("no cure any more", 5.0)]}
    again = {
        "conditions": {"cells": "1", "date": "2026-11-29", "patched": "busybox 2"},
        "cells": [cell("udhcpc", 3.0)],
    }
    found = page_of_cures.mended(gone, again)
    assert [(c["client"], c["holdover"]) for c in found["cells"]] == [
        ("connman", 2.0),
        ("udhcpc", 3.0),
    ]
    assert found["conditions"]["played again"] == "1 clients and cures: 1, on 2026-11-29"
    assert found["conditions"]["patched"] == "busybox 2"


def test_each_patch_is_built_and_has_its_licence_beside_it() -> None:
    folder = ROOT / "docs" / "patches"
    readme = (folder / "README.md").read_text("utf-8")
    there = {each.name for each in folder.glob("*.patch")}
    assert there == {each.patch for each in patched.PATCHED}
    for name in there:
        text = (folder / name).read_text("utf-8")
        (licence,) = [line for line in text.splitlines() if line.startswith("License: ")]
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| [{name}]")]
        word = licence.removeprefix("License: ").partition(",")[0]
        assert word in row
        assert "Applied-Against: " in text
    assert {each.name for each in folder.glob("LICENSE.*")} == {"LICENSE.busybox", "LICENSE.dhcpcd"}
    built = {name for each in patched.PATCHED for name in each.made}
    wanted = {name for each in cures() for name in re.findall(r"\{built\}/([\w.]+)", each.played)}
    assert wanted
    assert wanted <= built
