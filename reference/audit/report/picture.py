"""Who had one address when, as a picture: the lab's timeline (reference/lab/report/svg.py).

Theory of operation.  The lab's picture has a row for each host with what it had, a thin row for
each host's leases, and the numbers of what happened.  Here a host is a hardware address, a bar is a
use that was seen, and it is plain where the host had a right to it, hatched where it had none, and
pale where nobody knows.  Zero is the beginning of the first finding about the address, or else its
last lease end, or else when the sources begin.

Of an address with many hosts the picture has those of findings and overlaps, then the last ones;
`left_out` says how many others there are.

What it does not know: how findings are reached; of what page it is a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from holdover.model.seconds import show_offset, show_seconds
from holdover.reference.audit.monitor.results import AddressTimeline, Audit, LeaseSpan, UseSpan
from holdover.reference.audit.report.words import show_hardware, show_instant
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.timeline import NO_LEASE, Granted, HeldSpan, Timeline
from holdover.reference.lab.report.event_list import TimelineEvent
from holdover.reference.lab.report.svg import BAR, LABEL, ROW, TOP, Drawing

MOST_HOSTS, MOST_SPANS = 8, 400
"""In a picture."""

UNKNOWN_HOST = "somebody"

ENTITLED = {"yes": "held", "no": "over", "unknown": "perhaps held"}
"""How a use is drawn (reference/lab/report/style.py)."""

RIGHT = {"yes": "", "no": ", without a right to it", "unknown": ", whether by right is unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressDrawing(Drawing):
    """An address; `uses` are the spans of `line.held`, and `leases` those of `line.granted`."""

    uses: tuple[UseSpan, ...]
    leases: tuple[LeaseSpan, ...]
    zero: Instant

    def told(self) -> list[TimelineEvent]:
        """Leases, their ends before their time, and uses."""
        found = []
        for lease in self.leases:
            who = name_host(lease.hardware)
            end = "for ever" if lease.end is None else f"until {self.clock(lease.end)}"
            acks = f", {lease.acks} DHCPACKs" if lease.acks > 1 else ""
            found.append(self.event(lease.begin, f"leased to {who} by {lease.server} {end}{acks}"))
            if lease.over is not None:
                said = f"the lease of {who} is over: {lease.over_by}"
                found.append(self.event(lease.over, said))
            elif lease.end is not None and self.after(lease.end) <= self.line.end:
                found.append(self.event(lease.end, f"the lease of {who} ends"))
        for use in self.uses:
            who = name_host(use.hardware)
            found.append(self.event(use.begin, f"used by {who}{RIGHT[use.entitled]} ({use.how})"))
            found.append(self.event(use.end, f"last seen to be used by {who}"))
        for since, until in self.line.overlap:
            length = show_seconds(until - since)
            found.append(TimelineEvent(since, f"two hosts use it, for {length}"))
        return sorted(found, key=lambda each: each.at)

    def event(self, at: Instant, words: str) -> TimelineEvent:
        """What is told at an instant, with the clock's time."""
        return TimelineEvent(self.after(at), f"{self.clock(at)} {words}")

    def after(self, at: Instant) -> float:
        """Seconds after zero."""
        return (at - self.zero) / SECOND

    def clock(self, at: Instant) -> str:
        """The time of day; the day as well where a record has several."""
        days = self.line.end - self.line.begin > 24 * 3600
        return show_instant(at, day=days)

    def called(self, host: str) -> str:
        """A host is its hardware address."""
        return host

    def description(self) -> str:
        """The picture in a sentence."""
        said = [
            f"{name_host(use.hardware)} from {show_seconds(self.after(use.begin), sign=True)} to "
            f"{show_seconds(self.after(use.end), sign=True)}{RIGHT[use.entitled]}"
            for use in self.uses
        ] or ["nobody was seen to use it"]
        return (
            f"Uses of {self.line.address}, seconds after the {self.line.about}: {'; '.join(said)}."
        )

    def bar(self, held: HeldSpan, y: int) -> Iterator[str]:
        """A use, by whether the host had a right to it."""
        use = self.uses[self.line.held.index(held)]
        span = f"{show_offset(held.begin)} to {show_offset(held.end)} s"
        words = f"{held.host} uses {held.address}: {span}{RIGHT[use.entitled]}"
        yield self.scale.rect(held.begin, held.end, y, BAR, ENTITLED[use.entitled], words)

    def overlaps(self) -> Iterator[str]:
        """Red: the bars of both, and paler what is between them."""
        rows = [TOP + ROW * row + LABEL for row in range(len(self.line.hosts))]
        for begin, end in self.line.overlap:
            holding = [
                y
                for y, host in zip(rows, self.line.hosts, strict=True)
                if any(
                    each.host == host and each.begin <= end and begin <= each.end
                    for each in self.line.held
                )
            ]
            if len(holding) > 1:
                yield self.scale.rect(
                    begin, end, holding[0], holding[-1] - holding[0], "between", ""
                )
            words = f"two hosts use it: {show_offset(begin)} to {show_offset(end)} s"
            for y in holding:
                yield self.scale.rect(begin, end, y, BAR, "both", words)


def draw_address(audit: Audit, line: AddressTimeline, number: int) -> tuple[AddressDrawing, int]:
    """The picture of an address as number `number` of a page, and how many hosts it leaves out."""
    about = [each for each in audit.findings if each.address == line.address]
    hosts, left_out = choose_hosts(line, [show_hardware(each.hardware) for each in about])
    uses = tuple(each for each in line.uses if name_host(each.hardware) in hosts)[-MOST_SPANS:]
    leases = tuple(each for each in line.leases if name_host(each.hardware) in hosts)[-MOST_SPANS:]
    uses = tuple(sorted(uses, key=lambda each: each.begin))
    leases = tuple(sorted(leases, key=lambda each: each.begin))
    ends = [each.end for each in leases if each.end is not None]
    seen = [
        *(each.begin for each in uses),
        *(each.begin for each in leases),
        *(each.end for each in uses),
        *(each.at for finding in about for each in finding.evidence),
    ]
    first = min(seen, default=0)
    if about:
        zero, what = min(each.since for each in about), "beginning of the first finding"
    elif ends:
        zero, what = max(ends), "last lease end"
    else:
        zero, what = first, NO_LEASE
    last = max([*seen, *(each for each in ends if each <= source_end(audit))], default=zero)
    timeline = Timeline(
        begin=(first - zero) / SECOND,
        end=(last - zero) / SECOND,
        about=what,
        address=line.address,
        hosts=hosts,
        held=tuple(held_span(each, line.address, zero) for each in uses),
        granted=tuple(lease_span(each, line.address, zero, last) for each in leases),
        happened=(),
        overlap=tuple(
            ((begin - zero) / SECOND, (end - zero) / SECOND)
            for begin, end, *_ in line.overlaps[-MOST_SPANS:]
        ),
        gap=None,
    )
    return AddressDrawing(timeline, number, uses=uses, leases=leases, zero=zero), left_out


def choose_hosts(line: AddressTimeline, named: Sequence[str | None]) -> tuple[tuple[str, ...], int]:
    """The hosts of a picture in the order in which they come, and how many others there are."""
    seen = [
        *((each.begin, name_host(each.hardware)) for each in line.leases),
        *((each.begin, name_host(each.hardware)) for each in line.uses),
    ]
    order = list(dict.fromkeys(host for _, host in sorted(seen)))
    both = [name_host(each) for _, _, *pair in line.overlaps for each in pair]
    wanted = dict.fromkeys([*(each for each in (*named, *both) if each in order), *order[::-1]])
    kept = set(list(wanted)[:MOST_HOSTS])
    return tuple(each for each in order if each in kept), len(order) - len(kept)


def held_span(use: UseSpan, address: IPv4Address, zero: Instant) -> HeldSpan:
    """A use as the lab's picture has a span."""
    begin, end = (use.begin - zero) / SECOND, (use.end - zero) / SECOND
    return HeldSpan(name_host(use.hardware), address, begin, end, end, still=False)


def lease_span(lease: LeaseSpan, address: IPv4Address, zero: Instant, last: Instant) -> Granted:
    """A lease as the lab's picture has one; without an end it goes on to that of the picture."""
    end = last if lease.end is None else lease.end
    until = end if lease.over is None else min(end, lease.over)
    begin = (lease.begin - zero) / SECOND
    length = int(max(end - lease.begin, 0) // SECOND)
    over = (until - zero) / SECOND
    return Granted(name_host(lease.hardware), address, begin, length, (end - zero) / SECOND, over)


def source_end(audit: Audit) -> Instant:
    """When the last source ends."""
    return max((each.end for each in audit.coverage if each.end is not None), default=0)


def name_host(hardware: bytes | None) -> str:
    """A host."""
    return show_hardware(hardware) or UNKNOWN_HOST
