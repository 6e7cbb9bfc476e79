"""The terms of the lease table as sets of values, for one host of which more is known.

Theory of operation.  `model/readings/possible.py` reads terms where one host's phase and process
are known.  Here a whole `Node` is, and what a message says that the host takes; an address is MINE,
OTHER or NO_ONE.  Whatever else a term mentions may be anything.

The same guard is read for hundreds of nodes and messages, and mentions two or three variables of
them.  So what was read is recalled by what the term mentions (`values_of`); that is exact, for a
reading asks for nothing else.  Terms are told apart as objects: those of the table live as long as
the program.

What it does not know: rows, steps, limits (`automaton.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from holdover.model.readings.possible import ANY, EITHER, HERE, Possible, Values
from holdover.model.table.expr import BOOL, Bindings, Expr, Sort, Variable
from holdover.model.table.vocabulary import (
    ADDRESS,
    HOST,
    address,
    asleep,
    beside,
    client,
    holds,
    kind,
    phase,
    process,
    refused,
    wants,
)

MINE, OTHER, NO_ONE = "the address", "another address", "no address"
MESSAGE_HERE = "this message"

TRACKED = (phase, process, wants, holds, beside, refused)
"""The variables of a host that a node has."""

OF_MESSAGE = (kind, address, client)
"""The variables of a message that are known of the one that the host takes."""


class Node(NamedTuple):
    """A host, in the table's words; addresses are MINE, OTHER or NO_ONE."""

    phase: str
    process: str
    wants: str
    holds: str
    beside: str
    refused: bool

    @property
    def has(self) -> bool:
        """The kernel answers ARP for the address."""
        return MINE in (self.holds, self.beside)


class Mentioned(NamedTuple):
    """On what the meaning of a term rests: places in a node, the message, parameters."""

    places: tuple[int, ...]
    message: bool
    parameters: tuple[Expr, ...]


@lru_cache(maxsize=1 << 12)
def mentioned_in(term: Expr) -> Mentioned:
    """What a term mentions of what is known."""
    variables, parameters = dict[Variable, None](), dict[Expr, None]()
    waiting = [term]
    while waiting:
        each = waiting.pop()
        if each.op == "parameter":
            parameters[each] = None
        for part in each.args:
            if isinstance(part, Variable):
                variables[part] = None
            if isinstance(part, Expr):
                waiting.append(part)
    places = tuple(TRACKED.index(each) for each in variables if each in TRACKED)
    return Mentioned(places, any(each in variables for each in OF_MESSAGE), tuple(parameters))


class Facts(NamedTuple):
    """The constants of a client, which of them are not known, and what was read with them."""

    constants: Mapping[str, object]
    unknown: frozenset[str]
    recalled: dict[object, Values]


class OfHost(Possible):
    """Terms as sets of values, for a host in a known node, its constants, and one message.

    `message`: its kind and its address; None: it may be any.
    """

    def __init__(self, node: Node, facts: Facts, message: tuple[str, str] | None):
        super().__init__((node.phase, node.process, False))
        self.known = dict(zip(TRACKED, node, strict=True)) | {asleep: False}
        self.constants, self.open, self._recalled = facts
        self._node, self._message = node, message
        self.of_message: dict[Variable, str] = {}
        if message is not None:
            self.of_message = dict(zip(OF_MESSAGE, (*message, HERE), strict=True))

    def values_of(self, term: Expr, bound: Bindings[Values]) -> Values:
        """What a term of the table may be here: recalled, or read."""
        places, message, parameters = mentioned_in(term)
        node = self._node
        key = (
            id(term),
            self._message if message else None,
            tuple([node[place] for place in places]),
            tuple([bound.get(each) for each in parameters]),
        )
        found = self._recalled.get(key)
        if found is None:
            found = self._recalled[key] = self.read(term, bound)
        return found

    def leaf(self, term: Expr) -> Values:
        """A literal is known, and so is the absence of an address."""
        if term.op == "none" and term.sort in (ADDRESS, HOST):
            return frozenset({NO_ONE})
        return super().leaf(term)

    def constant(self, name: str, sort: Sort, at: Sequence[Values]) -> Values:
        """A switch or a choice is known, but for those in OPEN; a length of time may be any."""
        if name in self.open:
            return frozenset(sort.values) or EITHER
        if sort.values or sort is BOOL:
            return frozenset({self.constants[name]})
        return super().constant(name, sort, at)

    def state(self, variable: Variable, at: Sequence[Values]) -> Values:
        """Known of this host and of this message, else anything."""
        if variable in self.of_message and at == [frozenset({MESSAGE_HERE})]:
            return frozenset({self.of_message[variable]})
        if variable in self.known and at == [frozenset({HERE})]:
            return frozenset({self.known[variable]})
        return EITHER if variable.sort is BOOL else ANY

    def node(self, term: Expr, args: Sequence[Callable[[], Values]]) -> Values:
        """An operator on sets of values; two other addresses need not be the same one."""
        if term.op == "eq":
            left, right = args[0](), args[1]()
            if left == right == frozenset({OTHER}):
                return EITHER
            return super().node(term, (lambda: left, lambda: right))
        return super().node(term, args)
