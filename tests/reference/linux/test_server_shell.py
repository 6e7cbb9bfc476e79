"""The server's shell without a kernel: what it sends where, what it hears, what a disk costs."""

from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any, cast

import pytest

from holdover.reference.core.config import ServerConfig
from holdover.reference.core.instants import SECOND
from holdover.reference.linux import server as service_module
from holdover.reference.linux.kernel.sockets import LinkSocket, UdpPort
from holdover.reference.linux.server import LOOK, RETRY, Service, alike
from holdover.reference.linux.storage.journal import Journal
from holdover.reference.linux.storage.lease_database import LeaseFile
from holdover.reference.wire.arp import Arp, probe, reply
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    EVERYONE,
    Datagram,
    Frame,
    decode_frame,
    encode_frame,
)
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from_wire,
    request_to_wire,
)
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import decode, encode
from tests.reference.linux.leases_on_disk import NOW, SERVER, full, leases

FIRST, SECOND_ONE = IPv4Address("10.77.0.50"), IPv4Address("10.77.0.51")
OWN = IPv4Interface(f"{SERVER}/24")
HARDWARE, CLIENT = b"\2\0\0\0\0\1", b"\2\0\0\0\0\7"


Sent = Frame | tuple[IPv4Address | int | bytes, ...]
"""A frame; or by UDP source, destination, port and payload."""


class Air:
    """A link and a port on which nothing is lost, and nothing is heard."""

    name, index, hardware = "lo", 1, HARDWARE

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def send(self, data: bytes, *way: IPv4Address | int) -> None:
        if way:
            self.sent.append((*way, data))
        else:
            frame = decode_frame(data)
            assert frame is not None
            self.sent.append(frame)


def service(leases: LeaseFile | None = None, **config: Any) -> tuple[Service, list[Sent]]:
    """A service, and what it sends."""
    air = Air()
    link, port = cast(LinkSocket, air), cast(UdpPort, air)
    usual: dict[str, Any] = {
        "identifier": SERVER,
        "hardware": HARDWARE,
        "pool": (FIRST,),
        "probe_wait": 0,
        "subnet": OWN.network,
    }
    made = ServerConfig(**usual | config)
    return Service(made, link, port, OWN, leases, Journal(None), lambda told: None), air.sent


def records(serving: Service) -> bool:
    """Whether it can store leases, as far as it knows."""
    return serving.server.recording


def said_by(sent: Sent) -> BootReply:
    """The reply that was sent."""
    if isinstance(sent, tuple):
        payload = sent[-1]
        assert isinstance(payload, bytes)
    else:
        assert isinstance(sent.content, Datagram)
        payload = sent.content.payload
    said = reply_from_wire(decode(payload))
    assert said is not None
    return said


def request(
    kind: MessageType, to: IPv4Address = ALL_HOSTS, chaddr: bytes = CLIENT, **said: Any
) -> Frame:
    asked = BootRequest(kind, 9, chaddr, **said)
    payload = encode(request_to_wire(asked))
    return Frame(EVERYONE, CLIENT, Datagram(NO_ADDRESS, to, 68, 67, payload))


RELAY, ELSEWHERE = IPv4Address("10.77.0.60"), IPv4Address("10.88.0.1")


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ({}, (CLIENT, FIRST, 68)),
        ({"broadcast": True}, (EVERYONE, ALL_HOSTS, 68)),
        ({"giaddr": RELAY}, (SERVER, RELAY, 67)),
        ({"giaddr": RELAY, "broadcast": True, "chaddr": bytes(16)}, (SERVER, RELAY, 67)),
        ({"giaddr": ELSEWHERE}, None),
    ],
)
def test_each_reply_takes_the_way_of_rfc_2131_4_1(
    said: dict[str, Any], way: tuple[object, ...] | None
) -> None:
    serving, sent = service()
    serving.take([request(MessageType.DISCOVER, **said)])
    ways: list[tuple[object, ...] | None] = [None] if not sent else []
    for each in sent:
        if isinstance(each, Frame):
            assert isinstance(each.content, Datagram)
            to, port = each.content.destination, each.content.destination_port
            ways.append((each.destination, to, port))
        else:
            ways.append(each[:-1])
    assert ways == [way]


@pytest.mark.parametrize(
    "frame",
    [
        request(MessageType.DISCOVER, to=FIRST),  # on its way to another host
        request(MessageType.DISCOVER, chaddr=bytes(16)),  # no Ethernet client of this link
        Frame(EVERYONE, CLIENT, Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, b"what?")),
    ],
)
def test_what_is_no_message_for_it_is_no_event(frame: Frame) -> None:
    serving, sent = service()
    serving.take([frame])
    assert sent == []


def test_who_answers_a_probe_does_not_lose_to_a_message_before_it() -> None:
    serving, sent = service(pool=(FIRST, SECOND_ONE), probe_wait=1)
    serving.take([request(MessageType.DISCOVER)])
    (asked,) = (frame.content for frame in sent if isinstance(frame, Frame))
    assert isinstance(asked, Arp)
    user = b"\2\0\0\0\0\11"
    other = Frame(HARDWARE, user, reply(asked, user))
    serving.take([request(MessageType.DISCOVER, chaddr=CLIENT[::-1]), other])
    assert serving.server.entry(FIRST).withheld is not None


def test_a_disk_that_is_full_ends_nothing_and_promises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, other = NOW, CLIENT[::-1]
    monkeypatch.setattr(service_module, "boottime", lambda: clock)
    asks = request(MessageType.REQUEST, requested=FIRST, server=SERVER)
    renews = request(MessageType.REQUEST, ciaddr=FIRST)
    with leases(path := tmp_path / "leases") as file:
        serving, sent = service(file, pool=(FIRST, SECOND_ONE), lease=100)
        serving.take([asks])
        clock += 30 * SECOND
        with full(path):
            serving.take([renews])
            serving.take([request(MessageType.DISCOVER, chaddr=other)])
            serving.take(
                [request(MessageType.REQUEST, chaddr=other, requested=SECOND_ONE, server=SERVER)]
            )
            clock += LOOK
            serving.look_after_leases()
            assert not records(serving)
        clock += RETRY
        serving.look_after_leases()
        assert records(serving)
        clock += SECOND
        serving.take([renews])
        before = file.bindings
    got = [said_by(each) for each in sent]
    assert [(each.type, each.lease) for each in got] == [
        (MessageType.ACK, 100),
        (MessageType.ACK, 70),
        (MessageType.NAK, None),
        (MessageType.ACK, 100),
    ]
    with leases(path, clock) as file:
        assert file.bindings == before
        assert dict(before)[FIRST].end == clock + 100 * SECOND


def sent(xid: int, kind: MessageType, chaddr: bytes, **said: Any) -> bytes:
    payload = encode(request_to_wire(BootRequest(kind, xid, chaddr, **said)))
    return encode_frame(EVERYONE, chaddr, Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, payload))


def test_messages_of_one_kind_from_one_client_are_alike() -> None:
    one, other = b"\2" * 6, b"\2" * 5 + b"\3"
    first = sent(1, MessageType.DISCOVER, one)
    assert alike(first) == alike(sent(2, MessageType.DISCOVER, one))
    different = [
        first,
        sent(1, MessageType.DISCOVER, other),
        sent(1, MessageType.REQUEST, one, requested=FIRST),
        sent(1, MessageType.REQUEST, one, ciaddr=FIRST),
        sent(1, MessageType.RELEASE, one, ciaddr=FIRST, server=SERVER),
        sent(1, MessageType.DISCOVER, one, giaddr=SERVER),
        *(encode_frame(EVERYONE, one, probe(one, SERVER + n)) for n in range(2)),
    ]
    assert len({alike(data) for data in different}) == len(different)
    assert all(alike(first[:size]) is not None for size in range(len(first)))
