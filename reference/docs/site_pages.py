"""The pages that are made for the site: the list of decisions.

What it does not know: what the decisions are about; it reads their titles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

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


GENERATORS: Mapping[str, Callable[[], str]] = {"decisions": decisions}
