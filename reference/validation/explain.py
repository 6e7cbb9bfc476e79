"""Rows of the lease table that a call of a client may be made of, and the one that is nearest.

Theory of operation.  `RowSteps.matching_paths` looks for rows of the client, up to `MOST_ROWS` one
after another, that do what a call has done (`calls.py`): the same datagrams for the same address,
the same address on the interface until the same instants, the same notices.  Nothing is asked of
the rows but what they do to the state.  A row that cannot be part of the call is not tried: it
sends what was not sent, or stands for a notice that was not given (`TOLD`).

Where none fit, `first_blocked_guard` names the row that would do it and the first guard that
forbids it, or in what a possible row differs from the journal.

What it does not know: how a state came about (`follower.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from ipaddress import IPv4Address
from itertools import product

from holdover.model.readings.definitions import in_words
from holdover.model.readings.interpreter import Interpreter, State, UnsetError, Value
from holdover.model.readings.prose import shape, text
from holdover.model.seconds import show_seconds
from holdover.model.table.client import CLIENT_ACTIONS
from holdover.model.table.expr import Action
from holdover.model.table.table import LEASE_TABLE, sends
from holdover.model.table.vocabulary import kind, m
from holdover.reference.core.events import Notice, Received, Release, Start, Stop
from holdover.reference.refinement.justify import MOST_ROWS
from holdover.reference.validation.calls import Call
from holdover.reference.wire.messages import BootRequest
from holdover.reference.wire.option_values import MessageType

CLIENT, OTHERS = 0, 1
"""The hosts: the client, and whoever else is on the link."""

INCOMING, OUTGOING, WITNESS = 0, 1, 2
"""The slots: what the client is given, what it sends, and one that tells a fresh exchange."""

TOLD: Mapping[str, frozenset[Notice]] = {
    "lapse": frozenset({Notice.LAPSED}),
    "cut_off": frozenset({Notice.TOO_SHORT}),
    "notify": frozenset({Notice.LAPSED, Notice.TOO_SHORT}),
    "obey_nak": frozenset({Notice.REFUSED}),
    "decline": frozenset({Notice.DECLINED}),
    "release": frozenset({Notice.RELEASED}),
    "give_up": frozenset({Notice.UNANSWERED}),
}
"""Rows that the user is told of, always and by nothing else."""

FORMS: Mapping[str, str] = {
    "REQUESTING": "SELECTING",
    "REBOOTING": "INIT-REBOOT",
    "RENEWING": "RENEWING",
    "REBINDING": "REBINDING",
}
"""RFC 2131 §4.3.2: how a DHCPREQUEST looks that leads to that phase, or is repeated in it."""

ROWS = (*CLIENT_ACTIONS, *(LEASE_TABLE.action(name) for name in ("ignore", "restart", "stop")))
FREE = shape(kind[m] == "FREE")
IGNORE = LEASE_TABLE.action("ignore")
COUNTING, TELLING = "what is counted", "what is told"
DETAILS = (COUNTING, TELLING, "its xid", "what it looks like")
USES = ("use", "bind", "extend", "cut_short", "keep_remainder")


@dataclass(frozen=True)
class RowPath:
    """Rows taken one after another from `begun`, and where they lead."""

    begun: State
    rows: tuple[Action, ...]
    sent: tuple[tuple[str, Value], ...]
    end: State


@dataclass(frozen=True)
class BlockedGuard:
    """Why no row does what a call did; `guard` in words, with its place in the row."""

    says: str
    row: str = ""
    guard: str = ""
    source: str = ""


class RowSteps:
    """The rows of a world for a client; `numbers`: its addresses; `second`: in units of time.

    `xid`: of its latest datagram.
    """

    def __init__(self, world: Interpreter, numbers: Mapping[IPv4Address, int], second: int) -> None:
        self.world, self.numbers, self.second = world, numbers, second
        self.xid: int | None = None

    def matching_paths(self, begun: State, call: Call, held: Value) -> list[RowPath]:
        """The paths that fit, the shortest, and those longer by one: a row may leave no trace."""
        rows = [row for row in ROWS if may_be_part(row, call)]
        found: list[RowPath] = []
        layer = [RowPath(begun, (), (), begun)]
        depth = 0
        while layer and depth <= MOST_ROWS:
            fitting = [path for path in layer if not self.mismatch(path, call, held)]
            if found:
                return found + fitting
            found = fitting
            layer = [longer for path in layer for longer in self._longer(path, rows, call)]
            depth += 1
        return found

    def _longer(self, path: RowPath, rows: Iterable[Action], call: Call) -> Iterator[RowPath]:
        for row in rows:
            for binding in self._bindings(row, path.end):
                if self.enabled(path.end, row, binding):
                    after = self.world.step(path.end, row, binding)
                    sent = (*path.sent, *sent_between(path.end, after))
                    if sent == self._sends(call)[: len(sent)]:
                        yield RowPath(path.begun, (*path.rows, row), sent, after)

    def _bindings(self, row: Action, state: State | None) -> Iterator[tuple[Value, ...]]:
        """For the client; a clock that is right; the slot that the row sends by, or reads from."""
        slot = OUTGOING if sends(row) and not reads(row) else INCOMING
        if state is not None and reads(row) and state["kind", INCOMING] == "FREE":
            return iter(())
        domains: dict[str, Sequence[Value]] = {
            "h": (CLIENT,),
            "a": range(len(self.numbers)),
            "m": (slot,),
            "skew": (0,),
        }
        return product(*(domains[str(p.args[0])] for p in row.given))

    def enabled(self, state: State, row: Action, binding: Sequence[Value]) -> bool:
        """Whether the row is possible."""
        return self._guard(state, row, binding) is None

    def _guard(self, state: State, row: Action, binding: Sequence[Value]) -> int | None:
        """The first guard that blocks, by its place; one that asks for what is not there does."""
        try:
            return self.world.blocking_guard(state, row, binding)
        except UnsetError:
            return 0

    def _sends(self, call: Call) -> tuple[tuple[str, Value], ...]:
        return tuple((kind, self._number(about)) for kind, about in call.sends)

    def _number(self, address: IPv4Address | None) -> int | None:
        return None if address is None else self.numbers[address]

    # Rows and the journal ------------------------------------------------------------------------

    def mismatch(self, path: RowPath, call: Call, held: Value) -> str:
        """In what these rows do something else than the call, from an address held; "": nothing."""
        end, names = path.end, {row.name for row in path.rows}
        if path.sent != self._sends(call):
            return "what is sent"
        if form := self._form(path, call):
            return form
        if isinstance(call.event, Received) and end["kind", INCOMING] in ("ACK", "NAK"):
            return "what becomes of what was received"
        if (begins(call), ends(call)) != ("restart" in names, "stop" in names):
            return "the process"
        now_held = call.holds(next((a for a, n in self.numbers.items() if n == held), None))
        if end["holds", CLIENT] != self._number(now_held):
            return "the address"
        if difference := self._difference(path, call):
            return difference
        if any((row in names) == told.isdisjoint(call.notices) for row, told in TOLD.items()):
            return TELLING
        return ""

    def _form(self, path: RowPath, call: Call) -> str:
        """RFC 2131 §4.3.2 and §4.4.1: how a request looks, and under which xid it goes."""
        if not call.requests:
            return ""
        request, to = call.requests[-1].request, call.requests[-1].to
        if request.type is MessageType.REQUEST:
            wanted = FORMS.get(str(path.end["phase", CLIENT]))
            renews = wanted in ("RENEWING", "REBINDING") and path.begun["holds", CLIENT] is None
            if form(request, to) != ("INIT-REBOOT" if renews else wanted):
                return f"what it looks like: a DHCPREQUEST of {form(request, to)}"
        if request.type in (MessageType.RELEASE, MessageType.DECLINE):
            return ""  # Table 5: a xid of the client's choice
        fresh = not path.end["current", WITNESS]
        if self.xid is not None and fresh != (request.xid != self.xid):
            return f"its xid, which is {'not ' if fresh else ''}a fresh one"
        return ""

    def _difference(self, path: RowPath, call: Call) -> str:
        """The ends of the lease and of the kernel's lifetime, where the table counts others."""
        end = path.end
        if end["holds", CLIENT] is None:
            return ""
        if call.configured is None:
            same = end["kernel_end", CLIENT] == path.begun["kernel_end", CLIENT]
            return "" if same else f"{COUNTING}: the kernel's lifetime is not set anew"
        lease = call.configured.lease
        for name, got in (("lease_end", lease.end), ("kernel_end", call.configured.until)):
            there = end[name, CLIENT]
            if there == got:
                continue
            if not isinstance(got, int) or not isinstance(there, int | Fraction):
                return f"{COUNTING}: {name} is {got}, not {there}"
            apart = (Fraction(got) - there) / self.second
            way = "later" if apart > 0 else "earlier"
            return f"{COUNTING}: {name} is {show_seconds(abs(apart))} {way} in the journal"
        return ""

    def first_blocked_guard(self, begun: Sequence[State], call: Call, held: Value) -> BlockedGuard:
        """The row that comes nearest, and what forbids it, or in what it differs."""
        if alike := self._alike(begun, call, held, DETAILS):
            return alike
        nearest: tuple[float, Action, int] | None = None
        for state, row in product(begun, candidates(call)):
            for binding in self._bindings(row, None):
                place = self._guard(state, row, binding)
                if place is not None and (nearest is None or place / len(row.when) > nearest[0]):
                    nearest = place / len(row.when), row, place
        if nearest is None:
            alike = self._alike(begun, call, held, ("the address",))
            return alike or BlockedGuard("no row of the table does this")
        _, row, place = nearest
        guard = f"{place + 1} of {len(row.when)}: {text(row.when[place], in_words())}"
        return BlockedGuard(f"`{row.name}` is not possible here", row.name, guard, row.source)

    def _alike(
        self, begun: Sequence[State], call: Call, held: Value, but_for: tuple[str, ...]
    ) -> BlockedGuard | None:
        """A row or two that do the same but for this."""
        for state in begun:
            layer = [RowPath(state, (), (), state)]
            for _ in range(2):
                layer = [longer for path in layer for longer in self._longer(path, ROWS, call)]
                for path in layer:
                    unlike = self.mismatch(path, call, held)
                    if unlike.startswith(but_for):
                        row, names = path.rows[0], ", ".join(f"`{row.name}`" for row in path.rows)
                        return BlockedGuard(
                            f"{names}, but for {unlike}", row.name, source=row.source
                        )
        return None


def form(request: BootRequest, to: IPv4Address | None) -> str:
    """RFC 2131 §4.3.2: what tells the four kinds of DHCPREQUEST apart."""
    if request.server is not None:
        return "SELECTING"
    if request.requested is not None:
        return "INIT-REBOOT"
    return "REBINDING" if to is None else "RENEWING"


def begins(call: Call) -> bool:
    """A process starts, or begins anew."""
    return isinstance(call.event, Start)


def ends(call: Call) -> bool:
    """The process is to end; `Release` is the same where there is nothing to give back."""
    return isinstance(call.event, Stop) or (isinstance(call.event, Release) and not call.sends)


def may_be_part(row: Action, call: Call) -> bool:
    """Whether the row can be part of what the call did."""
    if row.name in TOLD:
        return not TOLD[row.name].isdisjoint(call.notices)
    if row.name in ("restart", "stop"):
        return begins(call) if row.name == "restart" else ends(call)
    return not sends(row) or bool(sends(row) & {kind for kind, _ in call.sends})


def candidates(call: Call) -> list[Action]:
    """The rows that would do what the call did, or else what it was given to be done."""
    kinds = {kind for kind, _ in call.sends}
    if kinds:
        return [row for row in ROWS if sends(row) & kinds]
    if call.configured is not None:
        return [row for row in ROWS if row.name in USES]
    told = [row for row in ROWS if not TOLD.get(row.name, frozenset()).isdisjoint(call.notices)]
    return told or ([IGNORE] if isinstance(call.event, Received) else [])


@cache
def reads(row: Action) -> bool:
    """Whether the row takes a datagram that has come."""
    free = any(shape(term) == FREE for term in row.when)
    return any(name is m for name in row.given) and not free


def sent_between(before: State, after: State) -> Iterator[tuple[str, Value]]:
    """What a step has put on its way."""
    for slot in (INCOMING, OUTGOING):
        now = after["kind", slot]
        if now in ("DISCOVER", "REQUEST", "DECLINE", "RELEASE") and before["kind", slot] != now:
            yield str(now), after["address", slot]
