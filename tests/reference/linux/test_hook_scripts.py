"""Hooks beside the real things: what dhclient and udhcpc tell their scripts, and scripts of theirs.

All scenes play at once, as in tests/net/test_client.py.  Scripts run where /etc is the machine's
seen through an overlay, and nothing of it is changed.
"""

import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.testbed.netns import COMMANDS, PREPARED
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from tests.net.scenes import CannotTellError, played, slower

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
OURS = IPv4Interface(f"{LEASED}/24")
LEASE, OFFERED = 16, 120
MARGIN = 2
FOREVER = 0xFFFF_FFFF
"""Seconds: how the kernel says that an address has no lifetime."""

DHCLIENT, UDHCPC = Path("/sbin/dhclient-script"), Path("/etc/udhcpc/default.script")
ALONE = ("unshare", "--mount", "--propagation", "private")
PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

OPTIONS = (
    "2,-3600",
    "3,10.77.0.1,10.77.0.2",
    "6,10.77.0.1,10.77.0.2",
    "7,10.77.0.3",
    "12,tenant",
    "15,example.org",
    "26,1400",
    "28,10.77.0.255",
    "40,nis.example",
    "42,10.77.0.4",
    "44,10.77.0.5",
    "66,tftp.example",
    "67,boot.img",
    "121,10.9.0.0/16,10.77.0.2,0.0.0.0/0,10.77.0.1",
)
CODES = [option.partition(",")[0] for option in OPTIONS]
REQUEST = """
timeout 20; initial-interval 1; select-timeout 0;
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
request subnet-mask, broadcast-address, time-offset, routers, domain-name, domain-name-servers,
  host-name, netbios-name-servers, interface-mtu, rfc3442-classless-static-routes, ntp-servers,
  log-servers, nis-domain, tftp-server-name, bootfile-name;
"""

SHELLS = {"PATH", "PWD", "OLDPWD", "SHLVL", "_", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"}
ABSENT = re.compile(
    "pid|dad_wait_time|requested_.*|new_(expiry|next_server|dhcp_(message_type|re(newal|binding)_time))"
    "|siaddr|opt[0-9]+"
)
"""As `environment.py` says."""


# Scenes ------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """A link with a server and a client, and a directory."""

    srv: Any
    cli: Any
    other: Any
    place: Path
    lease: int = LEASE

    def server(self) -> Any:
        words = (
            f"server eth0 --pool {LEASED} --lease {self.lease} --router {SERVER} --no-probe --json "
            "--dns 10.0.0.1,10.0.0.2 --domain example.org"
        )
        server = self.srv.holdover(*words.split())
        server.says("started", PATIENCE)
        return server

    def client(self, hook: str, *more: str, setup: str = "") -> Any:
        """In a view of its own of /etc, without a resolv.conf to begin with."""
        client = self.cli.apart(
            sys.executable,
            "-u",
            "-c",
            COMMANDS,
            "client",
            "eth0",
            "--state-dir",
            self.place / "state",
            "--no-probe",
            "--json",
            "--hook",
            hook,
            *more,
            setup=f"rm -f /etc/resolv.conf; : > /etc/resolv.conf; {setup}",
        )
        client.says("BOUND", PATIENCE)
        return client

    def dump(self) -> Path:
        """A script that appends its argument and its variables to a file `told`, as `env` has.

        An empty one ends them: who reads meanwhile takes what is whole.
        """
        script = self.place / "dump"
        out = self.place / "told"
        script.write_text(
            f'#!/bin/sh\n{{ printf "=%s\\0" "$1"; env -0; printf "\\0"; }} >> {out}\n'
        )
        script.chmod(0o755)
        return script


def told(place: Path, word: str) -> dict[str, str]:
    """What a script was told the first time that `word` was its argument, or its reason."""
    out = place / "told"
    for run in out.read_text().split("\0\0")[:-1] if out.exists() else ():
        said, *variables = run.removeprefix("=").split("\0")
        found = dict(each.split("=", 1) for each in variables)
        if word in (said, found.get("reason")):
            return {name: text for name, text in found.items() if name not in SHELLS}
    return {}


def names(stage: Stage) -> dict[str, Any]:
    """dhclient, udhcpc and we, with a lease of one server each."""
    ours, theirs, others = (
        Stage(stage.srv, stage.cli, stage.other, stage.place / name)
        for name in ("holdover", "dhclient", "udhcpc")
    )
    for each in (ours, theirs, others):
        each.place.mkdir()
    words = (
        "dnsmasq -k --log-facility=- --conf-file=/dev/null --port=0 --interface=eth0 "
        "--bind-interfaces --except-interface=lo --dhcp-authoritative --user=root --pid-file= "
        f"--no-ping --dhcp-range={LEASED},10.77.0.60,255.255.255.0,{OFFERED} --dhcp-ignore-names "
        f"--dhcp-leasefile={stage.place}/leases"
    )
    stage.srv.start(*words.split(), *(f"--dhcp-option-force={option}" for option in OPTIONS))
    config, leases = stage.place / "dhclient.conf", stage.place / "dhclient.leases"
    config.write_text(REQUEST)
    leases.touch()
    stage.cli.apart(
        "env",
        "-i",
        PATH,
        "dhclient",
        "-4",
        "-d",
        "-cf",
        config,
        "-lf",
        leases,
        "-pf",
        "/run/dhclient.pid",
        "-sf",
        theirs.dump(),
        "eth0",
    )
    stage.other.apart(
        "env",
        "-i",
        PATH,
        "udhcpc",
        "-f",
        "-i",
        "eth0",
        "-s",
        others.dump(),
        *(word for code in CODES for word in ("-O", code)),
    )
    eventually(lambda: told(theirs.place, "BOUND"), PATIENCE, "dhclient is bound")
    eventually(lambda: told(others.place, "bound"), PATIENCE, "udhcpc is bound")
    stage.cli.end()
    stage.cli.ip("addr", "flush", "dev", "eth0")
    request = ",".join(["1", "51", "54", "58", "59", *CODES])
    stage.cli.holdover(
        "client",
        "eth0",
        "--state-dir",
        ours.place / "state",
        "--no-probe",
        "--request",
        request,
        "--hook",
        str(ours.dump()),
    )
    eventually(lambda: told(ours.place, "bound"), PATIENCE, "we are bound")
    return {
        "ours": told(ours.place, "bound"),
        "dhclient": told(theirs.place, "BOUND"),
        "udhcpc": told(others.place, "bound"),
    }


def script(hook: Path, setup: str = "") -> Callable[[Stage], dict[str, Any]]:
    """A lease, renewed, and its lapse, with a script as hook."""

    def scene(stage: Stage) -> dict[str, Any]:
        server, watch = stage.server(), stage.cli.watch()
        client = stage.client(str(hook), setup=setup)
        resolver = Path(f"/proc/{client.running.pid}/root/etc/resolv.conf")
        eventually(lambda: "10.0.0.2" in resolver.read_text(), PATIENCE, "it is told BOUND")
        seen: dict[str, Any] = {"bound": stage.cli.addresses(), "text": resolver.read_text()}
        resolver.write_text("")
        client.says("EXTENDED", PATIENCE)
        eventually(lambda: "10.0.0.2" in resolver.read_text(), PATIENCE, "it is told EXTENDED")
        seen |= {"extended": stage.cli.addresses(), "routes": stage.cli.ip("route")}
        seen["lease"] = stage.lease
        if ran_out(client, watch):
            raise CannotTellError("the lease was over before it was renewed")
        server.signal(signal.SIGKILL)
        client.says("LAPSED", PATIENCE)
        ends = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")]
        deleted = [at for at, _ in watch.said("Deleted")]
        if deleted[-1] > ends[-1] and max(granted(watch)) > ends[-1] - MARGIN * SECOND:
            raise CannotTellError(
                "the script was so slow that what it was told was not true any more"
            )
        return seen | {
            "deleted": deleted,
            "early": (ends[-1] - deleted[-1]) / SECOND,
            "client": client,
            "left": stage.cli.ip("route"),
            "after": stage.cli.addresses(),
        }

    return scene


def ran_out(client: Process, watch: Process) -> bool:
    """Whether an address was removed when the lease was as good as over, as the client told it."""
    told = [*client.events("BOUND"), *client.events("EXTENDED")]
    return any(
        at > max(each["end"] for each in told if each["at"] < at) - (MARGIN + 1) * SECOND
        for at, _ in watch.said("Deleted")
    )


def granted(watch: Process) -> list[Instant]:
    """Until when the kernel was told to keep the address, each time."""
    said = watch.said(rf"^[^D].* {OURS} .*valid_lft \d+sec")
    return [
        at + int(line.partition("valid_lft ")[2].partition("sec")[0]) * SECOND for at, line in said
    ]


def late(stage: Stage) -> dict[str, Any]:
    """The script of udhcpc is told of an address when the kernel has taken that away."""
    stage.server()
    watch, go, begun = stage.cli.watch(), stage.place / "go", stage.place / "begun"
    waits = stage.place / "waits"
    waits.write_text(
        f'#!/bin/sh\n: > {begun}; until [ -e {go} ]; do sleep 0.1; done; exec {UDHCPC} "$@"\n'
    )
    waits.chmod(0o755)
    view = stage.place / "view"
    view.mkdir()
    client = stage.cli.start(  # no process namespace: the script is to outlive the client
        *ALONE,
        "sh",
        "-ec",
        PREPARED,
        "sh",
        view,
        "",
        "exec",
        sys.executable,
        "-u",
        "-c",
        COMMANDS,
        "client",
        "eth0",
        "--state-dir",
        stage.place / "state",
        "--no-probe",
        "--json",
        "--hook",
        waits,
    )
    client.says("BOUND", PATIENCE)
    eventually(begun.exists, PATIENCE, "the script has begun")
    client.signal(signal.SIGKILL)
    watch.says("Deleted", PATIENCE)
    go.touch()
    eventually(stage.cli.addresses, PATIENCE, "the script has set an address")
    return {"addresses": stage.cli.addresses()}


ONLY_NAMES = "/etc/dhcp/dhclient-enter-hooks.d/holdover"
"""In docs/network.md: dhclient-script without its hands on addresses and routes."""

SCENES: dict[str, Callable[[Stage], dict[str, Any]]] = {
    "names": names,
    "dhclient": script(DHCLIENT),
    "dhclient, names only": script(
        DHCLIENT, f"""echo '[ -z "$notice" ] || ip() {{ :; }}' > {ONLY_NAMES};"""
    ),
    "udhcpc": script(UDHCPC),
    "late": late,
}


@pytest.fixture(scope="module")
def scenes(links: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All scenes, from when they are first wanted."""
    for program in ("dnsmasq", "dhclient", "udhcpc", "busybox", str(DHCLIENT), str(UDHCPC)):
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")

    def scene(name: str, factor: int) -> dict[str, Any]:
        hosts = links(srv=f"{SERVER}/24", cli=None, other=None)
        place = tmp_path_factory.mktemp(name.partition(",")[0])
        try:
            return SCENES[name](Stage(**hosts, place=place, lease=LEASE * factor))
        finally:
            for host in hosts.values():
                host.end()

    with played(links, {name: partial(slower, partial(scene, name)) for name in SCENES}) as all_:
        yield all_


@pytest.fixture
def seen(scenes: dict[str, Future[dict[str, Any]]], request: pytest.FixtureRequest) -> Any:
    return scenes[request.param].result(2 * PATIENCE)


def scene(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("seen", names, indirect=True)


# Names and values --------------------------------------------------------------------------------


def compared(ours: dict[str, str], theirs: dict[str, str], *differ: str) -> None:
    """The same names and values, but for those of `differ`."""
    assert theirs, "nothing was told"
    for each in (ours, theirs):
        for name in differ:
            assert each.pop(name)
    assert ours == {name: text for name, text in theirs.items() if not ABSENT.fullmatch(name)}


@scene("names")
def test_dhclients_names_and_values_are_those_of_dhclient(seen: Any) -> None:
    ours = {
        name: text
        for name, text in seen["ours"].items()
        if name.startswith("new_") or name in ("interface", "reason")
    }
    assert OFFERED - 30 <= int(ours["new_dhcp_lease_time"]) <= OFFERED - MARGIN
    compared(ours, dict(seen["dhclient"]), "new_ip_address", "new_dhcp_lease_time")


@scene("names")
def test_udhcpcs_names_and_values_are_those_of_udhcpc(seen: Any) -> None:
    ours = {
        name: text
        for name, text in seen["ours"].items()
        if not name.startswith("new_") and name not in ("reason", "notice")
    }
    theirs = dict(seen["udhcpc"])
    assert int(theirs["timezone"]) - (1 << 32) == int(ours["timezone"]) == -3600
    assert OFFERED - 30 <= int(ours["lease"]) <= OFFERED - MARGIN
    compared(ours, theirs, "ip", "lease", "timezone")


# Scripts -----------------------------------------------------------------------------------------


@scene("dhclient", "dhclient, names only", "udhcpc")
def test_a_script_writes_name_servers_and_the_address_goes_in_time(seen: Any) -> None:
    assert re.search("^domain example.org$", seen["text"], re.MULTILINE)
    assert re.findall("^nameserver (.*)$", seen["text"], re.MULTILINE) == ["10.0.0.1", "10.0.0.2"]
    for when in ("bound", "extended"):
        assert set(seen[when]) == {OURS}
        assert 0 < seen[when][OURS] <= seen["lease"] - MARGIN, "the script has given it more time"
    assert len(seen["deleted"]) == 1, "it went in between"
    assert seen["early"] >= 0
    assert (seen["after"], seen["left"]) == ({}, "")


@scene("dhclient", "dhclient, names only", "udhcpc")
def test_which_scripts_set_routes_of_their_own(seen: Any, request: Any) -> None:
    added = f"default via {SERVER} dev eth0 \n" in seen["routes"]
    assert added == (request.node.callspec.id != "dhclient, names only")


@scene("late")
def test_a_script_that_sets_an_address_without_a_lifetime_is_no_hook(seen: Any) -> None:
    """Why docs/network.md says so: an address for ever, of a lease that is over."""
    assert [*seen["addresses"].values()] == [FOREVER]
