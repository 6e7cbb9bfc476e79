"""DHCP clients as data: how each is started, what it needs, which profile describes it.

What it does not know: how a program is started (`client_program.py`), and what a client does.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType

from holdover.reference.lab.testbed.client_program import BUS, CLONE, ClientProgram, HookWords
from holdover.reference.lab.testbed.netns import COMMANDS

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

PYTHON_HOOK = """
import time
from pyroute2.dhcp.hooks import Trigger, hook
@hook(Trigger.UNBOUND, Trigger.EXPIRED)
async def blocks(lease):
    time.sleep({seconds})
"""


IPCONFIG = "/usr/lib/klibc/bin/ipconfig"
"""It ends as soon as it has configured the address; it has no option that tells its version."""

IWD = "/usr/libexec/iwd"
"""It is for radios; it tells what it misses, and ends where there is none."""

READ_ONLY_SYS = "mount -o remount,ro /sys"
"""So that a daemon does not wait for udev to tell it of links."""

WITH_BUS = f"{READ_ONLY_SYS}; mkdir -p /run/dbus; {BUS} --system --fork --nopidfile"

DHCLIENT = "dhclient -4 -d -v -cf /run/dhclient.conf -lf {place}/leases -pf /run/dhclient.pid"
DHCLIENT_SETUP = """cat >/run/dhclient.conf <<END
timeout 20; retry 2; initial-interval 1; backoff-cutoff 3; reboot 1; select-timeout 0;
{identity}
END"""
DHCLIENT_IDENTITY = f"send dhcp-client-identifier {CLONE};"
DHCLIENT_DEBIAN = "/sbin/dhclient-script"

UDHCPC_IDENTITY = f"-x 0x3d:{CLONE.replace(':', '')}"
UDHCPC_DEBIAN = "/etc/udhcpc/default.script"

DHCPCD_HOOKS = "/run/dhcpcd-run-hooks"
DHCPCD_SETUP = f"""mkdir -p /run/dhcpcd
for each in /lib/dhcpcd/dhcpcd-run-hooks /usr/libexec/dhcpcd-run-hooks; do
  [ ! -e $each ] || ln -sf $each {DHCPCD_HOOKS}
done"""
"""Debian has moved its script: it is where dhcpcd 10.5 has it, or where it was before."""
DHCPCD_IDENTITY = f"-I {CLONE}"

NETWORKD = "/lib/systemd/systemd-networkd"
NETWORKD_SETUP = f"""{READ_ONLY_SYS}
mkdir -p /run/systemd/network /run/systemd/netif
echo lxc >/run/systemd/container
chown systemd-network: /run/systemd/netif
export SYSTEMD_LOG_TARGET=console
cat >/run/systemd/network/00-eth0.network <<END
[Match]
Name={{iface}}
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
{{identity}}
"""
NETWORKD_IDENTITY = "[DHCPv4]\nIAID=1\n[Network]"
"""The rest of its identifier is the machine-id, which is one for all hosts of the lab."""

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
{{identity}}
[ipv6]
method=disabled
END
umask 022"""
NETWORK_MANAGER = (
    "NetworkManager -d --config=/run/NetworkManager.conf "
    "--config-dir=/run/none --system-config-dir=/run/none"
)
NETWORK_MANAGER_IDENTITY = f"dhcp-client-id={CLONE}"

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
        "--state-dir {place}/state --journal {place}/journal {identity}",
        identity=f"--client-id {CLONE}",
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
        identity=DHCLIENT_IDENTITY,
        command=f"{DHCLIENT} {{hook}} {{iface}}",
        hook=HookWords("-sf {place}/hook", DHCLIENT_DEBIAN),
    ),
    ClientProgram(
        name="dhclient-nolifetime",
        title="ISC dhclient with a script that sets no lifetime",
        package="isc-dhcp-client",
        needs=("dhclient",),
        lease=6,
        profile="dhclient-nolifetime",
        version_command=("dhclient", "--version"),
        setup=DHCLIENT_SETUP,
        script=DHCLIENT_SCRIPT,
        identity=DHCLIENT_IDENTITY,
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
        others=(("", "1.34", "udhcpc-1.30"),),
        version_command=("udhcpc", "--help"),
        command=f"udhcpc -f -i {{iface}} -s {UDHCPC_DEBIAN} {{hook}} {{identity}}",
        identity=UDHCPC_IDENTITY,
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
        command="udhcpc -f -i {iface} -s {place}/script {hook} {identity}",
        identity=UDHCPC_IDENTITY,
        hook=HookWords("-s {place}/hook", "{place}/script"),
    ),
    ClientProgram(
        name="dhcpcd",
        title="dhcpcd",
        package="dhcpcd-base",
        former_package="dhcpcd5",
        needs=("dhcpcd",),
        lease=24,
        profile="dhcpcd",
        others=(("", "8", "dhcpcd-7"),),
        version_command=("dhcpcd", "--version"),
        setup=DHCPCD_SETUP,
        command="dhcpcd -B -4 -d -f /etc/dhcpcd.conf {hook} {identity} {iface}",
        identity=DHCPCD_IDENTITY,
        hook=HookWords("-c {place}/hook", DHCPCD_HOOKS),
    ),
    ClientProgram(
        name="dhcpcd-noarp",
        title="dhcpcd, -A",
        package="dhcpcd-base",
        former_package="dhcpcd5",
        needs=("dhcpcd",),
        lease=24,
        profile="dhcpcd-noarp",
        version_command=("dhcpcd", "--version"),
        setup=DHCPCD_SETUP,
        command="dhcpcd -B -4 -d -A -f /etc/dhcpcd.conf {hook} {identity} {iface}",
        identity=DHCPCD_IDENTITY,
        hook=HookWords("-c {place}/hook", DHCPCD_HOOKS),
    ),
    ClientProgram(
        name="networkd",
        title="systemd-networkd",
        package="systemd",
        needs=(NETWORKD,),
        lease=6,
        profile="networkd",
        others=(("262", "", "networkd-262"),),
        version_command=(NETWORKD, "--version"),
        command=NETWORKD,
        identity=NETWORKD_IDENTITY,
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
        identity=NETWORKD_IDENTITY,
        setup=f"{NETWORKD_SETUP}KeepConfiguration=dhcp\nEND",
    ),
    ClientProgram(
        name="networkmanager",
        title="NetworkManager, internal client (n-dhcp4)",
        package="network-manager",
        needs=("NetworkManager", BUS),
        lease=6,
        profile="networkmanager",
        version_command=("NetworkManager", "--version"),
        identity=NETWORK_MANAGER_IDENTITY,
        setup=NETWORK_MANAGER_SETUP,
        command=NETWORK_MANAGER,
    ),
    *(
        ClientProgram(
            name=f"networkmanager-{backend}",
            title=f"NetworkManager with {backend}",
            package="network-manager",
            needs=("NetworkManager", BUS, backend),
            lease=lease,
            profile=f"networkmanager-{backend}",
            version_command=("NetworkManager", "--version"),
            identity=NETWORK_MANAGER_IDENTITY,
            setup=NETWORK_MANAGER_SETUP.replace("dhcp=internal", f"dhcp={backend}"),
            command=NETWORK_MANAGER,
            runs=backend,
            usual=False,
        )
        for backend, lease in (("dhclient", 6), ("dhcpcd", 24))
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
        name="iwd",
        title="iwd, with an address of its own",
        package="iwd",
        needs=(IWD, BUS),
        lease=10,
        version_command=(IWD, "--version"),
        setup=f"{WITH_BUS}; exec 2>&1",
        command=IWD,
        usual=False,
    ),
    ClientProgram(
        name="dhcpcanon",
        title="dhcpcanon",
        package="dhcpcanon",
        needs=("dhcpcanon",),
        lease=10,
        version_command=("dhcpcanon", "--version"),
        command="dhcpcanon {iface}",
        usual=False,
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

FORMER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "NetworkManager": "networkmanager",
        "dhcpcd-A": "dhcpcd-noarp",
        "dhclient-without-lifetime": "dhclient-nolifetime",
    }
)
"""What clients were called before each had its profile's name."""

RIVALS = ("dhclient", "pyroute2")
"""Who wants the address as well; the first of them that is here.  Neither asks who has it."""
