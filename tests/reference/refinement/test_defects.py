"""Mutants of the cores: the exploration finds every seeded defect, as the record says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from click.testing import CliRunner

from holdover.reference.core import client as reference_client
from holdover.reference.refinement import defects as spec
from holdover.reference.refinement.search import refine
from holdover.reference.refinement.setting import Setting, every_setting, server_settings, settings

from holdover.reference.refinement.defects import (  # isort: skip
    Fates,
    Killed,
    Seeded,
    apply_defect,
    explore_mutant,
    kill,
    main,
    mutant,
    order,
    original,
    read_record,
    all_defects,
)

SETTINGS = {setting.name: setting for setting in every_setting()}
NAMES = [defect.name for defect in all_defects()]
NAK = next(defect for defect in all_defects() if defect.name == "nak-ignored")
HARMLESS = Seeded("harmless", "nothing", "nobody", "alone", (('"""Nothing happens."""', '""""""'),))


@cache
def record() -> Fates:
    return read_record()


# The list ----------------------------------------------------------------------------------------


def test_there_are_enough_each_with_a_name_and_a_fate() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 25
    assert list(record()) == NAMES


@pytest.mark.parametrize("defect", all_defects(), ids=NAMES)
def test_each_says_what_is_wrong_and_whose_defect_it_is(defect: Seeded) -> None:
    assert defect.says
    assert defect.modelled_on
    assert defect.changes
    text = original(defect.core)
    assert all(text.count(old) == 1 and old != new for old, new in defect.changes)


def test_no_two_are_the_same_client() -> None:
    texts = {apply_defect(defect) for defect in all_defects()}
    assert len(texts) == len(NAMES)
    assert not texts & {original(core) for core in ("client", "server")}


@pytest.mark.parametrize("old", ["no such passage", "return client, ()"])
def test_a_passage_that_is_not_there_once_is_an_error(old: str) -> None:
    with pytest.raises(ValueError, match=r"nak-ignored.*not once"):
        apply_defect(replace(NAK, changes=((old, ""),)))


def test_an_unknown_setting_is_an_error() -> None:
    row = {"name": "n", "says": "s", "modelled_on": "m", "setting": "alon", "changes": []}
    with pytest.raises(ValueError, match="nearest: alone"):
        spec._read_defect(row)


# The mutants -------------------------------------------------------------------------------------


def test_a_mutant_is_a_module_of_its_own() -> None:
    module = mutant(NAK)
    assert sys.modules[module.__name__] is module
    assert module is not reference_client
    assert module.step is not reference_client.step
    assert module.Client is reference_client.Client
    assert original() == apply_defect(replace(NAK, changes=()))


@pytest.mark.kept("seeded defects of the cores, explored")
@pytest.mark.parametrize("defect", all_defects(), ids=NAMES)
def test_the_exploration_kills_it_as_recorded(
    defect: Seeded, record_property: Callable[[str, object], None]
) -> None:
    fate = record()[defect.name]
    seen = explore_mutant(defect, SETTINGS[fate.setting])
    record_property(
        "seeded defects, found by the exploration",
        f"{defect.name:30} {seen.kind:15} {seen.setting.name}, after {len(seen.run)} steps",
    )
    assert Killed(seen.setting.name, seen.kind, seen.defect, len(seen.run)) == fate


def test_none_is_killed_because_it_crashes() -> None:
    kinds = {fate.kind for fate in record().values()}
    assert "" not in kinds
    assert "crash" not in kinds
    assert {"refinement", "belief", "late", "released_first"} <= kinds


def test_the_setting_that_is_named_is_the_one_that_kills() -> None:
    assert {d.name: d.setting for d in all_defects()} == {n: f.setting for n, f in record().items()}


@pytest.mark.parametrize("name", sorted({fate.setting for fate in record().values()}))
def test_the_core_itself_passes_there(name: str) -> None:
    seen = refine(SETTINGS[name], most=2000)
    assert (seen.kind, seen.run) == ("", ())


def test_the_preferred_setting_comes_first_then_the_small_ones() -> None:
    first, *rest = order("frozen")
    assert first.name == "frozen"
    assert [s.states for s in rest] == sorted(s.states for s in rest)
    assert sorted(s.name for s in (first, *rest)) == sorted(s.name for s in settings())
    assert {s.name for s in order("served")} == {s.name for s in server_settings()}


def test_what_no_setting_shows_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "MOST", 100)
    assert kill(HARMLESS).kind == ""


def test_another_setting_kills_where_the_preferred_one_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def two(_: str) -> tuple[Setting, ...]:
        return SETTINGS["two addresses"], SETTINGS["forgetful"]

    monkeypatch.setattr(spec, "order", two)
    monkeypatch.setattr(spec, "MOST", 1000)
    assert kill(NAK).setting == "forgetful"


# The command -------------------------------------------------------------------------------------


def test_the_command_shows_what_kills_one() -> None:
    result = CliRunner().invoke(main, ["--only", "nak-ignored"])
    assert result.exit_code == 0
    assert NAK.says in " ".join(result.output.split())
    assert "1 seeded: 1 killed, 0 survive" in result.output


def test_the_command_fails_at_a_survivor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "kill", lambda _: Killed("", "", "no setting shows it", 0))
    result = CliRunner().invoke(main, ["--only", "nak-ignored"])
    assert (result.exit_code, "survives" in result.output) == (1, True)


def test_the_command_fails_at_a_stale_record(monkeypatch: pytest.MonkeyPatch) -> None:
    fates = {**record(), "floor": Killed("alone", "late", "", 1)}
    monkeypatch.setattr(spec, "run", lambda *_: fates)
    result = CliRunner().invoke(main, ["--check"])
    assert (result.exit_code, "--record" in result.stderr) == (1, True)
    monkeypatch.setattr(spec, "run", lambda *_: record())
    assert CliRunner().invoke(main, ["--check"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--only", "nak-ignore"], "nak-ignored"), (["--only", "floor", "--check"], "all defects")],
)
def test_bad_input_is_a_usage_error(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, says in result.stderr) == (2, True)
