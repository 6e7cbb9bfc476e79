"""Messages of DHCP: from the rows of the walk to what the cores say to each other.

Theory of operation.  The walk has read what is plain in a message, and left the other options as
bytes; those are read by `reference/wire`, once for the same bytes, since the clients of a network
and its servers say the same again and again.  What the walk could not read (`columns.ODD`) is read
here by `reference/wire` from its beginning.  What is no message is `Unreadable`, with its reason.

What it does not know: what a message means, and whether it has been seen before (`points.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import Any, TypeVar, cast

import numpy as np

from holdover.reference.audit.inputs.kernel import columns, frames
from holdover.reference.audit.inputs.build import twin
from holdover.reference.audit.observations import DhcpMessage, Unreadable, Vlans, Where
from holdover.reference.wire.messages import (
    NO_OPTIONS,
    BootReply,
    BootRequest,
    reply_from,
    request_from,
)
from holdover.reference.wire.option_layout import OPTIONS_AT, read_options
from holdover.reference.wire.option_values import MessageType, WireError
from holdover.reference.wire.options import RELAY_INFORMATION, Options
from holdover.reference.wire.packet import BROADCAST, Op, read

REMEMBERED = 1 << 14
"""How many addresses, names and options are kept at most, so that each is built once."""

WHY = {
    columns.FRAGMENT: "DHCP: a fragment of a message; fragments are not put together",
    columns.CUT: "DHCP: cut off by the capture: capture whole packets (snap length 0)",
    columns.IP_LENGTH: "DHCP: the length in the IPv4 header is too small",
    columns.UDP_LENGTH: "DHCP: the length in the UDP header is wrong",
    columns.CHECKSUM: "DHCP: the UDP checksum is wrong",
}

TYPES = (None, *MessageType)
"""By number; the walk lets no other pass."""

FIXED = bytes(OPTIONS_AT)
new_where, new_request, new_reply, new_message = (
    twin(each) for each in (Where, BootRequest, BootReply, DhcpMessage)
)


K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """What was made of a key: made when it is asked for, forgotten when there are too many."""

    def __init__(self, make: Callable[[K], V]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> V:
        if len(self) >= REMEMBERED:
            self.clear()
        self[key] = made = self._make(key)
        return made


class NameTables:
    """Addresses and so on by their numbers, and options by their bytes: each is built once.

    `options` gives the options and whether a relay's is among them; what cannot be read is left
    out, as the cores do.
    """

    def __init__(self) -> None:
        self.address = Remembered[int, IPv4Address](IPv4Address)
        self.hardware = Remembered[int, bytes](lambda number: number.to_bytes(6, "big"))
        self.vlans = Remembered[int, Vlans](_vlans)
        self.options = Remembered[bytes, tuple[Options, bool]](_options)


def _vlans(number: int) -> Vlans:
    """The VLANs, the outer one first."""
    outer, inner = divmod(number, 4096)
    return (outer, inner) if outer else (inner,) if inner else ()


def _options(data: bytes) -> tuple[Options, bool]:
    if not data:
        return NO_OPTIONS, False
    _, options, _ = read_options(FIXED + data)
    return options, RELAY_INFORMATION.code in options


def observe_message(
    row: Sequence[int], side: bytes, data: np.ndarray[Any, Any], names: NameTables, file: str
) -> DhcpMessage | Unreadable:
    """What a row of the walk says (`frames.look`); `data` is what the walk looked at."""
    (
        number,
        at,
        hardware,
        to,
        source,
        destination,
        vlans,
        _,
        _,
        status,
        payload_at,
        size,
        op,
        kind,
        xid,
        secs,
        flags,
        ciaddr,
        yiaddr,
        giaddr,
        requested,
        server,
        lease,
        t1,
        t2,
        chaddr_size,
        id_size,
        others_size,
        side_at,
        _,
    ) = row
    where = new_where(file, number)
    where.__class__ = Where
    address = names.address
    message: Any
    if status == columns.PLAIN:
        begin = side_at + chaddr_size
        chaddr = side[side_at:begin]
        client_id = None if id_size < 0 else side[begin : begin + id_size]
        begin += max(id_size, 0)
        options, relayed = names.options[side[begin : begin + others_size]]
        if op == 1:
            message = new_request(
                TYPES[kind],
                xid,
                chaddr,
                client_id,
                secs,
                flags >= BROADCAST,
                address[ciaddr],
                address[giaddr],
                None if requested < 0 else address[requested],
                None if server < 0 else address[server],
                None if lease < 0 else lease,
                options,
            )
            message.__class__ = BootRequest
        else:
            message = new_reply(
                TYPES[kind],
                xid,
                chaddr,
                client_id,
                flags >= BROADCAST,
                address[yiaddr],
                address[ciaddr],
                address[giaddr],
                None if server < 0 else address[server],
                None if lease < 0 else lease,
                None if t1 < 0 else t1,
                None if t2 < 0 else t2,
                options,
            )
            message.__class__ = BootReply
    elif status == columns.ODD:
        try:
            message = _read(data[payload_at : payload_at + size].tobytes())
        except WireError as error:
            return Unreadable(at, where, f"DHCP: {error}")
        giaddr, relayed = int(message.giaddr), RELAY_INFORMATION.code in message.options
    else:
        return Unreadable(at, where, WHY[status])
    what = new_message(
        at,
        where,
        None if hardware < 0 else names.hardware[hardware],
        None if to < 0 else names.hardware[to],
        address[source],
        address[destination],
        message,
        relayed or giaddr != 0,
        False,
        names.vlans[vlans],
    )
    what.__class__ = DhcpMessage
    return cast(DhcpMessage, what)


def _read(payload: bytes) -> BootRequest | BootReply:
    """As the cores would have it."""
    reading = read(payload)
    return request_from(reading) if reading.message.op is Op.BOOTREQUEST else reply_from(reading)
