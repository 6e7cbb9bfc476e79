"""Real clients against `holdover server`, and our client against its errors.

Real clients share a link and a server, in one line of events: each is granted an address and renews
it; then the server refuses everybody; then it is good again, and those that give their lease back
are told to.  Slow clients have a link of their own, with a longer lease.  In other scenes the
server errs, and ours has to cope.  All scenes play at once; a test looks at what one has seen.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from holdover.model.clients.measurements import predict
from holdover.model.clients.profile import load
from holdover.model.errors import InputError
from holdover.reference.commands.client import by_hardware
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.core.server_state import Arrived, Binding, ClientKey
from holdover.reference.lab.experiments.verdict import OBEYED
from holdover.reference.lab.testbed.client_program import (
    ClientProgram,
    client_from_command,
    processes,
)
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, eventually
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.storage.journal import read
from holdover.reference.linux.storage.lease_database import LeaseFile
from holdover.reference.wire.messages import BootReply, BootRequest, reply_from_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import decode
from tests.slow import stretched

SERVER, FIRST = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
QUICK, SLOW = 12, 20
"""Seconds of a lease; dhcpcd and udhcpc stretch shorter ones than the second."""

KERNEL_LATE, MARGIN = float(load("reference").kernel_late), 5 * SECOND // 2
"""Seconds that a kernel is late at most; by how much our client ends before its lease does."""

LET_GO = 1.5 * OBEYED
"""Seconds after a DHCPNAK in which whoever heeds it has let go, where nothing else runs; networkd,
which does not heed one that is broadcast, was seen to take 2.2 s at least (docs/league.md)."""


# A network ---------------------------------------------------------------------------------------


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
        (line.now, line.value.request) for line in read(journal) if isinstance(line.value, Arrived)
    ]


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


def about(server: Process, event: str, hardware: str) -> list[dict[str, Any]]:
    """What a server has said of a client."""
    return [each for each in server.events(event) if each["hardware"] == hardware]


def end_of(ack: dict[str, Any]) -> Instant:
    """The server's lease end, by its DHCPACK."""
    return int(ack["at"] + ack["lease"] * SECOND)


# Real clients ------------------------------------------------------------------------------------

QUICK_ONES = (
    "reference",
    "dhclient",
    "dhclient-without-lifetime",
    "networkd",
    "networkd-keep",
    "NetworkManager",
    "connman",
    "pyroute2",
    "networkd, released",
    "pyroute2, released",
)
SLOW_ONES = ("udhcpc", "udhcpc-lifetime", "dhcpcd-A", "dhcpcd, released")

RELEASED_BY = {
    "dhcpcd, released": signal.SIGALRM,
    "networkd, released": signal.SIGTERM,
    "pyroute2, released": signal.SIGINT,
}
"""Who is to give its lease back, and how it is told; udhcpc is in test_server.py."""

KILLED = ("connman", "networkd-keep")
"""Two that set no lifetime and heed no DHCPNAK, to be killed while they hold an address."""


@dataclass
class Tenant:
    """A client on a link, and what was seen of it; lists of lines are the server's."""

    program: ClientProgram
    host: Host
    hardware: str
    watch: Process
    process: Process
    address: IPv4Address = NO_ADDRESS
    held: frozenset[IPv4Address] = frozenset()
    routes: str = ""
    granted: list[dict[str, Any]] = field(default_factory=list)
    renewals: list[BootRequest] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    slow: float = 1.0
    given_back: list[dict[str, Any]] = field(default_factory=list)
    left: frozenset[IPv4Address] = frozenset()

    def addresses(self) -> frozenset[IPv4Address]:
        """What it holds now."""
        return frozenset(each.ip for each in self.host.addresses())

    def signal(self, number: int) -> None:
        """To each of the client's own processes."""
        for each in processes(self.process):
            with suppress(ProcessLookupError):
                os.kill(each, number)


def heeds(tenant: Tenant) -> bool:
    """Whether the client lets go at a DHCPNAK that is broadcast, as its profile says."""
    return load(str(tenant.program.profile)).heeds_nak == "ALWAYS"


def tenancies(links: Links, place: Path, names: Sequence[str], lease: int) -> dict[str, Any]:
    """Granted and renewed; given back, or refused."""
    there = [name for name in names if CLIENTS[name.partition(",")[0]].missing() is None]
    clients = {name: f"c{number}" for number, name in enumerate(there)}
    hosts = twins(links, *clients.values())
    more = ("--router", SERVER, "--dns", SERVER, "--domain", "example.org")
    good = serve(hosts["good"], place / "good", lease, *more)
    bad = serve(hosts["bad"], place / "bad", lease, "--misbehave", "nak")
    tenants = {}
    for name, host in ((name, hosts[number]) for name, number in clients.items()):
        program = CLIENTS[name.partition(",")[0]]
        if name == "pyroute2, released":
            program = replace(program, command=program.command.replace(" -R ", " "))
        watch = host.watch()
        process = program.start(host, place / name.replace(", ", "-"))
        tenants[name] = Tenant(program, host, host.hardware, watch, process)

    for each in tenants.values():
        with suppress(UnheardError):  # the test will tell of it
            good.says(f'"DHCPACK".*{each.hardware}', PATIENCE, times=2)
    asked = [request for _, request in requests(place / "good")]
    for each in tenants.values():
        each.held, each.routes = each.addresses(), each.host.ip("route")
        each.granted = about(good, "DHCPACK", each.hardware)
        each.address = IPv4Address(each.granted[0]["address"]) if each.granted else NO_ADDRESS
        each.renewals = [request for request in asked if request.ciaddr == each.address]

    for name in RELEASED_BY.keys() & clients:
        tenants[name].signal(RELEASED_BY[name])
    for name in RELEASED_BY.keys() & clients:
        with suppress(UnheardError):
            good.says(f'"DHCPRELEASE".*{tenants[name].hardware}', PATIENCE)
        tenants[name].given_back = about(good, "DHCPRELEASE", tenants[name].hardware)

    swap(hosts)
    for name in clients.keys() - RELEASED_BY:
        with suppress(UnheardError):
            bad.says(f'"DHCPNAK".*{tenants[name].hardware}', PATIENCE)
    time.sleep(LET_GO)  # that an address stays is not seen but by watching it for as long
    slow = stretched()
    for name in clients.keys() - RELEASED_BY:
        tenants[name].slow = slow
        if heeds(tenants[name]):
            with suppress(UnheardError):
                tenants[name].watch.says("^Deleted", slow * LET_GO)
    for each in tenants.values():
        each.granted = about(good, "DHCPACK", each.hardware)
        each.refused = about(bad, "DHCPNAK", each.hardware)
    bad.end()
    for name in clients.keys() & KILLED:
        tenants[name].signal(signal.SIGKILL)
        tenants[name].process.ended()
        tenants[name].left = tenants[name].addresses()
    return tenants


# Hooks -------------------------------------------------------------------------------------------

BLOCKED = 6
"""Seconds."""

HELD = ("dhclient-without-lifetime", "pyroute2", "udhcpc")
"""Whose address goes after the hook."""

NOT_HELD = ("reference", "dhclient", "dhcpcd-A")


def hooks(links: Links, place: Path) -> dict[str, Any]:
    """Each has a hook that blocks; the server goes; how late after its lease end an address is."""
    clients = {name: f"c{number}" for number, name in enumerate((*HELD, *NOT_HELD))}
    hosts = links(srv=f"{SERVER}/24", **dict.fromkeys(clients.values()))
    server = serve(hosts["srv"], place / "server", SLOW)
    watches = {name: hosts[number].watch() for name, number in clients.items()}
    for name, number in clients.items():
        CLIENTS[name].start(hosts[number], place / name, hook_blocks=BLOCKED)
    for watch in watches.values():
        watch.says("inet .*/24", PATIENCE)
    server.end()
    seen = {}
    for name, number in clients.items():
        watches[name].says("^Deleted .*/24", PATIENCE)
        acks = about(server, "DHCPACK", hosts[number].hardware)
        removed = removals(watches[name], IPv4Address(acks[0]["address"]))[0]
        # One that let go before the server had ended may have asked for another lease meanwhile.
        seen[name] = removed - end_of([ack for ack in acks if ack["at"] < removed][-1])
    return seen


# A client that ends -----------------------------------------------------------------------------

SHORT, OUTSTAYED = 4, 5
"""Seconds of a lease, and how long past its end the address is watched."""


def left_behind(links: Links, place: Path) -> Any:
    """Klibc's ipconfig has its address, and ends: what is there when the lease is long over."""
    program = CLIENTS["klibc-ipconfig"]
    if program.missing() is not None:
        return None
    hosts = links(srv=f"{SERVER}/24", c0=None)
    server = serve(hosts["srv"], place / "server", SHORT)
    client = program.start(hosts["c0"], place / "client")
    status = client.ended()
    (ack,) = about(server, "DHCPACK", hosts["c0"].hardware)
    time.sleep(max(end_of(ack) - now(), 0) / SECOND + OUTSTAYED)  # that it stays is not seen else
    return status, IPv4Address(ack["address"]), hosts["c0"].ip("address", "show", "eth0")


# Errors of the server ----------------------------------------------------------------------------


def ours(host: Host, place: Path, *more: str) -> Process:
    """Start our client on a host."""
    program = CLIENTS["reference"]
    return replace(program, command=" ".join((program.command, *more))).start(host, place)


def bound(host: Host, place: Path) -> Process:
    """Our client on a host, when it has an address."""
    client = ours(host, place, "--no-probe")
    client.says("BOUND", PATIENCE)
    return client


def delayed(links: Links, place: Path) -> dict[str, Any]:
    """A DHCPACK comes 6 s after the DHCPREQUEST, which has been sent twice by then."""
    hosts = links(srv=f"{SERVER}/24", cli=None)
    server = serve(hosts["srv"], place / "server", 16, "--misbehave", "ack-delay=6s")
    watch = hosts["cli"].watch()
    bound(hosts["cli"], place / "cli")
    server.end()
    asked = [at for at, each in requests(place / "server") if each.type is MessageType.REQUEST]
    watch.says("Deleted", PATIENCE)
    (ack,) = server.events("DHCPACK")
    return {"asked": asked, "acked": ack["at"], "end": asked[0] + 16 * SECOND, "watch": watch}


def shortened(links: Links, place: Path) -> dict[str, Any]:
    """A renewal is granted 6 s, when twice as much was left."""
    hosts = links(srv=f"{SERVER}/24", cli=None)
    server = serve(hosts["srv"], place / "server", 24, "--misbehave", "shorten=6s")
    watch = hosts["cli"].watch()
    bound(hosts["cli"], place / "cli")
    server.says("DHCPACK", PATIENCE, times=2)
    server.end()
    watch.says("Deleted", PATIENCE)
    first, second, *more = server.events("DHCPACK")
    return {"first": first, "second": second, "end": end_of([second, *more][-1]), "watch": watch}


def forgotten(links: Links, place: Path) -> dict[str, Any]:
    """The server loses its leases; renewals get no answer.

    The client is there first: its lease is to begin well before that.
    """
    hosts = links(srv=f"{SERVER}/24", cli=None)
    watch, journal = hosts["cli"].watch(), place / "cli" / "journal"
    client = ours(hosts["cli"], place / "cli", "--no-probe")
    eventually(
        lambda: journal.exists() and "Start" in journal.read_text(), PATIENCE, "it has begun"
    )
    server = serve(hosts["srv"], place / "server", QUICK, "--misbehave", "forget-at=25s")
    client.says("BOUND", PATIENCE)
    at, _ = server.says("unbound", PATIENCE)
    watch.says("Deleted", PATIENCE)
    (*_, ack) = (each for each in server.events("DHCPACK") if each["at"] < at)
    later = [each for when, each in requests(place / "server") if when > at]
    return {"later": later, "end": end_of(ack), "watch": watch}


def reused(links: Links, place: Path) -> dict[str, Any]:
    """The only address is leased to another while its lease runs; the other one probes."""
    hosts = links(srv=f"{SERVER}/24", cli=None, other=None)
    # So long that it is not renewed meanwhile.
    server = serve(hosts["srv"], place / "server", 3600, "--misbehave", "reuse-early", last=0)
    watches = {name: hosts[name].watch() for name in ("cli", "other")}
    bound(hosts["cli"], place / "cli")
    other = ours(hosts["other"], place / "other")
    other.says("DECLINED", PATIENCE)
    server.says("DHCPDECLINE", PATIENCE)
    acks = {name: about(server, "DHCPACK", hosts[name].hardware) for name in watches}
    return {"acks": acks, "watches": watches}


def wrong(what: str, links: Links, place: Path) -> dict[str, Any]:
    """A server has a twin whose every reply is wrong; one client renews, another one begins.

    The twin has a lease on record that is not over for long; so it has an answer.
    """
    hosts = twins(links, "cli", "other")
    good = serve(hosts["good"], place / "good", QUICK)
    key = ClientKey(by_hardware(octets(hosts["cli"])), given=True)
    with closing(LeaseFile(place / "leases", SERVER, now())) as file:
        file.put(FIRST, Binding(key, now() + 1000 * SECOND), now())
    kept = ("--leases", place / "leases")
    bad = serve(hosts["bad"], place / "bad", QUICK, *kept, "--misbehave", what)
    watch, watched, heard = hosts["cli"].watch(), hosts["other"].watch(), hear(hosts["bad"])
    client = bound(hosts["cli"], place / "cli")
    swap(hosts)
    other = ours(hosts["other"], place / "other", "--no-probe")
    at, _ = bad.says(f"DHCPOFFER.*{hosts['other'].hardware}", PATIENCE)
    then = eventually(lambda: goes_on(place / "bad", hosts["other"], at), PATIENCE, "it goes on")
    watch.says("Deleted", PATIENCE)
    (*_, ack) = good.events("DHCPACK")
    return {
        "asked": {request.xid for _, request in requests(place / "bad")},
        "heard": replies(heard),
        "extended": client.said("EXTENDED"),
        "end": end_of(ack),
        "watch": watch,
        "then": then,
        "watched": watched.lines,
        "bound": other.said("BOUND"),
    }


def goes_on(journal: Path, host: Host, instant: Instant) -> list[BootRequest]:
    """What a host has asked for later than that."""
    hardware = octets(host)
    return [each for at, each in requests(journal) if at > instant and each.chaddr == hardware]


def octets(host: Host) -> bytes:
    """The hardware address of a host."""
    return bytes.fromhex(host.hardware.replace(":", ""))


# Scenes ------------------------------------------------------------------------------------------

SCENES: dict[str, Callable[[Links, Path], dict[str, Any]]] = {
    "quick": partial(tenancies, names=QUICK_ONES, lease=QUICK),
    "slow": partial(tenancies, names=SLOW_ONES, lease=SLOW),
    "hooks": hooks,
    "delayed": delayed,
    "shortened": shortened,
    "forgotten": forgotten,
    "reused": reused,
    "wrong-xid": partial(wrong, "wrong-xid"),
    "wrong-server": partial(wrong, "wrong-server"),
    "wrong-client-id": partial(wrong, "wrong-client-id"),
    "left-behind": left_behind,
}


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


@pytest.fixture(scope="module")
def scenes(links: Links, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All scenes, from when they are first wanted; and what the machine was like before."""
    place = tmp_path_factory.mktemp("clients")
    seen: dict[str, Any] = {"machine": machine()}
    with ThreadPoolExecutor(len(SCENES)) as pool:
        try:
            for name, played in SCENES.items():
                (place / name).mkdir()
                seen[name] = pool.submit(played, links, place / name)
            yield seen
        finally:
            links.end()  # a scene that is still played fails at once


@pytest.fixture
def tenant(scenes: dict[str, Any], request: pytest.FixtureRequest) -> Tenant:
    """What was seen of the client that the test's parameter names."""
    program = CLIENTS[request.param.partition(",")[0]]
    if (missing := program.missing()) is not None:
        pytest.skip(f"needs {missing}")
    scene: Future[dict[str, Tenant]] = scenes["quick" if request.param in QUICK_ONES else "slow"]
    return scene.result(2 * PATIENCE)[request.param]


@pytest.fixture
def seen(scenes: dict[str, Any], request: pytest.FixtureRequest) -> Any:
    """What the scene that the test's parameter names has seen."""
    return scenes[request.param].result(2 * PATIENCE)


def named(fixture: str, *names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(fixture, names, indirect=True)


# A lease -----------------------------------------------------------------------------------------


@named("tenant", *QUICK_ONES, *SLOW_ONES)
def test_each_client_gets_an_address_of_its_own_and_renews_it(tenant: Tenant) -> None:
    assert {line["address"] for line in tenant.granted} == {str(tenant.address)}
    assert len(tenant.granted) >= 2
    assert MessageType.REQUEST in {request.type for request in tenant.renewals}
    assert tenant.held == {tenant.address}
    assert f"default via {SERVER}" in tenant.routes
    if tenant.refused:
        assert not [at for at in removals(tenant.watch, tenant.address) if at < first_nak(tenant)]


@pytest.mark.parametrize("scene", ["quick", "slow"])
def test_no_address_is_leased_twice(scenes: dict[str, Any], scene: str) -> None:
    tenants = scenes[scene].result(2 * PATIENCE).values()
    assert len({tenant.address for tenant in tenants}) == len(tenants)


def test_nothing_of_the_machine_is_touched(scenes: dict[str, Any]) -> None:
    for name in SCENES:
        scenes[name].exception(2 * PATIENCE)
    assert machine() == scenes["machine"]


# A refusal ---------------------------------------------------------------------------------------


def first_nak(tenant: Tenant) -> Instant:
    return int(tenant.refused[0]["at"])


@named("tenant", *(name for name in (*QUICK_ONES, *SLOW_ONES) if name not in RELEASED_BY))
def test_a_broadcast_nak_to_a_renewal_is_heeded_as_the_profile_says(tenant: Tenant) -> None:
    """RFC 2131 §3.1(4): "If the client receives a DHCPNAK message, the client restarts"."""
    within = LET_GO * (tenant.slow if heeds(tenant) else 1)
    seen_until = first_nak(tenant) + int(within * SECOND)
    gone = [at for at in removals(tenant.watch, tenant.address) if at < seen_until]
    assert bool(gone) == heeds(tenant), f"the profile says: {heeds(tenant)}"
    assert all(first_nak(tenant) <= at < end_of(tenant.granted[-1]) for at in gone)


@named("tenant", "reference")
def test_our_client_says_that_it_was_refused(tenant: Tenant) -> None:
    assert tenant.process.events("REFUSED")
    assert not tenant.process.events("LAPSED")


# An end ------------------------------------------------------------------------------------------


@named("tenant", *RELEASED_BY)
def test_a_lease_that_is_given_back_is_free(tenant: Tenant) -> None:
    assert [line["address"] for line in tenant.given_back] == [str(tenant.address)]
    assert tenant.refused == [], "it is gone"


@named("tenant", *KILLED)
def test_a_client_that_is_killed_leaves_its_address_behind(tenant: Tenant) -> None:
    assert tenant.address in tenant.left


@named("seen", "left-behind")
def test_klibcs_ipconfig_ends_and_its_address_stays(seen: Any) -> None:
    """As its profile said from its source, before it was ever run here."""
    if seen is None:
        pytest.skip(f"needs {CLIENTS['klibc-ipconfig'].missing()}")
    status, address, told = seen
    assert status == 0
    assert f"inet {address}/24" in told
    assert "valid_lft forever" in told
    assert predict("klibc-ipconfig", "server killed", Fraction(SHORT)) is None


@named("seen", "hooks")
def test_a_hook_that_blocks_holds_the_address_where_the_process_enforces_the_end(seen: Any) -> None:
    late = {name: seen[name] / SECOND for name in HELD}
    for name in HELD:
        without = predict(str(CLIENTS[name].profile), "server killed", Fraction(SLOW))
        assert without is not None
        assert late[name] > without, f"{name}: so late it may be without a hook"


@named("seen", "hooks")
def test_a_hook_that_blocks_does_no_harm_where_the_kernel_does_or_it_comes_later(seen: Any) -> None:
    late = {name: seen[name] / SECOND for name in NOT_HELD}
    assert all(late[name] <= KERNEL_LATE for name in NOT_HELD), late


# Errors of the server ----------------------------------------------------------------------------


@named("seen", "delayed", "shortened", "forgotten", "wrong-xid", "wrong-server", "wrong-client-id")
def test_however_the_server_errs_our_client_holds_no_address_past_its_lease(
    seen: Any, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    early = (seen["end"] - removals(seen["watch"])[0]) / SECOND
    record_property("removed before the server's lease end", f"{early:.2f} s")
    assert early >= 0


@named("seen", "delayed")
def test_a_lease_is_counted_from_the_request_however_late_the_ack(seen: Any) -> None:
    """RFC 2131 §4.4.1: "the sum of the time at which the client sent the DHCPREQUEST"."""
    assert len(seen["asked"]) == 2, "it asked again, and got one answer"
    assert seen["acked"] >= seen["asked"][0] + 6 * SECOND


@named("seen", "shortened")
def test_a_renewal_may_shorten_a_lease(seen: Any) -> None:
    assert seen["second"]["lease"] == 6
    assert end_of(seen["second"]) < end_of(seen["first"]) - MARGIN


@named("seen", "forgotten")
def test_a_server_that_has_forgotten_a_lease_is_silent_to_its_renewal(seen: Any) -> None:
    """RFC 2131 §4.3.2: "the server ... MUST remain silent"; there it is about INIT-REBOOT."""
    assert seen["later"][0].ciaddr == FIRST


@named("seen", "reused")
def test_an_address_that_is_reused_too_early_is_declined_by_who_probes(seen: Any) -> None:
    (mine,), (other,) = seen["acks"]["cli"], seen["acks"]["other"]
    assert mine["address"] == other["address"] == str(FIRST)
    assert other["at"] < end_of(mine)
    assert seen["watches"]["other"].lines == [], "it never had the address"
    assert removals(seen["watches"]["cli"]) == [], "its lease runs on"


def has_wrong_xid(seen: Any, reply: BootReply) -> bool:
    return reply.xid ^ 1 in seen["asked"]


def has_wrong_server(seen: Any, reply: BootReply) -> bool:
    return reply.server != SERVER


def has_wrong_client_id(seen: Any, reply: BootReply) -> bool:
    return reply.client_id is not None and reply.client_id.endswith(b"?")


ERRORS: dict[str, tuple[Callable[[Any, BootReply], bool], MessageType]] = {
    "wrong-xid": (has_wrong_xid, MessageType.DISCOVER),
    "wrong-server": (has_wrong_server, MessageType.REQUEST),
    "wrong-client-id": (has_wrong_client_id, MessageType.DISCOVER),
}
"""How the error looks on the wire, and what our client sends after such a DHCPOFFER."""


@named("seen", *ERRORS)
def test_a_wrong_reply_extends_no_lease(seen: Any, request: pytest.FixtureRequest) -> None:
    is_wrong, _ = ERRORS[request.node.callspec.params["seen"]]
    renewed = [each for each in seen["heard"] if each.ciaddr == FIRST]
    assert renewed, "no renewal was answered"
    assert all(is_wrong(seen, each) for each in renewed)
    assert seen["extended"] == []


@named("seen", *ERRORS)
def test_a_wrong_reply_binds_nobody(seen: Any, request: pytest.FixtureRequest) -> None:
    is_wrong, goes_on_with = ERRORS[request.node.callspec.params["seen"]]
    offers = [each for each in seen["heard"] if each.type is MessageType.OFFER]
    assert offers, "no DHCPOFFER was heard"
    assert all(is_wrong(seen, each) for each in offers)
    assert seen["then"][0].type is goes_on_with
    assert (seen["then"][0].server == SERVER + -1) == (goes_on_with is MessageType.REQUEST)
    assert seen["bound"] == []
    assert seen["watched"] == []


# Programs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_knows_its_version_and_has_a_profile(name: str) -> None:
    program = CLIENTS[name]
    if (missing := program.missing()) is not None:
        pytest.skip(f"needs {missing}")
    assert program.version()[0].isdigit()
    assert load(str(program.profile)).name == program.profile


def test_a_command_line_is_a_client() -> None:
    program = client_from_command("nosuch-client -i {iface}")
    assert (program.name, program.missing()) == ("nosuch-client -i {iface}", "nosuch-client")
    with pytest.raises(UnheardError, match="says no version"):
        program.version()


@pytest.mark.parametrize(
    ("command", "reason"),
    [("", "a command line"), ("udhcpc 'x", "No closing quotation"), ("udhcpc {face}", "{face}")],
)
def test_what_is_no_command_line_is_refused(command: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        client_from_command(command)


def test_a_client_without_hooks_cannot_have_one_that_blocks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="networkd has no hook"):
        CLIENTS["networkd"].start(None, tmp_path, hook_blocks=1)  # type: ignore[arg-type]
