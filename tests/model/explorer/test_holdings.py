"""What every collision passes through: true of each run that the explorer finds, and no less."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import pytest

from holdover.model.explorer.explore import explore
from holdover.model.explorer.holdings import FACTS, Holdings, in_general, passages, view
from holdover.model.explorer.stategraph import StateGraph, TooManyStatesError, grow
from holdover.model.readings.finite import Instance
from holdover.model.table.properties import ALWAYS, EXCLUSIVE
from holdover.model.table.table import LEASE_TABLE

Build = Callable[..., Instance]
LAPSED, OVER, GIVEN, UNRECORDED, *_ = range(len(FACTS))


@pytest.fixture(scope="module", params=["wfwg311", "udhcpc", "networkd-keep"])
def colliding(request: pytest.FixtureRequest, build: Build) -> Instance:
    return build(request.param, "mutes", lease=3)


def up_to_collisions(instance: Instance) -> StateGraph:
    holds = instance.predicate(EXCLUSIVE.term)
    return grow(instance, most=100_000, end=lambda state: not holds(state))


def reaches(graph: StateGraph, without: set[int]) -> bool:
    """Whether some run, not through the states that are left out, leads to an end."""
    kept: nx.DiGraph[int] = graph.graph.subgraph(set(graph.graph) - (without - graph.ends))
    within: set[int] = nx.descendants(kept, 0)
    return not graph.ends.isdisjoint(within)


@pytest.mark.kept("cases of the explorer")
def test_rows_are_exactly_those_without_which_the_table_has_no_collision(
    colliding: Instance,
) -> None:
    """Each row in turn is struck from the table, and what is left explored anew."""
    found = passages(colliding, EXCLUSIVE, 100_000)
    needed = set()
    for row in {label.action.name for label in colliding.labels}:
        rows = tuple(action for action in LEASE_TABLE.actions if action.name != row)
        table = type(LEASE_TABLE)(LEASE_TABLE.variables, rows)
        without = Instance(table, colliding.constants, colliding.bounds)
        if "exclusive" not in explore(without, ALWAYS[:1], stop=True).violations:
            needed.add(row)
    assert set(found.rows) == needed


@pytest.mark.kept("cases of the explorer")
def test_no_run_gets_round_them(colliding: Instance) -> None:
    found, graph = passages(colliding, EXCLUSIVE, 100_000), up_to_collisions(colliding)
    seen_of = view(colliding)
    seen = [seen_of(state) for state in graph.states]
    for each in found.through:
        assert not reaches(graph, {n for n, one in enumerate(seen) if one == each})
    assert found.cut
    assert not reaches(graph, {n for n, one in enumerate(seen) if one in found.cut})
    for left in found.cut:  # a smallest one: none of it can be left out
        fewer = set(found.cut) - {left}
        assert reaches(graph, {n for n, one in enumerate(seen) if one in fewer})


def test_the_length_is_the_explorers(colliding: Instance) -> None:
    seen = explore(colliding, (EXCLUSIVE,), stop=True)
    found = passages(colliding, EXCLUSIVE, 100_000)
    assert found.length == len(seen.violations["exclusive"])


def test_what_windows_for_workgroups_passes_through(build: Build) -> None:
    found = passages(build("wfwg311", "mutes", lease=3), EXCLUSIVE, 100_000)
    assert found.through == (Holdings(((LAPSED, OVER),), True), Holdings(((LAPSED, GIVEN),), True))
    assert found.cut == found.through[-1:]
    assert {"mute", "lapse", "notify", "reuse"} <= set(found.rows)
    assert "acknowledge" not in found.rows
    assert str(found.through[0]) == (
        "h1 still holds: its lease has lapsed and its lease is over at the server; "
        "the server is there"
    )


def test_a_server_that_forgets_is_passed_through(build: Build) -> None:
    found = passages(build("rfc2131", "forgets"), EXCLUSIVE, 100_000)
    assert Holdings(((UNRECORDED,),), True) in found.through
    assert "forget" in found.rows


def test_no_collision_has_nothing_in_common(build: Build) -> None:
    found = passages(build("rfc2131", "mutes"), EXCLUSIVE, 100_000)
    assert (found.length, found.rows, found.through, found.cut) == (None, (), (), ())


def test_a_graph_that_does_not_fit_is_not_asked(build: Build) -> None:
    with pytest.raises(TooManyStatesError):
        passages(build("wfwg311", "mutes", lease=3), EXCLUSIVE, 100)


def test_holdings_do_not_tell_hosts_apart(build: Build) -> None:
    instance = build("rfc2131", "mutes")
    seen_of = view(instance)
    holding = {seen_of(state) for state in grow(instance, most=100_000).states}
    assert {one.holders for one in holding} >= {(), ((),)}
    assert str(Holdings((), False)) == "no host holds an address; the server is silent"
    assert str(Holdings(((),), True)) == "h1 holds under its lease; the server is there"


def test_every_row_can_be_said_in_general() -> None:
    for row in LEASE_TABLE.actions:
        said = in_general(row)
        assert "{" not in said
        assert "h1" not in said
    assert in_general(LEASE_TABLE.action("reuse")).startswith("the server reuses an address")
