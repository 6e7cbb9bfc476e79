"""`holdover lab roots`: root file systems of Debian releases, made, listed and removed.

What it does not know: how one is made (lab/roots/making.py), and what is played in it.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from holdover.model.errors import InputError, nearest
from holdover.reference.console.output import Output, document, grid
from holdover.reference.console.progress import Progress
from holdover.reference.lab.roots.made import cache_folder, look_into, made_roots
from holdover.reference.lab.roots.release import ABOUT, RELEASES
from holdover.reference.lab.testbed.sandbox import interrupt

MEGABYTE = 10**6


@click.group(epilog="Example: holdover lab roots make trixie && holdover lab --root trixie")
def roots() -> None:
    """Root file systems of Debian releases, for `holdover lab --root`."""


def complete_made(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names of those that were made."""
    return [CompletionItem(each) for each in made_roots() if each.startswith(incomplete)]


def complete_releases(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Releases."""
    return [CompletionItem(each) for each in RELEASES if each.startswith(incomplete)]


def check_release(
    ctx: click.Context, param: click.Parameter, given: Sequence[str]
) -> tuple[str, ...]:
    """Names that may be those of a release."""
    for name in given:
        if not name.isalnum() or not name.islower():
            raise click.BadParameter(
                f"{name!r} is no name of a Debian release; {nearest(name, RELEASES)}"
            )
    return tuple(dict.fromkeys(given))


@roots.command(epilog="Example: holdover lab roots make bullseye bookworm trixie sid")
@click.argument(
    "releases",
    metavar="RELEASE...",
    nargs=-1,
    required=True,
    callback=check_release,
    shell_complete=complete_releases,
)
@click.option(
    "--mirror", metavar="URL", help="Of Debian's archive.  [default: this machine's apt has one]"
)
@click.option("--stale", is_flag=True, help="Take an archive whose index has expired.")
def make(releases: tuple[str, ...], mirror: str | None, *, stale: bool) -> int:
    """Make the root file system of Debian releases, with each DHCP client that they have.

    With mmdebstrap, as root, from Debian's archive; in the user's cache.  What was made before is
    made anew.  Ctrl-C leaves nothing behind.

    Exit status: 0 made, 2 it cannot be made.
    """
    from holdover.reference.lab.roots.making import check_maker, find_mirror, in_turn, make_root

    check_maker()
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    mirror = mirror or find_mirror()
    folder = cache_folder()
    with in_turn(folder):
        megabytes, minutes = ABOUT
        free = shutil.disk_usage(folder).free
        click.echo(
            f"{len(releases)} to make in {folder}: some {len(releases) * megabytes} MB and "
            f"{len(releases) * minutes} minutes",
            err=True,
        )
        if free < len(releases) * megabytes * MEGABYTE * 2:  # packages and what is unpacked of them
            raise InputError(
                f"{folder}: {free // MEGABYTE} MB are free; that is too little; make room, or set "
                "XDG_CACHE_HOME to another folder"
            )
        for release in releases:
            began = time.monotonic()
            with Progress("roots") as progress:
                place = make_root(folder, release, mirror, progress.say, stale=stale)
            size = look_into(made_roots(folder)[release]).size
            click.echo(
                f"made: {place}: {size // MEGABYTE} MB, {time.monotonic() - began:.0f} s", err=True
            )
    click.echo(f"now: holdover lab --root {' --root '.join(releases)}", err=True)
    return 0


@roots.command("list", epilog="Example: holdover lab roots list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_roots(*, as_json: bool) -> None:
    """List the root file systems that were made, and what is in them."""
    found = [look_into(each) for each in made_roots().values()]
    if as_json:
        data = [{**asdict(each), "root": None} for each in found]
        for entry, each in zip(data, found, strict=True):
            del entry["root"]
            entry |= {"name": each.root.name, "path": str(each.root.path)}
        document("lab-roots", {"folder": str(cache_folder()), "roots": data})
        return
    out = Output()
    if not found:
        out.say(f"none in {cache_folder()}; holdover lab roots make {' '.join(RELEASES)}")
        return
    cells = grid("root", "what it is", "packages", "size", "made", "place")
    for each in found:
        size, count = f"{each.size // MEGABYTE} MB", str(each.packages)
        cells.add_row(each.root.name, each.title, count, size, each.date, str(each.root.path))
    out.print(cells)


@roots.command(epilog="Example: holdover lab roots remove sid")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_made)
def remove(names: tuple[str, ...]) -> None:
    """Remove root file systems that were made."""
    folder = cache_folder()
    there = made_roots(folder)
    for name in names:
        if name not in there:
            raise InputError(f"no root {name!r} in {folder}; {nearest(name, tuple(there))}")
    from holdover.reference.lab.roots.making import in_turn, remove_tree

    with in_turn(folder):
        for name in names:
            remove_tree(Path(there[name].path))
            click.echo(f"removed: {there[name].path}", err=True)
