"""`holdover client` against dnsmasq and `holdover server`, each in a namespace; as root only.

The kernel's account (`ip monitor`) says when an address went; the server's lines say until when it
was leased.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from holdover.reference.linux.kernel.clock import now
from tests.net.scenes import errors_of, named, needs, scene, sees
from tests.net.stage import LEASED, OURS, SERVER, Picture, Stage
from tests.schemas import checked_text

LEASE = 120
MARGIN = 2


@pytest.fixture(scope="module")
def forks() -> None:
    """Of no Python: here our programs are started, as a user starts them."""


# A lease -----------------------------------------------------------------------------------------


def dnsmasq(stage: Stage) -> Process:
    """A server that says an MTU, and routes by option 121 beside a router."""
    words = (
        "dnsmasq -k --log-facility=- --conf-file=/dev/null --port=0 --interface=eth0 "
        "--bind-interfaces --except-interface=lo --dhcp-authoritative --log-dhcp --user=root "
        f"--pid-file= --no-ping --dhcp-range={LEASED},{LEASED},255.255.255.0,{LEASE} "
        f"--dhcp-option=3,{SERVER} --dhcp-option=26,1400 --dhcp-option=121,10.9.0.0/16,{SERVER}"
    )
    return stage.srv.start(*words.split(), f"--dhcp-leasefile={stage.place}/dnsmasq")


@dataclass(frozen=True)
class Acquired:
    """A lease of dnsmasq, used by one client after another.

    `bound`: the first one's addresses and their seconds, so many seconds (`passed`) after it said
    BOUND, and the picture of its host.  `second` was started beside it.  `once`, `adopted`:
    addresses that `--once` left behind, and that its successor held when it was killed;
    `interrupted`: whether one was deleted in between.
    """

    bound: dict[IPv4Interface, int]
    passed: float
    picture: Picture
    second: Process
    once: dict[IPv4Interface, int]
    adopted: dict[IPv4Interface, int]
    interrupted: bool


def acquired(stage: Stage) -> Acquired:
    """Probed, used, ended by Ctrl-C; again; adopted; and left by the killed."""
    needs("dnsmasq")
    dnsmasq(stage)
    watch, before = stage.cli.watch(), stage.cli.picture()
    client = stage.client("--hostname", "tenant", "--journal", stage.journal)
    client.says("BOUND", PATIENCE)
    bound, picture = stage.cli.addresses(), stage.cli.picture()
    passed = (now() - client.said("BOUND")[0][0]) / SECOND
    second = stage.client()
    assert second.ended() == 2
    stage.stop(client, before)
    assert stage.stored.exists()

    first = stage.bound("--once")
    assert first.ended() == 0
    once, deleted = stage.cli.addresses(), len(watch.said("Deleted"))
    adopting = stage.client()
    adopting.says("EXTENDED", PATIENCE)
    adopting.signal(signal.SIGKILL)
    adopting.ended()
    interrupted = len(watch.said("Deleted")) != deleted
    adopted = stage.cli.addresses()

    stage.stored.unlink()
    stage.client()
    watch.says("Deleted", PATIENCE, times=deleted + 1)
    assert stage.cli.addresses() == {}, "an address without a lease is removed"
    assert stage.cli.ip("route") == ""
    return Acquired(bound, passed, picture, second, once, adopted, interrupted)


@sees(acquired)
def test_the_address_has_a_lifetime_in_the_kernel_that_ends_before_the_lease(
    seen: Acquired,
) -> None:
    assert set(seen.bound) == {OURS}
    assert LEASE - 20 - seen.passed < seen.bound[OURS] <= LEASE - MARGIN


@sees(acquired)
def test_routes_and_mtu_are_what_the_server_said(seen: Acquired) -> None:
    _, routes, link = seen.picture
    assert f"10.9.0.0/16 via {SERVER} dev eth0 proto dhcp src {LEASED}" in routes
    assert "default" not in routes, "RFC 3442: option 121 leaves none to option 3"
    assert "mtu 1400" in link


@sees(acquired)
def test_a_second_client_for_the_interface_is_refused(seen: Acquired) -> None:
    assert "another holdover client serves eth0" in seen.second.errors[-1]


@sees(acquired)
def test_once_ends_with_an_address_that_goes_by_itself(seen: Acquired) -> None:
    assert 0 < seen.once[OURS] <= LEASE - MARGIN


@sees(acquired)
def test_the_address_of_a_predecessor_is_adopted(seen: Acquired) -> None:
    assert not seen.interrupted, "it was taken away in between"
    assert 0 < seen.adopted[OURS] <= LEASE - MARGIN


# The end of a lease ------------------------------------------------------------------------------


@dataclass(frozen=True)
class AddressGone:
    """Seconds from when the kernel removed an address to the end of the server's lease."""

    early: float


def unserved(stage: Stage) -> AddressGone:
    """Renewed twice; then the server is gone."""
    server, watch = stage.server(), stage.cli.watch()
    client = stage.bound()
    client.says("EXTENDED", PATIENCE, times=2)
    told = client.events("EXTENDED")[-1]
    extended = stage.cli.addresses()
    assert extended[OURS] >= (told["end"] - now()) / SECOND - MARGIN - 2
    server.signal(signal.SIGKILL)
    client.says("LAPSED", PATIENCE)
    found = gone(stage, server, watch)
    assert len(watch.said("Deleted")) == 1, "it went in between"
    told_after_the_fact(client, watch)
    return found


def stopped(number: int) -> Callable[[Stage], AddressGone]:
    """A client that gets a signal it cannot act on, when it has an address."""

    def play(stage: Stage) -> AddressGone:
        server, watch = stage.server(), stage.cli.watch()
        client = stage.bound()
        client.signal(number)
        watch.says("Deleted", PATIENCE)
        found = gone(stage, server, watch)
        if number == signal.SIGSTOP:
            time.sleep(max(0, lease_end(server) - now()) / SECOND)
            client.signal(signal.SIGCONT)
            client.says("LAPSED", PATIENCE)
            told_after_the_fact(client, watch)
        return found

    return play


def gone(stage: Stage, server: Process, watch: Process) -> AddressGone:
    """An address has gone, and its routes with it."""
    assert stage.cli.ip("route") == ""
    return AddressGone((lease_end(server) - watch.said("Deleted")[-1][0]) / SECOND)


def lease_end(server: Process) -> Instant:
    """When the server may lease the address to somebody else."""
    ends = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")]
    return int(ends[-1])


def told_after_the_fact(client: Process, watch: Process) -> None:
    """The user is told that the address is gone when it is."""
    ((at, _),) = client.said("LAPSED")
    assert at >= watch.said("Deleted")[-1][0]


frozen = named("frozen", stopped(signal.SIGSTOP))
killed = named("killed", stopped(signal.SIGKILL))


@sees(unserved, frozen, killed)
def test_the_address_is_gone_before_the_lease_ends(
    seen: AddressGone,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    name = request.node.callspec.id
    record_property(
        "the kernel's removal, before the server's lease end", f"{name}: {seen.early:.2f} s"
    )
    assert seen.early >= 0


# Orders ------------------------------------------------------------------------------------------


@scene
def test_release_on_exit_gives_the_lease_back_and_sets_the_link_down_again(stage: Stage) -> None:
    """In between the cable is pulled out and put in: then the lease is confirmed."""
    server = stage.server("--lease", "120")
    stage.cli.ip("link", "set", "eth0", "down")
    before = stage.cli.picture()
    client = stage.bound("--release-on-exit")
    stage.cli.cable("down")
    stage.cli.cable("up")
    client.says("EXTENDED", PATIENCE)  # long before it would renew
    client.signal(signal.SIGTERM)
    assert client.ended() == 0
    assert stage.cli.picture() == before
    server.says("DHCPRELEASE", PATIENCE)
    assert [each["address"] for each in server.events("DHCPRELEASE")] == [str(LEASED)]
    assert client.events("RELEASED")
    assert not stage.stored.exists()


@scene
def test_dry_run_tells_the_lease_and_touches_nothing(stage: Stage) -> None:
    server, watch, before = stage.server(), stage.cli.watch(), stage.cli.picture()
    stage.cli.ip("link", "set", "eth0", "down")
    down = stage.client("--dry-run")
    down.ended()
    assert errors_of(down) == ["error: eth0 is down; set it up first: ip link set eth0 up"]
    stage.cli.ip("link", "set", "eth0", "up")
    client = stage.client("--dry-run")
    client.says("BOUND", PATIENCE)
    assert client.ended() == 0
    assert stage.cli.picture() == before
    lines = (checked_text(line) for _, line in client.lines)
    (told,) = (line for line in lines if line["event"] != "SILENT")  # a server may be slow
    assert (told["event"], told["address"], told["dry_run"]) == ("BOUND", str(LEASED), True)
    assert len(server.events("DHCPACK")) == 1
    assert watch.lines == []
    assert not stage.state.exists()


@scene
def test_an_address_that_is_in_use_is_declined_and_never_used(stage: Stage) -> None:
    stage.other.ip("addr", "add", str(OURS), "dev", "eth0")
    server, watch = stage.server(), stage.cli.watch()
    client = stage.client()
    client.says("DECLINED", PATIENCE)
    server.says("DHCPDECLINE", PATIENCE)
    assert watch.lines == []
    assert not stage.stored.exists()


# What cannot be ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(links: Links) -> Host:
    """A host without a server."""
    return links(cli=None)["cli"]


def refusal(process: Process) -> str:
    assert process.ended() == 2
    (error,) = errors_of(process)
    return error


def test_a_missing_interface_is_named(alone: Host) -> None:
    assert refusal(alone.holdover("client", "eth7")) == (
        "error: no interface 'eth7'; there are: eth0, lo"
    )


def test_an_interface_that_is_no_ethernet_is_refused(alone: Host) -> None:
    assert "lo is no Ethernet interface" in refusal(alone.holdover("client", "lo"))


@pytest.mark.parametrize("missing", ["net_raw", "net_admin"])
def test_a_missing_permission_is_named(alone: Host, missing: str, tmp_path: Path) -> None:
    needs("setpriv")
    line = refusal(
        alone.holdover(
            "client",
            "eth0",
            "--state-dir",
            tmp_path,
            under=("setpriv", f"--bounding-set=-{missing}"),
        )
    )
    assert f"CAP_{missing.upper()}" in line


def test_an_interface_that_goes_away_ends_the_client(links: Links, tmp_path: Path) -> None:
    host = links(cli=None)["cli"]
    journal = tmp_path / "journal"
    client = host.holdover("client", "eth0", "--state-dir", tmp_path, "--journal", journal)
    eventually(
        lambda: journal.exists() and "Start" in journal.read_text(), PATIENCE, "it has begun"
    )
    host.ip("link", "del", "eth0")
    assert refusal(client) == "error: the interface eth0 is gone"
