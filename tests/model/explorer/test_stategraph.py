"""The state graph as networkx reads it: what is within reach, how far, what comes in the end."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from holdover.model.explorer.configurations import EVENTUALLY, FAULT_ROWS
from holdover.model.explorer.explore import explore
from holdover.model.explorer.stategraph import (
    BYTES_PER_STATE,
    StateGraph,
    TooManyStatesError,
    comes,
    grow,
    read,
)
from holdover.model.readings.finite import Instance
from holdover.model.table.expr import TRUE, Expr, exists, forall
from holdover.model.table.properties import ALWAYS, STEPS
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import h, holds, phase, process

Build = Callable[..., Instance]


@pytest.mark.kept("cases of the explorer")
def test_the_states_are_the_explorers_found_in_another_order(build: Build) -> None:
    instance = build("wfwg311", "mutes", lease=3)
    seen, graph = explore(instance, ALWAYS, STEPS), grow(instance, most=100_000)
    assert graph.states != seen.states
    assert read(graph).states == set(seen.states)


@pytest.mark.kept("cases of the explorer")
def test_steps_depth_and_shortest_runs_are_the_explorers(build: Build) -> None:
    for instance in (build("wfwg311", "mutes", lease=3), build("rfc2131", "forgets")):
        seen, found = (
            explore(instance, ALWAYS, STEPS),
            read(grow(instance, most=100_000), ALWAYS, STEPS),
        )
        assert (found.steps, found.depth) == (seen.steps, seen.depth)
        assert found.broken == {name: len(run) for name, run in sorted(seen.violations.items())}
        assert found.broken


def test_a_shortest_run_is_a_run(build: Build) -> None:
    instance = build("rfc2131", "forgets")
    found = read(grow(instance, most=100_000), ALWAYS, STEPS)
    assert set(found.runs) == {"exclusive", "one_commitment"}
    for run in found.runs.values():
        assert run.states[0] == instance.initial
        for label, before, after in zip(run.labels, run.states, run.states[1:], strict=False):
            assert (label, after) in [
                (instance.labels[e], t) for e, t in instance.successors(before)
            ]
    assert not instance.predicate(ALWAYS[0].term)(found.runs["exclusive"].states[-1])


def test_too_many_states_are_too_many(build: Build) -> None:
    instance = build("rfc2131", hosts=1)
    count = len(grow(instance, most=100_000).states)
    assert len(grow(instance, most=count).states) == count
    with pytest.raises(TooManyStatesError, match=f"more than {count - 1:,} states"):
        grow(instance, most=count - 1)


def test_memory_a_state_is_as_measured(build: Build) -> None:
    instance = build("rfc2131", "mutes")
    tracemalloc.start()
    try:
        graph = grow(instance, most=100_000)
        size = tracemalloc.get_traced_memory()[0] / len(graph.states)
    finally:
        tracemalloc.stop()
    print(f"{len(graph.states)} states: {size:.0f} bytes each")
    assert BYTES_PER_STATE / 1.5 < size < BYTES_PER_STATE * 1.5


def test_a_graph_ends_where_it_is_told_to(build: Build) -> None:
    instance = build("rfc2131", hosts=1)
    bound = instance.predicate(exists(h, phase[h] == "BOUND"))
    graph = grow(instance, most=100_000, end=bound)
    assert graph.ends == {n for n, state in enumerate(graph.states) if bound(state)}
    assert graph.ends
    assert not any(graph.graph.out_degree(end) for end in graph.ends)


# In the end --------------------------------------------------------------------------------------


def only(instance: Instance, *names: str) -> Table:
    """The lease table with these rows alone."""
    rows = tuple(row for row in LEASE_TABLE.actions if row.name in names)
    assert {row.name for row in rows} == set(names)
    return Table(LEASE_TABLE.variables, rows)


def test_time_that_cannot_pass_is_seen(build: Build) -> None:
    instance = build("rfc2131", "mutes", hosts=1)
    assert read(grow(instance, most=100_000)).time_passes
    stuck = Instance(only(instance, "mute", "unmute"), instance.constants, instance.bounds)
    assert not read(grow(stuck, most=100_000)).time_passes
    free = Instance(only(instance, "mute", "tick"), instance.constants, instance.bounds)
    assert read(grow(free, most=100_000)).time_passes


def test_a_row_without_which_time_stands_still_is_missed(build: Build) -> None:
    """Nobody gives up an exchange that is due to be given up: the tick has to wait for ever."""
    instance = build("rfc2131", "mutes", hosts=1)
    rows = tuple(row for row in LEASE_TABLE.actions if row.name != "lapse")
    table = Table(LEASE_TABLE.variables, rows)
    late = [row for row in rows if row.name == "tick"]
    assert late
    without = Instance(table, instance.constants, instance.bounds)
    found = read(grow(without, most=100_000))
    assert not found.time_passes


def test_what_comes_in_the_end_is_what_arrays_say(build: Build) -> None:
    from holdover.model.explorer.transitions import never_reaches, steps_of

    for faults in (("mutes",), ("crashes",), ("crashes", "restarts"), ("freezes",)):
        instance = build("rfc2131", *faults, hosts=1)
        seen = explore(instance, keep_steps=True)
        graph = grow(instance, most=100_000)
        alive: dict[str, Expr] = {**EVENTUALLY, "alive": forall(h, process[h] == "RUNS")}
        taken = steps_of(seen)
        expected = tuple(
            name
            for name, goal in alive.items()
            if never_reaches(seen, taken, instance.predicate(goal), FAULT_ROWS) is None
        )
        assert comes(graph, alive, FAULT_ROWS) == expected


def test_a_dead_client_does_not_recover(build: Build) -> None:
    dead = grow(build("rfc2131", "crashes", hosts=1), most=100_000)
    assert comes(dead, EVENTUALLY, FAULT_ROWS) == ("told",)
    started = grow(build("rfc2131", "crashes", "restarts", hosts=1), most=100_000)
    assert comes(started, EVENTUALLY, FAULT_ROWS) == ("recovers", "told")


def test_what_always_is_comes_and_what_never_is_does_not(build: Build) -> None:
    graph: StateGraph = grow(build("rfc2131", hosts=1), most=100_000)
    asked: dict[str, Any] = {
        "always": TRUE,
        "never": ~TRUE,
        "holds": exists(h, holds[h] != holds[h]),
    }
    assert comes(graph, asked, ()) == ("always",)
    assert comes(graph, {}, ()) == ()
