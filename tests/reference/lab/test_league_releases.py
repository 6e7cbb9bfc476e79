"""The league over releases: which cells are played, and what the page makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdover.reference.lab.experiments.life import LIFE
from holdover.reference.lab.roots.root import Root
from tests.measure import league, league_runs, life, releases, releases_page
from tests.reference.lab.test_roots import of_debian

VERSIONS = {"bullseye": "1.30.1", "trixie": "1.37.0"}


def cell(release: str, holdover: float | str | None, **more: Any) -> dict[str, Any]:
    """A cell of udhcpc; without a holdover it was not played."""
    seen = {} if holdover is None else {"holdover": holdover}
    return (
        {
            "client": "udhcpc",
            "root": release,
            "client_version": VERSIONS.get(release, "9"),
            "fault": "server killed",
            "repeat": 1,
            "outcome": "violated",
            "as_predicted": True,
            "reason": "",
            "after_nak": None,
        }
        | seen
        | more
    )


def of(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": {"date": "2026-11-29"}, "cells": [*cells]}


def test_a_line_is_a_client_of_a_release_with_its_version() -> None:
    data = of(cell("bullseye", 107.2), cell("bullseye", 107.5), cell("trixie", 17.25))
    *_, first, second = releases_page.by_version(data).strip().splitlines()
    assert first == (
        "| busybox udhcpc with Debian's script | bullseye | 1.30.1 | **+107.20 to +107.50** "
        "|   |   |   |   |"
    )
    assert "| trixie | 1.37.0 | **+17.25** |" in second


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ((cell("bullseye", 107.2), cell("trixie", 17.25)), "+107.20 in 1.30.1, +17.25 in 1.37.0"),
        ((cell("bullseye", "unbounded"), cell("trixie", 17.25)), "forever in 1.30.1, +17.25"),
        ((cell("bullseye", 17.75), cell("trixie", 17.25)), "the same in each, from 1.30.1 to"),
        (
            (cell("bullseye", 17.0), cell("bullseye", 19.0), cell("trixie", 18.5)),
            "the same in each",
        ),
        ((cell("bullseye", 17.0), cell("trixie", None)), "none in trixie"),
        (
            (
                cell("bullseye", 5.0, fault="NAK", after_nak=7.0),
                cell("trixie", 1.0, fault="NAK", after_nak=0.25),
            ),
            "after DHCPNAK: +7.00 in 1.30.1, +0.25 in 1.37.0",
        ),
    ],
)
def test_a_change_is_told_where_the_runs_are_apart(
    cells: tuple[dict[str, Any], ...], said: str
) -> None:
    (line,) = [each for each in releases_page.changes(of(*cells)) if "udhcpc" in each]
    assert said in line


def test_a_client_that_never_started_is_told_apart_with_its_words() -> None:
    lost = cell("trixie", None, outcome="unknown", reason="trixie/udhcpc: it has | ended")
    data = of(cell("bullseye", 17.0), lost)
    assert "trixie" not in releases_page.by_version(data)
    assert "| 1.37.0 | it has \\| ended |" in releases_page.unplayed(data)
    assert releases_page.unknown(data) == "None."
    once = cell("bullseye", 0.0, outcome="unknown", reason="within the uncertainty of 0.03 s")
    assert releases_page.unknown(of(once, once)) == (
        "- bullseye/udhcpc, server killed: within the uncertainty (2)"
    )


def test_versions_are_counted_once_and_what_is_late_is_counted_at_its_worst() -> None:
    again = cell("sid", 0.5, client_version="1.37.0")
    data = of(cell("bullseye", 0.5), cell("bullseye", "unbounded"), cell("trixie", 17.0), again)
    assert releases_page.count_versions(data) == 2
    assert releases_page.sentence(data).startswith("Of 3 clients in 3 releases of Debian, 1 kept")
    assert "1 for more than 1 s, and 1 for at most 1 s" in releases_page.sentence(data)
    picture = releases_page.chart(data)
    assert "for ever" in picture
    assert "+17.00 s" in picture


def test_what_is_above_a_prediction_is_counted() -> None:
    assert len(releases_page.wrong(of(cell("trixie", 1.0, as_predicted=False)))) == 1
    within = {**of(), "releases": of(cell("trixie", 1.0, as_predicted=False))}
    assert len(league.above(within)) == 1, "the command fails then"


def test_cells_that_are_played_again_take_the_place_of_their_client_and_fault() -> None:
    before = of(cell("trixie", 17.0), cell("trixie", 9.0, fault="frozen"), cell("sid", 17.0))
    again = {"conditions": {"cells": "1, 1 at once"}, "cells": [cell("trixie", 18.0)]}
    found = league_runs.replaced(before, again)
    assert [each["holdover"] for each in found["cells"]] == [9.0, 17.0, 18.0]
    assert found["conditions"]["played again"] == "trixie/udhcpc, server killed: 1, 1 at once"


def test_each_client_that_is_in_a_root_is_played_and_five_times(tmp_path: Path) -> None:
    old = Root(
        "bullseye",
        of_debian(
            tmp_path / "old", "udhcpc", "1:1.30.1-6", "/bin/udhcpc", "/etc/udhcpc/default.script"
        ),
    )
    new = Root(
        "sid",
        of_debian(
            tmp_path / "new",
            "udhcpc",
            "1:1.38.0-1",
            "/bin/udhcpc",
            "/etc/udhcpc/default.script",
            "/usr/sbin/NetworkManager",
            "/usr/bin/dbus-daemon",
            "/sbin/dhcpcd",
            "/usr/libexec/iwd",
        ),
    )
    runs = [*releases.runs([old, new])]
    played = [[w.partition("=")[2] for w in run if w.startswith("--client")] for run in runs]
    assert played == [
        ["sid/udhcpc", "sid/dhcpcd", "sid/networkmanager"],
        ["bullseye/udhcpc"],
        ["sid/udhcpc", "sid/dhcpcd"],
        ["sid/udhcpc", "sid/dhcpcd", "sid/networkmanager"],
        ["sid/networkmanager-dhcpcd", "sid/iwd"],
    ]
    repeats = [run[run.index("--repeat") + 1] for run in runs]
    assert repeats == ["5", "5", "5", "5", "1"]
    watches = [int(run[run.index("--watch") + 1]) for run in runs]
    assert watches[1] > 122 - 10, "as long as it holds"
    few = [*releases.runs([old, new], ["udhcpc"])]
    assert {w for run in few for w in run if w.startswith("--client")} == {
        "--client=sid/udhcpc",
        "--client=bullseye/udhcpc",
    }


# A lease's life ----------------------------------------------------------------------------------


def of_life(
    fault: str, holdover: float | str | None, *, released: bool = False, **more: Any
) -> dict[str, Any]:
    seen = {} if holdover is None else {"released": released}
    return cell("x", holdover, fault=fault, lease=20, **seen, **more)


def test_a_life_has_a_column_a_fault_and_says_who_gives_back() -> None:
    data = of(
        of_life("ended", -19.5, released=True, root=None),
        of_life("ended", "unbounded", root=None),
        of_life("restarted", 0.25, root=None),
        of_life("link moved", None, reason="no lease", outcome="unknown", root=None),
    )
    text = life.section(data)
    assert (
        "| busybox udhcpc with Debian's script | **−19.50 to forever** | 1 of 2 | +0.25 "
        "| unknown: no lease |"
    ) in text
    assert "restarted late" not in text, "nobody has played it"
    assert "Above what the model allows: 0 of 4 cells.  Unknown: 1." in text


def test_the_life_of_releases_has_a_column_a_release_and_a_line_a_fault() -> None:
    mine = of_life("ended", -19.5) | {"root": None}
    theirs = [
        of_life("ended", "unbounded") | {"root": "bullseye"},
        of_life("ended", -1.0) | {"root": "trixie"},
        of_life("restarted", None, reason="no lease", outcome="unknown") | {"root": "trixie"},
    ]
    text = life.section(of(mine, *theirs))
    title = "busybox udhcpc with Debian's script"
    assert f"| {title} | −19.50 | 0 of 1 |" in text, "the machine's own are not mixed with them"
    assert "| client | fault | bullseye | trixie |" in text
    assert f"| {title} | ended | **forever** | −1.00 |" in text
    assert f"| {title} | restarted |   | unknown: no lease |" in text
    assert "- trixie/udhcpc, restarted: no lease (1)" in text
    assert "fault |" not in life.section(of(mine))


def test_a_life_is_played_with_each_fault_that_there_is_of_it_in_each_release(
    tmp_path: Path,
) -> None:
    files = ("/bin/udhcpc", "/etc/udhcpc/default.script")
    old = Root("bullseye", of_debian(tmp_path / "old", "udhcpc", "1:1.30.1-6", *files))
    new = Root("sid", of_debian(tmp_path / "new", "udhcpc", "1:1.38.0-1", *files))
    usual, long = life.runs_of_releases([old, new])
    for run, client, watch in ((usual, "sid", "20"), (long, "bullseye", "130")):
        assert [w for w in run if w.startswith("--client")] == [f"--client={client}/udhcpc"]
        assert [w for w in run if w.startswith("--fault")] == [f"--fault={f.name}" for f in LIFE]
        assert run[run.index("--watch") + 1] == watch
        assert int(run[run.index("--repeat") + 1]) >= 3
    assert [*life.runs_of_releases([new], ["dhcpcd"])] == []


def test_a_life_is_played_with_each_fault_that_there_is_of_it() -> None:
    assert [each for each in life.RUN if each.startswith("--fault")] == [
        f"--fault={each.name}" for each in LIFE
    ]
