"""A link told by hand: messages, ARP and IP of hosts, as observations with frame numbers."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from holdover.reference.audit.monitor.context import default_premises
from holdover.reference.audit.monitor.monitor import Monitor
from holdover.reference.audit.monitor.results import Audit, Premises
from holdover.reference.audit.observations import (
    Coverage,
    DhcpMessage,
    Gap,
    Held,
    How,
    Observation,
    Probe,
    Recorded,
    Use,
    Where,
)
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.wire.messages import BootReply, BootRequest
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import ROUTERS, SUBNET_MASK, Options

BEGIN = 1_700_000_000 * SECOND
A, B = IPv4Address("192.0.2.57"), IPv4Address("192.0.2.58")
SERVER, SECOND_SERVER = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
BROADCAST = IPv4Address("255.255.255.255")
ANN, BOB, CID = (bytes((2, 0, 0, 0, 0, n)) for n in (0x0A, 0x0B, 0x0C))
SERVER_MAC, SECOND_MAC = bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2))
LEASE = 600
COMPLETE = default_premises(complete=True)


class Link:
    """Observations in the order of their making; `at` is in seconds after the beginning."""

    def __init__(self, file: str = "link.pcap") -> None:
        self.file, self.seen, self.xid = file, list[Observation](), 100

    def where(self) -> Where:
        return Where(self.file, len(self.seen) + 1)

    def instant(self, at: float) -> Instant:
        return BEGIN + round(at * SECOND)

    def request(self, at: float, message: BootRequest, to: IPv4Address = BROADCAST) -> None:
        source = message.ciaddr
        self.seen.append(
            DhcpMessage(
                self.instant(at),
                self.where(),
                message.chaddr,
                bytes((255,)) * 6,
                source,
                to,
                message,
            )
        )

    def reply(self, at: float, message: BootReply, server_mac: bytes = SERVER_MAC) -> None:
        assert message.server is not None
        self.seen.append(
            DhcpMessage(
                self.instant(at),
                self.where(),
                server_mac,
                message.chaddr,
                message.server,
                BROADCAST,
                message,
            )
        )

    # Whole exchanges -----------------------------------------------------------------------------

    def discover(self, at: float, mac: bytes, **fields: Any) -> int:
        self.xid += 1
        self.request(at, BootRequest(MessageType.DISCOVER, self.xid, mac, **fields))
        return self.xid

    def offer(
        self,
        at: float,
        mac: bytes,
        address: IPv4Address,
        server: IPv4Address = SERVER,
        lease: int = LEASE,
        **fields: Any,
    ) -> None:
        self.reply(
            at,
            BootReply(
                MessageType.OFFER,
                self.xid,
                mac,
                address=address,
                server=server,
                lease=lease,
                **fields,
            ),
            server_mac(server),
        )

    def select(
        self,
        at: float,
        mac: bytes,
        address: IPv4Address,
        server: IPv4Address = SERVER,
        **fields: Any,
    ) -> None:
        self.request(
            at,
            BootRequest(
                MessageType.REQUEST, self.xid, mac, requested=address, server=server, **fields
            ),
        )

    def ack(
        self,
        at: float,
        mac: bytes,
        address: IPv4Address,
        server: IPv4Address = SERVER,
        lease: int = LEASE,
        **fields: Any,
    ) -> None:
        self.reply(
            at,
            BootReply(
                MessageType.ACK,
                self.xid,
                mac,
                address=address,
                server=server,
                lease=lease,
                **fields,
            ),
            server_mac(server),
        )

    def nak(self, at: float, mac: bytes, server: IPv4Address = SERVER) -> None:
        self.reply(at, BootReply(MessageType.NAK, self.xid, mac, server=server), server_mac(server))

    def dora(
        self,
        at: float,
        mac: bytes,
        address: IPv4Address,
        server: IPv4Address = SERVER,
        lease: int = LEASE,
        client_id: bytes | None = None,
        **fields: Any,
    ) -> None:
        """DHCPDISCOVER to DHCPACK within 30 ms; the client asks at `at`."""
        self.discover(at - 0.02, mac, client_id=client_id)
        self.offer(at - 0.01, mac, address, server, lease, client_id=client_id, **fields)
        self.select(at, mac, address, server, client_id=client_id)
        self.ack(at + 0.01, mac, address, server, lease, client_id=client_id, **fields)

    def renew(
        self,
        at: float,
        mac: bytes,
        address: IPv4Address,
        to: IPv4Address = SERVER,
        client_id: bytes | None = None,
    ) -> None:
        """DHCPREQUEST in RENEWING, or in REBINDING where it goes to all."""
        self.xid += 1
        self.request(
            at,
            BootRequest(MessageType.REQUEST, self.xid, mac, ciaddr=address, client_id=client_id),
            to,
        )

    def renewed(self, at: float, mac: bytes, address: IPv4Address, lease: int = LEASE) -> None:
        self.renew(at, mac, address)
        self.ack(at + 0.01, mac, address, lease=lease)

    def reboot(self, at: float, mac: bytes, address: IPv4Address) -> None:
        self.xid += 1
        self.request(at, BootRequest(MessageType.REQUEST, self.xid, mac, requested=address))

    def release(self, at: float, mac: bytes, address: IPv4Address, **fields: Any) -> None:
        self.xid += 1
        self.request(
            at,
            BootRequest(
                MessageType.RELEASE, self.xid, mac, ciaddr=address, **{"server": SERVER, **fields}
            ),
            SERVER,
        )

    def decline(self, at: float, mac: bytes, address: IPv4Address) -> None:
        self.xid += 1
        self.request(
            at, BootRequest(MessageType.DECLINE, self.xid, mac, requested=address, server=SERVER)
        )

    def change(self, **fields: Any) -> None:
        """The last message, otherwise."""
        last = self.seen[-1]
        assert isinstance(last, DhcpMessage)
        self.seen[-1] = last._replace(**fields)

    # Use -----------------------------------------------------------------------------------------

    def use(
        self,
        at: float,
        mac: bytes,
        address: IPv4Address,
        how: How = "ARP",
        vlan: tuple[int, ...] = (),
    ) -> None:
        self.seen.append(Use.once(self.instant(at), self.where(), mac, address, how, vlan))

    def uses(
        self,
        begin: float,
        end: float,
        mac: bytes,
        address: IPv4Address,
        how: How = "ARP",
        every: float = 5.0,
    ) -> None:
        """Again and again, from `begin` to `end`."""
        for step in range(int((end - begin) / every) + 1):
            self.use(begin + step * every, mac, address, how)

    def probe(self, at: float, mac: bytes, address: IPv4Address) -> None:
        self.seen.append(Probe(self.instant(at), self.where(), mac, address))

    def gap(self, since: float | None, until: float | None, why: str = "frames dropped") -> None:
        begin, end = (None if each is None else self.instant(each) for each in (since, until))
        self.seen.append(Gap(begin, end, self.where(), why))

    def held(
        self,
        at: float,
        mac: bytes | None,
        address: IPv4Address,
        *,
        there: bool,
        since: float | None = None,
    ) -> None:
        begin = self.instant(at if since is None else since)
        where = Where("a.log", len(self.seen) + 1)
        self.seen.append(Held(self.instant(at), where, mac, address, there, None, begin))

    def recorded(
        self,
        at: float,
        mac: bytes,
        address: IPv4Address,
        begin: float,
        end: float,
        state: str = "leased",
    ) -> None:
        where = Where("dhcpd.leases", len(self.seen) + 1)
        self.seen.append(
            Recorded(
                self.instant(at),
                where,
                address,
                mac,
                None,
                self.instant(begin),
                self.instant(end),
                state,
                "dhcpd",
            )
        )

    # The audit -----------------------------------------------------------------------------------

    def audit(
        self, end: float, premises: Premises = COMPLETE, monitor: Monitor | None = None
    ) -> Audit:
        """What comes of it, where the sources end at `end`; the observations in order of time."""
        monitor = Monitor(premises) if monitor is None else monitor

        def place(each: Observation) -> Instant:
            if isinstance(each, Gap):
                return each.until or each.since or 0
            return each.at or 0

        for each in sorted(self.seen, key=place):
            monitor.observe(each)
        first = min(place(each) for each in self.seen)
        coverage = Coverage(self.file, first, self.instant(end), len(self.seen))
        return monitor.finish([coverage])


def server_mac(server: IPv4Address) -> bytes:
    return {SERVER: SERVER_MAC, SECOND_SERVER: SECOND_MAC}.get(server, bytes((2, 0, 0, 0, 0, 3)))


def network(mask: str, router: str) -> Options:
    """Options 1 and 3."""
    return Options.known(
        {SUBNET_MASK.code: IPv4Address(mask), ROUTERS.code: (IPv4Address(router),)}
    )


def kinds(audit: Audit) -> list[str]:
    return [found.kind for found in audit.findings]
