"""What the README and the site say in sum: the list of decisions, and what was found.

What it does not know: what the decisions are about; it reads their titles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from holdover.model.clients.situations import list_unexpressed, situations
from holdover.reference.refinement.defects import defects_of, read_record

DOCS = Path(__file__).parents[2] / "docs"
"""The pages, in a checkout."""

TITLE = re.compile(r"^# (?P<number>\d+)\. (?P<title>.+)$", re.MULTILINE)


def decisions() -> str:
    """The decisions by number, each by its title."""
    lines = []
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        title = TITLE.search(path.read_text(encoding="utf-8"))
        if title is None:
            raise ValueError(f"{path}: no line '# NUMBER. TITLE'")
        lines.append(f"- [{title['number']}. {title['title']}]({path.name})")
    return "\n".join(lines)


def sum_up() -> str:
    """How many situations are judged, and how many planted defects are found, by their pages."""
    expressed = sum(len(each.reports) for each in situations())
    reports = expressed + sum(len(each.reports) for each in list_unexpressed())
    kills = read_record()
    planted = [one.name for core in ("client", "server") for one in defects_of(core)]
    missed = [name for name in planted if name not in kills]
    every = "each" if not missed else f"each but {', '.join(missed)}"
    return (
        f"Beside that, {len(situations())} [situations](docs/situations.md) are judged, which "
        f"stand for {expressed} of {reports} kinds of public report that we have read, and "
        f"{len(planted)} defects were [planted](docs/client.md#defects-put-in-on-purpose) in the "
        f"reference client and server, one at a time: {every} was found by exploring the code."
    )


GENERATORS: Mapping[str, Callable[[], str]] = {"decisions": decisions, "found": sum_up}
