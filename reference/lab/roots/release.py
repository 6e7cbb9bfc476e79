"""What a root file system of a Debian release has in it: packages, as data.

Theory of operation.  `packages` are the names that a release is asked for: what the lab's clients
and servers need in it (a shell's tools, a bus), and each DHCP client and server that release has.

What it does not know: versions; the release says them.
"""

from __future__ import annotations

RELEASES = ("bullseye", "bookworm", "trixie", "sid")
"""Those whose packages are known; another one, as a later release, is asked for what sid has."""

TOOLS = ("mount", "procps", "iproute2", "dbus", "busybox")

CLIENTS = ("udhcpc", "systemd", "network-manager", "connman", "iwd", "klibc-utils")

SERVERS = ("udhcpd", "dnsmasq-base")

ISC = ("isc-dhcp-client", "isc-dhcp-server")
"""Its maker has ended it; sid has it no more."""

ONLY: dict[str, tuple[str, ...]] = {
    "bullseye": (*ISC, "dhcpcd5", "dhcpcanon"),
    "bookworm": (*ISC, "dhcpcd-base", "kea-dhcp4-server"),
    "trixie": (*ISC, "dhcpcd-base", "kea-dhcp4-server"),
    "sid": ("dhcpcd-base", "kea-dhcp4-server"),
}
"""What not each release has, or has by this name."""

ABOUT = (400, 2)
"""Megabytes that one takes, and minutes; measured with these packages, on two cores."""


def packages(release: str) -> tuple[str, ...]:
    """The packages that a release is asked for."""
    return (*TOOLS, *CLIENTS, *SERVERS, *ONLY.get(release, ONLY["sid"]))
