"""The page of a replay: what the model says step by step, and what a real kernel did.

Theory of operation.  The page is that of the run (`page.py`), with the same lease of a few seconds
as it was played with.  Between the lanes and the reasons stands what was recorded of each client
that was played: the verdict on the record, and its timeline as the lab draws it, in real seconds
after the lease end.

What it does not know: how it is played (`lab/collision/`); what is no record has no timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from holdover.model.errors import InputError
from holdover.proofs.verdicts.judge import judge
from holdover.reference.explanation.comparison import compare
from holdover.reference.explanation.page import BADGES, collision_page
from holdover.reference.explanation.said import page_paragraphs, run_heading
from holdover.reference.lab.collision.collision import FIRST, PlayedCollision
from holdover.reference.lab.record import record
from holdover.reference.lab.record.timeline import timeline
from holdover.reference.lab.report.event_list import list_events
from holdover.reference.lab.report.page import LEGEND
from holdover.reference.lab.report.style import escape, legend
from holdover.reference.lab.report.svg import Drawing
from holdover.reference.lab.testbed.scene import LEASED


def replay_page(played: Sequence[PlayedCollision]) -> str:
    """The page of one replay, or of two beside each other; ValueError where there is no run."""
    found = [judge(each.plan.profile, each.plan.environment) for each in played]
    compared = compare(found[0], found[1] if len(found) > 1 else None)
    if compared is None:
        raise ValueError(f"there is no run to show ({found[0].reason})")
    names = " beside ".join(each.plan.profile.name for each in played)
    more = "".join(recorded_part(number, each) for number, each in enumerate(played))
    return collision_page(
        f"Replayed on a real kernel: {names}",
        f"{run_heading(compared)}. Two hosts and a server have played it on a link, with a lease "
        "of ten seconds. Step through the model's run; what was recorded is below.",
        page_paragraphs(compared, (), (), found[0]),
        compared.shown(),
        more=f"<h2>What was recorded</h2>\n{legend(LEGEND)}{more}",
    )


def recorded_part(number: int, played: PlayedCollision) -> str:
    """What was recorded of one client: the verdict, the timeline, and the list of what happened."""
    seen, plan = played.seen, played.plan
    badge = BADGES.get(seen.outcome, seen.outcome)
    how = ""
    if plan.made_to_stay:
        how = " Played: what server and second host do where the client stays."
    head = f"""<section class="recorded" aria-labelledby="recorded-{number}">
<h3 id="recorded-{number}">Recorded: {escape(plan.profile.title or plan.profile.name)}</h3>
<p><b class="badge {badge}">{escape(seen.outcome)}</b> {escape(seen.reason)}. \
The model says: {escape(plan.outcome)}.{how}</p>
"""
    return f"{head}{draw_record(number, played)}</section>\n"


def draw_record(number: int, played: PlayedCollision) -> str:
    """The timeline of a record; where there is none, or it cannot be read, that."""
    if played.record.is_dir():
        with suppress(InputError):
            line = timeline(record.read(played.record), FIRST, LEASED)
            drawing = Drawing(line, 1000 + number)
            return (
                f'<figure><figcaption class="quiet">Seconds after the {escape(line.about)}.'
                f"</figcaption>\n{drawing.svg()}\n{list_events(drawing.groups)}</figure>\n"
            )
    return '<p class="quiet">There is no record that can be drawn.</p>\n'
