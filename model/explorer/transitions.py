"""The steps that the explorer took, as arrays of numbers, and graphs that are made of them.

Theory of operation.  `steps_of` lists the steps between the states that the explorer saw, in three
flat arrays of numbers, 24 B a step; where the search did not keep them, it takes the time of
another search.  Whether a client always recovers is read off these arrays.  For networkx, steps
between the same two nodes are merged while they are numbers still (`quotient`).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import networkx as nx
import numpy as np
import numpy.typing as npt

from holdover.model.explorer.explore import Exploration
from holdover.model.explorer.graphs import Edges, V, edge_of, of_edges, pause_collection
from holdover.model.readings.finite import Instance, State

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Transitions:
    """Every step between two states seen: step `k` leads from `sources[k]` to `targets[k]`.

    It is one of the row `names[actions[k]]`.
    """

    sources: Numbers
    targets: Numbers
    actions: Numbers
    names: tuple[str, ...]


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
