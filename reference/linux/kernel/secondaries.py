"""That addresses of others stay when the address of a lease goes (`promote_secondaries`).

Theory of operation.  Of the addresses of one subnet on an interface the first is the primary, and
when that is removed, by us or by the kernel at the end of its lifetime, the kernel removes the
others with it: also those that an administrator has added beside the lease's.  The interface's
setting `promote_secondaries` has the next one take its place.  It is switched on while a client
runs, and is what it was afterwards; systemd has it on everywhere.

The setting is read from /proc/sys and written by netlink (IFLA_INET_CONF), which needs no more than
CAP_NET_ADMIN: under the unit /proc/sys is read-only.

Where an address is left behind, by `--once` or by a client that was killed, the setting stays on:
the kernel's removal is still to come.  A successor takes that for what was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pyroute2.netlink import nla, nlmsg

from holdover.reference.linux.kernel.rtnetlink import (
    ACKNOWLEDGE,
    NEW_LINK,
    KernelRefusedError,
    RequestSocket,
    fields,
)

AF_SPEC, AF_INET, INET_CONF, PROMOTE_SECONDARIES = 26, 2, 1, 20
"""IFLA_AF_SPEC, AF_INET, IFLA_INET_CONF, IPV4_DEVCONF_PROMOTE_SECONDARIES (linux/*.h)."""


class _Setting(nla):  # type: ignore[misc]
    nla_map = ((PROMOTE_SECONDARIES, "PROMOTE_SECONDARIES", "uint32"),)


class _Inet(nla):  # type: ignore[misc]
    nla_map = ((INET_CONF, "IFLA_INET_CONF", "conf"),)
    conf = _Setting


class _Families(nla):  # type: ignore[misc]
    nla_map = ((AF_INET, "AF_INET", "inet"),)
    inet = _Inet


class _Link(nlmsg):  # type: ignore[misc]
    """A link with one setting; pyroute2's own reads all of them, and cannot write one."""

    fields = (
        ("family", "B"),
        ("align", "x"),
        ("type", "H"),
        ("index", "i"),
        ("flags", "I"),
        ("change", "I"),
    )
    nla_map = ((AF_SPEC, "IFLA_AF_SPEC", "families"),)
    families = _Families


@contextmanager
def neighbours_stay(name: str, index: int, left: Callable[[], bool]) -> Iterator[None]:
    """Meanwhile an address that goes takes no other with it; and so where one is left behind."""
    setting = Path("/proc/sys/net/ipv4/conf", name, "promote_secondaries")
    try:
        off = setting.read_text().strip() == "0"
    except OSError:  # no IPv4 on it: its MTU is below 68
        off = False
    if not off:
        yield
        return
    promote(index, True)
    try:
        yield
    finally:
        if not left():
            with suppress(KernelRefusedError):  # the interface is gone
                promote(index, False)


def promote(index: int, on: bool) -> None:
    """Switch the setting; Refused where the kernel does not."""
    conf = {"attrs": [("PROMOTE_SECONDARIES", int(on))]}
    inet = {"attrs": [("IFLA_INET_CONF", conf)]}
    families = {"attrs": [("AF_INET", inet)]}
    with closing(RequestSocket()) as asking:
        message = fields(_Link(), ("IFLA_AF_SPEC", families), index=index)
        asking.ask(NEW_LINK, ACKNOWLEDGE, message)
