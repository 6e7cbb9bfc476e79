"""Kept answers in the place of cvc5: what is taken, what is asked, and what does not pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from holdover.proofs.logic import solvers
from holdover.proofs.logic.obligations import Obligation, obligations
from holdover.proofs.logic.solvers import answers, asked_once
from holdover.proofs.theorems.t2_safety import TOLERATED, case
from holdover.proofs.verdicts import claims
from tests import kept
from tests.proofs.logic import kept_answers, kept_cvc5
from tests.proofs.logic.kept_answers import key
from tests.proofs.logic.kept_cvc5 import Heard, listening, question, read_kept

TEXTS = [f"(echo {number})" for number in range(100)]
KEYS = [key(question(text, 9, ["x"])) for text in TEXTS]
KEPT = dict.fromkeys(KEYS, "unsat")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that cvc5 is asked, which says of each that it has no model."""
    texts: list[str] = []

    def says(text: str, most: int, options: Sequence[str]) -> list[str]:
        texts.append(text)
        return ["unsat"]

    monkeypatch.setattr(solvers, "cvc5_says", says)
    return texts


def say(text: str, most: int = 9, options: Sequence[str] = ("x",)) -> list[str]:
    """What stands in the place of cvc5 says."""
    return solvers.cvc5_says(text, most, options)


def lapses(profile: str = "rfc2131") -> list[Obligation]:
    """Some obligations of T2, and those of the article among them."""
    return [o for o in obligations(case(profile, TOLERATED[profile])) if o.row == "lapse"]


# What is asked -----------------------------------------------------------------------------------


def test_a_kept_answer_is_taken_of_the_same_text_effort_and_options_alone(asked: list[str]) -> None:
    with listening(None, KEPT) as listener:
        assert say(TEXTS[0]) == ["unsat"]
        assert asked == []
        for text, most, options in (
            (TEXTS[0] + " ", 9, ["x"]),
            (TEXTS[0], 10, ["x"]),
            (TEXTS[0], 9, ["x", "y"]),
            (TEXTS[0], 9, []),
        ):
            say(text, most, options)
        assert len(asked) == 4
        assert [each.kept for each in listener.heard()] == [True] + [False] * 4
    say(TEXTS[1])
    assert len(asked) == 5, "cvc5 itself, afterwards"


def test_fifty_numbers_ask_each_text_once(asked: list[str]) -> None:
    for turn in range(1234, 1284):
        with listening(turn, KEPT):
            for text in TEXTS:
                say(text)
    assert sorted(asked) == sorted(TEXTS)


def test_a_forged_answer_is_noticed_when_it_is_its_turn_and_not_before(asked: list[str]) -> None:
    forged = {**KEPT, KEYS[7]: "sat"}
    found = []
    for turn in range(50):
        with listening(turn, forged) as listener:
            said = {text: say(text) for text in TEXTS}
            if different := listener.differing():
                found.append((said[TEXTS[7]], different))
    assert found == [(["unsat"], [f"{KEYS[7]}: cvc5 says now unsat, and sat is kept"])]


def test_each_version_has_answers_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "FOLDER", tmp_path)
    kept_cvc5.keep([Heard(KEYS[0], False, "unsat sat"), Heard(KEYS[1], False, "unsat unknown (X)")])
    assert read_kept() == {KEYS[0]: "unsat sat"}, "an unknown is not kept"
    monkeypatch.setattr(kept_cvc5, "identity", lambda: "cvc5 99")
    assert read_kept() == {}


def of_process(text: str) -> list[str]:
    """In a process of its own."""
    return say(text)


def test_what_forked_processes_ask_is_heard(asked: list[str]) -> None:
    with listening(None, dict.fromkeys(KEYS[:30], "unsat")) as listener:
        with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
            assert list(pool.map(of_process, TEXTS)) == [["unsat"]] * len(TEXTS)
        heard = {each.key: each.kept for each in listener.heard()}
    assert heard == {name: number < 30 for number, name in enumerate(KEYS)}


# Obligations -------------------------------------------------------------------------------------


def decided(some: Sequence[Obligation]) -> dict[str, str]:
    """What follows of obligations, by name."""
    asked_once.cache_clear()
    return {each.obligation.name: each.result for each in answers("cvc5", some)}


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What this process has asked is not taken by other tests for an answer."""
    yield
    asked_once.cache_clear()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("profile", ["rfc2131", "wfwg311"])
def test_obligations_come_out_as_cvc5_decided_them_and_a_changed_one_is_asked(profile: str) -> None:
    some = lapses(profile)
    with listening(None, {}) as listener:
        right = decided(some)
        learned = {each.key: each.said for each in listener.heard()}
    kept = {name: said for name, said in learned.items() if kept_answers.decides(said)}
    with listening(None, kept) as listener:
        assert decided(some) == right
        assert {each.key for each in listener.heard() if not each.kept} == learned.keys() - kept
        assert decided(some[1:]).items() < right.items()
        assert not all(each.kept for each in listener.heard())


@pytest.mark.usefixtures("forgotten")
def test_a_kept_answer_that_refutes_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all premises; where fewer were refuted, all are another text."""
    monkeypatch.setattr(solvers, "INSTANCES", ())
    some = [replace(each, first=()) for each in lapses()[:4]]
    with listening(None, {}) as listener:
        assert set(decided(some).values()) == {"proved"}
        learned = {each.key: each.said for each in listener.heard()}
    forged = {name: said.replace("unsat", "sat") for name, said in learned.items()}
    with listening(None, forged):
        assert set(decided(some).values()) == {"refuted"}


# The command -------------------------------------------------------------------------------------


Ends = Callable[[int], None]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ends:
    """Has `holdover prove` ask all texts, and end so; answers are kept elsewhere."""
    monkeypatch.setattr(kept_answers, "FOLDER", tmp_path)
    monkeypatch.setattr(pytest, "main", lambda words: 0)
    monkeypatch.setattr(kept, "unchanged", lambda family: False)

    def ends(status: int) -> None:
        @click.command()
        @click.option("--solver")
        @click.option("--no-search", is_flag=True)
        def prove(solver: str, no_search: bool) -> int:
            assert (solver, no_search) == ("cvc5", True)
            for text in TEXTS:
                say(text)
            return status

        monkeypatch.setattr(kept_cvc5, "prove", prove)

    return ends


def told(*words: str) -> tuple[int, str]:
    """How `python -m tests.proofs.logic.kept_cvc5` ends, and what it says last."""
    found = CliRunner().invoke(kept_cvc5.main, words)
    return found.exit_code, found.output


@pytest.mark.parametrize("status", [0, 1, 3])
def test_it_ends_as_the_command_does(status: int, asked: list[str], command: Ends) -> None:
    command(status)
    kept_answers.write("cvc5", kept_cvc5.identity(), KEPT)
    assert told("--turn", "33") == (status, "cvc5: 2 texts asked now, 98 as it said before\n")
    assert len(asked) == 2


def test_it_fails_where_cvc5_says_something_else_now(asked: list[str], command: Ends) -> None:
    command(0)
    kept_answers.write("cvc5", kept_cvc5.identity(), {**KEPT, KEYS[7]: "sat"})
    codes = {turn: told("--turn", str(turn))[0] for turn in range(50)}
    assert sorted(codes.values()) == [0] * 49 + [1]


def test_keeping_asks_what_is_new_and_drops_what_nobody_asks(
    asked: list[str], command: Ends
) -> None:
    command(0)
    kept_answers.write("cvc5", kept_cvc5.identity(), {KEYS[0]: "unsat", "f" * 32: "unsat"})
    assert told("--keep") == (0, "cvc5: 99 texts asked now, 1 as it said before\n")
    assert read_kept() == KEPT
    command(1)
    kept_answers.write("cvc5", kept_cvc5.identity(), {})
    assert told("--keep")[0] == 1
    assert read_kept() == {}, "of a command that failed nothing is kept"


def test_one_claim_at_each_commit_and_all_texts_of_it_are_asked_within_fifty(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing has changed; each claim has other texts here, and is made by the real list."""
    every = kept_cvc5.made()
    assert 5 < len(every) <= 50 // kept_cvc5.QUARTERS
    monkeypatch.setattr(kept_cvc5, "read_kept", lambda: KEPT)
    names = [each.name for each in every]
    of_claim = {name: TEXTS[number :: len(names)] for number, name in enumerate(names)}
    for turn in range(1234, 1284):
        with kept_cvc5.in_turn(turn):
            (claim,) = claims.claims(("cvc5",), combined=True)
            before = len(asked)
            for text in of_claim[claim.name]:
                say(text)
            assert len(asked) - before < len(of_claim[claim.name])
    assert set(asked) == set(TEXTS)
    assert len(list(claims.claims())) > 100, "the list is whole again"


def test_the_kept_answers_are_those_of_the_version_that_is_installed() -> None:
    """Else each commit would ask all of them again, and nobody would notice."""
    assert len(read_kept()) > 500
