"""What a server is between two events, what it is told and asks for, and what its replies have.

Theory of operation.  A `Server` is a frozen value: an `Entry` for each address of its pool of which
it knows anything, and nothing else that grows.  No flood of requests makes it larger than its pool.
Entries are in the order of their addresses, empty ones are left out: servers that behave alike are
equal.  `reply` is Table 3; `abstract` gives the server's part of the lease table's state.

What it does not know: how it changes (`server.py`).  § alone is a section of RFC 2131; RFC 6842 is
cited from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from holdover.reference.arp import Arp
from holdover.reference.config import ServerConfig
from holdover.reference.events import Instant, SendArp
from holdover.reference.messages import NO_OPTIONS, BootReply, BootRequest
from holdover.reference.values import NO_ADDRESS, MessageType

# The state ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class ClientKey:
    """Who a client is to a server (§4.2 MUST): `identifier` is option 61 if `given`, else `chaddr`.

    The two never mean the same client, even where their bytes are the same.
    """

    identifier: bytes
    given: bool


def key_of(request: BootRequest) -> ClientKey:
    """§4.2 MUST: the client identifier, if there is one, else `chaddr`."""
    if request.client_id is None:
        return ClientKey(request.chaddr, given=False)
    return ClientKey(request.client_id, given=True)


@dataclass(frozen=True, slots=True)
class Binding:
    """A lease as the server records it (§3.1(4)); `end` is None where it is infinite (§3.3).

    It stays on record after its end, until the address is given to another (§4.3.1).
    """

    key: ClientKey
    end: Instant | None


@dataclass(frozen=True, slots=True)
class Reservation:
    """An address kept for a client until an instant: offered (§4.3.1), or probed for it (§3.1(2)).

    `discover`: the DHCPDISCOVER that waits for the probe; None: the offer has been made.
    """

    key: ClientKey
    until: Instant
    discover: BootRequest | None = None


@dataclass(frozen=True, slots=True)
class SendReply:
    """Send a BOOTREPLY; port 67 where `to` is the relay's address, else 68 (§4.1).

    `to`: None is the broadcast address; where it is the reply's `address`, the frame goes to
    `chaddr`, since the client does not answer ARP yet.
    """

    reply: BootReply
    to: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Late:
    """A DHCPACK whose record is made and which leaves at `due`: a misbehaviour."""

    due: Instant
    send: SendReply


@dataclass(frozen=True, slots=True)
class Entry:
    """What the server knows of one address; `Entry()`: nothing.

    `withheld` (§4.3.3) until `back_at`; None: until `Reinstate`.
    """

    binding: Binding | None = None
    offer: Reservation | None = None
    withheld: bool = False
    back_at: Instant | None = None
    late: Late | None = None

    def is_of(self, key: ClientKey) -> bool:
        """The client is on record for the address, be the lease over or not."""
        return self.binding is not None and self.binding.key == key

    def runs(self, now: Instant) -> bool:
        """There is a lease, and it is not over."""
        return self.binding is not None and (self.binding.end is None or now < self.binding.end)


NOTHING = Entry()


@dataclass(frozen=True, slots=True)
class Server:
    """A server between two events.  `Server(config)` is one that has leased nothing."""

    config: ServerConfig = field(hash=False)
    entries: tuple[tuple[IPv4Address, Entry], ...] = ()
    forgotten: bool = False

    def entry(self, address: IPv4Address) -> Entry:
        """What it knows of an address."""
        return next((entry for known, entry in self.entries if known == address), NOTHING)

    def put(self, address: IPv4Address, entry: Entry) -> Server:
        """With this for the address."""
        known = dict(self.entries) | {address: entry}
        kept = ((place, known[place]) for place in sorted(known) if known[place] != NOTHING)
        return replace(self, entries=tuple(kept))

    def unreserve(self, key: ClientKey) -> Server:
        """Without a reservation for the client."""
        after = self
        for address, entry in self.entries:
            if entry.offer is not None and entry.offer.key == key:
                after = after.put(address, replace(entry, offer=None))
        return after


# Events ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrived:
    """A BOOTREQUEST has arrived."""

    request: BootRequest


@dataclass(frozen=True, slots=True)
class Overheard:
    """An ARP packet was seen on the link."""

    arp: Arp


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline has come; too early, too late or twice does no harm."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """The process has started again; `bindings` is what was stored (§3.1(4), §4)."""

    bindings: tuple[tuple[IPv4Address, Binding], ...] = ()


@dataclass(frozen=True, slots=True)
class Reinstate:
    """The administrator has looked into it (§4.3.3): the address may be leased again."""

    address: IPv4Address


ServerEvent = Arrived | Overheard | Tick | Restarted | Reinstate

# Effects -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoreBinding:
    """Write the record of an address down durably, before anything that follows; None: none."""

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
class Record:
    """An address in the words of the lease table (model/words.py).

    `server_end` is None where there is no lease, and where it is infinite.
    """

    owner: ClientKey | None
    server_end: Instant | None
    withheld: bool


def abstract(server: Server) -> Mapping[IPv4Address, Record]:
    """What the lease table knows of the server, for each address of its pool."""
    return {address: record(server.entry(address)) for address in server.config.pool}


def record(entry: Entry) -> Record:
    """What the lease table knows of an address."""
    binding = entry.binding
    if binding is None:
        return Record(None, None, entry.withheld)
    return Record(binding.key, binding.end, entry.withheld)
