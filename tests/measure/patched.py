"""Debian's source packages with the patches of docs/patches, built.

Theory of operation.  APT is asked with a configuration of its own below the place that is given, so
that the machine's lists and sources stay as they are.  A package is fetched, patched and compiled
there, with Debian's configuration; what comes of it is one program (and busybox's script), linked
into that place.  Needs Debian's archive, dpkg-dev, and a C compiler with make.

What it does not know: whether the archive still has the version that a patch was made against;
`patch` says so if not.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.checkout import ROOT

SOURCES = """Types: deb deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


@dataclass(frozen=True)
class Patched:
    """A source package, the patch below docs/patches, and how it is built.

    `steps`: a shell's; `made`: what is linked into the place, by the name there.
    """

    package: str
    patch: str
    steps: str
    made: Mapping[str, str]


PATCHED = (
    Patched(
        "busybox",
        "busybox-udhcpc.patch",
        "cp debian/config/pkg/deb .config; yes '' | make -s oldconfig; "
        'make -s -j"$(nproc)" busybox; '
        "chmod +x debian/tree/udhcpc/etc/udhcpc/default.script",
        MappingProxyType(
            {"udhcpc": "busybox", "default.script": "debian/tree/udhcpc/etc/udhcpc/default.script"}
        ),
    ),
    Patched(
        "dhcpcd5",
        "dhcpcd.patch",
        # the C library's arc4random asks the kernel by a call that dhcpcd forbids itself
        "ARC4RANDOM_UNIFORM=no ./configure --without-arc4random --without-udev "
        "--privsepuser=dhcpcd --dbdir=/var/lib/dhcpcd --libexecdir=/usr/lib/dhcpcd "
        "--rundir=/run/dhcpcd; make -s",
        MappingProxyType({"dhcpcd": "src/dhcpcd"}),
    ),
)


def build(place: Path) -> dict[str, str]:
    """Build all of them in a new directory; the version of each source package."""
    place = place.absolute()
    for folder in ("apt/parts", "apt/lists/partial", "apt/cache/archives/partial"):
        (place / folder).mkdir(parents=True)
    (place / "apt" / "sources").with_suffix(".sources").write_text(SOURCES)
    (place / "apt" / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{place}/apt/sources.sources";\n'
        f'Dir::Etc::sourceparts "{place}/apt/parts";\n'
        f'Dir::State::lists "{place}/apt/lists";\n'
        f'Dir::Cache "{place}/apt/cache";\n'
        'APT::Sandbox::User "root";\n'
    )
    run(place, ["apt-get", "-qq", "update"])
    return {each.package: build_one(place, each) for each in PATCHED}


def build_one(place: Path, patched: Patched) -> str:
    """Fetch, patch and build one; its version."""
    at = place / patched.package
    at.mkdir()
    run(at, ["apt-get", "-qq", "source", patched.package], place / "apt" / "apt.conf")
    (tree,) = (each for each in at.iterdir() if each.is_dir())
    patch = ROOT / "docs" / "patches" / patched.patch
    run(tree, ["patch", "-s", "-p1", "-i", str(patch)])
    run(tree, ["sh", "-ec", patched.steps])
    for name, file in patched.made.items():
        (place / name).symlink_to(tree / file)
    (description,) = at.glob("*.dsc")
    lines = description.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("Version: ") for line in lines if line.startswith("Version: "))


def run(at: Path, command: Sequence[str], config: Path | None = None) -> None:
    """Run a program there; what it says goes to a file beside, and is shown where it fails."""
    config = config or at / "apt" / "apt.conf"
    log = at.with_name(f"{at.name}.log")
    with log.open("ab") as said:
        done = subprocess.run(
            command,
            cwd=at,
            env={**os.environ, "APT_CONFIG": str(config)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
        )
    if done.returncode:
        last = log.read_text(errors="replace").splitlines()[-20:]
        raise RuntimeError(
            f"{' '.join(command)}: exit status {done.returncode}\n" + "\n".join(last)
        )
