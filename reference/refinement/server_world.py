"""A real server in the table's world: what may happen to it, and what its effects do.

Theory of operation.  What clients, kernels,
network and fate do is a row of the table; what the server does is a call of `server.py`, and rows
of the table's server must lead from the state before to the one after, in which `owner`,
`server_end` and `withheld` are what `abstract` says.  A reply takes the slot of the request it
answers.  A server whose disk is full is mute to whom it cannot serve (`mute`, `miss`, `unmute`).

The table's DHCPREQUEST does not say which of its four flavours it is; the row that sent it does,
and a node keeps it beside the slot.  A DHCPDISCOVER that waits for a probe is taken, and to the
table still on its way.  ARP is answered at once.  What is stored must be what is bound, at all
times: a restart from it is then no step of the table, but for quarantines that end.  Only what is
given up while the disk is full may be stored still, until the disk is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from holdover.model.readings.finite import NONE, Label, State
from holdover.model.table.client import CLIENT_ACTIONS
from holdover.model.table.environment import WORLD_ACTIONS, for_server
from holdover.model.table.properties import STEPS
from holdover.model.table.server import SERVER_ACTIONS
from holdover.model.table.vocabulary import KIND, PHASE
from holdover.reference.core.events import Heard, SendArp, Timer
from holdover.reference.core.server_state import (
    ReceivedRequest,
    Recording,
    SendReply,
    Server,
    ServerEvent,
    StartServer,
)
from holdover.reference.refinement.cores import NUMBER, DefectError
from holdover.reference.refinement.justify import ANYBODY, Rows, kinds
from holdover.reference.refinement.server_cores import ServerCore, ServerCores, ServerLocal
from holdover.reference.refinement.setting import ADDRESSES, SERVER, ServerSetting
from holdover.reference.refinement.world import SPARE, About, Condition, CoreWorld, Node, Rule, Step
from holdover.reference.wire.arp import announcement
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.option_values import MessageType

NO_FLAVOUR, SELECTING, REBOOTING, EXTENDING = range(4)
"""Which DHCPREQUEST it is (RFC 2131 Table 4)."""

FLAVOUR = {"select": SELECTING, "reboot": REBOOTING, "renew": EXTENDING, "rebind": EXTENDING}
REQUEST, DISCOVER = KIND.values.index("REQUEST"), KIND.values.index("DISCOVER")
FOR_SERVER = kinds(for_server)
REBOOTING_PHASE = PHASE.values.index("REBOOTING")
NOT_TAKEN = ("forge", "jump", "rival_offer", "rival_ack", "rival_nak")
"""Rows of the server's part of the table that are not what this server does."""

BREAK_COMMITMENTS = {"forgets", "reuses_early"}
"""Faults with which a running lease may end before its time (`one_commitment`)."""


class ServerWorld(CoreWorld[ServerSetting, ServerCores]):
    """A real server core around which the table's clients stand.

    A node's local states are the server's and, for each slot, which DHCPREQUEST is in it.
    """

    def __init__(self, setting: ServerSetting, core: ServerCore):
        served = tuple(a for a in SERVER_ACTIONS if a.name not in NOT_TAKEN)
        missed = tuple(a for a in WORLD_ACTIONS if a.name == "miss" and "mutes" in setting.faults)
        lengths = tuple(range(1, setting.lease + 1)) if setting.fills else ()
        rows = Rows(setting, served + missed, each=False, lengths=lengths)
        cores = ServerCores(core, rows.table.bounds.past)
        outside = (a for a in WORLD_ACTIONS if a.name != "wake_expired")
        super().__init__(setting, cores, rows, (*CLIENT_ACTIONS, *outside), named=True)
        self.steps = () if set(setting.faults) & BREAK_COMMITMENTS else STEPS
        place = rows.table.place
        self.addresses = range(setting.addresses)
        self.phase = [place["phase", h] for h in self.hosts]
        self.own = [
            [place[name, a] for name in ("owner", "server_end", "withheld")] for a in self.addresses
        ]

    def first(self) -> Node:
        """Nobody has a lease."""
        number = self.cores.number(ServerLocal(Server(self.setting.config()), ()))
        slots = len(self.columns)
        return self.rows.table.initial, (number, *(NO_FLAVOUR,) * slots), (False,) * slots

    def locals_of(self, kind: str, number: int) -> tuple[int, ...]:
        """The first is the server's, the others are the slots'."""
        return {"server": (0,), "slot": (1 + number,)}.get(kind, ())

    def take_row(self, node: Node, following: State, label: Label, host: int) -> Node:
        """What the server hears of a row; what was sent into a full network is lost."""
        _, locals_, taken = node
        if SPARE in label.slots:
            following = self._without_spare(following)
        flavours = self._flavours(node, following, label.action.name, label.given)
        then = following, (locals_[0], *flavours), taken
        if label.action.name == "use":  # the server hears the announcement
            held = following[self.holds[host]]
            assert isinstance(held, int)
            then = self.perform(then, Heard(announcement(hardware(host), ADDRESSES[held])))
        return then

    def core_calls(self) -> list[Rule]:
        """Those of the server."""
        return [self.calls_of(0, frozenset({self.server}), self._calls)]

    def _calls(self, node: Node) -> Iterator[tuple[Step, Node]]:
        """A message, the deadline, a disk that is full or free again, a new beginning."""
        state, locals_, taken = node
        events: list[tuple[int, ServerEvent, int]] = []
        for m in self.network:
            kind, client, address, *_ = self.rows.content[m](state)
            if kind in FOR_SERVER and not taken[m]:
                request = self._request(kind, client, address, locals_[1 + m])
                events.append((client, ReceivedRequest(request), m))
        if self._is_due(node):
            events.append((ANYBODY, Timer(), SPARE))
        local = self.cores[locals_[0]]
        if self.setting.fills:
            events.append((ANYBODY, Recording(not local.server.recording), SPARE))
        if self.setting.restarts:
            events.append((ANYBODY, StartServer(local.stored), SPARE))
        for client, event, m in events:
            yield (type(event).__name__, client), self.perform(node, event, m)

    def _is_due(self, node: Node) -> bool:
        """The core wants to be called."""
        due = self.cores.due(node[1][0])
        return due is not None and due <= 0

    def quiet(self) -> list[tuple[About, Condition]]:
        """The core does not want to be called, and no datagram is overdue that it does not keep."""
        return [
            (frozenset({self.server}), lambda node: not self._is_due(node)),
            *((frozenset({self.slot[m]}), partial(self.on_time, m=m)) for m in self.network),
        ]

    def not_allowed(self) -> None:
        """A client of the table has something to do first."""

    def _flavours(
        self, node: Node, following: State, name: str, values: dict[str, int]
    ) -> list[int]:
        """Which DHCPREQUESTs are in flight after a row."""
        state, (_, *flavours), _ = node
        if "m" in values:
            m = values["m"]
            flavours[m] = FLAVOUR.get(name, flavours[m])
            if name == "ask_again":
                rebooting = state[self.phase[values["h"]]] == REBOOTING_PHASE
                flavours[m] = REBOOTING if rebooting else SELECTING
            if name == "duplicate":
                flavours[values["n"]] = flavours[m]
        return [
            flavour if following[columns[0]] == REQUEST else NO_FLAVOUR
            for flavour, columns in zip(flavours, self.columns, strict=True)
        ]

    def _without_spare(self, state: State) -> State:
        s = list(state)
        self.clear(s, [False], SPARE)
        return tuple(s)

    def _request(self, kind: int, client: int, address: int, flavour: int) -> BootRequest:
        """The message in a slot, as Table 5 has it."""
        named = None if address == NONE else ADDRESSES[address]
        said = BootRequest(MessageType[KIND.values[kind]], client + 1, hardware(client))
        if flavour == EXTENDING:
            assert named is not None
            requested = named if self.setting.both else None
            return replace(said, ciaddr=named, requested=requested)
        if said.type is MessageType.RELEASE:
            assert named is not None
            return replace(said, ciaddr=named, server=SERVER)
        server = None if kind == DISCOVER or flavour == REBOOTING else SERVER
        return replace(said, requested=named, server=server)

    # One call ------------------------------------------------------------------------------------

    def perform(self, node: Node, event: ServerEvent, slot: int = SPARE) -> Node:
        """The node after a call of the core, and of its calls about ARP replies to its probes."""
        before, (number, *flavours), taken = node
        after, effects = self.cores.call(number, event)
        server = self.cores[after].server
        s, kept = list(before), [*taken]
        kept[slot] = slot != SPARE
        replies = [effect.reply for effect in effects if isinstance(effect, SendReply)]
        for reply in replies:
            self._reply(s, kept, slot, reply)
        dropped = self._drop(s, kept, slot, server)
        for a, record in enumerate(self.cores.core.abstract(server).values()):
            owner = NONE if record.owner is None else host_of(record.owner.identifier)
            content = owner, record.server_end, record.withheld
            for place, value in zip(self.own[a], content, strict=True):
                s[place] = value
        state = tuple(s)
        said = [reply.type.name for reply in replies]
        self._justify(before, state, event, said, dropped, server)
        flavours = [
            flavour if state[columns[0]] == REQUEST else NO_FLAVOUR
            for flavour, columns in zip(flavours, self.columns, strict=True)
        ]
        node = state, (after, *flavours), tuple(kept)
        for effect in effects:
            if isinstance(effect, SendArp):
                node = self._answer_probe(node, effect.arp.target)
        return node

    def _reply(self, s: list[Any], kept: list[bool], slot: int, reply: BootReply) -> None:
        """A reply takes the slot of the request that it answers: one that waits, or the new one."""
        asks = DISCOVER if reply.type is MessageType.OFFER else REQUEST
        client = host_of(reply.chaddr)
        asked = [m for m in self.network if kept[m] and self._is(s, m, asks, client)]
        if not asked:
            raise DefectError("reply", "a reply to nothing that was asked")
        if (reply.xid, reply.server, reply.client_id) != (client + 1, SERVER, None):
            raise DefectError(
                "reply", "under another xid, server or client identifier than was asked"
            )
        m = min(asked, key=lambda m: m == slot)  # the earliest is answered first
        _, _, address, _, _, current = (s[place] for place in self.columns[m])
        kind = KIND.values.index(reply.type.name)
        if reply.type is not MessageType.NAK:
            address = NUMBER[reply.address]
        lease = reply.lease if reply.type is MessageType.ACK else None
        content = kind, client, address, 0, lease, current
        for place, value in zip(self.columns[m], content, strict=True):
            s[place] = value
        kept[m] = False

    def _drop(self, s: list[Any], kept: list[bool], slot: int, server: Server) -> list[str]:
        """What is neither answered nor waits for a probe is gone; what each of these was."""
        waiting = {
            host_of(entry.offer.discover.chaddr)
            for _, entry in server.entries
            if entry.offer is not None and entry.offer.discover is not None
        }
        dropped = []
        for m in sorted(self.network, key=lambda m: m != slot):
            kind, client, *_ = (s[place] for place in self.columns[m])
            if kept[m] and kind == DISCOVER and client in waiting:
                waiting.remove(client)  # one only: the new one waits in the place of another
            elif kept[m]:
                dropped.append(KIND.values[kind])
                self.clear(s, kept, m)
        return dropped

    def _is(self, s: list[Any], m: int, kind: int, client: int) -> bool:
        return bool(s[self.columns[m][0]] == kind and s[self.columns[m][1]] == client)

    def _answer_probe(self, node: Node, address: IPv4Address) -> Node:
        """Whoever holds the address answers the server's probe."""
        for g in self.hosts:
            if node[0][self.holds[g]] == NUMBER[address]:
                node = self.perform(node, Heard(announcement(hardware(g), address)))
        return node

    def _justify(
        self,
        before: State,
        after: State,
        event: ServerEvent,
        replies: Sequence[str],
        dropped: Sequence[str],
        server: Server,
    ) -> None:
        """Rows of the table's server that lead from before to after."""
        names = []
        for _, _, withheld in self.own:
            if before[withheld] and not after[withheld]:
                names.append("reinstate")
            if isinstance(event, Heard) and after[withheld] and not before[withheld]:
                names.append("set_aside")
        for reply in replies:
            names.append({"OFFER": "offer", "NAK": "refuse"}.get(reply, ""))
            if reply == "ACK":
                assert isinstance(event, ReceivedRequest)
                asked = event.request.requested or event.request.ciaddr
                recorded = before[self.own[NUMBER[asked]][0]]
                mine = recorded == host_of(event.request.chaddr)
                names[-1] = "prolong" if mine else ("commit" if recorded == NONE else "reuse")
        for kind in dropped:
            names += [DROPPED[kind]]
            if kind == "DECLINE" and not any(after[w] and not before[w] for _, _, w in self.own):
                names[-1] = "disregard"
            elif kind == "REQUEST" and not server.recording:
                assert isinstance(event, ReceivedRequest)
                asked = event.request.requested or event.request.ciaddr
                if before[self.own[NUMBER[asked]][0]] == host_of(event.request.chaddr):
                    names[-1:] = ["mute", "miss", "unmute"]
        path = self.rows.path(before, after, ANYBODY, names)
        if path is None:
            said = type(event).__name__
            if isinstance(event, ReceivedRequest):
                said = f"{event.request.type.name} of h{host_of(event.request.chaddr) + 1}"
            there = self.rows.difference(self.rows.canonical(after), self.rows.canonical(before))
            raise DefectError("refinement", f"{said}, replies {replies}: no rows do this: {there}")
        for _, name in path:
            self.rows.taken[("server", "", ""), name] += 1


DROPPED = {
    "DISCOVER": "find_none",
    "REQUEST": "stay_silent",
    "RELEASE": "free",
    "DECLINE": "withhold",
}


def hardware(h: int) -> bytes:
    """A host's hardware address."""
    return bytes((2, 0, 0, 0, 0, h + 1))


def host_of(address: bytes) -> int:
    """The host with that hardware address."""
    return address[-1] - 1
