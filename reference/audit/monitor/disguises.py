"""Hardware addresses that stand for more than one host, or for another one: no duplicate is theirs.

Theory of operation.  Some devices use an address that is not theirs, and rightly: routers that
share one (VRRP, HSRP, GLBP, CARP), proxies that answer for others (RFC 1027, sleeping hosts), and
every router, from whose hardware address packets of the whole world come.  The first are told by
their hardware address, which is of a kind of its own.  The others are told by what they do: a
proxy is seen to use several addresses.

So what counts as a use (`counts`): ARP, but not by a shared hardware address; an IP packet only by
a host that has the address by DHCP or by its own ARP, and that does not forward.

What it does not know: proxies that use one address only; bonds that answer by turns.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv4Address

SHARED: tuple[tuple[bytes, str], ...] = (
    (bytes.fromhex("00005e0001"), "VRRP or CARP (RFC 5798 §7.3)"),
    (bytes.fromhex("00005e0002"), "VRRP for IPv6 (RFC 5798 §7.3)"),
    (bytes.fromhex("00000c07ac"), "HSRP (Cisco)"),
    (bytes.fromhex("00000c9ff0"), "HSRP version 2 (Cisco)"),
    (bytes.fromhex("0007b400"), "GLBP (Cisco)"),
)
"""How the hardware addresses begin that a group of routers shares, and what it is; from memory."""

FORWARDS = 3
"""From so many source addresses on, all by IP, a hardware address is taken for a router's."""

PROXY = 2
"""Who answers ARP for so many addresses is taken for a proxy (or has several: it is not judged)."""

HOSTS = 1 << 16
"""Hardware addresses that are remembered; beyond that, those longest silent are forgotten."""


@lru_cache(maxsize=HOSTS)
def group_of(hardware: bytes) -> str | None:
    """What shares the hardware address; None: no group that is known."""
    return next((what for begins, what in SHARED if hardware.startswith(begins)), None)


class Disguises:
    """Which hosts forward, and which answer for others, by what was seen so far."""

    def __init__(self) -> None:
        self._by_ip: OrderedDict[bytes, set[IPv4Address]] = OrderedDict()
        self._by_arp: OrderedDict[bytes, set[IPv4Address]] = OrderedDict()

    def note(self, hardware: bytes, address: IPv4Address, *, arp: bool) -> None:
        """A host was seen to use an address."""
        seen, most = (self._by_arp, PROXY) if arp else (self._by_ip, FORWARDS)
        known = seen.get(hardware)
        if known is None:
            known = seen[hardware] = set()
            if len(seen) > HOSTS:
                seen.popitem(last=False)
        if len(known) < most:
            known.add(address)

    def forwards(self, hardware: bytes) -> bool:
        """Packets of many come from this hardware address."""
        return len(self._by_ip.get(hardware, ())) >= FORWARDS

    def claims(self, hardware: bytes, address: IPv4Address) -> bool:
        """The host said by ARP that the address is its own."""
        return address in self._by_arp.get(hardware, ())

    def answers_for_others(self, hardware: bytes) -> bool:
        """The host uses several addresses by ARP: it may be a proxy."""
        return len(self._by_arp.get(hardware, ())) >= PROXY
