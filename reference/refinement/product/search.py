"""The search of a world, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holdover.reference.refinement.justify import ANYBODY
from holdover.reference.refinement.product.steps import ENDS, Product
from holdover.reference.refinement.world import Step, World, step_in_words

BEGIN: Step = ("begin", ANYBODY)


class ProductSearch:
    """A search of a world, layer by layer, breadth first: the run to a defect is a shortest one.

    `states`, `steps`, `depth`: so far.  `run`: the steps to the node at which a defect was found.
    """

    def __init__(self, world: World):
        self._product = Product(world)
        self.steps, self.depth, self.run = 0, 0, tuple[str, ...]()
        self.layer, orders = self._product.packing.first()
        self._known, self._begin = self.layer, 0
        nobody = np.array([-1])
        self._layers = [(nobody, nobody, orders)]
        wrong = self._product.unwanted(self.layer)
        if wrong is not None:
            raise wrong[1]

    @property
    def states(self) -> int:
        """Distinct states so far."""
        return len(self._known)

    def go_on(self) -> None:
        """Expand the latest layer; DefectError at the first step or state that is wrong."""
        steps, stop = self._product.steps_from(self.layer)
        nodes, orders = self._product.packing.in_order(steps.nodes)
        distinct, first = np.unique(nodes, return_index=True)
        at = np.minimum(np.searchsorted(self._known, distinct), len(self._known) - 1)
        fresh = np.sort(first[self._known[at] != distinct])
        wrong = self._product.unwanted(nodes[fresh])
        if wrong is not None:
            row, defect = wrong
            stop, fresh = (int(steps.places[fresh[row]]), defect), fresh[: row + 1]
        begin, self._begin = self._begin, self.states
        self._layers.append((begin + steps.rows[fresh], steps.outcomes[fresh], orders[fresh]))
        self.layer = nodes[fresh]
        self._known = np.sort(np.concatenate([self._known, self.layer]), kind="stable")
        self.steps += len(nodes)
        self.depth += len(self.layer) > 0
        if stop is not None:
            self.run = self._run(begin + stop[0] // ENDS)
            raise stop[1]

    def _run(self, number: int) -> tuple[str, ...]:
        """The steps to a node; hosts keep their names though nodes put them in order."""
        parents, outcomes, orders = (
            np.concatenate(each) for each in zip(*self._layers, strict=True)
        )
        path = []
        while number >= 0:
            path.append(number)
            number = int(parents[number])
        names: Sequence[int] = range(len(self._product.world.hosts))
        said = []
        for number in reversed(path):
            step = BEGIN if parents[number] < 0 else self._product.step(int(outcomes[number]))
            said.append(step_in_words(step, names))
            names = [names[h] for h in self._product.packing.orders[orders[number]]]
        return tuple(said)
