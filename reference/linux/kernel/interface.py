"""One interface in the kernel: its address with a lifetime, its routes, its MTU, its link.

Theory of operation.  The address has the lifetime that it is given, preferred as long as valid, and
a mark (IFA_PROTO) by which a later process knows what a killed one has left.  Each route names the
address as its source: the kernel takes it away with the address, also when the lifetime is over and
no process lives.  Routes are found again by protocol and metric, so nothing has to be remembered
about them.

The lifetime counts from when the kernel gets to the request, and that may be long after it was made
(heartbeat.py).  So it is computed when the kernel has just answered, and what it has led to is read
off the clock when the request returns: it has begun by then.  If it ends too late, it is shortened
at once; `TooLateError` where no second is left.  What remains is a lock that is taken between the
answer and the request: then an address is there that should not be, until the next request, or,
where the process is killed meanwhile, for as long as its lifetime.

What is heard of addresses and links is a reason to look, never the truth: a message may be older
than what has been done since, and messages are lost when there are too many.  Only that the link
was down in between is taken from it; a carrier that is soon back makes no message of its own, but
the kernel counts.

What it does not know: why.  Name servers (a hook's business), policy routing, VRFs; an MTU that a
killed process has set, and which was there before.  Before Linux 5.18 there are no marks, and only
the stored lease tells whose an address is.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from holdover.model.errors import InputError
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.linux.kernel import clock
from holdover.reference.linux.kernel.heartbeat import Heartbeat
from holdover.reference.linux.kernel.parameters import Parameters
from holdover.reference.linux.kernel.rtnetlink import (
    ACKNOWLEDGE,
    CREATE,
    DELETE_ADDRESS,
    DELETE_LINK,
    DELETE_ROUTE,
    DUMP,
    EXCLUSIVE,
    GET_ADDRESS,
    GET_LINK,
    GET_ROUTE,
    NEW_ADDRESS,
    NEW_LINK,
    NEW_ROUTE,
    REPLACE,
    Hearing,
    KernelRefusedError,
    RequestSocket,
    encode_request,
    fields,
)
from holdover.reference.linux.kernel.sockets import interface_index, needs
from holdover.reference.wire.option_values import NO_ADDRESS, Route

FOREVER = 0xFFFF_FFFF
"""A lifetime without end (INFINITY_LIFE_TIME)."""

MARK = 104
"""IFA_PROTO of an address that a holdover client has configured; nobody else uses it."""

METRIC = 1000
"""Of routes, plus the interface's number: a default route set by hand goes before."""

PREFIX_AT, LOCAL_AT, ADDRESS_AT, BROADCAST_AT = 17, 28, 36, 44
"""In a request for an address, whose attributes have the order of `_any_address`."""

LIFETIMES = struct.Struct("=2I8x")
"""struct ifa_cacheinfo, which is its end: for how long it is preferred, and valid."""

UP, RUNNING = 0x1, 0x40
"""IFF_UP, IFF_RUNNING."""

MAIN_TABLE, BY_DHCP, UNICAST, ON_LINK_SCOPE, ON_LINK_FLAG = 254, 16, 1, 253, 4
"""Of routes: RT_TABLE_MAIN, RTPROT_DHCP, RTN_UNICAST, RT_SCOPE_LINK, RTNH_F_ONLINK."""


class TooLateError(Exception):
    """The kernel got to it when nothing was left of the lifetime."""


@dataclass(frozen=True, slots=True)
class Link:
    """The state of a link: set up by its administrator, with a carrier; `flaps` counts changes."""

    up: bool
    running: bool
    mtu: int
    flaps: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What was heard: anything at all; that the link was down; that the interface is no more."""

    any: bool = False
    down: bool = False
    vanished: bool = False

    def __or__(self, later: Changes) -> Changes:
        """These, and what was heard after them."""
        return Changes(
            self.any or later.any, self.down or later.down, self.vanished or later.vanished
        )


NOTHING = Changes()


class Interface:
    """An interface, asked and changed by rtnetlink; `heartbeat`: whether the kernel answers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.index = interface_index(name)
        self.metric = METRIC + self.index
        self._usual_mtu: int | None = None
        self._hearing = Hearing()
        self._asking = RequestSocket()
        self._ask = self._asking.ask
        self._beating = RequestSocket()
        beat = encode_request(NEW_LINK, ACKNOWLEDGE, self._link())  # that changes nothing
        self.heartbeat = Heartbeat(lambda: self._beating.ask_encoded(beat))
        self._new_address = self._any_address()

    def fileno(self) -> int:
        """For who waits for changes."""
        return self._hearing.fileno()

    def close(self) -> None:
        """Ask and hear nothing more."""
        self.heartbeat.close()
        self._beating.close()
        self._asking.close()
        self._hearing.close()

    # What is there -------------------------------------------------------------------------------

    def changes(self) -> Changes:
        """What was heard since the last call; never waits."""
        messages, lost = self._hearing.hear()
        if not messages and not lost:
            return NOTHING
        ours = [
            (message["header"]["type"], message)
            for message in messages
            if message.get("index") == self.index
        ]
        return Changes(
            lost or bool(ours),
            any(kind == NEW_LINK and not one["flags"] & RUNNING for kind, one in ours),
            # A bridge says with this type that a port has left it.
            any(kind == DELETE_LINK and one["family"] == socket.AF_UNSPEC for kind, one in ours),
        )

    def link(self) -> Link:
        """The link's state; InputError where the interface is no more."""
        try:
            (found,) = self._ask(GET_LINK, 0, self._link())
        except KernelRefusedError:
            raise InputError(f"the interface {self.name} is gone") from None
        flags = found["flags"]
        return Link(
            bool(flags & UP),
            bool(flags & RUNNING),
            found.get_attr("IFLA_MTU"),
            found.get_attr("IFLA_CARRIER_CHANGES") or 0,
        )

    def addresses(self) -> dict[IPv4Interface, bool]:
        """The interface's IPv4 addresses, and whether each has our mark."""
        return {
            IPv4Interface((one.get_attr("IFA_LOCAL"), one["prefixlen"])): one.get_attr("IFA_PROTO")
            == MARK
            for one in self._ask(GET_ADDRESS, DUMP, fields(ifaddrmsg(), family=socket.AF_INET))
            if one["index"] == self.index
        }

    def has(self, address: IPv4Address) -> bool:
        """Whether it has the address, with whatever prefix."""
        return any(each.ip == address for each in self.addresses())

    # What is done to it --------------------------------------------------------------------------

    def check_permission(self) -> None:
        """InputError where this process may not change the interface."""
        try:
            self._ask(NEW_LINK, ACKNOWLEDGE, self._link())  # that changes nothing
        except KernelRefusedError as error:
            if error.errno != errno.EPERM:
                raise
            raise needs("CAP_NET_ADMIN", f"to configure {self.name}") from None

    def set_up(self, up: bool) -> None:
        """Set the link up or down, as its administrator."""
        self._ask(NEW_LINK, ACKNOWLEDGE, fields(self._link(), flags=UP * up, change=UP))

    def configure(self, wanted: Parameters, until: Instant | None) -> list[str]:
        """Put the address there, or extend it, until then at most; what failed of the rest.

        Waits until the kernel takes requests.  TooLateError where less than a second is left by
        then; the address may be there all the same.
        """
        self._have(wanted, until)
        for other in self.addresses():
            if other.ip == wanted.address.ip and other != wanted.address:
                self._delete(other)  # another prefix is another address to the kernel
        return [*self._set_mtu(wanted.mtu), *self._set_routes(wanted)]

    def _have(self, wanted: Parameters, until: Instant | None) -> None:
        """The address with its lifetime, once it has not begun too late."""
        request = self._new_address
        write_address(request, wanted)
        while True:
            self.heartbeat.answers(None if until is None else until - clock.now())
            valid = lifetime(until, clock.now())
            if valid == 0:
                raise TooLateError
            LIFETIMES.pack_into(request, len(request) - LIFETIMES.size, valid, valid)
            self._asking.ask_encoded(request)
            if until is None or clock.now() + valid * SECOND <= until:
                return

    def remove(self, address: IPv4Address) -> None:
        """Take the address away, and what came with it."""
        for each in self.addresses():
            if each.ip == address:
                self._delete(each)
        self.forget()

    def forget(self) -> None:
        """The address is gone, and its routes with it: the MTU is again what it was."""
        if self._usual_mtu is not None:
            self._set_mtu(self._usual_mtu)
            self._usual_mtu = None

    def _delete(self, address: IPv4Interface) -> None:
        with the_kernel_may_be_first():
            self._ask(DELETE_ADDRESS, ACKNOWLEDGE, self._address(address))

    def _set_mtu(self, mtu: int | None) -> list[str]:
        before = self.link().mtu
        if mtu is None or mtu == before:
            return []
        try:
            self._ask(NEW_LINK, ACKNOWLEDGE, self._link(("IFLA_MTU", mtu)))
        except KernelRefusedError as error:
            return [f"MTU {mtu}: {error.strerror}"]
        if self._usual_mtu is None:
            self._usual_mtu = before
        return []

    def _set_routes(self, wanted: Parameters) -> list[str]:
        """Those that are not there yet; and none that is not wanted any more.

        A router that is in no network of ours is on the link all the same (RFC 3442).
        """
        missing = {route.network: route for route in reversed(wanted.routes)}
        for route, source in list(self.routes()):
            if source == wanted.address.ip and missing.get(route.network) == route:
                del missing[route.network]
            else:
                with the_kernel_may_be_first():
                    self._ask(DELETE_ROUTE, ACKNOWLEDGE, self._route(route, source))
        failed = []
        for route in sorted(missing.values(), key=lambda route: route.router):  # on the link first
            known = route.router == NO_ADDRESS or route.router in wanted.address.network
            message = self._route(route, wanted.address.ip, 0 if known else ON_LINK_FLAG)
            try:
                self._ask(NEW_ROUTE, ACKNOWLEDGE | CREATE | EXCLUSIVE, message)
            except KernelRefusedError as error:
                failed.append(f"route to {route.network} by {route.router}: {error.strerror}")
        return failed

    def routes(self) -> Iterator[tuple[Route, IPv4Address | None]]:
        """The routes that a DHCP client has set here, each with the address it belongs to."""
        for one in self._ask(GET_ROUTE, DUMP, fields(rtmsg(), family=socket.AF_INET)):
            ours = one["proto"], one["table"], one.get_attr("RTA_OIF"), one.get_attr("RTA_PRIORITY")
            if ours == (BY_DHCP, MAIN_TABLE, self.index, self.metric):
                network = IPv4Network((one.get_attr("RTA_DST") or "0.0.0.0", one["dst_len"]))
                router = IPv4Address(one.get_attr("RTA_GATEWAY") or NO_ADDRESS)
                source = one.get_attr("RTA_PREFSRC")
                yield Route(network, router), None if source is None else IPv4Address(source)

    # Messages ------------------------------------------------------------------------------------

    def _link(self, *attributes: tuple[str, object]) -> Any:
        return fields(ifinfmsg(), *attributes, index=self.index)

    def _address(self, address: IPv4Interface, *attributes: tuple[str, object]) -> Any:
        return fields(
            ifaddrmsg(),
            ("IFA_LOCAL", str(address.ip)),
            ("IFA_ADDRESS", str(address.ip)),
            *attributes,
            family=socket.AF_INET,
            prefixlen=address.network.prefixlen,
            index=self.index,
        )

    def _any_address(self) -> bytearray:
        """A request for an address that is written into it: pyroute2 takes as long as the disk."""
        message = self._address(
            IPv4Interface("0.0.0.0/0"),
            ("IFA_BROADCAST", "0.0.0.0"),  # that is none, as to leave it out is
            ("IFA_PROTO", MARK),
            ("IFA_CACHEINFO", {}),
        )
        return encode_request(NEW_ADDRESS, ACKNOWLEDGE | CREATE | REPLACE, message)

    def _route(self, route: Route, source: IPv4Address | None, flags: int = 0) -> Any:
        direct = route.router == NO_ADDRESS
        return fields(
            rtmsg(),
            ("RTA_DST", str(route.network.network_address)),
            ("RTA_OIF", self.index),
            ("RTA_PRIORITY", self.metric),
            *([] if source is None else [("RTA_PREFSRC", str(source))]),
            *([] if direct else [("RTA_GATEWAY", str(route.router))]),
            family=socket.AF_INET,
            dst_len=route.network.prefixlen,
            table=MAIN_TABLE,
            proto=BY_DHCP,
            type=UNICAST,
            scope=ON_LINK_SCOPE if direct else 0,
            flags=flags,
        )


def write_address(request: bytearray, wanted: Parameters) -> None:
    """Into a request that `_any_address` made, all but the lifetime."""
    own, broadcast = wanted.address, wanted.broadcast or NO_ADDRESS
    request[PREFIX_AT] = wanted.address.network.prefixlen
    for at, address in ((LOCAL_AT, own), (ADDRESS_AT, own), (BROADCAST_AT, broadcast)):
        request[at : at + 4] = address.packed


def lifetime(until: Instant | None, now: Instant) -> int:
    """Whole seconds from now that do not end later, or FOREVER; 0: none are left."""
    return FOREVER if until is None else min(max(until - now, 0) // SECOND, FOREVER - 1)


@contextmanager
def the_kernel_may_be_first() -> Iterator[None]:
    """What is to be deleted may be gone by then, its lifetime over, or with the interface."""
    try:
        yield
    except KernelRefusedError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ESRCH):
            raise
