"""An audit as one file of HTML, to be sent to whoever has to act.

Theory of operation.  The verdict, then each finding with its sentence, evidence and advice, then a
timeline for each address that a finding is about (`picture.py`), and for others as long as they
are few; then the rules, what is open, and what was read.  The style is that of the lab's page:
light and dark by the reader's system, nothing told by colour alone.

The file needs nothing but itself: no script, no font, no picture from elsewhere, and it tells the
browser to fetch none.  All text is escaped: what was captured is a stranger's.

What it does not know: how findings are reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from holdover.reference.audit.monitor.results import AddressTimeline, Audit, AuditFinding
from holdover.reference.audit.monitor.rulebook import requirements
from holdover.reference.audit.report.picture import draw_address
from holdover.reference.audit.report.text import figures, interval, name_finding, reasons, summary
from holdover.reference.audit.report.words import Places, breaches, show_hardware, show_instant
from holdover.reference.lab.report.event_list import list_events
from holdover.reference.lab.report.style import begin_page, escape, legend

MOST_OTHERS = 30
"""Addresses without a finding that have a timeline."""

MOST_OPENED = 3
"""Leased addresses of which the timeline is unfolded, where there is no finding."""

MOST_ROWS = 200
"""Of any table."""

CODE = re.compile("`([^`]+)`")

BADGES = {"holds": "holds", "violated": "late", "unknown": "unknown"}
"""The lab's style for a verdict: its red is for two hosts at once."""

LEGEND = {
    "held": "a host uses it, and has it leased",
    "over": "a host uses it without a right to it",
    "perhaps": "a host uses it; whether it has a right to it is unknown",
    "both": "two hosts use it at once",
    "ack": "a server has leased it, until its lease end",
}
"""What is seen in a picture, and what it means."""


def audit_page(audit: Audit) -> str:
    """The whole page."""
    places = Places.of(audit)
    findings = "".join(
        finding_part(number, each, places) for number, each in enumerate(audit.findings, 1)
    )
    return f"""{begin_page("Who had which address when")}\
<p><b class="badge {BADGES[audit.verdict]}">{audit.verdict}</b> {escape(summary(audit))}.</p>
</header>
<main>
{f'<h2 id="findings">Findings</h2>{findings}' if findings else ""}
{address_parts(audit)}
{rule_part(audit, places)}
{list_lines("What cannot be told from this", reasons(audit))}
{
        list_lines(
            "Gaps",
            (f"{places.show(each.where)}: {each.why}{interval(each)}" for each in audit.gaps),
        )
    }
{
        list_lines(
            "What could not be read",
            (f"{places.show(each.where)}: {each.why}" for each in audit.unreadable),
        )
    }
</main>
<footer>
{source_part(audit)}
</footer>
</body>
</html>
"""


def finding_part(number: int, finding: AuditFinding, places: Places) -> str:
    """A finding, with its evidence."""
    rows = [
        (places.show(each.where), show_instant(each.at), each.what) for each in finding.evidence
    ]
    excuse = ""
    if finding.unless_missed is not None:
        excuse = (
            f'<p class="quiet">Excused only if {finding.unless_missed} datagrams in a row, that no '
            "source shows, were on the network.</p>"
        )
    about = f"{name_finding(finding)}{figures(finding)}"
    return f"""<section class="inside" id="finding-{number}">
<p><b>{number}. {prose(finding.sentence)}</b></p>
<p class="quiet">{escape(about)}</p>
{table(("where", "when (UTC)", "what"), rows)}
{excuse}<p><b>What to do:</b> {prose(finding.advice)}</p>
</section>
"""


def address_parts(audit: Audit) -> str:
    """Timelines: of addresses with a finding, then of those that were leased, then of others."""
    about = {each.address for each in audit.findings}
    shown = [each for each in audit.addresses if each.leases or each.uses]
    if not about:  # what is looked for then is why there is no finding
        about = {each.address for each in [each for each in shown if each.leases][:MOST_OPENED]}
    first = [each for each in shown if each.address in about]
    others = [each for each in shown if each.address not in about]
    others.sort(key=lambda each: not each.leases)
    if not shown:
        return ""
    parts = [
        address_part(audit, line, number, opened=line.address in about)
        for number, line in enumerate((*first, *others[:MOST_OTHERS]), 1)
    ]
    left = len(others) - MOST_OTHERS
    more = f'<p class="quiet">And {left} more addresses without a finding.</p>' if left > 0 else ""
    return f'<h2 id="addresses">Addresses</h2>\n{legend(LEGEND)}{"".join(parts)}{more}'


def address_part(audit: Audit, line: AddressTimeline, number: int, *, opened: bool) -> str:
    """An address, folded unless it is one of those that are looked for."""
    picture, left_out = draw_address(audit, line, number)
    vlan = "".join(f", VLAN {each}" for each in line.vlan)
    more = f" {left_out} more hosts are left out." if left_out else ""
    old = " Older spans were dropped, to bound the memory." if line.truncated else ""
    caption = (
        f"Seconds after the {picture.line.about}, {show_instant(picture.zero)} UTC.{more}{old}"
    )
    return f"""<details class="cell"{" open" if opened else ""}>
<summary><b>{line.address}</b>{vlan}</summary>
<div class="inside"><figure><figcaption class="quiet">{escape(caption)}</figcaption>
{picture.svg()}
{list_events(picture.groups)}</figure></div></details>
"""


def rule_part(audit: Audit, places: Places) -> str:
    """Rules that were put to the test, and where they were broken."""
    known = requirements()
    rows = [
        (
            name,
            rule.outcome,
            str(rule.kept),
            str(rule.broken),
            known[name].says,
            known[name].section,
        )
        for name, rule in audit.rules.items()
        if rule.outcome != "unknown"
    ]
    broken = [
        (
            name,
            places.show(each.where),
            show_instant(each.at),
            show_hardware(each.hardware) or "somebody",
            each.says,
        )
        for name, each in breaches(audit)
    ]
    parts = []
    if rows:
        parts.append("<h2>Rules that were put to the test</h2>")
        parts.append(table(("rule", "verdict", "kept", "broken", "says", "source"), rows))
    if broken:
        parts.append("<h2>Where rules were broken</h2>")
        parts.append(table(("rule", "where", "when (UTC)", "by", "what was seen"), broken))
    return "\n".join(parts)


def source_part(audit: Audit) -> str:
    """What was read, and the premises."""
    rows = [
        (
            each.file,
            f"{each.frames:,}" if each.frames else "",
            "" if each.begin is None else show_instant(each.begin),
            "" if each.end is None else show_instant(each.end),
        )
        for each in audit.coverage
    ]
    told = audit.premises
    profile = "any that conforms" if told.profile is None else told.profile
    premises = (
        f"Premises: up to {told.missed} datagrams in a row missed by all sources, "
        f"{told.undelivered} seen but not delivered, clocks within ±{told.drift:g}; "
        f"the client: {profile}."
    )
    sources = table(("file", "frames", "from (UTC)", "to (UTC)"), rows)
    return f'<h2>What was read</h2>{sources}<p class="quiet">{escape(premises)}</p>'


def list_lines(title: str, lines: Iterable[str]) -> str:
    """A list with a title; nothing where it is empty."""
    told = list(lines)
    if not told:
        return ""
    items = "".join(f"<li>{prose(line)}</li>" for line in told[:MOST_ROWS])
    more = f"<li>and {len(told) - MOST_ROWS} more</li>" if len(told) > MOST_ROWS else ""
    return f"<h2>{escape(title)}</h2><ul>{items}{more}</ul>"


def prose(words: str) -> str:
    """Text in which a command stands between back quotes."""
    return CODE.sub(r"<code>\1</code>", escape(words))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(
            f'<td data-head="{escape(name)}">{prose(each)}</td>'
            for name, each in zip(heads[1:], rest, strict=True)
        )
        + "</tr>\n"
        for first, *rest in rows[:MOST_ROWS]
    )
    more = (
        f'<p class="quiet">And {len(rows) - MOST_ROWS} more.</p>' if len(rows) > MOST_ROWS else ""
    )
    return (
        f'<div class="wide stack" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{more}"
    )
