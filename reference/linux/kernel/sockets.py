"""The link of one interface: whole frames in and out, and the UDP port beside it.

Theory of operation.  A host without an address cannot use the kernel's UDP (RFC 2131 §4.1), so
`LinkSocket` is a packet socket: it sends what it is given and reads whole Ethernet frames.  The
kernel filters for it (classic BPF), before anything is copied: ARP for IPv4, and whole UDP
datagrams to one port; nothing that this host sent, nothing that is for another host, nothing of a
VLAN.  The filter is there before the socket hears anything, so that not one other frame gets in.

A frame of a VLAN has a tag (IEEE 802.1Q) with the VLAN's number, and is for that VLAN's interface,
not for this one.  The number 0 says that it is of none: the tag is there for the priority.  Such a
frame is heard like one without a tag.  Linux has taken a first tag off a frame and put it aside
before a packet socket sees it, whether the network card does so or not; a second one, behind a
first that was 0, is still in the frame, and there is taken off here.

A client sets `awaits` to the xid of its exchange, and of datagrams only replies to that are let
through.  So a flood of others costs it neither time nor room in the queue, and no reply is lost to
it; what the kernel drops, the core would have discarded (RFC 2131 §4.4.1).

`UdpPort` has that port in the kernel's UDP as well.  It takes nothing in; it keeps the kernel from
answering a datagram that the packet socket has read with ICMP *port unreachable*, and it sends from
an address that the interface has, which is how a client renews (RFC 2131 §4.4.5).

What is lost is lost: a frame that cannot be decoded is counted in `refused`; one that a link which
is down, or a full queue, does not take, in `lost`.  DHCP and ARP send again.

What it does not know: whether the link is up (`interface.py`), a hardware address that is changed
while it is open, links other than Ethernet.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address

from holdover.model.errors import InputError
from holdover.reference.linux.kernel.packet_filter import (
    MOST_BYTES,
    attach,
    dhcp_filter,
    reply_rows,
    ret,
)
from holdover.reference.wire.frames import Frame, decode_frame, untag
from holdover.reference.wire.option_values import WireError

ALL_TYPES = 0x0003
"""ETH_P_ALL: a socket bound to one EtherType cannot hear the other."""

ETHERNET_LINK = 1
"""ARPHRD_ETHER."""


RECEIVE_ROOM_FORCED = 33
"""SO_RCVBUFFORCE, likewise: above net.core.rmem_max."""

SEND_FROM = 8
"""IP_PKTINFO, which `socket` names from Python 3.14 on."""


LOST = frozenset({errno.ENETDOWN, errno.ENOBUFS, errno.EAGAIN})
"""What a sender cannot help, and what is over in a while."""

UNREACHABLE = LOST | {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EPERM}
"""The same for UDP: no route; the address is not there any more (EINVAL); a firewall (EPERM)."""


class LinkSocket:
    """Frames of one interface: ARP for IPv4, and UDP datagrams to `port`.

    InputError where there is no such interface, where it is no Ethernet, and without CAP_NET_RAW.
    """

    def __init__(self, interface: str, port: int) -> None:
        self.name = interface
        self.index = interface_index(interface)
        self._port = port
        self._awaits: int | None = -1
        self.refused = 0
        self.lost = 0
        self._arrived = select.poll()
        try:
            # Protocol 0 hears nothing; the filter comes before `bind` names one.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise needs("CAP_NET_RAW", f"to speak DHCP on {interface}") from None
        try:
            self._socket.setblocking(False)
            attach(self._socket, dhcp_filter(port))
            self._socket.bind((interface, ALL_TYPES))
            *_, kind, hardware = self._socket.getsockname()
            if kind != ETHERNET_LINK:
                raise InputError(f"{interface} is no Ethernet interface; choose one that is")
        except BaseException:
            self.close()
            raise
        self.hardware: bytes = hardware
        self._arrived.register(self._socket, select.POLLIN)

    def fileno(self) -> int:
        """For who waits until there is something to read."""
        return self._socket.fileno()

    def make_room(self, size: int) -> None:
        """So many bytes may wait to be read, or as many as the kernel allows."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, RECEIVE_ROOM_FORCED, size)
        except PermissionError:  # in a user namespace
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    @property
    def awaits(self) -> int | None:
        """The xid of the only replies that are let through, if for this host; None: no datagram.

        Before it is set every datagram is.
        """
        return self._awaits

    @awaits.setter
    def awaits(self, xid: int | None) -> None:
        if xid != self._awaits:
            told = reply_rows(xid, self.hardware)
            attach(self._socket, dhcp_filter(self._port, told))
            self._awaits = xid

    def receive(self, most: int = 64, same: Callable[[bytes], object] | None = None) -> list[Frame]:
        """What has arrived, at most so many frames; never waits.

        Of frames that are the `same` only the latest is looked at, in its place.
        """
        arrived: dict[object, bytes] = {}
        for number in range(most):
            if not self._arrived.poll(0):  # it costs less than an error that is raised and caught
                break
            try:
                data = self._socket.recv(MOST_BYTES)
            except OSError as error:
                if error.errno not in LOST:  # EAGAIN: nothing more; ENETDOWN: told once
                    raise
                break
            sort: object = number
            if same is not None:
                sort = same(untag(data))
                arrived.pop(sort, None)
            arrived[sort] = data
        frames: list[Frame] = []
        for data in arrived.values():
            try:
                frames.append(decode_frame(data))
            except WireError:
                self.refused += 1
        return frames

    def send(self, frame: bytes) -> None:
        """Put a frame on the link; where the link cannot take it, it is lost."""
        try:
            self._socket.send(frame)
        except OSError as error:
            if error.errno not in LOST:
                raise
            self.lost += 1

    def close(self) -> None:
        """Hear nothing more."""
        self._socket.close()


class UdpPort:
    """A UDP port of one interface, to send from; what arrives is dropped.

    InputError where another program has it for itself, and without the right to it.
    """

    def __init__(self, interface: str, port: int) -> None:
        self.index = interface_index(interface)
        self.lost = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            attach(self._socket, [ret(0)])
            # A DHCP client of another interface may have it without naming its interface.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0"
            )
            self._socket.bind(("", port))
        except PermissionError:
            self.close()
            raise needs("CAP_NET_BIND_SERVICE", f"to use UDP port {port}") from None
        except OSError as error:
            self.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise InputError(
                f"UDP port {port} is in use; stop the other DHCP program (ss -ulpn shows it)"
            ) from None

    def send(self, payload: bytes, source: IPv4Address, to: IPv4Address, port: int) -> None:
        """Send from an address of the interface; what has no way there is lost."""
        info = struct.pack("=i4s4s", self.index, source.packed, bytes(4))
        control = [(socket.IPPROTO_IP, SEND_FROM, info)]
        try:
            self._socket.sendmsg([payload], control, 0, (str(to), port))
        except OSError as error:
            if error.errno not in UNREACHABLE:
                raise
            self.lost += 1

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def interface_index(interface: str) -> int:
    """The number of an interface; InputError where there is none of the name."""
    try:
        return socket.if_nametoindex(interface)
    except (OSError, ValueError):
        there = ", ".join(sorted(name for _, name in socket.if_nameindex()))
        raise InputError(f"no interface {interface!r}; there are: {there}") from None


def needs(capability: str, purpose: str) -> InputError:
    """What to say where the kernel does not permit it."""
    return InputError(f"no permission {purpose}: run as root, or with {capability}")


# The kernel's filter -----------------------------------------------------------------------------
