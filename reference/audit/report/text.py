"""An audit for people: first what one forwards, then what it stands on, then what to do.

Theory of operation.  The first line is the verdict; each finding begins with a sentence that can
be forwarded as it is, and has its evidence by file and frame, what would excuse it, and its advice.
Below stand the addresses that findings are about, the rules that were put to the test, what could
not be decided and why, and what was read.  Lists are cut at a length that a reader bears, and say
so: the JSON has all.

What it does not know: how findings are reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.text import Text

from holdover.model.seconds import show_seconds
from holdover.reference.audit.monitor.results import AddressTimeline, Audit, AuditFinding
from holdover.reference.audit.monitor.rulebook import broken_duties, requirements
from holdover.reference.audit.observations import Gap
from holdover.reference.audit.report.words import Places, breaches, show_hardware, show_instant
from holdover.reference.console.output import COLOUR, Output, colour_outcome, grid
from holdover.reference.core.instants import SECOND

LEAST = 0.001
"""Seconds of an uncertainty that are told."""

MOST_FINDINGS, MOST_LINES = 50, 20
"""That are printed, of findings and of any other list."""

RIGHT = {"yes": "", "no": ", WITHOUT A RIGHT TO IT", "unknown": ", whether by right is unknown"}
"""Whether a host might use an address, in a line of a timeline."""

T = TypeVar("T")


def print_audit(audit: Audit) -> None:
    """All of it, on standard output."""
    out, places = Output(), Places.of(audit)
    out.say(Text(audit.verdict, style=COLOUR[audit.verdict]) + f": {summary(audit)}")
    for number, finding in enumerate(audit.findings[:MOST_FINDINGS], 1):
        out.say()
        for line in finding_lines(number, finding, places):
            out.say(line)
    if (more := len(audit.findings) - MOST_FINDINGS) > 0:
        out.say(f"\nand {more} more findings; --json has all")
    for title, lines in sections(audit, places):
        if lines:
            out.say(f"\n{title}")
            for line in lines:
                out.say(f"  {line}")
    print_rules(out, audit)
    for line in (*rule_lines(audit, places), *source_lines(audit)):
        out.say(line)


def summary(audit: Audit) -> str:
    """What the verdict means here, in a sentence."""
    if audit.findings:
        who = {each.address for each in audit.findings}
        return f"{count(len(audit.findings), 'finding')} about {count(len(who), 'address', 'es')}"
    if audit.verdict == "violated":
        broken = [name for name, rule in audit.rules.items() if rule.outcome == "violated"]
        named = ", ".join(broken_duties(audit.rules) or broken)
        open_ones = "; of the use of addresses not all can be told" if audit.open else ""
        return f"no finding about an address, but broken: {named}{open_ones}"
    if audit.verdict == "unknown":
        first = next(iter(reasons(audit)), "nothing was seen that could be judged")
        return f"no finding, but that is no pass: {first}"
    return "no finding: whoever was seen to use a leased address had a right to it"


def reasons(audit: Audit) -> Iterator[str]:
    """Why something is not known."""
    yield from (f"{each.about}: {each.why}" for each in audit.open)
    yield from (each.why for each in audit.gaps)
    for name, rule in audit.rules.items():
        if rule.outcome == "unknown":
            yield from (f"{name}: {why}" for why in rule.why)


def finding_lines(number: int, finding: AuditFinding, places: Places) -> Iterator[str]:
    """A finding: the sentence, the evidence, what would excuse it, the advice."""
    yield f"{number}. {finding.sentence}"
    yield f"   {name_finding(finding)}{figures(finding)}"
    yield "   evidence:"
    for each in finding.evidence:
        at = show_instant(each.at)
        yield f"     {places.show(each.where)}  {at}  {each.what}"
    if finding.unless_missed is not None:
        missed = count(finding.unless_missed, "datagram")
        yield f"   excused only if {missed} in a row, that no source shows, were on the network"
    yield f"   what to do: {finding.advice}"


def name_finding(finding: AuditFinding) -> str:
    """Its kind, its rule if it has one, and where that stands."""
    rule = "" if finding.rule is None else f", {finding.rule}"
    return f"{finding.kind}{rule} ({finding.section})"


def figures(finding: AuditFinding) -> str:
    """The seconds of a finding."""
    parts = []
    if finding.holdover_s is not None:
        parts.append(f"holdover {show_seconds(finding.holdover_s)}")
    if finding.duplicate_s is not None:
        parts.append(f"two hosts at once for {show_seconds(finding.duplicate_s)}")
    if finding.uncertainty_s >= LEAST:
        parts.append(f"perhaps {show_seconds(finding.uncertainty_s)} longer")
    return "".join(f", {each}" for each in parts)


def sections(audit: Audit, places: Places) -> Iterator[tuple[str, Sequence[str]]]:
    """Lists below the findings: a title, and lines."""
    about = {each.address for each in audit.findings}
    for each in audit.addresses:
        if each.address in about:
            vlan = "".join(f", VLAN {number}" for number in each.vlan)
            yield f"{each.address}{vlan}, UTC:", shorten(address_lines(each, places))
    open_ones = [f"{each.about}: {each.why}" for each in audit.open]
    yield "cannot be told from this, because:", shorten(open_ones)
    gaps = [f"{places.show(each.where)}: {each.why}{interval(each)}" for each in audit.gaps]
    yield "gaps: what happened meanwhile may be unseen", shorten(gaps)
    unreadable = [f"{places.show(each.where)}: {each.why}" for each in audit.unreadable]
    yield "could not be read; the rest was:", shorten(unreadable)


def interval(gap: Gap) -> str:
    """From when to when, of a gap."""
    if gap.since is None and gap.until is None:
        return ""
    begin = "the beginning" if gap.since is None else show_instant(gap.since)
    end = "the end" if gap.until is None else show_instant(gap.until)
    return f" ({begin} to {end})"


def address_lines(line: AddressTimeline, places: Places) -> list[str]:
    """Who had an address leased and who used it, in order of time."""
    told = []
    for lease in line.leases:
        who = show_hardware(lease.hardware) or client_name(lease.client_id)
        end = "for ever" if lease.end is None else f"until {show_instant(lease.end)}"
        over = f", over by {lease.over_by} at {show_instant(lease.over)}" if lease.over else ""
        acks = f", {lease.acks} DHCPACKs" if lease.acks > 1 else ""
        said = f"leased to {who} by {lease.server} {end}{over}{acks}; {places.show(lease.where)}"
        told.append((lease.begin, said))
    for use in line.uses:
        entitled = RIGHT[use.entitled]
        end = show_instant(use.end)
        who = f"used by {show_hardware(use.hardware)} until {end}{entitled}"
        told.append((use.begin, f"{who} ({use.how}); {places.show(use.where)}"))
    for since, until, one, other in line.overlaps:
        length = show_seconds((until - since) / SECOND)
        both = f"{show_hardware(one)} and {show_hardware(other)}"
        told.append((since, f"TWO HOSTS AT ONCE for {length}: {both}"))
    told.sort(key=lambda each: each[0])
    return [f"{show_instant(at)}  {said}" for at, said in told]


def client_name(client_id: bytes | None) -> str:
    """A client that is known by its identifier alone."""
    return "somebody" if client_id is None else f"client identifier {client_id.hex()}"


def print_rules(out: Output, audit: Audit) -> None:
    """A row for each rule that was put to the test."""
    tested = [each for each in audit.rules.values() if each.outcome != "unknown"]
    if not tested:
        return
    known, table = requirements(), grid("rule", "", "kept", "broken", "says")
    for rule in sorted(tested, key=lambda each: each.outcome != "violated"):
        says = f"{known[rule.rule].says} ({known[rule.rule].section})"
        table.add_row(
            rule.rule, colour_outcome(rule.outcome), str(rule.kept), str(rule.broken), says
        )
    out.say("\nrules that were put to the test")
    out.print(table)


def rule_lines(audit: Audit, places: Places) -> Iterator[str]:
    """Where rules were broken, and which of them nothing could be said of."""
    broken = [
        f"{name}  {places.show(each.where)}  {show_instant(each.at)}  "
        f"{show_hardware(each.hardware) or 'somebody'}: {each.says}"
        for name, each in breaches(audit)
    ]
    if broken:
        yield "\nwhere they were broken"
        yield from (f"  {line}" for line in shorten(broken))
    by_reason: dict[str, list[str]] = {}
    for name, rule in audit.rules.items():
        if rule.outcome == "unknown":
            by_reason.setdefault("; ".join(rule.why) or "nothing put it to the test", []).append(
                name
            )
    if by_reason:
        yield "\nrules of which nothing can be said"
        yield from (f"  {', '.join(names)}: {why}" for why, names in by_reason.items())


def source_lines(audit: Audit) -> Iterator[str]:
    """What was read, and on what premises."""
    yield "\nread, UTC"
    for each in audit.coverage:
        what = f"{each.frames:,} frames" if each.frames else "a text"
        seen = "nothing with a time"
        if each.begin is not None and each.end is not None:
            seen = f"{show_instant(each.begin)} to {show_instant(each.end)}"
        yield f"  {each.file}: {what}, {seen}"
    told = audit.premises
    profile = "any that conforms" if told.profile is None else told.profile
    yield (
        f"premises: up to {count(told.missed, 'datagram')} in a row missed by all sources, "
        f"{told.undelivered} seen but not delivered, clocks within ±{told.drift:g}; "
        f"the client: {profile}"
    )


def shorten(lines: Sequence[str]) -> Sequence[str]:
    """The first of many lines, and how many more there are."""
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more} more; --json has all"] if more > 0 else lines


def count(number: int, what: str, plural: str = "s") -> str:
    """As "1 finding", "2 findings"."""
    return f"{number:,} {what}{'' if number == 1 else plural}"
