"""`python -m holdover.reference.refinement`: explore every setting, and say what it came to.

With `--pin`, write the numbers into `settings.toml`: they are then explained in the commit.
Exit 0: as pinned and without a gap; 1: not so.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from holdover.reference.refinement.coverage import Edge, gaps, table_edges
from holdover.reference.refinement.search import Refined, as_pinned, refine_all
from holdover.reference.refinement.setting import Setting, server_settings, settings


def pinned(text: str, seen: Refined) -> str:
    """The text of `settings.toml` with this setting's numbers."""
    name = re.escape(seen.setting.name)
    numbers = f"states = {seen.states}\nsteps = {seen.steps}\ndepth = {seen.depth}\n"
    entry = re.search(rf'\[\[\w+\]\]\nname = "{name}"\n(?:(?!\[\[).+\n)*', text)
    assert entry is not None
    kept = re.sub(r"(?m)^(states|steps|depth) = \d+\n", "", entry.group())
    return text.replace(entry.group(), kept + numbers)


def main() -> int:
    """Explore, print, pin where asked."""
    console = Console()
    shown = Table("setting", "size", "states", "steps", "depth", "local", "")
    taken: set[Edge] = set()
    served: set[Edge] = set()
    expected: set[Edge] = set()
    file = Path(__file__).with_name("settings.toml")
    text = file.read_text("utf-8")
    good = True
    for seen in refine_all((*settings(), *server_settings())):
        setting = seen.setting
        good &= as_pinned(seen)
        verdict = seen.defect or ("as pinned" if as_pinned(seen) else "not as pinned")
        numbers = (f"{n:,}" for n in (seen.states, seen.steps, seen.depth, seen.local))
        shown.add_row(setting.name, setting.size, *numbers, verdict)
        (taken if isinstance(setting, Setting) else served).update(seen.taken)
        if not seen.kind:
            text = pinned(text, seen)
        for line in seen.run:
            console.print(f"  {line}")
    for setting in settings():
        expected |= table_edges(setting)
    console.print(shown)
    missing = gaps(expected, taken)
    excused = len(expected - taken) - len(missing)
    console.print(
        f"{len(expected)} edges of the table, {len(expected & taken)} taken, {excused} excused, "
        f"{len(missing)} gaps"
    )
    for edge in missing:
        console.print(f"  gap: {edge}")
    rows = {row for _, row in served}
    console.print(f"{len(rows)} rows of the server taken: {', '.join(sorted(rows))}")
    if "--pin" in sys.argv:
        file.write_text(text, "utf-8")
    return 0 if good and not missing else 1


if __name__ == "__main__":
    sys.exit(main())
