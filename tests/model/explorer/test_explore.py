"""The explorer: honest cut-offs, shortest runs, and the questions that are put to graphs."""

import gc
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import networkx as nx
import pytest

from holdover.model.explorer.explore import Exploration, bytes_per_state, explore
from holdover.model.explorer.graphs import dominators, pause_collection, unavoidable
from holdover.model.explorer.transitions import graph, never_reaches, quotient, steps_of
from holdover.model.readings.finite import Instance, State
from holdover.model.table.properties import ALWAYS, EXCLUSIVE, OBEYS_NAK, SOMETIMES, STEPS
from holdover.model.table.table import LEASE_TABLE

Build = Callable[..., Instance]


# Honesty -----------------------------------------------------------------------------------------


def test_a_search_to_closure_is_complete(build: Build) -> None:
    seen = explore(build("rfc2131"), ALWAYS, STEPS, SOMETIMES)
    assert (seen.complete, seen.stopped_by, seen.violations) == (True, "", {})
    assert len(seen.states) == len(seen.index) == len(seen.parents) == len(seen.edges)
    assert sum(seen.fired.values()) == seen.steps


def test_a_search_out_of_memory_is_not_complete(build: Build) -> None:
    instance = build("rfc2131")
    whole = explore(instance)
    room = len(whole.states) // 2
    seen = explore(instance, memory=room * bytes_per_state(instance))
    assert (seen.complete, seen.stopped_by) == (False, "memory")
    assert room < len(seen.states) <= room + 20
    assert seen.states == whole.states[: len(seen.states)]


def test_a_search_that_fits_exactly_is_complete(build: Build) -> None:
    instance = build("rfc2131", hosts=1)
    size = len(explore(instance).states)
    cost = bytes_per_state(instance)
    assert explore(instance, memory=size * cost).complete
    assert not explore(instance, memory=(size - 1) * cost).complete


def test_a_search_that_stops_at_a_violation_is_not_complete(build: Build) -> None:
    instance = build("wfwg311", "mutes", lease=3)
    seen = explore(instance, [EXCLUSIVE], stop=True)
    whole = explore(instance, [EXCLUSIVE])
    assert (seen.complete, seen.stopped_by) == (False, "violation")
    assert len(seen.states) < len(whole.states)
    assert seen.violations["exclusive"].labels == whole.violations["exclusive"].labels


def test_memory_a_state_is_within_a_factor_of_what_is_measured(build: Build) -> None:
    instance = build("rfc2131", "mutes", lease=3)
    tracemalloc.start()
    try:
        seen = explore(instance)
        measured = tracemalloc.get_traced_memory()[0] / len(seen.states)
    finally:
        tracemalloc.stop()
    assert measured / 1.5 < bytes_per_state(instance) < measured * 1.5


def test_progress_is_told_layer_by_layer(build: Build) -> None:
    told: list[tuple[int, int, int]] = []
    seen = explore(build("rfc2131", hosts=1), progress=lambda *layer: told.append(layer))
    assert told[-1] == (seen.depth, len(seen.states), 0)
    assert [depth for depth, _, _ in told[:-1]] == list(range(seen.depth))
    assert all(states >= waiting for _, states, waiting in told)


# Shortest runs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def collided(build: Build) -> Exploration:
    """The whole of a small world in which Windows for Workgroups 3.11 collides."""
    return explore(build("wfwg311", "mutes", lease=3), ALWAYS, STEPS)


@pytest.fixture(scope="module")
def whole(collided: Exploration) -> "nx.DiGraph[Any]":
    """Its graph."""
    return graph(collided)


def bad_states(seen: Exploration, name: str) -> list[int]:
    holds = seen.instance.predicate(next(p for p in ALWAYS if p.name == name).term)
    return [number for number, state in enumerate(seen.states) if not holds(state)]


@pytest.mark.kept("cases of the explorer")
@pytest.mark.parametrize("wanted", [p.name for p in ALWAYS if p is not OBEYS_NAK])
def test_counterexamples_are_as_short_as_networkx_finds_them(
    wanted: str, collided: Exploration, whole: "nx.DiGraph[Any]"
) -> None:
    lengths = nx.single_source_shortest_path_length(whole, 0)
    shortest = min(lengths[number] for number in bad_states(collided, wanted))
    assert len(collided.violations[wanted]) == shortest


def test_depth_is_the_longest_of_the_shortest_runs(
    collided: Exploration, whole: "nx.DiGraph[Any]"
) -> None:
    assert collided.depth == max(nx.single_source_shortest_path_length(whole, 0).values())


def test_a_counterexample_is_a_run(collided: Exploration) -> None:
    trace = collided.violations["exclusive"]
    instance = collided.instance
    assert trace.states[0] == instance.initial
    assert len(trace.states) == len(trace) + 1
    for label, before, after in zip(trace.labels, trace.states, trace.states[1:], strict=False):
        assert (label, after) in [(instance.labels[e], t) for e, t in instance.successors(before)]
    holds = instance.predicate(EXCLUSIVE.term)
    assert [holds(state) for state in trace.states] == [True] * len(trace) + [False]


def test_a_counterexample_to_a_step_ends_with_that_step(build: Build) -> None:
    seen = explore(build("rfc2131", "forgets"), ALWAYS, STEPS)
    trace = seen.violations["one_commitment"]
    assert trace.labels[-1].action.name == "forget"
    holds = seen.instance.step_predicate(STEPS[0].term)
    pairs = zip(trace.states, trace.states[1:], strict=False)
    assert [holds(*pair) for pair in pairs] == [True] * (len(trace) - 1) + [False]


# Graphs ------------------------------------------------------------------------------------------


def naive(seen: Exploration) -> "nx.DiGraph[Any]":
    """The graph as one would write it: states for nodes, and a set of actions for each edge."""
    result: nx.DiGraph[Any] = nx.DiGraph()
    result.add_nodes_from(seen.states)
    for state in seen.states:
        for edge, following in seen.instance.successors(state):
            name = seen.instance.labels[edge].action.name
            if following not in seen.index or following == state:
                continue
            if result.has_edge(state, following):
                result.edges[state, following]["actions"].add(name)
            else:
                result.add_edge(state, following, actions={name})
    return result


def as_dictionary(result: "nx.DiGraph[Any]") -> dict[Any, dict[Any, set[str]]]:
    """All that a graph says, its nodes by name."""
    return {u: {v: set(data["actions"]) for v, data in result.adj[u].items()} for u in result}


@pytest.mark.parametrize("keep_steps", [False, True], ids=["steps taken again", "steps kept"])
@pytest.mark.parametrize("room", [None, 700], ids=["all states", "cut off"])
def test_the_graph_is_the_naive_one(room: int | None, keep_steps: bool, build: Build) -> None:
    instance = build("rfc2131", "mutes", "loses")
    memory = room * bytes_per_state(instance) if room else 1 << 30
    seen = explore(instance, memory=memory, keep_steps=keep_steps)
    assert seen.complete is (room is None)
    assert bool(seen.taken) is keep_steps
    plain, whole = naive(seen), graph(seen)
    assert list(whole) == list(range(len(seen.states)))
    assert max(len(data["actions"]) for _, _, data in plain.edges(data=True)) == 2
    numbered = nx.relabel_nodes(plain, seen.index)
    assert as_dictionary(whole) == as_dictionary(numbered)
    backward = {v: {u: set(data["actions"]) for u, data in whole.pred[v].items()} for v in whole}
    assert backward == as_dictionary(numbered.reverse())


def test_a_quotient_is_the_naive_one(build: Build) -> None:
    seen = explore(build("rfc2131", "mutes"))
    places = [seen.instance.place["phase", host] for host in (0, 1)]

    def view(state: State) -> tuple[object, ...]:
        return tuple(state[place] for place in places)

    expected: dict[Any, dict[Any, set[str]]] = {view(state): {} for state in seen.states}
    for before, after, data in naive(seen).edges(data=True):
        if view(before) != view(after):
            expected[view(before)].setdefault(view(after), set()).update(data["actions"])
    assert as_dictionary(quotient(seen, lambda number, state: view(state))) == expected


def test_a_quotient_to_a_single_view_has_no_edge(build: Build) -> None:
    seen = explore(build("rfc2131", hosts=1))
    result = quotient(seen, lambda number, state: "all")
    assert (list(result), list(result.edges)) == (["all"], [])


def test_an_edge_added_to_a_graph_has_attributes_of_its_own(build: Build) -> None:
    whole = graph(explore(build("rfc2131", hosts=1)))
    before = as_dictionary(whole)
    whole.add_edge(0, "goal", actions={"made up"})  # type: ignore[arg-type]
    copied = whole.copy()
    copied.edges[0, 1]["actions"] = {"changed"}
    before[0]["goal"], before["goal"] = {"made up"}, {}
    assert as_dictionary(whole) == before


def test_a_graph_knows_where_an_edge_comes_from(build: Build) -> None:
    """Its dictionaries are written without networkx, and there are two for each node."""
    whole = graph(explore(build("rfc2131", "mutes", hosts=1)))
    pairs = {(u, v) for v, before in whole.pred.items() for u in before}
    assert pairs == set(whole.edges) != set()
    assert all(whole.pred[v][u] is data for u, v, data in whole.edges(data=True))
    assert set(whole.reverse().edges) == {(v, u) for u, v in whole.edges}


def test_a_graph_takes_less_memory_than_half_the_naive_one(build: Build) -> None:
    seen = explore(build("rfc2131", "mutes"))

    def peak(make: Callable[[Exploration], "nx.DiGraph[Any]"]) -> int:
        tracemalloc.start()
        try:
            make(seen)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    ratio = peak(naive) / peak(graph)
    print(f"{len(seen.states)} states: {ratio:.1f} times less memory")
    assert ratio > 2


def test_a_graph_takes_less_time_than_the_naive_one(build: Build) -> None:
    """2 to 3 times less; the bound leaves room for a busy machine."""
    small = explore(build("rfc2131", "mutes"))

    def seconds(make: Callable[[Exploration], "nx.DiGraph[Any]"]) -> float:
        start = time.process_time()
        make(small)
        return time.process_time() - start

    naively, quickly = (min(seconds(make) for _ in range(3)) for make in (naive, graph))
    print(f"{len(small.states)} states: {naively / quickly:.1f} times faster")
    assert naively > 1.4 * quickly


def test_garbage_is_collected_again_afterwards() -> None:
    during = []

    def fail() -> None:
        with pause_collection():
            during.append(gc.isenabled())
            raise KeyError

    assert gc.isenabled()
    with pytest.raises(KeyError):
        fail()
    assert during == [False]
    assert gc.isenabled()
    gc.disable()
    try:
        with pause_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_quotient_keeps_no_step_within_a_view(build: Build) -> None:
    seen = explore(build("rfc2131", hosts=1))
    place = seen.instance.place["phase", 0]
    phases = seen.instance.slots[place][0].sort.values
    result: nx.DiGraph[Any] = quotient(seen, lambda number, state: phases[int(str(state[place]))])
    assert nx.number_of_selfloops(result) == 0
    assert result.edges["SELECTING", "REQUESTING"]["actions"] == {"select"}
    assert result.edges["REQUESTING", "INIT"]["actions"] == {"give_up", "obey_nak"}
    assert not result.has_edge("INIT", "BOUND")


def made_up(*edges: tuple[str, str, str]) -> "nx.DiGraph[Any]":
    """A graph from (node, actions, node)."""
    result: nx.DiGraph[Any] = nx.DiGraph()
    for before, actions, after in edges:
        result.add_edge(before, after, actions=set(actions.split()))
    return result


DIAMOND = made_up(
    ("start", "mute", "quiet"),
    ("quiet", "lapse", "left"),
    ("quiet", "forget", "right"),
    ("left", "show", "pending"),
    ("right", "show", "pending"),
    ("pending", "reuse commit", "clash"),
    ("start", "tick", "idle"),
)


def test_unavoidable_actions_of_a_made_up_graph() -> None:
    assert unavoidable(DIAMOND, "start", ["clash"]) == ["mute", "show"]
    assert unavoidable(DIAMOND, "start", ["clash", "idle"]) == []
    assert unavoidable(DIAMOND, "start", ["idle"]) == ["tick"]
    assert unavoidable(DIAMOND, "start", ["start"]) == []


def test_dominators_of_a_made_up_graph() -> None:
    assert dominators(DIAMOND, "start", ["clash"]) == ["start", "quiet", "pending", "clash"]
    assert dominators(DIAMOND, "start", ["left", "right"]) == ["start", "quiet"]
    assert dominators(DIAMOND, "start", ["clash", "idle"]) == ["start"]


def test_what_every_lease_needs(build: Build) -> None:
    """The model's own graph, seen by one client's phase: Figure 5 up to BOUND."""
    seen = explore(build("dhcpcd", hosts=1))
    place = seen.instance.place["phase", 0]
    phases = seen.instance.slots[place][0].sort.values
    result: nx.DiGraph[Any] = quotient(seen, lambda number, state: phases[int(str(state[place]))])
    assert unavoidable(result, "INIT", ["BOUND"]) == ["bind", "discover", "select", "use"]
    way = ["INIT", "SELECTING", "REQUESTING", "PROBING", "BOUND"]
    assert dominators(result, "INIT", ["BOUND"]) == way
    # It uses its address long before T1, so it asks its own server before any other.
    asking = dominators(result, "INIT", ["RENEWING", "REBINDING"])
    assert asking == [*way, "RENEWING"]


# Eventually --------------------------------------------------------------------------------------


def bound_again(instance: Instance) -> Callable[[State], bool]:
    """Some host is BOUND."""
    places = [instance.place["phase", i] for i in range(instance.bounds.hosts)]
    bound = instance.slots[places[0]][0].sort.values.index("BOUND")
    return lambda state: any(state[place] == bound for place in places)


FAULT_ROWS = ("mute", "lose", "release")


def test_a_client_recovers_from_every_state(build: Build) -> None:
    seen = explore(build("rfc2131", "mutes", "loses"))
    assert never_reaches(seen, steps_of(seen), bound_again(seen.instance), FAULT_ROWS) is None


@pytest.mark.parametrize("row", ["unmute", "offer", "discover", "bind"])
def test_a_planted_livelock_is_found(row: str, build: Build) -> None:
    """Without one of the rows that recovery takes, time goes on and nobody is ever BOUND again."""
    kept = tuple(action for action in LEASE_TABLE.actions if action.name != row)
    table = replace(LEASE_TABLE, actions=kept)
    seen = explore(build("rfc2131", "mutes", "loses", hosts=1, table=table))
    goal = bound_again(seen.instance)
    stuck = never_reaches(seen, steps_of(seen), goal, FAULT_ROWS)
    assert stuck is not None
    assert not goal(seen.states[stuck])


def test_a_goal_that_only_a_fault_brings_about_is_not_eventual(build: Build) -> None:
    seen = explore(build("rfc2131", "mutes", hosts=1))
    place = seen.instance.place["serving", 0]
    taken = steps_of(seen)
    assert never_reaches(seen, taken, lambda state: not state[place], ["mute"]) is not None
    assert never_reaches(seen, taken, lambda state: bool(state[place]), ["mute"]) is None


def test_eventually_is_what_components_say(build: Build) -> None:
    """Fairness in its own words: each component that no fair step leaves has a goal state."""
    seen = explore(build("wfwg311", "mutes", "crashes", hosts=1))
    faults = {"mute", "crash"}
    fair: nx.DiGraph[Any] = nx.DiGraph(
        (u, v) for u, v, data in graph(seen).edges(data=True) if data["actions"] - faults
    )
    fair.add_nodes_from(range(len(seen.states)))
    components = nx.condensation(fair)
    last = [components.nodes[c]["members"] for c in components if not components.out_degree(c)]
    taken = steps_of(seen)
    verdicts = set()
    for place, (variable, _) in enumerate(seen.instance.slots):
        for value in {state[place] for state in seen.states}:
            goals = {n for n, state in enumerate(seen.states) if state[place] == value}
            stuck = never_reaches(seen, taken, lambda s, p=place, v=value: s[p] == v, faults)  # type: ignore[misc]
            assert (stuck is None) == all(goals & members for members in last), variable.name
            if stuck is not None:
                assert not goals & ({stuck} | nx.descendants(fair, stuck))
            verdicts.add(stuck is None)
    assert verdicts == {True, False}
