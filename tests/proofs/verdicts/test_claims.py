"""The claims of the specification: all there, and a wrong or failing one is never *as stated*."""

import os
from collections import Counter
from dataclasses import replace
from inspect import signature
from typing import Any

import pytest

from holdover.model.clients.profile import builtin_names
from holdover.model.explorer.configurations import (
    Configuration,
    ExplorationCounts,
    configurations,
    run,
)
from holdover.model.explorer.explore import Exploration
from holdover.model.explorer.stategraph import GraphReading
from holdover.proofs.result import Check, Outcome
from holdover.proofs.theorems import t5_state_graph
from holdover.proofs.verdicts import claims
from holdover.proofs.verdicts.claims import (
    Claim,
    ClaimResult,
    check,
    check_all,
    check_configuration,
    check_verdict,
)

SERVER_FORGETS = Claim("pinned", "server forgets", "pinned", 1)
WFWG311 = Claim("profile", "wfwg311", "profile", 1)
SEARCH = next(c for c in configurations() if c.name == SERVER_FORGETS.name)
CRASHING = Claim("T9", "no such theorem", "T9", 1)


def test_claims_cover_theorems_profiles_and_pinned_searches() -> None:
    found = Counter(claim.group for claim in claims.claims())
    assert set(found) == {"T0", "T1", "T2", "T3", "T4", "T5", "T6", "T7", "profile", "pinned"}
    assert found["profile"] == len(builtin_names())
    assert found["pinned"] == len(configurations())
    assert set(claims.SAFE) <= set(builtin_names())


def test_each_claim_is_decided_by_the_solvers_or_by_a_search() -> None:
    """And by one of them alone: what is left out for a second solver is the same by any."""
    kinds = {claim.kind for claim in claims.claims(combined=True)}
    assert claims.BY_SOLVERS.keys() | claims.BY_SEARCH.keys() == kinds
    assert not claims.BY_SOLVERS.keys() & claims.BY_SEARCH.keys()
    # A search is not even told by whom: so who decides cannot matter.
    assert {len(signature(by).parameters) for by in claims.BY_SEARCH.values()} == {1}


def test_claims_are_in_the_order_of_the_report() -> None:
    groups = [claim.group for claim in claims.claims()]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)


@pytest.mark.parametrize("name", ["wfwg311", "dhcpcd"])
def test_violated_profile_that_is_stated_to_be_is_as_stated(name: str) -> None:
    found = check_verdict(name, ("z3",))
    assert (found.outcome, found.says) == ("holds", f"{name} is violated")
    assert found.detail.startswith("violated: ")


def test_safe_profile_is_as_stated() -> None:
    found = check_verdict("wfwg311-fixed", ("z3",))
    assert (found.outcome, found.says) == ("holds", "wfwg311-fixed holds")
    assert found.detail.startswith("holds: theorem T3")


@pytest.mark.parametrize(
    ("safe", "name", "says", "detail"),
    [
        (("wfwg311",), "wfwg311", "wfwg311 holds", "violated: "),
        ((), "rfc2131", "rfc2131 is violated", "holds: "),
    ],
)
def test_wrong_expectation_is_not_as_stated(
    monkeypatch: pytest.MonkeyPatch, safe: tuple[str, ...], name: str, says: str, detail: str
) -> None:
    monkeypatch.setattr(claims, "SAFE", safe)
    (found,) = check(Claim("profile", name, "profile", 1))
    assert (found.outcome, found.says) == ("violated", says)
    assert found.detail.startswith(detail)


def test_pinned_search_shows_its_numbers() -> None:
    found, c = check_configuration("server forgets"), SEARCH
    assert found.outcome == "holds"
    assert found.detail == f"{c.states} states, {c.steps} steps, depth {c.depth}"


def test_changed_pinned_number_is_not_as_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [replace(c, states=c.states + 1) for c in configurations()]
    monkeypatch.setattr(claims, "configurations", lambda: wrong)
    found = check_configuration("server forgets")
    assert (found.outcome, found.detail) == (
        "violated",
        f"states: {SEARCH.states}, pinned {SEARCH.states + 1}",
    )


# Side by side -----------------------------------------------------------------------------------


def test_results_come_in_the_given_order_and_each_is_counted() -> None:
    todo = [WFWG311, SERVER_FORGETS]
    counted: list[tuple[int, int]] = []
    found = check_all(todo, 2, progress=lambda done, of, what: counted.append((done, of)))
    assert [result.claim for result in found] == todo
    assert [result.outcome for result in found] == ["holds", "holds"]
    assert counted == [(1, 2), (2, 2)]


def test_crashing_check_is_unknown_and_the_others_are_checked() -> None:
    crashed, fine = check_all([CRASHING, SERVER_FORGETS], 1)
    assert crashed.outcome == "unknown"
    assert crashed.checks[0].detail == "the check failed: KeyError('T9')"
    assert fine.outcome == "holds"


def test_claims_about_one_configuration_explore_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    explored: list[Configuration] = []

    def counted(
        configuration: Configuration, *, narrow: bool
    ) -> tuple[ExplorationCounts, Exploration]:
        explored.append(configuration)
        return run(configuration, narrow=narrow)

    monkeypatch.setattr(claims, "run", counted)
    monkeypatch.setattr(claims, "KEPT", claims.KeptExplorations())
    one = replace(SERVER_FORGETS, name="networkd")
    graph = replace(one, group="T5", kind="graph")
    other = replace(one, name="dhcpcd")
    together, alone = claims.tasks([graph, other, one])
    assert (together, alone) == ((graph, one), (other,))
    found = [claims.check_task(task, ("z3",)) for task in (together, alone)]
    assert [check.outcome for task in found for (check,) in task] == ["holds"] * 3
    assert [configuration.name for configuration in explored] == ["networkd", "dhcpcd"]


def test_networkx_reads_once_what_the_engine_is_asked_about_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, explored, right = [], [], t5_state_graph.reading

    def reading(configuration: Configuration, *more: Any) -> GraphReading:
        read.append(configuration.name)
        return right(configuration, *more)

    def counted(configuration: Configuration, *, narrow: bool) -> Any:
        explored.append(configuration.name)
        return run(configuration, narrow=narrow)

    monkeypatch.setattr(t5_state_graph, "reading", reading)
    monkeypatch.setattr(claims, "run", counted)
    todo = [
        claim
        for claim in claims.claims()
        if claim.kind == "graph-engine" or claim.name in t5_state_graph.BY_ENGINE
        if claim.group != "profile" and claim.kind not in ("T0-explored", "T2")
    ]
    (task,) = claims.tasks(todo)
    assert len(task) == 2 * len(t5_state_graph.BY_ENGINE) + 1
    found = claims.check_task(task, ("z3",))
    assert {check.outcome for checks in found for check in checks} == {"holds"}
    assert sorted(read) == sorted(explored) == sorted(t5_state_graph.BY_ENGINE)
    assert not claims.KEPT.readings
    assert not claims.KEPT.counted


def test_all_that_the_engine_is_asked_about_is_one_task() -> None:
    """What is not in it does not import numba."""
    for task in claims.tasks(list(claims.claims())):
        kinds = {claim.kind for claim in task}
        if task[0].subject == claims.BY_ENGINE:
            assert kinds == {*claims.ASKED_OF_ENGINE, "graph", "pinned"}
        else:
            assert not kinds & {*claims.ASKED_OF_ENGINE}
            pinned = [claims.configuration_named(c.name) for c in task if c.kind == "pinned"]
            assert not any(map(claims.is_for_engine, pinned))


def test_of_two_claims_about_one_configuration_one_may_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pinned numbers are wrong, and the graph is what it is: one of the two says so."""
    wrong = [replace(c, states=c.states + 1) for c in configurations()]
    monkeypatch.setattr(claims, "configurations", lambda: wrong)
    graph = replace(SERVER_FORGETS, group="T5", kind="graph")
    found = claims.check_task((graph, CRASHING, SERVER_FORGETS), ("z3",))
    assert [check.outcome for (check,) in found] == ["holds", "unknown", "violated"]


def test_dying_process_leaves_its_claim_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "check", die)
    (found,) = check_all([WFWG311], 1)
    assert found.outcome == "unknown"
    assert "BrokenProcessPool" in found.checks[0].detail


def die(claim: Claim, solvers: object) -> list[Check]:
    """What a process does that runs out of memory."""
    os._exit(9)


@pytest.mark.parametrize(
    ("outcomes", "whole"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "unknown"], "unknown"),
        (["unknown", "violated"], "violated"),
        ([], "unknown"),
    ],
)
def test_claim_is_as_good_as_its_worst_check(outcomes: list[Outcome], whole: Outcome) -> None:
    checks = tuple(Check("c", "says", outcome) for outcome in outcomes)
    assert ClaimResult(WFWG311, checks).outcome == whole
