"""The search: every state that cores, server, network, kernels and users can reach together.

Breadth first, so that the run to the first defect is a shortest one.  What is cut off says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from holdover.model.table.properties import ALWAYS
from holdover.reference.core import client as reference_client
from holdover.reference.core import server as reference_server
from holdover.reference.refinement.client_world import ClientWorld
from holdover.reference.refinement.cores import Cell, DefectError
from holdover.reference.refinement.justify import ANYBODY, Situation
from holdover.reference.refinement.server_world import ServerWorld
from holdover.reference.refinement.setting import ClientSetting, ServerSetting, Setting
from holdover.reference.refinement.world import CoreWorld, Node, Step, step_in_words

Progress = Callable[[int, int, int], None]
"""Called with depth, states so far, and states still to be expanded."""


@dataclass
class Refined:
    """What an exploration saw.  `complete`: to the last state, and without a defect.

    `calls`: of cores, cascades of ARP included; `local`: distinct local states; `taken`: which rows
    of the table clients took in which situation; `observed`: phase, event, next phase, effects.
    `failed`: why the exploration itself came to nothing.
    """

    setting: Setting
    states: int = 0
    steps: int = 0
    depth: int = 0
    calls: int = 0
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


def refine(
    setting: Setting, core: Any = None, *, most: int = 1 << 62, progress: Progress | None = None
) -> Refined:
    """Real cores in the table's world, to closure, to the first defect, or to `most` states.

    Breadth first, so that the run to a defect is a shortest one.
    """
    world, seen = world_of(setting, core), Refined(setting)
    table = world.rows.table
    checks = [(p, table.predicate(p.term)) for p in ALWAYS]
    step_checks = [(p, table.step_predicate(p.term)) for p in world.steps]
    index: dict[Node, int] = {}
    nodes: list[Node] = []
    parents: list[int] = []
    steps: list[Step] = []
    orders: list[tuple[int, ...]] = []

    def found(node: Node, parent: int, step: Step) -> None:
        node, order = world.put_in_order(node)
        if node in index:
            return
        index[node] = len(nodes)
        nodes.append(node)
        parents.append(parent)
        steps.append(step)
        orders.append(order)
        for wanted, check in checks:
            if not check(node[0]):
                raise DefectError(wanted.name, f"not so: {wanted.says}")

    number = -1
    try:
        found(world.first(), -1, ("begin", ANYBODY))
        layer = 0
        while layer < len(nodes) <= most:
            end = len(nodes)
            for number in range(layer, end):
                before = seen.steps
                for step, node in world.successors(nodes[number]):
                    seen.steps += 1
                    for wanted, step_check in step_checks:
                        if not step_check(nodes[number][0], node[0]):
                            raise DefectError(wanted.name, f"not so: {wanted.says}")
                    found(node, number, step)
                if seen.steps == before:
                    raise DefectError("stuck", "nothing can happen any more, not even time")
            layer = end
            seen.depth += len(nodes) > end
            if progress is not None:
                progress(seen.depth, len(nodes), len(nodes) - end)
        seen.complete = layer == len(nodes)
    except DefectError as defect:
        seen.kind, seen.defect = defect.kind, defect.says
        seen.run = _run(number, parents, steps, orders)
    seen.states, seen.taken, seen.searched = len(nodes), world.rows.taken, world.rows.searched
    seen.calls, seen.local = world.calls, len(world.cores.locals)
    seen.observed = world.cores.observed
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


def _run(
    number: int, parents: Sequence[int], steps: Sequence[Step], orders: Sequence[tuple[int, ...]]
) -> tuple[str, ...]:
    """The steps to a node; hosts keep their names though nodes put them in order."""
    names = tuple(range(len(orders[0]))) if orders else ()
    path = []
    while number >= 0:
        path.append(number)
        number = parents[number]
    said = []
    for number in reversed(path):
        said.append(step_in_words(steps[number], names))
        names = tuple(names[h] for h in orders[number])
    return tuple(said)
