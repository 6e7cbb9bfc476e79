"""Exchanges whose outcome is known: a client takes them before it asks a server for an address.

Theory of operation.  Each row of KNOWN is what a server may grant, and the T1 and T2 that come of
it.  `check` has the server's messages written, for this very client, by the functions with which
`holdover server` writes its own; they are read, decided on and answered by those that will take the
real ones.  What the client says must be read as it was meant; its effects must be the known ones,
in an order that the `Discipline` allows; and its lease, as text, must be read as that lease.

All of it is values.  Nothing is sent, written or configured, no clock is asked, and of the client
itself only its constants are there.  So nothing that is pretended can be taken for the truth.

Why.  A client whose parts do not do what is known of them (its interpreter, a library, the memory)
is not to lease anything.  And what comes between a DHCPOFFER and the address has been done ten
times just before it is wanted: Python runs what it has run eight times by quicker instructions, and
the processor has it at hand (decision 73).

What it does not know: sockets, the kernel, the disk; a server that errs.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from holdover.reference.core.client import Client, step
from holdover.reference.core.client_state import Stepped
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.discipline import Discipline
from holdover.reference.core.events import (
    Chance,
    Configure,
    Lease,
    Notice,
    Notify,
    Phase,
    Received,
    Send,
    SendArp,
    Store,
    Timer,
)
from holdover.reference.core.instants import Instant
from holdover.reference.linux.kernel.parameters import parameters
from holdover.reference.linux.storage.lease_file import parse_lease, text_for
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    decode_frame,
    encode_frame,
)
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from,
    reply_to_wire,
    request_from,
    request_to_wire,
)
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, Route
from holdover.reference.wire.options import (
    BROADCAST_ADDRESS,
    CLASSLESS_ROUTES,
    DOMAIN_NAME,
    HOST_NAME,
    INFINITE,
    INTERFACE_MTU,
    NAME_SERVERS,
    NTP_SERVERS,
    ROUTERS,
    SUBNET_MASK,
    Options,
)
from holdover.reference.wire.packet import encode, read

ADDRESS, SERVER = IPv4Address("192.0.2.50"), IPv4Address("192.0.2.1")
"""Of documentation (RFC 5737): no network has them."""

NETWORK = IPv4Network("192.0.2.0/24")
SERVER_HARDWARE = b"\x02\0\0\0\0\1"
ASKED: Instant = 10**9
CHANCE = Chance(0x686F6C64, 0)

USUAL = (SUBNET_MASK(NETWORK.netmask), BROADCAST_ADDRESS(NETWORK.broadcast_address))
NAMES = (NAME_SERVERS((SERVER, ADDRESS)), DOMAIN_NAME("example.org"), HOST_NAME("host"))
ROUTES = CLASSLESS_ROUTES((Route(NETWORK, NO_ADDRESS), Route(IPv4Network("0.0.0.0/0"), SERVER)))

Terms = tuple[int, int | None, int | None]
"""Lease time, T1 and T2, in seconds; None: absent, or never."""

KNOWN: tuple[tuple[Terms, Options, Terms], ...] = (
    ((600, None, None), Options(USUAL), (600, 300, 525)),
    ((600, 300, 525), Options([*USUAL, ROUTERS((SERVER,))]), (600, 300, 525)),
    ((600, 100, 200), Options([*USUAL, *NAMES]), (600, 100, 200)),
    ((600, 200, 100), Options([*USUAL, ROUTERS((SERVER,)), *NAMES]), (600, 300, 525)),
    ((600, 200, 600), Options([*USUAL, ROUTES]), (600, 300, 525)),
    ((600, 0, 100), Options([*USUAL, ROUTES, INTERFACE_MTU(1400)]), (600, 300, 525)),
    ((86400, None, 60000), Options([*USUAL, *NAMES, ROUTES]), (86400, 43200, 60000)),
    ((86400, 7, None), Options([NTP_SERVERS((SERVER,)), *NAMES]), (86400, 7, 75600)),
    ((INFINITE - 7, None, None), Options(NAMES), (INFINITE - 7, 2147483644, 3758096377)),
    ((INFINITE, 300, 525), Options(USUAL), (INFINITE, None, None)),
)
"""What is granted, and what comes of it: RFC 2131 §3.3, §4.4.5."""


class KnownAnswerError(Exception):
    """An exchange whose outcome is known had another one."""


def check(config: ClientConfig) -> None:
    """KnownAnswerError where an exchange has another outcome than the known one."""
    config = replace(config, probes=0, offer_wait=0)
    for number, (granted, options, comes) in enumerate(KNOWN):
        try:
            _exchange(config, granted, options, comes)
        except Exception as error:
            raise KnownAnswerError(f"known exchange {number}: {error!r}") from error


def _exchange(config: ClientConfig, granted: Terms, options: Options, comes: Terms) -> None:
    """From DHCPDISCOVER to the address."""
    client, asked = _said(step(Client(config, due=ASKED), Timer(), ASKED, CHANCE))
    client, asked = _said(_hand_in(client, MessageType.OFFER, asked, granted, options))
    _expect(asked.requested, ADDRESS)
    _expect(asked.server, SERVER)
    client, effects = _hand_in(client, MessageType.ACK, asked, granted, options)
    store, configure, announce, notify = effects
    lease = _lease(config, comes, options)
    until = None if lease.end is None else lease.end - config.margin
    _expect((store, configure), (Store(lease), Configure(lease, until)))
    _expect((type(announce), notify), (SendArp, Notify(Notice.BOUND, lease)))
    _expect((client.phase, client.holds, client.lease), (Phase.BOUND, ADDRESS, lease))
    rules = Discipline(None, None, probed=True)
    for effect in effects:
        rules.follow(effect)
    _expect(parse_lease(text_for("eth0", config.hardware, lease), "eth0", None).lease, lease)
    _expect(parameters(ADDRESS, lease.options).address.network, NETWORK)


def _said(stepped: Stepped) -> tuple[Client, BootRequest]:
    """The client, and its message as a server reads it."""
    client, (send,) = stepped
    assert isinstance(send, Send)
    payload = encode(request_to_wire(send.request))
    said = Datagram(send.request.ciaddr, ALL_HOSTS, CLIENT_PORT, SERVER_PORT, payload)
    heard = decode_frame(encode_frame(EVERYONE, client.config.hardware, said)).content
    _expect(heard, said)
    _expect(request_from(read(payload)), send.request)
    return client, send.request


def _hand_in(
    client: Client, kind: MessageType, asked: BootRequest, granted: Terms, options: Options
) -> Stepped:
    """What the client does when a server's answer has arrived."""
    length, t1, t2 = granted
    reply = BootReply(
        kind,
        asked.xid,
        asked.chaddr,
        asked.client_id,
        address=ADDRESS,
        server=SERVER,
        lease=length,
        t1=t1,
        t2=t2,
        options=options,
    )
    said = Datagram(SERVER, ADDRESS, SERVER_PORT, CLIENT_PORT, encode(reply_to_wire(reply)))
    heard = decode_frame(encode_frame(asked.chaddr, SERVER_HARDWARE, said)).content
    assert isinstance(heard, Datagram)
    heard_reply = reply_from(read(heard.payload))
    _expect(heard_reply, reply)
    return step(client, Received(heard_reply), ASKED, CHANCE)


def _lease(config: ClientConfig, comes: Terms, options: Options) -> Lease:
    length, t1, t2 = comes
    if t1 is None or t2 is None:
        return Lease(ADDRESS, SERVER, None, None, None, options)
    t1, t2, length = (ASKED + each * config.second for each in (t1, t2, length))
    return Lease(ADDRESS, SERVER, t1, t2, length, options)


def _expect(found: object, known: object) -> None:
    if found != known:
        raise KnownAnswerError(f"expected {known!r}, got {found!r}")
