"""What will be done when a server answers, done before with one that does not exist.

Theory of operation.  The core and the codecs are functions, and what is computed of a lease has no
effect until it is carried out.  So an exchange can be had in advance, and thrown away.  Python
takes several times as long for what it has not done lately as for what it has just done.  So the
whole is done just before the first message leaves, for which nobody waits; and, from the DHCPACK
on, once more while that is awaited, with what the offer says.

What it does not know: the answer.  Nothing here is sent, stored, configured, written to the journal
or told.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from holdover.reference.core.client import Client, step
from holdover.reference.core.events import Chance, Received, Timer
from holdover.reference.core.instants import Instant
from holdover.reference.linux.executor import Executor
from holdover.reference.wire.frames import (
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    decode_frame,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, reply_from, reply_to_wire
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import NAME_SERVERS, ROUTERS, SUBNET_MASK, Options
from holdover.reference.wire.packet import encode, read

SERVER, LEASED = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
"""Nobody's (RFC 5737 §3, from memory)."""

USUAL = Options(
    [SUBNET_MASK(IPv4Address("255.255.255.0")), ROUTERS((SERVER,)), NAME_SERVERS((SERVER,))]
)


def rehearse(client: Client, now: Instant, chance: Chance, executor: Executor) -> None:
    """What is to come for a client that has no lease, from where it is to the address."""
    if client.lease is None and client.exchange is None:
        client, _ = step(client, Timer(), now, chance)
    while client.lease is None and client.exchange is not None:
        answer = replace(client.offers[0], type=MessageType.ACK) if client.offers else heard(client)
        before, (client, effects) = client, step(client, Received(answer), now, chance)
        if client is before:
            return
        for effect in effects:
            executor.rehearse(effect)


def heard(client: Client) -> BootReply:
    """An offer, as it comes from the link."""
    config = client.config
    offer = BootReply(
        type=MessageType.OFFER,
        xid=client.asking.xid,
        chaddr=config.hardware,
        address=LEASED,
        server=SERVER,
        lease=3600,
        options=USUAL,
    )
    said = Datagram(SERVER, LEASED, SERVER_PORT, CLIENT_PORT, encode(reply_to_wire(offer)))
    content = decode_frame(encode_frame(EVERYONE, config.hardware, said)).content
    assert isinstance(content, Datagram)
    return reply_from(read(content.payload))
