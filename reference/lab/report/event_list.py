"""A timeline in words: what happened, in order of time.

Theory of operation.  `events` makes a line of everything that a timeline has: what hosts had, what
servers said, what the lab did or saw of programs (`done`).  `group_events` puts together what is so
near that a picture has one number for it; `list_events` is the list in HTML, with these numbers.

What it does not know: verdicts, and where in a picture something is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdover.model.seconds import show_seconds
from holdover.reference.lab.record.timeline import Granted, Timeline
from holdover.reference.lab.report.style import escape


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """What is told at an instant; DHCPACKs of one `kind` are counted where they are many.

    `done`: the lab did it, or saw it of a program.
    """

    at: float
    words: str
    kind: str = ""
    done: bool = False


def name(line: Timeline, host: str) -> str:
    """What a host is called."""
    return "client's host" if host == line.hosts[0] else "other host"


def events(line: Timeline) -> list[TimelineEvent]:
    """All that is told, in order of time."""
    found = []
    for each in line.happened:
        words = f"DHCPNAK to {name(line, each.host)}" if each.nak else each.what
        found.append(TimelineEvent(each.at, words, done=not each.nak))
    for lease in line.granted:
        kind = f"DHCPACK to {name(line, lease.host)}"
        found.append(TimelineEvent(lease.begin, f"{kind}: {describe_ack(line, lease)}", kind))
    for held in line.held:
        who = name(line, held.host)
        found.append(TimelineEvent(held.begin, f"{who} has {held.address}"))
        gone = f"{held.address} gone from {who}"
        still = f"{who} still has {held.address}, at the end of the record"
        found.append(TimelineEvent(held.end, still if held.still else gone))
    for begin, end in line.overlap:
        found.append(
            TimelineEvent(begin, f"two hosts have {line.address}, for {show_seconds(end - begin)}")
        )
    return sorted(found, key=lambda each: each.at)


def describe_ack(line: Timeline, lease: Granted) -> str:
    """What a DHCPACK says; the address where it is not the one in question."""
    address = "" if lease.address == line.address else f"{lease.address}, "
    return f"{address}{lease.lease} s, until {show_seconds(lease.end, sign=True)}"


def describe_timeline(line: Timeline) -> str:
    """A timeline in a sentence: who had what when."""
    said = [
        f"{name(line, each.host)} had {each.address} from {show_seconds(each.begin, sign=True)} "
        + ("until the record ended" if each.still else f"to {show_seconds(each.end, sign=True)}")
        for each in line.held
    ] or ["no host had an address"]
    both = sum(end - begin for begin, end in line.overlap)
    said += [f"two hosts had it for {show_seconds(both)}"] if both else []
    return f"Seconds after the {line.about}: {'; '.join(said)}."


def group_events(told: Sequence[TimelineEvent], apart: float) -> list[list[TimelineEvent]]:
    """Events of which each is less than so many seconds after the first of its group."""
    found: list[list[TimelineEvent]] = []
    for event in told:
        if found and event.at - found[-1][0].at < apart:
            found[-1].append(event)
        else:
            found.append([event])
    return found


def count_acks(group: Sequence[TimelineEvent]) -> Iterator[tuple[TimelineEvent, str]]:
    """The events of a group; of several DHCPACKs one after the other the last, and how many."""
    before = 0
    for number, event in enumerate(group):
        following = group[number + 1].kind if number + 1 < len(group) else ""
        if event.kind and event.kind == following:
            before += 1
            continue
        yield event, f"{event.words} ({before} more before it)" if before else event.words
        before = 0


def list_events(groups: Sequence[Sequence[TimelineEvent]]) -> str:
    """A list with a number for each group."""
    items = []
    for group in groups:
        lines = []
        for event, words in count_acks(group):
            said = f"<em>{escape(words)}</em>" if event.done else escape(words)
            lines.append(f"<span><time>{show_seconds(event.at, sign=True)}</time>{said}</span>")
        items.append(f"<li>{''.join(lines)}</li>")
    return f'<ol class="events">{"".join(items)}</ol>'
