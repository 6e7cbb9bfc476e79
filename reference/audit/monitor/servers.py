"""The servers: what network each of them serves, and what it seems to have forgotten.

Theory of operation.  A server is its identifier (option 54).  Its network is that of its last
DHCPOFFER or DHCPACK: the address granted, with the mask of option 1.  Two servers of one link that
serve different networks are not a pair; neither are two that name different routers (option 3).

A server has lost a record where it refuses an address to the client to which it had committed it,
while that lease runs, or does not answer that client's renewal.

What it does not know: who installed a server.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from holdover.reference.audit.monitor.addresses import AddressTrack
from holdover.reference.audit.monitor.exchanges import Asked
from holdover.reference.audit.monitor.results import Evidence
from holdover.reference.audit.monitor.spans import Commitment
from holdover.reference.audit.observations import DhcpMessage, Vlans
from holdover.reference.core.instants import Instant
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import ROUTERS, SUBNET_MASK, Options

SERVERS = 256
"""Servers that are remembered; beyond that, those longest silent are forgotten."""


@dataclass(slots=True)
class ServerTrack:
    """A server, as far as its messages show it."""

    identifier: IPv4Address
    hardware: bytes | None
    first: Instant
    vlan: Vlans = ()
    said: Options | None = None
    mask: IPv4Address | None = None
    network: IPv4Network | None = None
    routers: tuple[IPv4Address, ...] | None = None
    grants: int = 0
    forgot: Evidence | None = None


@lru_cache(maxsize=1 << 16)
def network_of(address: IPv4Address, mask: IPv4Address) -> IPv4Network | None:
    """The network of an address; None: there is no such mask."""
    try:
        return IPv4Network(f"{address}/{mask}", strict=False)
    except ValueError:
        return None


class Servers:
    """All of them."""

    def __init__(self) -> None:
        self.tracks: OrderedDict[IPv4Address, ServerTrack] = OrderedDict()

    def note(self, seen: DhcpMessage, message: BootReply) -> None:
        """What a message says of its server."""
        if message.server is None:
            return
        track = self.tracks.get(message.server)
        if track is None:
            track = ServerTrack(message.server, None, seen.at, seen.vlan)
            self.tracks[message.server] = track
            if len(self.tracks) > SERVERS:
                self.tracks.popitem(last=False)
        self.tracks.move_to_end(message.server)
        if not seen.relayed:
            track.hardware = seen.hardware
        if message.lease is None or message.address == NO_ADDRESS or seen.relayed:
            return
        if track.said is not message.options:
            track.said = message.options
            mask = message.options.get(SUBNET_MASK.code)
            track.mask = mask if isinstance(mask, IPv4Address) else None
            routers = message.options.get(ROUTERS.code)
            given = routers if isinstance(routers, tuple) else ()
            track.routers = tuple(each for each in given if isinstance(each, IPv4Address)) or None
        if track.mask is not None:
            track.network = network_of(message.address, track.mask)
        track.grants += message.type is MessageType.ACK

    def refuse(self, seen: DhcpMessage, message: BootReply, track: AddressTrack) -> None:
        """A DHCPNAK to a client to which this server had committed the address."""
        server = self.tracks.get(message.server) if message.server is not None else None
        for commitment in track.commitments:
            if (
                server is not None
                and commitment.hardware == message.chaddr
                and commitment.server == message.server
                and commitment.runs(seen.at)
            ):
                commitment.refused = seen.at
                server.forgot = Evidence(
                    seen.where,
                    seen.at,
                    f"DHCPNAK for {track.address}, which this server had leased to this client",
                )

    def lost_record(
        self, server: IPv4Address | None, had: Commitment | None, asked: Asked | None
    ) -> Evidence | None:
        """What shows that the server had lost its record when it committed an address again."""
        if server is None or had is None or had.server != server:
            return None
        track = self.tracks.get(server)
        if track is not None and track.forgot is not None and track.forgot.at >= had.begin:
            return track.forgot
        if asked is not None and asked.form == "extending" and asked.last > had.at:
            return Evidence(asked.where, asked.last, "DHCPREQUEST, to which no answer was seen")
        return None

    def are_strangers(self, one: IPv4Address | None, other: IPv4Address | None) -> bool:
        """Two servers that contradict each other about the network."""
        if one is None or other is None:
            return False
        first, second = self.tracks.get(one), self.tracks.get(other)
        if first is None or second is None:
            return False
        apart = (
            first.network is not None
            and second.network is not None
            and not first.network.overlaps(second.network)
        )
        routed = (
            first.routers is not None
            and second.routers is not None
            and first.routers != second.routers
        )
        return apart or routed

    def other_network(
        self, seen: DhcpMessage, message: BootReply, tracks: Iterable[AddressTrack]
    ) -> tuple[IPv4Address, Commitment] | None:
        """The lease of another server, and another network, that this one takes the client from."""
        if seen.relayed or message.server is None:
            return None
        new = self.tracks.get(message.server)
        for track in tracks:
            had = track.current
            if had is None or had.hardware != message.chaddr or had.server is None:
                continue
            if had.server == message.server or not had.runs(seen.at) or track.vlan != seen.vlan:
                continue
            old = self.tracks.get(had.server)
            if (
                old is not None
                and new is not None
                and old.network is not None
                and new.network is not None
                and not old.network.overlaps(new.network)
            ):
                return track.address, had
        return None
