"""The implementation explored: real cores, the model's server, network and kernels, to closure.

Theory of operation.  A state is a state of the lease table together with one real client core for
each host (`client.py`, or a mutant of it) and what its lease file holds.  What the world does is a
row of the table.  What a client does is a call of the core's own `step`: a datagram is handed to
it, a deadline has come, its user gives the address back.  The effects are carried out as a shell
would: an address is configured or removed, a datagram takes a free slot, an ARP packet is heard by
those who would hear it.  So the state after a call is the implementation's.

Then the table is asked.  Some rows of it, taken by this client, must lead from the state before to
exactly the state after, in which the client's own variables are what `abstract` says of the core.
`hints` guesses which rows; a wrong guess costs time only, since all rows are tried when it fails.
Where no rows do, the call is a `Defect`.  Time passes when no core wants to be called; where the
table's `tick` then refuses, a client is late.  Properties are checked on each new state.

Why it is finite.  Instants are relative to now and clipped in the past, as in the finite reading;
`client.py` only compares and adds them.  An xid matters only in that it is, or is not, the present
one, so the present one is always 1.  Datagrams are sorted: slots have no names.  Calls of a core
are remembered, since `step` is a function.

What it does not know.  More datagrams in flight than slots: one more is lost, as UDP may lose it.
Drift, suspend, steps of the clock and second servers: the proofs are about those.  ARP is heard
at once and is not lost; who is frozen hears of a conflict when it thaws, if it still exists.  A
shell tells a core what happened in the order in which it happened, and carries out its effects at
once and entirely.  Offers that a core keeps are, to the table, still on their way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from fractions import Fraction
from functools import cache
from ipaddress import IPv4Address
from operator import itemgetter
from typing import Any, Protocol

from holdover.model.client import CLIENT_ACTIONS
from holdover.model.finite import NONE, Instance, Label, State, bounds_for
from holdover.model.profile import Environment, in_ticks, load
from holdover.model.properties import ALWAYS
from holdover.model.server import SERVER_ACTIONS
from holdover.model.table import LEASE_TABLE, Table, tick
from holdover.model.words import HOST, KIND, MESSAGE, PHASE, PROCESS, VARIABLES
from holdover.model.world import WORLD_ACTIONS
from holdover.reference import client as reference_client
from holdover.reference.arp import announcement, probe
from holdover.reference.config import ClientConfig
from holdover.reference.events import (
    Chance,
    Configure,
    Effect,
    Event,
    Gone,
    Heard,
    Lease,
    Notice,
    Notify,
    Received,
    Release,
    Remove,
    Send,
    SendArp,
    Start,
    Store,
    Timer,
)
from holdover.reference.messages import NO_OPTIONS, BootReply
from holdover.reference.state import Abstract, Client
from holdover.reference.values import MessageType

TICK = Fraction(1)
HARDWARE, OTHER = bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2))
SERVER = IPv4Address("10.0.0.254")
ADDRESSES = tuple(IPv4Address(f"10.0.0.{n}") for n in range(1, 9))
NUMBER = {address: number for number, address in enumerate(ADDRESSES)}

STALE, PRESENT, FRESH = 0, 1, 2
"""The xid of an exchange that is over, of the present one, and of the next."""

QUIET = frozenset({"tick", "ignore", "wake_expired"})
"""Rows of the world that a core takes part in: not taken by themselves."""


class Core(Protocol):
    """What is explored: `client.py`, or a module like it."""

    step: Callable[[Client, Event, int], tuple[Client, tuple[Effect, ...]]]
    deadline: Callable[[Client], int | None]
    abstract: Callable[[Client], Abstract]


@dataclass(frozen=True)
class Setting:
    """A world small enough to be seen to the last state; times are ticks."""

    name: str
    hosts: int
    addresses: int
    messages: int
    lease: int
    delay: int
    faults: tuple[str, ...]
    client: Mapping[str, int]
    jitters: tuple[int, ...] = (500,)
    user: bool = False
    grace: int = 0
    kernel_late: int = 0

    def config(self) -> ClientConfig:
        """The core's constants: those named, no wait elsewhere."""
        waits = {f.name: 0 for f in fields(ClientConfig) if f.type == "Duration"}
        small = {
            **waits, "second": 1, "fuzz": 0, "backoff_least": 1, "backoff_most": 1,
            "retry_floor": 1, "announcements": 1, "probes": 1, "conflicts_most": 2,
            "decline_wait": self.delay + 1, "conflicts_wait": self.delay + 1,
        }  # fmt: skip
        return ClientConfig(hardware=HARDWARE, **{**small, **self.client})  # type: ignore[arg-type]

    def constants(self) -> dict[str, object]:
        """The lease table's constants for a world of these clients."""
        config = self.config()
        profile = replace(
            load("reference"),
            margin=Fraction(config.margin),
            kernel_late=Fraction(self.kernel_late),
            asks_for=Fraction(config.ask_time),
            probe_time=Fraction(
                config.probe_wait + config.probe_most * (config.probes - 1) + config.announce_wait
            ),
        )
        environment = Environment(
            lease=Fraction(self.lease),
            delay=Fraction(self.delay + config.offer_wait),
            grace=Fraction(self.grace),
            faults=frozenset((*self.faults, "loses")),
        )
        return in_ticks(profile, environment, TICK)


@dataclass(frozen=True)
class Local:
    """One host's part of the implementation: its core (None: not running) and its lease file."""

    core: Client | None
    stored: Lease | None


class Defect(Exception):  # noqa: N818 -- the implementation has it, not this program
    """The implementation does what no row of the table does, or breaks a property."""

    def __init__(self, kind: str, says: str):
        super().__init__(f"{kind}: {says}")
        self.kind, self.says = kind, says


Call = tuple[Any, ...]
"""What is handed to a core: ("T", jitter), ("R", kind, address, lease, current, jitter), ..."""

Answer = tuple[int, tuple[Effect, ...], bool, tuple[str, ...]]
"""The local state after a call, the effects, whether there is a new xid, and the rows to try."""

Node = tuple[State, tuple[int, ...], tuple[bool, ...]]
"""The table's state, each host's number in `locals`, and which datagrams a core has taken."""


@dataclass
class Refined:
    """What an exploration saw."""

    setting: Setting
    states: int = 0
    steps: int = 0
    calls: int = 0
    depth: int = 0
    locals: int = 0
    complete: bool = False
    defect: Defect | None = None
    run: tuple[str, ...] = ()
    taken: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    observed: Counter[tuple[str, str, str, tuple[str, ...]]] = field(default_factory=Counter)
    searched: int = 0


class Explorer:
    """One setting and one core."""

    def __init__(self, setting: Setting, core: Core = reference_client):
        self.setting, self.core = setting, core
        self.config = setting.config()
        self.constants = setting.constants()
        # One slot more than the network has: what is sent into a full network is lost there.
        bounds = bounds_for(self.constants, setting.hosts, setting.addresses, setting.messages + 1)
        self.table = Instance(LEASE_TABLE, self.constants, bounds)
        self.world = Instance(
            Table(
                VARIABLES, SERVER_ACTIONS + tuple(a for a in WORLD_ACTIONS if a.name not in QUIET)
            ),
            self.constants,
            bounds,
        )
        self.hosts = range(setting.hosts)
        self.local_of: dict[Local, int] = {}
        self.locals: list[Local] = []
        self.memory: dict[tuple[int, Call], Answer] = {}
        self.seen = Refined(setting)
        place = self.table.place
        self.columns = [
            [place[name, m] for name in ("kind", "client", "address", "sent", "lease", "current")]
            for m in range(setting.messages + 1)
        ]
        self.network = range(1, setting.messages + 1)
        self.kind = [columns[0] for columns in self.columns]
        self.unmoved = tuple(self.hosts)
        self.content = [itemgetter(*columns) for columns in self.columns]
        self.rest = [itemgetter(place["process", h], place["holds", h]) for h in self.hosts]
        self.of_host = [
            [place[v.name, h] for v in VARIABLES if v.index is HOST] for h in self.hosts
        ]
        self.names_host = [place["owner", a] for a in range(setting.addresses)] + [
            columns[1] for columns in self.columns
        ]
        self.own = [
            [place[name, h] for name in ("phase", "wants", "asked", "renew_at", "rebind_at",
                                         "lease_end", "kernel_end")]
            for h in self.hosts
        ]  # fmt: skip
        self.holds = [place["holds", h] for h in self.hosts]
        self.kernel_end = [place["kernel_end", h] for h in self.hosts]
        self.notice = [place["notice", h] for h in self.hosts]
        self.process = [place["process", h] for h in self.hosts]
        self.checks = [(p, self.table.predicate(p.term)) for p in ALWAYS]
        self.rows: dict[tuple[str, int], list[Callable[[State], State | None]]] = {}
        for action in (*CLIENT_ACTIONS, *(a for a in WORLD_ACTIONS if a.name in QUIET | {"lose"})):
            at = [str(p.args[0]) for p in action.given].index("h")
            for binding in self.table.bindings(action):
                row = self.table.row(Label(action, binding))
                self.rows.setdefault((action.name, binding[at]), []).append(row)
        self.tick = self.table.row(Label(LEASE_TABLE.action("tick"), (1,)))
        world_tick = tick(WORLD_ACTIONS)
        self.world_tick = self.table.row(Label(world_tick, (1,)))
        self.world_labels = [
            (label, _binding(label, "h"), _slots(label)) for label in self.world.labels
        ]

    # Locals ----------------------------------------------------------------------------------

    def number(self, local: Local) -> int:
        """The number of a local state; the same for equal ones."""
        found = self.local_of.get(local)
        if found is None:
            found = self.local_of[local] = len(self.locals)
            self.locals.append(local)
        return found

    def call(self, local: int, call: Call) -> Answer:
        """What the core does when it is handed this; remembered."""
        key = local, call
        found = self.memory.get(key)
        if found is None:
            before = self.locals[local]
            core = before.core or Client(self.config)
            try:
                after, effects = self.core.step(core, self.event(core, call), 0)
            except Exception as error:
                raise Defect("crash", f"{type(error).__name__}: {error}") from error
            stored = before.stored
            for effect in effects:
                if isinstance(effect, Store):
                    stored = effect.lease
            if after.exchange is not None:
                present = after.exchange.xid == FRESH or (
                    core.exchange is not None and after.exchange.xid == core.exchange.xid
                )
                if not present:
                    raise Defect("xid", f"an exchange under xid {after.exchange.xid}")
            fresh = after.exchange is not None and after.exchange.xid == FRESH
            if fresh:
                assert after.exchange is not None
                after = replace(after, exchange=replace(after.exchange, xid=PRESENT))
            found = self.memory[key] = (
                self.number(Local(after, stored)), effects, fresh, hints(core, call, after, effects),
            )  # fmt: skip
            self.observe(core, call, after, effects)
        return found

    def observe(self, core: Client, call: Call, after: Client, effects: tuple[Effect, ...]) -> None:
        """Note a cell of the (state x event) table as it was seen."""
        name = {"T": "Timer", "H": "Heard", "G": "Gone", "L": "Release", "S": "Start"}
        event = KIND.values[call[1]] if call[0] == "R" else name[call[0]]
        does = tuple(_named(effect) for effect in effects)
        self.seen.observed[core.phase.name, event, after.phase.name, does] += 1

    def event(self, core: Client, call: Call) -> Event:
        """The event that a call stands for."""
        match call:
            case ("T", jitter):
                return Timer(Chance(FRESH, jitter))
            case ("R", kind, address, lease, current, jitter):
                xid = PRESENT if current else STALE
                return Received(
                    Chance(FRESH, jitter),
                    BootReply(
                        MessageType[KIND.values[kind]], xid, HARDWARE, None,
                        address=ADDRESSES[address], server=SERVER, lease=lease,
                        options=NO_OPTIONS,
                    ),
                )  # fmt: skip
            case ("H", address, probing):
                packet = (probe if probing else announcement)(OTHER, ADDRESSES[address])
                return Heard(Chance(FRESH, 500), packet)
            case ("G", address):
                return Gone(Chance(FRESH, 500), ADDRESSES[address])
            case ("L",):
                return Release(Chance(FRESH, 500))
            case ("S", stored, found):
                return Start(Chance(FRESH, 500), stored, found)
        raise AssertionError(call)

    @cache  # noqa: B019 -- an explorer lives as long as its exploration
    def older(self, local: int) -> int:
        """The same local state a tick later."""
        before = self.locals[local]
        past = self.table.bounds.past
        return self.number(Local(shifted(before.core, 1, past), shifted(before.stored, 1, past)))

    @cache  # noqa: B019
    def due(self, local: int) -> int | None:
        """When the core wants to be called."""
        core = self.locals[local].core
        return None if core is None else self.core.deadline(core)

    @cache  # noqa: B019
    def view(self, local: int) -> tuple[Any, ...]:
        """phase, wants, asked, renew_at, rebind_at, lease_end, holds, as the table writes them.

        Of a host without a process, what its lease file says.
        """
        core, stored = self.locals[local].core, self.locals[local].stored
        if core is not None:
            seen = self.core.abstract(core)
        elif stored is not None:
            seen = Abstract(
                "INIT_REBOOT", stored.address, None, None,
                stored.renew_at, stored.rebind_at, stored.end,
            )  # fmt: skip
        else:
            seen = Abstract("INIT", None, None, None, None, None, None)
        return (
            PHASE.values.index(seen.phase), _number(seen.wants), seen.asked, seen.renew_at,
            seen.rebind_at, seen.lease_end, _number(seen.holds),
        )  # fmt: skip

    # One call, and what the table says of it ---------------------------------------------------

    def perform(self, node: Node, h: int, call: Call, slot: int = -1) -> Node:
        """The state after a call of this host's core, and of those who hear its ARP packets."""
        before, locals_, taken = node
        core = self.locals[locals_[h]].core
        number, effects, fresh, names = self.call(locals_[h], call)
        after = self.locals[number].core
        assert after is not None
        self.seen.calls += 1
        s, held_back = list(before), list(taken)
        dropped = core is not None and bool(core.offers) and after.phase.name != "SELECTING"
        for m, columns in enumerate(self.columns):
            if taken[m] and dropped and s[columns[1]] == h:
                self.clear(s, held_back, m)
            elif fresh and s[columns[1]] == h:
                s[columns[5]] = False
        if slot >= 0:
            kept = core is not None and len(after.offers) > len(core.offers)
            if kept and after.phase.name == "SELECTING":
                held_back[slot] = True
            else:
                self.clear(s, held_back, slot)
        lapsed = core is not None and _lapses(core, after)
        s[self.notice[h]] = DUE if lapsed else s[self.notice[h]]
        extra: tuple[str, ...] = ()
        packets = []
        for effect in effects:
            match effect:
                case Remove(address):
                    # The kernel may have been faster by a moment: removing twice does no harm.
                    if s[self.holds[h]] not in (NONE, NUMBER[address]):
                        raise Defect("belief", "another address is removed than is held")
                    s[self.holds[h]], s[self.kernel_end[h]] = NONE, None
                case Configure(lease, until):
                    if s[self.holds[h]] not in (NONE, NUMBER[lease.address]):
                        raise Defect("belief", "a second address is configured beside the first")
                    s[self.holds[h]], s[self.kernel_end[h]] = NUMBER[lease.address], until
                case Notify(Notice.LAPSED):
                    if s[self.holds[h]] != NONE:
                        raise Defect(
                            "released_first", "the notice goes up while the address is held"
                        )
                    s[self.notice[h]] = SILENT
                case Send():
                    if not self.put(s, h, effect, after, fresh=fresh):
                        extra = (*extra, "lose")
                case SendArp(packet):
                    packets.append(packet)
        locals_ = (*locals_[:h], number, *locals_[h + 1 :])
        self.write_own(s, h, number)
        after_state = tuple(s)
        self.justify(before, after_state, h, names + extra, core, call, after)
        node = after_state, locals_, tuple(held_back)
        for packet in packets:
            node = self.hear(node, h, NUMBER[packet.target], probing=packet.is_probe)
        return node

    def clear(self, s: list[Any], held_back: list[bool], m: int) -> None:
        """The datagram has left its slot."""
        for place, value in zip(self.columns[m], EMPTY, strict=True):
            s[place] = value
        held_back[m] = False

    def put(self, s: list[Any], h: int, send: Send, after: Client, *, fresh: bool) -> bool:
        """A datagram of the client takes a free slot; False if there is none: it is lost."""
        m = next((m for m in self.network if s[self.kind[m]] == 0), None)
        if m is None:
            return False
        request = send.request
        asked = request.requested or request.ciaddr
        current = after.exchange is None or request.xid == (FRESH if fresh else PRESENT)
        content = KIND.values.index(request.type.name), h, NUMBER.get(asked, NONE), 0, None, current
        for place, value in zip(self.columns[m], content, strict=True):
            s[place] = value
        return True

    def write_own(self, s: list[Any], h: int, number: int) -> None:
        """The client's variables as `abstract` has them; what it believes to hold, it must hold."""
        *seen, holds = self.view(number)
        lease_end, running = seen[5], self.locals[number].core is not None
        if running and holds != s[self.holds[h]]:
            raise Defect("belief", "the client is wrong about the address on its interface")
        kernel_end = s[self.kernel_end[h]]
        if seen[0] == PROBING:
            kernel_end = lease_end - self.config.margin
        elif s[self.holds[h]] == NONE:
            kernel_end = None
        for place, value in zip(self.own[h], (*seen, kernel_end), strict=True):
            s[place] = value

    def hear(self, node: Node, h: int, address: int, *, probing: bool) -> Node:
        """An ARP packet of this host: others that probe hear it; a holder answers a probe."""
        for g in self.hosts:
            if g != h and self.probes_for(node, g, address):
                node = self.perform(node, g, ("H", address, probing))
        if probing and self.probes_for(node, h, address) and self.answered(node, h, address):
            node = self.perform(node, h, ("H", address, False))
        return node

    def probes_for(self, node: Node, g: int, address: int) -> bool:
        """The client runs and probes for that address."""
        s = node[0]
        phase, wants = s[self.own[g][0]], s[self.own[g][1]]
        return phase == PROBING and wants == address and s[self.process[g]] == RUNS

    def answered(self, node: Node, h: int, address: int) -> bool:
        """Another host's kernel answers ARP for the address."""
        return any(g != h and node[0][self.holds[g]] == address for g in self.hosts)

    def justify(
        self,
        before: State,
        after: State,
        h: int,
        names: tuple[str, ...],
        core: Client | None,
        call: Call,
        end: Client,
    ) -> None:
        """Rows of the table that lead from before to after; Defect if there are none."""
        goal = self.canonical(after)
        path = self.follow(before, goal, h, names)
        if path is None:
            self.seen.searched += 1
            path = self.search(before, goal, h, lost=names.count("lose"))
        if path is None:
            phase = "no client" if core is None else core.phase.name
            event = KIND.values[call[1]] if call[0] == "R" else EVENTS[call[0]]
            raise Defect(
                "refinement",
                f"{phase}, {event}: to {end.phase.name}; no row of the table does this"
                + self.nearest(before, goal, h, names),
            )
        for state, name in path:
            self.seen.taken[*self.situation(state, h), name] += 1

    def follow(
        self, state: State, goal: State, h: int, names: Sequence[str]
    ) -> list[tuple[State, str]] | None:
        """The path to the goal by rows of these names in this order."""
        if not names:
            return [] if self.canonical(state) == goal else None
        for row in self.rows[names[0], h]:
            following = row(state)
            if following is not None:
                rest = self.follow(following, goal, h, names[1:])
                if rest is not None:
                    return [(state, names[0]), *rest]
        return None

    def search(
        self, before: State, goal: State, h: int, lost: int
    ) -> list[tuple[State, str]] | None:
        """The shortest path to the goal by any rows of this client, at most four."""
        layer: list[tuple[State, list[tuple[State, str]], int]] = [(before, [], lost)]
        seen = {before}
        for _ in range(5):
            following: list[tuple[State, list[tuple[State, str]], int]] = []
            for state, path, left in layer:
                if self.canonical(state) == goal:
                    return path
                for (name, host), rows in self.rows.items():
                    if host != h or (name == "lose" and not left):
                        continue
                    for row in rows:
                        then = row(state)
                        if then is not None and then not in seen:
                            seen.add(then)
                            step = [*path, (state, name)]
                            following.append((then, step, left - (name == "lose")))
            layer = following
        return None

    def nearest(self, before: State, goal: State, h: int, names: Sequence[str]) -> str:
        """In which variables the expected row ends elsewhere, for people."""
        for name in names[:1]:
            for row in self.rows[name, h]:
                following = row(before)
                if following is None:
                    continue
                got, there = (
                    self.table.describe(goal),
                    self.table.describe(self.canonical(following)),
                )
                different = [f"{k} is {got[k]}, not {there[k]}" for k in got if got[k] != there[k]]
                return f"; after `{name}`, " + ", ".join(different)
            return f"; `{name}` is not possible there"
        return ""

    # Nodes -----------------------------------------------------------------------------------

    def canonical(self, state: State) -> State:
        """The state with its datagrams in order: slots have no names.

        Two of one kind have the same fields set, so no field is compared with an absent one.
        """
        slots = [content(state) for content in self.content]
        ordered = sorted(slots)
        if ordered == slots:
            return state
        s = list(state)
        for columns, datagram in zip(self.columns, ordered, strict=True):
            for place, value in zip(columns, datagram, strict=True):
                s[place] = value
        return tuple(s)

    def settled(self, node: Node) -> tuple[Node, tuple[int, ...]]:
        """The same node with hosts and datagrams in order, and the order of the hosts.

        Neither a host nor a slot has a name that a row, a core or a property could ask for.
        """
        state, locals_, taken = node
        keys = [(locals_[h], self.rest[h](state)) for h in self.hosts]
        order = tuple(sorted(self.hosts, key=keys.__getitem__))
        if order != self.unmoved:
            s = list(state)
            for to, frm in enumerate(order):
                for place, source in zip(self.of_host[to], self.of_host[frm], strict=True):
                    s[place] = state[source]
            for place in self.names_host:
                if state[place] != NONE:
                    s[place] = order.index(state[place])  # type: ignore[arg-type]
            state = tuple(s)
            locals_ = tuple(locals_[h] for h in order)
        slots = [(content(state), t) for content, t in zip(self.content, taken, strict=True)]
        ordered = sorted(slots)
        if ordered != slots:
            s = list(state)
            for columns, (datagram, _) in zip(self.columns, ordered, strict=True):
                for place, value in zip(columns, datagram, strict=True):
                    s[place] = value
            state = tuple(s)
            taken = tuple(t for _, t in ordered)
        return (state, locals_, taken), order

    def situation(self, state: State, h: int) -> tuple[Any, ...]:
        """What one client sees of a state: its phase, how far its lease has run, what it holds."""
        place = self.table.place
        end = state[place["lease_end", h]]
        if end is None:
            stage = "no lease"
        elif end <= 0:  # type: ignore[operator]
            stage = "over"
        elif state[place["rebind_at", h]] <= 0:  # type: ignore[operator]
            stage = "past T2"
        elif state[place["renew_at", h]] <= 0:  # type: ignore[operator]
            stage = "past T1"
        else:
            stage = "before T1"
        phase = PHASE.values[state[place["phase", h]]]  # type: ignore[index]
        return phase, stage, "holds" if state[place["holds", h]] != NONE else "holds nothing"

    def successors(self, node: Node) -> Iterator[tuple[tuple[Any, ...], Node]]:
        """Everything that may happen next, with what it was."""
        state, locals_, taken = node
        for edge, following in self.world.successors(state):
            label, h, slots = self.world_labels[edge]
            if SPARE in slots or any(taken[m] for m in slots):
                continue
            yield (label, h), self.by_world((following, locals_, taken), label.action.name, h, node)
        for h in self.hosts:
            if state[self.process[h]] != RUNS:
                continue
            due = self.due(locals_[h])
            if due is not None and due <= 0:
                for jitter in self.setting.jitters:
                    yield ("T", h), self.perform(node, h, ("T", jitter))
            yield from self.deliveries(node, h)
            core = self.locals[locals_[h]].core
            if self.setting.user and core is not None:
                if core.lease is not None:
                    yield ("L", h), self.perform(node, h, ("L",))
                elif core.phase.name == "INIT" and core.due is None:
                    yield ("S", h), self.perform(node, h, ("S", None, None))
        if self.may_pass(node):
            following = self.tick(state)
            if following is None:
                late = [h + 1 for h in self.hosts if self.blocks(state, h)]
                raise Defect("late", f"the table lets no time pass before host {late} has acted")
            yield ("tick", -1), (following, tuple(self.older(n) for n in locals_), taken)

    def deliveries(self, node: Node, h: int) -> Iterator[tuple[tuple[Any, ...], Node]]:
        """Each datagram that is on its way to this host, once."""
        state, _, taken = node
        seen = set()
        for m, columns in enumerate(self.columns):
            kind, client, address, _, lease, current = (state[place] for place in columns)
            if kind in FOR_CLIENT and client == h and not taken[m]:
                content = kind, address, lease, current
                if content not in seen:
                    seen.add(content)
                    for jitter in self.setting.jitters:
                        yield ("R", h, *content), self.perform(node, h, ("R", *content, jitter), m)

    def by_world(self, node: Node, name: str, h: int, before: Node) -> Node:
        """A row of the world has fired: what the cores and lease files make of it."""
        state, locals_, taken = node
        local = self.locals[locals_[h]] if h >= 0 else None
        match name:
            case "crash":
                assert local is not None
                number = self.number(Local(None, local.stored))
                s, held_back = list(before[0]), list(taken)
                for m, columns in enumerate(self.columns):
                    if taken[m] and s[columns[1]] == h:
                        self.clear(s, held_back, m)
                cleared = list(state)
                for m in self.network:
                    if taken[m] and not held_back[m]:
                        self.clear(cleared, list(taken), m)
                s[self.process[h]] = DEAD
                self.write_own(s, h, number)
                return self.agree(tuple(cleared), tuple(s), "crash", h, number, locals_, held_back)
            case "restart":
                assert local is not None
                found = before[0][self.holds[h]]
                address = None if found == NONE else ADDRESSES[found]  # type: ignore[index]
                number, effects, _, _ = self.call(locals_[h], ("S", local.stored, address))
                s = list(before[0])
                for effect in effects:
                    if isinstance(effect, Remove):
                        s[self.holds[h]], s[self.kernel_end[h]] = NONE, None
                s[self.process[h]] = RUNS
                self.write_own(s, h, number)
                return self.agree(state, tuple(s), "restart", h, number, locals_, list(taken))
            case "kernel_removes" if state[self.process[h]] == RUNS:
                return self.perform(node, h, ("G", before[0][self.holds[h]]))
            case "thaw":
                return self.caught_up(node, h)
        return node

    def caught_up(self, node: Node, h: int) -> Node:
        """What a thawed process reads first: what happened to its address meanwhile."""
        core = self.locals[node[1][h]].core
        assert core is not None
        if core.holds is not None and node[0][self.holds[h]] == NONE:
            node = self.perform(node, h, ("G", NUMBER[core.holds]))
        elif core.phase.name == "PROBING" and core.lease is not None:
            address = NUMBER[core.lease.address]
            if self.answered(node, h, address):
                node = self.perform(node, h, ("H", address, False))
        return node

    def agree(
        self,
        table: State,
        implementation: State,
        name: str,
        h: int,
        number: int,
        locals_: tuple[int, ...],
        taken: list[bool],
    ) -> Node:
        """The table's state after a row of the world, where the implementation's is the same."""
        if table != implementation:
            got, there = self.table.describe(implementation), self.table.describe(table)
            different = [f"{k} is {got[k]}, not {there[k]}" for k in got if got[k] != there[k]]
            raise Defect("refinement", f"after `{name}`, " + ", ".join(different))
        return table, (*locals_[:h], number, *locals_[h + 1 :]), tuple(taken)

    def may_pass(self, node: Node) -> bool:
        """No core wants to be called, no datagram is overdue, no kernel has something to do."""
        state, locals_, taken = node
        for h in self.hosts:
            due = self.due(locals_[h]) if state[self.process[h]] == RUNS else None
            if due is not None and due <= 0:
                return False
        for m, columns in enumerate(self.columns):
            kind, client, _, sent, _, _ = (state[place] for place in columns)
            frozen = kind in FOR_CLIENT and state[self.process[client]] == FROZEN  # type: ignore[index]
            if kind and not taken[m] and not frozen and sent + self.setting.delay < 1:  # type: ignore[operator]
                return False
        return self.world_tick(state) is not None

    def blocks(self, state: State, h: int) -> bool:
        """Time stands still for this host: some prompt row of its own is due."""
        return any(
            row(state) is not None
            for name in ("lapse", "renew", "rebind", "give_up", "notify")
            for row in self.rows[name, h]
        )

    # The search --------------------------------------------------------------------------------

    def explore(
        self, *, limit: int = 1 << 62, progress: Callable[[int, int, int], None] | None = None
    ) -> Refined:
        """Breadth first, to closure, to the first defect, or to so many states."""
        seen = self.seen
        index: dict[Node, int] = {}
        nodes: list[Node] = []
        parents: list[int] = []
        labels: list[tuple[Any, ...]] = []
        orders: list[tuple[int, ...]] = []

        def found(node: Node, parent: int, label: tuple[Any, ...]) -> None:
            node, order = self.settled(node)
            if node in index:
                return
            index[node] = len(nodes)
            nodes.append(node)
            parents.append(parent)
            labels.append(label)
            orders.append(order)
            for wanted, check in self.checks:
                if not check(node[0]):
                    raise Defect(wanted.name, f"not so: {wanted.says}")

        def run_to(number: int) -> tuple[str, ...]:
            path = []
            while number >= 0:
                path.append(number)
                number = parents[number]
            names, told = self.unmoved, []  # which host it is that stands at each place
            for number in reversed(path):
                told.append(self.say(labels[number], names))
                names = tuple(names[h] for h in orders[number])
            return tuple(told)

        number = -1
        try:
            state = self.table.initial
            local = self.call(self.number(Local(None, None)), ("S", None, None))[0]
            found(
                (state, (local,) * self.setting.hosts, (False,) * len(self.columns)),
                -1,
                ("begin", -1),
            )
            layer = 0
            while layer < len(nodes):
                end = len(nodes)
                for number in range(layer, end):
                    ways = 0
                    for label, node in self.successors(nodes[number]):
                        ways += 1
                        last = label
                        found(node, number, label)
                    seen.steps += ways
                    if not ways:
                        raise Defect("stuck", "nothing can happen any more, not even time")
                    if len(nodes) > limit:
                        seen.states = len(nodes)
                        return seen
                layer = end
                seen.depth += len(nodes) > end
                if progress is not None:
                    progress(seen.depth, len(nodes), len(nodes) - end)
            seen.complete = True
        except Defect as defect:
            seen.defect = defect
            seen.run = run_to(number)
        seen.states, seen.locals = len(nodes), len(self.locals)
        return seen

    def say(self, label: tuple[Any, ...], names: tuple[int, ...]) -> str:
        """A step in words."""
        what, h, *more = label
        host = "" if h < 0 else f" h{names[h] + 1}"
        if isinstance(what, Label):
            return f"{what.action.name}{host}"
        if what == "R":
            return f"{KIND.values[more[0]]} to{host}"
        return f"{EVENTS.get(what, what)}{host}"


EVENTS = {"T": "Timer", "H": "Heard", "G": "Gone", "L": "Release", "S": "Start"}
PROBING = PHASE.values.index("PROBING")
RUNS, FROZEN, DEAD = (PROCESS.values.index(name) for name in ("RUNS", "FROZEN", "DEAD"))
SILENT, DUE = 0, 1
SPARE = 0  # free datagrams come first in order
FOR_CLIENT = tuple(KIND.values.index(name) for name in ("OFFER", "ACK", "NAK"))
EMPTY = (0, NONE, NONE, None, None, False)


def _binding(label: Label, name: str) -> int:
    names = [str(p.args[0]) for p in label.action.given]
    return label.binding[names.index(name)] if name in names else -1


def _slots(label: Label) -> tuple[int, ...]:
    return tuple(
        v for p, v in zip(label.action.given, label.binding, strict=True) if p.sort is MESSAGE
    )


def _number(address: IPv4Address | None) -> int:
    return NONE if address is None else NUMBER[address]


def _named(effect: Effect) -> str:
    match effect:
        case Send(request):
            return f"Send {request.type.name}"
        case SendArp(arp):
            return "probe" if arp.is_probe else "announce"
        case Store(lease):
            return "Forget" if lease is None else "Store"
        case Notify(notice):
            return f"Notify {notice.name}"
    return type(effect).__name__


def _lapses(core: Client, after: Client) -> bool:
    """The lease that the client had is over, and it has it no more."""
    lease = core.lease
    return lease is not None and lease.end is not None and lease.end <= 0 and after.lease != lease


def hints(core: Client, call: Call, after: Client, effects: Sequence[Effect]) -> tuple[str, ...]:
    """Rows that are likely to say what a call did; a wrong guess is found out by `follow`."""
    phase, names = core.phase.name, []
    if _lapses(core, after):
        names, phase = ["lapse", "notify"], "INIT"
    sent = [effect.request.type for effect in effects if isinstance(effect, Send)]
    used = any(isinstance(effect, Configure) for effect in effects)
    asks = phase in ("REQUESTING", "REBOOTING")
    kind = KIND.values[call[1]] if call[0] == "R" else ""
    match sent[-1].name if sent else "":
        case "DISCOVER":
            names.append("discover")
        case "REQUEST":
            rows = {
                ("SELECTING", "REQUESTING"): "select", ("INIT_REBOOT", "REBOOTING"): "reboot",
                ("REQUESTING", "REQUESTING"): "ask_again", ("REBOOTING", "REBOOTING"): "ask_again",
            }  # fmt: skip
            names.append(
                rows.get(
                    (phase, after.phase.name),
                    "renew" if after.phase.name == "RENEWING" else "rebind",
                )
            )
            others = len(core.offers) + (kind == "OFFER") - 1
            names += ["ignore"] * (others if names[-1] == "select" else 0)
        case "DECLINE" | "RELEASE" as name:
            names.append(name.lower())
        case _ if kind == "OFFER":
            names += [] if after.phase.name == "SELECTING" and after != core else ["ignore"]
        case _ if kind == "ACK":
            moved = after != core and phase == core.phase.name
            names.append(("bind" if asks else "extend") if moved else "ignore")
        case _ if kind == "NAK":
            names.append("obey_nak" if after != core and phase == core.phase.name else "ignore")
        case _ if phase == "PROBING" and used:
            names.append("use")
        case _ if phase == "REBOOTING" and after.phase.name in ("PROBING", "BOUND"):
            names.append("keep_remainder")
        case _ if phase == "REQUESTING" and after.phase.name == "INIT":
            names.append("give_up")
    return tuple(names)


def shifted(value: Any, by: int, past: int) -> Any:
    """A value whose instants lie `by` earlier, none more than `past` ago."""
    if not is_dataclass(value):
        return tuple(shifted(v, by, past) for v in value) if isinstance(value, tuple) else value
    changes: dict[str, Any] = {}
    for f in fields(value):
        inner = getattr(value, f.name)
        if inner is None:
            continue
        if f.type in ("Instant", "Instant | None"):
            changes[f.name] = max(inner - by, -past)
        elif f.name in ("exchange", "lease"):
            changes[f.name] = shifted(inner, by, past)
    return replace(value, **changes)  # type: ignore[type-var]
