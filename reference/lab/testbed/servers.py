"""The DHCP servers of the lab, as data: how each is told what to serve, started and asked.

Theory of operation.  An `ServerOrder` says in RFC 2131's words what is to be served; a
`ServerProgram` turns it into a server's own configuration and command line.  `start` gives a
process that serves: it has said so, and UDP port 67 is its own.  Configuration and leases are files
of `place`, so that a server that is started there again goes on with the leases it has granted;
`forget` takes them away.  But for our own, a server runs with files of its own (`Host.apart`):
`place` has to be outside of /etc, /run and /var/lib, which it sees anew each time.

What a server cannot be asked for, `refuses` says, and `start` does not ask.

What it does not know: what a server does with its leases, and any link but the one of eth0.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from types import MappingProxyType

from holdover.reference.lab.roots.root import Root, upstream
from holdover.reference.lab.testbed.netns import COMMANDS, Host
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, eventually

KEA_LEASES = Path("/var/lib/kea")
"""Since 2.6.3 it keeps leases nowhere else."""

KEA_FILES = f"""mkdir /run/kea
mkdir -p {KEA_LEASES}
mount --bind {{place}} {KEA_LEASES}
export KEA_PIDFILE_DIR=/run/kea KEA_LOCKFILE_DIR=/run/kea
exec 2>&1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOrder:
    """What a server is asked to serve: `first` to `last`, each for `lease` seconds.

    `own`: its address, on eth0.  The pool may be on another network, behind a relay; it is then as
    long as the server's.  `times`: T1 and T2 in seconds; None: a half and seven eighths of the
    lease, or nothing.  `probe`: it asks whether an address is in use before it offers it.
    """

    own: IPv4Interface
    first: IPv4Address
    last: IPv4Address
    lease: int
    times: tuple[int, int] | None = None
    probe: bool = False
    router: IPv4Address | None = None

    @property
    def network(self) -> IPv4Network:
        """The network of the pool."""
        return IPv4Interface((self.first, self.own.network.prefixlen)).network


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProgram:
    """A DHCP server.

    `package`: Debian's; "" for our own.  `shortest`: the least lease in seconds that it grants.
    `command` and `configuration` are for a place and an order, `setup` is a shell's, in which
    {place} is the place; `ready` is what it says when it serves, `version_command` prints its
    version.  `unsupported`: the fields of an order that it has no word for, "network" where it
    leases on its own link only.  `root`: the root file system that it is of; None: the machine's.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    package: str
    shortest: int
    unsupported: frozenset[str]
    version_command: tuple[str, ...]
    ready: str
    setup: str
    configuration: Callable[[Path, ServerOrder], str]
    command: Callable[[Path, ServerOrder], tuple[str | Path, ...]]
    root: Root | None = None

    @property
    def label(self) -> str:
        """Its name, with that of the root file system that it is of: trixie/kea."""
        return self.name if self.root is None else f"{self.root.name}/{self.name}"

    def in_root(self, root: Root) -> ServerProgram:
        """The server of a root file system."""
        return replace(self, root=root)

    def missing(self) -> str | None:
        """The program that is not here, or not in its root."""
        if self.root is None:
            return next((need for need in self.needs if shutil.which(need) is None), None)
        if not self.needs:
            return f"{self.name} in {self.root.name}: it is of no root file system"
        gone = next((need for need in self.needs if not self.root.has(need)), None)
        return None if gone is None else f"{gone} in {self.root.path}"

    def version(self) -> str:
        """Its version, as it says itself, or its package in its root; UnheardError: none says."""
        if self.root is not None:
            if (version := self.root.version(self.package)) is None:
                raise UnheardError(f"{self.label}: {self.root.path} has no package {self.package}")
            return upstream(version)
        done = subprocess.run(
            self.version_command, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        found = re.search(r"\d+\.\d+[\w.-]*", done.stdout + done.stderr)
        if found is None:
            raise UnheardError(f"{self.name} says no version: {done.stdout}{done.stderr}")
        return found[0]

    def refuses(self, order: ServerOrder) -> str | None:
        """Why it cannot serve that order."""
        if order.lease < self.shortest:
            return f"{self.name} grants no lease shorter than {self.shortest} s"
        if order.probe and "probe" in self.unsupported:
            return f"{self.name} does not ask whether an address is in use"
        if order.times is not None and "times" in self.unsupported:
            return f"{self.name} tells no T1 and T2"
        if order.network != order.own.network and "network" in self.unsupported:
            return f"{self.name} leases on its own link only"
        return None

    def start(self, host: Host, place: Path, order: ServerOrder) -> Process:
        """The server, when it serves; `place` is made where it is not there.

        ValueError for an order that it refuses.
        """
        if (reason := self.refuses(order)) is not None:
            raise ValueError(reason)
        place.mkdir(exist_ok=True)
        (place / "config").write_text(self.configuration(place, order))
        command = self.command(place, order)
        if self.package:
            setup = self.setup.replace("{place}", shlex.quote(str(place.absolute())))
            process = host.apart(*command, setup=setup, root=self.root)
        else:
            process = host.start(*command)
        process.says(self.ready, PATIENCE)
        eventually(lambda: listens(process), PATIENCE, f"{self.name} has UDP port 67")
        return process

    def forget(self, place: Path) -> None:
        """Its leases are lost; it has to be stopped."""
        for file in place.glob("leases*"):
            file.unlink()


def listens(process: Process) -> bool:
    """Whether UDP port 67 is in use where a process is that has spoken; UnheardError at its end.

    Before that it might not be in its host's namespace yet.
    """
    if process.running.poll() is not None:
        raise UnheardError(
            f"ended with status {process.ended()}\n{process.lines}\n{process.errors}"
        )
    with suppress(OSError):  # it ends just now
        sockets = Path(f"/proc/{process.running.pid}/net/udp").read_text().splitlines()[1:]
        return any(int(line.split()[1].partition(":")[2], 16) == 67 for line in sockets)
    return False


def wait_until_serving(prepared: Process) -> Process:
    """A server that was prepared (PREPARED), when it serves."""
    prepared.signal(signal.SIGUSR1)
    prepared.says('"started"', PATIENCE)
    return prepared


# Configurations and command lines ----------------------------------------------------------------


PREPARED = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
import holdover.reference.commands.server
from holdover.reference.cli import main
print("prepared")
signal.sigwait({signal.SIGUSR1})
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
main()
"""
"""Our own commands, begun at SIGUSR1: what takes time on a machine that is busy is done by then."""


def holdover(place: Path, order: ServerOrder, commands: str = COMMANDS) -> tuple[str | Path, ...]:
    """Our own, with its grace as it is by default."""
    router = () if order.router is None else ("--router", str(order.router))
    return (
        sys.executable,
        "-u",
        "-c",
        commands,
        "server",
        "eth0",
        "--json",
        "--pool",
        f"{order.first}-{order.last}",
        "--lease",
        f"{order.lease}s",
        "--leases",
        place / "leases",
        *router,
        *(() if order.probe else ("--no-probe",)),
    )


def kea(place: Path, order: ServerOrder) -> str:
    """Its own JSON; a lease that is over is gone within a second."""
    t1, t2 = order.times or (None, None)
    times = {"calculate-tee-times": True} if t1 is None else {"renew-timer": t1, "rebind-timer": t2}
    routers = [] if order.router is None else [{"name": "routers", "data": str(order.router)}]
    said = {
        "interfaces-config": {"interfaces": ["eth0"], "dhcp-socket-type": "raw"},
        "lease-database": {
            "type": "memfile",
            "persist": True,
            "name": str(KEA_LEASES / "leases"),
            "lfc-interval": 0,
        },
        "expired-leases-processing": {
            "reclaim-timer-wait-time": 1,
            "flush-reclaimed-timer-wait-time": 1,
            "hold-reclaimed-time": 0,
        },
        "authoritative": True,
        **{f"{which}valid-lifetime": order.lease for which in ("", "min-", "max-")},
        **times,
        "subnet4": [
            {
                "id": 1,
                "subnet": str(order.network),
                "pools": [{"pool": f"{order.first} - {order.last}"}],
                "option-data": routers,
            }
        ],
        "loggers": [
            {"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}
        ],
    }
    return json.dumps({"Dhcp4": said}, indent=1)


def isc(place: Path, order: ServerOrder) -> str:
    """ISC dhcpd's; its own network has to be declared, even where nothing is leased there.

    Without a threshold of 0 a renewal in the first quarter of a lease gets no more time.
    """
    lines = [
        "authoritative;",
        "dhcp-cache-threshold 0;",
        f"ping-check {'true' if order.probe else 'false'};",
        *(f"{which}-lease-time {order.lease};" for which in ("min", "default", "max")),
    ]
    own, network = order.own.network, order.network
    if own != network:
        lines.append(f"subnet {own.network_address} netmask {own.netmask} {{ }}")
    lines += [
        f"subnet {network.network_address} netmask {network.netmask} {{",
        f"range {order.first} {order.last};",
    ]
    if order.router is not None:
        lines.append(f"option routers {order.router};")
    if order.times is not None:
        t1, t2 = order.times
        lines.append(f"option dhcp-renewal-time {t1}; option dhcp-rebinding-time {t2};")
    return "\n".join([*lines, "}", ""])


def isc_command(place: Path, order: ServerOrder) -> tuple[str | Path, ...]:
    """It wants its file of leases to be there."""
    (place / "leases").touch()
    return (
        "dhcpd",
        "-4",
        "-d",
        "-f",
        "-cf",
        place / "config",
        "-lf",
        place / "leases",
        "--no-pid",
        "eth0",
    )


def dnsmasq(place: Path, order: ServerOrder) -> str:
    """Its long options, a line each."""
    lines = [
        "port=0",
        "interface=eth0",
        "bind-interfaces",
        "except-interface=lo",
        "user=root",
        "pid-file=",
        "log-dhcp",
        "dhcp-authoritative",
        f"dhcp-leasefile={place / 'leases'}",
        f"dhcp-range={order.first},{order.last},{order.network.netmask},{order.lease}",
        # Without a value it says nothing; else it would say its own address.
        f"dhcp-option=3{'' if order.router is None else f',{order.router}'}",
        *(() if order.probe else ("no-ping",)),
    ]
    for code, seconds in zip((58, 59), order.times or (), strict=False):
        lines.append(f"dhcp-option-force={code},{seconds}")
    return "\n".join([*lines, ""])


def udhcpd(place: Path, order: ServerOrder) -> str:
    """That of busybox; it stores its leases each second, and grants none below `min_lease`."""
    lines = [
        f"start {order.first}",
        f"end {order.last}",
        "interface eth0",
        f"max_leases {int(order.last) - int(order.first) + 1}",
        "min_lease 1",
        "auto_time 1",
        f"lease_file {place / 'leases'}",
        "pidfile /run/udhcpd.pid",
        f"option subnet {order.network.netmask}",
        f"option lease {order.lease}",
    ]
    if order.router is not None:
        lines.append(f"option router {order.router}")
    for code, seconds in zip((58, 59), order.times or (), strict=False):
        lines.append(f"option {code:#x} {seconds:08x}")
    return "\n".join([*lines, ""])


def udhcpd_command(place: Path, order: ServerOrder) -> tuple[str | Path, ...]:
    """It wants its file of leases to be there; 0 ms for an answer is no probe."""
    (place / "leases").touch()
    return ("udhcpd", "-f", *(() if order.probe else ("-a", "0")), place / "config")


# The servers -------------------------------------------------------------------------------------

NOTHING: frozenset[str] = frozenset()

PROGRAMS = (
    ServerProgram(
        name="holdover",
        title="holdover server",
        needs=(),
        package="",
        shortest=1,
        unsupported=frozenset({"times", "network"}),
        ready='"started"',
        setup="",
        version_command=(sys.executable, "-c", COMMANDS, "--version"),
        configuration=lambda place, order: "",
        command=holdover,
    ),
    ServerProgram(
        name="kea",
        title="Kea",
        needs=("kea-dhcp4",),
        package="kea-dhcp4-server",
        shortest=1,
        unsupported=frozenset({"probe"}),  # a hook of later versions does
        ready="DHCP4_STARTED",
        setup=KEA_FILES,
        version_command=("kea-dhcp4", "-v"),
        configuration=kea,
        command=lambda place, order: ("kea-dhcp4", "-c", place / "config"),
    ),
    ServerProgram(
        name="isc",
        title="ISC dhcpd",
        needs=("dhcpd",),
        package="isc-dhcp-server",
        shortest=1,
        unsupported=NOTHING,
        ready="Server starting service",
        setup="exec 2>&1",
        version_command=("dhcpd", "--version"),
        configuration=isc,
        command=isc_command,
    ),
    ServerProgram(
        name="dnsmasq",
        title="dnsmasq",
        needs=("dnsmasq",),
        package="dnsmasq-base",
        shortest=120,
        unsupported=NOTHING,
        ready="DHCP, IP range",
        setup="exec 2>&1",
        version_command=("dnsmasq", "--version"),
        configuration=dnsmasq,
        command=lambda place, order: (
            "dnsmasq",
            "-k",
            "--log-facility=-",
            f"--conf-file={place / 'config'}",
        ),
    ),
    ServerProgram(
        name="udhcpd",
        title="busybox udhcpd",
        needs=("udhcpd",),
        package="udhcpd",
        shortest=1,
        unsupported=NOTHING,
        ready="started, v",
        setup="exec 2>&1",
        version_command=("udhcpd", "--help"),
        configuration=udhcpd,
        command=udhcpd_command,
    ),
)

SERVERS: Mapping[str, ServerProgram] = MappingProxyType({each.name: each for each in PROGRAMS})
"""Every server, by name."""
