"""The lanes of a course as a picture in SVG: hosts, the wire, the server.

Theory of operation.  It is the lab's picture (`lab/report/svg.py`): the same rows, bars, hatches
and red.  Time runs to the right, but a step has a column, however long it takes: in a run many
things happen at one instant.  The axis says when a column begins.

A page draws the same lanes anew after each step (`lanes.js`); a test in a browser holds the two
against each other, line by line.

What it does not know: where a column comes from (`page_data.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from holdover.reference.lab.report.style import HATCHES, PICTURE, escape
from holdover.reference.lab.report.svg import BAR, LABEL, ROW, TOP, Scale

WIRE, AXIS, THIN = 60, 24, 4
"""Pixels: the row of datagrams, the axis, and a thin bar."""

LEAST = 12
"""Columns that a picture has room for at least."""

APART = 2.6
"""Columns between two instants on the axis."""

NOT_TAKEN = ("miss", "lose", "ignore")
"""Rows by which a datagram goes that nobody takes."""

GEOMETRY = {
    "TOP": TOP,
    "ROW": ROW,
    "BAR": BAR,
    "LABEL": LABEL,
    "WIRE": WIRE,
    "AXIS": AXIS,
    "THIN": THIN,
    "LEAST": LEAST,
    "APART": APART,
}
"""What `lanes.js` draws by."""

Column = Mapping[str, Any]


def of_row(what: str, row: int, column: Column) -> bool:
    """A truth about a host or an address there."""
    return bool(column[what][row])


def holding(row: int, column: Column) -> str:
    """Whether a host has the address there, and by which right."""
    if not column["holds"][row]:
        return ""
    return "over" if column["over"][row] else "in its lease"


def owner(row: int, column: Column) -> str:
    """Whose lease of an address runs at the server there."""
    return str(column["owner"][row]) if column["runs"][row] else ""


class Lanes:
    """A course as columns of `page_data`, to be drawn."""

    def __init__(self, data: Mapping[str, Any], columns: Sequence[Column]):
        self.hosts, self.addresses, self.rows = data["hosts"], data["addresses"], data["rows"]
        self.columns = columns
        self.scale = Scale(0, max(len(columns), LEAST))
        self.wire = TOP + ROW * len(self.hosts)
        self.server = self.wire + WIRE
        self.bottom = self.server + ROW * len(self.addresses) + 2

    @property
    def height(self) -> int:
        """Of the picture, in pixels."""
        return self.bottom + AXIS

    def svg(self, y: int = 0) -> str:
        """The picture; `y`: where it begins in another one."""
        names = f"Lanes: {', '.join(self.hosts)}, the wire, the server"
        at = f' y="{y}"' if y else ""
        parts = [*self.host_rows(), *self.overlap(), *self.wire_row(), *self.server_rows()]
        return (
            f'<svg class="line" xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-label="{escape(names)}" height="{self.height}"{at}>'
            + "\n".join([*parts, *self.axis()])
            + "</svg>"
        )

    def spans(self, says: Callable[[Column], str | bool]) -> Iterator[tuple[str, int, int]]:
        """Stretches of columns of which the same is said, and what; where nothing is, none."""
        begin = 0
        for place in range(1, len(self.columns) + 1):
            said = says(self.columns[begin])
            if place == len(self.columns) or says(self.columns[place]) != said:
                if said:
                    yield str(said), begin, place
                begin = place

    def words(
        self, column: float, y: float, text: str, kind: str = "name halo", anchor: str = "start"
    ) -> str:
        """Text at a column."""
        x = self.scale(column)
        where = f'x="{x}" y="{y:g}" class="{kind}" text-anchor="{anchor}"'
        return f"<text {where}>{escape(text)}</text>"

    def host_rows(self) -> Iterator[str]:
        """When a host has the address, when it believes in its lease, and when that ends."""
        for row, host in enumerate(self.hosts):
            y = TOP + ROW * row
            yield f'<rect x="0" y="{y + LABEL}" width="100%" height="{BAR}" class="track"></rect>'
            yield self.words(0, y + 10, host)
            kind = "rival" if row else "held"
            for said, begin, end in self.spans(partial(holding, row)):
                drawn = "over" if said == "over" else kind
                words = f"{host} has the address, {said}"
                yield self.scale.rect(begin, end, y + LABEL, BAR, drawn, words)
            for _, begin, end in self.spans(partial(of_row, "leased", row)):
                words = f"{host} believes in its lease"
                yield self.scale.rect(begin, end, y + LABEL + BAR + 2, THIN, "lease", words)
            for place in self.ends(partial(of_row, "leased", row)):
                yield self.scale.upright(place, y + LABEL - 3, y + LABEL + BAR + 8, "end")
                side = "end" if place > len(self.columns) / 2 else "start"
                yield self.words(place, y + 10, f"lease of {host} ends", "strong halo", side)

    def ends(self, runs: Callable[[Column], bool]) -> Iterator[int]:
        """The columns before which something has ended."""
        for place in range(1, len(self.columns)):
            if runs(self.columns[place - 1]) and not runs(self.columns[place]):
                yield place

    def overlap(self) -> Iterator[str]:
        """Red: the bars of both, what is between them, and the word."""
        top = TOP + LABEL
        low = TOP + ROW * (len(self.hosts) - 1) + LABEL
        for _, begin, end in self.spans(lambda c: c["both"]):
            yield self.scale.rect(begin, end, top, low - top, "between", "")
            for y in (top, low):
                yield self.scale.rect(begin, end, y, BAR, "both", "two hosts have it")
            yield self.words(end, top + BAR + 13, "COLLISION", "red strong halo", "end")

    def wire_row(self) -> Iterator[str]:
        """A datagram as an arrow with its letter, and a cross where nobody took one."""
        yield self.words(0, self.wire + 10, "wire")
        top, end = self.wire + 27, self.wire + WIRE - 9
        for place, column in enumerate(self.columns):
            for each in column["happened"]:
                if each["how"] == "left out":
                    continue
                sent = self.rows[each["row"]][1]
                if sent:
                    down = sent[0] == "↓"
                    yield self.scale.upright(place + 0.5, top, end, "sent")
                    path = "M-4-5 0 0 4-5" if down else "M-4 5 0 0 4 5"
                    yield (
                        f'<svg x="{self.scale(place + 0.5)}" y="{end if down else top}" '
                        f'overflow="visible"><path class="sent" d="{path}"></path></svg>'
                    )
                    letters = "".join(word[0] for word in sent[1:].split())
                    yield self.words(place + 0.5, self.wire + 23, letters, "halo", "middle")
                elif each["row"] in NOT_TAKEN:
                    yield self.words(place + 0.5, end - 6, "✕", "lost", "middle")

    def server_rows(self) -> Iterator[str]:
        """Whose lease of an address runs at the server, and when the server is silent."""
        for row, address in enumerate(self.addresses):
            y = self.server + ROW * row
            yield f'<rect x="0" y="{y + LABEL}" width="100%" height="{BAR}" class="track"></rect>'
            yield self.words(0, y + 10, f"server: lease of {address}")
            for said, begin, end in self.spans(partial(owner, row)):
                words = f"the server's lease of {said}"
                yield self.scale.rect(begin, end, y + LABEL, BAR, "lease", words)
                yield self.words(begin + 0.15, y + LABEL + 12, said, "inside")
            for place in self.ends(partial(of_row, "runs", row)):
                yield self.scale.upright(place, y + LABEL - 3, y + LABEL + BAR + 3, "end")
            for _, begin, end in self.spans(lambda c: not c["serving"]):
                thin = y + LABEL + BAR + 2
                yield self.scale.rect(begin, end, thin, THIN, "away", "the server is silent")
                middle = (begin + end) / 2
                if self.scale.part(middle) > 0.3:
                    yield self.words(middle, y + 10, "silent", "name halo", "middle")

    def axis(self) -> Iterator[str]:
        """When a column begins, where time has passed."""
        yield (f'<line x1="0" x2="100%" y1="{self.bottom}" y2="{self.bottom}" class="axis"></line>')
        told = -9.0
        for place, column in enumerate(self.columns):
            if place and column["now"] == self.columns[place - 1]["now"]:
                continue
            yield self.scale.upright(place, self.bottom, self.bottom + 4, "axis")
            if place - told >= APART:
                anchor = "middle" if place else "start"
                yield self.words(place, self.bottom + 16, column["now"], "name", anchor)
                told = place


WIDE, MARGIN, TITLE = 960, 20, 26
"""Pixels: a picture that stands alone, what is around it, and the line above each course."""


def picture(data: Mapping[str, Any]) -> str:
    """The lanes of all courses of `page_data`, one below the other, as an SVG file of its own.

    It is light or dark as who looks at it has it.
    """
    y, parts = MARGIN, []
    for course in data["courses"]:
        drawn = Lanes(data, course["columns"])
        y += TITLE
        parts.append(f'<text x="0" y="{y - 10}" class="title">{escape(course["title"])}</text>')
        parts.append(drawn.svg(y))
        y += drawn.height + MARGIN
    whole = WIDE + 2 * MARGIN
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{y}" \
viewBox="0 0 {whole} {y}" font-family="system-ui, sans-serif">
<title>{escape(" and ".join(each["title"] for each in data["courses"]))}</title>
<style>{PICTURE}.title {{ font-size: 15px; font-weight: 700; }}</style>
{HATCHES}
<rect width="100%" height="100%" fill="var(--ground)"/>
<svg x="{MARGIN}" width="{WIDE}" height="{y}" overflow="visible">
{"".join(parts)}
</svg>
</svg>
"""
