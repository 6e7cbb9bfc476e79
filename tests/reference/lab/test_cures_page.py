"""The page of cures: what it makes of a lab's figures, and that it is of these cures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median_low
from typing import Any

import pytest

from holdover.model.clients.cures import cures
from holdover.reference.lab.experiments.verdict import OBEYED
from holdover.reference.lab.roots.root import Root
from holdover.reference.lab.testbed.client_program import ClientProgram
from tests.checkout import ROOT
from tests.measure import cures as page_of_cures
from tests.measure import cures_of_releases, patched
from tests.measure.lab_runs import cells_of, number
from tests.measure.refusals import after_refusal

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


def latest(*cells: dict[str, Any]) -> str:
    return cures_of_releases.latest(cells, cures_of_releases.after_end)


def test_the_latest_is_told_with_how_many_are_late_or_unknown() -> None:
    early = cell("x", -1.0, outcome="holds")
    undecided = cell("x", 0.01, outcome="unknown", reason="within the uncertainty of 0.02 s")
    assert latest(cell("x", 3.0), early, undecided) == "**+3.00** (1 of 3 late, 1 unknown)"
    assert latest(early) == "−1.00"
    assert latest(cell("x", "unbounded")) == "**forever** (1 of 1 late)"
    assert latest(undecided, early) == "+0.010 (1 unknown)"
    spoiled = cell("x", 9.0, outcome="unknown", reason="for 9.28 s another program held the lock")
    assert latest(spoiled, early) == "−1.00 (1 unknown)", "the lock's lateness is not the client's"
    assert latest(spoiled) == "unknown (1 unknown)"
    assert latest() == ""
    refused = cell("x", -1.0, outcome="holds", after_nak=None)
    assert cures_of_releases.latest([refused], after_refusal) == "none came"


def releases() -> Any:
    return json.loads(RAW.read_text("utf-8"))["releases"]


@pytest.mark.parametrize("release", cures_of_releases.RELEASES)
def test_each_client_and_cure_of_a_release_was_played_three_times_at_least(release: str) -> None:
    cells = cells_of(releases(), root=release)
    played = {each["client"] for each in cells}
    known = [cure for cure in cures() if cure.profile in played]
    assert len({cure.profile for cure in known}) >= 8
    for cure in known:
        if not cures_of_releases.is_built(cure, release):
            assert cure.played not in played
            continue
        for words in filter(None, (cure.profile, cure.played)):
            faults = ["server killed", "frozen", "kill -9"]
            faults += ["hook"] if cures_of_releases.has_hook(words) else []
            faults += [] if words in cures_of_releases.silent() else ["NAK"]
            for fault in faults:
                mine = [c for c in cells if (c["client"], c["fault"]) == (words, fault)]
                assert sum("holdover" in each for each in mine) >= 3, (words, fault)


def test_no_cure_makes_a_client_obey_a_dhcpnak_that_does_not_without() -> None:
    data, obeyed = releases(), 0
    for cure in cures():
        for release in cures_of_releases.RELEASES if cure.played else ():
            before, after = (
                cures_of_releases.cells_in(data, release, words, refused=True)
                for words in (cure.profile, cure.played)
            )
            if after_refusal(after) and median_low(after_refusal(after)) <= OBEYED:
                obeyed += 1
                assert median_low(after_refusal(before)) <= OBEYED, (cure, release)
    assert obeyed


def test_what_is_played_in_a_root_is_what_its_release_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("udhcpc", "default.script"):
        (tmp_path / "trixie").mkdir(exist_ok=True)
        (tmp_path / "trixie" / name).touch()
    monkeypatch.setattr(ClientProgram, "missing", lambda each: "udhcpc" not in each.name or None)
    monkeypatch.setattr(ClientProgram, "version", lambda each: "1.37.0")
    root = Root("trixie", tmp_path)
    (first, names), (refused, _) = cures_of_releases.runs(root, tmp_path, 5)
    assert set(names.values()) == {
        "udhcpc",
        *(cure.played for cure in cures() if cure.profile == "udhcpc"),
    }
    assert f"--root=trixie={tmp_path}" in first
    assert "--client=trixie/udhcpc" in first
    assert any(each.startswith(f"--client={{file:{tmp_path}/trixie/udhcpc}}") for each in first)
    assert [each for each in first if each.startswith("--fault=")] == [
        f"--fault={fault}" for fault in cures_of_releases.FAULTS
    ]
    assert "--fault=NAK" in refused
    monkeypatch.setattr(ClientProgram, "version", lambda each: "1.30.1")
    (long, _), (usual, _), _ = cures_of_releases.runs(Root("bullseye", tmp_path), tmp_path, 5)
    assert ["--client=bullseye/udhcpc" in each for each in (long, usual)] == [True, False]
    assert (long[long.index("--watch") + 1], usual[usual.index("--watch") + 1]) == ("130", "30")


def test_what_a_lock_has_spoiled_is_played_again_with_its_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientProgram, "version", lambda each: "1.30.1")
    spoiled = {"outcome": "unknown", "reason": "for 9 s another program held the lock"}
    before = {
        "cells": [
            cell("udhcpc", 1.0, root="bullseye", **spoiled),
            cell("udhcpc", 1.0, root="bullseye", fault="NAK", **spoiled),
            cell("connman", 1.0, root="bullseye", **spoiled),
            cell(
                "networkd",
                0.0,
                root="bullseye",
                outcome="unknown",
                reason="within the uncertainty of 1 s",
            ),
            cell("dhcpcd", 1.0, root="sid", **spoiled),
        ]
    }
    root = Root("bullseye", tmp_path)
    found = [words for words, _ in cures_of_releases.runs_again(root, tmp_path, 5, before)]
    told = [
        (
            [word.partition("=")[2] for word in words if word.startswith(("--client", "--fault"))],
            words[words.index("--lease") + 1],
            words[words.index("--watch") + 1],
        )
        for words in found
    ]
    assert told == [
        (["bullseye/connman", "frozen"], "10", "30"),
        (["bullseye/udhcpc", "frozen"], "10", "130"),
        (["bullseye/udhcpc", "NAK"], "40", "30"),
    ]


def test_what_is_played_again_and_no_less_spoiled_changes_nothing() -> None:
    spoiled = {"root": "sid", "outcome": "unknown", "reason": "for 9 s a program held the lock"}
    both = [cell("connman", 1.0, **spoiled), cell("connman", 2.0, **spoiled)]
    better = [cell("connman", 3.0, **spoiled), cell("connman", 4.0, root="sid")]
    told = cures_of_releases.less_spoiled({"cells": both}, {"cells": better})
    assert told["cells"] == better
    assert cures_of_releases.less_spoiled({"cells": both}, {"cells": both})["cells"] == []


def test_a_root_that_is_played_again_takes_the_place_of_its_cells() -> None:
    before = {
        "conditions": {"sid": "old", "trixie": "old"},
        "cells": [cell("udhcpc", 1.0, root="sid"), cell("udhcpc", 2.0, root="trixie")],
    }
    again = {"conditions": {"sid": "new"}, "cells": [cell("udhcpc", 3.0, root="sid")]}
    found = cures_of_releases.mended(before, again)
    assert [(c["root"], c["holdover"]) for c in found["cells"]] == [("trixie", 2.0), ("sid", 3.0)]
    assert found["conditions"] == {"trixie": "old", "sid": "new"}
    both = {**before, "cells": [*before["cells"], cell("connman", 4.0, root="sid")]}
    found = cures_of_releases.mended(both, again)
    assert [c["holdover"] for c in found["cells"]] == [2.0, 4.0, 3.0]
    assert found["conditions"]["sid"] == "old; played again: new"


def test_what_stays_late_is_told_with_its_fault() -> None:
    mine = next(cure for cure in cures() if cure.played)
    cells = [
        cell(mine.played, 3.0, root="sid"),
        cell(mine.played, -1.0, root="sid", fault="hook", outcome="holds"),
    ]
    ((*_, kind, release, late),) = cures_of_releases.still_late({"cells": cells})
    assert (kind, release, late) == (mine.kind, "sid", "frozen: +3.00 kernel")


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
