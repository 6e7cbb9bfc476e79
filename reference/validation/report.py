"""What `holdover explain JOURNAL` prints.

For people: the verdict, each finding with its line, and where the journal stops conforming.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from holdover.model.inputs import printable
from holdover.reference.console.output import Output, colour_outcome, document
from holdover.reference.validation.findings import Finding, JournalVerdict


def print_journal(path: Path, seen: JournalVerdict, as_json: bool) -> None:
    """Whether each call in a client's journal is a step of the lease table."""
    if as_json:
        document("explain-journal", data(path, seen))
        return
    out = Output()
    out.say(Text(f"{printable(str(path))}: ", style="bold") + colour_outcome(seen.outcome))
    for line in sentences(seen):
        out.say(line)


def sentences(seen: JournalVerdict) -> Iterator[str]:
    """The verdict in words."""
    if not seen.calls:
        yield "  no call of a client is in it"
        return
    each = f"  {seen.calls} calls of the client"
    if seen.violation is None:
        yield f"{each}: none is against the lease table"
    else:
        yield f"{each}; conforming: lines 1 to {seen.conforming}"
        yield from tell_finding(seen.violation, "violated")
        yield "  what follows is not judged"
    for finding in seen.unknown:
        yield from tell_finding(finding, "unknown")
    for finding in seen.remarks:
        yield from tell_finding(finding, "remark")
    rows = ", ".join(f"{row} {times}" for row, times in seen.taken.most_common())
    yield f"  rows taken: {rows or 'none'}"


def tell_finding(finding: Finding, what: str) -> Iterator[str]:
    """A finding: where, what was done, and why not."""
    why = finding.why
    at = finding.wall.isoformat(sep=" ", timespec="milliseconds")
    yield f"  line {finding.number}, {at}: {what}"
    if finding.did:
        yield f"    {finding.did}"
    yield f"    {why.says}"
    if why.guard:
        yield f"    guard {why.guard}"
    if why.source:
        yield f"    {why.source}"


def data(path: Path, seen: JournalVerdict) -> dict[str, object]:
    """The same for programs."""
    return {
        "journal": str(path),
        "outcome": seen.outcome,
        "calls": seen.calls,
        "conforming": seen.conforming,
        "violation": None if seen.violation is None else finding_data(seen.violation),
        "unknown": [finding_data(finding) for finding in seen.unknown],
        "remarks": [finding_data(finding) for finding in seen.remarks],
        "taken": [{"row": row, "times": times} for row, times in seen.taken.most_common()],
    }


def finding_data(finding: Finding) -> dict[str, object]:
    """`guard` and `row` are empty where no single row is meant."""
    why = finding.why
    return {
        "line": finding.number,
        "wall": finding.wall.isoformat(),
        "did": finding.did,
        "says": why.says,
        "row": why.row,
        "guard": why.guard,
        "source": why.source,
    }
