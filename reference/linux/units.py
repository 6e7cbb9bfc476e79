"""Units for systemd that run this installation: `holdover client --print-unit`, and the server's.

Theory of operation.  The units are files beside this module, written for /usr/local/bin/holdover
and a user of their own.  `unit` puts in the path by which this program was called, which may be a
symbolic link (pipx), and changes what would keep systemd from running it: homes are hidden from a
unit and so is /tmp, unless the program is there; and where others may not pass on the way to it, as
in /root, the unit runs as the owner of that place.

What it does not know: whether systemd is there; an installation on a disk that is mounted late.
"""

from __future__ import annotations

import os
import pwd
import re
import sys
import sysconfig
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from stat import S_IXOTH

import click

from holdover.model.errors import InputError

WRITTEN_FOR = "/usr/local/bin/holdover"
HOMES = ("/home", "/root", "/run/user")
TEMPORARY = ("/tmp", "/var/tmp")


def print_unit(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    """What an option does that prints this unit and ends."""

    def callback(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            click.echo(unit(name, command()), nl=False)
            ctx.exit()

    return callback


def command() -> Path:
    """How this program was called; InputError where it is not installed as a command."""
    called = Path(sys.argv[0]).absolute()
    installed = Path(sysconfig.get_path("scripts"), "holdover")
    for path in (called, installed):
        if path.name == "holdover" and os.access(path, os.X_OK) and path.is_file():
            return path
    raise InputError(f"--print-unit: no command {installed}; install holdover, with pip or pipx")


def unit(name: str, program: Path) -> str:
    """The text of a unit that runs the program; InputError where no unit could."""
    if not re.fullmatch(r"[\w./+@:~-]+", str(program)):
        raise InputError(
            f"--print-unit: systemd would read {str(program)!r} as something else; "
            "install holdover in a directory with a plainer name"
        )
    text = (resources.files("holdover.reference") / "systemd" / name).read_text("utf-8")
    files = [program, program.resolve(), Path(sys.executable), Path(sys.executable).resolve()]
    files += [Path(__file__).resolve(), Path(os.__file__).resolve()]
    changes = [(WRITTEN_FOR, str(program))]
    if below(HOMES, files):
        changes.append(("\nProtectHome=yes\n", "\nProtectHome=read-only\n"))
    if below(TEMPORARY, files):
        changes.append(("\nPrivateTmp=yes\n", "\nPrivateTmp=no\n"))
    if (owner := only(files)) is not None:
        said = f"\n# Nobody else can enter where it is installed.\nUser={owner}\n"
        changes.append(("\nDynamicUser=yes\n", said))
    for before, after in changes:
        if text.count(before) != 1:
            raise AssertionError(f"{name}: {before!r} is there {text.count(before)} times")
        text = text.replace(before, after)
    return text


def below(places: tuple[str, ...], files: list[Path]) -> bool:
    """Whether one of the files is in one of the places."""
    return any(file.is_relative_to(place) for file in files for place in places)


def only(files: list[Path]) -> str | None:
    """Who alone can reach the files, by name; None: everybody can.  InputError where nobody can."""
    seen = {place: place.stat() for file in files for place in file.parents}
    closed = {place: one.st_uid for place, one in seen.items() if not one.st_mode & S_IXOTH}
    owners = set(closed.values())
    if len(owners) > 1:
        raise InputError(
            f"--print-unit: {' and '.join(map(str, closed))} belong to several users, "
            "and nobody else may enter; install holdover in /opt"
        )
    try:
        return pwd.getpwuid(owners.pop()).pw_name if owners else None
    except KeyError:
        raise InputError(
            "--print-unit: installed where only a user without a name may enter"
        ) from None
