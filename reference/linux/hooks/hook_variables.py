"""What a hook is told: in the words of scripts for dhclient and for udhcpc, both at once.

Theory of operation.  A function from a notice and two leases to an argument and an environment.
`$1` is a word of udhcpc's, `reason` one of dhclient's, `notice` the core's own.

| notice | $1 | reason | new_* and udhcpc's | old_* |
| --- | --- | --- | --- | --- |
| BOUND | bound | BOUND | the lease | what the hook was told before |
| EXTENDED | renew | RENEW | the lease | what the hook was told before |
| LAPSED, CEASED, DECLINED | deconfig | EXPIRE | | what the hook was told before, or the lease |
| REFUSED, TOO_SHORT | deconfig | EXPIRE | | as above |
| STOPPED | deconfig | STOP | | as above |
| REFUSED, TOO_SHORT when there was no lease yet | nak | FAIL | | |
| RELEASED | deconfig | RELEASE | | as for LAPSED |
| UNANSWERED | leasefail | FAIL | | |

dhclient's names are prefixed by `new_` or `old_`, udhcpc's stand alone:

| dhclient | udhcpc | is |
| --- | --- | --- |
| interface (no prefix) | interface | the interface |
| ip_address, subnet_mask, broadcast_address | ip, subnet, broadcast | as configured |
| network_number | | the network's address, as configured |
| | mask | the prefix's length, as configured |
| dhcp_lease_time | lease | seconds left until the address goes; 4294967295: no end |
| dhcp_server_identifier | serverid | the server |
| the rows of `OPTIONS` | the rows of `OPTIONS` | the option, if it was given |

Names and values are those that dhclient 4.4.3-P1 and udhcpc 1.35.0 were seen to give their scripts
for one server's options (tests/reference/linux/test_hook_scripts.py), with these differences.  The
time is what is left when the hook starts, less the margin before the lease's end, rounded down: a
script that hands it to the kernel, as Debian's dhclient-script does, gives the address no more time
than it has.  A time offset west of Greenwich is negative; udhcpc's is that plus 2^32.  Absent are
what dhclient says of itself and its wishes (`pid`, `requested_*`, `dad_wait_time`), of the message
(`dhcp_message_type`, `dhcp_renewal_time`, `dhcp_rebinding_time`, `next_server`) and of the wall
clock (`expiry`), and udhcpc's `siaddr`, `optN` and fields of boot files.

Text is the network's.  A domain or host name that is not made of letters, digits, `-`, `_` and dots
is left out; in other text only printable ASCII is left.  No value has a control character.

What it does not know: whether a script quotes its variables.  RFC 2132 and 3442 name the options.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any

from holdover.reference.core.events import Lease, Notice
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.linux.kernel.parameters import parameters
from holdover.reference.wire.option_values import Route
from holdover.reference.wire.options import (
    BOOTFILE_NAME,
    CLASSLESS_ROUTES,
    DOMAIN_NAME,
    HOST_NAME,
    INFINITE,
    INTERFACE_MTU,
    LOG_SERVERS,
    MESSAGE,
    NAME_SERVERS,
    NETBIOS_NAME_SERVERS,
    NIS_DOMAIN,
    NTP_SERVERS,
    ROUTERS,
    TFTP_SERVER_NAME,
    TIME_OFFSET,
    Option,
    Options,
)

WORDS: dict[Notice, tuple[str, str]] = {
    Notice.BOUND: ("bound", "BOUND"),
    Notice.EXTENDED: ("renew", "RENEW"),
    Notice.LAPSED: ("deconfig", "EXPIRE"),
    Notice.TOO_SHORT: ("deconfig", "EXPIRE"),
    Notice.REFUSED: ("deconfig", "EXPIRE"),
    Notice.DECLINED: ("deconfig", "EXPIRE"),
    Notice.CEASED: ("deconfig", "EXPIRE"),
    Notice.RELEASED: ("deconfig", "RELEASE"),
    Notice.STOPPED: ("deconfig", "STOP"),
    Notice.UNANSWERED: ("leasefail", "FAIL"),
}
"""udhcpc's word and dhclient's."""

NOTHING_HELD = ("nak", "FAIL")
"""For REFUSED and TOO_SHORT without a lease."""

GRANTS = frozenset({Notice.BOUND, Notice.EXTENDED})
"""Notices of an address that is in use."""

NAMES = re.compile(r"\w[\w-]*(\.\w[\w-]*)*\.?( \w[\w-]*(\.\w[\w-]*)*\.?)*", re.ASCII)
"""A domain, or several with spaces between, as some servers have it; never begins with `-`."""


def environment(
    notice: Notice, interface: str, lease: Lease | None, before: Lease | None, now: Instant
) -> tuple[str, dict[str, str]]:
    """The argument and the variables of a hook that starts now; `before`: what it was told last."""
    known = before or lease
    word, reason = WORDS[notice]
    if notice in (Notice.REFUSED, Notice.TOO_SHORT) and known is None:
        word, reason = NOTHING_HELD
    said = {"interface": interface, "reason": reason, "notice": notice.name}
    if notice in GRANTS and lease is not None:
        said |= name_variables("new_", variables(lease, now), udhcpc=True)
        known = before
    if known is not None and word in ("bound", "renew", "deconfig"):
        said |= name_variables("old_", variables(known, now), udhcpc=False)
    return word, said


Said = Iterator[tuple[str, str, str]]
"""dhclient's name and udhcpc's, empty where it has none, and the value."""


def name_variables(prefix: str, said: Said, *, udhcpc: bool) -> dict[str, str]:
    """Values by dhclient's names with that prefix, and by udhcpc's if they are wanted."""
    found: dict[str, str] = {}
    for first, second, text in said:
        if first:
            found[prefix + first] = text
        if second and udhcpc:
            found[second] = text
    return found


def variables(lease: Lease, now: Instant) -> Said:
    """What a lease says."""
    set_to = parameters(lease.address, lease.options)
    network = set_to.address.network
    left = INFINITE if lease.end is None else max((lease.end - now) // SECOND, 0)
    yield "ip_address", "ip", str(lease.address)
    yield "subnet_mask", "subnet", str(network.netmask)
    yield "", "mask", str(network.prefixlen)
    yield "network_number", "", str(network.network_address)
    if set_to.broadcast is not None:
        yield "broadcast_address", "broadcast", str(set_to.broadcast)
    yield "dhcp_lease_time", "lease", str(left)
    yield "dhcp_server_identifier", "serverid", str(lease.server)
    yield from option_variables(lease.options)


def option_variables(options: Options) -> Said:
    """What options say, of those that hooks are told."""
    for option, dhclient, udhcpc, write in OPTIONS:
        value = options.get(option.code)
        if value is not None and (text := write(value)):
            yield dhclient, udhcpc, text
    routes: Any = options.get(CLASSLESS_ROUTES.code)
    if routes is not None:
        numbers = " ".join(" ".join(map(str, octets(route))) for route in routes)
        yield "rfc3442_classless_static_routes", "", numbers
        yield "", "staticroutes", " ".join(f"{each.network} {each.router}" for each in routes)


def octets(route: Route) -> bytes:
    """Width, as many bytes of the network as it covers, router (RFC 3442): dhclient's numbers."""
    return bytes(CLASSLESS_ROUTES.kind.write((route,)))


def addresses(value: tuple[IPv4Address, ...]) -> str:
    """With spaces between."""
    return " ".join(map(str, value))


def name(value: str) -> str:
    """A domain or host name, or nothing where it is none."""
    return value if NAMES.fullmatch(value) else ""


def printable(value: str) -> str:
    """Text without control characters, and without what is not ASCII."""
    return "".join(each for each in value if " " <= each <= "~")


OPTIONS: tuple[tuple[Option[Any], str, str, Callable[[Any], str]], ...] = (
    (TIME_OFFSET, "time_offset", "timezone", str),
    (ROUTERS, "routers", "router", addresses),
    (NAME_SERVERS, "domain_name_servers", "dns", addresses),
    (LOG_SERVERS, "log_servers", "", addresses),
    (HOST_NAME, "host_name", "hostname", name),
    (DOMAIN_NAME, "domain_name", "domain", name),
    (INTERFACE_MTU, "interface_mtu", "mtu", str),
    (NIS_DOMAIN, "nis_domain", "nisdomain", name),
    (NTP_SERVERS, "ntp_servers", "ntpsrv", addresses),
    (NETBIOS_NAME_SERVERS, "netbios_name_servers", "wins", addresses),
    (MESSAGE, "dhcp_message", "message", printable),
    (TFTP_SERVER_NAME, "tftp_server_name", "tftp", printable),
    (BOOTFILE_NAME, "bootfile_name", "bootfile", printable),
)
"""Option, dhclient's name, udhcpc's name, how it is written."""
