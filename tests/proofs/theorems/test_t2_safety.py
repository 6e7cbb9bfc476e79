"""T2: safe for any number, and for wfwg311 exactly the lapse is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from holdover.model.clients.profile import FAULTS, load
from holdover.model.table.expr import DURATION
from holdover.model.table.vocabulary import CONSTANTS
from holdover.proofs.logic.obligations import firing
from holdover.proofs.logic.solvers import CaseVerdict, decide
from holdover.proofs.theorems.t2_safety import (
    BROKEN_BY,
    NETWORK,
    TOLERATED,
    case,
    cases,
    check,
    choices,
    detail,
    judge_obligations,
)

Verdicts = Mapping[str, CaseVerdict]

NO_PROBING = {"use", "decline", "withhold", "disregard"}
NO_RESTART = {"reboot", "keep_remainder"}
NO_SUSPEND = {"resume", "wake_expired"}

NO_CONFLICT = {"yield_address"}
"""No address is in use by two."""
NEVER_FIRE = {
    "wfwg311-fixed": NO_PROBING | NO_RESTART | NO_CONFLICT,
    "rfc2131": NO_PROBING | NO_RESTART | NO_CONFLICT,
    "reference": NO_SUSPEND | NO_CONFLICT | {"hear_conflict"},
    "wfwg311": NO_PROBING | NO_RESTART | NO_SUSPEND | NO_CONFLICT,
}
"""Rows for which the client or the surroundings give no occasion; no constant rules them out."""


@pytest.fixture(scope="module")
def verdicts() -> Verdicts:
    return {name: decide(claim) for name, claim in cases()}


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize("name", TOLERATED)
def test_t2_holds(name: str, verdicts: Verdicts) -> None:
    verdict = verdicts[name]
    assert judge_obligations(name, verdict) == "holds", detail(verdict)
    assert verdict.proved is (name not in BROKEN_BY)


@pytest.mark.kept("cases of theorems")
def test_exactly_the_lapse_breaks_wfwg311(verdicts: Verdicts) -> None:
    """Q151387 CAUSE: the lease is over and the address is still there."""
    failed = [(a.obligation.row, a.obligation.conjunct) for a in verdicts["wfwg311"].open]
    assert failed == [("lapse", "held_under_lease")]
    assert "lapse breaks held_under_lease" in detail(verdicts["wfwg311"])


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize("name", TOLERATED)
def test_premises_can_hold_for_every_other_row(name: str, verdicts: Verdicts) -> None:
    """Non-vacuity: a state of the invariant in which the row may happen, for each row."""
    verdict = verdicts[name]
    assert {answer.result for answer in verdict.fires} == {"proved", "refuted"}
    assert set(verdict.never_fire) == NEVER_FIRE[name]
    asked = {o.row for o in firing(verdict.case)}
    assert {"discover", "bind", "lapse", "reuse", "tick", "mute"} <= asked - set(verdict.never_fire)


# What is claimed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOLERATED)
def test_the_case_is_the_profiles(name: str) -> None:
    """Choices as in the file but for `releases`, faults as tolerated; lease, grace, T1 open."""
    fixed = case(name, TOLERATED[name]).fixed
    said = {**choices(load(name)), "releases": True}
    assert {key: fixed[key] for key in said} == said
    assert {fault for fault in FAULTS if fixed[fault]} == set(TOLERATED[name])
    durations = {key for key, constant in CONSTANTS.items() if constant.sort is DURATION}
    assert durations & set(fixed) == {"floor", "late"}
    assert set(CONSTANTS) - set(fixed) == durations - {"floor", "late"}


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize(
    ("fault", "row"), [("forgets", "forget"), ("rival", "rival_ack"), ("reuses_early", "reuse")]
)
def test_a_fault_that_is_not_tolerated_breaks_it(fault: str, row: str) -> None:
    """The claim is about these faults and not about all."""
    verdict = decide(case("rfc2131", (*NETWORK, fault)), firing_too=False)
    assert judge_obligations("rfc2131", verdict) == "violated"
    assert row in {answer.obligation.row for answer in verdict.open}


@pytest.mark.kept("cases of theorems")
def test_a_clock_that_stops_in_suspend_breaks_it() -> None:
    claim = case("rfc2131", TOLERATED["rfc2131"])
    stops = replace(claim, fixed={**claim.fixed, "clock": "MONOTONIC"})
    assert judge_obligations("rfc2131", decide(stops, firing_too=False)) == "violated"


# Verdicts ----------------------------------------------------------------------------------------


@pytest.mark.kept("cases of theorems")
def test_an_unexpected_failure_is_a_violation(verdicts: Verdicts) -> None:
    verdict = verdicts["wfwg311"]
    assert judge_obligations("rfc2131", verdict) == "violated"
    open_too = replace(verdict.answers[0], result="unknown")
    assert (
        judge_obligations("rfc2131", replace(verdict, answers=(*verdict.answers, open_too)))
        == "violated"
    )


@pytest.mark.kept("cases of theorems")
def test_an_expected_failure_that_does_not_come_is_no_confirmation(verdicts: Verdicts) -> None:
    """Else the broken client could be mended unnoticed, and T2 be said of nothing."""
    assert judge_obligations("wfwg311", verdicts["rfc2131"]) == "violated"


@pytest.mark.kept("cases of theorems")
def test_a_failure_seen_by_one_solver_of_two_is_no_confirmation(verdicts: Verdicts) -> None:
    verdict = verdicts["wfwg311"]
    other = [replace(a, solver="cvc5", result="proved") for a in verdict.answers]
    assert (
        judge_obligations("wfwg311", replace(verdict, answers=(*verdict.answers, *other)))
        == "violated"
    )
    undecided = [replace(a, result="unknown") if a.result == "refuted" else a for a in other]
    undecided = [
        replace(a, solver="cvc5", result="unknown" if a.result == "refuted" else a.result)
        for a in verdict.answers
    ]
    both = (*verdict.answers, *undecided)
    assert judge_obligations("wfwg311", replace(verdict, answers=both)) == "unknown"


@pytest.mark.kept("cases of theorems")
def test_nothing_answered_is_unknown(verdicts: Verdicts) -> None:
    assert judge_obligations("rfc2131", replace(verdicts["rfc2131"], answers=())) == "unknown"


@pytest.mark.kept("cases of theorems")
def test_a_check_tells_what_was_proved(monkeypatch: pytest.MonkeyPatch, verdicts: Verdicts) -> None:
    monkeypatch.setattr(f"{check.__module__}.decide", lambda claim, solvers: verdicts["reference"])
    told = check("reference", verdicts["reference"].case, ("z3",))
    count = len(verdicts["reference"].answers)
    assert told.outcome == "holds"
    assert told.detail.startswith(f"{count} of {count} obligations proved by z3; never fire: ")
    assert told.data == {"never_fire": list(verdicts["reference"].never_fire), "obligations": count}
