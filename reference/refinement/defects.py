"""Mutants of the cores: the exploration finds the defects that real clients and servers have.

Theory of operation.  `defects.toml` has clients that are not quite `client.py`, and servers that
are not quite `server.py`: passages of its text are replaced, by what a real program does or did, or
by a misreading of the RFC.  Each is built as a module of its own and explored in place of the
reference core, first in the setting that shows it soonest; what the exploration finds *kills* it.
What no setting shows *survives*: the exploration is blind to it.

`python -m holdover.reference.refinement.defects` shows what kills each; `--record` writes it down.

What it does not know: defects in what the lease table does not see (server identifiers, flags, to
whom a datagram goes), and clients that never begin again.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table as Listing

from holdover.model.errors import nearest
from holdover.reference.core import client as reference_client
from holdover.reference.core import server as reference_server
from holdover.reference.refinement.search import Refined, refine
from holdover.reference.refinement.setting import (
    ClientSetting,
    Setting,
    every_setting,
    server_settings,
    settings,
)

MOST = 60_000
"""How many states a mutant is given in a setting; the runs to a defect are short."""

RECORD = Path(__file__).with_name("defects.json")
"""What kills each defect, as the documentation shows it."""


@dataclass(frozen=True)
class Seeded:
    """A defect put into a core on purpose.

    `says`: what it does wrong.  `modelled_on`: the program, article or passage it is taken from.
    `changes`: passages of the core and what stands there instead.  `setting`: the one that shows it
    soonest.  `core`: "client" or "server".
    """

    name: str
    says: str
    modelled_on: str
    setting: str
    changes: tuple[tuple[str, str], ...]
    core: str = "client"


@dataclass(frozen=True)
class Killed:
    """What the exploration found: where, what kind of defect, its words, after how many steps.

    `kind` is empty where nothing was found in any setting: the mutant survived.
    """

    setting: str
    kind: str
    says: str
    steps: int


# Mutants -----------------------------------------------------------------------------------------


@cache
def all_defects() -> tuple[Seeded, ...]:
    """All of `defects.toml`."""
    text = resources.files("holdover.reference.refinement") / "defects.toml"
    return tuple(_read_defect(row) for row in tomllib.loads(text.read_text("utf-8"))["defect"])


def _read_defect(row: dict[str, Any]) -> Seeded:
    defect = Seeded(**{**row, "changes": tuple((old, new) for old, new in row["changes"])})
    apply_defect(defect)
    known = tuple(setting.name for setting in settings_for(defect.core))
    if defect.setting not in known:
        where = f"defects.toml: {defect.name}: no setting {defect.setting!r}"
        raise ValueError(f"{where}; {nearest(defect.setting, known)}")
    return defect


CORES: dict[str, ModuleType] = {"client": reference_client, "server": reference_server}


def defects_of(core: str) -> tuple[Seeded, ...]:
    """Those of one core."""
    return tuple(defect for defect in all_defects() if defect.core == core)


@cache
def original(core: str = "client") -> str:
    """The text of `client.py` or `server.py`."""
    return Path(str(CORES[core].__file__)).read_text(encoding="utf-8")


def apply_defect(defect: Seeded) -> str:
    """The text of the core with the defect in it."""
    text = before = original(defect.core)
    for old, new in defect.changes:
        if before.count(old) != 1 or text.count(old) != 1:
            raise ValueError(
                f"defects.toml: {defect.name}: this is in {defect.core}.py {before.count(old)} "
                f"times, not once; change the defect with the {defect.core}:\n{old}"
            )
        text = text.replace(old, new)
    return text


def mutant(defect: Seeded) -> ModuleType:
    """The core with the defect, as a module; what it imports is the real thing."""
    name = f"{CORES[defect.core].__name__}__{defect.name.replace('-', '_')}"
    module = ModuleType(name)
    module.__file__ = f"<{defect.core}.py, {defect.name}>"
    sys.modules[name] = module
    exec(compile(apply_defect(defect), module.__file__, "exec", dont_inherit=True), module.__dict__)
    return module


def settings_for(core: str) -> tuple[Setting, ...]:
    """The settings in which that core is explored."""
    return settings() if core == "client" else server_settings()


def order(preferred: str) -> tuple[Setting, ...]:
    """All settings of its kind: the preferred one first, then the small ones."""
    (first,) = (setting for setting in every_setting() if setting.name == preferred)
    alike = settings_for("client" if isinstance(first, ClientSetting) else "server")
    return tuple(sorted(alike, key=lambda s: (s.name != preferred, s.states)))


def explore_mutant(defect: Seeded, setting: Setting) -> Refined:
    """What the exploration of a mutant finds in one setting."""
    return refine(setting, mutant(defect), most=MOST)


def kill(defect: Seeded) -> Killed:
    """What the first setting finds that finds anything."""
    for setting in order(defect.setting):
        seen = explore_mutant(defect, setting)
        if seen.kind:
            return Killed(setting.name, seen.kind, seen.defect, len(seen.run))
    return Killed("", "", "no setting shows it", 0)


# Report ------------------------------------------------------------------------------------------

Fates = dict[str, Killed]


def run(defects: Sequence[Seeded], progress: Callable[[int], None] | None = None) -> Fates:
    """Explore each mutant; `progress` is told how many are done."""
    fates = {}
    for defect in defects:
        fates[defect.name] = kill(defect)
        if progress is not None:
            progress(len(fates))
    return fates


def read_record() -> Fates:
    """What kills each defect, as recorded."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return {name: Killed(**fate) for name, fate in record.items()}


def as_json(fates: Fates) -> str:
    """The fates, one a line."""
    lines = (
        f"{json.dumps(name)}: {json.dumps(asdict(fate), ensure_ascii=False)}"
        for name, fate in fates.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def listing(defects: Sequence[Seeded], fates: Fates) -> Listing:
    """A table for the terminal."""
    listing = Listing("defect", "modelled on", "killed by")
    listing.columns[0].no_wrap = True
    for defect in defects:
        fate = fates[defect.name]
        found = f"{fate.kind} in {fate.setting} after {fate.steps} steps"
        killer = escape(found) if fate.kind else "[red]survives[/]"
        listing.add_row(defect.name, escape(defect.modelled_on), killer)
    return listing


def summary(fates: Fates) -> str:
    """How many were killed."""
    survivors = sum(not fate.kind for fate in fates.values())
    return f"{len(fates)} seeded: {len(fates) - survivors} killed, {survivors} survive"


@click.command()
@click.option("--only", "names", multiple=True, metavar="NAME", help="Only this defect.")
@click.option("--record", is_flag=True, help="Write down what kills each.")
@click.option("--check", is_flag=True, help="Exit 1 also if the record is another.")
def main(names: tuple[str, ...], record: bool, check: bool) -> None:
    """Explore cores with a defect; exit 0 if the exploration finds each, else 1.

    Example: python -m holdover.reference.refinement.defects --only nak-ignored
    """
    known = {defect.name: defect for defect in all_defects()}
    for name in names:
        if name not in known:
            raise click.BadParameter(
                f"no {name!r}; {nearest(name, tuple(known))}", param_hint="--only"
            )
    if names and (record or check):
        raise click.UsageError("--record and --check are about all defects; leave out --only")
    defects = tuple(known[name] for name in names) or all_defects()
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("defects", total=len(defects))
        fates = run(defects, lambda n: bar.update(task, completed=n))
    if record:
        RECORD.write_text(as_json(fates), encoding="utf-8")
    console = Console()
    console.print(listing(defects, fates))
    for defect in defects if names else ():
        console.print(escape(f"{defect.name}: {defect.says}. {fates[defect.name].says}"))
    console.print(summary(fates))
    stale = check and fates != read_record()
    if stale:
        click.echo("the recorded fates are not these; run with --record", err=True)
    sys.exit(1 if stale or not all(fate.kind for fate in fates.values()) else 0)


if __name__ == "__main__":
    main()
