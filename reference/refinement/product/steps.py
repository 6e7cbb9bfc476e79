"""A world searched part by part: what one rule makes of the same parts is found out once.

Theory of operation.  What a rule makes of a node is remembered under the parts that it looked at.
Where it is not known yet, the real code is asked, and is shown only the parts that it is known to
look at (`packing.py`).  If it reads another one, that part is added, and it is asked again.  So an
answer holds for every node that has these parts alike, and nobody has to declare what a rule looks
at.  What is left to do for each step is arithmetic on arrays.

The search is breadth first, and within a layer in the order of `World.rules`: the run to a defect
is a shortest one.  `tests/reference/refinement` has a search that remembers nothing, as referee.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from holdover.model.readings.finite import State
from holdover.model.table.properties import ALWAYS, Property
from holdover.reference.refinement.cores import DefectError
from holdover.reference.refinement.justify import ANYBODY
from holdover.reference.refinement.product.packing import HiddenError, Numbers, Packing
from holdover.reference.refinement.world import About, Condition, Node, Rule, Step, World, of_state

PASSES, ENDS = 1 << 20, 1 << 21
"""Places in the order of what may happen in one node: time passes last; then the node is done."""

STUCK = "nothing can happen any more, not even time"

Stop = tuple[int, DefectError]
"""A place at which something is wrong, and what."""

StepCheck = Callable[[State, State], bool]

TICK: Step = ("tick", ANYBODY)
OF_TIME = -1
"""Stands for an outcome where it is that time has passed."""


class _Known:
    """Answers by key, to be looked up for a whole array of keys; ~part: that part is needed too."""

    def __init__(self) -> None:
        self._keys, self._answers = (np.zeros(0, dtype=np.int64) for _ in range(2))

    def look_up(self, keys: Numbers, ask: Callable[[int], int]) -> Numbers:
        """The answer for each key; a key that is new is asked about."""
        at, has = self._find(keys)
        if has.all():
            answers: Numbers = self._answers[at]
            return answers
        new = np.unique(keys[~has])
        asked = np.array([ask(key) for key in new.tolist()], dtype=np.int64)
        every = np.concatenate([self._keys, new])
        by = np.argsort(every, kind="stable")
        self._keys, self._answers = every[by], np.concatenate([self._answers, asked])[by]
        found: Numbers = self._answers[np.searchsorted(self._keys, keys)]
        return found

    def _find(self, keys: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """Where each key is, and whether it is there."""
        if not len(self._keys):
            return np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=np.bool_)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        has: NDArray[np.bool_] = self._keys[at] == keys
        return at, has


@dataclass
class _Memo:
    """One question, its answers by which parts were shown, and the parts it is about at first."""

    ask: Callable[[Node, int], int]
    about: int
    known: dict[int, _Known] = field(default_factory=lambda: defaultdict(_Known))


def _memo(about: About, ask: Callable[[Node, int], int]) -> _Memo:
    return _Memo(ask, sum(1 << n for n in about))


def _condition(about: About, holds: Condition) -> _Memo:
    return _memo(about, lambda node, _: int(holds(node)))


@dataclass(frozen=True)
class LayerSteps:
    """LayerSteps out of a layer in their order: by which outcome, and to which node.

    `places`: the row of the node that it begins at, and its place there, as one number.
    """

    places: Numbers
    outcomes: Numbers
    nodes: Numbers

    @property
    def rows(self) -> Numbers:
        """The row of the node that each begins at."""
        return self.places // ENDS

    def before(self, place: int) -> LayerSteps:
        """Those that come before a place."""
        most = np.searchsorted(self.places, place)
        return LayerSteps(self.places[:most], self.outcomes[:most], self.nodes[:most])


class Product:
    """A world whose nodes are integers, and what leads from each to the next."""

    def __init__(self, world: World):
        self.world, self.packing = world, Packing(world)
        table = world.rows.table
        self._step_checks = [(p, table.step_predicate(p.term)) for p in world.steps]
        self._steps: list[Step] = []
        self._defects: dict[int, DefectError] = {}
        self._orders, self._results = array("q"), array("q")
        self._begins, self._ends, self._clears = array("q"), array("q"), array("q")
        self._rules = [_memo(rule.about, partial(self._outcomes, rule)) for rule in world.rules()]
        self._quiet = [_condition(*each) for each in world.quiet()]
        self._allowed = [_condition(*each) for each in world.allowed]
        self._ticks = [
            (p, _memo(frozenset(), partial(self._holds_of_tick, check=check)))
            for p, check in self._step_checks
        ]
        self._wanted = [
            (p, _condition(frozenset(), of_state(table.predicate(p.term)))) for p in ALWAYS
        ]

    # Questions -----------------------------------------------------------------------------------

    def _outcomes(self, rule: Rule, node: Node, mask: int) -> int:
        """What a rule makes of a node: the number of a run of outcomes, the last one a defect."""
        found: list[tuple[int, Step, int]] = []
        failed: DefectError | None = None
        try:
            for order, step, then in rule.moves(node):
                for wanted, check in self._step_checks:
                    if not check(node[0], then[0]):
                        raise DefectError(wanted.name, f"not so: {wanted.says}")
                found.append((order, step, self.packing.pack(then, mask)))
        except DefectError as error:
            failed = error
        begin = len(self._steps)
        for order, step, result in found:
            self._outcome(order, step, result)
        if failed is not None:
            self._defects[len(self._steps)] = failed
            self._outcome(found[-1][0] + 1 if found else rule.first, TICK, 0)
        self._begins.append(begin)
        self._ends.append(len(self._steps))
        self._clears.append(self.packing.bits(mask))
        return len(self._begins) - 1

    def _outcome(self, order: int, step: Step, result: int) -> None:
        self._steps.append(step)
        self._orders.append(order)
        self._results.append(result)

    def _holds_of_tick(self, node: Node, mask: int, check: StepCheck) -> int:
        """Whether a property of steps holds where time passes."""
        state = list(node[0])
        for n, part in enumerate(self.world.parts):
            if mask >> n & 1:
                for place, v in zip(
                    part.places, self.world.older(n, part.value(node))[0], strict=True
                ):
                    state[place] = v
        return int(check(node[0], tuple(state)))

    def _look_up(self, memo: _Memo, nodes: Numbers) -> Numbers:
        """The answer for each node."""
        answers = np.empty(len(nodes), dtype=np.int64)
        waiting = [(memo.about, np.arange(len(nodes)))]
        while waiting:
            mask, rows = waiting.pop()

            def ask(key: int, mask: int = mask) -> int:
                try:
                    return memo.ask(self.packing.node(key, mask), mask)
                except HiddenError as read:
                    return ~read.part

            found = memo.known[mask].look_up(nodes[rows] & self.packing.bits(mask), ask)
            answers[rows] = found
            more = np.unique(found[found < 0]).tolist()
            waiting += [(mask | 1 << ~part, rows[found == part]) for part in more]
        return answers

    def _first_bad(
        self, wanted: Sequence[tuple[Property, _Memo]], nodes: Numbers
    ) -> tuple[int, DefectError] | None:
        """The first node in which one of these does not hold, and which."""
        first: tuple[int, DefectError] | None = None
        for what, memo in wanted:
            for row in np.flatnonzero(self._look_up(memo, nodes) == 0)[:1].tolist():
                if first is None or row < first[0]:
                    first = row, DefectError(what.name, f"not so: {what.says}")
        return first

    def _all_hold(self, memos: Sequence[_Memo], nodes: Numbers) -> NDArray[np.bool_]:
        """In which nodes each of the questions is answered by yes."""
        left = np.arange(len(nodes))
        for memo in memos:
            left = left[self._look_up(memo, nodes[left]) == 1]
        holds = np.zeros(len(nodes), dtype=np.bool_)
        holds[left] = True
        return holds

    # Steps ---------------------------------------------------------------------------------------

    def steps_from(self, nodes: Numbers) -> tuple[LayerSteps, Stop | None]:
        """Every step out of these nodes, and the first place where something is wrong."""
        rows, orders, outcomes, results = [], [], [], []
        for memo in self._rules:
            spans = self._look_up(memo, nodes)
            begin, end, clear = (
                np.array(each)[spans] for each in (self._begins, self._ends, self._clears)
            )
            counts = end - begin
            row = np.repeat(np.arange(len(nodes)), counts)
            at = np.arange(len(row)) + np.repeat(begin - np.cumsum(counts) + counts, counts)
            rows.append(row)
            outcomes.append(at)
            orders.append(np.array(self._orders)[at])
            kept = nodes[row] & ~np.repeat(clear, counts)
            results.append(kept | np.array(self._results)[at])
        row, older, stops = self._time(nodes)
        rows.append(row)
        orders.append(np.full(len(row), PASSES))
        outcomes.append(np.full(len(row), OF_TIME))
        results.append(older)
        every = np.concatenate(rows)
        places = every * ENDS + np.concatenate(orders)
        by = np.argsort(places, kind="stable")
        steps = LayerSteps(places[by], np.concatenate(outcomes)[by], np.concatenate(results)[by])
        known = list(self._defects)
        wrong = np.flatnonzero(np.isin(steps.outcomes, known)) if known else by[:0]
        for place in steps.places[wrong][:1].tolist():
            stops.append((place, self._defects[int(steps.outcomes[steps.places == place][0])]))
        idle = np.flatnonzero(np.bincount(every, minlength=len(nodes)) == 0)[:1]
        stops += [(row * ENDS + PASSES + 1, DefectError("stuck", STUCK)) for row in idle.tolist()]
        stop = min(stops, key=lambda stop: stop[0], default=None)
        return steps if stop is None else steps.before(stop[0]), stop

    def _time(self, nodes: Numbers) -> tuple[Numbers, Numbers, list[Stop]]:
        """The nodes in which time may pass, by their rows; the same a tick later; what is wrong."""
        stops: list[Stop] = []
        rows = np.flatnonzero(self._all_hold(self._quiet, nodes))
        allowed = self._all_hold(self._allowed, nodes[rows])
        for row in rows[~allowed][:1].tolist():
            try:
                self.world.not_allowed()
            except DefectError as defect:
                stops.append((row * ENDS + PASSES, defect))
        rows = rows[allowed]
        bad = self._first_bad(self._ticks, nodes[rows])
        if bad is not None:
            stops.append((int(rows[bad[0]]) * ENDS + PASSES, bad[1]))
        return rows, self.packing.older(nodes[rows]), stops

    def unwanted(self, nodes: Numbers) -> tuple[int, DefectError] | None:
        """The first of these nodes in which a property does not hold, and which."""
        return self._first_bad(self._wanted, nodes)

    def step(self, outcome: int) -> Step:
        """What happened."""
        return TICK if outcome == OF_TIME else self._steps[outcome]
