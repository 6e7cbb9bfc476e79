"""What one client may do with one address, read off the lease table: nodes, edges, limits.

Theory of operation.  A node is what the table's finite variables may be for one host, about one
address: the phase, the process, and whether `wants`, `holds` and `beside` are that address (MINE),
another (OTHER) or none.  The guards and effects of each row are read over sets of values
(`of_host.py`): whatever is not known of, other hosts,
instants, who else is on the link, may be anything.  So each step of each run of the table is an
edge here, and an edge need not be a step of any run: the automaton allows too much, never too
little (tests/reference/audit/possible/test_automaton.py plays random runs of the table on it).

An edge says what travels on the wire: the message that the client takes, the one that it sends, or
neither (`silent`).  It says what becomes of the lease end: it is kept, begins with the message
(GRANT), or is cleared.  The lease end itself is a number, kept beside the node (possibilities.py).

A limit is a deadline of the table (`Action.due`): where its condition surely holds and each outcome
of the row takes the address away, the node lasts until then at most.

What it does not know: lower bounds on instants, so that a lease may lapse at any time; whether a
message was of the present exchange; the clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple

from holdover.model.clients.profile import Environment, Profile, in_seconds
from holdover.model.readings.constants import Numeric
from holdover.model.readings.possible import ANY, HERE, Values
from holdover.model.readings.prose import text
from holdover.model.table.client import ends_by, honoured, slowest
from holdover.model.table.expr import DURATION, Action, Due, Effect, Expr, Variable, lift
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import (
    a,
    address,
    beside,
    h,
    holds,
    kernel_end,
    kind,
    lease_end,
    m,
    refused_at,
    skew,
    wants,
)
from holdover.reference.audit.possible.of_host import (
    MESSAGE_HERE,
    MINE,
    NO_ONE,
    OTHER,
    TRACKED,
    Facts,
    Node,
    OfHost,
)

ABOUT = (MINE, OTHER, NO_ONE)
FOR_CLIENT = ("OFFER", "ACK", "NAK")
FROM_CLIENT = ("DISCOVER", "REQUEST", "DECLINE", "RELEASE")

NEVER: Values = frozenset({False})

Ends = Literal["keep", "grant", "clear", "any"]
"""What an edge does to the lease end; "any": it may be whatever."""

FAULTS = frozenset({"mutes", "loses", "duplicates", "stops", "restarts"})
"""What may befall a host that conforms: a server that is silent, a network that loses, a restart.

A process that is frozen or killed keeps its address past the lease end, and that is the fault which
an audit is to find (RFC 2131 §4.4.5 excuses nobody)."""


@dataclass(frozen=True, slots=True)
class ClientWay:
    """A step from one node to another: what is taken, what is sent, about which address."""

    row: str
    after: Node
    takes: str = ""
    sends: str = ""
    about: str = NO_ONE
    ends: Ends = "keep"

    @property
    def silent(self) -> bool:
        """Nothing travels on the wire."""
        return not self.takes and not self.sends


class Limit(NamedTuple):
    """The node lasts until so many seconds after the lease end, or after the DHCPNAK."""

    from_nak: bool
    seconds: Fraction


class Automaton:
    """All nodes and ways of a client with these constants; made once for each profile.

    `unknown`: the facts of the profile that may be any, since clients that conform differ in them.
    """

    def __init__(self, profile: Profile, environment: Environment, unknown: frozenset[str]):
        self.constants = in_seconds(profile, environment)
        self._facts = Facts(self.constants, unknown, {})
        self.ways: dict[Node, tuple[ClientWay, ...]] = {}
        self._limits: dict[Node, tuple[Limit, ...]] = {}
        self._longest: dict[int, int] = {}
        start = Node("INIT", "RUNS", NO_ONE, NO_ONE, NO_ONE, refused=False)
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node in self.ways:
                continue
            self.ways[node] = tuple(self._ways(node))
            waiting += [way.after for way in self.ways[node]]
        for node in self.ways:
            self._limits[node] = tuple(self._limits_of(node))

    def __deepcopy__(self, memo: object) -> Automaton:
        """It never changes."""
        return self

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All that are reachable."""
        return tuple(self.ways)

    def limits(self, node: Node) -> tuple[Limit, ...]:
        """The node lasts until the first of them at most; none: for ever."""
        return self._limits[node]

    def longest(self, seconds: int) -> int:
        """Nanoseconds of true time that a lease of so many seconds lasts at most for the client."""
        found = self._longest.get(seconds)
        if found is None:
            term = slowest(honoured(h, lift(seconds, DURATION)))
            value = Numeric(self.constants).of(term, 0)
            assert isinstance(value, Fraction)
            found = self._longest[seconds] = int(value * 1_000_000_000) + 1
        return found

    # From the table ------------------------------------------------------------------------------

    def _ways(self, node: Node) -> list[ClientWay]:
        found: dict[ClientWay, None] = {}
        any_message = OfHost(node, self._facts, None)
        for action in CLIENT_ROWS:
            if _is_barred(action, any_message):
                continue
            kinds = KINDS if _takes(action, m) else ("FREE",)
            for before, about in product(kinds, ABOUT if _takes(action, m) else (NO_ONE,)):
                for named in (MINE, OTHER) if _takes(action, a) else (NO_ONE,):
                    for way in self._steps(node, action, before, about, named):
                        found[way] = None
        return list(found)

    def _steps(
        self, node: Node, action: Action, before: str, about: str, named: str
    ) -> list[ClientWay]:
        reading = OfHost(node, self._facts, (before, about))
        known = ((h, HERE), (m, MESSAGE_HERE), (a, named))
        bound: dict[Expr, Values] = dict.fromkeys(action.given, ANY)
        bound |= {name: frozenset({value}) for name, value in known if _takes(action, name)}
        if any(reading.values_of(term, bound) == NEVER for term in action.when):
            return []
        values: dict[Variable, Values] = {v: frozenset({reading.known[v]}) for v in TRACKED}
        after, subject, ends = before, about, frozenset[Ends]({"keep"})
        for effect in action.then:
            if effect.every or effect.at is None:
                continue
            if effect.at is h and effect.variable in values:
                values[effect.variable] = reading.values_of(effect.value, bound)
            if effect.at is h and effect.variable is lease_end:
                ends = _ends(effect.value, reading, bound)
            if effect.at is m and effect.variable is kind:
                (after,) = _names(reading.values_of(effect.value, bound))
            if effect.at is m and effect.variable is address and after != "FREE":
                (subject,) = _names(reading.values_of(effect.value, bound))
        for variable in (wants, holds, beside):
            if values[variable] >= ANY:
                values[variable] = frozenset(ABOUT)
        takes = before if before in FOR_CLIENT else ""
        sends = after if after in FROM_CLIENT and after != before else ""
        if takes and not sends:
            subject = about
        return [
            ClientWay(action.name, Node(*each), takes, sends, subject, how)  # type: ignore[arg-type]
            for each in product(*(values[v] for v in TRACKED))
            for how in ends
        ]

    def _limits_of(self, node: Node) -> list[Limit]:
        found = []
        reading = OfHost(node, self._facts, ("FREE", NO_ONE))
        bound: dict[Expr, Values] = {h: frozenset({HERE})}
        for action in CLIENT_ROWS:
            due = action.due
            if due is None or len(action.given) != 1:
                continue
            if reading.values_of(due.condition, bound) != frozenset({True}):
                continue
            outcomes = [way.after for way in self.ways[node] if way.row == action.name]
            if outcomes and not any(after.has for after in outcomes):
                found += self._limit(due)
        return found

    def _limit(self, due: Due) -> list[Limit]:
        offset = _Offset(self.constants)
        seconds = offset.of(due.instant, 0)
        assert isinstance(seconds, Fraction)
        if offset.counts_from == [lease_end]:
            return [Limit(False, seconds)]
        if offset.counts_from == [kernel_end]:  # set to the lease end, less the margin (`ends_at`)
            margin = self.constants["margin"]
            assert isinstance(margin, Fraction)
            return [Limit(False, seconds - margin)]
        return [Limit(True, seconds)] if offset.counts_from == [refused_at] else []


class _Offset(Numeric):
    """An instant as its distance from the variables that it counts from."""

    def __init__(self, constants: Mapping[str, object]):
        super().__init__(constants)
        self.counts_from: list[Variable] = []

    def state(self, variable: Variable, at: Sequence[object]) -> Fraction:
        """Where it counts from."""
        self.counts_from.append(variable)
        return Fraction(0)


def _is_barred(action: Action, any_message: OfHost) -> bool:
    """In this node no message and no address lets the row happen.

    What is false of a set of messages is false of each of them: the reading is monotone.
    """
    bound: dict[Expr, Values] = dict.fromkeys(action.given, ANY)
    if _takes(action, h):
        bound[h] = frozenset({HERE})
    return any(any_message.values_of(term, bound) == NEVER for term in action.when)


def _takes(action: Action, name: Expr) -> bool:
    """The row has this parameter."""
    return any(each is name for each in action.given)


def _of_client(effect: Effect) -> bool:
    sends = effect.variable is kind and effect.value.op == "literal"
    return (effect.at is h and effect.variable in (*TRACKED, lease_end)) or (
        sends and effect.value.args[0] in FROM_CLIENT
    )


CLIENT_ROWS = tuple(
    action
    for action in LEASE_TABLE.actions
    if _takes(action, h) and any(_of_client(effect) for effect in action.then)
)
"""The rows that change something of a host that an audit follows."""

KINDS = ("FREE", *FOR_CLIENT)
"""What a row of the client may find in its slot."""

GRANT_TERM = text(ends_by(h, m) + skew)


def _ends(value: Expr, reading: OfHost, bound: Mapping[Expr, Values]) -> frozenset[Ends]:
    """What an effect on the lease end does; what is not understood may be anything."""
    if value.op == "none":
        return frozenset({"clear"})
    if value.op == "state" and value.args[0] is lease_end:
        return frozenset({"keep"})
    if value.op == "ite":
        condition, then, otherwise = value.operands
        branches = {True: then, False: otherwise}
        parts = [
            _ends(branches[bool(chosen)], reading, bound)
            for chosen in reading.values_of(condition, bound)
        ]
        return frozenset[Ends]().union(*parts)
    return frozenset({"grant" if text(value) == GRANT_TERM else "any"})


def _names(values: Values) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


@lru_cache(maxsize=16)
def automaton_of(
    profile: Profile, environment: Environment, unknown: frozenset[str] = frozenset()
) -> Automaton:
    """The automaton of a client; kept, since an audit asks for the same one again and again."""
    return Automaton(profile, environment, unknown)
