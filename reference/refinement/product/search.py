"""The search of a world, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holdover.reference.refinement.justify import ANYBODY
from holdover.reference.refinement.product import kernel
from holdover.reference.refinement.product.kernel import ABSENT, Log, Numbers
from holdover.reference.refinement.product.steps import OF_TIME, Product
from holdover.reference.refinement.world import Step, World, step_in_words

BEGIN: Step = ("begin", ANYBODY)


class ProductSearch:
    """A search of a world, layer by layer, breadth first: the run to a defect is a shortest one.

    `states`, `steps`, `depth`: so far.  `run`: the steps to the node at which a defect was found.
    """

    def __init__(self, world: World):
        self._product = Product(world)
        self.steps, self.depth, self.run = 0, 0, tuple[str, ...]()
        self.states, self._begin = 1, 0
        node, order = self._product.in_order(self._product.packing.first())
        self._log = _log(1 << 10)
        for column, value in zip(self._log, (node, -1, OF_TIME, order), strict=False):
            column[0] = value
        kernel.know(self._log, 0, 1)
        self._judge()

    @property
    def nodes(self) -> Numbers:
        """All nodes so far, in the order in which they were found."""
        return self._log.nodes[: self.states]

    @property
    def layer(self) -> Numbers:
        """Those that are not expanded yet."""
        return self.nodes[self._begin :]

    def go_on(self) -> None:
        """Expand the latest layer; DefectError at the first step or state that is wrong."""
        product, begin, end = self._product, self._begin, self.states
        most, steps = product.prepare(self.layer)
        self._make_room(steps)
        work = np.zeros((3, most), dtype=np.int64)
        ended, row, which, steps, self.states = kernel.commit(
            product.answers.table,
            product.questions,
            product.layout,
            product.outcomes,
            self._log,
            begin,
            end,
            work,
        )
        self._begin = end
        self.steps += steps
        self.depth += self.states > end
        self._judge()
        if ended != kernel.FINE:
            self.run = self._run(row)
            raise product.defect(ended, which)

    def _judge(self) -> None:
        """DefectError at the first node of the layer that is wrong; it is then the last one."""
        wrong = self._product.unwanted(self.layer)
        if wrong is not None:
            row, defect = wrong
            self.states = self._begin + row + 1
            self.run = self._run(int(self._log.parents[self.states - 1]))
            raise defect

    def _make_room(self, more: int) -> None:
        """For so many nodes more, in the log and in its table."""
        if self.states + more > len(self._log.nodes):
            size = max(self.states + more, 2 * len(self._log.nodes))
            log = _log(1 << size.bit_length())
            for old, new in zip(self._log[:-1], log[:-1], strict=True):
                new[: self.states] = old[: self.states]
            kernel.know(log, 0, self.states)
            self._log = log

    def _run(self, number: int) -> tuple[str, ...]:
        """The steps to a node; hosts keep their names though nodes put them in order."""
        path = []
        while number >= 0:
            path.append(number)
            number = int(self._log.parents[number])
        names: Sequence[int] = range(len(self._product.world.hosts))
        said = []
        for number in reversed(path):
            outcome, order = int(self._log.outcomes[number]), int(self._log.orders[number])
            step = BEGIN if self._log.parents[number] < 0 else self._product.step(outcome)
            said.append(step_in_words(step, names))
            names = [names[h] for h in self._product.packing.orders[order]]
        return tuple(said)


def _log(size: int) -> Log:
    """An empty log for so many nodes, a power of two; its table has twice as many places."""
    nodes, parents, outcomes, orders = (np.empty(size, dtype=np.int64) for _ in range(4))
    return Log(nodes, parents, outcomes, orders, np.full(2 * size, ABSENT, dtype=np.int64))
