"""Real clients in the table's world: what may happen to them, and what their effects do.

Theory of operation.  A node has a local state for each host (`world.py`).  What the server, the
network, the kernels and fate do is a row of the table.  What a client does is a call of its core;
the effects are carried out here as a shell would, and the rows of the table are asked about the
result (`justify.py`).  The order of the effects is no matter of the table, and is checked on the
way (`discipline.py`).  Time passes when no core wants to be called; if the table does not let it
pass then, a client is late.  Offers that a client collects are taken and not acted on.

ARP is heard at once and is not lost.  Whoever is frozen hears of a conflict when it thaws, if there
still is one; its kernel answers meanwhile.  A datagram that finds the network full is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from holdover.model.readings.finite import NONE, Label, State
from holdover.model.table.client import for_client
from holdover.model.table.environment import WORLD_ACTIONS
from holdover.model.table.server import SERVER_ACTIONS
from holdover.model.table.table import tick
from holdover.model.table.vocabulary import KIND, PHASE, PROCESS
from holdover.reference.core.client_state import Client
from holdover.reference.core.discipline import Discipline, OrderError
from holdover.reference.core.events import Configure, Notice, Notify, Remove, Send, SendArp
from holdover.reference.refinement.client_cores import (
    FRESH,
    MIDDLE,
    PRESENT,
    STOP,
    Call,
    ClientCore,
    ClientCores,
    ClientLocal,
    lapses,
    name_of,
)
from holdover.reference.refinement.cores import NUMBER, DefectError
from holdover.reference.refinement.justify import Rows, kinds
from holdover.reference.refinement.setting import ADDRESSES, ClientSetting
from holdover.reference.refinement.world import SPARE, About, Condition, CoreWorld, Node, Rule, Step

WITH_A_CORE = ("tick", "ignore", "stop", "wake_expired")
"""Rows of the world that are not taken by themselves: a core has its part in them."""

PROBING = PHASE.values.index("PROBING")
RUNS, FROZEN, DEAD = (PROCESS.values.index(name) for name in ("RUNS", "FROZEN", "DEAD"))
SILENT, DUE = 0, 1
FOR_CLIENT = kinds(for_client)
HostCalls = Callable[[Node, int], Iterator[tuple[Step, Node]]]
"""Some calls of a host's core that may come in a node."""


class ClientWorld(CoreWorld[ClientSetting, ClientCores]):
    """Real client cores around the table's server."""

    def __init__(self, setting: ClientSetting, core: ClientCore):
        self.config = setting.config()
        rows = Rows(setting)
        table, constants = rows.table, setting.constants()
        before_end = int(str(constants["after_t1"])), int(str(constants["after_t2"]))
        cores = ClientCores(core, self.config, table.bounds.past, before_end)
        outside = (a for a in WORLD_ACTIONS if a.name not in WITH_A_CORE)
        super().__init__(setting, cores, rows, (*SERVER_ACTIONS, *outside))
        place = table.place
        self.own = [
            [
                place[name, h]
                for name in (
                    "phase",
                    "wants",
                    "asked",
                    "renew_at",
                    "rebind_at",
                    "lease_end",
                    "kernel_end",
                    "probing_since",
                )
            ]
            for h in self.hosts
        ]
        self.jitters = setting.jitters or (MIDDLE,)
        self.kernel_end = [place["kernel_end", h] for h in self.hosts]
        self.notice = [place["notice", h] for h in self.hosts]
        self.process = [place["process", h] for h in self.hosts]

    def first(self) -> Node:
        """All hosts have started; nothing else has happened."""
        begun = self.cores.call(self.cores.number(ClientLocal(None, None)), ("S", None, None))[0]
        started = (begun,) * self.setting.hosts
        return self.rows.table.initial, started, (False,) * len(self.columns)

    def locals_of(self, kind: str, number: int) -> tuple[int, ...]:
        """Each client has its own."""
        return (number,) if kind == "client" else ()

    # What may happen next ----------------------------------------------------------------------

    def is_step(self, slots: Sequence[int]) -> bool:
        """No row is about the spare slot."""
        return SPARE not in slots

    def core_calls(self) -> list[Rule]:
        """The calls of each process: those that tell it nothing, what it receives, how it ends."""
        kinds: list[HostCalls] = [self._sends, self._arrivals]
        if self.setting.user or "stops" in self.setting.faults:
            kinds.append(self._ends)
        return [
            self.calls_of(
                h, frozenset({h, self.process_of[h]}), partial(self._running, h=h, calls=calls), n
            )
            for h in self.hosts
            for n, calls in enumerate(kinds)
        ]

    def _running(self, node: Node, h: int, calls: HostCalls) -> Iterator[tuple[Step, Node]]:
        """Calls of a process that runs; the others are not called."""
        return calls(node, h) if node[0][self.process[h]] == RUNS else iter(())

    def _sends(self, node: Node, h: int) -> Iterator[tuple[Step, Node]]:
        """A deadline, and an order of the user to let go."""
        due = self.cores.due(node[1][h])
        if due is not None and due <= 0:
            for jitter in self.jitters:
                then = self.perform(node, h, ("T", jitter))
                if then == node:
                    raise DefectError("stuck", "the core wants to be called now, and does nothing")
                yield ("Timer", h), then
        if self.setting.user and self._core(node, h).lease is not None:
            yield ("Release", h), self.perform(node, h, ("L",))

    def _arrivals(self, node: Node, h: int) -> Iterator[tuple[Step, Node]]:
        """A datagram."""
        state, _, taken = node
        seen = set()
        for m in self.network:
            kind, client, address, _, lease, current = self.rows.content[m](state)
            content = kind, address, lease, current
            if kind in FOR_CLIENT and client == h and not taken[m] and content not in seen:
                seen.add(content)
                arrival = f"{KIND.values[kind]} to", h
                for jitter in self.jitters:
                    yield arrival, self.perform(node, h, ("R", *content, jitter), m)
                if self.setting.broken and KIND.values[kind] != "NAK":
                    wrong = kind, NONE, lease, current
                    yield arrival, self.perform(node, h, ("R", *wrong, MIDDLE))

    def _ends(self, node: Node, h: int) -> Iterator[tuple[Step, Node]]:
        """The end of the process, and an order of the user to begin again."""
        if "stops" in self.setting.faults:
            yield ("Stop", h), self.perform(self._unheard(node, h), h, STOP)
        core = self._core(node, h)
        if self.setting.user and core.phase.name == "INIT" and core.due is None:
            yield ("Start", h), self.perform(node, h, ("S", None, None))

    def _core(self, node: Node, h: int) -> Client:
        """The core of a process that runs."""
        core = self.cores[node[1][h]].core
        assert core is not None
        return core

    def quiet(self) -> list[tuple[About, Condition]]:
        """No core wants to be called, no datagram is overdue, no kernel has something to do."""
        return [
            *((frozenset({self.process_of[h]}), partial(self._rests, h=h)) for h in self.hosts),
            *((frozenset({self.slot[m]}), partial(self.on_time, m=m)) for m in self.network),
            *self.conditions(tick(WORLD_ACTIONS)),
        ]

    def _rests(self, node: Node, h: int) -> bool:
        """The host's core does not want to be called now."""
        if node[0][self.process[h]] != RUNS:
            return True
        due = self.cores.due(node[1][h])
        return due is None or due > 0

    def waits(self, state: State, kind: int, client: int) -> bool:
        """A frozen process reads nothing."""
        return kind in FOR_CLIENT and state[self.process[client]] == FROZEN

    def not_allowed(self) -> None:
        """The table waits for a client that waits."""
        raise DefectError("late", "the table lets no time pass before a client has acted")

    def take_row(self, node: Node, following: State, label: Label, host: int) -> Node:
        """What the cores and lease files make of a row."""
        then = following, *node[1:]
        match label.action.name:
            case "crash":
                return self._crash(node, following, host)
            case "restart":
                return self._restart(node, following, host)
            case "kernel_removes" if following[self.process[host]] == RUNS:
                return self.perform(then, host, ("G", node[0][self.holds[host]]))
            case "thaw":
                return self._catch_up(then, host)
        return then

    def _crash(self, before: Node, table: State, h: int) -> Node:
        """Nothing is left of the process but its lease file and the address on the interface."""
        state, locals_, taken = self._unheard(before, h)
        number = self.cores.number(ClientLocal(None, self.cores[locals_[h]].stored))
        s, t = list(state), self._unheard((table, locals_, before[2]), h)[0]
        s[self.process[h]] = DEAD
        return self._agree(tuple(s), t, "crash", h, number, locals_, taken)

    def _unheard(self, node: Node, h: int) -> Node:
        """What a process has taken and not acted on is gone with it (`miss`)."""
        state, locals_, taken = node
        core = self.cores[locals_[h]].core
        if core is None or not core.offers:  # of what a core takes only offers wait for anything
            return node
        s, kept = list(state), list(taken)
        for m in self.network:
            if taken[m] and s[self.columns[m][1]] == h:
                self.clear(s, kept, m)
        return tuple(s), locals_, tuple(kept)

    def _restart(self, before: Node, table: State, h: int) -> Node:
        """A new process is given the lease file and the address that it finds."""
        state, locals_, taken = before
        held, stored = state[self.holds[h]], self.cores[locals_[h]].stored
        assert isinstance(held, int)
        found = None if held == NONE else ADDRESSES[held]
        number, effects, _, _ = self.cores.call(locals_[h], ("S", stored, found))
        s = list(state)
        if found is not None and Remove(found) in effects:
            s[self.holds[h]], s[self.kernel_end[h]] = NONE, None
        s[self.process[h]] = RUNS
        return self._agree(tuple(s), table, "restart", h, number, locals_, taken)

    def _agree(
        self,
        state: State,
        table: State,
        name: str,
        h: int,
        number: int,
        locals_: tuple[int, ...],
        taken: tuple[bool, ...],
    ) -> Node:
        """The node after a row of the world, where table and implementation are the same."""
        s = list(state)
        self._write_own(s, h, number)
        if tuple(s) != table:
            different = self.rows.difference(tuple(s), table)
            raise DefectError("refinement", f"after `{name}`, {different}")
        return table, (*locals_[:h], number, *locals_[h + 1 :]), taken

    def _catch_up(self, node: Node, h: int) -> Node:
        """What a thawed process reads first: what became of its address meanwhile."""
        core = self.cores[node[1][h]].core
        assert core is not None
        if core.holds is not None and node[0][self.holds[h]] == NONE:
            return self.perform(node, h, ("G", NUMBER[core.holds]))
        if core.phase.name == "PROBING" and core.lease is not None:
            address = NUMBER[core.lease.address]
            if self._is_answered(node[0], h, address):
                return self.perform(node, h, ("H", address, False))
        return node

    # One call ------------------------------------------------------------------------------------

    def perform(self, node: Node, h: int, call: Call, slot: int = SPARE) -> Node:
        """The node after a call of this host's core, and of those who hear its ARP packets."""
        before, locals_, taken = node
        core = self.cores[locals_[h]].core
        number, effects, fresh, names = self.cores.call(locals_[h], call)
        after = self.cores[number].core or Client(self.config)
        assert core is not None
        s, kept = list(before), list(taken)
        self._datagrams(s, kept, h, core, after, slot, fresh=fresh)
        if lapses(core, after):
            s[self.notice[h]] = DUE
        packets = []
        there = s[self.holds[h]]
        assert isinstance(there, int)
        discipline = Discipline(
            None if there == NONE else ADDRESSES[there],
            self.cores[locals_[h]].stored,
            probed=core.phase.name == "PROBING" and core.sent == self.config.probes,
        )
        for effect in effects:
            try:
                discipline.follow(effect)
            except OrderError as early:
                raise DefectError(early.kind, early.says) from early
            match effect:
                case Remove():
                    s[self.holds[h]], s[self.kernel_end[h]] = NONE, None
                case Configure(lease, until):
                    s[self.holds[h]], s[self.kernel_end[h]] = NUMBER[lease.address], until
                case Notify(Notice.LAPSED):
                    s[self.notice[h]] = SILENT
                case Send():
                    if not self._send(s, h, effect, after, fresh=fresh):
                        names = (*names, "lose")
                case SendArp(packet):
                    packets.append(packet)
        if call == STOP:
            s[self.process[h]] = DEAD
            if core.lease is not None and not any(isinstance(e, Notify) for e in effects):
                raise DefectError("told", "the client ends and nobody is told")
        self._write_own(s, h, number)
        state = tuple(s)
        said = f"{core.phase.name}, {name_of(call)}: to {after.phase.name}"
        self.rows.justify(before, state, h, names, said)
        node = state, (*locals_[:h], number, *locals_[h + 1 :]), tuple(kept)
        for packet in packets:
            node = self._hear(node, h, NUMBER[packet.target], probing=packet.is_probe)
        return node

    def _datagrams(
        self,
        s: list[Any],
        kept: list[bool],
        h: int,
        core: Client,
        after: Client,
        slot: int,
        *,
        fresh: bool,
    ) -> None:
        """What was received leaves its slot or is taken; a new xid makes all others stale."""
        chosen = bool(core.offers) and after.phase.name != "SELECTING"
        for m in self.network if chosen or fresh else ():  # else no datagram need be looked at
            columns = self.columns[m]
            if s[columns[1]] == h:
                if kept[m] and chosen:
                    self.clear(s, kept, m)
                elif fresh:
                    s[columns[5]] = False
        if slot == SPARE:
            return
        if after.phase.name == "SELECTING" and len(after.offers) > len(core.offers):
            kept[slot] = True
        else:
            self.clear(s, kept, slot)

    def _send(self, s: list[Any], h: int, send: Send, after: Client, *, fresh: bool) -> bool:
        """A datagram of the client takes a free slot; False: there is none, and it is lost."""
        request = send.request
        asked = NUMBER.get(request.requested or request.ciaddr, NONE)
        current = after.exchange is None or request.xid == (FRESH if fresh else PRESENT)
        content = KIND.values.index(request.type.name), h, asked, 0, None, current
        free = next((m for m in self.network if s[self.columns[m][0]] == 0), SPARE)
        for place, value in zip(self.columns[free], content, strict=True):
            s[place] = value if free != SPARE else s[place]
        return free != SPARE

    def _write_own(self, s: list[Any], h: int, number: int) -> None:
        """The client's variables as `abstract` has them; what it believes to hold, it must hold."""
        *seen, holds = self.cores.view(number)
        if self.cores[number].core is not None and holds != s[self.holds[h]]:
            raise DefectError("belief", "the client is wrong about the address on its interface")
        kernel_end = s[self.kernel_end[h]] if s[self.holds[h]] != NONE else None
        since = None
        if seen[0] == PROBING:
            kernel_end = seen[5] - self.config.margin  # to be configured with this lifetime
            probed = s[self.own[h][0]] == PROBING
            since = s[self.own[h][-1]] if probed else 0  # the core keeps no record of it
        for place, value in zip(self.own[h], (*seen, kernel_end, since), strict=True):
            s[place] = value

    def _hear(self, node: Node, h: int, address: int, *, probing: bool) -> Node:
        """An ARP packet of this host: others that probe hear it; a holder answers a probe."""
        for g in self.hosts:
            if g != h and self._probes(node[0], g, address):
                node = self.perform(node, g, ("H", address, probing))
        if probing and self._probes(node[0], h, address) and self._is_answered(node[0], h, address):
            node = self.perform(node, h, ("H", address, False))
        return node

    def _probes(self, state: State, g: int, address: int) -> bool:
        """The client runs and probes for that address."""
        phase, wants = state[self.own[g][0]], state[self.own[g][1]]
        return phase == PROBING and wants == address and state[self.process[g]] == RUNS

    def _is_answered(self, state: State, h: int, address: int) -> bool:
        """Another host's kernel answers ARP for the address."""
        return any(g != h and state[self.holds[g]] == address for g in self.hosts)
