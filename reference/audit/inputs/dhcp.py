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
from itertools import repeat
from operator import or_
from typing import Any, TypeVar

import numpy as np

from holdover.reference.audit.inputs.build import KnownAddress, tuple_maker, twin
from holdover.reference.audit.inputs.kernel.columns import (
    AT,
    CHADDR,
    CHADDR_SIZE,
    CHECKSUM,
    CIADDR,
    CLIENT,
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

FIXED, RELAY = bytes(OPTIONS_AT), RELAY_INFORMATION.code
new_request, new_reply = twin(BootRequest), twin(BootReply)
new_where, new_message = tuple_maker(Where), tuple_maker(DhcpMessage)

NUMBERS = (*(STATUS, OP, KIND, XID, SECS, CHADDR_SIZE, ID_SIZE, OTHERS_SIZE, SIDE_AT),)
ADDRESSES = (CIADDR, YIADDR, GIADDR, REQUESTED, SERVER)
"""The columns of a row from which a message is built: what are numbers, and addresses."""

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

    -1 is what is not there (None).  `options` gives the options and whether a relay's is among
    them; what cannot be read is left out, as the cores do.
    """

    def __init__(self) -> None:
        self.address = Remembered[int, IPv4Address | None](_address)
        self.hardware = Remembered[int, bytes | None](_hardware)
        self.client_id = Remembered[int, bytes | None](_client_id)
        self.seconds = Remembered[int, int | None](_seconds)
        self.vlans = Remembered[int, Vlans](_vlans)
        self.options = Remembered[bytes, tuple[Options, bool]](_options)


def _address(number: int) -> IPv4Address | None:
    return None if number < 0 else KnownAddress(number)


def _hardware(number: int) -> bytes | None:
    return None if number < 0 else number.to_bytes(6, "big")


def _client_id(number: int) -> bytes | None:
    return None if number < 0 else b"\1" + number.to_bytes(6, "big")


def _seconds(number: int) -> int | None:
    return None if number < 0 else number


def _vlans(number: int) -> Vlans:
    """The VLANs, the outer one first."""
    outer, inner = divmod(number, 4096)
    return (outer, inner) if outer else (inner,) if inner else ()


class LateOptions(Options):
    """Options that are read from their bytes when somebody asks for them; most nobody does."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:  # the values come later
        self._data = data

    def __getattr__(self, name: str) -> Any:
        """The values, where they are not there yet; they are not looked for here again."""
        if name != "_values":
            raise AttributeError(name)
        _, options, _ = read_options(FIXED + self._data)
        self._values = options._values
        return self._values

    def __reduce__(self) -> tuple[type[LateOptions], tuple[bytes]]:
        return LateOptions, (self._data,)


def _options(data: bytes) -> tuple[Options, bool]:
    if not data:
        return NO_OPTIONS, False
    options = LateOptions(data)
    return options, _has_option(data, RELAY) and RELAY in options


def _has_option(data: bytes, code: int) -> bool:
    """Whether it is among options, each of them whole, as the walk leaves them."""
    at = 0
    while at < len(data):
        if data[at] == code:
            return True
        at += 2 + data[at + 1]
    return False


def observe_messages(
    rows: Array, side: bytes, data: Array | None, names: NameTables, file: str
) -> list[DhcpMessage | Unreadable]:
    """What rows of the walk say (`kernel/frames.py`).

    `data` is what the walk looked at; None: it is gone, and no row is ODD.
    """
    columns = rows.T.tolist()
    address_of, hardware_of = names.address.__getitem__, names.hardware.__getitem__
    where = list(map(new_where, zip(repeat(file), columns[NUMBER])))
    messages, options_relayed = build_messages(rows, columns, side, names)
    found: list[DhcpMessage | Unreadable] = list(
        map(
            new_message,
            zip(
                columns[AT],
                where,
                map(hardware_of, columns[SOURCE_HARDWARE]),
                map(hardware_of, columns[TO_HARDWARE]),
                map(address_of, columns[SOURCE]),
                map(address_of, columns[DESTINATION]),
                messages,
                map(or_, options_relayed, (rows[:, GIADDR] != 0).tolist()),
                repeat(False),
                map(names.vlans.__getitem__, columns[VLANS]),
            ),
        )
    )
    for i in np.flatnonzero(rows[:, STATUS] != PLAIN).tolist():
        status, at, size = columns[STATUS][i], columns[PAYLOAD_AT][i], columns[PAYLOAD_SIZE][i]
        if status != ODD:
            found[i] = Unreadable(columns[AT][i], where[i], WHY[status])
            continue
        assert data is not None
        try:
            message = _read(data[at : at + size].tobytes())
        except WireError as error:
            found[i] = Unreadable(columns[AT][i], where[i], f"DHCP: {error}")
            continue
        relayed = int(message.giaddr) != 0 or RELAY in message.options
        found[i] = found[i]._replace(message=message, relayed=relayed)  # type: ignore[union-attr]
    return found


def build_messages(
    rows: Array, columns: list[list[int]], side: bytes, names: NameTables
) -> tuple[list[BootRequest | BootReply | None], list[bool]]:
    """The messages of the rows that are plain, and whether a relay's option is among theirs."""
    messages: list[Any] = []
    relayed: list[bool] = []
    add, add_relayed, options_of = messages.append, relayed.append, names.options
    for (
        status,
        op,
        kind,
        xid,
        secs,
        chaddr_size,
        id_size,
        others_size,
        begin,
        broadcast,
        ciaddr,
        yiaddr,
        giaddr,
        requested,
        server,
        chaddr,
        client_id,
        lease,
        t1,
        t2,
    ) in zip(
        *[columns[each] for each in NUMBERS],
        (rows[:, FLAGS] >= BROADCAST).tolist(),
        *[map(names.address.__getitem__, columns[each]) for each in ADDRESSES],
        map(names.hardware.__getitem__, columns[CHADDR]),
        map(names.client_id.__getitem__, columns[CLIENT]),
        *[map(names.seconds.__getitem__, columns[each]) for each in (LEASE, T1, T2)],
        strict=True,
    ):
        if status != PLAIN:
            add(None)
            add_relayed(False)
            continue
        end = begin
        if chaddr is None:
            end = begin + chaddr_size
            chaddr = side[begin:end]
        if id_size > 0:
            client_id = side[end : end + id_size]
            end += id_size
        options, is_relayed = options_of[side[end : end + others_size]]
        if op == 1:
            message = new_request(
                TYPES[kind],
                xid,
                chaddr,
                client_id,
                secs,
                broadcast,
                ciaddr,
                giaddr,
                requested,
                server,
                lease,
                options,
            )
            message.__class__ = BootRequest
        else:
            message = new_reply(
                TYPES[kind],
                xid,
                chaddr,
                client_id,
                broadcast,
                yiaddr,
                ciaddr,
                giaddr,
                server,
                lease,
                t1,
                t2,
                options,
            )
            message.__class__ = BootReply
        add(message)
        add_relayed(is_relayed)
    return messages, relayed


def _read(payload: bytes) -> BootRequest | BootReply:
    """As the cores would have it."""
    reading = read(payload)
    return request_from(reading) if reading.message.op is Op.BOOTREQUEST else reply_from(reading)
