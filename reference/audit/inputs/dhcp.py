"""Messages of DHCP: from the rows of the walk to what the cores say to each other.

Theory of operation.  The walk has read what is plain in a message, and left the other options as
bytes; those are read by `reference/wire`, once for the same bytes, since the clients of a network
and its servers say the same again and again.  What the walk could not read (`ODD`) is read
here by `reference/wire` from its beginning.  What is no message is `Unreadable`, with its reason.

What it does not know: what a message means, and whether it has been seen before (`points.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any, TypeVar

import numpy as np

from holdover.reference.audit.inputs.build import KnownAddress, tuple_maker, twin
from holdover.reference.audit.inputs.kernel.columns import (
    AT,
    CHADDR_SIZE,
    CHECKSUM,
    CIADDR,
    CUT,
    DESTINATION,
    FLAGS,
    FRAGMENT,
    GIADDR,
    ID_SIZE,
    IP_LENGTH,
    KIND,
    LEASE,
    NUMBER,
    ODD,
    OP,
    OTHERS_SIZE,
    PAYLOAD_AT,
    PAYLOAD_SIZE,
    PLAIN,
    REQUESTED,
    SECS,
    SERVER,
    SIDE_AT,
    SOURCE,
    SOURCE_HARDWARE,
    STATUS,
    T1,
    T2,
    TO_HARDWARE,
    UDP_LENGTH,
    VLANS,
    XID,
    YIADDR,
)
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
    FRAGMENT: "DHCP: a fragment of a message; fragments are not put together",
    CUT: "DHCP: cut off by the capture: capture whole packets (snap length 0)",
    IP_LENGTH: "DHCP: the length in the IPv4 header is too small",
    UDP_LENGTH: "DHCP: the length in the UDP header is wrong",
    CHECKSUM: "DHCP: the UDP checksum is wrong",
}

TYPES = (None, *MessageType)
"""By number; the walk lets no other pass."""

FIXED = bytes(OPTIONS_AT)
new_request, new_reply = twin(BootRequest), twin(BootReply)
new_where, new_message = tuple_maker(Where), tuple_maker(DhcpMessage)

ADDRESSES = (SOURCE, DESTINATION, CIADDR, YIADDR, GIADDR, REQUESTED, SERVER)
HARDWARES = (SOURCE_HARDWARE, TO_HARDWARE)
REST = (
    *(NUMBER, AT, VLANS, STATUS, PAYLOAD_AT, PAYLOAD_SIZE, OP, KIND, XID, SECS, FLAGS, LEASE),
    *(T1, T2, CHADDR_SIZE, ID_SIZE, OTHERS_SIZE, SIDE_AT, GIADDR),
)
"""The columns of a row that are addresses, hardware addresses, and numbers."""


Array = np.ndarray[Any, Any]

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

    -1 is what is not there (None).  `options` gives the options and whether a relay's is among them; what cannot be read is left
    out, as the cores do.
    """

    def __init__(self) -> None:
        self.address = Remembered[int, IPv4Address | None](_address)
        self.hardware = Remembered[int, bytes | None](_hardware)
        self.vlans = Remembered[int, Vlans](_vlans)
        self.options = Remembered[bytes, tuple[Options, bool]](_options)


def _address(number: int) -> IPv4Address | None:
    return None if number < 0 else KnownAddress(number)


def _hardware(number: int) -> bytes | None:
    return None if number < 0 else number.to_bytes(6, "big")


def _vlans(number: int) -> Vlans:
    """The VLANs, the outer one first."""
    outer, inner = divmod(number, 4096)
    return (outer, inner) if outer else (inner,) if inner else ()


def _options(data: bytes) -> tuple[Options, bool]:
    if not data:
        return NO_OPTIONS, False
    _, options, _ = read_options(FIXED + data)
    return options, RELAY_INFORMATION.code in options


def observe_messages(
    rows: Array, side: bytes, data: Array, names: NameTables, file: str
) -> list[DhcpMessage | Unreadable]:
    """What rows of the walk say (`kernel/frames.py`); `data` is what the walk looked at."""
    found: list[DhcpMessage | Unreadable] = []
    add, address_of, hardware_of = found.append, names.address, names.hardware
    options_of, vlans_of = names.options, names.vlans
    columns = rows.T.tolist()
    addresses = [map(address_of.__getitem__, columns[each]) for each in ADDRESSES]
    hardware = [map(hardware_of.__getitem__, columns[each]) for each in HARDWARES]
    rest = [columns[each] for each in REST]
    for source, destination, ciaddr, yiaddr, giaddr, requested, server, own, to, row in zip(
        *addresses, *hardware, zip(*rest, strict=True), strict=True
    ):
        (
            number,
            at,
            vlans,
            status,
            payload_at,
            size,
            op,
            kind,
            xid,
            secs,
            flags,
            lease,
            t1,
            t2,
            chaddr_size,
            id_size,
            others_size,
            begin,
            relay,
        ) = row
        where = new_where((file, number))
        message: Any
        if status == PLAIN:
            end = begin + chaddr_size
            chaddr = side[begin:end]
            client_id = None
            if id_size >= 0:
                client_id = side[end : end + id_size]
                end += id_size
            options, relayed = options_of[side[end : end + others_size]]
            if op == 1:
                message = new_request(
                    TYPES[kind],
                    xid,
                    chaddr,
                    client_id,
                    secs,
                    flags >= BROADCAST,
                    ciaddr,
                    giaddr,
                    requested,
                    server,
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
                    yiaddr,
                    ciaddr,
                    giaddr,
                    server,
                    None if lease < 0 else lease,
                    None if t1 < 0 else t1,
                    None if t2 < 0 else t2,
                    options,
                )
                message.__class__ = BootReply
        elif status == ODD:
            try:
                message = _read(data[payload_at : payload_at + size].tobytes())
            except WireError as error:
                add(Unreadable(at, where, f"DHCP: {error}"))
                continue
            relay, relayed = int(message.giaddr), RELAY_INFORMATION.code in message.options
        else:
            add(Unreadable(at, where, WHY[status]))
            continue
        add(
            new_message(
                (
                    at,
                    where,
                    own,
                    to,
                    source,
                    destination,
                    message,
                    relayed or relay != 0,
                    False,
                    vlans_of[vlans],
                )
            )
        )
    return found


def _read(payload: bytes) -> BootRequest | BootReply:
    """As the cores would have it."""
    reading = read(payload)
    return request_from(reading) if reading.message.op is Op.BOOTREQUEST else reply_from(reading)
