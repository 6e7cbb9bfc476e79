"""Debian's source packages with the patches of docs/patches, built.

Theory of operation.  For each release there is a folder of its name below the place that is given.
APT is asked with a configuration of its own there, so that the machine's lists and sources stay as
they are.  A package is fetched, patched and compiled there, with Debian's configuration; what comes
of it is one program (and busybox's script), linked into that folder.  Needs Debian's archive,
dpkg-dev, and a C compiler with make: the machine's, whatever the release.

A patch is made against the sources of Debian 12.  Where it fits those of another release as it is,
and the archive has them, it is built of these too.

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

SOURCES = """Types: deb-src
URIs: http://deb.debian.org/debian
Suites: {suites}
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""

SUITES: Mapping[str, str] = MappingProxyType({"sid": "sid"})
"""Of a release: its name and its updates; but sid has none."""


@dataclass(frozen=True)
class Patched:
    """A source package, the patch below docs/patches, and how it is built.

    `releases`: of whose sources; `steps`: a shell's; `made`: what is linked into the place, by the
    name there.
    """

    package: str
    releases: tuple[str, ...]
    patch: str
    steps: str
    made: Mapping[str, str]


PATCHED = (
    Patched(
        "busybox",
        ("bookworm", "trixie", "sid"),
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
        ("bookworm",),
        "dhcpcd.patch",
        # the C library's arc4random asks the kernel by a call that dhcpcd forbids itself
        "ARC4RANDOM_UNIFORM=no ./configure --without-arc4random --without-udev "
        "--privsepuser=dhcpcd --dbdir=/var/lib/dhcpcd --libexecdir=/usr/lib/dhcpcd "
        "--rundir=/run/dhcpcd; make -s",
        MappingProxyType({"dhcpcd": "src/dhcpcd"}),
    ),
)


def releases() -> list[str]:
    """Of whose sources something is built, in order."""
    return list(dict.fromkeys(name for each in PATCHED for name in each.releases))


def build(place: Path) -> dict[str, str]:
    """Build all of them in a new directory; of each source package, by release, its version."""
    for release in releases():
        at = place.absolute() / release
        for folder in ("apt/parts", "apt/lists/partial", "apt/cache/archives/partial"):
            (at / folder).mkdir(parents=True)
        (at / "apt/status").touch()
        suites = SUITES.get(release, f"{release} {release}-updates")
        (at / "apt/sources.sources").write_text(SOURCES.format(suites=suites))
        (at / "apt/apt.conf").write_text(
            f'Dir::Etc::sourcelist "{at}/apt/sources.sources";\n'
            f'Dir::Etc::sourceparts "{at}/apt/parts";\n'
            f'Dir::State::lists "{at}/apt/lists";\n'
            f'Dir::State::status "{at}/apt/status";\n'  # whatever the machine has installed
            f'Dir::Cache "{at}/apt/cache";\n'
            'APT::Sandbox::User "root";\n'
        )
        run(at, ["apt-get", "-qq", "update"])
        for each in PATCHED:
            if release in each.releases:
                build_one(at, each)
    return versions(place)


def versions(place: Path) -> dict[str, str]:
    """Of each source package that was built there, by release and name, its version."""
    found = {}
    for release in releases():
        for each in PATCHED:
            if release in each.releases:
                (description,) = (place / release / each.package).glob("*.dsc")
                lines = description.read_text(encoding="utf-8").splitlines()
                said = (line for line in lines if line.startswith("Version: "))
                found[f"{release}/{each.package}"] = next(said).removeprefix("Version: ")
    return found


def build_one(place: Path, patched: Patched) -> None:
    """Fetch, patch and build one."""
    at = place / patched.package
    at.mkdir()
    run(at, ["apt-get", "-qq", "source", patched.package], place / "apt" / "apt.conf")
    (tree,) = (each for each in at.iterdir() if each.is_dir())
    patch = ROOT / "docs" / "patches" / patched.patch
    run(tree, ["patch", "-s", "-p1", "-i", str(patch)])
    run(tree, ["sh", "-ec", patched.steps])
    for name, file in patched.made.items():
        (place / name).symlink_to(tree / file)


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
