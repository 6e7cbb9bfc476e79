"""Reasons: the list is that of today's table, and no answer depends on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Self

import pytest

from holdover.model.table.table import LEASE_TABLE, Table
from holdover.proofs.logic import obligations as module
from holdover.proofs.logic import solvers
from holdover.proofs.logic.formula import FALSE, TRUE, Formula
from holdover.proofs.logic.invariants import HEARING
from holdover.proofs.logic.obligations import Case, Obligation, obligations, reasons
from holdover.proofs.logic.solvers import (
    ANSWERS,
    EFFORT,
    FIRST,
    SOLVERS,
    answers,
    asked_once,
    decide,
    first_answers,
)
from holdover.proofs.theorems import reasons as finder
from holdover.proofs.theorems import t0_time_passes
from holdover.proofs.theorems.t2_safety import TOLERATED, case, cases
from holdover.proofs.theorems.t3_grace import (
    hearing,
    lemma,
    missing,
    necessary,
    reaching_term,
    sufficient,
)
from holdover.proofs.theorems.t3_runs import ways
from holdover.proofs.theorems.t6_displaced import cases as t6

pytestmark = pytest.mark.usefixtures("kept_cvc5")

CLAIMS = tuple(finder.claims())
NAMES = [name for _, own in CLAIMS for name in own]
RFC2131 = case("rfc2131", TOLERATED["rfc2131"])
WFWG311 = case("wfwg311", TOLERATED["wfwg311"])

Reasons = Mapping[tuple[str, str], Sequence[str]]
Step = tuple[str, str]


def only(claim: Case, *rows: str) -> Case:
    """The same claim about these rows only."""
    return replace(claim, table=Table(LEASE_TABLE.variables, tuple(map(LEASE_TABLE.action, rows))))


def steps(asked: Iterable[Obligation]) -> dict[Step, Obligation]:
    """The obligations of rows, by row and conjunct."""
    return {(each.row, each.conjunct): each for each in asked if each.row != "initially"}


def steps_of(claim: Case) -> dict[Step, Obligation]:
    """Those of a claim."""
    return steps(obligations(claim))


@cache
def of_t3() -> tuple[Obligation, ...]:
    """What is asked for T3's claim that so much grace suffices."""
    return tuple(obligations(sufficient()))


@cache
def listed_steps() -> dict[Step, Obligation]:
    """The steps that the list may be about: each of the first claim with it."""
    (_, first), *others = CLAIMS
    assert first == [each.name for each in sufficient().invariant]
    found = steps(of_t3())
    for claim, _ in others:
        found = steps_of(claim) | found
    return found


def by_row(some: Iterable[Obligation]) -> Iterator[list[Obligation]]:
    """What is asked together."""
    for _, group in groupby(some, key=lambda each: (each.case, each.row)):
        yield list(group)


def as_if(listed: Reasons, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the list be this one."""
    monkeypatch.setattr(module, "reasons", lambda: listed)


# The list ----------------------------------------------------------------------------------------


def test_it_is_about_steps_of_t3_and_t6_and_names_conjuncts_in_their_order() -> None:
    assert set(reasons()) <= set(listed_steps())
    assert NAMES[: len(HEARING)] == [conjunct.name for conjunct in HEARING]
    for (row, conjunct), others in reasons().items():
        (claim,) = (claim for claim, own in CLAIMS if conjunct in own)
        names = [each.name for each in claim.invariant]
        assert row in {action.name for action in LEASE_TABLE.actions}
        assert conjunct not in others
        assert list(others) == [name for name in names if name in others]
    listed = [conjunct for _, conjunct in reasons()]
    assert listed == sorted(listed, key=NAMES.index)


@cache
def premises_of() -> Mapping[Step, module.Steps]:
    """By step those of the first claim with it."""
    found: dict[Step, module.Steps] = {}
    for claim, _ in CLAIMS:
        known = module.Steps(claim)
        found = dict.fromkeys(steps_of(claim), known) | found
    return found


def alone(conjunct: str) -> Iterator[str]:
    """The rows listed for it which keep it by their guards and the conjunct alone."""
    for row in (row for row, other in reasons() if other == conjunct):
        known = premises_of()[row, conjunct]
        allowed = module.guards(known.logic, LEASE_TABLE.action(row))
        assert allowed is not None
        premises = dict.fromkeys((*allowed, known.kept[conjunct]))
        goal = listed_steps()[row, conjunct].assertions[-1]
        if SOLVERS["z3"](tuple(premises), [[goal]], finder.LESS) == ["unsat"]:
            yield row


@pytest.mark.kept("cases of reasons", by="conjunct")
@pytest.mark.parametrize("conjunct", NAMES)
def test_what_is_listed_is_not_kept_by_the_row_and_the_conjunct_alone(conjunct: str) -> None:
    assert set(alone(conjunct)) == set()


def not_first(solver: str, steps: Mapping[Step, Obligation]) -> set[Step]:
    """Those of these steps that the premises do not prove which are expected to."""
    found = {name for group in by_row(steps.values()) for name in first_answers(solver, group)}
    return {step for step, each in steps.items() if each.name not in found}


@pytest.mark.kept("cases of reasons", by="conjunct")
@pytest.mark.parametrize("conjunct", NAMES)
def test_each_step_is_proved_by_what_is_listed(conjunct: str) -> None:
    own = {step: each for step, each in listed_steps().items() if step[1] == conjunct}
    assert own
    assert not_first("z3", own) == set()


def test_cvc5_proves_each_step_by_what_is_listed() -> None:
    """A row at a time, as its kept answers have them."""
    assert not_first("cvc5", listed_steps()) == set()


class HereInTurn:
    """A pool that is this process."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    map = staticmethod(map)


@pytest.mark.kept("cases of reasons")
def test_the_list_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of four rows, of which one takes nothing but what is assumed: for all it takes a minute."""
    some = ("crash", "forge", "free", "notify")
    rows = [row.name for row in LEASE_TABLE.actions if row.name in some]
    claim, parts = only(sufficient(), *rows), [(only(part, *rows), goal) for part, goal in t6()]
    monkeypatch.setattr(finder, "sufficient", lambda: claim)
    monkeypatch.setattr(finder, "cases", lambda: parts)
    monkeypatch.setattr(finder, "ProcessPoolExecutor", HereInTurn)
    finder.main()
    file = (resources.files("holdover.proofs.logic") / "reasons.toml").read_text("utf-8")
    lines = [
        line
        for line in file.splitlines()
        if not re.match(r"\w+ =", line) or line.split(" =")[0] in some
    ]
    wanted = "\n".join(lines) + "\n"
    while (shorter := re.sub(r"\n\[\w+\]\n(?=\n|\Z)", "", wanted)) != wanted:
        wanted = shorter
    assert {f"\n{row} = [" in wanted for row in some} == {True}
    assert capsys.readouterr().out == wanted


# No answer depends on it -------------------------------------------------------------------------


def of_every_theorem() -> Iterator[Obligation]:
    """What is asked of any solver."""
    yield from of_t3()
    yield from module.firing(sufficient())
    for claim in (*(claim for _, claim in cases()), missing(), hearing()):
        yield from obligations(claim)
        yield from module.firing(claim)
    yield from t0_time_passes.all_obligations()
    yield from lemma()
    yield from reaching_term()
    for way in ways():
        yield from necessary(way)


@pytest.mark.kept("cases of reasons")
def test_what_is_asked_first_is_some_of_the_premises() -> None:
    """So that what follows from them follows; else a wrong list could prove what is not so."""
    asked = list(of_every_theorem())
    for each in asked:
        premises = set(each.assertions[:-1])
        assert premises.issuperset(each.first), each.name
        assert len({*each.first, each.assertions[-1]}) == len(each.first) + 1, each.name
    assert sum(bool(each.first) for each in asked) > 2000
    assert all(each.first for each in steps(of_t3()).values())


def test_it_is_asked_first_about_the_row_the_conjunct_and_what_is_listed() -> None:
    claim = sufficient()
    known = module.Steps(claim)
    asked = [*known.before, *known.assumed]
    assert set(known.kept.values()) < set(asked)
    for (row, conjunct), each in steps(of_t3()).items():
        allowed = module.guards(known.logic, claim.table.action(row))
        assert allowed is not None
        wanted = {*allowed, known.kept[conjunct]}
        if (row, conjunct) in reasons():
            wanted |= {known.kept[name] for name in reasons()[row, conjunct]}
            wanted.update(known.assumed)
        assert set(each.first) == wanted


def results(claim: Case, solver: str) -> dict[Step, str]:
    """What a solver says of each."""
    found = decide(claim, (solver,), firing_too=False).answers
    return {(each.obligation.row, each.obligation.conjunct): each.result for each in found}


T3_NAMES = [conjunct.name for conjunct in HEARING]

WRONG: Mapping[str, Callable[[], Reasons]] = {
    "empty": dict,
    "the conjunct alone, and what is assumed": lambda: dict.fromkeys(steps_of(RFC2131), ()),
    "what is needed left out": lambda: {step: others[1:] for step, others in reasons().items()},
    "of something else": lambda: {
        (row, conjunct): [T3_NAMES[T3_NAMES.index(conjunct) - 1]]
        for row, conjunct in steps_of(RFC2131)
    },
    "of what there is not": lambda: dict.fromkeys(steps_of(RFC2131), ("nothing", "exclusive")),
}
"""Lists that are not that of the table."""


@cache
def with_the_list(name: str) -> tuple[Case, dict[str, dict[Step, str]]]:
    """Of a claim rows that take much, and what each solver says of these by the list as it is."""
    (whole,) = (each for each in (RFC2131, WFWG311) if each.name == name)
    claim = only(whole, "bind", "lapse", "prolong", "reuse", "free")
    return claim, {solver: results(claim, solver) for solver in SOLVERS}


@pytest.mark.parametrize("listed", WRONG)
@pytest.mark.parametrize("profile", [RFC2131, WFWG311], ids=["rfc2131", "wfwg311"])
def test_with_another_list_the_answers_are_the_same(
    profile: Case, listed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of rows that take much; all that are refuted are among them."""
    claim, right = with_the_list(profile.name)
    as_if(WRONG[listed](), monkeypatch)
    assert {solver: results(claim, solver) for solver in SOLVERS} == right
    refuted = {step for step, said in right["z3"].items() if said != "proved"}
    assert refuted == ({("lapse", "held_under_lease")} if profile is WFWG311 else set())


@pytest.mark.parametrize("solver", SOLVERS)
def test_without_a_list_a_step_is_proved_by_way_of_all_premises(
    solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First those that are listed, then all, with what may be spent on each; then alone.

    Of their instances it is not asked here, by which it is proved sooner (`test_instances.py`).
    """
    monkeypatch.setattr(solvers, "INSTANCES", ())
    ask, seen = SOLVERS[solver], list[tuple[int, int, list[str]]]()

    def watched(
        before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
    ) -> list[str]:
        said = ask(before, rounds, most)
        seen.append((most, len(before) + len(rounds[0]) - 1, said))
        return said

    monkeypatch.setitem(SOLVERS, solver, watched)
    step = ("free", "covered")
    obligation = steps_of(only(sufficient(), "free"))[step]
    whole = len(set(obligation.assertions[:-1]))
    assert answers(solver, [obligation])[0].result == "proved"
    assert seen == [(FIRST[solver], len(obligation.first), ["unsat"])]
    seen.clear()
    as_if({}, monkeypatch)
    unlisted = steps_of(only(sufficient(), "free"))[step]
    assert len(unlisted.first) < len(obligation.first)
    assert answers(solver, [unlisted])[0].result == "proved"
    ((first, few, said), *rest) = seen
    assert (first, few) == (FIRST[solver], len(unlisted.first))
    assert said != ["unsat"]
    assert rest == [(EFFORT[solver], whole, ["unsat"])]
    seen.clear()
    asked_once.cache_clear()  # it has just been asked
    assert answers(solver, [replace(obligation, first=())])[0].result == "proved"
    assert seen == [(EFFORT[solver], whole, ["unsat"])]


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_the_first_premises_refute_is_not_refuted(solver: str) -> None:
    """A state in which they are true need not be one in which all are."""
    obligation = steps_of(only(RFC2131, "free"))["free", "covered"]
    goal = obligation.assertions[-1]
    little = replace(obligation, first=(TRUE,))
    assert SOLVERS["z3"](little.first, [[goal]], FIRST["z3"]) == ["sat"]
    assert first_answers(solver, [little]) == {}
    assert answers(solver, [little])[0].result == "proved"


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_does_not_follow_is_not_proved_although_it_is_asked_first(solver: str) -> None:
    """The step of the article; and what follows from nothing."""
    broken = steps_of(only(WFWG311, "lapse"))["lapse", "held_under_lease"]
    assert broken.first
    assert first_answers(solver, [broken]) == {}
    assert answers(solver, [broken])[0].result == "refuted"
    for (row, conjunct), each in steps_of(only(RFC2131, "free", "lapse")).items():
        open_ = replace(each, assertions=(*each.assertions[:-1], TRUE))
        assert first_answers(solver, [open_]) == {}, (row, conjunct)
        assert answers(solver, [open_])[0].result == "refuted"


@pytest.mark.parametrize("solver", SOLVERS)
def test_among_others_each_has_its_own_answer(solver: str) -> None:
    """Whether it is proved first, by all premises, or is refuted; in the order that was asked."""
    whole = list(steps_of(only(WFWG311, "lapse")).values())
    mixed = [
        replace(each, first=()) if number % 3 == 0 else each for number, each in enumerate(whole)
    ]
    mixed.insert(
        1, replace(whole[0], conjunct="nothing", assertions=(*whole[0].assertions[:-1], FALSE))
    )
    mixed.insert(3, replace(whole[0], conjunct="all", assertions=(*whole[0].assertions[:-1], TRUE)))
    found = answers(solver, mixed)
    assert [answer.obligation for answer in found] == mixed
    said = {answer.obligation.conjunct: answer.result for answer in found}
    assert {name for name, result in said.items() if result == "refuted"} == {
        "all",
        "held_under_lease",
    }
    assert set(said.values()) <= set(ANSWERS.values())
