"""Kept verdicts of SPIN and TLC: what is taken, what is asked all the same, and what fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.measure.bench import referees
from tests.measure.bench.referees import Verdict
from tests.model.export import kept_verdicts
from tests.model.export.kept_verdicts import Keeper, as_data, identity, read, write
from tests.proofs.logic.kept_answers import key

FOUND = Verdict(
    tool="tlc",
    configuration="",
    states=12,
    steps=30,
    depth=5,
    broken={"exclusive": 4},
    complete=False,
    cut="",
    prepare=0.0,
    seconds=1.0,
    cpu=1.0,
    peak=1,
    output="",
)
TEXTS = [f"module {number}" for number in range(40)]
KEPT = {key(text): as_data(FOUND) for text in TEXTS}


def says(verdict: Verdict) -> Callable[[], Verdict]:
    """A program that says so."""
    return lambda: verdict


def silent() -> Verdict:
    """A program that must not be asked."""
    raise AssertionError("it is asked")


def test_a_kept_verdict_is_taken_and_another_text_is_asked() -> None:
    keeper = Keeper("tlc", KEPT, None)
    assert as_data(keeper.ask(TEXTS[0], silent)) == as_data(FOUND)
    with pytest.raises(AssertionError, match="it is asked"):
        keeper.ask(TEXTS[0] + " ", silent)
    other = replace(FOUND, states=13)
    assert keeper.ask(TEXTS[0] + " ", says(other)).states == 13
    assert keeper.asked == [key(TEXTS[0] + " ")]


def test_fifty_numbers_ask_each_text_once() -> None:
    asked = []
    for turn in range(1234, 1284):
        keeper = Keeper("tlc", KEPT, turn)
        for text in TEXTS:
            keeper.ask(text, says(FOUND))
        asked += keeper.asked
    assert sorted(asked) == sorted(KEPT)


@pytest.mark.parametrize(
    "now",
    [
        replace(FOUND, states=13),
        replace(FOUND, steps=31),
        replace(FOUND, depth=6),
        replace(FOUND, errors=1),
        replace(FOUND, complete=True),
        replace(FOUND, broken={"exclusive": 5}),
        replace(FOUND, broken={}),
    ],
    ids=lambda now: str(as_data(now)),
)
def test_what_is_said_now_must_be_what_is_kept(now: Verdict) -> None:
    """So a forged verdict fails when it is its turn."""
    failed = []
    for turn in range(50):
        keeper = Keeper("tlc", KEPT, turn)
        try:
            keeper.ask(TEXTS[7], says(now))
        except ValueError as error:
            failed.append(str(error).rpartition(": ")[2])
    assert failed == [key(TEXTS[7])]


@pytest.mark.parametrize(
    "nothing",
    [
        replace(FOUND, broken={}),
        replace(FOUND, cut="time"),
        replace(FOUND, complete=True, cut="memory"),
    ],
    ids=["no end", "cut off", "cut off in time"],
)
def test_a_search_without_an_end_is_not_kept(nothing: Verdict) -> None:
    keeper = Keeper("tlc", {}, None)
    keeper.ask(TEXTS[0], says(nothing))
    assert keeper.heard == {}
    keeper.ask(TEXTS[0], says(FOUND))
    assert keeper.heard == {key(TEXTS[0]): as_data(FOUND)}


def test_what_is_read_is_what_was_written_by_the_same_program(tmp_path: Path) -> None:
    write("tlc", "TLC 1", KEPT, tmp_path)
    assert read("tlc", "TLC 1", tmp_path) == KEPT
    assert read("tlc", "TLC 2", tmp_path) == {}
    assert read("spin", "TLC 1", tmp_path) == {}


@pytest.mark.parametrize("program", ["tlc", "spin"])
def test_who_reads_the_output_counts_too(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict is what was made of the output: by another reader it may be another one."""
    before, copy = identity(program), tmp_path / "referees.py"
    copy.write_bytes(Path(referees.__file__).read_bytes())
    monkeypatch.setattr(referees, "__file__", str(copy))
    assert identity(program) == before
    copy.write_bytes(copy.read_bytes() + b"\n")
    assert identity(program) != before


@pytest.mark.parametrize(("program", "count"), [("tlc", 30), ("spin", 20)])
def test_the_kept_verdicts_are_read_by_who_reads_now(program: str, count: int) -> None:
    """Else each commit would ask all of them again, and nobody would notice."""
    who = (kept_verdicts.FOLDER / f"{program}.json").read_text("utf-8").partition('",\n')[0]
    assert who.endswith(identity(program).partition("; ")[2])
    assert len(read(program, who.removeprefix('{"who": "'))) >= count
