"""The lease table of a scene, compiled, and the places in its state that a network fills in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from holdover.model.readings.branches import Code
from holdover.model.readings.finite import Instance, State
from holdover.model.table.environment import WORLD_ACTIONS
from holdover.model.table.properties import ALWAYS
from holdover.model.table.server import SERVER_ACTIONS
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import VARIABLES
from holdover.reference.core.instants import Duration
from holdover.reference.refinement.client_world import WITH_A_CORE
from holdover.reference.refinement.cores import DefectError
from holdover.reference.refinement.justify import Rows
from tests.stateful.scene import Scene

OF_HOST = (
    "phase",
    "process",
    "notice",
    "wants",
    "holds",
    "asked",
    "renew_at",
    "rebind_at",
    "lease_end",
    "kernel_end",
    "probing_since",
)


class Compiled:
    """The lease table of a scene, compiled: rows, guard of time, properties, places."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.rows = Rows(scene)
        self.table = table = self.rows.table
        outside = tuple(a for a in WORLD_ACTIONS if a.name not in WITH_A_CORE)
        served = tuple(
            a for a in SERVER_ACTIONS if not scene.own_server or a.name in ("mute", "unmute")
        )
        self.outside = Instance(Table(VARIABLES, served + outside), table.constants, table.bounds)
        self.labels = [(edge.action.name, edge.binding, edge.slots) for edge in self.outside.labels]
        constants = table.constants
        self.before_end = int(str(constants["after_t1"])), int(str(constants["after_t2"]))
        self.may_pass = passing_guard(table)
        self.always = [(wanted, table.predicate(wanted.term)) for wanted in ALWAYS]
        place = table.place
        self.of_host = [[place[name, h] for name in OF_HOST] for h in range(scene.hosts)]
        self.serving = place["serving", 0]
        self.of_address = [
            [place[name, a] for name in ("owner", "server_end", "withheld")]
            for a in range(scene.addresses)
        ]
        dated = {variable.name for variable in LEASE_TABLE.instants()}
        self.instants = [i for (name, _), i in place.items() if name in dated]

    @property
    def kernel_late(self) -> Duration:
        """How late a kernel may be."""
        late = self.table.constants["kernel_late"]
        assert isinstance(late, int)
        return late


@contextmanager
def answering() -> Iterator[None]:
    """The table is asked; a Defect where a client leaves it without an instant that it needs."""
    try:
        yield
    except TypeError as error:
        says = f"the table needs an instant that is not set: {error}"
        raise DefectError("refinement", says) from error


def passing_guard(table: Instance) -> Callable[[State, Duration], bool]:
    """Whether the table lets so much time pass, for any length."""
    tick = LEASE_TABLE.action("tick")
    bound = {tick.given[0]: Code("p")}
    guards = " and ".join(table.source.read(guard, bound).text for guard in tick.when)
    return table.compiled(f"def may_pass(s, p):\n    return {guards}\n", "may_pass")  # type: ignore[no-any-return]
