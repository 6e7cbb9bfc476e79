"""A timeline as a picture in SVG.

Theory of operation.  Time runs to the right.  Each host has a row with a bar where it had the
address, the server one with a thin bar for each lease.  All is placed by per cent of the width, and
letters are not scaled: so the same picture is readable on a telephone.  Where a bar of the client's
host is not covered by a lease it is `over`; where two hosts have the address, `both`.

Other timelines than the lab's are drawn by a class that is derived from `Drawing` and has its own
words (reference/audit/report/picture.py).

What happened is numbered below the rows.  Events that would stand on top of each other have one
number; the list that tells of them (`event_list.py`) says all that the picture shows.

What it does not know: verdicts; how the classes look (`style.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil, inf, isfinite

from holdover.model.seconds import show_offset, show_seconds
from holdover.reference.lab.record.timeline import HeldSpan, Timeline
from holdover.reference.lab.report.event_list import (
    TimelineEvent,
    describe_ack,
    describe_timeline,
    events,
    group_events,
    name,
)
from holdover.reference.lab.report.style import escape

TOP, ROW, BAR, LABEL = 20, 38, 16, 15
"""Pixels: what is above the rows; a host's row, and its bar below the name of the row."""

LEASE, NUMBERS, AXIS = 8, 24, 20
"""Pixels: a row of leases, that of the numbers, and the axis."""

APART = 0.05
"""Of the width: two numbers that stand side by side on a telephone."""

ROOM = 0.25
"""Of the width: what the words for an overlap need there."""

VISIBLE = 0.004
"""Of the width: the least that is drawn of something late, or of an overlap."""

MARGIN = 0.03
"""Of the width, left and right: half a number."""

STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600)
DAY = 86400
TICKS = 6
"""Seconds between two ticks of the axis, or else days; and about how many there are."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From seconds to per cent of the width."""

    low: float
    high: float

    def part(self, at: float) -> float:
        """Where an instant is, from 0 to 1; what is outside is at the edge."""
        return min(max((at - self.low) / (self.high - self.low), 0.0), 1.0)

    def __call__(self, at: float) -> str:
        """Where it is, as SVG has it."""
        return f"{100 * self.part(at):.2f}%"

    def rect(self, begin: float, end: float, y: float, height: float, kind: str, words: str) -> str:
        """A rectangle that is told by its words when it is pointed at."""
        # But for the moment that it takes to heed a DHCPNAK.
        least = VISIBLE if kind == "both" or (kind == "over" and begin >= 0) else 0.0
        width = f"{100 * max(self.part(end) - self.part(begin), least):.2f}%"
        title = f"<title>{escape(words)}</title>" if words else ""
        return (
            f'<rect x="{self(begin)}" y="{y:g}" width="{width}" height="{height:g}" '
            f'class="{kind}">{title}</rect>'
        )

    def upright(self, at: float, top: float, bottom: float, kind: str) -> str:
        """A vertical line."""
        x = self(at)
        return f'<line x1="{x}" x2="{x}" y1="{top:g}" y2="{bottom:g}" class="{kind}"/>'

    def label(self, at: float, y: float, words: str, kind: str = "", beside: int = 0) -> str:
        """Text at an instant, on that side of it that has more room if `beside`; else centred."""
        anchor, shift = "middle", 0
        if beside:
            late = self.part(at) > 0.5
            anchor, shift = ("end", -beside) if late else ("start", beside)
        return (
            f'<text x="{self(at)}" y="{y:g}" dx="{shift}" text-anchor="{anchor}" '
            f'class="{kind}">{escape(words)}</text>'
        )


@dataclass(frozen=True, slots=True)
class Drawing:
    """A timeline that is drawn as number `number` of a page; `predicted`: None or inf: no line."""

    line: Timeline
    number: int
    predicted: float | None = None
    scale: Scale = field(init=False)
    groups: list[list[TimelineEvent]] = field(init=False)

    def __post_init__(self) -> None:
        line = self.line
        seen = [
            *(each.begin for each in line.held),
            *(each.begin for each in line.granted),
            *(each.at for each in line.happened),
        ]
        low, high = min(0.0, *seen) if seen else line.begin, max(line.end, 0.0)
        if self.predicted is not None and isfinite(self.predicted):
            # A prediction that is far off would leave no room for what was seen.
            high = max(high, min(self.predicted, high + (high - low) / 4))
        room = max(high - low, 0.1) * MARGIN
        scale = Scale(low - room, high + room)
        object.__setattr__(self, "scale", scale)
        apart = APART * (scale.high - scale.low)
        object.__setattr__(self, "groups", group_events(self.told(), apart))

    # What another kind of timeline tells in its own way -----------------------------------------

    def told(self) -> list[TimelineEvent]:
        """What is told below the rows, in order of time."""
        return events(self.line)

    def called(self, host: str) -> str:
        """What a host is called."""
        return name(self.line, host)

    def description(self) -> str:
        """The picture in a sentence."""
        return describe_timeline(self.line)

    # The rows ------------------------------------------------------------------------------------

    @property
    def bottom(self) -> int:
        """Below all rows."""
        return TOP + (ROW + LEASE) * len(self.line.hosts) + LABEL + 6

    def svg(self) -> str:
        """The picture."""
        height = self.bottom + NUMBERS + AXIS
        names = f'aria-labelledby="t{self.number} d{self.number}"'
        parts = [
            f'<svg class="line" xmlns="http://www.w3.org/2000/svg" role="img" {names} '
            f'height="{height}">',
            f'<title id="t{self.number}">Who had the address when</title>',
            f'<desc id="d{self.number}">{escape(self.description())}</desc>',
            *self.ground(),
            *(part for row, host in enumerate(self.line.hosts) for part in self.host(host, row)),
            *self.server(),
            *self.overlaps(),
            *self.lines(),
            *self.names(),
            *self.numbers(),
            *self.axis(),
            "</svg>",
        ]
        return "\n".join(parts)

    def ground(self) -> Iterator[str]:
        """What is behind the rows: a tint after the lease end, and lines down to the numbers."""
        if self.line.lease_end and self.line.end > 0:
            yield self.scale.rect(0, self.scale.high, TOP - 4, self.bottom - TOP + 4, "after", "")
        for row in range(len(self.line.hosts)):
            y = TOP + ROW * row + LABEL
            yield f'<rect x="0" y="{y}" width="100%" height="{BAR}" class="track"/>'
        for group in self.groups:
            yield self.scale.upright(group[0].at, TOP + LABEL, self.bottom + 4, "drop")

    def host(self, host: str, row: int) -> Iterator[str]:
        """A host, and when it had an address."""
        y = TOP + ROW * row
        for held in self.line.held:
            if held.host == host:
                yield from self.bar(held, y + LABEL)

    def bar(self, held: HeldSpan, y: int) -> Iterator[str]:
        """A span: what of it is covered by a lease, what is not, and what is not certain."""
        rect, who = self.scale.rect, self.called(held.host)
        words = f"{who} has {held.address}: {show_offset(held.begin)} to {show_offset(held.end)} s"
        if held.address != self.line.address:
            yield rect(held.begin, held.end, y + 4, BAR - 8, "else", words)
            return
        mine = held.host == self.line.hosts[0]
        yield rect(held.begin, held.sure, y, BAR, "held" if mine else "rival", words)
        for begin, end in self.uncovered(held) if mine else ():
            yield rect(begin, end, y, BAR, "over", f"without a lease: {show_seconds(end - begin)}")
        if held.sure < held.end:
            yield rect(held.sure, held.end, y, BAR, "perhaps held" if mine else "perhaps rival", "")

    def uncovered(self, held: HeldSpan) -> Iterator[tuple[float, float]]:
        """When a host surely had its address without a lease, after its first one."""
        leases = [
            each
            for each in self.line.granted
            if (each.host, each.address) == (held.host, held.address)
        ]
        for number, lease in enumerate(leases):
            following = leases[number + 1].begin if number + 1 < len(leases) else inf
            begin, end = max(lease.until, held.begin), min(following, held.sure)
            if begin < end:
                yield begin, end

    def server(self) -> Iterator[str]:
        """What the server granted, and refused."""
        y = TOP + ROW * len(self.line.hosts)
        rows = {host: y + LABEL + LEASE * row for row, host in enumerate(self.line.hosts)}
        for each in self.line.granted:
            top, who = rows[each.host], self.called(each.host)
            words = f"lease of {who}: {describe_ack(self.line, each)}"
            yield self.scale.rect(each.begin, each.until, top + 1, LEASE - 3, "lease", words)
            yield self.scale.upright(each.begin, top - 1, top + LEASE - 1, "ack")
        for nak in self.line.happened:
            if nak.nak:
                x, middle = self.scale(nak.at), rows[nak.host] + LEASE / 2 - 0.5
                # Lines in per cent cannot slant by pixels; a nested picture has its own zero.
                cross = '<path d="M-5-5 5 5M-5 5 5-5" class="nak"/>'
                yield f'<svg x="{x}" y="{middle:g}" overflow="visible">{cross}</svg>'

    def overlaps(self) -> Iterator[str]:
        """Red: the bars of both, and paler what is between them."""
        rows = [TOP + ROW * row + LABEL for row in range(len(self.line.hosts))]
        for begin, end in self.line.overlap:
            words = f"two hosts have the address: {show_offset(begin)} to {show_offset(end)} s"
            yield self.scale.rect(begin, end, rows[0], rows[-1] - rows[0], "between", "")
            holding = [
                y
                for y, host in zip(rows, self.line.hosts, strict=True)
                if any(
                    held.host == host
                    and held.address == self.line.address
                    and held.begin < end
                    and begin < held.end
                    for held in self.line.held
                )
            ]
            for y in holding:
                yield self.scale.rect(begin, end, y, BAR, "both", words)
            if self.scale.part(end) - self.scale.part(begin) > ROOM:
                middle, said = (begin + end) / 2, f"both: {show_seconds(end - begin)}"
                yield self.scale.label(middle, rows[0] + BAR + 14, said, "red halo strong")

    def names(self) -> Iterator[str]:
        """What each row is; above the lines, which a long name may cross."""
        for row, said in enumerate((*map(self.called, self.line.hosts), "server\u2019s leases")):
            y = TOP + ROW * row + 10
            yield f'<text x="0" y="{y}" class="name halo">{escape(said)}</text>'

    # What is below and above them ----------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """The lease end, and the worst that was predicted."""
        if self.line.lease_end:
            yield self.scale.upright(0, 2, self.bottom, "end")
            yield self.scale.label(0, 11, self.line.about, "strong halo", 5)
        if self.predicted is not None and self.predicted <= self.scale.high:
            yield self.scale.upright(self.predicted, TOP + 2, TOP + ROW - 4, "predicted")
            said = f"predicted at worst {show_seconds(self.predicted, sign=True)}"
            yield self.scale.label(self.predicted, TOP + 10, said, "predicted-name halo", 5)

    def numbers(self) -> Iterator[str]:
        """Of each group of events."""
        y = self.bottom + NUMBERS // 2
        for number, group in enumerate(self.groups, 1):
            yield f'<circle cx="{self.scale(group[0].at)}" cy="{y}" r="7.5" class="dot"/>'
            yield self.scale.label(group[0].at, y + 4, str(number))

    def axis(self) -> Iterator[str]:
        """Ticks at round seconds."""
        y = self.bottom + NUMBERS
        yield f'<line x1="0" x2="100%" y1="{y}" y2="{y}" class="axis"/>'
        low, high = self.scale.low, self.scale.high
        days = DAY * ceil((high - low) / TICKS / DAY)
        step = next((each for each in STEPS if each * TICKS >= high - low), days)
        for tick in range(int(low / step), int(high / step) + 1):
            at = tick * step
            yield self.scale.upright(at, y, y + 4, "axis")
            if 0.04 < self.scale.part(at) < 0.95:
                said = f"{at:+.12g} s".replace("-", "−") if tick else "0"
                yield self.scale.label(at, y + 16, said, "strong" if not tick else "name")
