"""The worlds that are searched: nodes, their parts, and what leads from one node to the next.

Theory of operation.  A `Node` is a state of the lease table, the numbers of the cores' local
states, and which datagrams a core has taken without having acted on them: to the table they are
still on their way.  What a core does is a call of it; whatever else happens is a row of the table,
and that rows allow the call is asked afterwards (`justify.py`).  Time passes when nothing is due.

A node has *parts*: of each host the client and its process, the server with all that has no other
place, and the slots.  What may happen is said by rules, and when time may pass by conditions.  Each
looks at few of the parts, so `product/` asks it once for all nodes that have these alike.

`client_world.py` has client cores and the table's server, `server_world.py` a server core and the
table's clients, `coverage.py` the table alone.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from holdover.model.readings.finite import NONE, Instance, Label, State
from holdover.model.table.expr import Action
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import HOST, VARIABLES
from holdover.reference.refinement.cores import Cores
from holdover.reference.refinement.justify import ANYBODY, Rows
from holdover.reference.refinement.setting import Setting

Node = tuple[State, tuple[int, ...], tuple[bool, ...]]
"""The table's state, the local states (and what else a world numbers), what is taken."""

Value = tuple[tuple[Any, ...], tuple[int, ...], tuple[bool, ...]]
"""What a node has of each of these in one part."""

Step = tuple[Label | str, int]
"""What happened: a row of the table, or what a core was told; and the host, or ANYBODY."""

Moves = Callable[[Node], Iterator[tuple[int, Step, Node]]]
"""What may happen in a node by one rule, and its place in the order of all that may happen."""

CallsInNode = Callable[[Node], Iterator[tuple[Step, Node]]]

Condition = Callable[[Node], bool]

About = frozenset[int]
"""The numbers of the parts that a rule or condition looks at, as far as one knows beforehand."""


class Rule(NamedTuple):
    """What it is about, what may happen by it, and the first place that this has in the order."""

    about: About
    moves: Moves
    first: int


FREE = (0, NONE, NONE, None, None, False)
"""The content of a slot without a datagram."""

SPARE = 0
"""Free slots come first in order; this one is free between any two steps of a core."""

MOST_CALLS, MOST_KINDS = 1 << 10, 4
"""More calls of one kind, and kinds of a core, cannot come in a node: the order has such places."""

SettingT = TypeVar("SettingT", bound=Setting)
CoresT = TypeVar("CoresT", bound="Cores[Any, Any, Any]")


OF_PROCESS = ("process", "asleep")
"""What is known of a host without its client: most of what is about it reads no more."""


class NodePart:
    """What belongs together in a node: its places in each of the node's three members.

    `kind`: "client" and "process", both of the host `host`; "server", or "slot".
    """

    def __init__(
        self,
        kind: str,
        places: Iterable[int],
        locals_: tuple[int, ...] = (),
        *,
        host: int | None = None,
        taken: tuple[int, ...] = (),
    ):
        self.kind, self.host = kind, host
        self.places = tuple(places)
        self.members = self.places, locals_, taken
        self._of_state, self._of_locals, self._of_taken = (picker(each) for each in self.members)

    def value(self, node: Node) -> Value:
        """What the node has there."""
        return self._of_state(node[0]), self._of_locals(node[1]), self._of_taken(node[2])


def picker(places: tuple[int, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """What picks these places, as a tuple however many they are."""
    if len(places) > 1:
        return itemgetter(*places)
    return (lambda member: (member[places[0]],)) if places else lambda member: ()


def of_state(holds: Callable[[State], bool]) -> Condition:
    """A condition on a node that asks for its state only."""
    return lambda node: holds(node[0])


class World:
    """What may happen around the hosts of a table by its rows, and when time may pass.

    `outside`: the rows that are taken by themselves.  `spare`: slot 0 stays free.  `named`: the
    hosts have names, and cannot change places.
    """

    steps: Sequence[Property] = ()
    """What must hold of every step."""

    def __init__(
        self, rows: Rows, outside: Iterable[Action], *, spare: bool = True, named: bool = False
    ):
        self.rows, table = rows, rows.table
        self.outside = Instance(
            Table(VARIABLES, tuple(outside)), table.constants, table.bounds, like=table
        )
        self.labels = [
            (label, ANYBODY if label.host is None else label.host, label.slots)
            for label in self.outside.labels
        ]
        self.columns = rows.columns
        self.network = range(int(spare), len(rows.columns))
        self.hosts = range(table.bounds.hosts)
        self.process_of = {h: len(self.hosts) + h for h in self.hosts}
        self.server = 2 * len(self.hosts)
        self.slot = {m: self.server + 1 + n for n, m in enumerate(self.network)}
        self.parts = self._parts()
        owners = (table.place["owner", a] for a in range(table.bounds.addresses))
        self._naming = frozenset((*owners, *(columns[1] for columns in self.columns)))
        self.named = named
        self.part_of = {place: n for n, part in enumerate(self.parts) for place in part.places}
        passing = LEASE_TABLE.action("tick")
        self.allowed = self.conditions(passing)
        self._pass = table.row(Label(replace(passing, when=()), (1,)))

    def first(self) -> Node:
        """Where every run begins."""
        return self.rows.table.initial, (), (False,) * len(self.columns)

    # Parts ---------------------------------------------------------------------------------------

    def _parts(self) -> tuple[NodePart, ...]:
        """The client of host h has the number h; processes, the server and the slots follow."""
        variables = self.rows.table.slots
        clients, processes = (
            [
                [
                    i
                    for i, (v, of) in enumerate(variables)
                    if v.index is HOST and of == h and (v.name in OF_PROCESS) is process
                ]
                for h in self.hosts
            ]
            for process in (False, True)
        )
        elsewhere = {i for places in (*clients, *processes, *self.columns) for i in places}
        rest = [i for i in range(len(variables)) if i not in elsewhere]
        return (
            *(
                NodePart("client", clients[h], self.locals_of("client", h), host=h)
                for h in self.hosts
            ),
            *(NodePart("process", processes[h], host=h) for h in self.hosts),
            NodePart("server", rest, self.locals_of("server", 0)),
            *(
                NodePart("slot", self.columns[m], self.locals_of("slot", m), taken=(m,))
                for m in self.network
            ),
        )

    def locals_of(self, kind: str, number: int) -> tuple[int, ...]:
        """Which local states belong to a part."""
        return ()

    def renamed(self, number: int, value: Value, order: Sequence[int]) -> Value:
        """The value of a part when the hosts stand in another order."""
        state = tuple(
            order.index(v) if place in self._naming and v != NONE else v
            for place, v in zip(self.parts[number].places, value[0], strict=True)
        )
        return state, *value[1:]

    # What may happen next ------------------------------------------------------------------------

    def rules(self) -> list[Rule]:
        """All that may happen but that time passes.

        A row of the table looks at the parts that its source names.  Rows about the server with
        whatever datagrams are one rule, and so are those about one host.
        """
        slots = frozenset(self.slot.values())
        usual = [slots | {self.server}, *(frozenset({h, self.process_of[h]}) for h in self.hosts)]
        edges: dict[About, list[int]] = {}
        for edge, lines in enumerate(self.outside.lines):
            if self.is_step(self.labels[edge][2]):
                about = self._named("".join(lines))
                edges.setdefault(next((u for u in usual if about <= u), about), []).append(edge)
        return [
            Rule(about if about in usual else frozenset(), self._moves_of(some), some[0])
            for about, some in edges.items()
        ]

    def _named(self, source: str) -> About:
        places = map(int, re.findall(r"[st]\[(\d+)\]", source))
        return frozenset(self.part_of[place] for place in places if place in self.part_of)

    def is_step(self, slots: Sequence[int]) -> bool:
        """Whether a row about these datagrams counts as a step."""
        return True

    def _moves_of(self, edges: Sequence[int]) -> Moves:
        successors = self.outside.only(edges)

        def moves(node: Node) -> Iterator[tuple[int, Step, Node]]:
            for edge, following in successors(node[0]):
                label, host, slots = self.labels[edge]
                if not any(node[2][m] for m in slots):
                    yield edge, (label, host), self.take_row(node, following, label, host)

        return moves

    def take_row(self, node: Node, following: State, label: Label, host: int) -> Node:
        """The node after a row of the table."""
        return following, *node[1:]

    # Time ----------------------------------------------------------------------------------------

    def conditions(self, passing: Action) -> list[tuple[About, Condition]]:
        """When a row of time lets time pass; what is first about one part is one condition."""
        table = self.rows.table
        by_part: dict[About, list[str]] = {}
        for source in table.conditions(Label(passing, (1,))):
            first = [
                self.part_of.get(int(place)) for place in re.findall(r"s\[(\d+)\]", source)[:1]
            ]
            by_part.setdefault(frozenset(n for n in first if n is not None), []).append(source)
        return [(about, self._condition(sources)) for about, sources in by_part.items()]

    def _condition(self, sources: Sequence[str]) -> Condition:
        text = " and ".join(f"({source})" for source in sources)
        return of_state(self.rows.table.compiled(f"def holds(s):\n    return {text}\n", "holds"))

    def quiet(self) -> list[tuple[About, Condition]]:
        """That nothing is due: time passes where all of these hold, if the table allows it."""
        return []

    def not_allowed(self) -> None:
        """Nothing is due and the table lets no time pass; DefectError where a core is late."""

    def older(self, number: int, value: Value) -> Value:
        """The value of a part a tick later."""
        places = self.parts[number].places
        state: list[Any] = [None] * len(self.rows.table.slots)
        for place, v in zip(places, value[0], strict=True):
            state[place] = v
        after = self._pass(tuple(state))
        assert after is not None
        return tuple([after[place] for place in places]), *value[1:]


class CoreWorld(World, ABC, Generic[SettingT, CoresT]):
    """A world around the cores of a setting."""

    def __init__(
        self,
        setting: SettingT,
        cores: CoresT,
        rows: Rows,
        outside: Iterable[Action],
        *,
        named: bool = False,
    ):
        super().__init__(rows, outside, named=named)
        self.setting, self.cores = setting, cores
        self.holds = [rows.table.place["holds", h] for h in self.hosts]

    @abstractmethod
    def core_calls(self) -> list[Rule]:
        """Every call of a core that may come (`calls_of`)."""

    def rules(self) -> list[Rule]:
        """The rows of the table, and the calls of the cores."""
        return [*super().rules(), *self.core_calls()]

    def calls_of(self, core: int, about: About, calls: CallsInNode, kind: int = 0) -> Rule:
        """Calls of one core, which come after all rows in the order, and one kind after another."""
        first = len(self.labels) + (core * MOST_KINDS + kind) * MOST_CALLS

        def moves(node: Node) -> Iterator[tuple[int, Step, Node]]:
            for number, (step, then) in enumerate(calls(node)):
                assert number < MOST_CALLS
                yield first + number, step, then

        return Rule(about, moves, first)

    def older(self, number: int, value: Value) -> Value:
        """The value of a part a tick later, its core with it."""
        state, locals_, taken = super().older(number, value)
        if self.parts[number].kind != "slot":
            locals_ = tuple(self.cores.older(each) for each in locals_)
        return state, locals_, taken

    # Datagrams -----------------------------------------------------------------------------------

    def on_time(self, node: Node, m: int) -> bool:
        """The datagram in a slot, if there is one, need not have arrived by now."""
        kind, client, _, sent, _, _ = self.rows.content[m](node[0])
        late = kind and not node[2][m] and sent + self.setting.delay < 1
        return not late or self.waits(node[0], kind, client)

    def waits(self, state: State, kind: int, client: int) -> bool:
        """Whether a datagram has arrived and nobody has read it yet."""
        return False

    def clear(self, s: list[Any], kept: list[bool], m: int) -> None:
        """The datagram has left its slot."""
        for place, value in zip(self.columns[m], FREE, strict=True):
            s[place] = value
        kept[m] = False


def step_in_words(step: Step, names: Sequence[int]) -> str:
    """A step for people; `names` has the host that stands at each place."""
    what, h = step
    said = what.action.name if isinstance(what, Label) else what
    return said if h == ANYBODY else f"{said} h{names[h] + 1}"
