"""DHCP clients as data: how each is started, what it needs, which profile describes it.

Theory of operation.  A `ClientProgram` is a command line, and what a shell prepares for it in its
own view of files: a configuration below /run, a read-only /sys, a bus.  `start` fills in the words
in braces and starts it by `Host.apart`: in mount and pid namespaces of its own, so that no file of
the machine changes and none of its processes outlives it.  What it keeps (a lease, a journal) it
keeps in `place`.

    {iface}    the interface          {place}  its own directory
    {python}   this interpreter       {hook}   nothing, or what gives it a hook that blocks

A hook that blocks is the dialog that nobody clicks: it is told that an address goes and takes its
time before it does what is usually done.  For a client that has removed the address by then, it
comes too late to do harm.  At other events it does not block, so that a lease begins as always.

The shell that has prepared all stays as process 1, and ends with the client.  `processes` are the
client's own: they are what a fault kills or a test asks to end.  Addresses belong to the host and
stay, whoever dies.

What it does not know: faults, servers, and what a client has done.  `place` must not be below /run,
where the client would not see it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from holdover.model.errors import InputError
from holdover.reference.lab.testbed.netns import COMMANDS, Host
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError

INTERFACE = "eth0"
"""Every host's (netns.py)."""

BUS = "dbus-daemon"
"""A helper that is started for some clients, and is none of their processes."""

# Scripts of ours ---------------------------------------------------------------------------------

DHCLIENT_SCRIPT = """#!/bin/sh
# The least that a script for dhclient does; the kernel is told no lifetime.
case $reason in
PREINIT) ip link set "$interface" up ;;
BOUND | RENEW | REBIND | REBOOT)
  [ "${old_ip_address:-$new_ip_address}" = "$new_ip_address" ] || ip -4 addr flush dev "$interface"
  ip -4 addr replace "$new_ip_address/$new_subnet_mask" dev "$interface"
  for router in $new_routers; do ip route replace default via "$router" dev "$interface"; done
  ;;
EXPIRE | FAIL | RELEASE | STOP) ip -4 addr flush dev "$interface" ;;
TIMEOUT) exit 1 ;;
esac
"""

UDHCPC_SCRIPT = """#!/bin/sh
# The least that a script for udhcpc does, but that the kernel is told the lease as a lifetime.
case $1 in
deconfig)
  ip link set "$interface" up
  ip -4 addr flush dev "$interface"
  ;;
bound | renew)
  ip -4 addr replace "$ip/$mask" dev "$interface" valid_lft "$lease" preferred_lft "$lease"
  for each in $router; do ip route replace default via "$each" dev "$interface"; done
  ;;
esac
"""

SHELL_HOOK = """#!/bin/sh
case ${reason:-$1} in
EXPIRE | NAK | RELEASE | STOP) sleep {seconds} ;;
deconfig) [ -z "$(ip -4 -o addr show dev "$interface")" ] || sleep {seconds} ;;
esac
exec {script} "$@"
"""
"""What it blocks is `script`; udhcpc says `deconfig` at its start too, when there is no address."""

PYTHON_HOOK = """
import time
from pyroute2.dhcp.hooks import Trigger, hook
@hook(Trigger.UNBOUND, Trigger.EXPIRED)
async def blocks(lease):
    time.sleep({seconds})
"""


@dataclass(frozen=True, slots=True)
class HookWords:
    """How a client is given a hook: words of its command line, a file in its place, and its text.

    `script` is what the client runs otherwise.
    """

    words: str
    script: str = "true"
    file: str = "hook"
    text: str = SHELL_HOOK


# Programs ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientProgram:
    """A DHCP client, and how it is started.

    `needs`: programs, or files, that must be there; `package` has them: Debian's or PyPI's, "" for
    our own.  `lease`: seconds, short, and such that it does what it does with longer ones.
    `profile`: the built-in one that describes it.  `version_command`: prints its version.
    `setup`: a shell's, in its view of files.  `script`: the text of {place}/script.  `usual`: it is
    played where no client is named.
    """

    name: str
    title: str
    command: str
    needs: tuple[str, ...] = ()
    package: str = ""
    lease: int
    profile: str | None = None
    version_command: tuple[str, ...] = ()
    setup: str = ""
    script: str = ""
    hook: HookWords | None = None
    usual: bool = True

    def missing(self) -> str | None:
        """The programs and files that are not here."""
        gone = (each for each in self.needs if not (shutil.which(each) or Path(each).is_file()))
        return ", ".join(gone) or None

    def version(self) -> str:
        """Its version, as it says itself; UnheardError where it says none."""
        said = ""
        if self.version_command:
            done = subprocess.run(
                self.version_command, capture_output=True, text=True, check=False, timeout=PATIENCE
            )
            said = done.stdout + done.stderr
        if (found := re.search(r"\d+(\.\d+)*(-P\d+)?", said)) is None:
            raise UnheardError(f"{self.name} says no version: {said}")
        return found[0]

    def start(self, host: Host, place: Path, *, hook_blocks: float | None = None) -> Process:
        """Start it on a host; `hook_blocks`: seconds that its hook takes before an address goes.

        InputError where it is to have a hook and knows none.
        """
        if hook_blocks is not None and self.hook is None:
            raise InputError(f"{self.name} has no hook that could block")
        place = place.absolute()
        place.mkdir(parents=True, exist_ok=True)
        values = {"iface": INTERFACE, "place": str(place), "python": sys.executable, "hook": ""}
        if self.script:
            _write(place / "script", self.script)
        if self.hook is not None and hook_blocks is not None:
            values["hook"] = _filled(self.hook.words, values)
            script = _filled(self.hook.script, values)
            text = _filled(self.hook.text, {"seconds": f"{hook_blocks:g}", "script": script})
            _write(place / self.hook.file, text)
        setup = _filled(self.setup, values)
        return host.apart(*shlex.split(_filled(self.command, values)), setup=setup)


def _filled(text: str, values: Mapping[str, str]) -> str:
    """A text with values for words in braces, as one word of a shell each; a hook is several."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value if name == "hook" else shlex.quote(value))
    return text


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def templated(command: str) -> ClientProgram:
    """A client by its command line, as `udhcpc -f -i {iface}`; InputError where it is none."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"client {command!r}: {error}") from None
    if not words:
        raise InputError("client: a command line is needed, as 'udhcpc -f -i {iface}'")
    for word in re.findall(r"\{(\w+)\}", command):
        if word not in ("iface", "place", "python"):
            raise InputError(f"client {command!r}: no {{{word}}}; there are {{iface}}, {{place}}")
    program = "" if "{" in words[0] else words[0]
    needs = (program,) if program else ()
    return ClientProgram(name=command, title=command, command=command, needs=needs, lease=30)


def processes(client: Process) -> list[int]:
    """The pids of a client's own processes, parents first: without what has started it, and a bus.

    None where it has ended, or has not begun.
    """
    return [each for each in client.tree()[2:] if _program(each) != BUS]


def _program(process: int) -> str | None:
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return None


# The clients -------------------------------------------------------------------------------------

IPCONFIG = "/usr/lib/klibc/bin/ipconfig"
"""It ends as soon as it has configured the address; it has no option that tells its version."""

READ_ONLY_SYS = "mount -o remount,ro /sys"
"""So that a daemon does not wait for udev to tell it of links."""

WITH_BUS = f"{READ_ONLY_SYS}; mkdir /run/dbus; {BUS} --system --fork --nopidfile"

DHCLIENT = "dhclient -4 -d -v -cf /run/dhclient.conf -lf {place}/leases -pf /run/dhclient.pid"
DHCLIENT_SETUP = """cat >/run/dhclient.conf <<END
timeout 20; retry 2; initial-interval 1; backoff-cutoff 3; reboot 1; select-timeout 0;
END"""
DHCLIENT_DEBIAN = "/sbin/dhclient-script"

UDHCPC_DEBIAN = "/etc/udhcpc/default.script"

DHCPCD_SETUP = "mkdir /run/dhcpcd"
DHCPCD_HOOKS = "/lib/dhcpcd/dhcpcd-run-hooks"

NETWORKD = "/lib/systemd/systemd-networkd"
NETWORKD_SETUP = f"""{READ_ONLY_SYS}
mkdir -p /run/systemd/network /run/systemd/netif
chown systemd-network: /run/systemd/netif
export SYSTEMD_LOG_TARGET=console
cat >/run/systemd/network/00-eth0.network <<END
[Match]
Name={{iface}}
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
"""

NETWORK_MANAGER_SETUP = f"""{WITH_BUS}
mkdir -p /run/NetworkManager/system-connections
cat >/run/NetworkManager.conf <<END
[main]
plugins=keyfile
dhcp=internal
dns=none
no-auto-default=*
auth-polkit=false
END
umask 077
cat >/run/NetworkManager/system-connections/eth0.nmconnection <<END
[connection]
id=eth0
uuid=d44ff6ba-1c53-4b3c-9d4e-6a1f5f6ac0a8
type=ethernet
interface-name={{iface}}
[ipv4]
method=auto
[ipv6]
method=disabled
END
umask 022"""

PYROUTE2 = "{python} -u -m pyroute2.dhcp.cli --log-level DEBUG -R {hook} " + " ".join(
    f"--hook pyroute2.dhcp.hooks.{name}"
    for name in ("configure_ip", "add_default_gw", "remove_default_gw", "remove_ip")
)
"""Python looks for modules, and the client for its lease, where it is started."""

PROGRAMS = (
    ClientProgram(
        name="reference",
        title="the reference client",
        lease=12,
        profile="reference",
        version_command=(sys.executable, "-c", COMMANDS, "--version"),
        command=f"{{python}} -u -c '{COMMANDS}' client {{iface}} --json {{hook}} "
        "--state-dir {place}/state --journal {place}/journal",
        hook=HookWords("--hook {place}/hook"),
    ),
    ClientProgram(
        name="dhclient",
        title="ISC dhclient with Debian's script",
        package="isc-dhcp-client",
        needs=("dhclient", DHCLIENT_DEBIAN),
        lease=6,
        profile="dhclient",
        version_command=("dhclient", "--version"),
        setup=DHCLIENT_SETUP,
        command=f"{DHCLIENT} {{hook}} {{iface}}",
        hook=HookWords("-sf {place}/hook", DHCLIENT_DEBIAN),
    ),
    ClientProgram(
        name="dhclient-without-lifetime",
        title="ISC dhclient with a script that sets no lifetime",
        package="isc-dhcp-client",
        needs=("dhclient",),
        lease=6,
        profile="dhclient-nolifetime",
        version_command=("dhclient", "--version"),
        setup=DHCLIENT_SETUP,
        script=DHCLIENT_SCRIPT,
        command=f"{DHCLIENT} -sf {{place}}/script {{hook}} {{iface}}",
        hook=HookWords("-sf {place}/hook", "{place}/script"),
    ),
    ClientProgram(
        name="udhcpc",
        title="busybox udhcpc with Debian's script",
        package="udhcpc",
        needs=("udhcpc", UDHCPC_DEBIAN),
        lease=30,
        profile="udhcpc",
        version_command=("udhcpc", "--help"),
        command=f"udhcpc -f -i {{iface}} -s {UDHCPC_DEBIAN} {{hook}}",
        hook=HookWords("-s {place}/hook", UDHCPC_DEBIAN),
    ),
    ClientProgram(
        name="udhcpc-lifetime",
        title="busybox udhcpc with a script that sets valid_lft",
        package="udhcpc",
        needs=("udhcpc",),
        lease=30,
        profile="udhcpc-lifetime",
        version_command=("udhcpc", "--help"),
        script=UDHCPC_SCRIPT,
        command="udhcpc -f -i {iface} -s {place}/script {hook}",
        hook=HookWords("-s {place}/hook", "{place}/script"),
    ),
    ClientProgram(
        name="dhcpcd",
        title="dhcpcd",
        package="dhcpcd-base",
        needs=("dhcpcd",),
        lease=24,
        profile="dhcpcd",
        version_command=("dhcpcd", "--version"),
        setup=DHCPCD_SETUP,
        command="dhcpcd -B -4 -d -f /etc/dhcpcd.conf {hook} {iface}",
        hook=HookWords("-c {place}/hook", DHCPCD_HOOKS),
    ),
    ClientProgram(
        name="dhcpcd-A",
        title="dhcpcd, -A",
        package="dhcpcd-base",
        needs=("dhcpcd",),
        lease=24,
        profile="dhcpcd-noarp",
        version_command=("dhcpcd", "--version"),
        setup=DHCPCD_SETUP,
        command="dhcpcd -B -4 -d -A -f /etc/dhcpcd.conf {hook} {iface}",
        hook=HookWords("-c {place}/hook", DHCPCD_HOOKS),
    ),
    ClientProgram(
        name="networkd",
        title="systemd-networkd",
        package="systemd",
        needs=(NETWORKD,),
        lease=6,
        profile="networkd",
        version_command=(NETWORKD, "--version"),
        command=NETWORKD,
        setup=f"{NETWORKD_SETUP}END",
    ),
    ClientProgram(
        name="networkd-keep",
        title="systemd-networkd with KeepConfiguration=dhcp",
        package="systemd",
        needs=(NETWORKD,),
        lease=6,
        profile="networkd-keep",
        version_command=(NETWORKD, "--version"),
        command=NETWORKD,
        setup=f"{NETWORKD_SETUP}KeepConfiguration=dhcp\nEND",
    ),
    ClientProgram(
        name="NetworkManager",
        title="NetworkManager, internal client (n-dhcp4)",
        package="network-manager",
        needs=("NetworkManager", BUS),
        lease=6,
        profile="networkmanager",
        version_command=("NetworkManager", "--version"),
        setup=NETWORK_MANAGER_SETUP,
        command="NetworkManager -n --config=/run/NetworkManager.conf "
        "--config-dir=/run/none --system-config-dir=/run/none",
    ),
    ClientProgram(
        name="connman",
        title="connman",
        package="connman",
        needs=("connmand", BUS),
        lease=10,
        profile="connman",
        version_command=("connmand", "--version"),
        setup=WITH_BUS,
        command="connmand -n -d -I lo --nodnsproxy -i {iface}",
    ),
    ClientProgram(
        name="klibc-ipconfig",
        title="klibc's ipconfig, of initial RAM disks",
        package="klibc-utils",
        needs=(IPCONFIG, "dpkg-query"),
        lease=10,
        profile="klibc-ipconfig",
        version_command=("dpkg-query", "--show", "klibc-utils"),
        command=f"{IPCONFIG} -t 60 -c dhcp -d {{iface}}",
    ),
    ClientProgram(
        name="pyroute2",
        title="pyroute2's DHCP client",
        package="pyroute2",
        lease=6,
        profile="pyroute2",
        setup="cd {place}",
        command=f"{PYROUTE2} {{iface}}",
        version_command=(sys.executable, "-c", "import pyroute2; print(pyroute2.__version__)"),
        hook=HookWords("--hook hook.blocks", file="hook.py", text=PYTHON_HOOK),
        usual=False,  # it is here because this project is, and tells nothing of the machine
    ),
)

CLIENTS: Mapping[str, ClientProgram] = MappingProxyType({each.name: each for each in PROGRAMS})
"""Every client, by name: the variants whose holdover is known, and our own."""
