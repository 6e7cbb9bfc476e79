"""`holdover verify`: verdicts, claims, and the reference client's own code."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from holdover.proofs.verdicts import claims
from holdover.proofs.verdicts.claims import Claim
from holdover.reference.refinement import conformance, search
from holdover.reference.refinement.conformance import digest
from holdover.reference.refinement.defects import all_defects, mutant
from holdover.reference.refinement.search import Refined, refine, refine_all
from holdover.reference.refinement.setting import Setting, settings
from tests.reference.commands.running import as_json, run, told

pytestmark = pytest.mark.usefixtures("judged_once")


def test_verify_wfwg311_is_violated_and_tells_the_articles_story() -> None:
    shown = told(run("verify", "wfwg311"), 1)
    assert shown.startswith("wfwg311: violated - two hosts hold one address after 18 steps: ")
    at = [
        shown.index(step)
        for step in (
            "h1 receives DHCPACK and takes a1",
            "the server falls silent",
            "the lease of h1 lapses",
            "the notice of the lapse goes up on h1",
            "the server reuses a1, once leased to h1",
            "h2 receives DHCPACK and takes a1",
            "Now h1 holds a1 and h2 holds a1.",
        )
    ]
    assert at == sorted(at)
    assert "no grace is enough" in shown


def test_verify_wfwg311_fixed_holds_for_any_number_of_hosts() -> None:
    shown = told(run("verify", "wfwg311-fixed"), 0)
    assert shown.startswith("wfwg311-fixed: holds - theorem T3, any number of hosts and addresses")
    assert "a grace of 0 s is enough" in shown


def test_verify_json_is_one_document() -> None:
    document = as_json(run("verify", "wfwg311", "--json"), 1)
    assert (document["outcome"], document["code"]) == ("violated", None)
    (found,) = document["judgements"]
    assert (found["profile"], found["outcome"]) == ("wfwg311", "violated")
    assert (found["worst_holdover"], found["safe_grace"]) == ("unbounded", "unbounded")
    assert found["run"][-1]["holding"] == ["a1", "a1"]
    assert {step["unit"] for step in found["run"]} == {"s"}


def test_ten_lines_are_judged(mine: Path) -> None:
    shown = told(run("verify", mine), 1)
    assert shown.startswith("my: violated - ")
    assert "no bound (nobody acknowledges; the address has no kernel lifetime)" in shown
    answered = told(run("verify", mine, "--acknowledge-within", "5", "--grace", "7"), 0)
    assert "worst holdover: 7 s; a grace of 7 s is enough" in answered


def test_several_profiles_exit_with_the_worst() -> None:
    found = as_json(run("verify", "wfwg311-fixed", "wfwg311", "--json"), 1)["judgements"]
    assert [f["outcome"] for f in found] == ["holds", "violated"]
    frozen = ("--fault", "freezes", "--memory", "1")
    found = as_json(
        run("verify", "networkmanager", "rfc2131", "--grace", "10", *frozen, "--json"), 3
    )["judgements"]
    assert [f["outcome"] for f in found] == ["holds", "unknown"]


def test_verify_that_is_cut_off_is_unknown_and_says_what_to_do() -> None:
    shown = told(run("verify", "rfc2131", "--fault", "freezes", "--memory", "1"), 3)
    assert re.search(r"rfc2131: unknown - no proof; cut off after \d+ states", shown)
    assert "give more --memory" in shown


TWO = tuple(setting for setting in settings() if setting.name in ("alone", "two hosts"))


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of one's own, without a verdict; where verdicts are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "holdover" / "verdicts"


@cache
def seen_in_two() -> tuple[Refined, ...]:
    """What the explorations come to in these, by processes of their own."""
    return tuple(refine_all(TWO))


@pytest.fixture
def small_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is explored in two settings, which alone have gaps; tests/refinement has all.

    It is explored once: the code is the same in each test, and so is what comes of it.
    """
    monkeypatch.setattr(conformance, "settings", lambda: TWO)
    monkeypatch.setattr(conformance, "edges_of", lambda settings, jobs: frozenset())
    monkeypatch.setattr(conformance, "refine_all", found_once)


def found_once(todo: Iterable[Setting], jobs: int) -> Iterator[Refined]:
    assert tuple(todo) == TWO
    return iter(seen_in_two())


@pytest.mark.usefixtures("small_settings")
def test_verify_reference_says_by_which_exploration_of_which_code() -> None:
    shown = told(run("verify", "reference"), 0)
    states, steps = (sum(getattr(s, what) for s in TWO) for what in ("states", "steps"))
    assert f"the code: holds - explored in 2 settings, {states:,} states, {steps:,} steps" in shown
    assert f"{', '.join(conformance.CODE)}: sha256 {digest()[:16]}" in shown
    found = as_json(run("verify", "reference", "--json"), 0)
    assert found["code"]["sha256"] == digest()
    assert [s["states"] for s in found["code"]["settings"]] == [s.states for s in TWO]


@pytest.mark.usefixtures("small_settings")
def test_a_verdict_that_was_read_says_so(
    nothing_kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = as_json(run("verify", "reference", "--json"), 0)
    assert found["code"]["read_from"] is None
    (kept,) = nothing_kept.iterdir()
    monkeypatch.setattr(conformance, "refine_all", None)  # nothing can be explored
    again = as_json(run("verify", "reference", "--json"), 0)
    assert again["code"] == {**found["code"], "read_from": str(kept)}
    shown = told(run("verify", "reference"), 0)
    assert f"found at {found['code']['found']}, by the same checker; read from {kept}" in shown
    with pytest.raises(TypeError):
        run("verify", "reference", "--anew")


def test_anew_is_refused_where_no_code_is_explored() -> None:
    for words in (("rfc2131",), ("reference", "--lease", "2h")):
        refused = run("verify", *words, "--anew")
        assert (refused.exit_code, "--anew is about the code" in refused.stderr) == (2, True)


@pytest.mark.usefixtures("small_settings")
@pytest.mark.parametrize(
    "change",
    [
        {"code": "0" * 64},
        {"checker": "0" * 64},
        {"settings": {"alone": [TWO[0].states, TWO[0].steps, TWO[0].depth]}},
        {"settings": {"alone": [1, 2, 3], "two hosts": [4, 5, 6]}},
        {"settings": {"alone": [1], "two hosts": [4]}},
        {"settings": []},
    ],
    ids=str,
)
def test_what_is_not_that_verdict_is_not_read(
    nothing_kept: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    conformance.conformance()
    (kept,) = nothing_kept.iterdir()
    data = {**json.loads(kept.read_text()), **change}
    kept.write_text(conformance.with_seal({k: v for k, v in data.items() if k != conformance.SEAL}))
    asked = []

    def explore(todo: Iterable[Setting], jobs: int) -> Iterator[Refined]:
        asked.append(jobs)
        return found_once(todo, jobs)

    monkeypatch.setattr(conformance, "refine_all", explore)
    found = as_json(run("verify", "reference", "--json"), 0)
    assert (len(asked), found["code"]["read_from"]) == (1, None)


def test_another_checker_has_another_digest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A change of any file that takes part in a verdict is another checker."""
    for package in conformance.CHECKER:
        whole = Path(str(resources.files(package)))
        shutil.copytree(whole, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(conformance, "resources", SimpleNamespace(files=tmp_path.joinpath))
    before = conformance.checker()
    for name in ("refinement/justify.py", "refinement/settings.toml", "core/discipline.py"):
        path = tmp_path / f"holdover.reference.{name}"
        path.write_text(path.read_text() + "\n")
        now = conformance.checker()
        assert now != before
        before = now


@pytest.mark.usefixtures("small_settings")
def test_verify_reference_tells_a_defect_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    defect = next(one for one in all_defects() if one.name == "anchor-ack")
    monkeypatch.setattr(
        conformance,
        "refine_all",
        lambda todo, jobs: (refine(setting, mutant(defect)) for setting in todo),
    )
    shown = told(run("verify", "reference"), 1)
    assert "reference: holds" in shown  # the profile
    assert "the code: violated" in shown
    assert "after begin, " in shown
    found = as_json(run("verify", "reference", "--json"), 1)
    assert found["code"]["settings"][0]["defect"]["kind"] == "refinement"


def test_verify_reference_with_an_edge_that_is_never_taken_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conformance, "settings", lambda: TWO[:1])
    edge = (("BOUND", "before T1", "holds"), "renew")
    monkeypatch.setattr(conformance, "edges_of", lambda settings, jobs: frozenset({edge}))
    shown = told(run("verify", "reference"), 3)
    assert "never taken: renew in BOUND, before T1, holds" in shown


@pytest.mark.usefixtures("small_settings")
def test_verify_reference_whose_worker_is_killed_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "refine", kill_this_process)
    monkeypatch.setattr(conformance, "refine_all", refine_all)
    shown = told(run("verify", "reference"), 3)
    assert "the code: unknown" in shown
    assert "BrokenProcessPool" in shown


def kill_this_process(setting: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_verify_reference_that_is_not_as_pinned_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(TWO[0], states=1)
    monkeypatch.setattr(conformance, "settings", lambda: (other,))
    shown = told(run("verify", "reference"), 3)
    assert "the code: unknown" in shown
    assert "not as pinned" in shown


@pytest.mark.usefixtures("small_settings")
def test_worst_holdover_with_one_more_fault() -> None:
    assert set(one_more_fault("reference", code=0).values()) == {0.0}
    found = one_more_fault("rfc2131", "--fault", "crashes")
    assert "process killed" not in found
    assert found["process frozen"] == "unbounded"


def test_server_that_does_not_keep_its_leases_is_blamed_and_not_the_client() -> None:
    shown = told(run("verify", "reference", "--fault", "forgets"), 1)
    assert "no bound (the server does not stand by its leases)" in shown
    assert "kernel lifetime" not in shown
    assert set(one_more_fault("reference", "--fault", "forgets").values()) == {"unbounded"}


def one_more_fault(*words: str, code: int = 1) -> dict[str, float | str]:
    (found,) = as_json(run("verify", *words, "--json"), code)["judgements"]
    return {each["fault"]: each["worst_holdover"] for each in found["with_one_more_fault"]}


def test_claims_as_stated_and_not(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [Claim("profile", "wfwg311", "profile", 1), Claim("pinned", "freertos", "pinned", 1)]
    monkeypatch.setattr(claims, "claims", lambda solvers: few)
    shown = told(run("verify", "--jobs", "1"), 0)
    assert "wfwg311 is violated" in shown
    assert shown.endswith("2 claims: 2 as stated, 0 not as stated, 0 unknown\n")
    monkeypatch.setattr(claims, "SAFE", ("wfwg311",))
    document = as_json(run("verify", "--jobs", "1", "--json"), 1)
    assert document["outcome"] == "violated"
    assert [claim["outcome"] for claim in document["claims"]] == ["violated", "holds"]
    few[:] = [Claim("T9", "crashes", "T9", 1)]
    assert "the check failed: KeyError('T9')" in told(run("verify", "--jobs", "1"), 3)


def test_verify_says_what_every_collision_passes_through() -> None:
    assert "every collision passes through: h1 still holds" in told(run("verify", "connman"), 1)
    (found,) = as_json(run("verify", "connman", "--json"), 1)["judgements"]
    assert "mute" in found["every_run"]["needs"]
    (safe,) = as_json(run("verify", "wfwg311-fixed", "--json"), 0)["judgements"]
    assert safe["every_run"] is None


# How long it lasts --------------------------------------------------------------------------------

KEPT = "after the server has given the address to another host, it is kept "
SHARED = "when it hears that another host uses its address, both have it for at most 10 s at a time"
REFUSES = ("--fault", "forgets", "--authoritative", "--answers-arrive")


@pytest.mark.parametrize(
    ("words", "said", "silent"),
    [
        (("rfc2131", *REFUSES), KEPT + "for at most 1802 s", SHARED),
        (("rfc2131", "--fault", "forgets"), KEPT + "for at most 3600 s", SHARED),
        (("wfwg311", "--fault", "forgets"), KEPT + "for how long, nothing here says", SHARED),
        (("reference", "--fault", "intrudes"), SHARED, KEPT),
        (("rfc2131", "--fault", "intrudes"), "no bound", SHARED),
        (("reference", "--fault", "intrudes", "--fault", "freezes"), "no bound", SHARED),
        (("reference", "--fault", "intrudes", "--fault", "loses_arp"), "no bound", SHARED),
    ],
    ids=" ".join,
)
def test_how_long_a_second_host_has_the_address_too(
    words: tuple[str, ...], said: str, silent: str
) -> None:
    """By T6 where the server gave it away, by T7 where the client gives way; else by nothing."""
    shown = told(run("verify", *words), 1)
    assert said in shown
    assert silent not in shown


@pytest.mark.usefixtures("small_settings")
def test_a_client_that_gives_way_and_meets_nobody_says_nothing_of_it() -> None:
    assert SHARED not in told(run("verify", "reference"), 0)


def test_the_same_for_programs() -> None:
    def found(*words: str) -> dict[str, Any]:
        (verdict,) = as_json(run("verify", *words, "--json"), 1)["judgements"]
        return dict(verdict)

    assert found("reference", "--fault", "intrudes")["in_use_by_two"] == 10
    assert found("reference", "--fault", "intrudes", "--fault", "freezes")["in_use_by_two"] == (
        "unbounded"
    )
    assert found("rfc2131", *REFUSES)["kept_when_given_away"] == 1802
