"""A scene of random runs: hosts, server and constants, and how the lease table numbers them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from ipaddress import IPv4Address

from holdover.model.clients.profile import Environment, in_ticks, load
from holdover.model.readings.finite import NONE
from holdover.reference.core.config import ClientConfig, ServerConfig
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.core.server_state import ClientKey, Server
from holdover.reference.refinement.cores import DefectError
from holdover.reference.refinement.setting import ClientSetting

SERVER = IPv4Address("192.0.2.254")
SERVER_HARDWARE = bytes((2, 0, 0, 0, 0, 0xFE))
ADDRESSES = tuple(IPv4Address(f"192.0.2.{n}") for n in range(1, 9))
UNUSABLE = IPv4Address("127.0.0.1")
NUMBER = {address: number for number, address in enumerate(ADDRESSES)}

FAULTS = (
    "mutes",
    "loses",
    "duplicates",
    "freezes",
    "thaws",
    "crashes",
    "stops",
    "restarts",
    "forgets",
)


@dataclass(frozen=True)
class Scene(ClientSetting):
    """Hosts with the constants of the RFCs.  `lease` in seconds; waits in units of the clock."""

    delay: Duration = 900_000_000
    start_least: Duration = 1 * SECOND
    start_most: Duration = 10 * SECOND
    faults: tuple[str, ...] = FAULTS
    own_server: bool = False

    def clients(self) -> list[ClientConfig]:
        """The hosts' constants: every second one has an identifier, every third wants broadcast."""
        return [
            ClientConfig(
                hardware=bytes((2, 0, 0, 0, 0, h + 1)),
                client_id=bytes((1, 2, 0, 0, 0, 0, h + 1)) if h % 2 else None,
                broadcast=h % 3 == 2,
                fuzz=0,
                start_least=self.start_least,
                start_most=self.start_most,
            )
            for h in range(self.hosts)
        ]

    def server(self) -> Server | None:
        """Our own server, as it begins; None: the table's serves."""
        if not self.own_server:
            return None
        return Server(
            ServerConfig(
                identifier=SERVER,
                hardware=SERVER_HARDWARE,
                pool=ADDRESSES[: self.addresses],
                lease=self.lease,
                grace=0,
                decline_time=30 * SECOND,
            )
        )

    def constants(self) -> dict[str, object]:
        """The lease table's constants in nanoseconds.

        An offer that a client keeps for `offer_wait` is to the table so much longer under way.
        """
        config = ClientConfig(hardware=bytes(6))
        assert self.delay < self.start_least or "restarts" not in self.faults
        environment = Environment(
            lease=Fraction(self.lease),
            shortest=None if self.shortest is None else Fraction(self.shortest),
            delay=Fraction(self.delay + config.offer_wait, SECOND),
            faults=frozenset(self.faults),
        )
        return in_ticks(load("reference"), environment, Fraction(1, SECOND))


def key(config: ClientConfig) -> ClientKey:
    """Who a client is to our own server."""
    if config.client_id is None:
        return ClientKey(config.hardware, given=False)
    return ClientKey(config.client_id, given=True)


def number_of(address: IPv4Address | None) -> int:
    """An address as the table numbers it."""
    if address == UNUSABLE:
        raise DefectError("unusable", f"the client wants {address}, which no host can have")
    return NONE if address is None else NUMBER[address]


def from_now(instant: Instant | None, now: Instant) -> Instant | None:
    """An instant as the finite reading counts it."""
    return None if instant is None else instant - now
