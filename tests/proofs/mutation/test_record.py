"""The record of fates: what is taken from it, and what is judged all the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from holdover.proofs.mutation import __main__ as spec
from holdover.proofs.mutation import record
from holdover.proofs.mutation.fates import Fate
from holdover.proofs.mutation.mutants import mutants
from holdover.proofs.mutation.record import FateRecord, kept_fates

TRUE = {fate.name: fate for fate in record.read_fates()}
NAMES = list(TRUE)
WRONG = 124
"""The place of a mutant of which the record says what is not so."""

Say = Callable[[FateRecord], None]


def now(fates: Iterable[Fate] = TRUE.values()) -> FateRecord:
    """A record of the sources as they are."""
    return FateRecord(record.sources(), tuple(fates))


def with_wrong_one() -> FateRecord:
    """The same, with another fate of one mutant."""
    fates = list(TRUE.values())
    assert fates[WRONG].killer != "count"
    return now([*fates[:WRONG], replace(fates[WRONG], killer="count"), *fates[WRONG + 1 :]])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The mutants that the judge is asked about, who says of each what is so."""
    names: list[str] = []

    def judge(todo: Sequence[str], *_: object) -> list[Fate]:
        names.extend(todo)
        return [TRUE[name] for name in todo]

    monkeypatch.setattr(spec, "run", judge)
    monkeypatch.setattr(record, "sources", cache(record.sources))  # fifty times the same
    monkeypatch.setattr(spec, "mutants", cache(lambda rows: tuple(mutants(rows))))
    monkeypatch.setattr(spec, "show_fates", lambda *_: "")  # test_mutants.py reads the list
    return names


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Has the record be this one."""
    return lambda found: monkeypatch.setattr(record, "read", lambda: found)


def checked(*words: str) -> tuple[int, str]:
    """How `python -m holdover.proofs.mutation --check` ends, and what it says."""
    found = CliRunner().invoke(spec.main, ["--check", *words])
    return found.exit_code, found.output


# What is judged ----------------------------------------------------------------------------------


def test_one_of_fifty_is_judged_and_of_the_others_it_is_recorded(
    asked: list[str], recorded: Say
) -> None:
    recorded(now())
    code, said = checked("--turn", "133")
    assert (code, asked) == (0, NAMES[33::50])
    count = len(asked)
    assert f"\n{count} judged now, {len(NAMES) - count} as they are recorded\n" in said
    assert f"{len(NAMES)} mutants: " in said, "all of them are counted"


def test_fifty_numbers_judge_each_mutant_once(asked: list[str], recorded: Say) -> None:
    recorded(now())
    for number in range(1234, 1284):
        assert checked("--turn", str(number))[0] == 0
    assert sorted(asked) == sorted(NAMES)


def test_a_wrong_fate_whose_turn_it_is_fails(asked: list[str], recorded: Say) -> None:
    recorded(with_wrong_one())
    failed = [number for number in range(50) if checked("--turn", str(number))[0] == 1]
    assert failed == [WRONG % 50]
    assert NAMES[WRONG] in asked


def test_of_other_sources_all_are_judged(asked: list[str], recorded: Say) -> None:
    """And so a wrong fate is found, whosever turn it is."""
    recorded(replace(with_wrong_one(), sources="0" * 64))
    code, said = checked("--turn", str(WRONG + 1))
    assert (code, asked) == (1, NAMES)
    assert f"{len(NAMES)} judged now, 0 as they are recorded: the record is of other" in said


def test_without_a_turn_all_are_judged(asked: list[str], recorded: Say) -> None:
    recorded(with_wrong_one())
    assert checked()[0] == 1
    assert asked == NAMES


def test_a_fate_that_nobody_knows_is_never_taken(asked: list[str], recorded: Say) -> None:
    """One that survived may be killed today, or explained; one that is not recorded is open."""
    fates = list(TRUE.values())
    fates[WRONG] = replace(fates[WRONG], killer="survives")
    unknown = NAMES[WRONG + 1]
    found = now(fate for fate in fates if fate.name != unknown)
    assert not {NAMES[WRONG], unknown} & kept_fates(NAMES, found, WRONG + 2).keys()
    recorded(found)
    assert checked("--turn", str(WRONG + 2))[0] == 1, "the record is not what is so"
    assert {NAMES[WRONG], unknown} <= set(asked)


@pytest.mark.parametrize(
    "words", [("--turn", "1"), ("--record", "--check", "--turn", "1")], ids=["alone", "record"]
)
def test_a_turn_is_of_a_check(words: Sequence[str], asked: list[str]) -> None:
    found = CliRunner().invoke(spec.main, words)
    assert (found.exit_code, asked) == (2, [])
    assert "--turn says what --check judges" in found.stderr


def test_to_record_all_are_judged_whatever_is_recorded(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mutants.json"
    monkeypatch.setattr(record, "RECORD", file)
    record.write(with_wrong_one().fates)
    assert record.read() == with_wrong_one()
    assert CliRunner().invoke(spec.main, ["--record"]).exit_code == 0
    assert (asked, record.read()) == (NAMES, now())


# The digest --------------------------------------------------------------------------------------


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A copy of the sources that a fate depends on, as the package `holdover`."""
    copy = tmp_path / "holdover"
    for package in record.SOURCES:
        whole = Path(str(resources.files(package)))
        to = copy.joinpath(*package.split(".")[1:])
        shutil.copytree(whole, to, ignore=shutil.ignore_patterns("__pycache__"))

    def files(package: str) -> Path:
        return tmp_path.joinpath(*package.split("."))

    monkeypatch.setattr(record, "resources", SimpleNamespace(files=files))
    return copy


@pytest.mark.parametrize(
    "name",
    [
        "model/table/client.py",
        "model/clients/profiles/rfc2131.toml",
        "proofs/mutation/small_worlds.py",
        "proofs/logic/reasons.toml",
    ],
)
def test_one_byte_of_a_source_and_the_record_is_of_others(sources: Path, name: str) -> None:
    before, source = now(), sources / name
    assert len(kept_fates(NAMES, before, 0)) > 700
    text = bytearray(source.read_bytes())
    text[text.index(b"e")] += 1
    source.write_bytes(text)
    assert kept_fates(NAMES, before, 0) == {}


def test_a_source_more_or_of_another_name_counts_and_a_text_does_not(sources: Path) -> None:
    seen = {record.sources()}
    (sources / "proofs" / "mutation" / "mutants.json").write_text("{}")
    (sources / "proofs" / "certificates" / "kept" / "T0.txt").write_text("")
    assert {record.sources()} == seen
    new = sources / "proofs" / "mutation" / "more.py"
    new.write_text("")
    seen.add(record.sources())
    new.rename(sources / "model" / "more.py")
    seen.add(record.sources())
    assert len(seen) == 3


@pytest.mark.parametrize("solver", record.SOLVERS)
def test_another_version_of_a_solver_is_another_source(
    solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, version = record.sources(), metadata.version
    newer = {solver: "99"}
    monkeypatch.setattr(
        record, "metadata", SimpleNamespace(version=lambda name: newer.get(name) or version(name))
    )
    assert record.sources() != before
