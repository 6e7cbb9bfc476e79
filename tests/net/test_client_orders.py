"""What users, administrators and supervisors do to `holdover client`; as root only.

Signals, a second client, addresses that come and go beside the client's, a link too small for DHCP,
no server, a supervisor that wants to know.  As in test_client.py all scenes play at once, and a
test looks at what one of them has seen.
"""

import json
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.linux.kernel.clock import now
from tests.net.scenes import errors_of, played, scene

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
ADMINISTRATORS = IPv4Interface("10.77.0.200/24")
ENDED_BEFORE_IT_WORKS = """
import os, signal
from holdover.reference.cli import main
from holdover.reference.linux.server import Service

run = Service.run


def ended(self, *given):
    os.kill(os.getpid(), signal.SIGTERM)
    return run(self, *given)


Service.run = ended
main()
"""
LONG = PATIENCE
"""Seconds, for what takes a few where nothing else runs, and up to ten of RFC 2131's own wait."""


@dataclass
class Stage:
    """A link with a server and a client, and a place for files."""

    srv: Any
    cli: Any
    place: Path

    def server(self, lease: int, *more: str) -> Any:
        words = f"server eth0 --pool {LEASED} --lease {lease} --no-probe --json"
        process = self.srv.holdover(*words.split(), *more)
        process.says("started", LONG)
        return process

    def client(self, *more: str | Path, state: str = "state", json: bool = True) -> Any:
        words = ("client", "eth0", "--state-dir", self.place / state, *["--json"] * json)
        return self.cli.holdover(*words, *more)

    def bound(self, *more: str | Path) -> Any:
        process = self.client("--no-probe", *more)
        process.says("BOUND", LONG)
        return process

    def explained(self) -> tuple[int, list[str]]:
        """What is to be said of the client's journal."""
        process = self.cli.holdover("explain", self.place / "journal")
        return process.ended(LONG), [line for _, line in process.lines]

    def setting(self, name: str) -> str:
        """Of the client's kernel, for eth0."""
        return str(self.cli.run("cat", f"/proc/sys/net/ipv4/conf/eth0/{name}"))


# Signals -----------------------------------------------------------------------------------------


def orders(stage: Stage) -> dict[str, Any]:
    """Renewed on request; given back on request; leased again on request."""
    server, before = stage.server(600), stage.cli.picture()
    client = stage.bound("--journal", stage.place / "journal")
    client.signal(signal.SIGUSR1)
    client.says("EXTENDED", LONG)
    kept = stage.cli.has(LEASED)
    client.signal(signal.SIGUSR2)
    client.says("RELEASED", LONG)
    server.says("DHCPRELEASE", LONG)
    released = stage.cli.picture()
    client.signal(signal.SIGUSR1)
    client.says("BOUND", LONG, times=2)
    again = stage.cli.has(LEASED)
    client.signal(signal.SIGHUP)
    return {
        "status": client.ended(LONG),
        "before": before,
        "after": stage.cli.picture(),
        "kept": kept,
        "released": released,
        "again": again,
        "client": client,
        "explained": stage.explained(),
    }


# Others on the interface -------------------------------------------------------------------------


def second(stage: Stage) -> dict[str, Any]:
    """Another client, which remembers its lease elsewhere."""
    stage.server(600)
    client = stage.bound()
    other = stage.client("--no-probe", state="elsewhere")
    status = other.ended(LONG)
    seen = {"status": status, "errors": errors_of(other), "pid": client.running.pid}
    client.signal(signal.SIGKILL)
    client.ended()
    third = stage.client("--no-probe", state="elsewhere")
    third.says("BOUND", LONG)  # what a killed one held is free
    return seen


def neighbour(stage: Stage) -> dict[str, Any]:
    """The administrator adds an address in the subnet of the lease; the lease's own goes."""
    stage.server(600)
    setting = stage.setting("promote_secondaries")
    client = stage.bound()
    stage.cli.ip("addr", "add", str(ADMINISTRATORS), "dev", "eth0")
    client.signal(signal.SIGTERM)
    client.ended(LONG)
    return {
        "left": list(stage.cli.addresses()),
        "before": setting,
        "after": stage.setting("promote_secondaries"),
    }


def neighbour_of_killed(stage: Stage) -> dict[str, Any]:
    """The same, where the kernel takes the lease's address away."""
    stage.server(8)
    watch = stage.cli.watch()
    client = stage.bound()
    stage.cli.ip("addr", "add", str(ADMINISTRATORS), "dev", "eth0")
    client.signal(signal.SIGKILL)
    watch.says(f"Deleted.*{LEASED}", LONG)
    return {"left": list(stage.cli.addresses())}


def by_hand(stage: Stage) -> dict[str, Any]:
    """Somebody takes the address off the interface; the lease goes on."""
    stage.server(40)
    client = stage.bound()
    stage.cli.ip("addr", "del", f"{LEASED}/24", "dev", "eth0")
    at = now()
    eventually(lambda: errors_of(client), LONG, "it says so")
    seen = {"said": errors_of(client), "after": (now() - at) / SECOND}
    client.says("BOUND", LONG, times=2)  # at T1, after half of the lease
    return seen | {"back": (now() - at) / SECOND, "there": stage.cli.has(LEASED)}


# The link ----------------------------------------------------------------------------------------


def small(stage: Stage) -> dict[str, Any]:
    """No DHCP message fits; then they do."""
    stage.server(600)
    stage.cli.ip("link", "set", "eth0", "mtu", "300")
    client = stage.client("--no-probe")
    eventually(lambda: errors_of(client), LONG, "it says so")
    stage.cli.ip("link", "set", "eth0", "mtu", "1500")
    client.says("BOUND", LONG)
    return {"said": errors_of(client)}


# No server, and one that grants too little -------------------------------------------------------


def silent(stage: Stage) -> dict[str, Any]:
    """Nobody answers; after a while it is to give up."""
    before, began = stage.cli.picture(), now()
    client = stage.client("--timeout", "40")
    status = client.ended(LONG)
    said = [(at, json.loads(line)) for at, line in client.lines]
    return {
        "status": status,
        "said": said,
        "errors": errors_of(client),
        "took": (now() - began) / SECOND,
        "before": before,
        "after": stage.cli.picture(),
    }


def left_alone(stage: Stage) -> dict[str, Any]:
    """The server stops answering while a lease is in use."""
    server = stage.server(16)
    client = stage.bound("--timeout", "1m")
    server.signal(signal.SIGKILL)
    client.says("SILENT", LONG)
    return {"said": client.events("SILENT")[0], "there": stage.cli.has(LEASED)}


def too_short(stage: Stage) -> dict[str, Any]:
    """Probing takes longer than the lease lasts."""
    stage.server(5)
    client = stage.client(json=False)
    eventually(lambda: [e for e in errors_of(client) if "--no-probe" in e], LONG, "it says so")
    return {"errors": errors_of(client)}


def verbose(stage: Stage) -> dict[str, Any]:
    """Each message is a line."""
    stage.server(600)
    client = stage.bound("-v")
    names = [json.loads(line)["event"] for _, line in client.lines]
    told = [json.loads(line) for _, line in client.lines]
    return {"names": names, "told": told}


# A supervisor ------------------------------------------------------------------------------------


def supervised(stage: Stage) -> dict[str, Any]:
    """What systemd is told, and when."""
    stage.place.mkdir(exist_ok=True)
    path = stage.place / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listens:
        listens.bind(str(path))
        listens.settimeout(LONG)
        stage.server(600)
        client = stage.cli.holdover(
            "client",
            "eth0",
            "--no-probe",
            "--state-dir",
            stage.place / "state",
            under=("env", f"NOTIFY_SOCKET={path}"),
        )
        heard: list[str] = []
        while not any("READY=1" in text for text in heard):
            heard.append(listens.recv(4096).decode())
        there = stage.cli.has(LEASED)
        client.signal(signal.SIGTERM)
        while not any("STOPPING=1" in text for text in heard):
            heard.append(listens.recv(4096).decode())
    return {"heard": heard, "there": there, "status": client.ended(LONG)}


def supervised_server(stage: Stage) -> dict[str, Any]:
    """The same of the server; the signal comes after the word, before its work has begun."""
    path = stage.place / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listens:
        listens.bind(str(path))
        listens.settimeout(LONG)
        words = f"server eth0 --pool {LEASED} --lease 60"
        server = stage.srv.start(
            "env",
            f"NOTIFY_SOCKET={path}",
            sys.executable,
            "-c",
            ENDED_BEFORE_IT_WORKS,
            *words.split(),
        )
        heard = [listens.recv(4096).decode() for _ in range(2)]
    return {"heard": heard, "status": server.ended(LONG)}


SCENES: dict[str, Callable[[Stage], dict[str, Any]]] = {
    scene.__name__: scene
    for scene in (
        orders,
        second,
        neighbour,
        neighbour_of_killed,
        by_hand,
        small,
        silent,
        left_alone,
        too_short,
        verbose,
        supervised,
        supervised_server,
    )
}


@pytest.fixture(scope="module")
def scenes(links: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All scenes, from when they are first wanted."""
    if shutil.which("env") is None:
        pytest.skip("needs the program env")
    stages = {
        name: Stage(**links(srv=f"{SERVER}/24", cli=None), place=tmp_path_factory.mktemp(name))
        for name in SCENES
    }
    with played(links, {name: partial(SCENES[name], stages[name]) for name in SCENES}) as all_:
        yield all_


# What came of it ---------------------------------------------------------------------------------


@scene("orders")
def test_usr1_renews_at_once_and_keeps_the_address(seen: Any) -> None:
    assert seen["kept"]


@scene("orders")
def test_usr2_gives_the_lease_back_until_usr1(seen: Any) -> None:
    assert seen["released"] == seen["before"]
    assert seen["again"]


@scene("orders")
def test_a_terminal_that_closes_ends_it_in_order(seen: Any) -> None:
    assert (seen["status"], seen["after"]) == (128 + signal.SIGHUP, seen["before"])
    assert seen["client"].events("STOPPED")


@scene("orders")
def test_whoever_obeys_signals_keeps_to_the_table(seen: Any) -> None:
    status, explanation = seen["explained"]
    assert status == 0, explanation


@scene("second")
def test_a_second_client_is_refused_wherever_it_remembers_its_lease(seen: Any) -> None:
    assert seen["status"] == 2
    (error,) = seen["errors"]
    assert f"another holdover client serves eth0 (process {seen['pid']})" in error


@scene("neighbour")
def test_an_administrators_address_stays_when_the_lease_is_over(seen: Any) -> None:
    assert seen["left"] == [ADMINISTRATORS]
    assert seen["after"] == seen["before"], "what was set for that is taken back"


@scene("neighbour_of_killed")
def test_so_it_does_when_the_kernel_takes_the_address(seen: Any) -> None:
    assert seen["left"] == [ADMINISTRATORS]


@scene("by_hand")
def test_an_address_taken_by_hand_is_said_and_is_back_at_t1(seen: Any) -> None:
    (line,) = seen["said"]
    assert f"{LEASED} was taken off the interface by somebody else" in line
    assert seen["after"] < 10
    assert seen["there"]
    assert seen["back"] > 10


@scene("small")
def test_a_link_too_small_for_dhcp_is_said_and_ends_nothing(seen: Any) -> None:
    assert len(seen["said"]) == 1
    assert "its MTU of 300" in seen["said"][0]


@scene("silent")
def test_who_is_not_answered_says_so_soon_and_then_sparsely(seen: Any) -> None:
    at = [line["at"] for _, line in seen["said"] if line["event"] == "SILENT"]
    first = next(line for _, line in seen["said"] if line["event"] == "SILENT")
    assert first["sent"]["DISCOVER"] >= 1
    assert 3 * SECOND <= first["at"] - first["since"] < 8 * SECOND
    assert 2 <= len(at) <= 4
    assert seen["errors"] == [
        "error: eth0: no address is in use after 40 s (--timeout); "
        "is there a DHCP server on this link?"
    ]


@scene("silent")
def test_who_is_to_give_up_ends_with_status_3_and_leaves_nothing(seen: Any) -> None:
    assert (seen["status"], seen["after"]) == (3, seen["before"])
    assert seen["took"] >= 40


@scene("left_alone")
def test_a_lease_in_use_that_nobody_renews_is_said(seen: Any) -> None:
    assert seen["said"]["sent"] == {"REQUEST": seen["said"]["sent"]["REQUEST"]}
    assert seen["there"]


@scene("too_short")
def test_a_lease_shorter_than_the_probe_is_said_with_what_to_do(seen: Any) -> None:
    line = next(error for error in seen["errors"] if "--no-probe" in error)
    assert "grants leases of 5 s: the address is never in use" in line


@scene("verbose")
def test_each_message_is_a_line_where_asked(seen: Any) -> None:
    assert seen["names"][:4] == ["SENT", "RECEIVED", "SENT", "RECEIVED"]
    kinds = [line["message"] for line in seen["told"][:4]]
    assert kinds == ["DISCOVER", "OFFER", "REQUEST", "ACK"]


@scene("supervised")
def test_a_supervisor_is_told_when_the_address_is_in_use_and_when_it_ends(seen: Any) -> None:
    ready = next(text for text in seen["heard"] if "READY=1" in text)
    assert f"STATUS={LEASED}/24" in ready
    assert seen["there"]
    assert any("STOPPING=1" in text for text in seen["heard"])
    assert seen["status"] == 0


@scene("supervised_server")
def test_a_supervisor_is_told_when_the_server_serves(seen: Any) -> None:
    ready, stopping = seen["heard"]
    assert "READY=1" in ready
    assert "STOPPING=1" in stopping
    assert seen["status"] == 0
