"""The league page: what it makes of a lab's figures, and of measurements made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from holdover.model.clients.measurements import MeasuredCase
from holdover.reference.lab.experiments.life import LIFE
from holdover.reference.lab.roots.release import RELEASES
from holdover.reference.lab.testbed.process import PATIENCE
from tests.checkout import ROOT
from tests.measure import lab_runs, league, league_chart, league_runs, life, refusals, releases_page
from tests.measure.lab_runs import join_runs
from tests.measure.releases import ENDED


def cell(holdover: float | str, **more: Any) -> dict[str, Any]:
    return {
        "client": "udhcpc",
        "server": "kea",
        "fault": "server killed",
        "lease": 10,
        "repeat": 1,
        "outcome": "violated",
        "as_predicted": True,
        "reason": "",
        "holdover": holdover,
        "after_nak": None,
        "duplicate": 0.0,
        "removed_by": "process" if holdover != "unbounded" else "",
    } | more


def by_hand(low: float, high: float | None) -> MeasuredCase:
    there = None if high is None else Fraction(high)
    return MeasuredCase("udhcpc", "server killed", Fraction(10), Fraction(low), there, Fraction(0))


@pytest.mark.parametrize(
    ("row", "seen", "agree"),
    [
        (by_hand(17, 17.5), [cell(17.2)], "yes"),
        (by_hand(17, 17.5), [cell(18.4), cell(20)], "yes"),
        (by_hand(17, 17.5), [cell(19), cell(20)], "NO: 1.5 s apart"),
        (by_hand(17, 17.5), [cell(15)], "NO: 2.0 s apart"),
        (by_hand(17, 17.5), [cell(19.9, **{"removed_by": "kernel"})], "yes"),
        (by_hand(17, 17.5), [cell(17.2), cell("unbounded")], "NO"),
        (by_hand(30, None), [cell("unbounded")], "yes"),
        (by_hand(30, None), [cell("unbounded"), cell(17)], "NO"),
    ],
)
def test_two_measurements_agree_or_not(
    row: MeasuredCase, seen: list[dict[str, Any]], agree: str
) -> None:
    assert league.agreement(row, seen) == agree


def test_repeats_are_least_median_and_greatest() -> None:
    assert league.shown([cell(17.25), cell(16.5), cell(17.75)]) == (
        "+16.50 / +17.25 / +17.75 process"
    )
    assert league.shown([cell("unbounded", duplicate=12.3)]) == "forever; two hosts 12.30 s"
    refused = {"fault": "NAK", "removed_by": "process"}
    assert league.shown([cell(-5, **refused, **{"after_nak": 0.25})]) == "+0.25 process"
    assert league.shown([cell(-5, **refused)]) == "none came process"
    lost = {key: value for key, value in cell(0, reason="no frames").items() if key != "holdover"}
    assert league.shown([lost]) == "unknown: no frames"
    assert league.shown([lost, cell(17.25)]) == "+17.25 process (n = 1)"


CONDITIONS = {"date": "2026-11-26", "versions": "kea 2.2.0, udhcpc 1.35.0"}


def test_the_page_counts_what_is_wrong_and_unknown() -> None:
    cells = [
        cell(17.25, predicted=18.6, as_predicted=False, reason="too much"),
        cell(17.5, predicted=18.6, as_predicted=False, reason="too much"),
        cell(0.004, predicted=18.6, outcome="unknown", reason="within the uncertainty of 0.05 s"),
        cell(0.002, predicted=18.6, outcome="unknown", reason="within the uncertainty of 0.03 s"),
    ]
    text = league.page({"cells": cells, "conditions": CONDITIONS})
    assert "- udhcpc, server killed: too much (2)\n" in text
    assert "2 of 4 cells.\n\n- udhcpc, server killed: within the uncertainty (2)\n" in text
    assert "| udhcpc | server killed | +17.2 |" in text


def test_a_client_that_is_played_again_takes_the_place_of_its_cells() -> None:
    conditions = {"date": "2026-11-26", "versions": "kea 2.2.0, udhcpc 1.35.0", "cells": "2"}
    before = {"cells": [cell(17.25), cell(1, client="dhcpcd")], "conditions": conditions}
    anew = {"date": "2026-11-27", "versions": "kea 2.2.0, udhcpc 1.36.1", "cells": "1"}
    once = league_runs.mended(before, {"cells": [cell(18.5)], "conditions": anew})
    assert [c["holdover"] for c in once["cells"]] == [1, 18.5]
    assert once["conditions"]["versions"] == "kea 2.2.0, udhcpc 1.36.1"
    assert once["conditions"]["played again"] == "udhcpc: 1, on 2026-11-27"
    other = {**anew, "versions": "klibc-ipconfig 2.0.12"}
    ended = {"cells": [cell("unbounded", client="klibc-ipconfig")], "conditions": other}
    twice = league_runs.mended(once, ended)["conditions"]
    assert twice["versions"] == "kea 2.2.0, udhcpc 1.36.1, klibc-ipconfig 2.0.12"
    assert twice["played again"] == "udhcpc: 1, on 2026-11-27; klibc-ipconfig: 1, on 2026-11-27"


# After a DHCPNAK ---------------------------------------------------------------------------------

AFTER_21 = {"after_nak": 21.0}


def refused(**seconds: Sequence[float | str | None]) -> list[dict[str, Any]]:
    """Cells of a DHCPNAK, by lease: `at_10=(4.5, None)`."""
    return [
        cell(-5, fault="NAK", lease=int(name.removeprefix("at_")), **{"after_nak": each})
        for name, values in seconds.items()
        for each in values
    ]


@pytest.mark.parametrize(
    ("cells", "what", "text"),
    [
        (refused(at_10=(0.003, 0.02), at_40=(0.004, 0.9)), "obeyed", "+0.003 to +0.90"),
        (refused(at_10=(0.003, 0.02), at_40=(0.004, 21)), "lease", "0.00 to 0.53 of the lease"),
        (refused(at_10=(5.1, 5.3), at_40=(21, 20.8)), "lease", "0.51 to 0.53 of the lease"),
        # It stretches short leases: twice as long for four times the lease.
        (refused(at_10=(7, 7), at_40=(15, 15)), "lease", "0.38 to 0.70 of the lease"),
        (refused(at_10=(28, 28), at_40=(28, 28.01)), "time", "+28.00 to +28.01 s"),
        (refused(at_10=(6, 3), at_40=(4, 8.5)), "time", "+3.00 to +8.50 s"),
        (refused(at_10=(28, None), at_40=(None, 28)), "time", "+28.00 s"),
        (refused(at_10=(28, 5)), "one lease", "+5.00 to +28.00 (lease 10 s)"),
        (refused(at_10=(5, None), at_40=(None,)), "one lease", "+5.00 (lease 10 s)"),
        (refused(at_10=(5, "unbounded"), at_40=(21,)), "forever", "+5.00 to forever"),
        (refused(at_10=(None,), at_40=(None,)), "no NAK", "none came"),
    ],
)
def test_after_a_nak_a_figure_is_said_as_what_stays_the_same(
    cells: list[dict[str, Any]], what: str, text: str
) -> None:
    assert (refusals.hangs_on(cells), refusals.kept_for(cells)) == (what, text)


def test_naks_are_played_with_two_leases_and_with_an_offer_and_without() -> None:
    assert set(refusals.REFUSALS) == {"NAK", "NAK and offer", "NAK unicast"}
    leases = [int(run[run.index("--lease") + 1]) for run in league_runs.RUNS]
    assert leases == [10, 40]
    assert [f"--fault={name}" for name in refusals.REFUSALS] == list(league_runs.RUNS[1][-3:])


def test_the_pages_table_of_naks_has_each_lease_and_what_it_comes_to() -> None:
    offers = [each | {"fault": "NAK and offer"} for each in refused(at_10=(3,), at_40=(8.5,))]
    data = {"cells": refused(at_10=(5, 5.25), at_40=(21,)) + offers}
    *_, row = league.refusals(data).strip().splitlines()
    assert row == (
        "| udhcpc | +5.00 / +5.25 process | +21.00 process | 0.50 to 0.53 of the lease "
        "| +3.00 process | +8.50 process | 0.21 to 0.30 of the lease |"
    )


def test_runs_come_together_as_one() -> None:
    def ran(cells: str, took: str, fault: str) -> dict[str, Any]:
        about = {"date": "2026-11-26", "cells": cells, "took": took}
        return {"conditions": about, "cells": [cell(1, fault=fault)]}

    data = join_runs([ran("9, 3 at once", "2 s", "hook"), ran("4, 2 at once", "5 s", "NAK")])
    assert data["conditions"]["cells"] == "9, 3 at once + 4, 2 at once"
    assert data["conditions"]["took"] == "2 s + 5 s"
    assert [each["fault"] for each in data["cells"]] == ["hook", "NAK"]


def test_runs_that_are_played_at_once_share_the_jobs_by_their_work() -> None:
    """And what each says is read, in the order of the runs."""
    usual = ["lab", "run", "--client=a", "--server", "kea", "--repeat", "3", "--watch", "30"]
    short = lab_runs.work([*usual, "--lease", "10", "--fault=frozen"])
    assert short == 3 * (lab_runs.BEGIN + 10 + 15)
    assert lab_runs.work([*usual, "--client=b", "--lease", "10", "--fault=frozen"]) == 2 * short
    refused = lab_runs.work([*usual, "--lease", "40", "--fault=NAK"])
    assert refused == 3 * (lab_runs.BEGIN + 60 + 15), "it is renewed once more"
    blocked = lab_runs.work([*usual, "--lease", "10", "--fault=hook"])
    assert blocked == 3 * (lab_runs.BEGIN + 10 + 45)
    ended = lab_runs.work([*usual, "--lease", "10", "--fault=ended"])
    assert ended == 3 * (lab_runs.BEGIN + 15 + lab_runs.MORE + 15)
    usual[usual.index("30")] = "130"
    stays = lab_runs.work([*usual, "--lease", "10", "--fault=frozen"])
    assert stays == 3 * (lab_runs.BEGIN + 10 + 130), "for that client"


LAB = f"""
import json, os, sys, time
from pathlib import Path
if "--client=ends" in sys.argv: sys.exit(2)
there = Path(os.environ["HOLDOVER_RUNS"])
(there / str(os.getpid())).touch()
end = time.monotonic() + {PATIENCE}
while "--client=alone" not in sys.argv and len(list(there.iterdir())) < 2:
    assert time.monotonic() < end, "the other one does not run"
    time.sleep(0.01)
print(json.dumps({{"words": sys.argv[1:]}}))
sys.exit(3)
"""
"""A run that ends when another one runs too."""


def test_runs_are_played_beside_each_other_and_read_in_their_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lab_runs, "COMMANDS", LAB)
    monkeypatch.setenv("HOLDOVER_RUNS", str(tmp_path))
    usual = ["lab", "run", "--server=kea", "--repeat=1", "--watch=30", "--fault=frozen"]
    runs = [[*usual, "--client=a", "--lease=10"], [*usual, "--client=b", "--lease=43"]]
    first, second = lab_runs.run_beside(runs, 30)
    assert [*first["words"], *second["words"]] == [
        *(*runs[0], "--jobs", "10", "--json"),
        *(*runs[1], "--jobs", "20", "--json"),
    ]
    alone, ends = ([*usual, f"--client={name}", "--lease=10"] for name in ("alone", "ends"))
    with pytest.raises(SystemExit, match=r"holdover lab run .*--client=ends.*: exit status 2"):
        lab_runs.run_beside([alone, ends], 30)


def test_the_whole_is_played_at_once_and_each_part_has_its_own_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run_beside(runs: Sequence[Sequence[str]], jobs: int) -> list[dict[str, Any]]:
        about = {"date": "2026-11-29", "took": "9 s"}
        return [
            {
                "conditions": {**about, "cells": run[-1]},
                "cells": [cell(number, root=None, fault=run[0])],
            }
            for number, run in enumerate(runs)
        ]

    found = {"in depth": [["a"], ["b"]], "releases": [["c"]], "life": [["d"], ["e"]]}

    monkeypatch.setattr(league_runs, "run_beside", run_beside)
    monkeypatch.setattr(
        league_runs,
        "runs_of",
        lambda parts, roots, names, faults: [(p, r) for p in parts for r in found[p]],
    )
    whole = league_runs.measured(league_runs.PARTS, [], [], [], 7)
    assert whole["in depth"]["conditions"]["took"] == "9 s + 9 s"
    assert [each["holdover"] for each in whole["life"]["cells"]] == [3, 4]
    assert whole["whole"].endswith("s: 5 cells, 7 at once")
    before = {"conditions": CONDITIONS | {"whole": "1 s"}, "cells": [cell(8, root=None)]}
    before |= {
        part: {"conditions": {}, "cells": [cell(9, root=None)]} for part in ("releases", "life")
    }
    data = league_runs.merged(before, whole, few=False)
    assert data["conditions"]["whole"] == whole["whole"]
    assert [each["holdover"] for each in data["cells"]] == [0, 1]
    assert [each["holdover"] for each in data["releases"]["cells"]] == [2]
    assert f"and writes it, in {whole['whole']}:" in league.measured_at_once(data)
    assert "played again" not in league.measured_at_once(data)
    one = league_runs.merged(before, league_runs.measured(["life"], [], [], [], 7), few=False)
    assert "whole" not in one["conditions"], "one command has not measured all of it"
    assert [each["holdover"] for each in one["cells"]] == [8]
    few = league_runs.merged(before, league_runs.measured(["life"], [], [], [], 7), few=True)
    assert [each["holdover"] for each in few["life"]["cells"]] == [9, 0, 1]
    assert few["conditions"]["whole"] == "1 s"
    assert "Some cells were played again since then" in league.measured_at_once(few)


def test_a_fault_is_played_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(league_runs, "clients_here", lambda: ["udhcpc"])
    every = [run for _, run in league_runs.runs_of(["life"], [], [])]
    (only,) = [run for _, run in league_runs.runs_of(["life"], [], [], ["link moved"])]
    assert [{*run} - {*only} for run in every] == [
        {f"--fault={fault.name}" for fault in LIFE if fault.name != "link moved"}
    ]
    assert [word for word in only if word.startswith("--fault")] == ["--fault=link moved"]


# The pages ---------------------------------------------------------------------------------------


def test_page_and_readme_are_of_the_figures_that_are_kept() -> None:
    raw = (ROOT / league.RAW).read_text(encoding="utf-8")
    data = json.loads(raw)
    text = (ROOT / league.PAGE).read_text(encoding="utf-8")
    assert text == league.page(data)
    assert "| NO" not in text, "the lab and a measurement by hand do not agree: say why"
    found = league.REGION.findall((ROOT / league.README).read_text(encoding="utf-8"))
    assert found == [league.readme_part(data)]
    assert (ROOT / league.CHART).read_text(encoding="utf-8") == league_chart.chart(data)
    picture = (ROOT / league.RELEASES_CHART).read_text(encoding="utf-8")
    assert picture == releases_page.chart(data["releases"])
    assert raw == league.kept(data)


def test_each_key_that_is_kept_is_explained_and_the_file_says_what_it_is() -> None:
    assert tuple(league.MEANINGS) == league.KEPT
    data = json.loads((ROOT / league.RAW).read_text(encoding="utf-8"))
    assert {key: data[key] for key in league.SCHEMA} == league.SCHEMA
    for each in (*data["cells"], *data["releases"]["cells"]):
        assert set(each) <= set(league.KEPT)
    for each in data["life"]["cells"]:
        assert set(each) <= {*league.KEPT, *life.KEPT}


def test_four_releases_are_there_with_twenty_versions_and_five_runs_of_each() -> None:
    data = json.loads((ROOT / league.RAW).read_text(encoding="utf-8"))["releases"]
    assert releases_page.releases_of(data) == list(RELEASES)
    assert releases_page.count_versions(data) >= 20
    for client, release, _ in releases_page.rows(data):
        for fault in ENDED:
            there = releases_page.values(data, client=client, root=release, fault=fault)
            assert len(there) >= 5, (client, release, fault)
    assert releases_page.wrong(data) == []
    assert all(each["reason"] for each in data["cells"] if each["outcome"] == "unknown")


def test_the_summary_has_the_extremes_and_the_worst_that_is_predicted() -> None:
    known = {"predicted": 18.6}
    assert league.brief([cell(0.25, **known), cell(0.5, **known)]) == "+0.25 to +0.50 (≤ +18.60)"
    assert league.brief([cell(17.25, **known)]) == "**+17.25** (≤ +18.60)"
    assert league.brief([cell("unbounded", predicted="unbounded")]) == "**forever** (no bound)"
    refused = {"fault": "NAK", "predicted": 1.1}
    assert league.brief([cell(-5, **refused, **{"after_nak": 0.25})]) == "+0.25"
    assert league.brief([cell(-5, **refused)]) == "none came"
    lost = {key: value for key, value in cell(0).items() if key != "holdover"}
    assert (league.brief([lost]), league.brief([])) == ("unknown", "")
    assert league.brief([lost, cell(17.25, **known)]) == "**+17.25** (≤ +18.60), n = 1"
    kept = [cell(-5, **refused, **{"after_nak": 5.25}), cell(-20, **refused, **AFTER_21, lease=40)]
    assert league.brief(kept) == "**0.53 of the lease**"
    heeded = cell(-5, **refused, **{"after_nak": 0.25})
    assert league.brief([heeded, cell(-5, **refused)]) == "+0.25, n = 1", "in one none came"
