"""The README's two generated regions: real clients in one table, and the chart of the bug."""

from __future__ import annotations

from itertools import groupby

from holdover.model.measured import Comparison, comparisons, plain, signed
from holdover.model.profile import load
from holdover.model.story import chart
from holdover.proofs.judge import judge

SHOWN = ("server killed", "frozen", "hook", "kill -9")
HEADS = ("server gone", "process frozen", "hook blocks 20 s", "process killed")


def measured_summary() -> str:
    """One row a client: what was measured, and the worst that is predicted, for each fault."""
    lines = [
        f"| client | {' | '.join(HEADS)} |",
        f"| --- |{' --- |' * len(HEADS)}",
    ]
    for name, group in groupby(comparisons(), key=lambda found: found.measurement.profile):
        found = list(group)
        cells = [_cell([c for c in found if c.measurement.fault == fault]) for fault in SHOWN]
        if any(cells):
            lines.append(f"| {load(name).title} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", LEGEND])


LEGEND = (
    "Seconds that the address stayed after the server's lease end (negative: early), as measured; "
    "in brackets the lease in seconds and the worst predicted. *Forever*: to the end of the run. "
    "Most cells are single runs. A prediction is a worst case, with a kernel 2.5 s late, a process "
    "a second late, probing of 7 s; what accounts for each difference is in "
    "[profiles](docs/profiles.md), printed by `python -m holdover.reference.docs --write`."
)


def _cell(found: list[Comparison]) -> str:
    return "<br>".join(
        f"{c.measurement.seen} ({plain(c.measurement.lease)} s: "
        f"{'no bound' if c.worst is None else '≤ ' + signed(c.worst)})"
        for c in found
    )


def chart_wfwg311() -> str:
    """The shortest collision of wfwg311 as a sequence chart."""
    found = judge(load("wfwg311"))
    return "```text\n" + "\n".join(line.rstrip() for line in chart(found.run, found.unit)) + "\n```"
