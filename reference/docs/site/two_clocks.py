"""The picture of T3: a host with a slow clock, a server with a fast one, and what grace must cover.

Theory of operation.  The lease, the drift and the clients are given; the worst holdover and the
grace are `holdover grace`'s, which reads them off the model's terms.  A clock that is slow by
`drift` shows `1 - drift` seconds in a second, one that is fast shows `1 + drift`.  From the end of
the server's record on the picture is to scale; what lies before is a day, and is cut.

What it does not know: why the bound is enough, or that less is too little; the theorem does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from holdover.model.clients.measurements import Summand, parts
from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import Environment, in_seconds, load
from holdover.model.seconds import show_seconds
from holdover.proofs.verdicts.need import judge_by_bound
from holdover.reference.docs.site.drawing import box, svg, words

LEASE, DRIFT = Fraction(86_400), Fraction(1, 10_000)
"""A day; 100 ppm, which is nine seconds a day."""

DELAY = Fraction(1)
"""Seconds that a DHCPACK may take, for the client that counts from there."""

BEGIN, BREAK, ENDS, SECOND = 190, 334, 380, 15
"""Where the REQUEST is sent, where the day is cut, where the server's record ends; a second, all in
pixels."""

WIDTH = 780

KINDS = """<style>
.strong { font-weight: 600 } .clock { fill: none; stroke: var(--line) }
.clock.end { stroke: var(--ink); stroke-width: 2 }
.limit { stroke: var(--quiet); stroke-dasharray: 4 3 }
.grace { fill: none; stroke: var(--record); stroke-dasharray: 5 3 }
</style>"""


@dataclass(frozen=True)
class Ends:
    """The instants of one deployment, in seconds of true time after the DHCPREQUEST."""

    record: Fraction
    held: Fraction
    reuse: Fraction
    grace: Fraction
    summands: tuple[Summand, ...]


def ends(name: str, delay: Fraction) -> Ends:
    """When the server's record ends, when the host lets go at the latest, when reuse may follow.

    ValueError for a client without a bound.
    """
    world = Environment(lease=LEASE, shortest=LEASE, drift=DRIFT, delay=delay)
    profile = load(name)
    need = judge_by_bound(ClientKind(profile), world)
    if need.worst is None or need.grace is None:
        raise ValueError(f"{name}: no bound, so no picture of it")
    record = LEASE / (1 + DRIFT)
    found = tuple(parts(in_seconds(profile, world)))
    reuse = record + need.grace / (1 + DRIFT)
    return Ends(record, record + need.worst, reuse, need.grace, found)


def two_clocks() -> str:
    """The picture."""
    first, second = ends("rfc2131", Fraction(0)), ends("networkd", DELAY)
    drawn = [
        KINDS,
        words(16, 30, "Two clocks, one lease of a day", "title"),
        words(
            16,
            50,
            f"Each clock may be wrong by {DRIFT * 1_000_000} ppm. At worst the host's is slow "
            "and the server's is fast.",
            "quiet",
        ),
        *readings(first, 76),
        *bars(first, 214, "a client that counts from its REQUEST, and acts at once"),
        *bars(second, 334, "a client that counts from the ACK, and may be late (networkd)"),
    ]
    says = (
        f"Of a lease of {show_seconds(LEASE)}, the server's fast clock has shown all after "
        f"{show_seconds(first.record)}, the host's slow clock after {show_seconds(first.held)}. "
        f"The server's grace covers the difference, {show_seconds(first.held - first.record)}."
    )
    return svg(WIDTH, 436, says, drawn)


def place(at: Fraction, since: Ends) -> float:
    """Where an instant after the server's end stands."""
    return float(ENDS + SECOND * (at - since.record))


def readings(of: Ends, top: int) -> Iterator[str]:
    """What each clock shows when the REQUEST is sent, at the server's end and at the host's."""
    moments = (
        (BEGIN, Fraction(0), "REQUEST sent"),
        (ENDS, of.record, "record over"),
        (place(of.held, of), of.held, "lease over"),
    )
    rows = (
        ("true time", Fraction(1)),
        ("host's clock, slow", 1 - DRIFT),
        ("server's clock, fast", 1 + DRIFT),
    )
    for x, _, said in moments:
        yield words(x, top + 6, said, "quiet", "middle")
    for line, (said, rate) in enumerate(rows):
        y = top + 16 + 32 * line
        yield words(16, y + 18, said)
        for x, at, _ in moments:
            shown = at * rate
            if line:
                kind = "clock end" if shown == LEASE else "clock"
                yield box(x - 46, y, 92, 26, kind)
            yield words(x, y + 18, show_seconds(shown), "", "middle")


def bars(of: Ends, top: int, title: str) -> Iterator[str]:
    """How long the host has the address, how long the server's record and its grace last."""
    yield words(16, top, title, "strong")
    held, reuse = place(of.held, of), place(of.reuse, of)
    for line, said in enumerate(("host has the address", "server waits")):
        yield words(16, top + 27 + 42 * line, said)
    yield box(BEGIN, top + 12, ENDS - BEGIN, 20, "held")
    yield box(ENDS, top + 12, held - ENDS, 20, "over")
    yield box(BEGIN, top + 54, ENDS - BEGIN, 20, "record")
    yield box(ENDS, top + 54, reuse - ENDS, 20, "grace")
    for y in (top + 12, top + 54):
        yield f'<rect class="ground" x="{BREAK - 5}" y="{y - 2}" width="10" height="24"/>'
        yield words(BREAK, y + 15, "≈", "quiet", "middle")
    yield words(BEGIN + 6, top + 68, f"its record: {show_seconds(LEASE)}", "small")
    grace = f"grace: {show_seconds(of.grace)} on its clock"
    yield words((ENDS + reuse) / 2, top + 69, grace, "small", "middle")
    sum_of = " + ".join(f"{show_seconds(each.size)} {each.words}" for each in of.summands)
    yield words(ENDS + 4, top + 46, f"too long: {sum_of}", "small")
    yield words(reuse + 8, top + 69, "then reuse", "quiet small")
    yield f'<line class="limit" x1="{ENDS}" x2="{ENDS}" y1="{top + 8}" y2="{top + 78}"/>'
