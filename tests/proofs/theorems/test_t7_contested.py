"""T7: for how long two hosts have one address, where one gives way; nothing less is enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.clients.profile import Environment, Profile, in_seconds, load
from holdover.model.readings.constants import holds as true
from holdover.model.readings.constants import seconds
from holdover.model.table.bound import contested_for, soon_gives_way
from holdover.model.table.expr import Expr
from holdover.model.table.table import LEASE_TABLE, ROWS, Table, tick
from holdover.model.table.vocabulary import h
from holdover.proofs.logic.obligations import firing
from holdover.proofs.logic.solvers import by_cvc5
from holdover.proofs.result import Theorem
from holdover.proofs.theorems.t2_safety import choices
from holdover.proofs.theorems.t6_explored import MOST, TICK, SmallNetwork, compare, longest_conflict
from holdover.proofs.theorems.t7_contested import (
    CASE,
    KNOWN_FIRST,
    all_reached,
    prove,
    settings,
    stands,
)
from tests.proofs.logic.small_steps import breaks, noting

RFC = load("rfc2131")
YIELDS = replace(RFC, gives_way=True, gives_way_within=Fraction(10))


@pytest.fixture(scope="module")
def theorem() -> Theorem:
    return prove()


@pytest.mark.kept("cases of theorems")
def test_t7_holds(theorem: Theorem) -> None:
    assert {c.name: c.detail for c in theorem.checks if c.outcome != "holds"} == {}
    assert [c.name for c in theorem.checks][:2] == ["known", "reached"]


@pytest.mark.kept("cases of theorems")
def test_every_row_may_happen(theorem: Theorem) -> None:
    assert theorem.checks[0].data["never_fire"] == []
    assert {each.row for each in firing(CASE)} == {action.name for action in LEASE_TABLE.actions}


def test_both_solvers_agree() -> None:
    assert by_cvc5(stands()).result == "proved"
    for run, _ in all_reached():
        assert by_cvc5(run).result == "proved"


def small(facts: Mapping[str, object]) -> dict[str, object]:
    """RFC 2131's client with these facts, where somebody configures an address by hand."""
    environment = Environment(faults=frozenset({"intrudes"}))
    switches = {k: v for k, v in environment.facts().items() if isinstance(v, bool)}
    return {**switches, **choices(RFC), "drift": 0, "gives_way": True, **facts}


KNOWN, RUNS_ON = CASE.invariant


def test_time_would_pass_for_a_client_that_might_not_run() -> None:
    assumed = CASE.assumptions
    assert not breaks("tick", KNOWN_FIRST, CASE.invariant, small({}), assumed)
    assert breaks("tick", KNOWN_FIRST, (KNOWN,), small({}), assumed)


@pytest.mark.parametrize(
    ("row", "broken"), [("hear_conflict", KNOWN_FIRST), ("yield_address", KNOWN.term)]
)
def test_without_its_deadline_a_row_is_not_enough(row: str, broken: Expr) -> None:
    """Where time does not wait for the row, the conflict is not known, or lasts longer."""
    rows = tuple(replace(each, due=None) if each.name == row else each for each in ROWS)
    careless = noting(Table(LEASE_TABLE.variables, (*rows, tick(rows))))
    given = (broken, CASE.invariant, small({}), CASE.assumptions)
    assert not breaks("tick", *given)
    assert breaks("tick", *given, table=careless)


# The bound ---------------------------------------------------------------------------------------


def test_known_numbers() -> None:
    constants = in_seconds(YIELDS, Environment(faults=frozenset({"clones"})))
    assert true(soon_gives_way(h), constants)
    assert seconds(contested_for(h), constants) == 10


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize(
    ("client", "faults"),
    [
        (RFC, ()),
        (YIELDS, ("loses_arp",)),
        (YIELDS, ("freezes",)),
        (YIELDS, ("crashes",)),
        (YIELDS, ("suspends",)),
    ],
)
def test_there_is_not_always_a_bound(client: Profile, faults: tuple[str, ...]) -> None:
    """Nor would one be right: the explorer finds a longer conflict, among the first states."""
    world = Environment(lease=4 * TICK, faults=frozenset({"intrudes", *faults}))
    assert not true(soon_gives_way(h), in_seconds(client, world))
    small = replace(client, gives_way_within=TICK if client.gives_way else Fraction(0))
    bound, found = longest_conflict(SmallNetwork("no bound", small, world), part=5000)
    assert found is not None
    assert found > bound


def test_where_there_is_a_bound_no_longer_conflict_is_among_the_first_states() -> None:
    """So that those above are longer by what was changed."""
    world = Environment(lease=4 * TICK, faults=frozenset({"intrudes"}))
    small = replace(YIELDS, gives_way_within=TICK)
    assert longest_conflict(SmallNetwork("a bound", small, world), part=5000) == (1, 1)


# Explored ----------------------------------------------------------------------------------------


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize("setting", tuple(settings()), ids=lambda each: each.name)
def test_the_explorer_finds_the_same_longest_conflict(setting: SmallNetwork) -> None:
    assert compare(setting, longest_conflict, "conflict").outcome == "holds"
    assert longest_conflict(setting) == longest_conflict(setting, part=MOST)  # by plain Python
