"""T5: proof, explorer and concrete semantics agree; where one of them is made to err, it shows."""

from __future__ import annotations

from fractions import Fraction

import pytest

from holdover.model.readings.interpreter import Interpreter, State
from holdover.model.table.bound import overhang, worst_holdover
from holdover.model.table.expr import BOOL, FALSE, INSTANT, TRUE, Expr, Sort
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.vocabulary import HOST, PHASE, step
from holdover.proofs.logic.formula import REAL, TRUTH, WHOLE, Formula, literal, symbol
from holdover.proofs.logic.invariants import LEASED
from holdover.proofs.logic.read_by_z3 import solve
from holdover.proofs.result import Outcome, Theorem
from holdover.proofs.theorems import t5_agreement
from holdover.proofs.theorems.t5_agreement import (
    EXPLORED,
    concrete_value,
    invariant_holds,
    never_fire,
    prove,
    replay_breach,
    same_worst,
    worlds,
)

WORLDS = {name: (profile, environment) for name, profile, environment in worlds()}
NOT_PROBING = frozenset({"use", "decline", "withhold", "disregard", "reboot", "keep_remainder"})


@pytest.fixture(scope="module")
def theorem() -> Theorem:
    return prove()


@pytest.mark.kept("cases of theorems")
def test_t5_holds(theorem: Theorem) -> None:
    assert [check for check in theorem.checks if check.outcome != "holds"] == []
    names = {check.name for check in theorem.checks}
    assert {f"invariant, {name}" for name in EXPLORED} <= names
    assert {f"never fire, {name}" for name in EXPLORED} <= names
    assert {f"worst holdover, {name}" for name in WORLDS} <= names
    assert "replay, lapse" in names


@pytest.mark.kept("cases of theorems")
def test_profiles_with_and_without_a_bound_are_among_the_worlds(theorem: Theorem) -> None:
    details = [c.detail for c in theorem.checks if c.name.startswith("worst holdover")]
    assert any(detail.startswith("no bound") for detail in details)
    assert any(detail.startswith("search") for detail in details)


# Invariants --------------------------------------------------------------------------------------


def outcomes(name: str, rows: frozenset[str] = NOT_PROBING) -> list[Outcome]:
    return [check.outcome for check in invariant_holds(name, rows)]


def test_the_rows_that_never_fire_are_t2s() -> None:
    assert never_fire("rfc2131") == NOT_PROBING | {"yield_address"}
    conflicts = {"hear_conflict", "yield_address"}
    assert never_fire("reference") == {"resume", "wake_expired"} | conflicts


def test_a_row_said_never_to_fire_that_does_is_caught() -> None:
    assert outcomes("rfc2131") == ["holds", "holds"]
    assert outcomes("rfc2131", NOT_PROBING | {"lapse"}) == ["holds", "violated"]


def test_no_row_said_never_to_fire_confirms_nothing() -> None:
    assert outcomes("rfc2131", frozenset()) == ["holds", "unknown"]


def test_an_invariant_that_is_none_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Property("wrong", "", "", ~EXCLUSIVE.term)
    monkeypatch.setattr(t5_agreement, "LEASED", (*LEASED, wrong))
    first, _ = invariant_holds("rfc2131", NOT_PROBING)
    assert (first.outcome, first.detail) == ("violated", "wrong")


# The broken step ---------------------------------------------------------------------------------


def test_the_broken_step_is_taken_by_the_concrete_semantics() -> None:
    assert replay_breach("lapse", "held_under_lease").outcome == "holds"


def test_a_step_that_breaks_nothing_is_not_confirmed() -> None:
    check = replay_breach("lapse", "covered")
    assert (check.outcome, check.detail) == ("violated", "z3: unsat")


def test_a_conjunct_that_holds_after_all_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver says sat, the concrete semantics says the conjunct holds."""
    monkeypatch.setattr(t5_agreement, "Interpreter", forgiving())
    assert replay_breach("lapse", "held_under_lease").outcome == "violated"


def forgiving() -> type[Interpreter]:
    """A concrete semantics that finds everything in order."""

    class Forgiving(Interpreter):
        def holds(self, term: Expr, state: State, *, following: State | None = None) -> bool:
            return True

    return Forgiving


@pytest.mark.parametrize(
    ("sort", "term", "value"),
    [
        (BOOL, literal(TRUTH, True), True),
        (INSTANT, literal(REAL, Fraction(7, 3)), Fraction(7, 3)),
        (HOST, literal(WHOLE, 1), 1),
        (HOST, literal(WHOLE, -1), None),
        (PHASE, literal(WHOLE, 4), "BOUND"),
    ],
    ids=["truth", "instant", "host", "none", "phase"],
)
def test_values_are_carried_over(sort: Sort, term: Formula, value: object) -> None:
    """What a term says by itself, and what a model says of a symbol."""
    assert concrete_value(sort, term, {}) == value
    said, found = solve([symbol("open", term.domain) == term])
    assert said == "sat"
    assert concrete_value(sort, symbol("open", term.domain), found) == value


# The worst holdover ------------------------------------------------------------------------------


def judged(name: str) -> Outcome:
    return same_worst(name, *WORLDS[name]).outcome


@pytest.mark.parametrize("name", ["wfwg311", "udhcpc", "dhclient-nolifetime, clock set back"])
def test_a_formula_that_is_too_low_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(name) == "holds"
    monkeypatch.setattr(t5_agreement, "worst_holdover", lambda h: worst_holdover(h) - overhang(h))
    assert judged(name) == "violated"


def test_a_formula_that_is_too_high_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t5_agreement, "worst_holdover", lambda h: worst_holdover(h) + overhang(h))
    assert judged("wfwg311") == "violated"


@pytest.mark.parametrize("name", ["rfc2131, clock set back", "networkd, clock set back"])
def test_a_step_that_is_added_for_clocks_that_cannot_be_set_back_is_caught(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judged(name) == "holds"
    monkeypatch.setattr(t5_agreement, "worst_holdover", lambda h: worst_holdover(h) + step)
    assert judged(name) == "violated"


def test_a_bound_that_is_claimed_where_there_is_none_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(t5_agreement, "bounded", lambda h: TRUE)
    assert judged("networkd-keep") == "violated"


def test_a_bound_that_is_denied_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t5_agreement, "bounded", lambda h: FALSE)
    assert judged("rfc2131") == "violated"


def test_a_search_that_is_cut_off_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t5_agreement, "MOST", 100)
    assert judged("wfwg311") == "unknown"
    assert outcomes("rfc2131") == ["unknown", "unknown"]
