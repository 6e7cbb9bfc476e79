"""Hooks beside the real things: what dhclient and udhcpc tell their scripts, and scripts of theirs.

All scenes play at once (tests/net/scenes.py).  Scripts run where /etc is the machine's
seen through an overlay, and nothing of it is changed.
"""

import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.testbed.netns import COMMANDS, PREPARED, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from tests.net.scenes import CannotTellError, Site, named, needs, scene, sees, slower
from tests.net.stage import LEASED, OURS, SERVER, Stage

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


def serve(stage: Stage, lease: int) -> Process:
    """A server that names two name servers and a domain."""
    return stage.server("--dns", "10.0.0.1,10.0.0.2", "--domain", "example.org", lease=lease)


def client(stage: Stage, hook: str, setup: str) -> Process:
    """A client in a view of its own of /etc, without a resolv.conf to begin with."""
    process = stage.cli.apart(
        sys.executable,
        "-u",
        "-c",
        COMMANDS,
        "client",
        "eth0",
        "--state-dir",
        stage.state,
        "--no-probe",
        "--json",
        "--hook",
        hook,
        setup=f"rm -f /etc/resolv.conf; : > /etc/resolv.conf; {setup}",
    )
    process.says("BOUND", PATIENCE)
    return process


def dump(place: Path) -> Path:
    """A script that appends its argument and its variables to a file `told`, as `env` has.

    An empty one ends them: who reads meanwhile takes what is whole.
    """
    place.mkdir()
    script, out = place / "dump", place / "told"
    script.write_text(f'#!/bin/sh\n{{ printf "=%s\\0" "$1"; env -0; printf "\\0"; }} >> {out}\n')
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


@dataclass(frozen=True)
class Variables:
    """What scripts were told by us, by dhclient and by udhcpc of a lease of one server."""

    ours: dict[str, str]
    dhclient: dict[str, str]
    udhcpc: dict[str, str]


def names(site: Site) -> Variables:
    """dhclient, udhcpc and we, with a lease of one server each."""
    stage = Stage.on(site.links, site.place)
    ours, theirs, others = (stage.place / name for name in ("holdover", "dhclient", "udhcpc"))
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
        dump(theirs),
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
        dump(others),
        *(word for code in CODES for word in ("-O", code)),
    )
    eventually(lambda: told(theirs, "BOUND"), PATIENCE, "dhclient is bound")
    eventually(lambda: told(others, "bound"), PATIENCE, "udhcpc is bound")
    stage.cli.end()
    stage.cli.ip("addr", "flush", "dev", "eth0")
    request = ",".join(["1", "51", "54", "58", "59", *CODES])
    stage.cli.holdover(
        "client",
        "eth0",
        "--state-dir",
        ours / "state",
        "--no-probe",
        "--request",
        request,
        "--hook",
        str(dump(ours)),
    )
    eventually(lambda: told(ours, "bound"), PATIENCE, "we are bound")
    return Variables(told(ours, "bound"), told(theirs, "BOUND"), told(others, "bound"))


@dataclass(frozen=True)
class Scripted:
    """A lease, renewed, and its lapse, with a script as hook.

    `routes`: when it was renewed; `early`: seconds from when the address was gone to the end of
    the lease.
    """

    routes: str
    early: float


def scripted(hook: Path, setup: str = "") -> Callable[[Site], Scripted]:
    """The scene of a script; where the machine is too slow, again with a longer lease."""

    def play(site: Site) -> Scripted:
        return slower(partial(with_script, site, hook, setup))

    return play


def with_script(site: Site, hook: Path, setup: str, factor: int) -> Scripted:
    """Once, on a link of its own, where all has ended then."""
    place = site.place / str(factor)
    place.mkdir()
    stage = Stage.on(site.links, place)
    try:
        return lapses(stage, LEASE * factor, hook, setup)
    finally:
        for host in (stage.srv, stage.cli, stage.other):
            host.end()


def lapses(stage: Stage, lease: int, hook: Path, setup: str) -> Scripted:
    """Name servers are written, and the script has given the address no more time."""
    server, watch = serve(stage, lease), stage.cli.watch()
    process = client(stage, str(hook), setup)
    resolver = Path(f"/proc/{process.running.pid}/root/etc/resolv.conf")
    eventually(lambda: "10.0.0.2" in resolver.read_text(), PATIENCE, "it is told BOUND")
    bound, text = stage.cli.addresses(), resolver.read_text()
    resolver.write_text("")
    process.says("EXTENDED", PATIENCE)
    eventually(lambda: "10.0.0.2" in resolver.read_text(), PATIENCE, "it is told EXTENDED")
    extended, routes = stage.cli.addresses(), stage.cli.ip("route")
    if ran_out(process, watch):
        raise CannotTellError("the lease was over before it was renewed")
    assert re.search("^domain example.org$", text, re.MULTILINE)
    assert re.findall("^nameserver (.*)$", text, re.MULTILINE) == ["10.0.0.1", "10.0.0.2"]
    for held in (bound, extended):
        assert set(held) == {OURS}
        assert 0 < held[OURS] <= lease - MARGIN, "the script has given it more time"
    server.signal(signal.SIGKILL)
    process.says("LAPSED", PATIENCE)
    ends = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")]
    deleted = [at for at, _ in watch.said("Deleted")]
    if deleted[-1] > ends[-1] and max(granted(watch)) > ends[-1] - MARGIN * SECOND:
        raise CannotTellError("the script was so slow that what it was told was not true any more")
    assert len(deleted) == 1, "it went in between"
    assert (stage.cli.addresses(), stage.cli.ip("route")) == ({}, "")
    return Scripted(routes, (ends[-1] - deleted[-1]) / SECOND)


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


@scene
def test_a_script_that_sets_an_address_without_a_lifetime_is_no_hook(site: Site) -> None:
    """Why docs/network.md says so: an address for ever, of a lease that is over.

    The script of udhcpc is told of an address when the kernel has taken that away.
    """
    stage = Stage.on(site.links, site.place)
    serve(stage, LEASE)
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
    assert [*stage.cli.addresses().values()] == [FOREVER]


ONLY_NAMES = "/etc/dhcp/dhclient-enter-hooks.d/holdover"
"""In docs/network.md: dhclient-script without its hands on addresses and routes."""

dhclient, udhcpc = named("dhclient", scripted(DHCLIENT)), named("udhcpc", scripted(UDHCPC))
names_only = named(
    "dhclient, names only",
    scripted(DHCLIENT, f"""echo '[ -z "$notice" ] || ip() {{ :; }}' > {ONLY_NAMES};"""),
)


@pytest.fixture(scope="module")
def staged(links: Links) -> Callable[[Path], Site]:
    """Each scene has links of its own, and some one link after another."""
    needs("dnsmasq", "dhclient", "udhcpc", "busybox", str(DHCLIENT), str(UDHCPC))
    return partial(Site, links)


# Names and values --------------------------------------------------------------------------------


def compared(ours: dict[str, str], theirs: dict[str, str], *differ: str) -> None:
    """The same names and values, but for those of `differ`."""
    assert theirs, "nothing was told"
    for each in (ours, theirs):
        for name in differ:
            assert each.pop(name)
    assert ours == {name: text for name, text in theirs.items() if not ABSENT.fullmatch(name)}


@sees(names)
def test_dhclients_names_and_values_are_those_of_dhclient(seen: Variables) -> None:
    ours = {
        name: text
        for name, text in seen.ours.items()
        if name.startswith("new_") or name in ("interface", "reason")
    }
    assert OFFERED - 30 <= int(ours["new_dhcp_lease_time"]) <= OFFERED - MARGIN
    compared(ours, dict(seen.dhclient), "new_ip_address", "new_dhcp_lease_time")


@sees(names)
def test_udhcpcs_names_and_values_are_those_of_udhcpc(seen: Variables) -> None:
    ours = {
        name: text
        for name, text in seen.ours.items()
        if not name.startswith("new_") and name not in ("reason", "notice")
    }
    theirs = dict(seen.udhcpc)
    assert int(theirs["timezone"]) - (1 << 32) == int(ours["timezone"]) == -3600
    assert OFFERED - 30 <= int(ours["lease"]) <= OFFERED - MARGIN
    compared(ours, theirs, "ip", "lease", "timezone")


# Scripts -----------------------------------------------------------------------------------------


@sees(dhclient, names_only, udhcpc)
def test_a_script_writes_name_servers_and_the_address_goes_in_time(seen: Scripted) -> None:
    assert seen.early >= 0


@sees(dhclient, udhcpc)
def test_scripts_set_routes_of_their_own(seen: Scripted) -> None:
    assert f"default via {SERVER} dev eth0 \n" in seen.routes


@sees(names_only)
def test_a_script_for_names_only_sets_none(seen: Scripted) -> None:
    assert f"default via {SERVER} dev eth0 \n" not in seen.routes
