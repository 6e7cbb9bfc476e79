"""What a lease says about an interface: options 1, 3, 26, 28 and 121.

Theory of operation.  A function from an address and options to what is to be configured, without a
kernel; what options leave open is filled in here, and the wish that no interface could fulfil is
left out.

What it does not know: what of it the kernel accepts.  RFC 791, 950 and 3442 are cited from memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from holdover.reference.wire.option_values import NO_ADDRESS, Route
from holdover.reference.wire.options import (
    BROADCAST_ADDRESS,
    CLASSLESS_ROUTES,
    INTERFACE_MTU,
    ROUTERS,
    SUBNET_MASK,
    Options,
)

SMALLEST_MTU = 576
"""RFC 791: what every host takes.  Option 26 may say 68, with which no DHCP message would fit."""

EVERYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a lease says about an interface."""

    address: IPv4Interface
    broadcast: IPv4Address | None
    routes: tuple[Route, ...]
    mtu: int | None


@lru_cache(maxsize=1)
def parameters(address: IPv4Address, options: Options) -> Parameters:
    """Options 1, 28, 121 or else 3 (RFC 3442: never both), and 26.

    An offer, its lease and that lease's extensions mostly say the same.
    """
    mask, mtu = options.of(SUBNET_MASK), options.of(INTERFACE_MTU)
    interface = IPv4Interface((address, prefix_length(mask, address)))
    network = interface.network
    usual = network.broadcast_address if network.prefixlen <= 30 else None
    routes = options.of(CLASSLESS_ROUTES)
    if routes is None:
        routers = (options.of(ROUTERS) or ())[:1]  # RFC 2132 §3.5: in order of preference
        routes = tuple(Route(EVERYWHERE, each) for each in routers if each != NO_ADDRESS)
    return Parameters(
        interface,
        options.of(BROADCAST_ADDRESS) or usual,
        routes,
        None if mtu is None or mtu < SMALLEST_MTU else mtu,
    )


def left_out(options: Options) -> list[str]:
    """What a lease says that is not configured, with the reason."""
    mtu = options.of(INTERFACE_MTU)
    if mtu is None or mtu >= SMALLEST_MTU:
        return []
    return [f"MTU {mtu}: less than {SMALLEST_MTU}, and no DHCP message might fit"]


def prefix_length(mask: IPv4Address | None, address: IPv4Address) -> int:
    """Of a mask; where it is absent or has holes, of the address's class (RFC 950 §2.1)."""
    if mask is not None:
        host = int(mask) ^ 0xFFFF_FFFF
        if not host & (host + 1):
            return 32 - host.bit_length()
    first = address.packed[0]
    return 8 if first < 128 else 16 if first < 192 else 24
