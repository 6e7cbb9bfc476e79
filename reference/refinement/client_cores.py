"""The client cores of an exploration: every local state that a host can be in, each call of it.

Theory of operation.  A host's part of the implementation is a `ClientLocal`: its core, and what its
lease file holds.  Instants are clipped as `cores.py` says, and the xid of the present exchange is
always 1: `client.py` compares xids, nothing else.

What it does not know: the lease table, and anything about another host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any, Protocol

from holdover.model.readings.finite import NONE
from holdover.model.table.vocabulary import KIND, PHASE
from holdover.reference.core.client_state import Abstract, Client
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Chance,
    Configure,
    Effect,
    Event,
    Gone,
    Heard,
    Lease,
    Notice,
    Notify,
    Phase,
    Received,
    Release,
    Send,
    SendArp,
    Start,
    Stop,
    Store,
    Timer,
)
from holdover.reference.refinement.cores import NUMBER, Cores, DefectError, shift
from holdover.reference.refinement.setting import ADDRESSES, HARDWARE, SERVER, UNUSABLE
from holdover.reference.wire.arp import announcement, probe
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import MessageType

OTHER = bytes((2, 0, 0, 0, 0, 2))
"""The hardware address in ARP packets of any other host."""

STALE, PRESENT, FRESH = 0, 1, 2
"""The xid of an exchange that is over, of the present one, and of the next."""

EVENTS = {"T": "Timer", "H": "Heard", "G": "Gone", "L": "Release", "E": "Stop", "S": "Start"}
"""What the letters of a `Call` stand for; "R" is named by its message."""

MIDDLE = 500
"""The jitter where a setting does not ask for others."""


class ClientCore(Protocol):
    """What is explored: `client.py`, or a module like it."""

    @property
    def step(self) -> Callable[[Client, Event, int, Chance], tuple[Client, tuple[Effect, ...]]]:
        """The client after an event, and the effects."""

    @property
    def deadline(self) -> Callable[[Client], int | None]:
        """When it wants a Timer."""

    @property
    def abstract(self) -> Callable[[Client], Abstract]:
        """What the lease table knows of it."""


@dataclass(frozen=True)
class ClientLocal:
    """One host's part of the implementation: its core (None: not running) and its lease file."""

    core: Client | None
    stored: Lease | None


Call = tuple[Any, ...]
"""What is handed to a core: ("T", jitter), ("R", kind, address, lease, current, jitter), ...

Where a reply's address is NONE, it is one that no host can have.
"""

STOP: Call = ("E",)
"""The process is gone after it."""

ClientAnswer = tuple[int, tuple[Effect, ...], bool, tuple[str, ...]]
"""The local state after a call, the effects, whether there is a new xid, and the rows to try."""


class ClientCores(Cores[ClientLocal, Call, ClientAnswer]):
    """All local states and calls of one client core under one configuration.

    `before_end`: how long before the end of a lease the server puts T1 and T2, whatever its length.
    """

    def __init__(
        self, core: ClientCore, config: ClientConfig, past: int, before_end: tuple[int, int]
    ):
        super().__init__(past)
        self.core, self.config, self.before_end = core, config, before_end
        self._views: list[tuple[Any, ...]] = []

    def number(self, local: ClientLocal) -> int:
        """The number of a local state; the same for equal ones.  DefectError: it is none."""
        if local not in self:
            self._views.append(self._view_of(local))
        return super().number(local)

    def deadline(self, local: ClientLocal) -> int | None:
        """When the core wants to be called; never, where no process runs."""
        return None if local.core is None else self.core.deadline(local.core)

    def make_call(self, local: ClientLocal, call: Call) -> ClientAnswer:
        """What the core does when it is handed this; its fresh xid becomes the present one."""
        core = local.core or Client(self.config)
        event, chance = event_of(call, self.before_end)
        try:
            after, effects = self.core.step(core, event, 0, chance)
        except Exception as error:  # a mutant may do anything
            raise DefectError("crash", f"{type(error).__name__}: {error}") from error
        stored = local.stored
        for effect in effects:
            if isinstance(effect, Store):
                stored = effect.lease
        fresh = after.exchange is not None and after.exchange.xid == FRESH
        if fresh:
            assert after.exchange is not None
            after = replace(after, exchange=replace(after.exchange, xid=PRESENT))
        names = candidate_rows(core, call, after, effects)
        if call == STOP and (after.phase is not Phase.INIT or after.due is not None):
            raise DefectError("stop", "told to end, the client goes on")
        goes_on = None if call == STOP else after
        number = self.number(ClientLocal(goes_on, stored))
        self.observe(core, call, after, effects)
        return number, effects, fresh, names

    def age(self, local: ClientLocal) -> ClientLocal:
        """The same core and lease file a tick later."""
        core, stored = (shift(v, 1, self.past) for v in (local.core, local.stored))
        return ClientLocal(core, stored)

    def observe(self, core: Client, call: Call, after: Client, effects: tuple[Effect, ...]) -> None:
        """Note a cell of the (state x event) table as it was seen."""
        does = tuple(_effect_name(effect) for effect in effects)
        self.observed[core.phase.name, name_of(call), after.phase.name, does] += 1

    def view(self, number: int) -> tuple[Any, ...]:
        """phase, wants, asked, renew_at, rebind_at, lease_end, holds, as the table writes them.

        Of a host without a process, what its lease file says.
        """
        return self._views[number]

    def _view_of(self, local: ClientLocal) -> tuple[Any, ...]:
        stored = local.stored
        if local.core is not None:
            seen = self.core.abstract(local.core)
        elif stored is not None:
            seen = Abstract(
                "INIT_REBOOT",
                stored.address,
                None,
                None,
                stored.renew_at,
                stored.rebind_at,
                stored.end,
            )
        else:
            seen = Abstract("INIT", None, None, None, None, None, None)
        return (
            PHASE.values.index(seen.phase),
            number_of(seen.wants),
            seen.asked,
            seen.renew_at,
            seen.rebind_at,
            seen.lease_end,
            number_of(seen.holds),
        )


def name_of(call: Call) -> str:
    """The event's name: Timer, Release, ..., or the message received."""
    return KIND.values[call[1]] if call[0] == "R" else EVENTS[call[0]]


def number_of(address: IPv4Address | None) -> int:
    """An address as the table numbers it."""
    if address == UNUSABLE:
        raise DefectError("unusable", f"the client wants {address}, which no host can have")
    return NONE if address is None else NUMBER[address]


def event_of(call: Call, before_end: tuple[int, int]) -> tuple[Event, Chance]:
    """What a core is handed in a call; a lease has T1 and T2 so long before its end."""
    chance = Chance(FRESH, MIDDLE)
    match call:
        case ("T", jitter):
            return Timer(), Chance(FRESH, jitter)
        case ("R", kind, address, lease, current, jitter):
            t1, t2 = (None if lease is None else lease - rest for rest in before_end)
            reply = BootReply(
                MessageType[KIND.values[kind]],
                PRESENT if current else STALE,
                HARDWARE,
                None,
                address=UNUSABLE if address == NONE else ADDRESSES[address],
                server=SERVER,
                lease=lease,
                t1=t1,
                t2=t2,
            )
            return Received(reply), Chance(FRESH, jitter)
        case ("H", address, probing):
            return Heard((probe if probing else announcement)(OTHER, ADDRESSES[address])), chance
        case ("G", address):
            return Gone(ADDRESSES[address]), chance
        case ("L",):
            return Release(), chance
        case ("E",):
            return Stop(), chance
        case ("S", stored, found):
            return Start(stored, found), chance
    raise AssertionError(call)


def _effect_name(effect: Effect) -> str:
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


def lapses(core: Client, after: Client) -> bool:
    """The lease that the client had is over, and it has it no more."""
    lease = core.lease
    return lease is not None and lease.end is not None and lease.end <= 0 and after.lease != lease


def candidate_rows(
    core: Client, call: Call, after: Client, effects: Sequence[Effect]
) -> tuple[str, ...]:
    """Rows that are likely to say what a call did; a wrong guess is found out by `Rows.path`."""
    phase, names = core.phase.name, []
    if lapses(core, after):
        names, phase = ["lapse", "notify"], "INIT"
    sent = [effect.request.type for effect in effects if isinstance(effect, Send)]
    used = any(isinstance(effect, Configure) for effect in effects)
    kind = KIND.values[call[1]] if call[0] == "R" else ""
    if call == STOP:
        return (*names, "stop")
    if kind and call[2] == NONE:  # no datagram of the table's
        return tuple(names)
    match sent[-1].name if sent else "":
        case "DISCOVER":
            names.append("discover")
        case "REQUEST":
            rows = {
                ("SELECTING", "REQUESTING"): "select",
                ("INIT_REBOOT", "REBOOTING"): "reboot",
                ("REQUESTING", "REQUESTING"): "ask_again",
                ("REBOOTING", "REBOOTING"): "ask_again",
            }
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
            names += ack_rows(core, phase, after, effects)
        case _ if kind == "NAK":
            names.append("obey_nak" if after != core and phase == core.phase.name else "ignore")
        case _ if phase == "PROBING" and used:
            names.append("use")
        case _ if phase == "REBOOTING" and after.phase.name in ("PROBING", "BOUND"):
            names.append("keep_remainder")
        case _ if phase == "REQUESTING" and after.phase.name == "INIT":
            names.append("give_up")
    return tuple(names)


def ack_rows(core: Client, phase: str, after: Client, effects: Sequence[Effect]) -> tuple[str, ...]:
    """What a DHCPACK is likely to have led to; `phase`: where it found the client."""
    if any(isinstance(e, Notify) and e.notice is Notice.TOO_SHORT for e in effects):
        return "cut_off", "notify"
    if after == core or phase != core.phase.name:
        return ("ignore",)
    row = {"REQUESTING": "bind", "REBOOTING": "bind", "PROBING": "cut_short", "BOUND": "cut_short"}
    return (row.get(phase, "extend"),)
