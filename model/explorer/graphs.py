"""Steps between states as graphs, for questions that networkx answers.

Theory of operation.  `steps_of` lists the steps between the states that the explorer saw, in three
flat arrays of numbers, 24 B a step; where the search did not keep them, it takes the time of
another search.  Whether a client always recovers is read off these arrays.  A graph that owes the
explorer nothing is grown in `stategraph.py`, with the same arrays.

For what networkx answers - which steps no collision can do without, which small set of situations
every collision passes through - the steps become its dictionaries.  Steps between the same two
nodes are merged while they are numbers still, and edges with the same actions share one attribute
dictionary: one for each edge, with a set in it, would be most of the graph.  A graph of every state
still costs 1.2 kB a state (at five steps a state), so `quotient` builds it over a *view* of states;
paths of the model are paths of the quotient, so what every path of the quotient passes through,
every run passes through.
"""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

import networkx as nx
import numpy as np
import numpy.typing as npt

from holdover.model.explorer.explore import Exploration
from holdover.model.readings.finite import Instance, State

V = TypeVar("V", bound=Hashable)

Numbers = npt.NDArray[np.int64]

Edges: TypeAlias = dict[V, dict[V, dict[str, Any]]]
"""The edges from each node, by where they lead."""


@dataclass(frozen=True)
class Transitions:
    """Every step between two states seen: step `k` leads from `sources[k]` to `targets[k]`.

    It is one of the row `names[actions[k]]`.
    """

    sources: Numbers
    targets: Numbers
    actions: Numbers
    names: tuple[str, ...]


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


def steps_of(seen: Exploration) -> Transitions:
    """The steps in the order of the search; those to states beyond a cut-off are left out."""
    later = array("q")
    number_of, successors = seen.index.get, seen.instance.successors
    with pause_collection():
        for number in range(seen.expanded, len(seen.states)):
            for edge, following in successors(seen.states[number]):
                target = number_of(following)
                if target is not None:
                    later.extend((number, target, edge))
    return number_steps(seen.instance, np.concatenate([np.asarray(seen.taken), np.asarray(later)]))


def number_steps(instance: Instance, taken: Numbers) -> Transitions:
    """Steps from a flat array, three numbers each: from which state, to which, by which edge."""
    sources, targets, edges = taken.reshape(-1, 3).T.copy()
    rows = [label.action.name for label in instance.labels]
    names = tuple(dict.fromkeys(rows))
    action_of = np.array([names.index(row) for row in rows], dtype=np.int64)
    return Transitions(sources, targets, action_of[edges], names)


def graph(seen: Exploration) -> nx.DiGraph[int]:
    """Every state as a numbered node and every step as an edge with its action's name.

    Two steps between the same states become one edge; its `actions` names both.
    """
    return quotient(seen, lambda number, state: number)


def quotient(seen: Exploration, view: Callable[[int, State], V]) -> nx.DiGraph[V]:
    """The graph over views of states; only edges between different views.

    The attributes of an edge are to be read only: other edges share them.
    """
    return digraph(steps_of(seen), (view(number, one) for number, one in enumerate(seen.states)))


def digraph(taken: Transitions, views: Iterable[V]) -> nx.DiGraph[V]:
    """The graph over the views of the states, given in the order of their numbers."""
    with pause_collection():
        numbers: dict[V, int] = {}
        node_of = np.array([numbers.setdefault(one, len(numbers)) for one in views], dtype=np.int64)
        nodes = list(numbers)
        after: Edges[V] = {node: {} for node in nodes}
        sources, targets, sets = _merged(taken, node_of, len(nodes))
        for actions in np.unique(sets).tolist():
            shared = edge_of(
                frozenset(name for i, name in enumerate(taken.names) if actions >> i & 1)
            )
            chosen = sets == actions
            for u, v in zip(sources[chosen].tolist(), targets[chosen].tolist(), strict=True):
                after[nodes[u]][nodes[v]] = shared
        return of_edges(after)


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


def _merged(taken: Transitions, node_of: Numbers, count: int) -> tuple[Numbers, Numbers, Numbers]:
    """The steps as edges between nodes: sources, targets, and sets of actions.

    A set is a number with a bit for each action; a table of more than 63 rows overflows here.
    """
    sources, targets = node_of[taken.sources], node_of[taken.targets]
    wanted = sources != targets
    ends, edge_of = np.unique((sources * count + targets)[wanted], return_inverse=True)
    bits = np.array([1 << i for i in range(len(taken.names))], dtype=np.int64)
    sets = np.zeros(len(ends), dtype=np.int64)
    np.bitwise_or.at(sets, edge_of, bits[taken.actions[wanted]])
    return ends // count, ends % count, sets


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


def never_reaches(
    seen: Exploration, taken: Transitions, goal: Callable[[State], bool], without: Iterable[str]
) -> int | None:
    """A state from which `goal` never comes about, or None: *eventually goal*, from everywhere.

    Fairness: once the actions in `without` (the faults) happen no more, every other action that is
    possible again and again does happen.  A run then ends in a component that it cannot leave and
    visits all of it, so the goal comes about from everywhere iff each such component has a goal
    state; that is, iff from each state some steps that are no faults lead to a goal state.
    """
    faults = set(without)
    fair = np.array([name not in faults for name in taken.names])[taken.actions]
    sources, targets = taken.sources[fair], taken.targets[fair]
    reaching = np.array([goal(state) for state in seen.states], dtype=bool)
    while (before := sources[reaching[targets]]).size:
        reaching[before] = True
        undecided = ~reaching[sources]
        sources, targets = sources[undecided], targets[undecided]
    return None if reaching.all() else int(np.argmin(reaching))
