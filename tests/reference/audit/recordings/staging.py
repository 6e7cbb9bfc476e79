"""What the recordings of the audit show: for each kind of blame, how the lab is made to show it.

Theory of operation.  A `Staged` is a cell of the lab (reference/lab/experiments/experiment.py) with
a fault of its own where the lab has none: who is to blame is known, because it was done on purpose.
Hosts are those of the lab's scene: `srv` the server, `a` the client, `b` another host, and `other`
where a second server is wanted.  `culprits` names hosts; the record has their hardware addresses.

What it does not know: how it is recorded and kept (`make.py`), and what the audit says of it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from types import MappingProxyType

from holdover.reference.lab.experiments.fault import Fault
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import Host
from holdover.reference.lab.testbed.scene import ANOTHER, LEASED, OWN, Scene
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder

SECOND_SERVER = IPv4Interface("10.77.0.3/24")
"""Another server's address."""

ROGUE, FOREIGN = IPv4Interface("192.168.77.1/24"), IPv4Address("192.168.77.180")
"""Where it is of another network, as a router that somebody brought from home; what it leases."""

STAYS = """#!/bin/sh
case ${1:-$reason} in
bound | renew) ip -4 addr replace "$ip/$mask" dev "$interface" ;;
BOUND | RENEW | REBIND | REBOOT)
  ip -4 addr replace "$new_ip_address/$new_subnet_mask" dev "$interface" ;;
PREINIT | deconfig) ip link set "$interface" up ;;
TIMEOUT) exit 1 ;;
esac
"""
"""A script for udhcpc or dhclient that configures addresses, and never removes one."""

KEEPS = "udhcpc -f -i {iface} -s {place}/script"
KEEPER = CLIENTS["dhclient-nolifetime"].command.replace(" {hook}", "")
CLONED = "udhcpc -f -i {iface} -s /etc/udhcpc/default.script -x 61:00636c6f6e65"
"""The client identifier `clone` (type 0), whichever host runs it."""

GIVES_BACK = "dhclient -4 -r -cf /run/dhclient.conf -lf {place}/leases -pf /run/dhclient.pid"
RELEASER = f"sh -c '(sleep 8; {GIVES_BACK} -sf {{place}}/script {{iface}}) & {KEEPER}; sleep 100'"
"""dhclient, and another one that ends it and gives its lease back; the shell outlives both."""


PROBES = """#!/bin/sh
ask() {
  for each in 1 2 3 4 5; do busybox arping -D -c 1 -w 1 -I "$interface" "$1"; sleep 1; done
}
case ${1:-$reason} in
bound) ask "$ip"; ip -4 addr replace "$ip/$mask" dev "$interface" ;;
renew) ip -4 addr replace "$ip/$mask" dev "$interface" ;;
BOUND)
  ask "$new_ip_address"
  ip -4 addr replace "$new_ip_address/$new_subnet_mask" dev "$interface" ;;
PREINIT) ip link set "$interface" up ;;
deconfig) ip link set "$interface" up; ip -4 addr flush dev "$interface" ;;
EXPIRE) ip -4 addr flush dev "$interface" ;;
TIMEOUT) exit 1 ;;
esac
"""
"""A script that asks by ARP whether an address is in use, and takes it whatever the answer is."""


def keeper(name: str) -> ClientProgram:
    """One of two clients with a script that never removes an address."""
    given = CLIENTS["udhcpc" if name == "udhcpc" else "dhclient-nolifetime"]
    command = KEEPS if name == "udhcpc" else given.command
    return replace(given, name=f"{name} that keeps", script=STAYS, command=command, hook=None)


def deaf(name: str) -> ClientProgram:
    """The same with a script that asks who has an address, and does not care."""
    return replace(keeper(name), name=f"{name} that does not care", script=PROBES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A recording.  `kind`: what the audit has to find, "" where it has to find nothing.

    `culprits`: the hosts that may be named; `rival`: what runs on `b`.  `talks`: `a` sends a packet
    each second, so that the wire shows whether it has the address.  `second`: what is played with a
    host `other`, in the place of the fault.  `before`: is done to the hosts before all else.
    """

    name: str
    kind: str
    culprits: tuple[str, ...] = ("a",)
    client: ClientProgram
    server: str = "holdover"
    fault: Fault
    lease: int
    rival: ClientProgram | None = None
    talks: bool = False
    second: Callable[[Scene, Host], None] | None = None
    before: Callable[[Mapping[str, Host]], None] | None = None
    window: float = 15.0


def talk(host: Host) -> None:
    """A packet each second from now on, if the host has an address to send it from."""
    ping = f"busybox ping -c 1 -W 1 -s 8 {OWN.ip}"
    host.start("sh", "-c", f"while :; do {ping} >/dev/null 2>&1; sleep 1; done")


# What the lab has no fault for -------------------------------------------------------------------


def give_back(scene: Scene) -> None:
    """The client sends DHCPRELEASE at a signal, and keeps the address."""
    scene.signal_client(signal.SIGUSR2)
    scene.wait(12)


def wait_for_release(scene: Scene) -> None:
    """Its own setup has it send DHCPRELEASE by and by."""
    scene.until(lambda: scene._mine("DHCPRELEASE"), 60, "the client gives its lease back")
    scene.wait(10)


def give_to_another(scene: Scene) -> None:
    """Another host is given the address by hand; the server is gone."""
    assert scene.b is not None
    scene.end_server()
    scene.b.ip("addr", "add", f"{LEASED}/{scene.order.own.network.prefixlen}", "dev", "eth0")
    scene.mark("another host has the address")


def take_and_announce(scene: Scene) -> None:
    """Another host has the address by hand and says so, again and again; the client stays."""
    give_to_another(scene)
    assert scene.b is not None
    for _ in range(6):
        scene.b.start("busybox", "arping", "-A", "-c", "1", "-I", "eth0", str(LEASED)).ended()
        scene.a.start("busybox", "arping", "-U", "-c", "1", "-I", "eth0", str(LEASED)).ended()
        scene.wait(1)


def has_it_by_hand(hosts: Mapping[str, Host]) -> None:
    """Another host has the address before the client comes."""
    hosts["b"].ip("addr", "add", f"{LEASED}/{OWN.network.prefixlen}", "dev", "eth0")
    talk(hosts["b"])


def go_on(scene: Scene) -> None:
    """For a while all goes on; then the server is gone."""
    scene.wait(6)
    scene.end_server()


def settle_by_hand(scene: Scene) -> None:
    """Another host has the address by hand, and talks."""
    give_to_another(scene)
    assert scene.b is not None
    talk(scene.b)


def commit_again(scene: Scene) -> None:
    """The server reuses the address while its lease runs."""
    scene.end_server()
    scene.server = scene.prepare_server(
        scene.place / "server", scene.order, "--misbehave", "reuse-early"
    )
    scene.server.signal(signal.SIGUSR1)
    scene.server.says('"started"', 60)
    scene.give_to_rival()
    scene.wait(4)
    scene.end_server()


def clone(scene: Scene) -> None:
    """Another host asks with the same client identifier, and is granted the same address."""
    scene.give_to_rival()
    scene.wait(6)
    scene.end_server()


def split(server: str) -> Callable[[Scene, Host], None]:
    """The server falls silent; a second one, that knows nothing of its leases, serves the pool."""

    def play(scene: Scene, other: Host) -> None:
        scene.end_server()
        order = replace(scene.order, own=SECOND_SERVER)
        second = SERVERS[server].start(other, scene.place / "second", order)
        scene.mark("second server started")
        scene.give_to_rival()
        scene.wait(4)
        second.end()
        scene.mark("second server ended")

    return play


def intrude(name: str) -> Callable[[Scene, Host], None]:
    """A server of another network answers the client, which begins anew, before its own does."""

    def play(scene: Scene, other: Host) -> None:
        other.ip("addr", "add", str(ROGUE), "dev", "eth0")
        other.ip("addr", "del", str(SECOND_SERVER), "dev", "eth0")
        order = ServerOrder(own=ROGUE, first=FOREIGN, last=FOREIGN, lease=scene.lease)
        rogue = SERVERS["udhcpd"].start(other, scene.place / "second", order)
        scene.mark("second server started")
        signal_server(scene, signal.SIGSTOP)
        begin_anew(scene, CLIENTS[name])
        scene.until(lambda: granted(scene, FOREIGN), 60, "the client has a lease of the rogue")
        signal_server(scene, signal.SIGCONT)
        scene.wait(4)
        rogue.end()
        scene.mark("second server ended")
        scene.end_server()

    return play


def signal_server(scene: Scene, number: int) -> None:
    """Send a signal to all processes of the server."""
    assert scene.server is not None
    for process in scene.server.tree():
        os.kill(process, number)


def granted(scene: Scene, address: IPv4Address) -> bool:
    """Whether the client was granted that address."""
    return any(ack["address"] == str(address) for ack in scene._mine("DHCPACK"))


def begin_anew(scene: Scene, client: ClientProgram) -> None:
    """The client is killed, and another one started in its place that knows of no lease."""
    scene.signal_client(signal.SIGKILL)
    client.start(scene.a, scene.place / "again")


def take_another(scene: Scene) -> None:
    """The client begins anew, and is leased another address; nobody removes the first one."""
    scene.end_server()
    order = replace(scene.order, first=ANOTHER, last=ANOTHER)
    server = SERVERS["holdover"].start(scene.srv, scene.place / "another", order)
    scene.mark("server started with another pool")
    begin_anew(scene, keeper("udhcpc"))
    scene.until(lambda: granted(scene, ANOTHER), 60, "the client has another lease")
    scene.wait(6)
    server.end()


def forget(scene: Scene) -> None:
    """The server has lost its leases, leaves a renewal unanswered, and gives the address away."""
    scene.lose_leases()
    asked = len(scene._mine("DHCPREQUEST"))
    scene.until(
        lambda: len(scene._mine("DHCPREQUEST")) > asked, 2 * scene.lease, "the client renews"
    )
    scene.wait(1)
    scene.give_to_rival()
    scene.wait(6)
    scene.end_server()


AWAY = FAULTS["given away"].gives_away


def own(name: str, play: Callable[[Scene], None], *, rival: bool = False) -> Fault:
    """A fault that the lab does not have; a rival begins when `play` begins it."""
    return Fault(name, name, play, rival=rival, gives_away=AWAY)


def nothing(scene: Scene) -> None:
    """What is played is played with a second server (`Staged.second`)."""


CLONE = replace(CLIENTS["udhcpc"], name="udhcpc cloned", command=CLONED, hook=None)

# The table ---------------------------------------------------------------------------------------

TABLE = (
    Staged(
        name="holdover-udhcpc",
        kind="client_holdover",
        client=CLIENTS["udhcpc"],
        fault=FAULTS["server killed"],
        lease=10,
        talks=True,
        window=25,
    ),
    Staged(
        name="holdover-dhclient-frozen",
        kind="client_holdover",
        client=CLIENTS["dhclient-nolifetime"],
        server="kea",
        fault=FAULTS["frozen"],
        lease=10,
        rival=CLIENTS["dhclient"],
        talks=True,
        window=30,
    ),
    Staged(
        name="holdover-klibc",
        kind="client_holdover",
        client=CLIENTS["klibc-ipconfig"],
        server="kea",
        fault=FAULTS["server killed"],
        lease=10,
        talks=True,
    ),
    Staged(
        name="released-udhcpc",
        kind="used_after_release",
        client=keeper("udhcpc"),
        fault=own("gives back", give_back),
        lease=30,
        talks=True,
    ),
    Staged(
        name="released-dhclient",
        kind="used_after_release",
        client=replace(keeper("dhclient"), command=RELEASER),
        fault=own("gives back by and by", wait_for_release),
        lease=40,
        talks=True,
    ),
    Staged(
        name="nak-udhcpc",
        kind="nak_ignored",
        client=keeper("udhcpc"),
        fault=FAULTS["NAK"],
        lease=20,
        talks=True,
    ),
    Staged(
        name="nak-networkmanager",
        kind="nak_ignored",
        client=CLIENTS["networkmanager"],
        fault=FAULTS["NAK unicast"],
        lease=20,
        talks=True,
    ),
    *(
        Staged(
            name=f"conflict-{name}",
            kind="conflict_ignored",
            culprits=("a", "b"),
            client=deaf(name),
            server="kea",
            fault=own("does not care", go_on, rival=True),
            lease=40,
            talks=True,
            before=has_it_by_hand,
        )
        for name in ("udhcpc", "dhclient")
    ),
    *(
        Staged(
            name=f"forgetful-{server}",
            kind="forgetful_server",
            culprits=("srv",),
            client=CLIENTS["udhcpc-lifetime"],
            server=server,
            fault=own("forgets", forget, rival=True),
            lease=40,
            rival=CLIENTS["dhclient"],
            talks=True,
        )
        for server in ("holdover", "udhcpd")
    ),
    Staged(
        name="recommit-reference",
        kind="server_recommit",
        culprits=("srv",),
        client=CLIENTS["reference"],
        fault=own("reuses early", commit_again, rival=True),
        lease=40,
        rival=CLIENTS["dhclient"],
    ),
    Staged(
        name="recommit-udhcpc",
        kind="server_recommit",
        culprits=("srv",),
        client=CLIENTS["udhcpc-lifetime"],
        fault=own("reuses early", commit_again, rival=True),
        lease=40,
        rival=CLIENTS["pyroute2"],
        talks=True,
    ),
    *(
        Staged(
            name=f"rogue-{client}",
            kind="rogue_server",
            culprits=("other",),
            client=CLIENTS[client],
            server=server,
            fault=own("intrudes", nothing, rival=True),
            second=intrude(client),
            lease=40,
        )
        for client, server in (("udhcpc", "kea"), ("udhcpc-lifetime", "isc"))
    ),
    Staged(
        name="split-kea",
        kind="two_servers",
        culprits=("srv", "other"),
        client=CLIENTS["dhclient"],
        server="kea",
        fault=own("split kea", nothing, rival=True),
        second=split("kea"),
        lease=40,
        rival=CLIENTS["dhclient"],
    ),
    Staged(
        name="split-isc",
        kind="two_servers",
        culprits=("srv", "other"),
        client=CLIENTS["udhcpc-lifetime"],
        server="isc",
        fault=own("split isc", nothing, rival=True),
        second=split("isc"),
        lease=40,
        rival=CLIENTS["dhclient"],
        talks=True,
    ),
    Staged(
        name="static-dhclient",
        kind="static_host",
        culprits=("b",),
        client=CLIENTS["dhclient"],
        fault=own("settles", settle_by_hand, rival=True),
        lease=20,
    ),
    Staged(
        name="static-reference",
        kind="static_host",
        culprits=("b",),
        client=CLIENTS["reference"],
        fault=own("settles", settle_by_hand, rival=True),
        lease=20,
        talks=True,
    ),
    Staged(
        name="static-announces",
        kind="static_host",
        culprits=("b",),
        client=CLIENTS["udhcpc-lifetime"],
        fault=own("announces", take_and_announce, rival=True),
        lease=40,
    ),
    Staged(
        name="clones-holdover",
        kind="same_client_id",
        culprits=("a", "b"),
        client=CLONE,
        fault=own("cloned", clone, rival=True),
        lease=40,
        rival=CLONE,
    ),
    Staged(
        name="clones-kea",
        kind="same_client_id",
        culprits=("a", "b"),
        client=CLONE,
        server="kea",
        fault=own("cloned", clone, rival=True),
        lease=40,
        rival=CLONE,
        talks=True,
    ),
    *(
        Staged(
            name=f"two-addresses-{name}",
            kind="two_addresses",
            client=keeper(name),
            fault=own("takes another", take_another),
            lease=30,
            talks=True,
        )
        for name in ("udhcpc", "dhclient")
    ),
    *(
        Staged(
            name=f"reference-{fault.replace(' ', '-').replace('--9', '-9').lower()}",
            kind="",
            culprits=(),
            client=CLIENTS["reference"],
            server=server,
            fault=FAULTS[fault],
            lease=12,
            rival=rival,
            talks=True,
        )
        for fault, server, rival in (
            ("server killed", "kea", None),
            ("frozen", "holdover", CLIENTS["dhclient"]),
            ("kill -9", "isc", CLIENTS["pyroute2"]),
            ("NAK", "holdover", None),
            ("NAK and offer", "holdover", None),
            ("hook", "udhcpd", None),
            ("link flap", "kea", None),
        )
    ),
)

STAGED: Mapping[str, Staged] = MappingProxyType({each.name: each for each in TABLE})
"""Every recording, by name."""
