"""A client's journal replayed against the lease table: each call is a step of it, or is not.

Theory of operation.  The table's concrete reading is followed in units of the client's clock: one
host is the client, the other one is whoever else is on the link.  Server and network may do
anything, so before a call the datagram or the conflict that it speaks of is put where the table
looks for it; then rows of the client must do what the journal says (`explain.py`).  Where several
states fit, all are followed.

What no row does is *violated*.  What the journal cannot tell is *unknown*: lines that were lost, a
leap of time in which the process was frozen or late (of a machine that slept its clocks tell), what
the table has no row for.  Where the state is no longer known, the replay goes on at the next start.

Read as the table's words: a reply to another exchange, to another client, or from a server that was
not asked, is not `current`; DHCPACK without what a lease needs is none.  T1 and T2 are constants of
the table and the server's in life: those of each lease are put in, if T1 < T2 < end.

What it does not know: bytes; retransmission and waiting, of which the table says little; two
clients on one interface; whether the journal is true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from ipaddress import IPv4Address

from holdover.model.clients.profile import FAULTS, LATE, Environment, in_ticks, load
from holdover.model.readings.interpreter import Interpreter, Slot, State, UnsetError, Value
from holdover.model.seconds import show_seconds
from holdover.model.table.client import CLIENT_ACTIONS
from holdover.model.table.environment import stored
from holdover.model.table.expr import Action, Expr
from holdover.model.table.properties import RELEASED_FIRST, WITHIN_LEASE, Property
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE, h
from holdover.reference.core.client import is_usable
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.discipline import Discipline, OrderError
from holdover.reference.core.events import (
    Gone,
    Heard,
    Lease,
    Notice,
    Received,
    Send,
    SendArp,
    Start,
    Store,
)
from holdover.reference.core.instants import SECOND
from holdover.reference.validation.calls import Break, Call, Declared, Expired, Noted, Part, Undone
from holdover.reference.validation.explain import (
    CLIENT,
    INCOMING,
    OTHERS,
    OUTGOING,
    WITNESS,
    BlockedGuard,
    RowSteps,
    ends,
)
from holdover.reference.validation.findings import Finding, JournalVerdict
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import INFINITE

KERNEL_REMOVES = LEASE_TABLE.action("kernel_removes")
STANDS_STILL = (LEASE_TABLE.action("freeze"), LEASE_TABLE.action("thaw"))


def replay(
    parts: Sequence[Part], progress: Callable[[int, int], None] | None = None
) -> JournalVerdict:
    """Follow a journal to its end, or to the first call that is no step of the table."""
    addresses = {a for part in parts if isinstance(part, Call) for a in part.addresses()}
    numbers = {address: number for number, address in enumerate(sorted(addresses))}
    follower = Follower(numbers)
    for done, part in enumerate(parts, 1):
        follower.take(part)
        if follower.seen.violation is not None:
            break
        follower.seen.conforming = part.last
        if progress is not None:
            progress(done, len(parts))
    return follower.seen


@lru_cache(maxsize=64)
def world_of(config: ClientConfig | None, addresses: int) -> Interpreter:
    """The table with the constants of this client; None: those of the profile.

    Kept, since a world reads each term once, and journals of one client are many.
    """
    profile, second = replace(load("reference"), late=LATE), SECOND
    if config is not None:
        second = config.second
        between = config.probe_most * max(config.probes - 1, 0)
        time = config.probe_wait + between + config.announce_wait
        profile = replace(
            profile,
            margin=Fraction(config.margin, second),
            asks_for=Fraction(config.ask_time, second),
            probes=config.probes > 0,
            probe_time=Fraction(time if config.probes else 0, second),
        )
    faults = frozenset(FAULTS) - {"loses_arp"}  # what a journal has heard was not lost
    constants = in_ticks(profile, Environment(faults=faults), Fraction(1, second))
    sizes = {HOST: 2, ADDRESS: addresses, MESSAGE: 3}
    return Interpreter(LEASE_TABLE, constants, sizes)


class Follower:
    """The states of the table in which the client may be; none: not known before `Start`."""

    def __init__(self, numbers: Mapping[IPv4Address, int]) -> None:
        self.seen = JournalVerdict()
        self.states: list[State] = []
        self._numbers = numbers
        self._offers: set[IPv4Address] = set()
        self._asked: Send | None = None
        self._stored: Lease | None = None
        self._probed: list[IPv4Address] = []
        self._hardware: bytes | None = None
        self._steps = self._world_of(None)

    def _world_of(self, config: ClientConfig | None) -> RowSteps:
        """The rows with the constants of this client; None: those of the profile."""
        self._probes = 0 if config is None else config.probes
        second = SECOND if config is None else config.second
        world = world_of(config, max(1, len(self._numbers)))
        return RowSteps(world, self._numbers, second)

    def take(self, part: Part) -> None:
        """The next part of the journal."""
        match part:
            case Break():
                self.states = []
                if part.loses:
                    self._say(self.seen.unknown, part, part.why)
            case Declared(config=config):
                self._hardware, self._steps = config.hardware, self._world_of(config)
            case Noted(says=says):
                self._say(self.seen.remarks, part, says)
            case Undone():
                self._stood_still(part)
            case Expired():
                self._remove(part)
            case Call():
                self._follow(part)

    # One call ------------------------------------------------------------------------------------

    def _follow(self, call: Call) -> None:
        self.seen.calls += 1
        if isinstance(call.event, Start):
            self._begin(call, call.event)
        if isinstance(call.event, Gone):
            self._remove(call)
        if not self.states and not self.seen.unknown:
            why = "no `Start` stands before it: what the client was is not known"
            self._say(self.seen.unknown, call, why)
        if self.states and not self._beyond(call):
            overdue = self._overdue(call, self.states)
            self._check_time(call, overdue)
            self._check_order(call)
            if self.seen.violation is None:
                self._step(call)
            if self.seen.violation is None:
                self._check_done(call, overdue)
        self._remember(call)

    def _step(self, call: Call) -> None:
        """The rows that the call is made of, and what must hold afterwards."""
        begun = [(state["holds", CLIENT], self._surroundings(state, call)) for state in self.states]
        found = [p for held, state in begun for p in self._steps.matching_paths(state, call, held)]
        if not found:
            why = self._steps.first_blocked_guard([state for _, state in begun], call, begun[0][0])
            self.seen.violation = Finding(call.number, call.line.wall, str(call), why)
            return
        self.seen.taken.update(row.name for row in found[0].rows)
        ends = {path.end.values: path.end for path in found}
        self.states = [self._settle(state, call) for state in ends.values()]
        for wanted in (WITHIN_LEASE, RELEASED_FIRST):
            self._check(call, wanted, self.states)
        self._check_stored(call)

    def _begin(self, call: Call, event: Start) -> None:
        """A process starts, or begins anew: with what is stored, and what is on the interface."""
        lease, known = event.remembered, bool(self.states)
        if known and lease is not None and lease != self._stored:
            self._convict(
                call,
                "the lease that it goes on with is not the one stored",
                "RFC 2131 §3.2(3): only the unexpired remainder",
            )
        margin = self._steps.world.constants["margin"]
        assert isinstance(margin, int)
        changes: dict[str, Value] = dict.fromkeys(
            ("wants", "asked", "renew_at", "rebind_at", "lease_end", "kernel_end", "probing_since")
        )
        changes |= {"process": "DEAD", "phase": "INIT", "holds": self._number(event.found)}
        if event.found is not None:
            changes |= {"lease_end": call.now, "kernel_end": call.now}
        if lease is not None and lease.end is not None:
            changes |= {
                "phase": "INIT_REBOOT",
                "wants": self._number(lease.address),
                "renew_at": lease.renew_at,
                "rebind_at": lease.rebind_at,
                "lease_end": lease.end,
                "kernel_end": None if event.found is None else lease.end - margin,
            }
        state = self._steps.world.initial().but({("now", 0): call.now})
        self.states = [state.but({(name, CLIENT): value for name, value in changes.items()})]
        self._offers, self._asked, self._stored, self._probed = set(), None, lease, []
        self._steps.xid = None

    def _remember(self, call: Call) -> None:
        """What later calls are compared with."""
        for effect in call.effects:
            if isinstance(effect, Store):
                self._stored = effect.lease
            if isinstance(effect, Send):
                if effect.request.xid != self._steps.xid:
                    self._offers = set()
                self._asked, self._steps.xid = effect, effect.request.xid
            if isinstance(effect, SendArp) and effect.arp.is_probe:
                self._probed.append(effect.arp.target)
        if call.configured is not None or not any(map(is_probing, self.states)):
            self._probed = []

    # What server, network and others have done ---------------------------------------------------

    def _surroundings(self, state: State, call: Call) -> State:
        """The state in which the client finds what the call speaks of."""
        changes: dict[Slot, Value] = {
            ("now", 0): call.now,
            ("client", WITNESS): CLIENT,
            ("current", WITNESS): True,
        }
        if isinstance(call.event, Received):
            changes |= self._datagram(call, call.event)
        chosen = {about for kind, about in call.sends if kind == "REQUEST"} & self._offers
        if state["phase", CLIENT] == "SELECTING" and chosen:
            changes |= self._slot("OFFER", chosen.pop(), None, current=True, now=call.now)
        if isinstance(call.event, Heard):
            changes |= self._conflict(state, call.event)
        return state.but(changes)

    def _datagram(self, call: Call, event: Received) -> dict[Slot, Value]:
        """A reply, in the slot that the table reads it from; an offer waits to be selected."""
        reply, asked = event.reply, self._asked
        if reply.type is MessageType.ACK and (reply.lease is None or not is_usable(reply)):
            return {}
        current = (
            asked is not None
            and reply.xid == asked.request.xid
            and self._hardware in (None, reply.chaddr)
            and reply.client_id in (None, asked.request.client_id)
            and reply.server is not None
            and asked.request.server in (None, reply.server)
            and asked.to in (None, reply.server)
        )
        if reply.type is MessageType.OFFER:
            if current and is_usable(reply):
                self._offers.add(reply.address)
            return {}
        length = None if reply.lease is None else reply.lease * self._steps.second
        about = None if reply.type is MessageType.NAK else reply.address
        return self._slot(reply.type.name, about, length, current=current, now=call.now)

    def _slot(
        self, kind: str, about: IPv4Address | None, length: int | None, *, current: bool, now: int
    ) -> dict[Slot, Value]:
        address = 0 if about is None else self._number(about)  # the table looks at a NAK's nowhere
        return {
            ("kind", INCOMING): kind,
            ("client", INCOMING): CLIENT,
            ("address", INCOMING): address,
            ("sent", INCOMING): now,
            ("lease", INCOMING): length,
            ("current", INCOMING): current,
        }

    def _conflict(self, state: State, event: Heard) -> dict[Slot, Value]:
        """Another host has the address that the client probes for, or probes for it as well."""
        arp, wants = event.arp, state["wants", CLIENT]
        if state["phase", CLIENT] != "PROBING" or arp.sender_hardware == self._hardware:
            return {}
        if self._numbers.get(arp.sender) == wants:
            return {("holds", OTHERS): wants}
        if arp.is_probe and self._numbers.get(arp.target) == wants:
            return {("phase", OTHERS): "PROBING", ("wants", OTHERS): wants}
        return {}

    def _settle(self, state: State, call: Call) -> State:
        """After the call: what was sent has left, and the lease has its own T1 and T2."""
        changes: dict[Slot, Value] = {}
        for slot in (INCOMING, OUTGOING, WITNESS):
            unset = ("client", "address", "sent", "lease")
            changes |= {("kind", slot): "FREE", ("current", slot): False}
            changes |= {(name, slot): None for name in unset}
        if state["phase", CLIENT] != "PROBING":
            changes |= {("holds", OTHERS): None, ("phase", OTHERS): "INIT", ("wants", OTHERS): None}
        if call.configured is not None and state["holds", CLIENT] is not None:
            changes["renew_at", CLIENT] = call.configured.lease.renew_at
            changes["rebind_at", CLIENT] = call.configured.lease.rebind_at
        return state.but(changes)

    def _remove(self, part: Part) -> None:
        """The kernel has removed the address, or, before its time, somebody else."""
        after = []
        for state in self.states:
            there = state.but({("now", 0): part.line.now})
            if state["holds", CLIENT] is None:
                pass
            elif self._steps.enabled(there, KERNEL_REMOVES, (CLIENT,)):
                there = self._steps.world.step(there, KERNEL_REMOVES, (CLIENT,))
                self.seen.taken[KERNEL_REMOVES.name] += 1
            else:
                gone = "the address went before its time: somebody removed it, or cut its lifetime"
                self._say(self.seen.remarks, part, gone)
                there = there.but({("holds", CLIENT): None, ("kernel_end", CLIENT): None})
            after.append(there.but({("now", 0): state.now}))  # when, nobody knows
        self.states = after

    def _stood_still(self, part: Part) -> None:
        """The client could not store a lease, and is where it was: it froze and thawed at once."""
        self._say(self.seen.remarks, part, "a lease could not be stored, and is not used")
        after = []
        for state in self.states:
            there = state.but({("now", 0): part.line.now})
            for row in STANDS_STILL:
                if self._steps.enabled(there, row, (CLIENT,)):  # else no process of it runs
                    there = self._steps.world.step(there, row, (CLIENT,))
            after.append(there.but({("now", 0): state.now}))  # nothing else was done by then
        self.states = after

    # Verdicts ------------------------------------------------------------------------------------

    def _beyond(self, call: Call) -> bool:
        """What the table has no row for; nothing is known of the client then."""
        reply = call.event.reply if isinstance(call.event, Received) else None
        if Notice.CEASED in call.notices:
            why = "a conflict on an address in use (RFC 5227 §2.4): nobody knows how it ended"
        elif reply is not None and reply.type is MessageType.ACK and reply.lease == INFINITE:
            why = "a lease without end (RFC 2131 §3.3): the table has none"
        else:
            return False
        self._say(self.seen.unknown, call, why)
        self.states = []
        return True

    def _overdue(self, call: Call, states: Sequence[State]) -> dict[Action, int | Fraction]:
        """What should have been done more than `LATE` before, and how long before."""
        found = {}
        for row in PROMPT:
            dues = [self._due(state, row) for state in states]
            known = [due for due in dues if due is not None]
            if len(known) == len(states) and call.now - max(known) > LATE * self._steps.second:
                found[row] = call.now - max(known)
        return found

    def _due(self, state: State, row: Action) -> int | Fraction | None:
        """Since when the row is due: not before the state began."""
        assert row.due is not None
        bound: dict[Expr, Value] = {h: CLIENT}
        try:
            if self._steps.world.value(row.due.condition, state, bound) is not True:
                return None
            due = self._steps.world.value(row.due.instant, state, bound)
        except UnsetError:
            return None
        assert isinstance(due, int | Fraction)
        return max(due, state.now)

    def _check_time(self, call: Call, overdue: Mapping[Action, int | Fraction]) -> None:
        """Nothing was due long before, unless the machine slept; and nothing is held too long."""
        if overdue:
            rows = sorted(overdue, key=overdue.__getitem__)
            names, late = ", ".join(f"`{row.name}`" for row in reversed(rows)), overdue[rows[-1]]
            says = f"{names}: due {show_seconds(late / self._steps.second)} before"
            if late <= call.slept + LATE * self._steps.second:
                self._say(self.seen.remarks, call, f"{says}; the machine slept")
            else:
                says += "; the process was frozen, or late: the journal cannot tell"
                self._say(self.seen.unknown, call, says, rows[0])
        self._check(call, WITHIN_LEASE, [s.but({("now", 0): call.now}) for s in self.states])

    def _check_order(self, call: Call) -> None:
        """Within a call, effects come in their order: in one of the states at least."""
        there = {state["holds", CLIENT] for state in self.states}
        early = [found for found in (self._too_early(call, held) for held in there) if found]
        if len(early) == len(there):
            self._convict(call, early[0].says, early[0].source)
        if ends(call) and self._stored is not None and Notice.STOPPED not in call.notices:
            self._convict(call, "the process ends, and nobody is told", STOP.source)

    def _too_early(self, call: Call, held: Value) -> OrderError | None:
        """The first effect that comes too early, where this address is held."""
        used = call.configured
        probes = 0 if used is None else self._probed.count(used.lease.address)
        there = next((a for a, number in self._numbers.items() if number == held), None)
        discipline = Discipline(there, self._stored, probed=probes >= self._probes)
        try:
            for effect in call.effects:
                discipline.follow(effect)
        except OrderError as early:
            return early
        return None

    def _check_stored(self, call: Call) -> None:
        """What a crash would leave is what the table says: a lease in use, and no other."""
        kept = self._stored
        for effect in call.effects:
            if isinstance(effect, Store):
                kept = effect.lease
        there = {self._steps.world.value(stored, state, {h: CLIENT}) for state in self.states}
        if (kept is not None) not in there:
            says = "not forgotten" if kept is not None else "not stored"
            self._convict(call, f"the lease is {says}", "RFC 2131 §3.2")

    def _check_done(self, call: Call, overdue: Mapping[Action, int | Fraction]) -> None:
        """A process that runs does what is overdue, before or instead of anything else."""
        earlier = [s.but({("now", 0): 0}) for s in self.states]
        still = self._overdue(call, earlier)
        for row in overdue:
            if row in still:
                self._convict(call, f"`{row.name}` is overdue, and not done", row.source)

    def _check(self, call: Call, wanted: Property, states: Sequence[State]) -> None:
        """It holds in one of the states, for the client may be in any of them."""
        alone = [state.but({("holds", OTHERS): None}) for state in states]
        if not any(self._holds(wanted, state) for state in alone):
            self._convict(call, f"not so: {wanted.says}", wanted.source)

    def _holds(self, wanted: Property, state: State) -> bool:
        try:
            return self._steps.world.holds(wanted.term, state)
        except UnsetError:  # an address is held without a lease
            return False

    def _convict(self, call: Call, says: str, source: str) -> None:
        why = BlockedGuard(says, source=source)
        self.seen.violation = Finding(call.number, call.line.wall, str(call), why)

    def _say(self, where: list[Finding], part: Part, says: str, row: Action | None = None) -> None:
        why = BlockedGuard(says) if row is None else BlockedGuard(says, row.name, source=row.source)
        did = str(part) if isinstance(part, Call) else ""
        where.append(Finding(part.number, part.line.wall, did, why))

    def _number(self, address: IPv4Address | None) -> int | None:
        return None if address is None else self._numbers[address]


def is_probing(state: State) -> bool:
    """The client probes for an address."""
    return state["phase", CLIENT] == "PROBING"


RELEASE, STOP = LEASE_TABLE.action("release"), LEASE_TABLE.action("stop")
PROMPT = tuple(row for row in CLIENT_ACTIONS if row.due is not None)
