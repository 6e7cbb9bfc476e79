"""The page of a run: one file of HTML that a visitor steps through, and goes on in as he likes.

Theory of operation.  Python writes the text, the lanes of the whole run (`lanes.py`), the list of
steps and, as JSON, all states with the values of all properties (`page_data.py`).  Three scripts
share one scope: `lanes.js` draws a course as far as the cursor, `world.js` asks the lease table of
a client in ticks (`world_script`) what may happen next and how things are then, and `player.js` has
the cursor, the notice and the choices.
The look is that of the lab's page (`lab/report/style.py`): the same names of colours, the same
hatches, red for the overlap and nothing else.

The file needs nothing but itself and tells the browser to fetch nothing.  Without scripts the text,
the lanes and the list of steps are still there.

What it does not know: verdicts, and which courses are worth showing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from holdover.model.export.javascript import HELPERS
from holdover.model.table.expr import Sort
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE
from holdover.reference.explanation.lanes import GEOMETRY, Column, Lanes
from holdover.reference.explanation.page_data import ShownCourse, page_data, world_script
from holdover.reference.lab.report.style import begin_page, escape, legend

LARGEST = 500_000
"""Bytes: what a page of one or two courses takes at most."""

BADGES = {"violated": "late"}
"""The lab's style for a verdict, where it has another name: its red is for two hosts at once."""

LEGEND = {
    "held": "h1 has the address under its lease",
    "over": "a host has the address without a lease",
    "rival": "another host has it",
    "both": "two hosts have it",
    "lease": "a lease, as the host or the server has it",
    "end": "the end of a lease",
    "away": "the server is silent",
}
"""What is seen in the lanes, and what it means."""

LETTERS = (
    "On the wire: D discover, O offer, R request, A ack, N nak; fR, rA and the like are forged or "
    "a rival's. An arrow up leads to the hosts, an arrow down to the server; ✕: nobody took the "
    "datagram. What lies after the dashed line is pale."
)


KEYS = "Keys: ← and → step, Home and End, space plays; where the choices are open, 1 to 9 choose."


@dataclass(frozen=True)
class Paragraph:
    """A heading and lines below it."""

    heading: str
    lines: Sequence[str]


def collision_page(
    title: str,
    lead: str,
    paragraphs: Sequence[Paragraph],
    shown: Sequence[ShownCourse],
    *,
    more: str = "",
) -> str:
    """The page.  `lead` is its first sentence; the first of `shown` is whose schedule it is.

    `more`: HTML between the lanes and the paragraphs.  ValueError where it is larger than LARGEST.
    """
    known = page_data(shown, sizes_of(shown[0]))
    embedded = json.dumps(
        {**known, "geometry": GEOMETRY}, ensure_ascii=False, separators=(",", ":")
    )
    worlds = ",\n".join("null" if s.world is None else world_script(s.world) for s in shown)
    columns: Sequence[Column] = known["courses"][0]["columns"]
    panels = "".join(
        panel(number, each, Lanes(known, course["columns"]))
        for number, (each, course) in enumerate(zip(shown, known["courses"], strict=True))
    )
    opened = "" if columns else " open"
    text = f"""{begin_page(title, asset("player.css"), scripts=True)}\
<p>{escape(lead)}</p>
</header>
<main>
<noscript><p>This browser runs no scripts: the pictures show the whole run, and the list of steps
below tells it.</p></noscript>
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
<details id="choose"{opened}>
<summary>Choose what happens next<span id="choose-count"></span></summary>
<p class="quiet">All that the lease table allows from this step on{lease_of(shown[0])}.
<button type="button" id="again" hidden>Back to the run</button></p>
<div id="choices"></div>
</details>
<div class="courses{" two" if len(shown) > 1 else ""}">{panels}</div>
<h2>What the lanes show</h2>
{legend(LEGEND)}<p class="quiet">{escape(LETTERS)}</p>
<p class="quiet">{escape(KEYS)}</p>
{more}{"".join(paragraph(each) for each in paragraphs)}
<h2>All steps</h2>
<ol class="steps" id="steps">{"".join(map(step_line, columns))}</ol>
</main>
<script type="application/json" id="run">{embedded.replace("<", chr(92) + "u003c")}</script>
<script>{asset("lanes.js")}{HELPERS}const worlds = [{worlds.replace("</", "<" + chr(92) + "/")}];
{asset("world.js")}{asset("player.js")}</script>
</body>
</html>
"""
    if (size := len(text.encode())) > LARGEST:
        raise ValueError(f"it would have {size:,} bytes, and more than {LARGEST:,} are too many")
    return text


def sizes_of(shown: ShownCourse) -> Mapping[Sort, int]:
    """How many hosts, addresses and datagrams a course or its world has."""
    if shown.course is not None:
        return shown.course.world.sizes
    assert shown.world is not None
    return {sort: shown.world.bounds.size(sort) for sort in (HOST, ADDRESS, MESSAGE)}


def lease_of(shown: ShownCourse) -> str:
    """How long a lease is where one chooses."""
    return f"; time passes in ticks, of which a lease has {shown.lease}" if shown.lease else ""


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (resources.files("holdover.reference.explanation") / name).read_text("utf-8")


def panel(number: int, shown: ShownCourse, drawn: Lanes) -> str:
    """The place of a course, with its lanes for who runs no scripts."""
    badge = BADGES.get(shown.outcome, shown.outcome)
    says = f'<b class="badge {badge}">{escape(shown.outcome)}</b> ' if shown.outcome else ""
    return f"""<section class="course" aria-labelledby="name-{number}">
<h2 id="name-{number}">{escape(shown.title)}</h2>
<p>{says}{escape(shown.reason)}</p>
<div id="course-{number}"><div class="lanes">{drawn.svg()}</div></div>
<p class="quiet save">Save these lanes: <button type="button" id="svg-{number}" \
aria-label="Save the lanes of {escape(shown.name)} as SVG">SVG</button>
<button type="button" id="png-{number}" \
aria-label="Save the lanes of {escape(shown.name)} as PNG">PNG</button></p>
</section>
"""


def paragraph(each: Paragraph) -> str:
    """A heading, and its lines as a list."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in each.lines)
    return f'<h2>{escape(each.heading)}</h2>\n<ul class="explained">{lines}</ul>\n'


def step_line(column: Column) -> str:
    """A step of the schedule."""
    said = "; ".join(each["says"] for each in column["happened"])
    return f"<li>{escape(column['now'])}: {escape(said)}</li>"
