"""The world around the cores of one setting: nodes, and what leads from one to the next.

Theory of operation.  A `Node` is a state of the lease table, the numbers of the cores' local
states, and which datagrams a core has taken without having acted on them: to the table they are
still on their way.  What a core does is a call of it; whatever else happens is a row of the table,
and that rows allow the call is asked afterwards (`justify.py`).  Time passes when nothing is due.

`client_world.py` has client cores and the table's server, `server_world.py` a server core and the
table's clients.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from holdover.model.readings.finite import NONE, Instance, Label, State
from holdover.model.table.expr import Action
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import VARIABLES
from holdover.reference.refinement.cores import Cores
from holdover.reference.refinement.justify import ANYBODY, Rows
from holdover.reference.refinement.setting import Setting

Node = tuple[State, tuple[int, ...], tuple[bool, ...]]
"""The table's state, the local states (and what else a world numbers), what is taken."""

Step = tuple[Label | str, int]
"""What happened: a row of the table, or what a core was told; and the host, or ANYBODY."""

FREE = (0, NONE, NONE, None, None, False)
"""The content of a slot without a datagram."""

SPARE = 0
"""Free slots come first in order; this one is free between any two steps."""

SettingT = TypeVar("SettingT", bound=Setting)
CoresT = TypeVar("CoresT", bound="Cores[Any, Any, Any]")


class CoreWorld(ABC, Generic[SettingT, CoresT]):
    """One setting and its cores.  `outside`: the rows of the table that no core has a part in."""

    steps: Sequence[Property] = ()
    """What must hold of every step."""

    def __init__(self, setting: SettingT, cores: CoresT, rows: Rows, outside: Sequence[Action]):
        self.setting, self.cores, self.rows = setting, cores, rows
        table = rows.table
        self.outside = Instance(Table(VARIABLES, tuple(outside)), table.constants, table.bounds)
        self.labels = [
            (label, ANYBODY if label.host is None else label.host, label.slots)
            for label in self.outside.labels
        ]
        self.tick = table.row(Label(LEASE_TABLE.action("tick"), (1,)))
        self.columns, self.network = rows.columns, range(1, setting.messages + 1)
        self.hosts = range(setting.hosts)
        self.holds = [table.place["holds", h] for h in self.hosts]
        self.calls = 0

    @abstractmethod
    def first(self) -> Node:
        """Where every run begins."""

    @abstractmethod
    def put_in_order(self, node: Node) -> tuple[Node, tuple[int, ...]]:
        """The same node with all in order that has no name, and the order of its hosts."""

    def successors(self, node: Node) -> Iterator[tuple[Step, Node]]:
        """Everything that may happen next, and what comes of it."""
        state, _, taken = node
        for edge, following in self.outside.successors(state):
            label, host, slots = self.labels[edge]
            if not any(taken[m] for m in slots):
                then = self.take_row(node, following, label, host, slots)
                if then is not None:
                    yield (label, host), then
        yield from self.core_calls(node)
        if self.may_pass(node):
            then = self.pass_time(node)
            if then is not None:
                yield ("tick", ANYBODY), then

    @abstractmethod
    def take_row(
        self, node: Node, following: State, label: Label, host: int, slots: Sequence[int]
    ) -> Node | None:
        """The node after a row of the table; None: it does not count as a step."""

    @abstractmethod
    def core_calls(self, node: Node) -> Iterator[tuple[Step, Node]]:
        """Every call of a core that may come now."""

    @abstractmethod
    def may_pass(self, node: Node) -> bool:
        """Whether nothing is due, so that time may pass."""

    @abstractmethod
    def pass_time(self, node: Node) -> Node | None:
        """The node a tick later; None: the table lets no time pass."""

    # Datagrams -----------------------------------------------------------------------------------

    def overdue(self, node: Node) -> bool:
        """Whether a datagram should have arrived by now."""
        state, _, taken = node
        for m in self.network:
            kind, client, _, sent, _, _ = self.rows.content[m](state)
            late = kind and not taken[m] and sent + self.setting.delay < 1
            if late and not self.waits(state, kind, client):
                return True
        return False

    def waits(self, state: State, kind: int, client: int) -> bool:
        """Whether a datagram has arrived and nobody has read it yet."""
        return False

    def clear(self, s: list[Any], kept: list[bool], m: int) -> None:
        """The datagram has left its slot."""
        for place, value in zip(self.columns[m], FREE, strict=True):
            s[place] = value
        kept[m] = False

    def in_order(
        self, state: State, beside: Sequence[tuple[Any, ...]]
    ) -> tuple[State, Sequence[tuple[Any, ...]]]:
        """The state with its datagrams in order, and what stands beside each of them."""
        slots = [(get(state), more) for get, more in zip(self.rows.content, beside, strict=True)]
        ordered = sorted(slots)
        if ordered == slots:
            return state, beside
        s = list(state)
        for columns, (datagram, _) in zip(self.columns, ordered, strict=True):
            for place, value in zip(columns, datagram, strict=True):
                s[place] = value
        return tuple(s), [more for _, more in ordered]


def step_in_words(step: Step, names: Sequence[int]) -> str:
    """A step for people; `names` has the host that stands at each place."""
    what, h = step
    said = what.action.name if isinstance(what, Label) else what
    return said if h == ANYBODY else f"{said} h{names[h] + 1}"
