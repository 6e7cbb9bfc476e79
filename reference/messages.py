"""What the cores say to each other: BOOTREQUEST and BOOTREPLY, and both ways to the wire.

Theory of operation.  A core acts on a few fields of a message; the rest it hands on.  `BootRequest`
and `BootReply` have these fields by name and everything else in `options`.  None is an absent
option.  `wire.py` knows bytes, this module knows which field stands where, the cores know what it
means (RFC 2131 Table 3 and 5).

What it does not know: htype other than Ethernet, `sname`, `file`, `siaddr` (boot files are no
business of a lease).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from holdover.reference.options import (
    CLIENT_IDENTIFIER,
    LEASE_TIME,
    MESSAGE_TYPE,
    REBINDING_TIME,
    RENEWAL_TIME,
    REQUESTED_ADDRESS,
    SERVER_ID,
    Option,
    Options,
)
from holdover.reference.values import NO_ADDRESS, MessageType, Value
from holdover.reference.wire import Message, Op

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
OF_REPLY = (
    MESSAGE_TYPE, CLIENT_IDENTIFIER, SERVER_ID, LEASE_TIME, RENEWAL_TIME, REBINDING_TIME,
)  # fmt: skip


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
        options=_together(OF_REQUEST, values, request.options),
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
        options=_together(OF_REPLY, values, reply.options),
    )


def request_from_wire(message: Message) -> BootRequest | None:
    """What a server acts on; None: no DHCP message of a client."""
    if message.op is not Op.BOOTREQUEST or message.message_type is None:
        return None
    return BootRequest(
        type=message.message_type,
        xid=message.xid,
        chaddr=message.chaddr,
        client_id=message.get(CLIENT_IDENTIFIER),
        secs=message.secs,
        broadcast=message.broadcast,
        ciaddr=message.ciaddr,
        giaddr=message.giaddr,
        requested=message.get(REQUESTED_ADDRESS),
        server=message.get(SERVER_ID),
        lease=message.get(LEASE_TIME),
        options=_others(message.options, OF_REQUEST),
    )


def reply_from_wire(message: Message) -> BootReply | None:
    """What a client acts on; None: no DHCP message of a server."""
    if message.op is not Op.BOOTREPLY or message.message_type is None:
        return None
    return BootReply(
        type=message.message_type,
        xid=message.xid,
        chaddr=message.chaddr,
        client_id=message.get(CLIENT_IDENTIFIER),
        broadcast=message.broadcast,
        address=message.yiaddr,
        ciaddr=message.ciaddr,
        giaddr=message.giaddr,
        server=message.get(SERVER_ID),
        lease=message.get(LEASE_TIME),
        t1=message.get(RENEWAL_TIME),
        t2=message.get(REBINDING_TIME),
        options=_others(message.options, OF_REPLY),
    )


def _together(rows: Iterable[Option[Any]], values: Iterable[object], more: Options) -> Options:
    named: list[tuple[int, Any]] = [
        (row.code, value) for row, value in zip(rows, values, strict=True) if value is not None
    ]
    return Options([*named, *more.items()])


def _others(options: Options, named: Iterable[Option[Any]]) -> Options:
    codes = {row.code for row in named}
    rest: list[tuple[int, Value]] = [(c, v) for c, v in options.items() if c not in codes]
    return Options(rest)
