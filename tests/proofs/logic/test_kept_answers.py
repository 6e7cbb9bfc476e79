"""Kept answers of solvers: what is taken from there, and what is asked all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proofs.logic import kept_answers, referees
from tests.proofs.logic.kept_answers import identity, key, read, still_open, write
from tests.proofs.logic.referees import OPTIONS, all_asked, below

KEYS = [key(str(number)) for number in range(100)]
HOLDS = "(set-info :status unsat)\n"


def fake(answers: str) -> tuple[str, str, str]:
    """A solver that says this, and writes down what it is asked."""
    return ("sh", "-c", f'echo "$0" >>"$(dirname "$0")/calls"; echo {answers}')


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for number in range(100):
        (tmp_path / f"{number:02}.smt2").write_text(f"; a\n{HOLDS}(echo {number})\n", "utf-8")
    return below(tmp_path)


def calls(files: list[Path]) -> list[str]:
    """The files that were asked."""
    log = files[0].with_name("calls")
    return (
        sorted(Path(line).stem for line in log.read_text("utf-8").split()) if log.exists() else []
    )


def kept_of(files: list[Path], answer: str) -> dict[str, dict[str, str]]:
    return {"fake": {key(referees.question(file)): answer for file in files}}


def test_an_answer_is_read_as_it_was_written_and_an_unknown_is_not_kept(tmp_path: Path) -> None:
    write("fake", "fake 1", {KEYS[0]: "unsat", KEYS[1]: "sat", KEYS[2]: "unknown"}, tmp_path)
    assert read("fake", "fake 1", tmp_path) == {KEYS[0]: "unsat", KEYS[1]: "sat"}


def test_another_version_has_said_nothing(tmp_path: Path) -> None:
    write("fake", "fake 1", {KEYS[0]: "unsat"}, tmp_path)
    assert read("fake", "fake 2", tmp_path) == {}
    assert read("other", "fake 1", tmp_path) == {}


@pytest.mark.parametrize("line", ["unknown", KEYS[0][:-1], "", KEYS[0].upper() + "x"])
def test_what_is_no_answer_and_no_key_is_no_answer(line: str, tmp_path: Path) -> None:
    (tmp_path / "fake.txt").write_text(f"fake 1\nunsat\n{line}\n", "ascii")
    with pytest.raises(ValueError, match=r"fake\.txt, line 3"):
        read("fake", "fake 1", tmp_path)
    (tmp_path / "fake.txt").write_text(f"fake 1\n{KEYS[0]}\n", "ascii")  # which answer?
    with pytest.raises(ValueError, match=r"fake\.txt, line 2"):
        read("fake", "fake 1", tmp_path)


def test_a_program_is_its_version_and_its_options() -> None:
    who = identity(("python3", "-smt2", "--x"), (("seed=2",), ("seed=3",)))
    assert who.startswith("Python 3")
    assert who.endswith(" | -smt2 --x | seed=2 | seed=3")


def test_fifty_numbers_ask_each_question_once() -> None:
    kept = dict.fromkeys(KEYS, "unsat")
    turns = [still_open(KEYS, kept, number) for number in range(1234, 1284)]
    assert sorted(name for turn in turns for name in turn) == sorted(KEYS)
    assert still_open(KEYS, kept, None) == set()


def test_what_has_no_answer_is_asked(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each letter of a question counts; the answer that is given now is the one that counts."""
    monkeypatch.setattr(referees, "PROGRAMS", {"fake": fake("sat")})
    kept = kept_of(files, "unsat")
    files[7].write_text(files[7].read_text("utf-8").replace("echo", "echo "), "utf-8")
    said = list(all_asked(files, ("fake",), kept))
    assert calls(files) == ["07"]
    assert [each.file for each in said if each.outcome == "violated"] == [files[7]]
    assert [each.file for each in said if not each.kept] == [files[7]]
    assert [each.file for each in said] == files


def test_those_whose_turn_it_is_are_asked_whatever_is_kept(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(referees, "PROGRAMS", {"fake": fake("sat")})
    said = list(all_asked(files, ("fake",), kept_of(files, "unsat"), 33))
    assert calls(files) == ["33", "83"]
    assert sum(each.outcome == "violated" for each in said) == 2


def test_a_kept_answer_that_is_not_the_expected_one_is_violated(files: list[Path]) -> None:
    said = list(all_asked(files, ("fake",), kept_of(files, "sat")))
    assert {(each.outcome, each.kept) for each in said} == {("violated", True)}


def test_keeping_asks_what_is_new_and_drops_what_nobody_asks(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(referees, "PROGRAMS", {"fake": fake("unsat")})
    monkeypatch.setattr(referees, "identities", lambda: {"fake": "fake 1"})
    assert referees.main(tmp_path, keeps=True) == 0
    assert len(calls(files)) == len(files)
    first = read("fake", "fake 1")
    files[0].unlink()
    files[1].write_text(f"{HOLDS}(echo new)\n", "utf-8")
    assert referees.main(tmp_path, keeps=True) == 0
    assert len(calls(files)) == 101
    assert len(first) == len(files)
    assert len(read("fake", "fake 1")) == 99
    assert len(first.keys() & read("fake", "fake 1").keys()) == 98


def test_each_solver_has_kept_answers() -> None:
    """Else CI would ask for minutes again, and nobody would notice."""
    for program in OPTIONS:
        who = (kept_answers.FOLDER / f"{program}.txt").read_text("ascii").partition("\n")[0]
        assert program in who.lower()
        assert len(read(program, who)) > 3000


def test_commits_are_counted() -> None:
    assert kept_answers.number_of_commits() > 0
