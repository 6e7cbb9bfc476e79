"""The search: every state that cores, server, network, kernels and users can reach together.

Breadth first, so that the run to the first defect is a shortest one.  What is cut off says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from holdover.reference.core import client as reference_client
from holdover.reference.core import server as reference_server
from holdover.reference.refinement.client_world import ClientWorld
from holdover.reference.refinement.cores import Cell, DefectError
from holdover.reference.refinement.justify import Situation
from holdover.reference.refinement.product.search import ProductSearch
from holdover.reference.refinement.server_world import ServerWorld
from holdover.reference.refinement.setting import ClientSetting, ServerSetting, Setting
from holdover.reference.refinement.world import CoreWorld

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


def refine(
    setting: Setting, core: Any = None, *, most: int = 1 << 62, progress: Progress | None = None
) -> Refined:
    """Real cores in the table's world, to closure, to the first defect, or to `most` states."""
    world, seen, search = world_of(setting, core), Refined(setting), None
    try:
        search = ProductSearch(world)
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
