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
from math import inf

from holdover.model.readings.finite import Instance, Label, State, Steps
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

    @property
    def count(self) -> int:
        """How many states there were."""
        raise NotImplementedError


@dataclass
class EngineResult(SearchResult):
    """What a search came to.  `stored` states stand for `states` of them (symmetry)."""

    states: int = 0
    stored: int = 0

    @property
    def count(self) -> int:
        """How many states there were."""
        return self.states


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

    @property
    def count(self) -> int:
        """How many states there were."""
        return len(self.states)

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

    With `keep_steps`, a graph of them (`transitions.py`) need not take each step once more.
    `memory` in bytes bounds what is stored; a search that reaches it is not complete.
    """
    seen = Exploration(instance)
    looks = Looks(seen, always, steps, sometimes)
    limit = max(1, memory // bytes_per_state(instance))
    fired = [0] * len(instance.labels)
    successors, index, states = instance.successors, seen.index, seen.states
    parents, edges, taken, number_of = seen.parents, seen.edges, seen.taken, index.setdefault

    index[instance.initial] = 0
    states.append(instance.initial)
    parents.append(-1)
    edges.append(-1)
    if not looks.nothing_at(instance.initial, looks.worst):
        looks.at(0)
    layer_start, count = 0, 1
    while layer_start < count:
        layer_end = count
        for number in range(layer_start, layer_end):
            state = states[number]
            ways = successors(state)
            odd = looks.steps and not looks.nothing_among(state, ways)
            for edge, following in ways:
                fired[edge] += 1
                if (to := number_of(following, count)) == count:
                    count += 1
                    states.append(following)
                    parents.append(number)
                    edges.append(edge)
                    if not looks.nothing_at(following, looks.worst):
                        looks.at(to)
                if keep_steps:
                    taken.extend((number, to, edge))
                if odd and not looks.nothing_in(state, following):
                    looks.step(number, edge, following)
            seen.expanded += keep_steps
            if count > limit:
                seen.stopped_by = "memory"
            if stop and seen.violations:
                seen.stopped_by = "violation"
            if seen.stopped_by:
                break
        if progress is not None:
            progress(seen.depth, count, count - layer_end)
        if seen.stopped_by:
            break
        if count > layer_end:
            seen.depth += 1
        layer_start = layer_end
    seen.complete, seen.steps = not seen.stopped_by, sum(fired)
    for label, times in zip(instance.labels, fired, strict=True):
        if times:
            seen.fired[label.action.name] += times
    return seen


class Looks:
    """What a search looks for, and what it has not found yet, in two functions that ask for all.

    `nothing_at`: a state breaks no property that none broke before, shows no sight that none
    showed, and no host in it outstays its lease by more than `worst`.  `nothing_in` says the same
    of a step, `nothing_among` of all steps from a state; `steps` is whether anything is left to ask
    of one.
    """

    nothing_at: Callable[[State, float], bool]
    nothing_in: Callable[[State, State], bool]
    nothing_among: Callable[[State, Steps], bool]

    def __init__(
        self,
        seen: Exploration,
        always: Sequence[Property],
        steps: Sequence[Property],
        sometimes: Sequence[Property],
    ):
        self.seen, self.instance = seen, seen.instance
        ask, ask_step = self.instance.predicate, self.instance.step_predicate
        self.broken = {p.name: (p.term, ask(p.term)) for p in always}
        self.shown = {p.name: (p.term, ask(p.term)) for p in sometimes}
        self.broken_by_step = {p.name: (p.term, ask_step(p.term)) for p in steps}
        self.moved = ask_step(moves)
        cases = [_case(self.instance, i, j) for i, j in _pairs(self.instance)]
        self.overstay = self.instance.largest(cases)
        self.later = [f" and not ({c} and {v} > worst)" for c, v in cases]
        self.worst = -inf
        self._write_at()
        self._write_in()

    def _write_at(self) -> None:
        """`nothing_at` for what is left to find."""
        at = all_of(
            *(term for term, _ in self.broken.values()), *(~t for t, _ in self.shown.values())
        )
        text = f"{self.instance.source.read(at, {}).text}{''.join(self.later)}"
        self.nothing_at = self.instance.compiled(
            f"def nothing_at(s, worst):\n    return {text}\n", "nothing_at"
        )

    def _write_in(self) -> None:
        """`nothing_in` for what is left to find."""
        left = [term for term, _ in self.broken_by_step.values()]
        if "address moves" not in self.seen.witnessed:
            left.append(~moves)
        asked = all_of(*left)
        self.steps = not self.instance.always_true(asked)
        self.nothing_in = self.instance.step_predicate(asked)
        self.nothing_among = self.instance.steps_predicate(asked)

    def at(self, number: int) -> None:
        """Look at the state of this number."""
        seen = self.seen
        state, left = seen.states[number], len(self.broken) + len(self.shown)
        for name in [name for name, (_, holds) in self.broken.items() if not holds(state)]:
            seen.violations[name] = seen.trace(number)
            del self.broken[name]
        for name in [name for name, (_, holds) in self.shown.items() if holds(state)]:
            seen.witnessed.add(name)
            del self.shown[name]
        over = self.overstay(state)
        if over is not None and over > self.worst:
            seen.worst = over
            self.worst = over
        if left != len(self.broken) + len(self.shown):
            self._write_at()

    def step(self, number: int, edge: int, following: State) -> None:
        """Look at the step from the state of this number."""
        seen = self.seen
        state, unkept = seen.states[number], self.broken_by_step
        for name in [name for name, (_, kept) in unkept.items() if not kept(state, following)]:
            seen.violations[name] = _extended(seen, number, edge, following)
            del unkept[name]
        if self.moved(state, following):
            seen.witnessed.add("address moves")
        self._write_in()


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
