"""Client and server on interfaces of a VLAN, on this machine's kernel or on one in a process.

Where this kernel makes no VLAN interfaces, and User-mode Linux is there (Debian's user-mode-linux:
a kernel that is a program, with the machine's files as they are, read only), the scene is played
in that one.  `python -m tests.net.vlan` plays it where it is started, and prints what it has seen.

User-mode Linux 6.1 has no room for the registers of a processor with AMX, and ends at once.  There
an emulated machine (machine.py) has Debian's own kernel, and plays the same (`vlan_in_guest.py`).
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import Process, UnheardError
from holdover.reference.lab.warm.warm_python import WarmPython
from tests.checkout import ROOT
from tests.measure.malformed import GOOD, serve
from tests.net.machine import BEGINS, Files, archive_of, boots, python_and_holdover

LONG = 120
"""Seconds, for what takes twenty; a kernel in a process is slow."""

KERNEL, MODULES = "linux.uml", Path("/usr/lib/uml/modules")
NEEDED = (
    "drivers/net/veth",
    "net/llc/llc",
    "net/802/stp",
    "net/802/garp",
    "net/802/mrp",
    "net/8021q/8021q",
    "lib/crc-ccitt",
    "net/ipv6/ipv6",
    "net/bridge/bridge",
)
"""In the order in which they need each other."""

NO_ROOM = "ptrace set fp regs failed"
"""What User-mode Linux says before it ends, where the processor has more registers."""

EMULATED = (
    BEGINS
    + """ip netns add srv
ip link add eth0 type veth peer name eth0 netns srv
for on in "ip" "ip -n srv"; do
  $on link set eth0 up
  $on link add link eth0 name eth0.5 type vlan id 5
  $on link set eth0.5 up
done
ip -n srv addr add 10.77.0.1/24 dev eth0.5
ip -n srv addr add 10.78.0.1/24 dev eth0
{python} /scene.py
reboot -f
"""
)
"""Two ends of a cable, for the scene of `vlan_in_guest.py`."""

OURS = tuple(f"holdover.reference.{each}" for each in ("commands.client", "linux.client"))
"""What our programs import there, beside what the lab's own do."""

INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 TMPDIR=/run
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
for each in {modules}; do busybox insmod "$each"; done
ip link set lo up
cd {root} && {python} -m tests.net.vlan 2>&1
busybox poweroff -f
"""


@dataclass(frozen=True)
class Tagged:
    """What a client had on VLAN 5, what it left there, and its status."""

    found: list[str]
    left: str
    status: int


def scene(hosts: Mapping[str, Host], place: Path) -> Tagged:
    """Ours on VLAN 5; beside it, on the same cables and untagged, another server."""
    for name, address in (("srv", "10.77.0.1/24"), ("cli", None)):
        host = hosts[name]
        host.ip("link", "add", "link", "eth0", "name", "eth0.5", "type", "vlan", "id", "5")
        host.ip("link", "set", "eth0.5", "up")
        if address is not None:
            host.ip("addr", "add", address, "dev", "eth0.5")
    serve(hosts["other"], GOOD + "ff")
    words = "server eth0.5 --pool 10.77.0.90 --lease 60 --no-probe --json"
    server = hosts["srv"].holdover(*words.split())
    server.says("started", LONG)
    words = "client eth0.5 --no-probe --json --state-dir"
    client = hosts["cli"].holdover(*words.split(), place)
    client.says("BOUND", LONG)
    found = hosts["cli"].ip("-o", "-4", "addr", "show", "eth0.5")
    client.signal(signal.SIGINT)
    status = client.ended(LONG)
    left = hosts["cli"].ip("-o", "-4", "addr", "show", "eth0.5")
    return Tagged(re.findall(r"10\.77\.0\.\d+/", found), left, status)


def played(links: Links, place: Path) -> Tagged:
    """What was seen; the test is skipped where it cannot be told."""
    try:
        return scene(links(srv=None, cli=None, other="10.77.0.1/24"), place)
    except UnheardError as error:
        if "Unknown device type" not in str(error):
            raise
    if shutil.which(KERNEL) is None or not MODULES.is_dir():
        pytest.skip("this kernel makes no VLAN interfaces, and there is no user-mode-linux")
    return elsewhere(place)


def elsewhere(place: Path) -> Tagged:
    """What was seen in a kernel of its own; UnheardError where that says nothing."""
    (modules,) = MODULES.iterdir()
    init = place / "init"
    init.write_text(
        INIT.format(
            modules=" ".join(str(modules / "kernel" / f"{each}.ko") for each in NEEDED),
            root=ROOT,
            python=sys.executable,
        )
    )
    init.chmod(0o755)
    machine = Process(
        (
            KERNEL,
            "root=/dev/root",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            f"init={init}",
            "mem=600M",
            "con=null",
            "con0=null,fd:1",
            "quiet",
        )
    )
    try:
        return told(machine)
    except UnheardError as error:
        if NO_ROOM not in str(error):
            raise
    return emulated(place, Files())


def emulated(place: Path, files: Files) -> Tagged:
    """What was seen in an emulated machine; the test is skipped where there is none."""
    if (missing := files.missing()) is not None:
        pytest.skip(f"user-mode-linux does not know all registers here; else {missing}")
    root = place / "guest"

    def init(modules: str) -> str:
        shutil.copy(Path(__file__).with_name("vlan_in_guest.py"), root / "scene.py")
        return EMULATED.format(modules=modules, python=python_and_holdover(root))

    return told(Process(boots(files, archive_of(root, files, ("veth", "8021q"), init))))


def told(machine: Process) -> Tagged:
    """What a machine has seen, which then ends; UnheardError where it says nothing."""
    try:
        _, line = machine.says('^{"found"', 3 * LONG)
        machine.ended(LONG)
    finally:
        machine.end()
    return Tagged(**json.loads(line))


def main() -> None:
    """Play it here; our own programs are forked, for to start a Python takes long there."""
    with (
        tempfile.TemporaryDirectory() as place,
        WarmPython(OURS) as warm,
        closing(Links(Path(place), warm)) as links,
    ):
        hosts = links(srv=None, cli=None, other="10.77.0.1/24")
        sys.stdout.write(json.dumps(asdict(scene(hosts, Path(place) / "state"))) + "\n")


if __name__ == "__main__":
    main()
