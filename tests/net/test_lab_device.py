"""`holdover lab device` on cables that lead into namespaces: who lies in ARP, and what is refused.

All runs play at once; a test looks at one of them.  As root.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.lab.experiments.experiment import Run
from holdover.reference.lab.record.measure import Measurement
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import COMMANDS, Host, Links, run
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.lab.warm.warm_python import WarmPython
from tests.checkout import ROOT
from tests.measure.device import AGREE
from tests.measure.devices import Both, cell, play_both
from tests.net.fake_device import LEAVES, OVER
from tests.schemas import checked_text
from tests.slow import stretched

LEASE, WATCH = 6, 3
FAKES = {name: f"ho{number}" for number, name in enumerate(LEAVES)}
"""The interface at whose cable each is."""

REAL = {"reference": 12, "dhclient": 6}
SPACING = 0.05


@dataclass(frozen=True)
class Ran:
    """What a run has said, and its status."""

    status: int
    said: str
    errors: str


def words(interface: str, *more: str) -> list[str]:
    return [sys.executable, "-c", COMMANDS, "lab", "device", interface, *more]


def measured(interface: str) -> Ran:
    more = ("--yes", "--json", f"--lease={LEASE}", f"--watch={WATCH}", "--fault=server silent")
    done = subprocess.run(
        words(interface, *more), capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def plug(interface: str, host: Host) -> None:
    """A cable from an interface of this process's to a host on a link; the host has another."""
    run(*f"ip link add {interface} type veth peer name cable netns {host.space}".split())
    run(*f"ip link set {interface} up".split())
    host.ip("link", "del", "eth0")
    host.ip("link", "set", "cable", "name", "eth0")
    host.ip("link", "set", "eth0", "up")


@pytest.fixture(scope="module")
def hosts(links: Links) -> Iterator[dict[str, Host]]:
    """Hosts at the ends of cables, in the place of the lab's own."""
    made = {}
    for interface in (*FAKES.values(), "ho-else", "ho-route", "ho-idle"):
        made[interface] = links(device=None)["device"]
        plug(interface, made[interface])
    yield made
    for interface in made:
        run("ip", "link", "del", interface)


@dataclass(frozen=True)
class Playing:
    fakes: dict[str, Future[Ran]]
    real: dict[str, Future[Both]]


@pytest.fixture(scope="module")
def playing(hosts: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playing]:
    place = tmp_path_factory.mktemp("devices")
    here = [name for name in REAL if CLIENTS[name].missing() is None]
    fake = ROOT / "tests/net/fake_device.py"
    for how, interface in FAKES.items():
        hosts[interface].start(sys.executable, fake, how)
    with WarmPython() as warm, ThreadPoolExecutor() as pool:
        lab = Run(warm)
        try:
            yield Playing(
                {how: pool.submit(measured, interface) for how, interface in FAKES.items()},
                {
                    name: pool.submit(
                        play_both,
                        cell(name, "server silent", REAL[name], window=WATCH),
                        place / name,
                        lab,
                    )
                    for name in here
                },
            )
        finally:
            lab.end()


def of(playing: Playing, how: str) -> tuple[Ran, dict[str, Any], dict[str, Any]]:
    """A run of a device that was made for this: its status, its cell and the premises."""
    ran = playing.fakes[how].result(PATIENCE)
    assert ran.said, ran
    data = checked_text(ran.said)
    return ran, data["cells"][0], data["premises"][0]


# Devices that lie --------------------------------------------------------------------------------


def test_a_device_that_answers_until_it_lets_go_is_measured(playing: Playing) -> None:
    ran, seen, stand = of(playing, "honest")
    assert ran.status == 0, ran
    most = SPACING * stretched() + stand["apart"]
    assert -0.5 - most <= seen["holdover"] <= -0.5 + most, (seen, stand)
    assert seen["uncertainty"] <= 2 * (stand["apart"] + stand["slowest"]), (seen, stand)
    assert seen["removed_by"] == "", "the wire does not tell who removed it"
    assert stand["asked"] > LEASE / SPACING / 4
    missed = stand["asked"] - stand["answered"]
    assert 0 <= missed <= stand["asked"] / 10, "an answer comes too late where the machine is busy"


def test_a_device_that_answers_for_what_it_has_let_go_of_looks_late(playing: Playing) -> None:
    """The wire cannot tell; what it does tell is that no frame came from the address any more."""
    ran, seen, stand = of(playing, "claims")
    assert (ran.status, seen["outcome"]) == (1, "violated")
    assert seen["at_least"] >= WATCH, "it answers to the end"
    assert stand["frames"] > 0


def test_a_device_that_is_mute_is_caught_by_its_frames(playing: Playing) -> None:
    ran, seen, stand = of(playing, "mute")
    assert ran.status == 1, ran
    assert (stand["answered"], stand["silent"]) == (0, False)
    surely = seen["at_least"] - seen["uncertainty"]
    assert 0 < surely <= OVER + 0.2 * stretched()


def test_of_a_device_that_is_mute_it_is_unknown_when_it_lets_go(playing: Playing) -> None:
    """It stops to send before its lease ends: that is no proof that it has let go."""
    ran, seen, _ = of(playing, "mute, in time")
    assert (ran.status, seen["outcome"]) == (3, "unknown"), ran
    assert "answers no ARP" in seen["reason"]


# Clients -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL)
def test_wire_and_kernel_agree(playing: Playing, name: str) -> None:
    if name not in playing.real:
        pytest.skip(f"not here: {name}")
    both = playing.real[name].result(PATIENCE)
    assert isinstance(both.host, Measurement), both.host
    assert isinstance(both.wire, Measurement), both.wire
    assert both.wire.lease == both.host.lease == REAL[name]
    apart = both.wire.holdover - both.host.holdover
    assert -both.host.uncertainty <= apart <= max(AGREE, both.wire.uncertainty), both


# What is refused ---------------------------------------------------------------------------------


def test_an_interface_with_a_default_route_is_refused(hosts: dict[str, Host]) -> None:
    run("ip", "addr", "add", "192.0.2.1/24", "dev", "ho-route")
    run("ip", "route", "add", "default", "via", "192.0.2.2", "dev", "ho-route")
    try:
        done = measured("ho-route")
    finally:
        run("ip", "route", "del", "default")
        run("ip", "addr", "del", "192.0.2.1/24", "dev", "ho-route")
    assert done.status == 2
    assert "ho-route carries a default route" in done.errors


def test_a_link_with_another_server_is_refused(hosts: dict[str, Host]) -> None:
    host = hosts["ho-else"]
    host.ip("addr", "add", "10.9.0.1/24", "dev", "eth0")
    server = host.holdover("server", "eth0", "--pool", "10.9.0.9", "--no-probe", "--json")
    server.says('"started"', PATIENCE)
    done = measured("ho-else")
    assert done.status == 2, done
    assert "another DHCP server answers there, 10.9.0.1" in done.errors


@pytest.mark.parametrize(
    ("name", "said"), [("nosuch", "no interface 'nosuch'"), ("lo", "lo is no Ethernet interface")]
)
def test_what_is_no_such_interface_is_refused(hosts: dict[str, Host], name: str, said: str) -> None:
    done = measured(name)
    assert (done.status, said in done.errors) == (2, True), done


def test_nothing_starts_unasked(hosts: dict[str, Host]) -> None:
    """Where nobody is there to be asked, and where somebody says no."""
    nobody = subprocess.run(
        words("ho-idle"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (nobody.returncode, "say --yes" in nobody.stderr) == (2, True), nobody
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"n\n")
        refused = subprocess.run(
            words("ho-idle"),
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert (refused.returncode, "not started" in refused.stderr) == (2, True), refused


@pytest.mark.parametrize("fault", ["frozen", "hook", "link flap", "clock set back"])
def test_what_needs_access_to_the_device_is_refused(fault: str) -> None:
    done = subprocess.run(
        words("ho-idle", "--fault", fault), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nobody can be inside of a device" in " ".join(done.stderr.split())


# The end -----------------------------------------------------------------------------------------


def details(interface: str) -> dict[str, Any]:
    (found,) = json.loads(run("ip", "-d", "-j", "link", "show", "dev", interface))
    return {key: found[key] for key in ("flags", "promiscuity", "operstate")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing(
    hosts: dict[str, Host], number: int, tmp_path: Path
) -> None:
    before = details("ho-idle")
    variables = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        words("ho-idle", "--yes"), env=variables, stderr=subprocess.DEVNULL
    ) as lab:
        try:
            eventually(lambda: details("ho-idle") != before, PATIENCE, "the interface is taken")
            lab.send_signal(number)
            lab.wait(PATIENCE)
        finally:
            lab.kill()
    assert lab.returncode == (130 if number == signal.SIGINT else -number)
    eventually(lambda: details("ho-idle") == before, PATIENCE, "the interface is given back")
