"""The search: every state that cores, server, network, kernels and users can reach together.

Breadth first, so that the run to the first defect is a shortest one.  What is cut off says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from holdover.reference.core import client as reference_client
from holdover.reference.core import server as reference_server
from holdover.reference.refinement.client_world import ClientWorld
from holdover.reference.refinement.cores import Cell, DefectError
from holdover.reference.refinement.justify import ANYBODY, Situation
from holdover.reference.refinement.product import ENDS, Product
from holdover.reference.refinement.server_world import ServerWorld
from holdover.reference.refinement.setting import ClientSetting, ServerSetting, Setting
from holdover.reference.refinement.world import CoreWorld, Step, World, step_in_words

BEGIN: Step = ("begin", ANYBODY)

Progress = Callable[[int, int, int], None]
"""Called with depth, states so far, and states still to be expanded."""


@dataclass
class Refined:
    """What an exploration saw.  `complete`: to the last state, and without a defect.

    `local`: distinct local states; `taken`: which rows of the table clients took in which
    situation; `observed`: phase, event, next phase, effects.
    `failed`: why the exploration itself came to nothing.
    """

    setting: Setting
    states: int = 0
    steps: int = 0
    depth: int = 0
    local: int = 0
    complete: bool = False
    kind: str = ""
    defect: str = ""
    failed: str = ""
    run: tuple[str, ...] = ()
    taken: Counter[tuple[Situation, str]] = field(default_factory=Counter)
    observed: Counter[Cell] = field(default_factory=Counter)
    searched: int = 0


def world_of(setting: Setting, core: Any = None) -> CoreWorld[Any, Any]:
    """The world of a setting around the reference cores, or `core`, a module like them."""
    if isinstance(setting, ServerSetting):
        return ServerWorld(setting, reference_server if core is None else core)
    assert isinstance(setting, ClientSetting)
    return ClientWorld(setting, reference_client if core is None else core)


class Search:
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


def refine(
    setting: Setting, core: Any = None, *, most: int = 1 << 62, progress: Progress | None = None
) -> Refined:
    """Real cores in the table's world, to closure, to the first defect, or to `most` states."""
    world, seen, search = world_of(setting, core), Refined(setting), None
    try:
        search = Search(world)
        while len(search.layer) and search.states <= most:
            search.go_on()
            if progress is not None:
                progress(search.depth, search.states, len(search.layer))
        seen.complete = not len(search.layer)
    except DefectError as defect:
        seen.kind, seen.defect = defect.kind, defect.says
    if search is not None:
        seen.states, seen.steps, seen.depth = search.states, search.steps, search.depth
        seen.run = search.run
    seen.taken, seen.searched = world.rows.taken, world.rows.searched
    seen.local, seen.observed = len(world.cores.locals), world.cores.observed
    return seen


def refine_all(settings: Iterable[Setting], *, jobs: int = 2) -> Iterator[Refined]:
    """The cores in several settings, at most `jobs` at once; results as they come.

    The largest first, so that none is left over for the end.
    """
    ordered = sorted(settings, key=lambda setting: -setting.steps)
    with ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(refine, setting): setting for setting in ordered}
        try:
            for done in as_completed(running):
                error = done.exception()
                if error is None:
                    yield done.result()
                else:  # a worker that was killed has shown nothing, neither good nor bad
                    yield Refined(running[done], failed=f"{type(error).__name__}: {error}")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def as_pinned(seen: Refined) -> bool:
    """Explored to the end without a defect, and as large as the setting says."""
    setting = seen.setting
    return (
        seen.complete
        and not seen.kind
        and (seen.states, seen.steps, seen.depth) == (setting.states, setting.steps, setting.depth)
    )
