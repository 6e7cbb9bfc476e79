"""Faults x safeguards: what a cell says is so, and a smallest cure is one and is smallest."""

import itertools
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from holdover.model.clients.profile import in_seconds
from holdover.model.explorer.explore import SearchResult
from holdover.proofs.logic.solvers import decide
from holdover.proofs.verdicts import judge
from holdover.proofs.verdicts.judge import exact_case, search
from holdover.proofs.verdicts.matrix import (
    BARE,
    CALM,
    ROWS,
    SAFEGUARDS,
    MatrixCell,
    MatrixRow,
    cell,
    cells,
    deployment,
    proof,
    short,
    smallest_cures,
    whole,
)

HARMLESS = {
    "nothing": "nothing goes wrong",
    "server silent": "a user who answers at once, on a network without delay, releases in time",
    "ACK lost": "an ACK that does not arrive begins no lease at the client",
}
"""Rows that do no harm by themselves, and why."""


def row(name: str) -> MatrixRow:
    return next(fault for fault in ROWS if fault.name == name)


@cache
def found(fault: str, *safeguards: str) -> MatrixCell:
    return cell(row(fault), safeguards)


# Cells ------------------------------------------------------------------------------------------


def test_bare_client_in_a_calm_world_holds() -> None:
    assert row("nothing").environment == CALM
    assert row("nothing").profile == BARE
    assert found("nothing").outcome == "holds"
    assert decide(exact_case("bare", in_seconds(BARE, CALM)), firing_too=False).proved


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize("fault", [fault.name for fault in ROWS])
def test_each_fault_alone_does_harm_unless_explained(fault: str) -> None:
    bare = found(fault)
    assert bare.outcome == ("holds" if fault in HARMLESS else "violated")
    assert (bare.judgement is None) == (fault in HARMLESS)
    if bare.judgement:
        assert bare.judgement.unit == "s"
        assert bare.judgement.run[-1].holding == ("a1", "a1")


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize(
    ("fault", "safeguard", "outcome"),
    [
        ("notice unacknowledged", "release first", "holds"),
        ("notice unacknowledged", "kernel lifetime", "holds"),
        ("notice unacknowledged", "BOOTTIME", "violated"),
        ("notice unacknowledged", "grace", "violated"),
        ("hook blocks for 20 s", "grace", "holds"),
        ("process frozen", "release first", "violated"),
        ("host suspended", "release first", "violated"),
        ("host suspended", "BOOTTIME", "violated"),
        ("ACK late by 1 s", "release first", "violated"),
        ("clock drift of 100 ppm", "kernel lifetime", "violated"),
        ("clock drift of 100 ppm", "grace", "holds"),
        ("clock set back an hour", "BOOTTIME", "holds"),
        ("server forgets", "durable store", "holds"),
        ("server forgets", "grace", "violated"),
        ("reuse before the end", "client probe", "holds"),
        ("two servers, one pool", "server probe", "violated"),
    ],
)
def test_cell(fault: str, safeguard: str, outcome: str) -> None:
    assert found(fault, safeguard).outcome == outcome


def test_what_neither_a_proof_nor_a_search_decides_is_unknown() -> None:
    """A late answer to an older request could be taken; two datagrams in flight are not looked at.

    Where a larger search finds the collision, this cell says so and another one is the example.
    """
    undecided = found("ACK late by 1 s", "REQUEST anchor")
    assert undecided.outcome == "unknown"
    assert undecided.reason.startswith("none in ")
    assert undecided.judgement is None
    assert short(undecided) == "?"


def test_all_safeguards_together_cure_what_one_of_them_cures() -> None:
    fault = row("server forgets")
    assert proof(*deployment(fault, tuple(SAFEGUARDS))) is not None


def test_cells_are_none_each_alone_and_all() -> None:
    for fault, group in itertools.groupby(cells(), key=lambda pair: pair[0]):
        assert [chosen for _, chosen in group] == [
            (),
            *((name,) for name in SAFEGUARDS),
            tuple(SAFEGUARDS),
        ], fault.name


def test_whole_is_every_cell_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdover.proofs.verdicts.matrix.ROWS", (row("nothing"),))
    counted: list[tuple[int, int]] = []
    done = whole(2, lambda number, of: counted.append((number, of)))
    assert [c.safeguard for c in done] == ["none", *SAFEGUARDS, " + ".join(SAFEGUARDS)]
    assert {c.outcome for c in done} == {"holds"}
    assert counted == [(number, len(done)) for number in range(1, len(done) + 1)]


@pytest.mark.parametrize(
    ("outcome", "shown"), [("holds", "holds"), ("violated", "9 steps"), ("unknown", "?")]
)
def test_cell_in_a_word(outcome: str, shown: str) -> None:
    assert short(MatrixCell("f", "s", outcome, "9 steps")) == shown  # type: ignore[arg-type]


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize("safeguard", ["release first", "server probe"])
def test_large_row_is_too_large_for_plain_python(
    safeguard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told to be, so that no search in plain Python is begun that comes to no end."""
    counts: list[int] = []

    def counting(*given: Any, large: bool) -> SearchResult:
        assert large
        seen = search(*given, large=large)
        counts.append(seen.count)
        return seen

    monkeypatch.setattr(judge, "search", counting)
    assert [fault.name for fault in ROWS if fault.large] == ["stale ACK, half an hour old"]
    cell(row("stale ACK, half an hour old"), (safeguard,))
    assert len(counts) == 2
    assert min(counts) > judge.PLAIN


# Cures ------------------------------------------------------------------------------------------


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize("fault", ROWS, ids=lambda fault: fault.name)
def test_smallest_cures_are_cures_and_smallest(fault: MatrixRow) -> None:
    cures = smallest_cures(fault)
    assert len({len(cure) for cure in cures}) <= 1
    for cure in cures:
        assert proof(*deployment(fault, cure)) == "T3"
        for fewer in itertools.combinations(cure, len(cure) - 1 if cure else 0):
            assert not cure or proof(*deployment(fault, fewer)) is None


def test_smallest_cures_miss_none_of_their_size() -> None:
    fault = row("notice unacknowledged")
    single = [(name,) for name in SAFEGUARDS if found(fault.name, name).outcome == "holds"]
    assert smallest_cures(fault) == [cure for cure in single if cure != ("client probe",)]


def test_faults_of_others_have_no_cure_but_probing() -> None:
    for name in (
        "reuse before the end",
        "forged RELEASE",
        "two servers, one pool",
        "two hosts, one identifier",
        "server's clock an hour ahead",
    ):
        assert smallest_cures(row(name)) == []
        assert found(name, "client probe").reason == "probing"


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize(
    ("fault", "cure"),
    [
        ("stale ACK, half an hour old", ("xid check",)),
        ("process frozen, then runs on", ("kernel lifetime", "REQUEST anchor", "xid check")),
        ("host suspended", ("release first", "BOOTTIME")),
        ("lease shortened, its ACK lost", ("grace",)),
    ],
)
def test_cure_by_the_formula_is_one_by_the_obligations(fault: str, cure: tuple[str, ...]) -> None:
    """The matrix trusts T3's bound; here the solver proves the same for these very numbers."""
    assert cure in smallest_cures(row(fault))
    constants = in_seconds(*deployment(row(fault), cure))
    assert decide(exact_case("cure", constants), firing_too=False).proved


def test_grace_counts_what_the_other_safeguards_leave() -> None:
    fault = row("hook blocks for 20 s")
    assert deployment(fault, ("grace",))[1].grace == 20
    assert deployment(fault, ("release first", "grace"))[1].grace == 0
    _, endless = deployment(row("notice unacknowledged"), ("grace",))
    assert endless.grace == 2 * endless.lease


def test_durable_store_is_what_keeps_a_server_from_forgetting() -> None:
    _, kept = deployment(row("server forgets"), ("durable store",))
    assert "forgets" not in kept.faults
    _, without = deployment(row("server forgets"), ("grace",))
    assert "forgets" in without.faults


def test_less_grace_than_the_bound_is_no_proof() -> None:
    profile, world = deployment(row("hook blocks for 20 s"), ("grace",))
    assert proof(profile, replace(world, grace=world.grace - Fraction(1, 1000))) is None
