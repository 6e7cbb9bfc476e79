"""Real clients against `holdover server`; what ours makes of its errors: test_server_errors.py.

Clients share a link and a server, in one line of events: each is granted an address and renews it;
then the server refuses everybody; then it is good again, and those that give their lease back are
told to.  Slow clients have a link of their own, with a longer lease.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from holdover.model.clients.measurements import predict
from holdover.model.clients.profile import load
from holdover.model.errors import InputError
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.experiments.verdict import OBEYED
from holdover.reference.lab.testbed.client_program import ClientProgram, processes
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.command_line import client_from_command
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, eventually
from holdover.reference.linux.kernel.clock import now
from holdover.reference.wire.messages import BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from tests.net.network import (
    QUICK,
    SERVER,
    SLOW,
    ServerLine,
    about,
    machine,
    removals,
    renewed,
    requests,
    serve,
    swap,
    twins,
)
from tests.net.scenes import Site, named, sees
from tests.slow import stretched

KERNEL_LATE = float(load("reference").kernel_late)
"""Seconds that a kernel is late at most."""

LET_GO = 1.5 * OBEYED
"""Seconds after a DHCPNAK in which whoever heeds it has let go, where nothing else runs; networkd,
which does not heed one that is broadcast, was seen to take 2.2 s at least (docs/league.md)."""


# Real clients ------------------------------------------------------------------------------------

QUICK_ONES = (
    "reference",
    "dhclient",
    "dhclient-nolifetime",
    "networkd",
    "networkd-keep",
    "networkmanager",
    "connman",
    "pyroute2",
    "networkd, released",
    "pyroute2, released",
)
SLOW_ONES = ("udhcpc", "udhcpc-lifetime", "dhcpcd-noarp", "dhcpcd, released")

RELEASED_BY = {
    "dhcpcd, released": signal.SIGALRM,
    "networkd, released": signal.SIGTERM,
    "pyroute2, released": signal.SIGINT,
}
"""Who is to give its lease back, and how it is told; udhcpc is in test_server.py."""

KILLED = ("connman", "networkd-keep")
"""Two that set no lifetime and heed no DHCPNAK, to be killed while they hold an address."""


@dataclass(frozen=True)
class RealClient:
    """A client's program, running on a host."""

    program: ClientProgram
    host: Host
    hardware: str
    watch: Process
    process: Process

    def addresses(self) -> frozenset[IPv4Address]:
        """What it holds now."""
        return frozenset(each.ip for each in self.host.addresses())

    def signal(self, number: int) -> None:
        """To each of the client's own processes."""
        for each in processes(self.process):
            with suppress(ProcessLookupError):
                os.kill(each, number)

    @property
    def heeds_nak(self) -> bool:
        """Whether it lets go at once at a DHCPNAK that is broadcast, as its profile says."""
        said = load(str(self.program.profile))
        return (said.heeds_nak, said.after_nak) == ("ALWAYS", "REMOVE")


@dataclass(frozen=True)
class Tenancy:
    """What became of a client on a link; lists of lines are the server's.

    `held`, `routes`: when it had renewed; `left`: when it was killed.  `slow`: by how much the
    machine was slower than one that does nothing else.
    """

    client: RealClient
    address: IPv4Address
    held: frozenset[IPv4Address]
    routes: str
    granted: list[ServerLine]
    renewals: list[BootRequest]
    refused: list[ServerLine]
    slow: float
    given_back: list[ServerLine]
    left: frozenset[IPv4Address]

    @property
    def first_nak(self) -> Instant:
        """When it was refused."""
        return self.refused[0].at

    def gone(self) -> list[Instant]:
        """When its address went."""
        return removals(self.client.watch, self.address)


Tenancies = Mapping[str, Tenancy]


def tenancies(site: Site, names: Sequence[str], lease: int) -> Tenancies:
    """Granted and renewed; given back, or refused."""
    place = site.place
    there = [name for name in names if CLIENTS[name.partition(",")[0]].missing() is None]
    on = {name: f"c{number}" for number, name in enumerate(there)}
    hosts = twins(site.links, *on.values())
    more = ("--router", SERVER, "--dns", SERVER, "--domain", "example.org")
    good = serve(hosts["good"], place / "good", lease, *more)
    bad = serve(hosts["bad"], place / "bad", lease, "--misbehave", "nak")
    clients = {name: begin(name, hosts[number], place) for name, number in on.items()}

    for each in clients.values():
        with suppress(UnheardError):  # the test will tell of it
            granted_anew = partial(renewed, good, place / "good", each.hardware)
            eventually(granted_anew, PATIENCE, "a renewal")
    asked = [request for _, request in requests(place / "good")]
    held = {name: each.addresses() for name, each in clients.items()}
    routes = {name: each.host.ip("route") for name, each in clients.items()}
    granted = {name: about(good, "DHCPACK", each.hardware) for name, each in clients.items()}
    addresses = {name: lines[0].address if lines else None for name, lines in granted.items()}

    for name in RELEASED_BY.keys() & clients:
        clients[name].signal(RELEASED_BY[name])
    for name in RELEASED_BY.keys() & clients:
        with suppress(UnheardError):
            good.says(f'"DHCPRELEASE".*{clients[name].hardware}', PATIENCE)
    given_back = {name: about(good, "DHCPRELEASE", each.hardware) for name, each in clients.items()}

    swap(hosts)
    refused = clients.keys() - RELEASED_BY
    for name in refused:
        with suppress(UnheardError):
            bad.says(f'"DHCPNAK".*{clients[name].hardware}', PATIENCE)
    slow = stretched()
    time.sleep(LET_GO)  # that an address stays is not seen but by watching it for as long
    slow = max(slow, stretched())
    for name in refused:
        if clients[name].heeds_nak:
            with suppress(UnheardError):
                clients[name].watch.says("^Deleted", slow * LET_GO)
    granted = {name: about(good, "DHCPACK", each.hardware) for name, each in clients.items()}
    naks = {name: about(bad, "DHCPNAK", each.hardware) for name, each in clients.items()}
    bad.end()
    left = {name: killed(clients[name]) for name in clients.keys() & KILLED}
    return {
        name: Tenancy(
            client,
            addresses[name] or NO_ADDRESS,
            held[name],
            routes[name],
            granted[name],
            [request for request in asked if request.ciaddr == (addresses[name] or NO_ADDRESS)],
            naks[name],
            slow,
            given_back[name] if name in RELEASED_BY else [],
            left.get(name, frozenset()),
        )
        for name, client in clients.items()
    }


def begin(name: str, host: Host, place: Path) -> RealClient:
    """Start a client on a host."""
    program = CLIENTS[name.partition(",")[0]]
    if name == "pyroute2, released":
        program = replace(program, command=program.command.replace(" -R ", " "))
    watch = host.watch()
    process = program.start(host, place / name.replace(", ", "-"))
    return RealClient(program, host, host.hardware, watch, process)


def killed(client: RealClient) -> frozenset[IPv4Address]:
    """What a client holds that is killed."""
    client.signal(signal.SIGKILL)
    client.process.ended()
    return client.addresses()


quick = named("quick", partial(tenancies, names=QUICK_ONES, lease=QUICK))
slow = named("slow", partial(tenancies, names=SLOW_ONES, lease=SLOW))


@pytest.fixture
def tenancy(seen: Tenancies, name: str) -> Tenancy:
    """What was seen of the client that the test's parameter names."""
    if (missing := CLIENTS[name.partition(",")[0]].missing()) is not None:
        pytest.skip(f"needs {missing}")
    return seen[name]


def tenants(*names: str) -> pytest.MarkDecorator:
    """Make a test look at each of these clients, as `tenancy`."""
    given = [pytest.param(quick if name in QUICK_ONES else slow, name, id=name) for name in names]
    return pytest.mark.parametrize(("seen", "name"), given, indirect=["seen"])


@pytest.fixture(scope="module")
def before() -> dict[str, object]:
    """What the machine was like before any scene."""
    return machine()


@pytest.fixture(scope="module")
def staged(links: Links, before: dict[str, object]) -> Callable[[Path], Site]:
    """Each scene has links of its own."""
    return partial(Site, links)


# A lease -----------------------------------------------------------------------------------------


@tenants(*QUICK_ONES, *SLOW_ONES)
def test_each_client_gets_an_address_of_its_own_and_renews_it(tenancy: Tenancy) -> None:
    assert {line.address for line in tenancy.granted} == {tenancy.address}
    assert len(tenancy.granted) >= 2
    assert MessageType.REQUEST in {request.type for request in tenancy.renewals}
    assert tenancy.held == {tenancy.address}
    assert f"default via {SERVER}" in tenancy.routes
    if tenancy.refused:
        assert not [at for at in tenancy.gone() if at < tenancy.first_nak]


@sees(quick, slow)
def test_no_address_is_leased_twice(seen: Tenancies) -> None:
    assert len({tenancy.address for tenancy in seen.values()}) == len(seen)


# A refusal ---------------------------------------------------------------------------------------


@tenants(*(name for name in (*QUICK_ONES, *SLOW_ONES) if name not in RELEASED_BY))
def test_a_broadcast_nak_to_a_renewal_is_heeded_as_the_profile_says(tenancy: Tenancy) -> None:
    """RFC 2131 §3.1(4): "If the client receives a DHCPNAK message, the client restarts"."""
    heeds = tenancy.client.heeds_nak
    within = LET_GO * (tenancy.slow if heeds else 1)
    seen_until = tenancy.first_nak + int(within * SECOND)
    gone = [at for at in tenancy.gone() if at < seen_until]
    assert bool(gone) == heeds, f"the profile says: {heeds}"
    assert all(tenancy.first_nak <= at < tenancy.granted[-1].end for at in gone)


@tenants("reference")
def test_our_client_says_that_it_was_refused(tenancy: Tenancy) -> None:
    assert tenancy.client.process.events("REFUSED")
    assert not tenancy.client.process.events("LAPSED")


# An end ------------------------------------------------------------------------------------------


@tenants(*RELEASED_BY)
def test_a_lease_that_is_given_back_is_free(tenancy: Tenancy) -> None:
    assert [line.address for line in tenancy.given_back] == [tenancy.address]
    assert tenancy.refused == [], "it is gone"


@tenants(*KILLED)
def test_a_client_that_is_killed_leaves_its_address_behind(tenancy: Tenancy) -> None:
    assert tenancy.address in tenancy.left


SHORT, OUTSTAYED = 4, 5
"""Seconds of a lease, and how long past its end the address is watched."""


@dataclass(frozen=True)
class Tenure:
    """An address that was granted, and what `ip` tells of the interface after it."""

    address: IPv4Address | None
    told: str


def left_behind(site: Site) -> Tenure:
    """Klibc's ipconfig has its address, and ends: what is there when the lease is long over."""
    program = CLIENTS["klibc-ipconfig"]
    if (missing := program.missing()) is not None:
        pytest.skip(f"needs {missing}")
    hosts = site.links(srv=f"{SERVER}/24", c0=None)
    server = serve(hosts["srv"], site.place / "server", SHORT)
    client = program.start(hosts["c0"], site.place / "client")
    assert client.ended() == 0
    (ack,) = about(server, "DHCPACK", hosts["c0"].hardware)
    time.sleep(max(ack.end - now(), 0) / SECOND + OUTSTAYED)  # that it stays is not seen else
    return Tenure(ack.address, hosts["c0"].ip("address", "show", "eth0"))


@sees(left_behind)
def test_klibcs_ipconfig_ends_and_its_address_stays(seen: Tenure) -> None:
    """As its profile said from its source, before it was ever run here."""
    assert f"inet {seen.address}/24" in seen.told
    assert "valid_lft forever" in seen.told
    assert predict("klibc-ipconfig", "server killed", Fraction(SHORT)) is None


# Hooks -------------------------------------------------------------------------------------------

BLOCKED = 6
"""Seconds."""

HELD = ("dhclient-nolifetime", "pyroute2", "udhcpc")
"""Whose address goes after the hook."""

NOT_HELD = ("reference", "dhclient", "dhcpcd-noarp")


def hooks(site: Site) -> Mapping[str, float]:
    """Each has a hook that blocks; the server goes; by how many seconds an address is late."""
    clients = {name: f"c{number}" for number, name in enumerate((*HELD, *NOT_HELD))}
    hosts = site.links(srv=f"{SERVER}/24", **dict.fromkeys(clients.values()))
    server = serve(hosts["srv"], site.place / "server", SLOW)
    watches = {name: hosts[number].watch() for name, number in clients.items()}
    for name, number in clients.items():
        CLIENTS[name].start(hosts[number], site.place / name, hook_blocks=BLOCKED)
    for watch in watches.values():
        watch.says("inet .*/24", PATIENCE)
    server.end()
    seen = {}
    for name, number in clients.items():
        watches[name].says("^Deleted .*/24", PATIENCE)
        acks = about(server, "DHCPACK", hosts[number].hardware)
        assert acks[0].address is not None
        removed = removals(watches[name], acks[0].address)[0]
        # One that let go before the server had ended may have asked for another lease meanwhile.
        seen[name] = (removed - [ack for ack in acks if ack.at < removed][-1].end) / SECOND
    return seen


@sees(hooks)
def test_a_hook_that_blocks_holds_the_address_where_the_process_enforces_the_end(
    seen: Mapping[str, float],
) -> None:
    for name in HELD:
        without = predict(str(CLIENTS[name].profile), "server killed", Fraction(SLOW))
        assert without is not None
        assert seen[name] > without, f"{name}: so late it may be without a hook"


@sees(hooks)
def test_a_hook_that_blocks_does_no_harm_where_the_kernel_does_or_it_comes_later(
    seen: Mapping[str, float],
) -> None:
    assert all(seen[name] <= KERNEL_LATE for name in NOT_HELD), seen


# The machine -------------------------------------------------------------------------------------


@pytest.mark.parametrize("playing", [quick, slow, hooks, left_behind], indirect=True)
def test_nothing_of_the_machine_is_touched(
    playing: Future[object], before: dict[str, object]
) -> None:
    playing.exception(2 * PATIENCE)
    assert machine() == before


# Programs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CLIENTS if name != "dhcpcanon"])
def test_a_client_knows_its_version_and_has_a_profile(name: str) -> None:
    """Debian 12 has no dhcpcanon: it is played from the root of another release."""
    program = CLIENTS[name]
    assert program.profile or not program.usual
    if (missing := program.missing()) is not None:
        pytest.skip(f"needs {missing}")
    assert program.version()[0].isdigit()
    if program.profile is not None:
        assert load(program.profile).name == program.profile


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
