"""A server on a link, a twin of it, and what is heard on the wire: what scenes of clients share."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.core.server_state import ReceivedRequest
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process
from holdover.reference.linux.storage.journal import read
from holdover.reference.wire.messages import BootReply, BootRequest, reply_from_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import decode

SERVER, FIRST = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
QUICK, SLOW = 12, 20
"""Seconds of a lease; dhcpcd and udhcpc stretch shorter ones than the second."""


def serve(host: Host, journal: Path, lease: int, *more: object, last: int = 20) -> Process:
    """Start `holdover server`, which says a JSON object a line."""
    pool = f"{FIRST}-{FIRST + last}"
    words = f"server eth0 --pool {pool} --lease {lease} --no-probe --json".split()
    server = host.holdover(*words, "--journal", journal, *map(str, more))
    server.says('"started"', PATIENCE)
    return server


def twins(links: Links, *clients: str) -> dict[str, Host]:
    """Hosts for two servers, `good` and `bad`, that look alike; `bad` is unplugged."""
    hosts = links(good=f"{SERVER}/24", bad=f"{SERVER}/24", **dict.fromkeys(clients))
    hosts["bad"].cable("down")
    hosts["bad"].ip("link", "set", "eth0", "address", hosts["good"].hardware)
    return hosts


def swap(hosts: dict[str, Host]) -> None:
    """From here on `bad` is the server; no message is lost that was not on its way."""
    hosts["good"].cable("down")
    hosts["bad"].cable("up")


def requests(journal: Path) -> list[tuple[Instant, BootRequest]]:
    """What a server was asked, and when."""
    return [
        (line.now, line.value.request)
        for line in read(journal)
        if isinstance(line.value, ReceivedRequest)
    ]


def renewed(server: Process, journal: Path, hardware: str) -> bool:
    """Whether a server has granted a client a renewal; a DHCPREQUEST sent again is none."""
    asked = (
        at
        for at, each in requests(journal)
        if each.type is MessageType.REQUEST
        and each.ciaddr != NO_ADDRESS
        and each.chaddr.hex(":") == hardware
    )
    first = next(asked, None)
    return first is not None and any(ack.at >= first for ack in about(server, "DHCPACK", hardware))


HEARS = """
import socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
link.bind((sys.argv[1], 3))
print("hears", flush=True)
while True:
    try:
        print(link.recv(2048).hex(), flush=True)
    except OSError:  # it is unplugged
        pass
"""


def hear(host: Host) -> Process:
    """Hear on the wire what comes from a host, and goes to it."""
    process = host.start_at_switch(sys.executable, "-c", HEARS, host.port)
    process.says("hears", PATIENCE)
    return process


def replies(heard: Process) -> list[BootReply]:
    """The replies that were heard: UDP to port 68, without options of IP."""
    frames = [bytes.fromhex(line) for _, line in heard.said("^[0-9a-f]+$")]
    sent = [frame[42:] for frame in frames if (frame[23], frame[36:38]) == (17, b"\0\x44")]
    return [reply for each in sent if (reply := reply_from_wire(decode(each))) is not None]


def removals(watch: Process, address: IPv4Address = FIRST) -> list[Instant]:
    """When the kernel said that an address was gone."""
    return [at for at, _ in watch.said(rf"^Deleted .* {address}/24 ")]


@dataclass(frozen=True)
class ServerLine:
    """What a server has said of a client: when, of which address, for how many seconds."""

    at: Instant
    address: IPv4Address | None
    lease: int | None

    @property
    def end(self) -> Instant:
        """The server's lease end, by its DHCPACK."""
        assert self.lease is not None
        return self.at + self.lease * SECOND


def about(server: Process, event: str, hardware: str | None = None) -> list[ServerLine]:
    """What a server has said so of a client, or of all."""
    return [
        ServerLine(
            line["at"],
            IPv4Address(line["address"]) if line.get("address") else None,
            line.get("lease"),
        )
        for line in server.events(event)
        if hardware in (None, line["hardware"])
    ]


def machine() -> dict[str, object]:
    """What a client may want to change, and is the machine's."""
    run = ("dhclient.pid", "dhcpcd", "systemd/netif", "NetworkManager", "connman", "dbus/pid")
    kept = ("dhcp", "dhcpcd", "systemd/network", "NetworkManager", "connman", "holdover")
    files = sorted(file for name in kept for file in Path("/var/lib", name).rglob("*"))
    return {
        "there": [name for name in run if Path("/run", name).exists()] + files,
        **{
            name: Path(name).read_text()
            for name in (
                "/etc/resolv.conf",
                "/proc/sys/kernel/hostname",
                "/proc/sys/kernel/domainname",
            )
            if Path(name).exists()
        },
    }
