"""What the cores say to each other: BOOTREQUEST and BOOTREPLY, and both ways to the wire.

Theory of operation.  A core acts on a few fields of a message; the rest it hands on.  `BootRequest`
and `BootReply` have these fields by name and everything else in `options`.  None is an absent
option.  `packet.py` knows bytes, this module knows which field stands where, the cores know what it
means (RFC 2131 Table 3 and 5).

What cannot be read.  One malformed option is not to discard a message (RFC 1122 §1.2.2: be liberal
in what you accept), and no lease is to be taken or changed for bytes half understood.  So a message
*rests* on some of its options: where one of those was dropped, `reply_from` and `request_from`
refuse the message; it is without any other one that was dropped, as if the sender had left it out.

- A reply rests on 53, 54 and 61 (what it is, whose it is, and for whom: RFC 6842 §3), and on 51
  where it is no DHCPNAK, which has no lease to say.  What is missing because it could not be found
  (`Dropped.hides`) is then missing; the core takes no lease without 51 and 54.
- A request rests on 53, 54, 50 and 61, by which RFC 2131 Table 4 tells its kind and §4.2 its
  sender, and on that they are absent where they are: where options are hidden, it is refused.
  ISC's programs differ in the same way: of a message with an option that goes on past its end, the
  client takes what comes before, and the server nothing (common/options.c, `parse_options`).

So where 58 or 59 is malformed, T1 or T2 is computed (§4.4.5); where option 1 is, the mask is of the
address's class, as where it is absent (linux/kernel/parameters.py); where 121 is, option 3 says the
router (RFC 3442 has it ignored only beside a 121 that is there); where 51 is in a request, the
server grants its usual lease (§4.3.1).

What it does not know: htype other than Ethernet, `sname`, `file`, `siaddr` (boot files are no
business of a lease).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from holdover.reference.wire.frames import Datagram
from holdover.reference.wire.option_layout import OPTIONS_AT
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, WireError
from holdover.reference.wire.options import (
    CLIENT_IDENTIFIER,
    LEASE_TIME,
    MESSAGE_TYPE,
    REBINDING_TIME,
    RENEWAL_TIME,
    REQUESTED_ADDRESS,
    SERVER_ID,
    Options,
)
from holdover.reference.wire.packet import OP_AT, Message, Op, ParsedMessage, read

NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class BootRequest:
    """From client to server (RFC 2131 Table 5); `lease` in seconds."""

    type: MessageType
    xid: int
    chaddr: bytes
    client_id: bytes | None = None
    secs: int = 0
    broadcast: bool = False
    ciaddr: IPv4Address = NO_ADDRESS
    giaddr: IPv4Address = NO_ADDRESS
    requested: IPv4Address | None = None
    server: IPv4Address | None = None
    lease: int | None = None
    options: Options = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class BootReply:
    """From server to client (RFC 2131 Table 3); `lease`, `t1` and `t2` in seconds."""

    type: MessageType
    xid: int
    chaddr: bytes
    client_id: bytes | None = None
    broadcast: bool = False
    address: IPv4Address = NO_ADDRESS
    ciaddr: IPv4Address = NO_ADDRESS
    giaddr: IPv4Address = NO_ADDRESS
    server: IPv4Address | None = None
    lease: int | None = None
    t1: int | None = None
    t2: int | None = None
    options: Options = NO_OPTIONS


OF_REQUEST = (MESSAGE_TYPE, CLIENT_IDENTIFIER, REQUESTED_ADDRESS, SERVER_ID, LEASE_TIME)
OF_REPLY = (MESSAGE_TYPE, CLIENT_IDENTIFIER, SERVER_ID, LEASE_TIME, RENEWAL_TIME, REBINDING_TIME)
NAMED_IN_REQUEST = frozenset(row.code for row in OF_REQUEST)
NAMED_IN_REPLY = frozenset(row.code for row in OF_REPLY)

REPLY_RESTS_ON = {row.code for row in (MESSAGE_TYPE, SERVER_ID, CLIENT_IDENTIFIER, LEASE_TIME)}
REQUEST_RESTS_ON = {
    row.code for row in (MESSAGE_TYPE, SERVER_ID, CLIENT_IDENTIFIER, REQUESTED_ADDRESS)
}


def request_to_wire(request: BootRequest) -> Message:
    """The message that carries it."""
    values = (request.type, request.client_id, request.requested, request.server, request.lease)
    return Message(
        op=Op.BOOTREQUEST,
        xid=request.xid,
        chaddr=request.chaddr,
        secs=min(request.secs, 0xFFFF),
        broadcast=request.broadcast,
        ciaddr=request.ciaddr,
        giaddr=request.giaddr,
        options=request.options.behind(OF_REQUEST, values),
    )


def reply_to_wire(reply: BootReply) -> Message:
    """The message that carries it."""
    values = (reply.type, reply.client_id, reply.server, reply.lease, reply.t1, reply.t2)
    return Message(
        op=Op.BOOTREPLY,
        xid=reply.xid,
        chaddr=reply.chaddr,
        broadcast=reply.broadcast,
        ciaddr=reply.ciaddr,
        yiaddr=reply.address,
        giaddr=reply.giaddr,
        options=reply.options.behind(OF_REPLY, values),
    )


def request_from_wire(message: Message) -> BootRequest | None:
    """What a server acts on; None: no DHCP message of a client."""
    options = message.options
    kind = options.of(MESSAGE_TYPE)
    if message.op is not Op.BOOTREQUEST or kind is None:
        return None
    return BootRequest(
        type=kind,
        xid=message.xid,
        chaddr=message.chaddr,
        client_id=options.of(CLIENT_IDENTIFIER),
        secs=message.secs,
        broadcast=message.broadcast,
        ciaddr=message.ciaddr,
        giaddr=message.giaddr,
        requested=options.of(REQUESTED_ADDRESS),
        server=options.of(SERVER_ID),
        lease=options.of(LEASE_TIME),
        options=options.without(NAMED_IN_REQUEST),
    )


def reply_from_wire(message: Message) -> BootReply | None:
    """What a client acts on; None: no DHCP message of a server."""
    options = message.options
    kind = options.of(MESSAGE_TYPE)
    if message.op is not Op.BOOTREPLY or kind is None:
        return None
    return BootReply(
        type=kind,
        xid=message.xid,
        chaddr=message.chaddr,
        client_id=options.of(CLIENT_IDENTIFIER),
        broadcast=message.broadcast,
        address=message.yiaddr,
        ciaddr=message.ciaddr,
        giaddr=message.giaddr,
        server=options.of(SERVER_ID),
        lease=options.of(LEASE_TIME),
        t1=options.of(RENEWAL_TIME),
        t2=options.of(REBINDING_TIME),
        options=options.without(NAMED_IN_REPLY),
    )


def request_from(reading: ParsedMessage) -> BootRequest:
    """What a server acts on; WireError where it is no request, or rests on what is lost."""
    for dropped in reading.dropped:
        if dropped.code in REQUEST_RESTS_ON or dropped.hides:
            raise dropped.error
    request = request_from_wire(reading.message)
    if request is None:
        raise _no_message(reading.message, Op.BOOTREQUEST)
    return request


def reply_from(reading: ParsedMessage) -> BootReply:
    """What a client acts on; WireError where it is no reply, or rests on what is lost."""
    for dropped in reading.dropped:
        refused = reading.message.message_type is MessageType.NAK
        if dropped.code in REPLY_RESTS_ON and not (refused and dropped.code == LEASE_TIME.code):
            raise dropped.error
    reply = reply_from_wire(reading.message)
    if reply is None:
        raise _no_message(reading.message, Op.BOOTREPLY)
    return reply


def message_in(content: object) -> BootRequest | BootReply | None:
    """The message of DHCP that a frame's content has; None where there is none to rely on."""
    if not isinstance(content, Datagram):
        return None
    try:
        reading = read(content.payload)
        return (
            request_from(reading) if reading.message.op is Op.BOOTREQUEST else reply_from(reading)
        )
    except WireError:
        return None


def _no_message(message: Message, op: Op) -> WireError:
    """Why it is none of a client's, or of a server's."""
    if message.op is not op:
        return WireError(f"expected op {op} ({op.name}), got {message.op}", OP_AT)
    return WireError(f"expected {MESSAGE_TYPE}, got none", OPTIONS_AT)
