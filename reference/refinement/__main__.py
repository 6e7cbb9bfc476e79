"""`python -m holdover.reference.refinement`: explore every setting, and say what it came to.

With `--pin`, write the numbers into `settings.toml` and what was seen into `explored.json`, from
which the documentation is made: a change is then explained in its commit.  Exit 0: as pinned and
without a gap; 1: not so.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from holdover.reference.console.progress import Progress
from holdover.reference.refinement.coverage import edges_of, gaps
from holdover.reference.refinement.search import Refined, as_pinned, refine_all
from holdover.reference.refinement.setting import ClientSetting, every_setting, settings

HERE = Path(__file__).parent


def pin_setting(text: str, seen: Refined) -> str:
    """The text of `settings.toml` with this setting's numbers."""
    name = re.escape(seen.setting.name)
    numbers = f"states = {seen.states}\nsteps = {seen.steps}\ndepth = {seen.depth}\n"
    entry = re.search(rf'\[\[\w+\]\]\nname = "{name}"\n(?:(?!\[\[).+\n)*', text)
    assert entry is not None
    kept = re.sub(r"(?m)^(states|steps|depth) = \d+\n", "", entry.group())
    return text.replace(entry.group(), kept + numbers)


def summary(found: Iterable[Refined]) -> Mapping[str, list[list[object]]]:
    """What was seen, for the documentation: cells of the client's table, edges, server's rows.

    Only what does not depend on how often: no counts.
    """
    cells: set[tuple[object, ...]] = set()
    edges: set[tuple[str, ...]] = set()
    rows: set[tuple[str, ...]] = set()
    for seen in found:
        cells.update(seen.observed)
        if isinstance(seen.setting, ClientSetting):
            edges.update((*situation, row) for situation, row in seen.taken)
        else:
            rows.update((row,) for _, row in seen.taken)
    allowed = {(*situation, row) for situation, row in edges_of(settings())}
    parts: Mapping[str, set[Any]] = {
        "cells": cells,
        "edges": edges,
        "allowed": allowed,
        "server rows": rows,
    }
    listed = {name: sorted(part) for name, part in parts.items()}
    as_in_the_file: Mapping[str, list[list[object]]] = json.loads(json.dumps(listed))
    return as_in_the_file


@click.command(epilog="Example: python -m holdover.reference.refinement")
@click.option("--pin", is_flag=True, help="Write what was seen: settings.toml, explored.json.")
def main(pin: bool) -> None:
    """Explore the reference client and server in every setting; some minutes.

    Exit status 0: closed as pinned and without a gap; 1: not so.
    """
    console = Console()
    shown = Table("setting", "size", "states", "steps", "depth", "local", "")
    text = (HERE / "settings.toml").read_text("utf-8")
    found = []
    todo = every_setting()
    with Progress("refinement") as progress:
        for seen in refine_all(todo):
            found.append(seen)
            progress.count(len(found), len(todo), seen.setting.name)
    for seen in found:
        verdict = (
            seen.defect or seen.failed or ("as pinned" if as_pinned(seen) else "not as pinned")
        )
        numbers = (f"{n:,}" for n in (seen.states, seen.steps, seen.depth, seen.local))
        shown.add_row(seen.setting.name, seen.setting.size, *numbers, verdict)
        text = pin_setting(text, seen) if seen.complete else text
        for line in seen.run:
            console.print(f"  {line}")
    console.print(shown)
    taken = {
        edge for seen in found if isinstance(seen.setting, ClientSetting) for edge in seen.taken
    }
    expected = edges_of(settings())
    missing = gaps(expected, taken)
    excused = len(expected - taken) - len(missing)
    console.print(
        f"{len(expected)} edges of the table, {len(expected & taken)} taken, {excused} excused, "
        f"{len(missing)} gaps"
    )
    for edge in missing:
        console.print(f"  gap: {edge}")
    if pin:
        (HERE / "settings.toml").write_text(text, "utf-8")
        lines = {
            name: "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in part) + "\n]"
            for name, part in summary(found).items()
        }
        body = ",\n".join(f'"{name}": {part}' for name, part in lines.items())
        (HERE / "explored.json").write_text(f"{{\n{body}\n}}\n", "utf-8")
    sys.exit(0 if not missing and all(as_pinned(seen) for seen in found) else 1)


if __name__ == "__main__":
    main()
