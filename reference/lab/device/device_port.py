"""Whether an interface of the machine may be given to the lab, with the device at its cable.

Theory of operation.  The lab takes over whatever is on the link: it serves leases there, and the
interface itself hears nothing meanwhile.  So it has to be an Ethernet interface that is up, through
which the machine reaches nothing else (no default route), and on whose link no DHCP server answers.
The latter is asked: a DHCPDISCOVER, twice, from the interface's own hardware address; whoever
offers something is another server.  A DHCPDISCOVER commits nobody to anything (RFC 2131 §3.1).

What it does not know: servers that answer some clients only, or later; routes that lead through the
interface to less than everything; what else is plugged in.
"""

from __future__ import annotations

import json
import secrets
import select
import time
from contextlib import closing, suppress
from ipaddress import IPv4Address
from typing import Any

from holdover.model.errors import InputError
from holdover.reference.lab.testbed.netns import run
from holdover.reference.lab.testbed.process import UnheardError
from holdover.reference.linux.kernel.sockets import LinkSocket, interface_index
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, BootRequest, message_in, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode

LISTENS = 2.0
"""Seconds that a server has for its answer, each time; some probe for one before they offer."""

TIMES = 2


def check_interface(name: str) -> None:
    """InputError where the lab must not have the interface."""
    interface_index(name)
    (link,) = ask_ip("ip", "-j", "link", "show", "dev", name)
    if link.get("link_type") != "ether":
        raise InputError(f"{name} is no Ethernet interface; choose one that is")
    if "UP" not in link["flags"]:
        raise InputError(f"{name} is down; set it up first: ip link set {name} up")
    if "LOWER_UP" not in link["flags"]:
        raise InputError(f"{name} has no carrier: plug the device in, and switch it on")
    if "master" in link:
        raise InputError(f"{name} is a port of {link['master']}; take it out of there first")
    for family in ("-4", "-6"):
        routes = ask_ip("ip", "-j", family, "route", "show", "table", "all", "default")
        if any(name in (each.get("dev"), *hops(each)) for each in routes):
            raise InputError(
                f"{name} carries a default route: this machine would lose its network; "
                "choose an interface that leads to the device alone"
            )


def hops(route: dict[str, Any]) -> list[str]:
    """The interfaces of a route that has several."""
    return [each.get("dev", "") for each in route.get("nexthops", ())]


def ask_ip(*command: str) -> list[dict[str, Any]]:
    """What `ip -j` says; InputError with its words where it fails."""
    try:
        found: list[dict[str, Any]] = json.loads(run(*command) or "[]")
    except UnheardError as error:
        raise InputError(str(error)) from None
    return found


def check_no_server(name: str) -> None:
    """InputError where another DHCP server answers on the link."""
    if (found := find_server(name)) is not None:
        raise InputError(
            f"{name}: another DHCP server answers there, {found}: the leases that count would be "
            "its own; take it off the link"
        )


def find_server(name: str) -> IPv4Address | None:
    """A server that offers something on the link of an interface; None: nobody does in time."""
    with closing(LinkSocket(name, CLIENT_PORT)) as link:
        for _ in range(TIMES):
            asked = BootRequest(
                MessageType.DISCOVER, secrets.randbits(32), link.hardware, broadcast=True
            )
            content = Datagram(
                NO_ADDRESS, ALL_HOSTS, CLIENT_PORT, SERVER_PORT, encode(request_to_wire(asked))
            )
            link.send(encode_frame(EVERYONE, link.hardware, content))
            if (found := heard_offer(link, asked.xid)) is not None:
                return found
    return None


def heard_offer(link: LinkSocket, xid: int) -> IPv4Address | None:
    """Who answers a DHCPDISCOVER within LISTENS seconds."""
    end = time.monotonic() + LISTENS
    while (left := end - time.monotonic()) > 0:
        select.select((link,), (), (), left)
        with suppress(OSError):
            for frame in link.receive():
                reply = message_in(frame.content)
                if isinstance(reply, BootReply) and reply.xid == xid:
                    source = frame.content
                    assert isinstance(source, Datagram)
                    return reply.server or source.source
    return None
