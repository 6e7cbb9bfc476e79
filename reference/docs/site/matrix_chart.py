"""The matrix of faults and safeguards in one picture: which safeguard is against which fault.

Theory of operation.  It is read off the table that stands in `docs/matrix.md`, so that nothing is
proved twice; `--check` holds that table to the proofs and searches.  A cell that holds is filled
and has a tick, one in which two hosts collide has the steps of the shortest collision, and an
unknown one has a question mark: the sign says what the colour says.

What it does not know: whether that table is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdover.reference.docs.site.drawing import svg, words

REGION = re.compile(r"<!-- generated: matrix -->\n(?P<table>.*?)<!-- end -->", re.DOTALL)

LEFT, WIDE, HIGH, TOP = 222, 50, 24, 136

COLOURS = """<style>
svg { --holds: #1a7f37; --bad: #ffd8d3; --open: #fff8c5; --on: #ffffff }
@media (prefers-color-scheme: dark) { svg { --holds: #238636; --bad: #4c1613; --open: #4d3f05;
--on: #ffffff } }
.holds { fill: var(--holds) } .bad { fill: var(--bad) } .open { fill: var(--open) }
.tick { fill: var(--on); font-weight: 700 }
</style>"""


def rows_of(page: str) -> list[list[str]]:
    """The cells of the page's table, its head first; ValueError where there is none."""
    region = REGION.search(page)
    lines = region["table"].splitlines() if region else []
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    if len(rows) < 3:
        raise ValueError("no table of faults and safeguards stands between its comments")
    return [rows[0], *rows[2:]]


def matrix_chart(page: str) -> str:
    """The picture of the table that stands in this text of `docs/matrix.md`."""
    (_, *columns, _), *rows = rows_of(page)
    drawn = [
        COLOURS,
        words(16, 28, "Which safeguard is against which fault", "title"),
        *key(),
        *(heading(LEFT + WIDE * (n + 0.5), name) for n, name in enumerate(columns)),
    ]
    for line, (fault, *cells, _) in enumerate(rows):
        y = TOP + HIGH * line
        drawn.append(words(16, y + 16, fault))
        for column, cell in enumerate(cells):
            drawn += square(LEFT + WIDE * column, y, cell)
    return svg(LEFT + WIDE * len(columns) + 40, TOP + HIGH * len(rows) + 12, says(rows), drawn)


def key() -> Iterator[str]:
    """What the signs mean."""
    for line, (cell, meaning) in enumerate(
        (
            ("holds", "proved for any number of hosts"),
            ("18 steps", "collides after 18 steps"),
            ("?", "no proof, and none seen"),
        )
    ):
        y = 40 + 26 * line
        yield from square(12, y, cell)
        yield words(68, y + 16, meaning, "quiet small")


def heading(x: float, name: str) -> str:
    """The name of a column, slanted."""
    at = f"translate({x:g} {TOP - 8}) rotate(-40)"
    return f'<text class="quiet" transform="{at}">{name}</text>'


def square(x: float, y: float, cell: str) -> Iterator[str]:
    """A cell: its colour and its sign.  ValueError for one that says something else."""
    steps = re.fullmatch(r"(\d+) steps?", cell)
    if cell not in ("holds", "?") and steps is None:
        raise ValueError(f"a cell of the matrix that has no sign: {cell!r}")
    kind = "bad" if steps else {"holds": "holds", "?": "open"}[cell]
    yield (
        f'<rect class="{kind}" x="{x + 2:g}" y="{y + 1:g}" width="{WIDE - 4}" '
        f'height="{HIGH - 2}" rx="3"/>'
    )
    sign = steps[1] if steps else {"holds": "✓", "?": "?"}[cell]
    yield words(x + WIDE / 2, y + 17, sign, "tick" if kind == "holds" else "", "middle")


def says(rows: list[list[str]]) -> str:
    """What is to be seen, in sentences."""
    harmful = [row for row in rows if row[1] != "holds"]
    cells = [cell for row in rows for cell in row[1:-1]]
    return (
        f"Of {len(rows)} faults, {len(harmful)} make two hosts hold one address where the client "
        f"has no safeguard. Of {len(cells)} pairs of fault and safeguard, "
        f"{cells.count('holds')} hold, {cells.count('?')} are unknown, and the others collide."
    )
