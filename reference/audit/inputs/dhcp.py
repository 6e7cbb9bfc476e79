"""Messages of DHCP: from the rows of the walk to what the cores say to each other.

Theory of operation.  The walk has read what is plain in a message, and left the other options as
bytes; those are read by `reference/wire`, once for the same bytes, since the clients of a network
and its servers say the same again and again.  What the walk could not read (`ODD`) is read
here by `reference/wire` from its beginning.  What is no message is `Unreadable`, with its reason.

What it does not know: what a message means, and whether it has been seen before (`points.py`).
"""

from __future__ import annotations

from itertools import repeat
from operator import or_
from typing import Any

import numpy as np

from holdover.reference.audit.inputs.build import tuple_maker, twin
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
from holdover.reference.audit.inputs.names import RELAY, NameTables
from holdover.reference.audit.observations import DhcpMessage, Unreadable, Where
from holdover.reference.wire.messages import BootReply, BootRequest, reply_from, request_from
from holdover.reference.wire.option_values import MessageType, WireError
from holdover.reference.wire.packet import BROADCAST, Op, read

WHY = {
    FRAGMENT: "DHCP: a fragment of a message; fragments are not put together",
    CUT: "DHCP: cut off by the capture: capture whole packets (snap length 0)",
    IP_LENGTH: "DHCP: the length in the IPv4 header is too small",
    UDP_LENGTH: "DHCP: the length in the UDP header is wrong",
    CHECKSUM: "DHCP: the UDP checksum is wrong",
}

TYPES = (None, *MessageType)
"""By number; the walk lets no other pass."""

new_request, new_reply = twin(BootRequest), twin(BootReply)
new_where, new_message = tuple_maker(Where), tuple_maker(DhcpMessage)

NUMBERS = (*(STATUS, OP, KIND, XID, SECS, CHADDR_SIZE, ID_SIZE, OTHERS_SIZE, SIDE_AT),)
ADDRESSES = (CIADDR, YIADDR, GIADDR, REQUESTED, SERVER)
"""The columns of a row from which a message is built: what are numbers, and addresses."""

Array = np.ndarray[Any, Any]


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
