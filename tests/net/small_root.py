"""A root file system of a few files, from this machine's busybox: as an older or a newer release.

It has a shell, busybox's DHCP client and server, Debian's script for the client, and a list of
packages that claims versions of its own, which no program says.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

VERSION = "1.99.7"
APPLETS = (
    *("sh", "ip", "ifconfig", "awk", "logger", "sleep", "cat", "ls", "env", "mkdir", "udhcpc"),
    *("udhcpd", "true", "echo", "touch"),
)
SCRIPT = "/etc/udhcpc/default.script"

PACKAGES = f"""\
Package: udhcpc
Status: install ok installed
Architecture: amd64
Version: 1:{VERSION}-6+b1

Package: udhcpd
Status: install ok installed
Version: 1:{VERSION}-6+b1

Package: isc-dhcp-client
Status: deinstall ok config-files
Version: 4.4.3-P1-2
"""


def small_root(place: Path) -> Path:
    """Make it in an empty place, and return that."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    told = subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"(?:=>\s*)?(/\S+)", told):
        copy(Path(library), place)
    for folder in ("bin", "proc", "sys", "dev", "run", "etc", "var/lib/dpkg"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy2(busybox, place / "bin/busybox")
    for name in APPLETS:
        (place / "bin" / name).symlink_to("busybox")
    copy(Path(SCRIPT), place)
    (place / "var/lib/dpkg/status").write_text(PACKAGES)
    return place


def copy(file: Path, place: Path) -> None:
    """A file of the machine's, at the same path."""
    there = place / file.relative_to("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, there)


def picture(place: Path) -> list[tuple[str, int, int]]:
    """All files, with their sizes and times of change."""
    return sorted(
        (str(each), about.st_size, about.st_ctime_ns)
        for each in place.rglob("*")
        for about in (each.lstat(),)
    )
