"""What would change a verdict: the parts of the bound, what cures, what a guard prevents."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import STANDARD, Environment, load
from holdover.model.clients.rules import contradiction
from holdover.proofs.verdicts.by_bound import need_of_stated
from holdover.proofs.verdicts.changes import parts_of_bound, smallest_changes, without_guard

DRIFTING = replace(STANDARD, drift=Fraction(1, 10_000), lease=Fraction(86400))
SHORTENING = replace(STANDARD, shortest=Fraction(1200), faults=STANDARD.faults | {"shortens"})


@pytest.mark.parametrize("world", [STANDARD, DRIFTING, SHORTENING])
@pytest.mark.parametrize("name", ["networkd", "dhclient", "reference", "connman", "lwip"])
def test_the_parts_add_up_to_the_worst_holdover(name: str, world: Environment) -> None:
    worst = need_of_stated(ClientKind(load(name)), world).worst
    parts = parts_of_bound(load(name), world)
    if worst is None:
        assert parts == ()
    elif parts:
        assert sum(part.seconds for part in parts) == worst
        assert all(part.seconds for part in parts)


def test_the_parts_have_their_seconds() -> None:
    parts = {part.name: part.seconds for part in parts_of_bound(load("networkd"), STANDARD)}
    assert parts == {"anchor delay": 1, "overhang": 1}
    drifting = {part.name for part in parts_of_bound(load("networkd"), DRIFTING)}
    assert drifting >= {"the client's clock may be slow", "the server's clock may be fast"}


def test_where_there_is_no_bound_there_are_no_parts() -> None:
    assert parts_of_bound(load("wfwg311"), STANDARD) == ()


def test_the_smallest_changes_of_the_bug_are_the_fix_and_a_kernel_lifetime() -> None:
    changes = smallest_changes(load("wfwg311"), STANDARD)
    assert [dict(change.facts) for change in changes] == [
        {"trigger": "LAPSE"},
        {"enforcer": "KERNEL"},
    ]
    assert [dict(change.before) for change in changes] == [
        {"trigger": "ACKNOWLEDGE"},
        {"enforcer": "PROCESS"},
    ]


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize("name", ["networkd", "udhcpc", "dhclient"])
def test_each_change_holds_by_a_proof_and_needs_all_its_facts(name: str) -> None:
    profile = load(name)
    for change in smallest_changes(profile, STANDARD):
        assert (change.judgement.outcome, change.judgement.proof is not None) == ("holds", True)
        cured = replace(profile, **change.facts)  # type: ignore[arg-type]
        assert contradiction(cured.facts()) is None
        for fact in change.facts:
            back = replace(cured, **{fact: change.before[fact]})  # type: ignore[arg-type]
            met = need_of_stated(ClientKind(back), STANDARD).met
            assert contradiction(back.facts()) is not None or not met


def test_what_holds_needs_no_change() -> None:
    assert smallest_changes(load("reference"), STANDARD) == []


@pytest.mark.parametrize(
    ("name", "guard"),
    [
        ("wfwg311-fixed", "releases before the notice"),
        ("rfc2131", "releases before the notice"),
        ("reference", "counts from the REQUEST"),
    ],
)
def test_without_its_guard_a_client_that_holds_collides(name: str, guard: str) -> None:
    found = without_guard(load(name), STANDARD)
    assert found is not None
    assert (found[0], found[1].outcome) == (guard, "violated")
    assert contradiction(found[1].profile.facts()) is None
