"""What a server is between two events, what it is told and asks for, and what its replies have.

Theory of operation.  A `Server` is a frozen value: an `Entry` for each address of its pool of which
it knows anything (`pool.py`), and nothing else that grows.  No flood makes it larger than that.
Servers that behave alike are equal.  `reply` is Table 3; `abstract` gives the server's part of the
lease table's state.

What it does not know: how it changes (`server.py`).  § alone is a section of RFC 2131; RFC 6842 is
cited from memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from holdover.reference.core.config import ServerConfig
from holdover.reference.core.events import Heard, SendArp, Timer
from holdover.reference.core.instants import Instant
from holdover.reference.core.pool import (
    NOTHING,
    Binding,
    ClientKey,
    Entries,
    Entry,
    Known,
    Late,
    Reservation,
    SendReply,
    Withheld,
    key_of,
)
from holdover.reference.wire.messages import NO_OPTIONS, BootReply, BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType

__all__ = [
    "NOTHING",
    "AbstractRecord",
    "Binding",
    "ClientKey",
    "Entry",
    "Late",
    "ReceivedRequest",
    "Recording",
    "Reinstate",
    "Reservation",
    "SendReply",
    "Server",
    "ServerEffect",
    "ServerEffects",
    "ServerEvent",
    "ServerStepped",
    "StartServer",
    "StoreBinding",
    "Withheld",
    "abstract",
    "key_of",
    "reply",
]

# The state ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """A server between two events.  `Server(config)` is one that has leased nothing.

    `entries` may be given as any pairs.  `recording`: what it commits can be stored.
    """

    config: ServerConfig = field(hash=False)
    entries: Collection[Known] = ()
    forgotten: bool = False
    recording: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.entries, Entries):
            object.__setattr__(self, "entries", Entries.of(self.config.pool, self.entries))

    @property
    def known(self) -> Entries:
        """Its entries, to be asked."""
        assert isinstance(self.entries, Entries)
        return self.entries

    def leases(self, address: IPv4Address | None) -> bool:
        """An address is of its pool."""
        return address in self.known.places

    def entry(self, address: IPv4Address) -> Entry:
        """What it knows of an address."""
        return self.known.entry(address)

    def put(self, address: IPv4Address, entry: Entry) -> Server:
        """With this for an address of its pool."""
        return replace(self, entries=self.known.put(address, entry))

    def unreserve(self, key: ClientKey) -> Server:
        """Without a reservation for the client."""
        after = self
        for address in self.known.concerning(key):
            entry = self.entry(address)
            if entry.offer is not None and entry.offer.key == key:
                after = after.put(address, replace(entry, offer=None))
        return after


# Events ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A BOOTREQUEST has arrived."""

    request: BootRequest


@dataclass(frozen=True, slots=True)
class StartServer:
    """The process has started again; `bindings` is what was stored (§3.1(4), §4)."""

    bindings: tuple[tuple[IPv4Address, Binding], ...] = ()


@dataclass(frozen=True, slots=True)
class Reinstate:
    """The administrator has looked into it (§4.3.3): the address is to be probed now.

    It may be leased again if nobody answers.
    """

    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Recording:
    """From now on records can be stored, or cannot; where they can, all that it knows is stored."""

    works: bool


ServerEvent = StartServer | Timer | ReceivedRequest | Heard | Reinstate | Recording

# Effects -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoreBinding:
    """Write the record of an address down durably, before anything that follows; None: none.

    Nothing that follows rests on None: who has given an address up may find it still on record.
    """

    address: IPv4Address
    binding: Binding | None


ServerEffect = SendReply | SendArp | StoreBinding
ServerEffects = tuple[ServerEffect, ...]
ServerStepped = tuple[Server, ServerEffects]

# Replies -----------------------------------------------------------------------------------------


def reply(
    server: Server,
    request: BootRequest,
    kind: MessageType,
    address: IPv4Address = NO_ADDRESS,
    seconds: int | None = None,
) -> SendReply:
    """Table 3: what each message of a server has; RFC 6842 §3 MUST: the client's identifier.

    §4.3.2 MUST: a relay is to broadcast a DHCPNAK.
    """
    config, wrong = server.config, server.config.misbehave
    nak, relayed = kind is MessageType.NAK, request.giaddr != NO_ADDRESS
    identity = (request.client_id or request.chaddr) + b"?" if wrong.wrong_client_id else None
    said = BootReply(
        kind,
        request.xid ^ wrong.wrong_xid,
        request.chaddr,
        identity or request.client_id,
        broadcast=request.broadcast or (nak and relayed),
        address=address,
        ciaddr=request.ciaddr if kind is MessageType.ACK else NO_ADDRESS,
        giaddr=request.giaddr,
        server=IPv4Address(int(config.identifier) ^ wrong.wrong_server),
        lease=seconds,
        options=NO_OPTIONS if nak else config.options,
    )
    return SendReply(said, destination(request, said))


def destination(request: BootRequest, said: BootReply) -> IPv4Address | None:
    """§4.1: the relay; else, for DHCPNAK, everybody; else `ciaddr`; else as the client can take."""
    if request.giaddr != NO_ADDRESS:
        return request.giaddr
    if said.type is MessageType.NAK:
        return None
    if request.ciaddr != NO_ADDRESS:
        return request.ciaddr
    return None if request.broadcast else said.address


# The lease table ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AbstractRecord:
    """An address in the words of the lease table (model/table/vocabulary.py).

    `server_end` is None where there is no lease, and where it is infinite.
    """

    owner: ClientKey | None
    server_end: Instant | None
    withheld: bool


def abstract(server: Server) -> Mapping[IPv4Address, AbstractRecord]:
    """What the lease table knows of the server, for each address of its pool."""
    return {address: record(server.entry(address)) for address in server.config.pool}


def record(entry: Entry) -> AbstractRecord:
    """What the lease table knows of an address."""
    binding = entry.binding
    if binding is None:
        return AbstractRecord(None, None, entry.withheld is not None)
    return AbstractRecord(binding.key, binding.end, entry.withheld is not None)
