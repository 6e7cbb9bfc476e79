"""What every collision passes through: rows and holdings, found by networkx, said in sentences.

Theory of operation.  The state graph is grown up to the first state of each run that breaks a
property, for what comes after does not matter.  Three questions are put to it:

* which rows can no run to such a state do without?  Each is taken out by itself (`unavoidable`);
* through which holdings does every run pass, and in which order?  Dominators;
* which is the smallest set of holdings of which every run passes through one?  A minimum cut.

Holdings are what a reader asks of a state (`FACTS`): who holds an address, under which lease, and
whether the server is there.  They do not tell which host is which.  The last two questions are put
to the quotient of the graph over holdings: each run is a path of it, so what every path passes
through, every run passes through.  The reverse fails: the quotient may know of a way round that no
run takes.  So the answers are true, and there may be more.

What it does not know: other sizes, other faults, other ticks than those of the instance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import networkx as nx

from holdover.model.explorer.graphs import dominators, over_views, unavoidable
from holdover.model.explorer.stategraph import StateGraph, grow
from holdover.model.readings.finite import Instance, State
from holdover.model.table.client import NO_ADDRESS, leased
from holdover.model.table.expr import Action, Expr, exists
from holdover.model.table.properties import Property
from holdover.model.table.server import NOBODY
from holdover.model.table.vocabulary import (
    HOST,
    a,
    asleep,
    h,
    holds,
    now,
    owner,
    process,
    server_end,
    serving,
)

HOLDS = holds[h] != NO_ADDRESS


def _recorded(condition: Expr) -> Expr:
    """Something is true of the server's record of the address that `h` holds."""
    return exists(a, (holds[h] == a) & condition)


FACTS: Sequence[tuple[str, Expr]] = (
    ("its lease has lapsed", ~leased(h)),
    ("its lease is over at the server", _recorded((owner[a] == h) & (server_end[a] < now))),
    ("the server gave the address to another", _recorded((owner[a] != h) & (owner[a] != NOBODY))),
    ("the server has no record of it", _recorded(owner[a] == NOBODY)),
    ("its process does not run", process[h] != "RUNS"),
    ("it is asleep", asleep[h]),
)
"""What may be said of a host that holds an address, besides that its lease runs."""


GOAL = "goal"


class Holdings(NamedTuple):
    """What is seen of a state: the `FACTS` of each host that holds; whether the server is there."""

    holders: tuple[tuple[int, ...], ...]
    serving: bool

    def __str__(self) -> str:
        told = [_holder(f"h{i}", facts) for i, facts in enumerate(self.holders, 1)]
        there = "the server is there" if self.serving else "the server is silent"
        return "; ".join([*(told or ["no host holds an address"]), there])


def _holder(name: str, facts: tuple[int, ...]) -> str:
    said = [FACTS[fact][0] for fact in facts]
    return f"{name} still holds: {' and '.join(said)}" if said else f"{name} holds under its lease"


def view(instance: Instance) -> Callable[[State], Holdings]:
    """The holdings of a state.  Hosts that differ in their names alone are not told apart."""

    def of(term: Expr, host: int) -> Callable[[State], bool]:
        code = instance.source_of(term, {h: host})
        told: Callable[[State], bool] = instance.compiled(
            f"def told(s):\n    return {code}\n", "told"
        )
        return told

    hosts = range(instance.bounds.size(HOST))
    asked = [(of(HOLDS, i), [of(term, i) for _, term in FACTS]) for i in hosts]
    there = instance.predicate(serving())

    def seen_of(state: State) -> Holdings:
        holders = [
            tuple(number for number, told in enumerate(facts) if told(state))
            for held, facts in asked
            if held(state)
        ]
        return Holdings(tuple(sorted(holders)), bool(there(state)))

    return seen_of


@dataclass(frozen=True)
class Passages:
    """What every run to a state that breaks `property` has in common, in `states` states.

    `rows` has the rows it cannot do without, `through` the holdings that it passes through, in
    their order, and `cut` a smallest set of holdings of which it passes through one; all are
    empty where no run breaks the property.  `length` is that of a shortest run, in steps.
    """

    property: str
    states: int
    length: int | None = None
    rows: tuple[str, ...] = ()
    through: tuple[Holdings, ...] = ()
    cut: tuple[Holdings, ...] = ()


def passages(instance: Instance, broken: Property, most: int) -> Passages:
    """What every run that breaks a property has in common; TooManyStatesError if they are more."""
    holds = instance.predicate(broken.term)
    found = grow(instance, most=most, end=lambda state: not holds(state))
    if not found.ends:
        return Passages(broken.name, len(found.states))
    distances = nx.single_source_shortest_path_length(found.graph, 0)
    through, cut = pass_through(found)
    return Passages(
        broken.name,
        len(found.states),
        min(distances[end] for end in found.ends),
        tuple(unavoidable(found.graph, 0, found.ends, distances)),
        through,
        cut,
    )


def pass_through(found: StateGraph) -> tuple[tuple[Holdings, ...], tuple[Holdings, ...]]:
    """What every run to an end passes through, and a smallest set of which it passes one.

    Neither has those at the start, through which all pass.
    """
    seen_of = view(found.instance)
    views = [GOAL if n in found.ends else seen_of(s) for n, s in enumerate(found.states)]
    quotient: nx.DiGraph[Holdings | str] = over_views(found.graph, views)
    start = views[0]
    through = [node for node in dominators(quotient, start, [GOAL]) if node != start]
    cut = set() if quotient.has_edge(start, GOAL) else nx.minimum_node_cut(quotient, start, GOAL)
    return _told(through), tuple(sorted(_told(cut)))


def _told(nodes: Iterable[Holdings | str]) -> tuple[Holdings, ...]:
    return tuple(node for node in nodes if isinstance(node, Holdings))


def in_general(action: Action) -> str:
    """What a row says, of any host and any address."""
    return action.says.format(h="a host", g="another host", a="an address", kind=_Any("datagram"))


class _Any(str):
    """Whatever is asked of it, itself."""

    def __getitem__(self, key: object) -> str:
        return str(self)
