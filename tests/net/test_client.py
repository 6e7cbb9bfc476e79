"""`holdover client` against dnsmasq and `holdover server`, each in a namespace; as root only.

Scenes take their time and need little else, so all of them play at once; a test looks at what one
of them has seen.  The kernel's account (`ip monitor`) says when an address went; the server's lines
say until when it was leased.
"""

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial, reduce
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from operator import and_, or_
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdover.model.errors import InputError
from holdover.reference.commands.client import by_hardware, client_id, code, wishes
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Configure,
    Effect,
    Event,
    Gone,
    Lease,
    Received,
    Send,
    Start,
    Timer,
)
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.linux.client import ClientShell, Orders, chance
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.kernel.interface import Changes, Link
from holdover.reference.linux.kernel.parameters import left_out, parameters, prefix_length
from holdover.reference.wire.frames import EVERYONE, Datagram, Frame
from holdover.reference.wire.messages import BootReply, BootRequest, reply_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, Route
from holdover.reference.wire.options import (
    CLASSLESS_ROUTES,
    HOST_NAME,
    INTERFACE_MTU,
    PARAMETER_REQUEST_LIST,
    ROUTERS,
    SUBNET_MASK,
    Options,
)
from holdover.reference.wire.packet import encode
from tests.net.scenes import errors_of, played, scene

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
OURS = IPv4Interface("10.77.0.50/24")
LEASE, RENEWED = 120, 10
MARGIN = 2


# Scenes ------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """A link with a server, a client and another host; and where the client keeps its lease."""

    srv: Any
    cli: Any
    other: Any
    state: Path

    def dnsmasq(self) -> Any:
        words = (
            "dnsmasq -k --log-facility=- --conf-file=/dev/null --port=0 --interface=eth0 "
            "--bind-interfaces --except-interface=lo --dhcp-authoritative --log-dhcp --user=root "
            f"--pid-file= --no-ping --dhcp-range={LEASED},{LEASED},255.255.255.0,{LEASE} "
            f"--dhcp-option=3,{SERVER} --dhcp-option=26,1400 --dhcp-option=121,10.9.0.0/16,{SERVER}"
        )
        return self.srv.start(*words.split(), f"--dhcp-leasefile={self.state}.dnsmasq")

    def server(self, *more: str) -> Any:
        words = f"server eth0 --pool {LEASED} --lease {RENEWED} --router {SERVER} --no-probe --json"
        process = self.srv.holdover(*words.split(), *more)
        process.says("started", PATIENCE)
        return process

    def client(self, *more: str | Path) -> Any:
        return self.cli.holdover("client", "eth0", "--state-dir", self.state, "--json", *more)

    def bound(self, *more: str | Path) -> Any:
        process = self.client("--no-probe", *more)
        process.says("BOUND", PATIENCE)
        return process


def acquired(stage: Stage) -> dict[str, Any]:
    """A lease of dnsmasq: probed, used, ended by Ctrl-C; again; adopted; and left by the killed."""
    stage.dnsmasq()
    watch, before = stage.cli.watch(), stage.cli.picture()
    journal = stage.state.with_suffix(".journal")
    client = stage.client("--hostname", "tenant", "--journal", journal)
    client.says("BOUND", PATIENCE)
    seen: dict[str, Any] = {"addresses": stage.cli.addresses(), "picture": stage.cli.picture()}
    seen["passed"] = (now() - client.said("BOUND")[0][0]) / SECOND
    seen["second"] = stage.client()
    seen["second status"] = seen["second"].ended()
    client.signal(signal.SIGINT)
    seen |= {"status": client.ended(), "before": before, "after": stage.cli.picture()}
    seen["stored"] = (stage.state / "eth0.json").exists()

    once = stage.client("--no-probe", "--once")
    once.says("BOUND", PATIENCE)
    seen |= {"once status": once.ended(), "once": stage.cli.addresses()}

    deleted = len(watch.said("Deleted"))
    adopting = stage.client()
    adopting.says("EXTENDED", PATIENCE)
    adopting.signal(signal.SIGKILL)
    adopting.ended()
    seen |= {"adopted": len(watch.said("Deleted")) == deleted, "left": stage.cli.addresses()}

    (stage.state / "eth0.json").unlink()
    stage.client()
    watch.says("Deleted", PATIENCE, times=deleted + 1)
    seen |= {"removed": stage.cli.addresses(), "routes": stage.cli.ip("route")}
    return seen


def unserved(stage: Stage) -> dict[str, Any]:
    """Renewed twice; then the server is gone."""
    server, watch = stage.server(), stage.cli.watch()
    client = stage.bound()
    client.says("EXTENDED", PATIENCE, times=2)
    extended = stage.cli.addresses()
    passed = (now() - client.said("EXTENDED")[-1][0]) / SECOND
    server.signal(signal.SIGKILL)
    client.says("LAPSED", PATIENCE)
    return gone(stage, server, watch) | {"extended": extended, "passed": passed, "client": client}


def stopped(number: int) -> Callable[[Stage], dict[str, Any]]:
    """A client that gets a signal it cannot act on, when it has an address."""

    def scene(stage: Stage) -> dict[str, Any]:
        server, watch = stage.server(), stage.cli.watch()
        client = stage.bound()
        client.signal(number)
        watch.says("Deleted", PATIENCE)
        seen = gone(stage, server, watch) | {"client": client}
        if number == signal.SIGSTOP:
            time.sleep(max(0, seen["end"] - now()) / SECOND)
            client.signal(signal.SIGCONT)
            client.says("LAPSED", PATIENCE)
        return seen

    return scene


def gone(stage: Stage, server: Any, watch: Any) -> dict[str, Any]:
    """When the address went, and when the server may lease it to somebody else."""
    ends = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")]
    deleted = [at for at, _ in watch.said("Deleted")]
    return {"deleted": deleted, "end": ends[-1], "routes": stage.cli.ip("route")}


def released(stage: Stage) -> dict[str, Any]:
    """A link that is down; a cable pulled out and put in; then the lease is given back."""
    server = stage.server("--lease", "120")
    stage.cli.ip("link", "set", "eth0", "down")
    before = stage.cli.picture()
    client = stage.bound("--release-on-exit")
    stage.cli.cable("down")
    stage.cli.cable("up")
    client.says("EXTENDED", PATIENCE)  # long before it would renew
    client.signal(signal.SIGTERM)
    status = client.ended()
    server.says("DHCPRELEASE", PATIENCE)
    return {
        "status": status,
        "before": before,
        "after": stage.cli.picture(),
        "client": client,
        "stored": (stage.state / "eth0.json").exists(),
        "released": server.events("DHCPRELEASE"),
    }


def dry_run(stage: Stage) -> dict[str, Any]:
    """Asked for, and not touched."""
    server, watch, before = stage.server(), stage.cli.watch(), stage.cli.picture()
    stage.cli.ip("link", "set", "eth0", "down")
    down = stage.client("--dry-run")
    down.ended()
    stage.cli.ip("link", "set", "eth0", "up")
    client = stage.client("--dry-run")
    client.says("BOUND", PATIENCE)
    status = client.ended()
    return {
        "status": status,
        "before": before,
        "after": stage.cli.picture(),
        "client": client,
        "watched": watch.lines,
        "down": down,
        "stored": stage.state.exists(),
        "acks": server.events("DHCPACK"),
    }


def contested(stage: Stage) -> dict[str, Any]:
    """The address that is offered is in use."""
    stage.other.ip("addr", "add", str(OURS), "dev", "eth0")
    server, watch = stage.server(), stage.cli.watch()
    client = stage.client()
    client.says("DECLINED", PATIENCE)
    server.says("DHCPDECLINE", PATIENCE)
    return {"watched": watch.lines, "stored": (stage.state / "eth0.json").exists()}


SCENES: dict[str, Callable[[Stage], dict[str, Any]]] = {
    "acquired": acquired,
    "unserved": unserved,
    "frozen": stopped(signal.SIGSTOP),
    "killed": stopped(signal.SIGKILL),
    "released": released,
    "dry": dry_run,
    "contested": contested,
}


@pytest.fixture(scope="module")
def scenes(links: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All scenes, from when they are first wanted."""
    if shutil.which("dnsmasq") is None:
        pytest.skip("needs the program dnsmasq")
    states = tmp_path_factory.mktemp("state")
    stages = {
        name: Stage(**links(srv=f"{SERVER}/24", cli=None, other=None), state=states / name)
        for name in SCENES
    }
    with played(links, {name: partial(SCENES[name], stages[name]) for name in SCENES}) as all_:
        yield all_


# A lease -----------------------------------------------------------------------------------------


@scene("acquired")
def test_the_address_has_a_lifetime_in_the_kernel_that_ends_before_the_lease(seen: Any) -> None:
    assert set(seen["addresses"]) == {OURS}
    assert LEASE - 20 - seen["passed"] < seen["addresses"][OURS] <= LEASE - MARGIN


@scene("acquired")
def test_routes_and_mtu_are_what_the_server_said(seen: Any) -> None:
    _, routes, link = seen["picture"]
    assert f"10.9.0.0/16 via {SERVER} dev eth0 proto dhcp src {LEASED}" in routes
    assert "default" not in routes, "RFC 3442: option 121 leaves none to option 3"
    assert "mtu 1400" in link


@scene("acquired")
def test_ctrl_c_leaves_the_interface_as_found_and_the_lease_stored(seen: Any) -> None:
    assert seen["status"] == 130
    assert seen["after"] == seen["before"]
    assert seen["stored"]


@scene("acquired")
def test_a_second_client_for_the_interface_is_refused(seen: Any) -> None:
    assert seen["second status"] == 2
    assert "another holdover client serves eth0" in seen["second"].errors[-1]


@scene("acquired")
def test_once_ends_with_an_address_that_goes_by_itself(seen: Any) -> None:
    assert seen["once status"] == 0
    assert 0 < seen["once"][OURS] <= LEASE - MARGIN


@scene("acquired")
def test_the_address_of_a_predecessor_is_adopted(seen: Any) -> None:
    assert seen["adopted"], "it was taken away in between"
    assert 0 < seen["left"][OURS] <= LEASE - MARGIN


@scene("acquired")
def test_the_address_of_a_predecessor_without_a_lease_is_removed(seen: Any) -> None:
    assert seen["removed"] == {}
    assert seen["routes"] == ""


# The end of a lease ------------------------------------------------------------------------------


@scene("unserved")
def test_renewals_extend_the_lifetime(seen: Any) -> None:
    assert seen["extended"][OURS] >= RENEWED - MARGIN - 2 - seen["passed"]
    assert len(seen["deleted"]) == 1, "it went in between"


@pytest.mark.parametrize("seen", ["unserved", "frozen", "killed"], indirect=True)
def test_the_address_is_gone_before_the_lease_ends(
    seen: Any, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    early = (seen["end"] - seen["deleted"][-1]) / SECOND
    name = request.node.callspec.id
    record_property("the kernel's removal, before the server's lease end", f"{name}: {early:.2f} s")
    assert early >= 0
    assert seen["routes"] == ""


@pytest.mark.parametrize("seen", ["unserved", "frozen"], indirect=True)
def test_the_user_is_told_after_the_fact(seen: Any) -> None:
    ((at, _),) = seen["client"].said("LAPSED")
    assert at >= seen["deleted"][-1]


# Orders ------------------------------------------------------------------------------------------


@scene("released")
def test_release_on_exit_gives_the_lease_back_and_sets_the_link_down_again(seen: Any) -> None:
    assert seen["status"] == 0
    assert seen["after"] == seen["before"]
    assert not seen["stored"]
    assert [each["address"] for each in seen["released"]] == [str(LEASED)]
    assert seen["client"].events("RELEASED")


@scene("released")
def test_a_link_that_comes_back_has_the_lease_confirmed(seen: Any) -> None:
    assert seen["client"].events("EXTENDED")


@scene("dry")
def test_dry_run_tells_the_lease_and_touches_nothing(seen: Any) -> None:
    assert seen["status"] == 0
    lines = (json.loads(line) for _, line in seen["client"].lines)
    (told,) = (line for line in lines if line["event"] != "SILENT")  # a server may be slow
    assert (told["event"], told["address"], told["dry_run"]) == ("BOUND", str(LEASED), True)
    assert len(seen["acks"]) == 1
    assert errors_of(seen["down"]) == ["error: eth0 is down; set it up first: ip link set eth0 up"]
    assert seen["watched"] == []
    assert seen["after"] == seen["before"]
    assert not seen["stored"]


@scene("contested")
def test_an_address_that_is_in_use_is_declined_and_never_used(seen: Any) -> None:
    assert seen["watched"] == []
    assert not seen["stored"]


# What cannot be ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(links: Any) -> Any:
    """A host without a server."""
    return links(cli=None)["cli"]


def refusal(process: Any) -> str:
    assert process.ended() == 2
    (error,) = errors_of(process)
    return str(error)


def test_a_missing_interface_is_named(alone: Any) -> None:
    assert refusal(alone.holdover("client", "eth7")) == (
        "error: no interface 'eth7'; there are: eth0, lo"
    )


def test_an_interface_that_is_no_ethernet_is_refused(alone: Any) -> None:
    assert "lo is no Ethernet interface" in refusal(alone.holdover("client", "lo"))


@pytest.mark.parametrize("missing", ["net_raw", "net_admin"])
def test_a_missing_permission_is_named(alone: Any, missing: str, tmp_path: Path) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("needs the program setpriv")
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


def test_an_interface_that_goes_away_ends_the_client(links: Any, tmp_path: Path) -> None:
    host = links(cli=None)["cli"]
    journal = tmp_path / "journal"
    client = host.holdover("client", "eth0", "--state-dir", tmp_path, "--journal", journal)
    eventually(
        lambda: journal.exists() and "Start" in journal.read_text(), PATIENCE, "it has begun"
    )
    host.ip("link", "del", "eth0")
    assert refusal(client) == "error: the interface eth0 is gone"


# Order -------------------------------------------------------------------------------------------


class Pretended:
    """Hands, an interface and a link that a test moves."""

    def __init__(self) -> None:
        self.held: IPv4Address | None = None
        self.expired = self.until = None
        self.memory = SimpleNamespace(stored=None, retry_at=None)
        self.frames: list[Frame] = []
        self.news: list[Changes] = []
        self.heard: list[Event] = []
        self.done: list[Effect] = []
        self.journal = SimpleNamespace(
            event=lambda event, now: self.heard.append(event), effect=lambda effect, now: None
        )
        self.link = SimpleNamespace(
            receive=lambda: [self.frames.pop(0) for _ in range(len(self.frames))]
        )
        self.interface = SimpleNamespace(
            name="eth0",
            changes=lambda: self.news.pop() if self.news else Changes(),
            has=lambda address: False,
            link=lambda: Link(up=True, running=True, mtu=1500, flaps=0),
            heartbeat=SimpleNamespace(beat=lambda: None),
        )

    def ready(self) -> bool:
        return True

    def catch_up(self) -> None:
        pass

    def carry_out(self, effect: Effect) -> None:
        self.done.append(effect)
        if isinstance(effect, Configure):
            self.held = effect.lease.address

    def heard_from(self, server: IPv4Address, hardware: bytes) -> None:
        pass

    def lost(self, address: IPv4Address) -> None:
        self.held = None


def reply(request: BootRequest, kind: MessageType) -> Frame:
    said = BootReply(
        kind, request.xid, request.chaddr, address=LEASED, server=SERVER, lease=RENEWED
    )
    payload = encode(reply_to_wire(said))
    return Frame(EVERYONE, bytes(6), Datagram(SERVER, LEASED, 67, 68, payload))


def bound(there: Pretended) -> tuple[ClientShell, BootRequest]:
    """A client that has an address, and what it asked for it."""
    config = ClientConfig(
        hardware=bytes(6), start_least=0, start_most=0, offer_wait=0, probes=0, announcements=0
    )
    shell = ClientShell(config, cast(Any, there), Orders())
    shell.begin()
    shell.turn()
    for kind in (MessageType.OFFER, MessageType.ACK):
        (sent,) = (effect for effect in there.done if isinstance(effect, Send))
        there.done.clear()
        there.frames = [reply(sent.request, kind)]
        shell.turn()
    assert there.held == LEASED
    there.heard.clear()
    return shell, sent.request


def test_what_the_kernel_did_and_the_deadline_come_before_what_was_received() -> None:
    there = Pretended()
    shell, asked = bound(there)
    lease = shell.client.leased
    over = replace(lease, renew_at=0, rebind_at=0, end=0)
    shell.client = replace(shell.client, lease=over)
    there.news = [Changes(any=True)]
    there.frames = [reply(asked, MessageType.ACK)]
    shell.turn()
    assert [type(event) for event in there.heard] == [Timer, Gone, Received]


@pytest.mark.parametrize(
    ("orders", "begins"),
    [([], 1), ([signal.SIGUSR2], 0), ([signal.SIGUSR2, signal.SIGUSR1], 2), ([signal.SIGUSR1], 2)],
)
def test_who_has_given_its_lease_back_rests_until_it_is_told_otherwise(
    orders: list[int], begins: int
) -> None:
    there = Pretended()
    shell = ClientShell(ClientConfig(hardware=bytes(6)), cast(Any, there), Orders())
    shell.begin()
    there.heard.clear()
    for number in orders:
        shell._order(number)
    shell.turn()
    there.news = [Changes(any=True, down=True)]  # the link was down, and is back
    shell.turn()
    assert len([event for event in there.heard if isinstance(event, Start)]) == begins


def test_what_the_kernel_did_before_a_frame_came_is_told_before_it() -> None:
    """The address goes, and then a frame comes, after the turn has begun."""
    there = Pretended()
    shell, asked = bound(there)

    def receive() -> list[Frame]:
        there.news = [Changes(any=True)]
        return [reply(asked, MessageType.ACK)]

    there.link.receive = receive
    shell.turn()
    assert [type(event) for event in there.heard] == [Gone, Received]


def test_a_kernel_that_does_not_answer_is_looked_at_later() -> None:
    there = Pretended()
    shell, asked = bound(there)
    answers = [False, True]
    there.ready = answers.pop  # type: ignore[method-assign]
    there.news, there.frames = [Changes(any=True)], [reply(asked, MessageType.ACK)]
    answers.reverse()
    for _ in range(2):
        shell.turn()
    assert [type(event) for event in there.heard] == [Received, Gone]


def test_each_exchange_has_an_xid_of_its_own_of_32_random_bits() -> None:
    """A bit that were always the same in all of them would have a chance of 2^-63."""
    drawn = [chance().xid for _ in range(64)]
    assert len(set(drawn)) == len(drawn)
    assert reduce(or_, drawn) == 0xFFFF_FFFF
    assert reduce(and_, drawn) == 0


# Values ------------------------------------------------------------------------------------------


def leased(*options: tuple[int, Any]) -> Lease:
    return Lease(LEASED, SERVER, None, None, None, Options(options))


@pytest.mark.parametrize(
    ("mask", "address", "length"),
    [
        ("255.255.255.0", "10.0.0.1", 24),
        ("255.255.255.255", "10.0.0.1", 32),
        ("0.0.0.0", "10.0.0.1", 0),
        ("255.0.255.0", "10.0.0.1", 8),
        (None, "10.0.0.1", 8),
        (None, "172.16.0.1", 16),
        (None, "192.168.0.1", 24),
    ],
)
def test_prefix_of_a_mask_or_else_of_the_class(mask: str | None, address: str, length: int) -> None:
    given = None if mask is None else IPv4Address(mask)
    assert prefix_length(given, IPv4Address(address)) == length


def test_routers_give_one_default_route_and_classless_routes_take_its_place() -> None:
    everywhere = IPv4Network("0.0.0.0/0")
    mask, routers = SUBNET_MASK(IPv4Address("255.255.255.0")), ROUTERS((SERVER, LEASED))
    assert parameters(leased(mask, routers)).routes == (Route(everywhere, SERVER),)
    direct = (Route(IPv4Network("10.9.0.0/16"), NO_ADDRESS),)
    assert parameters(leased(mask, routers, CLASSLESS_ROUTES(direct))).routes == direct


@pytest.mark.parametrize(("said", "used"), [(68, None), (0, None), (576, 576), (1400, 1400)])
def test_an_mtu_with_which_dhcp_could_not_go_on_is_not_used(said: int, used: int | None) -> None:
    lease = leased(INTERFACE_MTU(said))
    assert parameters(lease).mtu == used
    told = [f"MTU {said}: less than 576, and no DHCP message might fit"]
    assert left_out(lease) == ([] if used else told)


def test_options_are_asked_for_by_number_or_name() -> None:
    asked = wishes("tenant", "1, domain-name, 3, NTP_servers, 1")
    assert asked == {PARAMETER_REQUEST_LIST.code: (1, 15, 3, 42), HOST_NAME.code: "tenant"}
    for text in ("0", "255", "domain-nme", ""):
        with pytest.raises(InputError, match="--request"):
            code(text)
    with pytest.raises(InputError, match="--hostname"):
        wishes("no name", None)


def test_client_identifiers_are_bytes_or_text() -> None:
    assert client_id("01:02:fc") == b"\1\2\xfc"
    assert client_id("lodger") == b"\0lodger"
    with pytest.raises(InputError, match="--client-id"):
        client_id("")
    assert by_hardware(bytes(range(6))) == b"\xff\2\3\4\5\0\3\0\1\0\1\2\3\4\5"
