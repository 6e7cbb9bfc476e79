"""Which edges of the lease table a client takes, of those that it could take.

Theory of operation.  An *edge* is a row of the client and the situation in which it is taken: its
phase, the stage of its lease, whether it holds the address (`Rows.situation`).  `table_edges`
explores the table itself in the same worlds, where a client may do whatever a row allows, and notes
every edge.  A core does less: it takes a row at its time and not at any.  An edge that it never
takes has a reason (`excuse`), or it is a gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from holdover.model.readings.finite import Label, State
from holdover.model.table.table import LEASE_TABLE
from holdover.reference.refinement.justify import CLIENT, DROPS, OVER, Rows, Situation
from holdover.reference.refinement.product.search import ProductSearch
from holdover.reference.refinement.setting import ClientSetting
from holdover.reference.refinement.world import Node, World

Edge = tuple[Situation, str]


class TableWorld(World):
    """The table alone, in the world of a setting.  `edges`: those of clients that were taken."""

    def __init__(self, setting: ClientSetting):
        rows = Rows(replace(setting, messages=setting.messages - 1))  # which has one datagram more
        actions = [action for action in LEASE_TABLE.actions if action.name != "tick"]
        super().__init__(rows, actions, spare=False)
        self.edges: set[Edge] = set()
        self._clients = {action.name for action in CLIENT if action.name not in DROPS}

    def take_row(self, node: Node, following: State, label: Label, host: int) -> Node:
        """The node after a row; if it is a client's, the edge is noted."""
        if label.action.name in self._clients:
            self.edges.add((self.rows.situation(node[0], host), label.action.name))
        return super().take_row(node, following, label, host)


def table_edges(setting: ClientSetting) -> frozenset[Edge]:
    """Every edge that the lease table allows a client in this world."""
    world = TableWorld(setting)
    search = ProductSearch(world)
    while len(search.layer):
        search.go_on()
    return frozenset(world.edges)


def edges_of(settings: Iterable[ClientSetting], *, jobs: int = 2) -> frozenset[Edge]:
    """What the table allows in any of these worlds; at most `jobs` are explored at once."""
    ordered = sorted(settings, key=lambda setting: -setting.steps)  # the largest first
    with ProcessPoolExecutor(jobs) as pool:
        return frozenset().union(*pool.map(table_edges, ordered))


def excuse(edge: Edge) -> str:
    """Why a core never takes an edge that the table allows; empty: there is no reason."""
    (phase, stage, _), row = edge
    if row == "notify" and phase != "INIT":
        return "the notice follows in the call in which the lease lapses"
    if stage == OVER and row != "lapse":
        return "a lease that is over lapses first, whatever the event"
    return ""


def gaps(expected: Iterable[Edge], taken: Iterable[Edge]) -> tuple[Edge, ...]:
    """Edges that a core should have taken and has not."""
    missing = set(expected) - set(taken)
    return tuple(sorted(edge for edge in missing if not excuse(edge)))
