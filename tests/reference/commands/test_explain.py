"""`holdover explain`: a collision told, and a journal judged."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from holdover.reference.commands import explain as explain_command
from holdover.reference.refinement.defects import all_defects, mutant
from tests.reference.commands.running import as_json, refused, run, told
from tests.reference.validation.rehearsal import frozen, late_lease, rehearsed, renewed

pytestmark = pytest.mark.usefixtures("judged_once")


def test_explain_tells_and_draws() -> None:
    shown = told(run("explain", "wfwg311"), 1)
    assert "Q151387 SYMPTOMS" in shown
    assert "h2 receives DHCPACK and takes a1" in shown
    assert re.search(r"║ bind a1\n", shown)


def test_explain_what_holds_tells_the_run_that_its_guard_prevents() -> None:
    shown = told(run("explain", "wfwg311-fixed"), 0)
    assert "holds: theorem T3, any number of hosts" in shown
    assert "The run that its guard prevents (releases before the notice): two hosts" in shown
    assert "The same schedule with wfwg311-fixed:\n  3600 s: the lease of h1 lapses" in shown
    assert "the row that does it: lapse (RFC 2131 §4.4.5 MUST" in shown
    found = as_json(run("explain", "wfwg311-fixed", "--json"), 0)
    (same,) = found["same_schedule"]
    assert (same["collides"], same["lets_go"]["row"], same["differs"]) == (False, "lapse", [])


def test_explain_has_the_turning_point_where_it_is_and_what_would_cure() -> None:
    shown = told(run("explain", "wfwg311"), 1)
    lapse, turn, notice = (
        shown.index(part) for part in ("lease of h1 lapses", "→ 3600 s  here the", "notice of the")
    )
    assert lapse < turn < notice
    assert '  trigger = "lapse" (is "acknowledge"): holds, theorem T3' in shown
    found = as_json(run("explain", "wfwg311", "--json"), 1)
    assert (found["turning_point"]["at"], found["turning_point"]["host"]) == (3600, "h1")
    assert [each["outcome"] for each in found["smallest_changes"]] == ["holds", "holds"]


def test_explain_has_the_parts_of_the_bound() -> None:
    shown = told(run("explain", "networkd"), 1)
    assert "\nworst holdover 2 s = anchor delay 1 s + overhang 1 s\n" in shown
    found = as_json(run("explain", "networkd", "--json"), 1)
    assert [part["seconds"] for part in found["bound_parts"]] == [1, 1]


def test_explain_beside_shows_the_fix_in_the_schedule_of_the_bug(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    both = ("wfwg311", "--beside", "wfwg311-fixed")
    shown = told(run("explain", *both, "--html", page), 1)
    assert "no collision: the schedule that undoes wfwg311 is harmless here" in shown
    text = page.read_text("utf-8")
    assert "The same schedule with wfwg311-fixed" in text
    assert text.count('<section class="course"') == 2


def test_explain_writes_no_page_where_there_is_no_run(tmp_path: Path) -> None:
    open_profile = tmp_path / "open.toml"
    open_profile.write_text('title = "open"\n')
    said = refused(run("explain", open_profile, "--html", tmp_path / "page.html"))
    assert "there is no run to show" in said
    assert not (tmp_path / "page.html").exists()


def test_explain_says_where_a_page_cannot_be_written(tmp_path: Path) -> None:
    said = refused(run("explain", "wfwg311", "--html", tmp_path / "none" / "page.html"))
    assert "none/page.html: No such file or directory; name a file to write" in said


def test_a_journal_has_no_page(tmp_path: Path) -> None:
    journal = rehearsed(renewed).save(tmp_path / "journal")
    assert "--html is of a profile" in refused(run("explain", journal, "--html", tmp_path / "p"))


def test_explain_json_has_sources_and_run() -> None:
    found = as_json(run("explain", "connman", "--json"), 1)
    assert found["sources"]
    assert found["judgement"]["run"][-1]["holding"] == ["a1", "a1"]


def test_explain_says_what_every_collision_passes_through() -> None:
    shown = told(run("explain", "wfwg311"), 1)
    assert re.search(r"every collision passes through: h1 still holds: its lease has lapsed", shown)
    assert "    mute: the server falls silent\n" in shown
    found = as_json(run("explain", "wfwg311", "--json"), 1)["judgement"]["every_run"]
    assert {"mute", "lapse", "reuse"} <= set(found["needs"])
    assert found["smallest_cut"][0] in found["passes_through"]


def test_explain_says_which_of_several_holdings_a_collision_passes() -> None:
    rival = ("explain", "rfc2131", "--fault", "rival")
    shown = told(run(*rival), 1)
    assert "every collision passes through:" not in shown
    found = as_json(run(*rival, "--json"), 1)["judgement"]["every_run"]
    assert len(found["smallest_cut"]) > 1
    assert all(f"    {held}\n" in shown for held in found["smallest_cut"])


def test_explain_of_a_client_that_probes_is_of_giving_away() -> None:
    found = as_json(run("explain", "dhcpcd", "--json"), 1)["judgement"]["every_run"]
    assert found["property"] == "owned"
    assert found["passes_through"][-1].startswith("h1 still holds: its lease is over at the server")


def test_a_graph_too_large_for_explain_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain_command, "EXPLAINED", 1000)
    said = "what every collision has in common was not asked: more than 1,000 states"
    assert said in told(run("explain", "connman"), 1)
    found = as_json(run("explain", "connman", "--json"), 1)["judgement"]["every_run"]
    assert found == {"not_asked": "more than 1,000 states: too many for a graph"}


def test_explain_a_journal_that_holds(tmp_path: Path) -> None:
    journal = rehearsed(renewed).save(tmp_path / "journal")
    shown = told(run("explain", journal), 0)
    assert shown.startswith(f"{journal}: holds\n")
    assert re.search(r"\d+ calls of the client: none is against the lease table\n", shown)
    found = as_json(run("explain", journal, "--json"), 0)
    assert (found["outcome"], found["violation"], found["unknown"]) == ("holds", None, [])
    assert found["conforming"] == len(journal.read_text().splitlines())


def test_explain_a_journal_that_is_violated_names_line_guard_and_source(tmp_path: Path) -> None:
    (early,) = (defect for defect in all_defects() if defect.name == "lapse-at-t2")
    journal = rehearsed(late_lease, mutant(early)).save(tmp_path / "journal")
    shown = told(run("explain", journal), 1)
    conforming = int(re.findall(r"conforming: lines 1 to (\d+)\n", shown)[0])
    assert f"  line {conforming + 1}, " in shown
    assert "`lapse` is not possible here\n    guard 4 of 4: now ≥ lease_end[h]\n" in shown
    assert "    RFC 2131 §4.4.5 MUST" in shown
    found = as_json(run("explain", journal, "--json"), 1)["violation"]
    assert (found["line"], found["row"]) == (conforming + 1, "lapse")


def test_explain_a_journal_of_a_frozen_process_is_unknown(tmp_path: Path) -> None:
    journal = rehearsed(frozen).save(tmp_path / "journal")
    assert "the journal cannot tell" in told(run("explain", journal), 3)


def test_explain_takes_no_options_of_a_profile_with_a_journal(tmp_path: Path) -> None:
    journal = rehearsed(renewed).save(tmp_path / "journal")
    said = refused(run("explain", journal, "--lease", "5"))
    assert said.startswith(f"error: --lease is of a profile, and {journal} is a journal")


def test_explain_refuses_what_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("root:x:0:0\nnobody:x:1:1\n")
    said = refused(run("explain", tmp_path / "file"))
    assert "file: no journal, which is what `holdover client --journal` wrote" in said


def test_explain_draws_a_picture_and_a_diagram(tmp_path: Path) -> None:
    svg, diagram = tmp_path / "lanes.svg", tmp_path / "run.mmd"
    both = ("wfwg311", "--beside", "wfwg311-fixed")
    told(run("explain", *both, "--svg", svg, "--mermaid", diagram), 1)
    root = ElementTree.parse(svg).getroot()
    words = "".join(root.itertext())
    assert words.count("COLLISION") == 1
    assert words.count("lease of h1 ends") == 2
    assert diagram.read_text("utf-8").startswith("sequenceDiagram\n  participant h1\n")


@pytest.mark.parametrize("option", ["--html", "--svg", "--png", "--mermaid"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, option: str) -> None:
    file = tmp_path / "nowhere" / "file"
    said = refused(run("explain", "wfwg311", option, file))
    assert f"{option}: {file}: No such file or directory; name a file to write" in said
