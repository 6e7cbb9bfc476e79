"""What the DHCP captures of three other projects show, told again: no finding, and why.

The captures are Zeek's `testing/btest/Traces/dhcp/dhcp.pcap`, charrua's `test/dhcp.pcap`, and four
of pyroute2's `tests/test_linux/test_dhcp/captures`.  They are not ours to give away, so their
messages stand here, with their times and all that an audit asks of them; the audit of each capture
itself came out as that of what is told (verdict, findings, questions, broken rules).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from holdover.reference.audit.course import Grounding, Sources, run_course
from holdover.reference.audit.report.text import reasons
from holdover.reference.core.instants import SECOND
from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, encode_frame
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import INFINITE
from tests.reference.audit.inputs.captures import SERVER_MAC, START, datagram, pcap

MAC = bytes.fromhex("020000000057")
SHORT = "what was given ends before the lease"
NO_LEASE = "no lease was seen"


def asks(kind: str, xid: int, **more: object) -> BootRequest:
    return BootRequest(MessageType[kind], xid, MAC, **more)  # type: ignore[arg-type]


def says(kind: str, xid: int, **more: object) -> BootReply:
    return BootReply(MessageType[kind], xid, MAC, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Retold:
    """A capture: its messages with their seconds, its server, and what comes of it.

    `damaged`: the numbers of frames whose UDP checksum is wrong.
    """

    server: str
    messages: tuple[tuple[float, BootRequest | BootReply], ...]
    why: str
    verdict: str = "unknown"
    broken: frozenset[str] = frozenset()
    damaged: frozenset[int] = frozenset()

    def frames(self) -> list[tuple[int, bytes]]:
        """As captured."""
        found = []
        for number, (at, message) in enumerate(self.messages, 1):
            server, is_request = IPv4Address(self.server), isinstance(message, BootRequest)
            if isinstance(message, BootReply):
                message = replace(message, server=server)
            sent = datagram(message, None if is_request else server, ALL_HOSTS)
            frame = bytearray(encode_frame(EVERYONE, MAC if is_request else SERVER_MAC, sent))
            frame[-1] ^= number in self.damaged
            found.append((START + int(at * SECOND), bytes(frame)))
        return found


def address(text: str) -> IPv4Address:
    return IPv4Address(text)


IDENTIFIER = b"\1" + MAC
CHARRUA = {"requested": address("192.168.8.20"), "client_id": IDENTIFIER, "lease": 7_776_000}
RENEWED = {"address": address("192.168.186.73"), "lease": 120}
CHOSEN = address("192.168.94.254")

RETOLD = {
    # A client comes back, and has a lease of a day, of which two seconds were captured.  Its
    # server echoes no client identifier: that is R38, an advice as far as RFC 2131 goes.
    "charrua-init-reboot": Retold(
        "192.168.8.1",
        (
            (0, asks("REQUEST", 0x78A18288, **CHARRUA)),
            (2.042792, asks("REQUEST", 0x78A18288, secs=2, **CHARRUA)),
            (
                2.043203,
                says(
                    "ACK",
                    0x78A18288,
                    address=address("192.168.8.20"),
                    lease=86_400,
                    t1=43_200,
                    t2=75_600,
                ),
            ),
        ),
        SHORT,
        broken=frozenset({"R38"}),
    ),
    # A DHCPNAK, and two messages that no client would take: their checksums are wrong.
    "pyroute2-init-reboot-nak": Retold(
        "192.168.186.1",
        (
            (0, says("NAK", 0xDD435A23)),
            (0.264047, says("OFFER", 0xDD435A25, address=address("192.168.186.85"), lease=1)),
            (0.320025, says("ACK", 0xDD435A24, address=address("192.168.186.85"), lease=1)),
        ),
        NO_LEASE,
        damaged=frozenset({2, 3}),
    ),
    # The server's side alone; the last lease of two minutes began with the last frame.
    "pyroute2-renew": Retold(
        "192.168.186.1",
        (
            (0, says("OFFER", 0x12345675, t1=60, t2=105, **RENEWED)),
            (0.003501, says("ACK", 0x12345674, t1=1, t2=105, **RENEWED)),
            (60.095058, says("ACK", 0x12345677, t1=1, t2=101, **RENEWED)),
        ),
        SHORT,
    ),
    "pyroute2-slow-ack": Retold(
        "192.168.94.254",
        (
            (0, asks("DISCOVER", 0x22334455, lease=INFINITE)),
            (0.000001, says("OFFER", 0x22334455, address=address("192.168.94.130"), lease=43_200)),
            (
                0.103683,
                asks(
                    "REQUEST",
                    0x22334455,
                    requested=address("192.168.94.130"),
                    server=CHOSEN,
                    lease=43_200,
                ),
            ),
            (2.047605, says("ACK", 0x22334455, address=address("192.168.94.130"), lease=43_200)),
        ),
        SHORT,
    ),
    # A DHCPREQUEST, and nothing else.
    "pyroute2-truncated": Retold(
        "192.168.42.10",
        (
            (
                0,
                asks(
                    "REQUEST",
                    0x25AD9AA,
                    requested=address("192.168.42.101"),
                    server=address("192.168.42.10"),
                    client_id=IDENTIFIER,
                ),
            ),
        ),
        NO_LEASE,
    ),
    # Made by a tool, with one message of each type: its DHCPRELEASE is broadcast, and names
    # neither an address nor a server.  Whose lease it was to end is not told, so it ends none.
    "zeek-dhcp": Retold(
        "128.2.6.152",
        (
            (0, asks("DISCOVER", 0x7C0, requested=address("192.168.211.194"))),
            (0.004947, says("OFFER", 0x7C0, address=address("128.2.6.97"), lease=900)),
            (
                1.021792,
                asks(
                    "REQUEST",
                    0x7C0,
                    requested=address("192.168.211.194"),
                    server=address("128.2.6.152"),
                ),
            ),
            (1.024456, says("NAK", 0x7C0)),
            (2.03978, asks("REQUEST", 0x7C0, requested=address("128.2.6.189"))),
            (2.048159, says("ACK", 0x7C0, address=address("128.2.6.189"), lease=900)),
            (3.058797, asks("DECLINE", 0x7C0)),
            (4.079755, asks("RELEASE", 0x79C)),
            (5.099034, asks("INFORM", 0x7C4, requested=address("128.2.6.189"), lease=19_841_984)),
        ),
        SHORT,
        verdict="violated",
        broken=frozenset({"R26", "R29"}),
    ),
}


@pytest.mark.parametrize("name", RETOLD)
def test_nobody_is_accused_and_it_is_known_why(name: str, tmp_path: Path) -> None:
    told = RETOLD[name]
    capture = tmp_path / f"{name}.pcap"
    capture.write_bytes(pcap(told.frames(), nano=False))
    found = run_course(Sources((str(capture),)), Grounding.of())
    assert (found.verdict, found.findings) == (told.verdict, ())
    assert any(told.why in line for line in reasons(found)), reasons(found)
    broken = {name for name, rule in found.rules.items() if rule.outcome == "violated"}
    assert broken == told.broken
    assert {each.where.number for each in found.unreadable} == told.damaged
    assert all("checksum" in each.why for each in found.unreadable)
