"""A program of its own: speaks for a host that somebody has configured by hand.

Theory of operation.  The kernel of that host has the address and answers ARP for it.  A kernel
alone says nothing of it, and a host that nobody hears is noticed by nobody.  So this program says
what the network start-up of a host and its traffic say: it announces the address twice (RFC 5227
§2.3), and then asks for the server's hardware address, again and again, as a kernel does whose
entry of a peer has grown old.  Each of these is an ARP packet of another host with the address, a
conflict to whoever has it (RFC 5227 §2.4).

It is started beforehand and says `ready`; at SIGUSR1, when the host has the address, it begins at
once.  So the first conflict is heard when there is one, on a machine that is busy too.

It never gives way, whatever it hears: it is the worst neighbour that a client may have.

What it does not know: DHCP.  It gives the host no address; the lab does.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import chain, repeat

from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.arp import Arp, ArpOperation, announcement
from holdover.reference.wire.frames import CLIENT_PORT, EVERYONE, encode_frame

ANNOUNCE_NUM, ANNOUNCE_INTERVAL = 2, 2.0
"""RFC 5227 §1.1; the interval in seconds."""

ASKS = 5.0
"""Seconds from one question to the next."""


def packets(
    hardware: bytes, address: IPv4Address, peer: IPv4Address
) -> Iterator[tuple[Arp, float]]:
    """What it says, and for how many seconds it is silent afterwards; without an end."""
    told = announcement(hardware, address)
    asked = Arp(ArpOperation.REQUEST, hardware, address, bytes(6), peer)
    return chain(repeat((told, ANNOUNCE_INTERVAL), ANNOUNCE_NUM), repeat((asked, ASKS)))


def main() -> None:
    """Speak for a host with an address, of a peer: ADDRESS PEER."""
    address, peer = map(IPv4Address, sys.argv[1:])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    link = LinkSocket("eth0", CLIENT_PORT)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGUSR1})
    for arp, silence in packets(link.hardware, address, peer):
        link.send(encode_frame(EVERYONE, link.hardware, arp))
        time.sleep(silence)


if __name__ == "__main__":
    main()
