"""The state graph as networkx reads it: a second opinion on what the explorer says.

Theory of operation.  `grow` takes every step from every state, depth first, with numbers of its
own: it shares the successors of a state with the explorer, and no bookkeeping.  What it comes to is
a networkx graph; all that is said of it is an answer of networkx: what is within reach and how far
(`single_source_shortest_path_length`), a shortest run (`shortest_path`), and what must come in the
end.  That last is read off components: a run that never ends stays, in the end, in a component of
which it takes every fair step; so something comes about from everywhere if and only if it is in
each component that cannot be left.  The components are networkx's
(`strongly_connected_components`); whether a step leaves one is read off the steps.

A graph of every state costs 1.2 kB a state, at five steps a state; larger ones are
`TooManyStatesError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from holdover.model.explorer.explore import Trace
from holdover.model.explorer.graphs import Edges, edge_of, join_edges, of_edges, pause_collection
from holdover.model.readings.finite import Instance, State
from holdover.model.table.expr import Expr, all_of
from holdover.model.table.properties import Property

BYTES_PER_STATE = 1200
"""Memory of a state with its steps in networkx; measured."""


class TooManyStatesError(Exception):
    """The graph would be larger than allowed: nothing was read off it."""

    def __init__(self, most: int):
        super().__init__(f"more than {most:,} states: too many for a graph")
        self.most = most


@dataclass(frozen=True)
class StateGraph:
    """Every state within reach as a numbered node, from 0, and every step, loops too, as an edge.

    The `actions` of an edge name its rows.  `numbers` has the node of each state, `steps` how many
    steps were taken from each state, and `ends` the states at which the graph was ended.
    """

    instance: Instance
    states: Sequence[State]
    numbers: Mapping[State, int]
    steps: Sequence[int]
    graph: nx.DiGraph[int]
    ends: frozenset[int]

    def run(self, way: Sequence[int]) -> Trace:
        """The run along these nodes."""
        labels = []
        for here, there in nx.utils.pairwise(way):
            steps = self.instance.successors(self.states[here])
            edge = next(edge for edge, following in steps if following == self.states[there])
            labels.append(self.instance.labels[edge])
        return Trace(self.instance, tuple(labels), tuple(self.states[node] for node in way))


def grow(
    instance: Instance, *, most: int, end: Callable[[State], bool] | None = None
) -> StateGraph:
    """The graph of all states, or of those before and at the first where `end` holds."""
    states, numbers = [instance.initial], {instance.initial: 0}
    successors = instance.successors
    waiting, taken, count = [0], [0], 1
    ends = set()
    rows = [edge_of(frozenset({label.action.name})) for label in instance.labels]
    after: Edges[int] = {0: {}}
    with pause_collection():
        while waiting:
            here = waiting.pop()
            if end is not None and end(states[here]):
                ends.add(here)
                continue
            ways, steps = after[here], successors(states[here])
            taken[here] = len(steps)
            for edge, following in steps:
                there = numbers.setdefault(following, count)
                if there == count:
                    count += 1
                    states.append(following)
                    waiting.append(there)
                    taken.append(0)
                    after[there] = {}
                ways[there] = join_edges(ways[there], rows[edge]) if there in ways else rows[edge]
            if count > most:
                raise TooManyStatesError(most)
        return StateGraph(instance, states, numbers, taken, of_edges(after), frozenset(ends))


# What networkx says ------------------------------------------------------------------------------


@dataclass(frozen=True)
class GraphReading:
    """What networkx reads off a state graph, in the terms of the manifest and a few more."""

    states: frozenset[State]
    steps: int
    depth: int
    runs: Mapping[str, Trace]
    """A shortest run to each property that is broken."""
    time_passes: bool
    """From every state a `tick` can still come: no state is stuck in time, none runs in place."""
    eventually: tuple[str, ...]
    """What comes about from every state, once the faults are over."""
    components: int
    """States that lead to each other are in one."""

    @property
    def broken(self) -> dict[str, int]:
        """For each property that is broken, the length of a shortest run."""
        return {name: len(run) for name, run in sorted(self.runs.items())}


def read(
    grown: StateGraph,
    always: Sequence[Property] = (),
    steps: Sequence[Property] = (),
    eventually: Mapping[str, Expr] | None = None,
    faults: Iterable[str] = (),
) -> GraphReading:
    """What networkx says of the whole graph; `eventually` is due once the `faults` are over."""
    graph, states = grown.graph, grown.states
    distances = how_far(grown)
    parts = components(graph)
    return GraphReading(
        frozenset(
            grown.numbers if len(distances) == len(states) else (states[n] for n in distances)
        ),
        sum(grown.steps[node] for node in distances),
        max(distances.values()),
        shortest_runs(grown, distances, always, steps),
        all(_ticks(graph, part) for part in _last(parts, graph)),
        comes(grown, eventually or {}, faults),
        len(parts),
    )


def components(graph: nx.DiGraph[int]) -> list[set[int]]:
    """The strongly connected components, by networkx, of a graph of what node 0 leads to.

    Where all of it leads back, which is sooner found out, it is one.
    """
    back = nx.single_target_shortest_path_length(graph, 0)
    whole = len(back) == len(graph)
    return [set(back)] if whole else list(nx.strongly_connected_components(graph))


def how_far(grown: StateGraph) -> dict[int, int]:
    """How many steps each state within reach is from the initial one, by networkx."""
    return nx.single_source_shortest_path_length(grown.graph, 0)


def shortest_runs(
    grown: StateGraph,
    distances: Mapping[int, int],
    always: Sequence[Property] = (),
    steps: Sequence[Property] = (),
) -> dict[str, Trace]:
    """A shortest run to each property that is broken; `distances` are those of `how_far`."""
    runs = {}
    for name, bad in _bad(grown, always, steps):
        ways = [(distances[before] + more, before, last) for before, last, more in bad]
        if ways:
            _, before, last = min(ways)
            way = nx.shortest_path(grown.graph, 0, before)
            runs[name] = grown.run(way if last is None else [*way, last])
    return runs


Bad = list[tuple[int, int | None, int]]
"""Where a property is broken: a node, the next one where it takes a step, and 0 or 1 for that."""


def _bad(
    grown: StateGraph, always: Sequence[Property], steps: Sequence[Property]
) -> Iterator[tuple[str, Bad]]:
    """All properties are asked for at once, and each one where not all are kept."""
    states = grown.states
    holds = {p.name: grown.instance.predicate(p.term) for p in always}
    all_hold = grown.instance.predicate(all_of(*(p.term for p in always)))
    odd = [n for n, state in enumerate(states) if not all_hold(state)]
    for name, holds_in in holds.items():
        yield name, [(n, None, 0) for n in odd if not holds_in(states[n])]
    kept = {p.name: grown.instance.step_predicate(p.term) for p in steps}
    all_kept = grown.instance.steps_predicate(all_of(*(p.term for p in steps)))
    strange = [
        (u, v)
        for u, ahead in grown.graph.adjacency()
        if not all_kept(states[u], zip(ahead, map(states.__getitem__, ahead), strict=True))
        for v in ahead
    ]
    for name, kept_in in kept.items():
        yield name, [(u, v, 1) for u, v in strange if not kept_in(states[u], states[v])]


def _last(parts: Sequence[set[int]], graph: nx.DiGraph[int]) -> list[set[int]]:
    """The components that cannot be left: no edge leads from one of their nodes to another's."""
    if len(parts) == 1:
        return list(parts)
    part_of = {node: part for part, nodes in enumerate(parts) for node in nodes}
    left = {
        part_of[u] for u, ahead in graph.adjacency() if any(part_of[u] != part_of[v] for v in ahead)
    }
    return [nodes for part, nodes in enumerate(parts) if part not in left]


def _ticks(graph: nx.DiGraph[int], part: set[int]) -> bool:
    """Whether time passes within a component that cannot be left."""
    return any("tick" in data["actions"] for _, _, data in graph.edges(part, data=True))


def comes(grown: StateGraph, goals: Mapping[str, Expr], faults: Iterable[str]) -> tuple[str, ...]:
    """What comes about from everywhere, once the faults are over and the rest is fair."""
    if not goals:
        return ()
    over = set(faults)
    fair_graph = of_edges(
        {
            here: {there: step for there, step in ahead.items() if not step["actions"] <= over}
            for here, ahead in grown.graph.adjacency()
        }
    )
    last = _last(list(nx.strongly_connected_components(fair_graph)), fair_graph)
    states = grown.states
    reached = {name: grown.instance.predicate(goal) for name, goal in goals.items()}
    return tuple(
        name
        for name, there in reached.items()
        if all(any(there(states[node]) for node in part) for part in last)
    )
