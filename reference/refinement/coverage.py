"""Which edges of the lease table a client takes, of those that it could take.

Theory of operation.  An *edge* is a row of the client and the situation in which it is taken: its
phase, the stage of its lease, whether it holds the address (`Rows.situation`).  `table_edges`
explores the table itself in the same worlds, where a client may do whatever a row allows, and notes
every edge.  A core does less: it takes a row at its time and not at any.  An edge that it never
takes has a reason (`excuse`), or it is a gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from holdover.model.readings.finite import State
from holdover.reference.refinement.justify import CLIENT, DROPS, OVER, Rows, Situation
from holdover.reference.refinement.setting import ClientSetting

Edge = tuple[Situation, str]


def table_edges(setting: ClientSetting) -> frozenset[Edge]:
    """Every edge that the lease table allows a client in this world."""
    rows = Rows(replace(setting, messages=setting.messages - 1))  # which has one datagram more
    names = {action.name for action in CLIENT if action.name not in DROPS}
    host = {
        number: label.given["h"]
        for number, label in enumerate(rows.table.labels)
        if label.action.name in names
    }
    found: set[Edge] = set()
    seen: set[State] = {rows.table.initial}
    layer = [rows.table.initial]
    while layer:
        following: list[State] = []
        for state in layer:
            for edge, then in rows.table.successors(state):
                if edge in host:
                    row = rows.table.labels[edge].action.name
                    found.add((rows.situation(state, host[edge]), row))
                then = rows.canonical(then)
                if then not in seen:
                    seen.add(then)
                    following.append(then)
        layer = following
    return frozenset(found)


def edges_of(settings: Iterable[ClientSetting]) -> frozenset[Edge]:
    """What the table allows in any of these worlds."""
    return frozenset().union(*(table_edges(setting) for setting in settings))


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
