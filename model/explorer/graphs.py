"""State graphs as networkx has them: how its dictionaries are filled, and what is asked of them.

Theory of operation.  For what networkx answers - which steps no collision can do without, which
small set of situations every collision passes through - the steps become its dictionaries.  Edges
with the same actions share one attribute dictionary: one for each edge, with a set in it, would be
most of the graph.  A graph of every state still costs 1.2 kB a state (at five steps a state).  Over
a *view* of states it is smaller; paths of the model are paths of it, so what every path of it
passes through, every run passes through.

Who explored has the steps as arrays (`transitions.py`); a graph that owes the explorer nothing is
grown in `stategraph.py`.  Neither that nor this needs numpy.
"""

from __future__ import annotations

import gc
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias, TypeVar

import networkx as nx

V = TypeVar("V", bound=Hashable)

Edges: TypeAlias = dict[V, dict[V, dict[str, Any]]]
"""The edges from each node, by where they lead."""


@contextmanager
def pause_collection() -> Iterator[None]:
    """No cyclic garbage collection meanwhile: what is built here is kept, and large to traverse."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def over_views(graph: nx.DiGraph[int], views: Sequence[V]) -> nx.DiGraph[V]:
    """The graph over the views of its nodes, from 0; only edges between different views."""
    after: Edges[V] = {view: {} for view in views}
    for node, ahead in graph.adjacency():
        here = views[node]
        for other, step in ahead.items():
            there, ways = views[other], after[here]
            if there != here:
                ways[there] = join_edges(ways[there], step) if there in ways else step
    return of_edges(after)


@cache
def edge_of(actions: frozenset[str]) -> dict[str, Any]:
    """What networkx has of an edge; edges with the same actions share it."""
    return {"actions": actions}


def join_edges(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What networkx has of the one edge that two between the same nodes become."""
    return edge_of(one["actions"] | other["actions"])


def of_edges(after: Edges[V]) -> nx.DiGraph[V]:
    """The graph of these edges; each node is among those from which edges lead.

    They become networkx's own, as `add_edges_from` would make them in five times the time.
    """
    result: nx.DiGraph[V] = nx.DiGraph()
    own = vars(result)
    own["_node"].update((node, {}) for node in after)
    own["_succ"].update(after)
    own["_pred"].update((node, {}) for node in after)
    before = own["_pred"]
    for here, ahead in after.items():
        for there, step in ahead.items():
            before[there][here] = step
    return result


def unavoidable(
    result: nx.DiGraph[V], start: V, goals: Iterable[V], distances: Mapping[V, int] | None = None
) -> list[str]:
    """The actions without which no goal is reached: each a one-element cut.

    None where no goal is reached at all.  Only what a shortest way needs is tried.  `distances`
    are those from the start, if networkx has told them.
    """
    targets = set(goals)
    if distances is None:
        distances = nx.single_source_shortest_path_length(result, start)
    nearest = min(targets & distances.keys(), key=distances.__getitem__, default=None)
    if nearest is None:
        return []
    way = nx.utils.pairwise(nx.shortest_path(result, start, nearest))
    taken = [result.edges[edge]["actions"] for edge in way]
    alone = sorted({name for names in taken if len(names) == 1 for name in names})

    ways = dict(result.adjacency())

    def reached_without(name: str) -> bool:
        """Own code: by networkx, on a view that it filters, it takes seven times as long."""
        only, seen, waiting = {name}, {start}, [start]
        while waiting:
            for after, step in ways[waiting.pop()].items():
                if after not in seen and step["actions"] != only:
                    if after in targets:
                        return True
                    seen.add(after)
                    waiting.append(after)
        return False

    return [name for name in alone if not reached_without(name)]


def _joined(result: nx.DiGraph[V], goals: Iterable[V]) -> tuple[nx.DiGraph[Any], Hashable]:
    """The graph with one more node that exactly the goals lead to, and that node."""
    joined: nx.DiGraph[Any] = result.copy()
    sink = ("goal",)
    joined.add_edges_from((goal, sink) for goal in set(goals))
    return joined, sink


def dominators(result: nx.DiGraph[V], start: V, goals: Iterable[V]) -> list[V]:
    """The views that every path from the start to any goal passes through, in order."""
    joined, sink = _joined(result, goals)
    above = nx.immediate_dominators(joined, start)
    chain: list[V] = []
    node = sink
    while node != start:
        node = above[node]
        chain.append(node)
    return list(reversed(chain))
