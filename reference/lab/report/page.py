"""The lab's page: what was measured of each client under each fault, in one file of HTML.

Theory of operation.  A `Shown` is a cell as the page shows it: plain values, and a timeline where
it was played.  `page` puts a table for each server at the top, clients by faults, with the least,
median and greatest of the repeats; each field leads to its first cell.  Below, folded where there
are many, each cell has its figures, its picture and the list of what happened (`svg.py`).  A
field of the table is as good as its worst cell: wrong, late, unknown, holds.

The file needs nothing but itself: no script, no font, no picture from elsewhere, and it tells the
browser to fetch none.  All text is escaped; a client may be any command line.

What it does not know: how a verdict is reached; what of it is new.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from holdover.model.seconds import show_offset, show_seconds
from holdover.reference.lab.record.sharing import Sharing
from holdover.reference.lab.record.timeline import Timeline
from holdover.reference.lab.report.event_list import list_events
from holdover.reference.lab.report.style import begin_page, escape, legend
from holdover.reference.lab.report.svg import Drawing

VERDICTS: Mapping[str, str] = {
    "wrong": "the measurement exceeds its prediction: the model or the profile is wrong",
    "late": "the host had the address after its lease, in spite of a DHCPNAK, or with another host",
    "unknown": "nothing can be said, with the reason; that is no pass",
    "holds": "the host let go of the address in time",
}
"""What a cell may say, the worst first, and what it means."""

FEW = 8
"""So many cells are shown unfolded; of more, only the first of the worst."""

MANY = 60
"""Of more cells than these, those of each client are folded into one line."""

LEGEND = {
    "held": "the client's host has the address",
    "over": "it has it without a lease",
    "rival": "another host has it",
    "both": "overlap: two hosts have it",
    "ack": "a DHCPACK, and the lease until its end",
    "nak": "a DHCPNAK",
    "after": "the server's lease end, and what is after it",
    "predicted": "predicted at worst",
    "dot": "what happened, as listed; in italics: what the lab did, or saw of programs",
}
"""What is seen in a picture, and what it means."""

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A cell as the page shows it.  Seconds, but for `repeat` and `answered`.

    `says`: one of VERDICTS, and `reason` why.  `holdover`: None where nothing is known, inf: held
    to the end.  `predicted`: None where nothing is, inf: no bound.  `timeline`: None where it was
    not played.  `shared`: of two hosts with one address; None: the cell is not about that.
    """

    client: str
    server: str
    fault: str
    sentence: str
    lease: int
    repeat: int
    says: str
    reason: str = ""
    holdover: float | None = None
    uncertainty: float = 0.0
    predicted: float | None = None
    enforcer: str = ""
    after_nak: float | None = None
    displaced: float | None = None
    predicted_displaced: float | None = None
    duplicate: float = 0.0
    answered: int = 0
    shared: Sharing | None = None
    predicted_shared: float | None = None
    timeline: Timeline | None = None


Numbered = tuple[int, Shown]
"""A cell, and its number on the page."""


def page(cells: Sequence[Shown], title: str, conditions: Mapping[str, str]) -> str:
    """The whole page; `conditions` are told at its end."""
    numbered = list(enumerate(cells, 1))
    open_ones = {number for number, _ in numbered}
    if len(numbered) > FEW:
        open_ones = {min(numbered, key=lambda each: (rank(each[1]), each[0]))[0]}
    by_client = group_by(numbered, lambda each: each[1].client)
    sections = [of_client(*each, open_ones, len(cells) > MANY) for each in by_client.items()]
    return f"""{begin_page(title)}\
<p class="quiet">How long a host had an address after the server's lease end, in seconds: negative
is early. The lease end is that of the last DHCPACK on the wire; when the address went is what the
host's kernel said.</p>
{verdicts(cells)}
</header>
<main>
<h2 id="summary">Summary</h2>
<p class="quiet">Of several repeats: least / median / greatest, and how many say the word. Both: how
long two hosts had the address at once. A field leads to its timelines.</p>
{"".join(map(summary, group_by(numbered, lambda each: each[1].server).values()))}
<h2 id="timelines">Timelines</h2>
{legend(LEGEND)}
{"".join(sections)}
</main>
<footer>
<h2 id="conditions">Conditions</h2>
<div class="wide" tabindex="0"><table><tbody>
{
        "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
            for name, value in conditions.items()
        )
    }
</tbody></table></div>
</footer>
</body>
</html>
"""


def group_by(values: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Values by key, both in the order in which they come."""
    found: dict[K, list[T]] = {}
    for value in values:
        found.setdefault(key(value), []).append(value)
    return found


def rank(cell: Shown) -> int:
    """How bad: 0 is worst."""
    return list(VERDICTS).index(cell.says)


# The top -----------------------------------------------------------------------------------------


def verdicts(cells: Sequence[Shown]) -> str:
    """How many cells say what, and what that means."""
    lines = []
    for says, means in VERDICTS.items():
        count = sum(cell.says == says for cell in cells)
        lines.append(f"<dt>{badge(says)}</dt><dd>{count} of {len(cells)}: {means}</dd>")
    return f'<dl class="verdicts">{"".join(lines)}</dl>'


def badge(says: str) -> str:
    """A verdict's word."""
    return f'<b class="badge {says}">{says}</b>'


def summary(cells: Sequence[Numbered]) -> str:
    """The table of a server: a row for each client and lease, a column for each fault."""
    faults = {cell.fault: cell.sentence for _, cell in cells}
    head = "".join(
        f'<th scope="col" title="{escape(sentence)}">{escape(fault)}</th>'
        for fault, sentence in faults.items()
    )
    rows = []
    for (client, lease), mine in group_by(
        cells, lambda each: (each[1].client, each[1].lease)
    ).items():
        by_fault = group_by(mine, lambda each: each[1].fault)
        fields = "".join(summary_field(by_fault.get(fault, [])) for fault in faults)
        name = f"{escape(client)}<small>lease {lease} s</small>"
        rows.append(f'<tr><th scope="row">{name}</th>{fields}</tr>\n')
    server = escape(cells[0][1].server)
    return f"""<div class="wide" role="region" aria-label="Summary: {server}" tabindex="0"><table>
<caption>Server: {server}</caption>
<thead><tr><th scope="col">client</th>{head}</tr></thead>
<tbody>
{"".join(rows)}</tbody></table></div>
"""


def summary_field(cells: Sequence[Numbered]) -> str:
    """A field of the summary: the repeats of a cell."""
    if not cells:
        return "<td></td>"
    worst = min((cell for _, cell in cells), key=rank)
    count = sum(cell.says == worst.says for _, cell in cells)
    word = worst.says + (f" {count}/{len(cells)}" if count < len(cells) else "")
    lines = [spread([c.holdover for _, c in cells if c.holdover is not None], "")]
    lines.append(spread([c.after_nak for _, c in cells if c.after_nak is not None], "NAK: "))
    both = max(with_another(cell) for _, cell in cells)
    lines.append(f'<i class="red">both: {show_seconds(both)}</i>' if both else "")
    told = "".join(f"<span>{line}</span>" for line in lines if line)
    return f'<td class="{worst.says}"><a href="#cell-{cells[0][0]}"><b>{word}</b>{told}</a></td>'


def with_another(cell: Shown) -> float:
    """Seconds for which two hosts had the address."""
    return cell.duplicate if cell.shared is None else cell.shared.shared


def spread(figures: Sequence[float], before: str) -> str:
    """Least, median and greatest; one where they read alike."""
    if not figures:
        return ""
    three = [*map(show_offset, (min(figures), statistics.median(figures), max(figures)))]
    return before + "&nbsp;/ ".join(three if len(set(three)) > 1 else three[:1])


# A cell ------------------------------------------------------------------------------------------


def of_client(client: str, cells: Sequence[Numbered], open_ones: set[int], folded: bool) -> str:
    """The section of a client."""
    counts = group_by(cells, lambda each: each[1].says)
    told = ", ".join(f"{len(counts[says])} {says}" for says in VERDICTS if says in counts)
    inside = "".join(cell_of(number, cell, number in open_ones) for number, cell in cells)
    head = f'<h2>{escape(client)}</h2> <span class="quiet">{told}</span>'
    shown = "" if folded and not any(number in open_ones for number, _ in cells) else " open"
    return f'<details class="client"{shown}><summary>{head}</summary>\n{inside}</details>\n'


def cell_of(number: int, cell: Shown, opened: bool) -> str:
    """A cell: a line, and what is folded below it."""
    figure = "" if cell.holdover is None else show_seconds(cell.holdover, sign=True)
    where = f"{escape(cell.server)}, lease {cell.lease} s, run {cell.repeat}"
    reason = f"<p>{escape(sentence(cell.reason))}</p>" if cell.reason else ""
    return f"""<details class="cell"{" open" if opened else ""}><summary>{badge(cell.says)}
<b>{escape(cell.fault)}</b> {figure} <span class="quiet">{where}</span></summary>
<div class="inside" id="cell-{number}">
<p>{escape(sentence(cell.sentence))}</p>{reason}
{facts(cell)}{draw_timeline(number, cell)}</div></details>
"""


def sentence(words: str) -> str:
    """With a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else ""


def facts(cell: Shown) -> str:
    """The figures of a cell; nothing where there are none."""
    rows = []
    if cell.holdover is not None:
        rows.append(("gone after the lease end", removal(cell)))
        if cell.holdover != inf:
            rows.append(("known to within", show_seconds(cell.uncertainty)))
        rows.append(("removed by", cell.enforcer or "nobody"))
    if cell.shared is not None:
        rows += shared_facts(cell.shared, cell.predicted_shared)
    else:
        rows.append(("predicted at worst", worst_predicted(cell.predicted)))
    if cell.after_nak is not None:
        rows.append(("after the DHCPNAK", show_seconds(cell.after_nak)))
    if cell.displaced is not None:
        rows.append(("kept when given away", show_offset(cell.displaced)))
        if cell.predicted_displaced is not None:
            rows.append(("predicted at most", show_offset(cell.predicted_displaced)))
    if cell.duplicate:
        rows += [
            ("two hosts had it", show_seconds(cell.duplicate)),
            ("hosts that answered ARP", str(cell.answered)),
        ]
    return (
        '<dl class="facts">'
        + "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
        + "</dl>\n"
    )


def shared_facts(seen: Sharing, predicted: float | None) -> list[tuple[str, str]]:
    """The figures of two hosts with one address."""
    return [
        ("two hosts had it", show_seconds(seen.shared)),
        ("predicted at worst", worst_predicted(predicted)),
        ("hosts that answered ARP", str(seen.answered)),
        ("times that both had it", str(seen.spells)),
        ("hosts that had it at the end", str(seen.at_end)),
        ("DHCPACKs to who asked", str(seen.granted)),
        ("DHCPDECLINEs", str(seen.declined)),
    ]


def worst_predicted(worst: float | None) -> str:
    """The worst that the model allows; None: it says nothing of this cell."""
    if worst is None:
        return "nothing"
    return "no bound" if worst == inf else show_seconds(worst, sign=True)


def removal(cell: Shown) -> str:
    """When the address went, or until when it surely did not."""
    assert cell.holdover is not None
    if cell.holdover != inf:
        return show_seconds(cell.holdover, sign=True)
    if cell.timeline is None:
        return "never"
    return f"never; still there at {show_seconds(cell.timeline.end, sign=True)}"


def draw_timeline(number: int, cell: Shown) -> str:
    """The timeline of a cell."""
    line = cell.timeline
    if line is None:
        return '<p class="quiet">There is no record: it was not played.</p>\n'
    picture = Drawing(line, number, cell.predicted)
    gap = f"<p>The record has a gap: {escape(line.gap)}.</p>\n" if line.gap else ""
    address = "" if line.address is None else f"Who had {line.address} when; s"
    about = f"{address or 'S'}econds after the {line.about}."
    return f"""{gap}<figure><figcaption class="quiet">{about}</figcaption>
{picture.svg()}
{list_events(picture.groups)}</figure>
"""
