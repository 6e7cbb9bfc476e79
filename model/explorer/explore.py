"""The explorer: breadth first over a finite instance, to closure or to an honest stop.

Theory of operation.  States are tuples, numbered in the order in which they are found; for each the
state it was found from and the edge are kept, so the path to the first violation is a shortest one.
What was cut off says so (`complete` is False) and is never called explored.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from holdover.model.readings.finite import Instance, Label, State
from holdover.model.table.expr import all_of
from holdover.model.table.properties import HOLDOVER_CASES, Property, moves
from holdover.model.table.vocabulary import ADDRESS, HOST, a, h

Progress = Callable[[int, int, int], None]
"""Called with depth, distinct states so far, and states still to be expanded."""


@dataclass(frozen=True)
class Trace:
    """A run from the initial state: each edge with the state it leads to."""

    instance: Instance
    labels: tuple[Label, ...]
    states: tuple[State, ...]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass
class SearchResult:
    """What any search says.  `violations` holds a shortest run to each property that fails."""

    instance: Instance
    steps: int = 0
    depth: int = 0
    complete: bool = False
    stopped_by: str = ""
    violations: dict[str, Trace] = field(default_factory=dict)
    witnessed: set[str] = field(default_factory=set)
    fired: Counter[str] = field(default_factory=Counter)
    worst: int | None = None


@dataclass
class EngineResult(SearchResult):
    """What a search came to.  `stored` states stand for `states` of them (symmetry)."""

    states: int = 0
    stored: int = 0


@dataclass
class Exploration(SearchResult):
    """What the explorer saw: its states, where each comes from, and by which edge.

    `taken` has the steps from the first `expanded` states, three numbers each: from which state, to
    which, by which edge.
    """

    states: list[State] = field(default_factory=list)
    index: dict[State, int] = field(default_factory=dict)
    parents: array[int] = field(default_factory=lambda: array("q"))
    edges: array[int] = field(default_factory=lambda: array("q"))
    taken: array[int] = field(default_factory=lambda: array("q"))
    expanded: int = 0

    def trace(self, number: int) -> Trace:
        """The shortest run to the state of this number."""
        labels, states = [], [self.states[number]]
        while (parent := self.parents[number]) >= 0:
            labels.append(self.instance.labels[self.edges[number]])
            states.append(self.states[parent])
            number = parent
        return Trace(self.instance, tuple(reversed(labels)), tuple(reversed(states)))


def bytes_per_state(instance: Instance) -> int:
    """Memory that one stored state costs, measured on CPython 3.11 to within a tenth."""
    return 220 + 8 * len(instance.slots)


def explore(
    instance: Instance,
    always: Sequence[Property] = (),
    steps: Sequence[Property] = (),
    sometimes: Sequence[Property] = (),
    *,
    stop: bool = False,
    memory: int = 1 << 30,
    keep_steps: bool = False,
    progress: Progress | None = None,
) -> Exploration:
    """Every state within reach, or with `stop` those before the first violation.

    With `keep_steps`, a graph of them (`graphs.py`) need not take each step once more.
    `memory` in bytes bounds what is stored; a search that reaches it is not complete.
    """
    seen = Exploration(instance)
    checks = [(p.name, instance.predicate(p.term)) for p in always]
    wishes = [(p.name, instance.predicate(p.term)) for p in sometimes]
    step_checks = [(p.name, instance.step_predicate(p.term)) for p in steps]
    moved = instance.step_predicate(moves)
    all_hold = instance.predicate(all_of(*(p.term for p in always)))
    nothing_new = instance.step_predicate(all_of(*(p.term for p in steps), ~moves))
    overstay = instance.largest([_case(instance, i, j) for i, j in _pairs(instance)])
    limit = max(1, memory // bytes_per_state(instance))
    names = [label.action.name for label in instance.labels]
    fired = [0] * len(names)

    def found(state: State, parent: int, edge: int) -> None:
        number = seen.index[state] = len(seen.states)
        seen.states.append(state)
        seen.parents.append(parent)
        seen.edges.append(edge)
        if seen.violations or not all_hold(state):
            for name, check in checks:
                if name not in seen.violations and not check(state):
                    seen.violations[name] = seen.trace(number)
        for name, wish in wishes:
            if name not in seen.witnessed and wish(state):
                seen.witnessed.add(name)
        over = overstay(state)
        if over is not None and (seen.worst is None or over > seen.worst):
            seen.worst = over

    successors, index = instance.successors, seen.index
    found(instance.initial, -1, -1)
    layer_start = 0
    while layer_start < len(seen.states):
        layer_end = len(seen.states)
        for number in range(layer_start, layer_end):
            state = seen.states[number]
            for edge, following in successors(state):
                fired[edge] += 1
                if following not in index:
                    found(following, number, edge)
                if keep_steps:
                    seen.taken.extend((number, index[following], edge))
                if not seen.violations and nothing_new(state, following):
                    continue
                for name, step_check in step_checks:
                    if name not in seen.violations and not step_check(state, following):
                        seen.violations[name] = _extended(seen, number, edge, following)
                if "address moves" not in seen.witnessed and moved(state, following):
                    seen.witnessed.add("address moves")
            seen.expanded += keep_steps
            if len(index) > limit:
                seen.stopped_by = "memory"
            if stop and seen.violations:
                seen.stopped_by = "violation"
            if seen.stopped_by:
                break
        if progress is not None:
            progress(seen.depth, len(seen.states), len(seen.states) - layer_end)
        if seen.stopped_by:
            break
        if len(seen.states) > layer_end:
            seen.depth += 1
        layer_start = layer_end
    seen.complete, seen.steps = not seen.stopped_by, sum(fired)
    for name, count in zip(names, fired, strict=True):
        if count:
            seen.fired[name] += count
    return seen


def _pairs(instance: Instance) -> Iterator[tuple[int, int]]:
    for i in range(instance.bounds.size(HOST)):
        for j in range(instance.bounds.size(ADDRESS)):
            yield i, j


def _case(instance: Instance, host: int, place: int) -> tuple[str, str]:
    condition, value = HOLDOVER_CASES
    return instance.source_of(condition, {h: host, a: place}), instance.source_of(
        value, {h: host, a: place}
    )


def _extended(seen: Exploration, number: int, edge: int, following: State) -> Trace:
    trace = seen.trace(number)
    label = seen.instance.labels[edge]
    return Trace(seen.instance, (*trace.labels, label), (*trace.states, following))
