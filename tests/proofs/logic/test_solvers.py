"""What Z3 frees is there for its next question, and what it was asked is not asked again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from holdover.proofs.logic import read_by_z3 as module
from holdover.proofs.logic import solvers
from holdover.proofs.logic.formula import REAL, TRUTH, Formula, any_of, symbol, text_of
from holdover.proofs.logic.obligations import Obligation, reasons, script
from holdover.proofs.logic.read_by_z3 import solve
from holdover.proofs.logic.solvers import (
    INSTANCES,
    WHICH,
    Answer,
    Ask,
    answers_of_each,
    ask_which,
    ask_z3,
    ask_z3_at_once,
    cvc5_says,
    decide,
    first_answers,
    which_may_be,
)
from holdover.proofs.theorems.t2_safety import TOLERATED, case
from tests.proofs.logic.test_reasons import only, steps_of

ASKS = """
import resource
from holdover.model.clients.profile import STANDARD, load
from holdover.proofs.verdicts.changes import smallest_changes
from holdover.proofs.verdicts.judge import judge

assert judge(load("wfwg311")).outcome == "violated"
asked = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
assert smallest_changes(load("wfwg311"), STANDARD)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - asked)
"""
"""After a search, which leaves the C library such that it gives back what Z3 frees."""

MOST = 60_000
"""Pages that are asked of the kernel: 3,000 where they are kept, else 250,000."""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc can be told")
def test_memory_of_one_question_is_kept_for_the_next() -> None:
    done = subprocess.run([sys.executable, "-c", ASKS], check=True, capture_output=True)
    assert int(done.stdout) < MOST


def test_z3_is_asked_of_all_rows_of_a_case_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of a stage is asked of all rows in the next one."""
    asked: list[int] = []

    def counting(
        before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
    ) -> list[str]:
        asked.append(len(rounds))
        return ask_z3(before, rounds, most)

    by: dict[str, Ask] = {"z3": counting}
    monkeypatch.setattr(solvers, "SOLVERS", by)
    found = decide(case("rfc2131", TOLERATED["rfc2131"]), firing_too=False)
    assert found.proved
    every = [answer.obligation for answer in found.answers]
    later = [each for each in every if not each.first or reasons().get((each.row, each.conjunct))]
    assert {bool(each.first) for each in later} == {True, False}
    assert 100 < asked[0] < len(every) - len(later)  # of many the question is the same
    assert len(asked) <= len(INSTANCES) + 1
    assert asked == sorted(asked, reverse=True)  # each is asked what is left of those before


def test_without_premises_that_are_expected_all_are_told_at_members_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What they do not prove there is not asked about all members with less than all effort."""
    asked: list[int] = []

    def noted(
        before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
    ) -> list[str]:
        terms = (*before, *(term for each in rounds for term in each))
        assert not any("forall" in text_of(term) for term in terms)
        asked.append(len(rounds))
        return ask_z3(before, rounds, most)

    by: dict[str, Ask] = {"z3": noted}
    monkeypatch.setattr(solvers, "SOLVERS", by)
    steps = steps_of(only(case("rfc2131", TOLERATED["rfc2131"]), "prolong"))
    some = [each for each in steps.values() if not each.first]
    assert first_answers("z3", some).keys() == {each.name for each in some}
    said = [replace(each, assertions=(*each.assertions[:-1], X > 0)) for each in some]
    assert not first_answers("z3", said)
    assert asked == [2, 1]


def test_what_one_solver_needed_tells_the_other_where_to_begin_and_not_what_to_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the first is wrong about that, or has proved nothing, the second one proves the same."""
    claim = only(case("reference", TOLERATED["reference"]), "duplicate", "crash")
    every = list(steps_of(claim).values())
    asked: list[int] = []

    def counting(
        ask: Ask, before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
    ) -> list[str]:
        asked.append(len(rounds))
        return ask(before, rounds, most)

    monkeypatch.setattr(solvers, "asked_once", counting)
    first = first_answers("z3", every)
    assert {0, 1} <= {answer.told for answer in first.values()}
    wrong: list[Mapping[str, Answer]] = [
        {name: replace(answer, told=told) for name, answer in first.items()}
        for told in (0, len(INSTANCES))
    ]
    asked.clear()
    assert first_answers("cvc5", every, first).keys() == first.keys()
    assert len(every) / 2 < sum(asked) < len(every)
    for other in (None, {}, *wrong):
        assert first_answers("cvc5", every, other).keys() == first.keys()


def test_values_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x = symbol("asked_for_once", REAL)
    assert solve([x > 3, x < 5, x * 2 == 7])[1] == {"asked_for_once": Fraction(7, 2)}

    def refuse(*_: object) -> None:
        raise AssertionError("Z3 was asked again")

    monkeypatch.setattr(module, "read_by_z3", refuse)
    assert solve([x > 3, x < 5, x * 2 == 7])[1] == {"asked_for_once": Fraction(7, 2)}
    with pytest.raises(AssertionError):
        solve([x > 3, x < 5])
    with pytest.raises(AssertionError):
        solve([x > 3, x < 5, x * 2 == 7], "simplify", "smt")


X, Y = symbol("x", REAL), symbol("y", REAL)


def test_what_questions_have_in_common_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []

    def noted(*parts: Any, **how: Any) -> str:
        texts.append(script(*parts, **how))
        return texts[-1]

    monkeypatch.setattr(module, "script", noted)
    assert ask_z3([X > 0], [[X < Y, Y < 0], [X < Y, Y < 2], [X > 0, Y < 0]], 1000) == [
        "unsat",
        "sat",
        "sat",
    ]
    assert [text.count("(assert") for text in texts] == [4]


def test_questions_that_are_alike_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counting(
        ask: Ask, before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
    ) -> list[str]:
        asked.append(len(rounds))
        return ask(before, rounds, most)

    monkeypatch.setattr(solvers, "asked_once", counting)
    some = [
        Obligation("alike", row, "", (X > 0, goal))
        for row, goal in (("1", X < 0), ("2", X < 2), ("3", X < 0))
    ]
    found = answers_of_each("z3", some)
    assert [found[each.name].result for each in some] == ["proved", "refuted", "proved"]
    assert set(asked) == {2}


PARTS: list[tuple[Formula, str]] = [
    (X < 0, "unsat"),
    (X > 2, "sat"),
    (Y > X, "unsat"),
    (Y < 0, "sat"),
    (X + Y < Y, "unsat"),
    (Y > 1, "sat"),
]
"""What may be so, and what may not, where neither is negative and y is below."""


@pytest.mark.parametrize("ask", [ask_which, ask_z3_at_once])
@pytest.mark.parametrize(
    "some", [(0, 2, 4), (1, 3), (0, 1, 2, 3, 4), (3,), (2,), (5, 4, 3, 2, 1, 0), (4,) * 50 + (1, 0)]
)
def test_one_question_tells_of_each_of_its_parts(ask: Ask, some: Sequence[int]) -> None:
    rounds = [[X > -1, PARTS[number][0]] for number in some]  # the first says nothing new
    said = ask([X >= 0, X > Y], rounds, 100_000)
    assert said == [PARTS[number][1] for number in some]


@pytest.mark.parametrize("word", ["unknown", "sat"])
def test_z3_is_asked_of_each_part_where_it_does_not_refute_all(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def says(
        before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
    ) -> list[str]:
        asked.append(len(rounds))
        return [word] if len(asked) == 1 else ask_z3(before, rounds, most)

    monkeypatch.setattr(solvers, "ask_z3", says)
    rounds = [[X < 0], [X < -1], [X > 2]]
    assert ask_z3_at_once([X >= 0], rounds, 100_000) == ["unsat", "unsat", "sat"]
    assert asked == [1, 3]


@pytest.mark.parametrize("said", [["unknown", "unknown"], ["error: no"], ["unsat"], []])
def test_what_is_not_decided_in_one_question_is_asked_by_parts(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[str]] = []

    def says(_: str, __: int, options: Sequence[str]) -> list[str]:
        asked.append(options)
        return said if WHICH in options else ["unsat", "sat"]

    monkeypatch.setattr(solvers, "cvc5_says", says)
    assert ask_which([], [[X < 0], [X > 2]], 100_000) == ["unsat", "sat"]
    assert len(asked) == 2


@pytest.mark.parametrize("ask", [ask_which, ask_z3_at_once])
def test_no_formula_has_the_name_of_a_question(ask: Ask) -> None:
    with pytest.raises(ValueError, match="begins a name"):
        ask([symbol("?0", TRUTH)], [[X < 0], [X > 2]], 100_000)


def test_what_is_unknown_after_a_model_is_unknown() -> None:
    """No question that is left is said to be proved, and those that a model has true are not."""
    text = script([[any_of([symbol("?0", TRUTH), symbol("?1", TRUTH)])]], rounds=False)
    assert cvc5_says(text, 100_000, [WHICH]) == ["sat", "sat"]
    assert which_may_be(None, [symbol("?0", TRUTH), symbol("?1", TRUTH)], "unknown") == [
        "unknown",
        "unknown",
    ]
