"""A world searched part by part: what one rule makes of the same parts is found out once.

Theory of operation.  What a rule makes of a node is remembered under the parts that it looked at.
Where it is not known yet, the real code is asked, and is shown only the parts that it is known to
look at (`packing.py`).  If it reads another one, that part is added, and it is asked again.  So an
answer holds for every node that has these parts alike, and nobody has to declare what a rule looks
at.  What is left to do for each step is the compiled search's (`kernel.py`).

The search is breadth first, and within a layer in the order of `World.rules`: the run to a defect
is a shortest one.  `tests/reference/refinement` has a search that remembers nothing, as referee.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from holdover.model.readings.finite import State
from holdover.model.table.properties import ALWAYS, Property
from holdover.reference.refinement.cores import DefectError
from holdover.reference.refinement.justify import ANYBODY
from holdover.reference.refinement.product import kernel
from holdover.reference.refinement.product.answers import AnswerTable, Ask, instead
from holdover.reference.refinement.product.kernel import Numbers
from holdover.reference.refinement.product.packing import HiddenError, Packing
from holdover.reference.refinement.world import About, Condition, Node, Rule, Step, World

STUCK = "nothing can happen any more, not even time"

StepCheck = Callable[[State, State], bool]
AskOfNode = Callable[[Node, int], int]
"""The answer about a node of which the parts in the mask are shown."""

TICK: Step = ("tick", ANYBODY)
OF_TIME = -1
"""Stands for an outcome where it is that time has passed."""


class Product:
    """A world whose nodes are integers, and what is asked of them."""

    def __init__(self, world: World):
        self.world, self.packing, self.answers = world, Packing(world), AnswerTable()
        table = world.rows.table
        self._step_checks = [(p, table.step_predicate(p.term)) for p in world.steps]
        self._checks = [(p, table.predicate(p.term)) for p in ALWAYS]
        self._questions: dict[tuple[AskOfNode, int], int] = {}
        self._steps: list[Step] = []
        self._failed: dict[int, DefectError] = {}
        self._orders, self._results, self._defects = array("q"), array("q"), array("q")
        self._begins, self._ends, self._clears = array("q"), array("q"), array("q")
        self._late: DefectError | None = None
        try:
            world.not_allowed()
        except DefectError as late:
            self._late = late
        every = range(len(world.parts))
        self.questions = kernel.Asks(
            rules=_array(
                self._question(partial(self._outcomes, rule), _mask(rule.about))
                for rule in world.rules()
            ),
            quiet=_array(self._condition(*each) for each in world.quiet()),
            allowed=_array(self._condition(*each) for each in world.allowed),
            older=_array(self._of_part(n, partial(self.packing.a_tick_later, n=n)) for n in every),
            ticks=self._question(self._of_tick, 0),
            wanted=self._question(self._of_state, 0),
            late=int(self._late is not None),
        )
        self._shifts, self._lows = _array(self.packing.shifts), _array(self.packing.lows)
        self._slots = _array(world.slot.values())
        self._scratch = np.zeros(len(self._slots), dtype=np.int64)
        self._source, self._renamed = self._reordered()

    # Questions -----------------------------------------------------------------------------------

    def _question(self, ask: AskOfNode, mask: int) -> int:
        """The number of a question about the parts in a mask of a node."""
        key = ask, mask
        if key not in self._questions:
            bits = self.packing.bits(mask)
            self._questions[key] = self.answers.new(bits, self._asker(ask, mask))
        return self._questions[key]

    def _asker(self, ask: AskOfNode, mask: int) -> Ask:
        show = self.packing.node

        def answer(key: int) -> int:
            try:
                return ask(show(key, mask), mask)
            except HiddenError as read:
                return instead(self._question(ask, mask | 1 << read.part))

        return answer

    def _condition(self, about: About, holds: Condition) -> int:
        return self._question(lambda node, _: int(holds(node)), _mask(about))

    def _of_part(self, n: int, ask: Ask) -> int:
        """The number of a question about the number of a part."""
        return self.answers.new(self.packing.bits(1 << n), ask)

    def _reordered(self) -> tuple[Numbers, Numbers]:
        """Where each part is taken from for each order, or who is asked for it."""
        parts, orders = self.world.parts, self.packing.orders
        at = {(part.kind, part.host): n for n, part in enumerate(parts)}
        source = np.full((len(orders), len(parts)), -1, dtype=np.int64)
        renamed = np.full((len(orders), len(parts)), -1, dtype=np.int64)
        for k, order in enumerate(orders[1:], 1):
            for n, part in enumerate(parts):
                if part.host is not None:
                    source[k, n] = at[part.kind, order[part.host]]
                else:
                    ask = partial(self.packing.renamed, n=n, order=order)
                    renamed[k, n] = self._of_part(n, ask)
        return source, renamed

    def _outcomes(self, rule: Rule, node: Node, mask: int) -> int:
        """What a rule makes of a node: the number of a run of outcomes, the last one a defect."""
        found: list[tuple[int, Step, int]] = []
        failed: DefectError | None = None
        try:
            for order, step, then in rule.moves(node):
                for wanted, check in self._step_checks:
                    if not check(node[0], then[0]):
                        raise _not_so(wanted)
                found.append((order, step, self.packing.pack(then, mask)))
        except DefectError as error:
            failed = error
        self._begins.append(len(self._steps))
        for order, step, result in found:
            self._outcome(order, step, result)
        if failed is not None:
            self._failed[len(self._steps)] = failed
            self._outcome(found[-1][0] + 1 if found else rule.first, TICK, 0)
            self._defects[-1] = 1
        self._ends.append(len(self._steps))
        self._clears.append(self.packing.bits(mask))
        return len(self._begins) - 1

    def _outcome(self, order: int, step: Step, result: int) -> None:
        self._steps.append(step)
        self._orders.append(order)
        self._results.append(result)
        self._defects.append(0)

    def _of_tick(self, node: Node, mask: int) -> int:
        """The first property of steps that does not hold where time passes, from 1; 0: all do."""
        if not self._step_checks:
            return 0
        state = list(node[0])
        for n, part in enumerate(self.world.parts):
            if mask >> n & 1:
                older = self.world.older(n, part.value(node))[0]
                for place, v in zip(part.places, older, strict=True):
                    state[place] = v
        then = tuple(state)
        wrong = (n for n, (_, check) in enumerate(self._step_checks, 1) if not check(node[0], then))
        return next(wrong, 0)

    def _of_state(self, node: Node, mask: int) -> int:
        """The first property that does not hold in a node, from 1; 0: all do."""
        return next((n for n, (_, check) in enumerate(self._checks, 1) if not check(node[0])), 0)

    # The search ----------------------------------------------------------------------------------

    @property
    def layout(self) -> kernel.Layout:
        """Where the parts are, as the kernel has it."""
        return kernel.Layout(
            self._shifts,
            self._lows,
            self._source,
            self._renamed,
            self._slots,
            *self.packing.ranks(),
            self._scratch,
        )

    @property
    def outcomes(self) -> kernel.Outcomes:
        """What rules have come to so far; nothing can be added while this is kept."""
        columns = (
            self._begins,
            self._ends,
            self._clears,
            self._orders,
            self._results,
            self._defects,
        )
        return kernel.Outcomes(
            *(np.frombuffer(each or NOTHING, dtype=np.int64) for each in columns)
        )

    def prepare(self, nodes: Numbers) -> tuple[int, int]:
        """Ask all that is asked of these nodes; the most steps out of one, and of all."""
        waiting, most = np.arange(len(nodes)), np.zeros(2, dtype=np.int64)
        while len(waiting):
            left = kernel.prepare(
                self.answers.table, self.questions, self.layout, self.outcomes, nodes, waiting, most
            )
            waiting = waiting[:left]
            self.answers.settle()
        return int(most[0]), int(most[1])

    def in_order(self, node: int) -> tuple[int, int]:
        """The node that stands for this one, and in which order of its hosts it is that."""
        while True:
            least, order = kernel.put_in_order(self.answers.table, self.layout, node)
            if not self.answers.settle():
                return int(least), int(order)

    def unwanted(self, nodes: Numbers) -> tuple[int, DefectError] | None:
        """The first of these nodes in which a property does not hold, and which."""
        while True:
            row, wrong = kernel.judge(self.answers.table, self.questions.wanted, nodes)
            if not self.answers.settle():
                return (row, _not_so(self._checks[wrong - 1][0])) if wrong else None

    def defect(self, ended: int, which: int) -> DefectError:
        """Why the kernel has ended a search."""
        if ended == kernel.DEFECT:
            return self._failed[which]
        if ended == kernel.UNWANTED_TICK:
            return _not_so(self._step_checks[which - 1][0])
        if ended == kernel.LATE:
            assert self._late is not None
            return self._late
        return DefectError("stuck", STUCK)

    def step(self, outcome: int) -> Step:
        """What happened."""
        return TICK if outcome == OF_TIME else self._steps[outcome]


NOTHING = array("q", [0])
"""In the place of a column without an entry, which numpy refuses."""


def _array(numbers: Iterable[int]) -> Numbers:
    return np.array([*numbers], dtype=np.int64)


def _mask(about: About) -> int:
    return sum(1 << n for n in about)


def _not_so(wanted: Property) -> DefectError:
    return DefectError(wanted.name, f"not so: {wanted.says}")
