"""The pictures of the README and the site's first page: SVG files, drawn from runs.

Theory of operation.  The collision is the shortest one that is found for `wfwg311`, and what
`wfwg311-fixed` does in the same schedule: the two courses of the page that `holdover explain
wfwg311 --beside wfwg311-fixed --html` writes, read from the same data.  A step is a column.  Each
state has a pattern or a word beside its colour.

What it does not know: why a host holds; the data say whether.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from holdover.model.clients.profile import load
from holdover.proofs.verdicts.judge import judge
from holdover.reference.docs.site.drawing import box, svg, words
from holdover.reference.docs.site.matrix_chart import matrix_chart
from holdover.reference.docs.site.two_clocks import two_clocks
from holdover.reference.explanation.comparison import compare
from holdover.reference.explanation.page_data import course_data

STEP, LEFT, LANE, GAP = 24, 78, 20, 8
"""Width of a column, where columns begin, height of a lane, and between lanes; in pixels."""

Column = Mapping[str, Any]


def collision() -> str:
    """The collision of Q151387, and the client with the fix in the same schedule."""
    compared = compare(judge(load("wfwg311")), judge(load("wfwg311-fixed")))
    if compared is None:
        raise ValueError("wfwg311 has no run to draw")
    bug, fixed = (course_data(each) for each in compared.shown())
    first: Any = bug["columns"]
    width = LEFT + STEP * (len(first) + 2) + 12
    drawn: list[str] = []
    y = 30
    for course, title in (
        (bug, "The bug: the address goes when the user clicks OK, and nobody does"),
        (fixed, "The fix: the address goes first, then the user is told"),
    ):
        drawn += [words(16, y, title, "title"), *panel(course, y + 14)]
        y += 178
    says = (
        "Two runs in one schedule. With the bug host A holds its address past the end of its "
        "lease, and host B is given the same address: a collision. With the fix A has released it."
    )
    return svg(width, y - 34, says, drawn)


def panel(course: Mapping[str, Any], top: int) -> Iterator[str]:
    """The lanes of both hosts and of the server's record, with the times."""
    columns: Sequence[Column] = course["columns"]
    end = LEFT + STEP * len(columns)
    rows = {name: top + i * (LANE + GAP) for i, name in enumerate(("A", "B", "server", "time"))}
    for name, says in (("A", "host A"), ("B", "host B"), ("server", "server")):
        yield words(16, rows[name] + 15, says)
        y = rows[name] + LANE + GAP / 2
        yield f'<line class="line" x1="{LEFT}" x2="{end + STEP}" y1="{y}" y2="{y}"/>'
    for host, name in enumerate("AB"):
        for kind, at, count in runs([how(column, host) for column in columns]):
            longer = STEP if at + count == len(columns) else 0
            yield box(LEFT + STEP * at, rows[name], STEP * count + longer, LANE, kind)
    for owner, at, count in runs([on_record(column) for column in columns]):
        longer = STEP if at + count == len(columns) else 0
        yield box(LEFT + STEP * at, rows["server"], STEP * count + longer, LANE, "record")
        told = f"leased to {'AB'[int(owner[1:]) - 1]}"
        yield words(LEFT + STEP * at + 6, rows["server"] + 15, told, "quiet small")
    for seconds, group in groupby(range(len(columns)), key=lambda i: str(columns[i]["now"])):
        yield words(LEFT + STEP * next(group), rows["time"] + 12, seconds, "quiet small")
    yield from notice(columns, rows["A"])
    if any(column["both"] for column in columns):
        yield words(LEFT, rows["time"] + 32, "striped: held without a lease", "quiet small")
        yield words(
            end + STEP, rows["time"] + 32, "COLLISION: two hosts, one address", "alarm", "end"
        )


def notice(columns: Sequence[Column], top: int) -> Iterator[str]:
    """The dialog, from when it is shown."""
    at = next((i for i, column in enumerate(columns) if column["notice"][0] == "SHOWN"), None)
    if at is not None:
        x = LEFT + STEP * at + 4
        yield f'<rect class="dialog" x="{x}" y="{top + 2}" width="112" height="16" rx="2"/>'
        yield words(x + 5, top + 14, "lease expired [OK]", "small")


def how(column: Column, host: int) -> str:
    """How a host has the address after a step: the class of its bar; empty: it has not."""
    if not column["holds"][host]:
        return ""
    if column["both"]:
        return "both"
    return "over" if column["over"][host] else "held"


def on_record(column: Column) -> str:
    """Whose lease runs on the server's record after a step; empty: nobody's."""
    return str(column["owner"][0]) if column["runs"][0] else ""


def runs(values: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Each value that is not empty, where it begins and for how many columns it stays."""
    for value, group in groupby(range(len(values)), key=values.__getitem__):
        members = list(group)
        if value:
            yield value, members[0], len(members)


PICTURES: Mapping[str, Callable[[], str]] = {
    "collision.svg": collision,
    "two-clocks.svg": two_clocks,
}
"""By the names of their files in docs/static/."""

OF_PAGES: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "matrix.svg": ("matrix.md", matrix_chart)
}
"""Those that are read off a page of docs/: which page, and what draws its text."""
