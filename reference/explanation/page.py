"""The page of a collision: one file of HTML that a visitor steps through.

Theory of operation.  Python writes the text, the list of steps and, as JSON, all states with the
values of all properties (`page_data.py`); `player.js` draws one step and decides nothing.
The look is that of the lab's page (`lab/report/style.py`): the same names of colours, the same
hatches, red for the overlap and nothing else.

The file needs nothing but itself and tells the browser to fetch nothing.  Without scripts the text
and the list of steps are still there.

What it does not know: verdicts, and which courses are worth showing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from holdover.reference.explanation.page_data import ShownCourse, page_data
from holdover.reference.lab.report.style import HATCHES, STYLE, escape

LARGEST = 500_000
"""Bytes: what a page of one or two courses takes at most."""

LEGEND = (
    ("held", "h1 has the address under its lease"),
    ("over", "a host has the address without a lease"),
    ("rival", "another host has it"),
    ("both", "two hosts have it"),
    ("lease", "a lease, as host or server has it; a stroke marks its end"),
)

LETTERS = (
    "On the wire: D discover, O offer, R request, A ack, N nak; fR, rA and the like are forged or "
    "a rival's. An arrow up leads to the hosts, an arrow down to the server; ✕: nobody took the "
    "datagram. A thin grey bar below the server's lease: the server is silent."
)


@dataclass(frozen=True)
class Paragraph:
    """A heading and lines below it."""

    heading: str
    lines: Sequence[str]


def collision_page(
    title: str, lead: str, paragraphs: Sequence[Paragraph], shown: Sequence[ShownCourse]
) -> str:
    """The page.  `lead` is its first sentence; the first of `shown` is whose schedule it is."""
    embedded = json.dumps(page_data(shown), ensure_ascii=False, separators=(",", ":"))
    panels = "".join(panel(number, each) for number, each in enumerate(shown))
    steps = "".join(step_line(shown[0], number) for number in range(len(shown[0].course.columns)))
    items = "".join(
        f'<li><svg width="26" height="14" aria-hidden="true"><rect x="1" '
        f'y="{4 if kind == "lease" else 2}" width="24" height="{6 if kind == "lease" else 10}" '
        f'class="{kind}"/></svg>{escape(means)}</li>'
        for kind, means in LEGEND
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}{asset("player.css")}</style>
</head>
<body>
{HATCHES}
<main>
<h1>{escape(title)}</h1>
<p>{escape(lead)}</p>
<noscript><p>This browser runs no scripts: the list of steps below tells the run.</p></noscript>
<div class="bar" role="group" aria-label="Step through the run">
<div class="row">
<button type="button" id="first">First</button>
<button type="button" id="back">Back</button>
<button type="button" id="play">Play</button>
<button type="button" id="on">Step</button>
<button type="button" id="last">Last</button>
<output id="where"></output>
<input type="range" id="slider" min="0" max="0" value="0" aria-label="Step">
</div>
</div>
<p id="said" class="aside" aria-live="polite"></p>
<div class="courses{" two" if len(shown) > 1 else ""}">{panels}</div>
<h2>What the lanes show</h2>
<ul class="legend">{items}</ul>
<p class="quiet">{escape(LETTERS)} Keys: ← and → step, Home and End, space plays.</p>
{"".join(paragraph(each) for each in paragraphs)}
<h2>All steps</h2>
<ol class="steps">{steps}</ol>
</main>
<script type="application/json" id="run">{embedded.replace("<", chr(92) + "u003c")}</script>
<script>{asset("player.js")}</script>
</body>
</html>
"""


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (resources.files("holdover.reference.explanation") / name).read_text("utf-8")


def panel(number: int, shown: ShownCourse) -> str:
    """The place of a course."""
    badge = {"violated": "late"}.get(shown.outcome, shown.outcome)
    return f"""<section class="course" aria-labelledby="name-{number}">
<h2 id="name-{number}">{escape(shown.title)}</h2>
<p><span class="badge {badge}">{escape(shown.outcome)}</span>{escape(shown.reason)}</p>
<div id="course-{number}"></div>
</section>
"""


def paragraph(each: Paragraph) -> str:
    """A heading, and its lines as a list."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in each.lines)
    return f'<h2>{escape(each.heading)}</h2>\n<ul class="explained">{lines}</ul>\n'


def step_line(shown: ShownCourse, number: int) -> str:
    """A step of the schedule as a button that leads to it."""
    column = shown.course.columns[number]
    said = "; ".join(each.says for each in column.happened)
    at = f"{float(column.state.now):.12g} s"
    return f'<li><button type="button">{at}: {escape(said)}</button></li>'
