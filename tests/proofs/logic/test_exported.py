"""The exported obligations, asked of Debian's `cvc4` and `z3`: a third and a fourth solver.

All of them take minutes.  So of each fifty one is asked, another one at each commit, and of the
rest what they said when they were asked is kept (`kept_answers.py`): in CI of all theorems,
elsewhere of one profile.  Where all were exported and answered as they should be, and no byte has
changed since of what writes them or has the answers, in CI too only those of few cases are written
(`tests/kept.py`): of those whose turn it is.  All by a command: `holdover prove --smtlib DIR`, then
`python -m tests.proofs.logic.referees DIR`.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from holdover.model.clients.profile import load
from holdover.proofs.certificates import shelf
from holdover.proofs.logic.obligations import Obligation, obligations
from holdover.proofs.theorems.obligations import file_name, sources
from holdover.proofs.theorems.t2_safety import BROKEN_BY, expected_answer
from holdover.reference.commands.prove import case_of, write_beside, write_smtlib
from tests import kept
from tests.proofs.logic import kept_answers, referees
from tests.proofs.logic.referees import OPTIONS, PROGRAMS, all_asked, asked, below, main, status
from tests.proofs.logic.shapes import misread

ALL = os.environ.get("CI") == "true"
FAMILY = "exported obligations"

missing = [program for program in OPTIONS if program not in PROGRAMS]
referee = pytest.mark.skipif(
    bool(missing), reason=f"not installed: {', '.join(missing)} (Debian's packages of that name)"
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of one profile."""
    folder = tmp_path_factory.mktemp("obligations")
    write_smtlib(load("rfc2131"), folder)
    return folder


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The obligation of `wfwg311` that must fail."""
    folder = tmp_path_factory.mktemp("broken")
    write_smtlib(load("wfwg311"), folder)
    ((row, conjunct),) = BROKEN_BY["wfwg311"]
    return folder / "T2-wfwg311" / row / f"{conjunct}.smt2"


def test_a_file_asserts_what_was_decided_and_nothing_less() -> None:
    """Each premise and the goal, in their order, as Z3 and cvc5 read them back."""
    for obligation in list(obligations(case_of(load("rfc2131"))))[::20]:
        assert misread(obligation.smtlib(), obligation.assertions) == []


def case_name(name: str) -> str:
    """The name's first part: obligations that are made together."""
    return name.partition("/")[0]


def by_case(names: Collection[str]) -> dict[str, list[str]]:
    """The names of the obligations of each case, in their order."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(case_name(name), []).append(name)
    return found


def of_cases(names: Collection[str]) -> Iterator[Obligation]:
    """All obligations of the cases of these names, with the one that must fail."""
    for group, found in sources():
        if any(name.startswith(group) for name in names):
            yield from (each for each in found if case_name(each.name) in names)


def written(folder: Path, turn: int) -> tuple[referees.Answers, int | None]:
    """Writes what is looked at; the kept answers that are taken, and whose turn it is of others.

    In CI either all, or the cases whose turn it is: of these no answer is taken to what is asked.
    """
    known = referees.kept_by_program()
    if not ALL or not kept.unchanged(FAMILY):
        write_smtlib(None if ALL else load("rfc2131"), folder)
        return known, turn
    today = kept.in_groups(by_case(shelf.read()), turn)
    again = {name for names in today.values() for name in names}
    asked_now = set()
    for obligation in of_cases(today):
        text = obligation.smtlib(expected_answer(obligation))
        write_beside(folder, obligation, {".smt2": text})
        if obligation.name in again:
            asked_now.add(referees.question(folder / f"{file_name(obligation)}.smt2"))
    keys = set(map(kept_answers.key, asked_now))
    taken = {
        program: {key: said for key, said in answers.items() if key not in keys}
        for program, answers in known.items()
    }
    return taken, None


@referee
def test_other_solvers_say_the_same(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """One of fifty is asked, and what is new; of the rest it is known what they said."""
    known, turn = written(tmp_path, kept_answers.number_of_commits())
    said = list(all_asked(below(tmp_path), kept=known, turn=turn))
    counts = Counter((each.program, each.kept, each.outcome) for each in said)
    for (program, before, outcome), count in sorted(counts.items()):
        how = "as kept" if before else "asked now"
        record_property("exported obligations", f"{program}: {count} {outcome}, {how}")
    wrong = [each for each in said if each.outcome != "holds"]
    if ALL:  # the one that must fail: it is no proof, and cvc4 does not find the model
        undecided = [each for each in wrong if each.expected == "sat" and each.answer == "unknown"]
        assert {each.program for each in undecided} <= {"cvc4"}
        wrong = [each for each in wrong if each not in undecided]
    assert wrong == []
    assert {each.program for each in said if not each.kept} == set(OPTIONS)


@referee
def test_the_solver_of_this_environment_is_no_referee() -> None:
    assert not any(path.startswith(sys.prefix) for path, *_ in PROGRAMS.values())


@referee
def test_the_step_of_the_article_is_refuted(broken: Path) -> None:
    assert status(broken) == "sat"
    assert asked("z3", broken).outcome == "holds"
    assert asked("cvc4", broken).answer != "unsat"


@referee
@pytest.mark.parametrize("program", OPTIONS)
def test_an_obligation_without_its_goal_is_not_proved(
    program: str, exported: Path, tmp_path: Path
) -> None:
    """What is asserted last is the goal; the premises alone contradict nothing."""
    file = next(file for file in below(exported) if file.match("lapse/held_under_lease.smt2"))
    assert asked(program, file).answer == "unsat"
    text = file.read_text("utf-8")
    shorter = tmp_path / "shorter.smt2"
    shorter.write_text(text[: text.rindex("(assert ")] + "(check-sat)\n", "utf-8")
    assert asked(program, shorter, (5,)).answer != "unsat"


@referee
@pytest.mark.parametrize("program", OPTIONS)
def test_what_is_not_read_is_unknown(program: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.smt2"
    file.write_text("(set-info :status unsat)\n(assert (= 1 nobody))\n(check-sat)\n", "utf-8")
    assert (asked(program, file).answer, asked(program, file).outcome) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("echo unsat", "holds"),
        ("echo sat", "violated"),
        ("echo unknown", "unknown"),
        ("sleep 60", "unknown"),
        ("echo unsat; echo unsat", "unknown"),
        ("exit 1", "unknown"),
    ],
)
def test_only_a_plain_answer_counts(
    script: str, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "any.smt2"
    file.write_text("(set-info :status unsat)\n", "utf-8")
    monkeypatch.setattr(referees, "PROGRAMS", {"fake": ("sh", "-c", script)})
    assert asked("fake", file, (0.5,)).outcome == outcome


def test_a_program_is_asked_again_while_it_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As z3 4.8.12, which decides T0/ACK/may with some seeds only; the first answer stands."""
    file = tmp_path / "any.smt2"
    file.write_text("(set-info :status unsat)\n", "utf-8")
    script = 'case "$1" in luck) echo unsat;; late) echo sat;; *) echo unknown;; esac'
    monkeypatch.setattr(referees, "PROGRAMS", {"fake": ("sh", "-c", script, "fake")})
    assert asked("fake", file, (5,)).answer == "unknown"
    monkeypatch.setattr(referees, "AGAIN", {"fake": (("no",), ("luck",), ("late",))})
    assert asked("fake", file, (5,)).outcome == "holds"


def test_files_that_ask_the_same_are_asked_once_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the comment that names it, a file's whole text is what it asks."""
    texts = {"one": "; one\n", "again": "; again\n", "other": "; one\n(assert false)\n"}
    for name, text in texts.items():
        text += "(set-info :status unsat)\n"
        (tmp_path / f"{name}.smt2").write_text(text, "utf-8")
    script = f'echo >>{tmp_path}/calls; grep -q assert "$1" && echo unsat || echo sat'
    monkeypatch.setattr(referees, "PROGRAMS", {"fake": ("sh", "-c", script, "fake")})
    said = {each.file.stem: each.answer for each in all_asked(below(tmp_path), ("fake",))}
    assert said == {"one": "sat", "again": "sat", "other": "unsat"}
    assert (tmp_path / "calls").read_text("utf-8") == "\n\n"


@pytest.mark.parametrize(("answer", "code"), [("unsat", 0), ("sat", 1), ("unknown", 3)])
def test_the_command_tells_what_it_was_told(
    answer: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "any.smt2").write_text("(set-info :status unsat)\n", "utf-8")
    fake = dict.fromkeys(PROGRAMS, ("sh", "-c", f"echo {answer}"))
    monkeypatch.setattr(referees, "PROGRAMS", fake)
    assert main(tmp_path) == code
    told = capsys.readouterr().out
    assert re.search(r"^z3: 1 files: 1 (holds|violated|unknown)$", told, re.M)
    assert main(tmp_path / "none") == 3
