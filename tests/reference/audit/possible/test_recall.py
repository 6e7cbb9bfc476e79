"""What is recalled is what the plain path says, hypothesis by hypothesis."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from holdover.reference.audit.monitor.context import AuditContext
from holdover.reference.audit.possible import possibilities
from holdover.reference.audit.possible.chart import Chart, Sign
from holdover.reference.audit.possible.hypotheses import (
    Grant,
    Now,
    after_end,
    after_message,
    after_record,
    after_use,
    all_hypotheses,
)
from holdover.reference.audit.possible.of_host import MINE, OTHER
from holdover.reference.audit.possible.possibilities import Possibilities, recall_of
from holdover.reference.core.instants import SECOND, Instant
from tests.reference.audit.link import COMPLETE

LENGTHS = (2, 10, 600)
"""Seconds of leases; `STEPS` are of the same size, so that ends come and go."""

STEPS = (0, SECOND // 3, SECOND, 2 * SECOND, 9 * SECOND, 300 * SECOND, 700 * SECOND)

SIGNS = (
    Sign("DISCOVER"),
    *(
        Sign("REQUEST", about, form)
        for about in (MINE, OTHER)
        for form in ("selecting", "extending", "rebooting", "unclear")
    ),
    *(Sign(kind, about) for kind in ("DECLINE", "RELEASE") for about in (MINE, OTHER)),
    *(Sign("ACK", about) for about in (MINE, OTHER)),
    Sign("NAK"),
    *(Sign("USE", about) for about in (MINE, OTHER)),
    Sign("LACKS"),
)


class Both:
    """Hypotheses on the plain path, and as they are recalled."""

    def __init__(self, chart: Chart, most: tuple[int, int]):
        self.chart, self.most = chart, most
        self.plain = all_hypotheses(chart)
        self.recalled = Possibilities.unknown(chart, most)

    def see(self, sign: Sign, now: Now, grant: Grant | None, *, sure: bool) -> None:
        if sign.kind in ("USE", "LACKS"):
            found = after_use(self.chart, self.most, self.plain, sign, now)
            assert self.recalled.use(sign, now) is (found is not None)
            self.plain = self.plain if found is None else found
            return
        self.plain = after_message(self.chart, self.most, self.plain, sign, now, grant, sure=sure)
        self.recalled.see(sign, now, grant, sure=sure)

    def end_by(self, latest: Instant, now: Now) -> None:
        found = after_end(self.chart, self.plain, latest, now)
        assert self.recalled.end_by(latest, now) is (found is not None)
        self.plain = self.plain if found is None else found

    def record(self, end: Instant, now: Now) -> None:
        self.plain = after_record(self.chart, self.plain, end, now)
        self.recalled.grant_unseen(end, now)


def walk(both: Both, rng: random.Random, steps: int) -> None:
    """Whatever may come, often at instants that are due, and compare after each step."""
    at, begin, refused = 10**9 * SECOND, 10**9 * SECOND, None
    longest = rng.choice((None, *LENGTHS))
    asked = at
    for _ in range(steps):
        at += rng.choice(STEPS)
        usual = both.chart.automaton.longest(longest) if longest else 1 << 80
        sign = rng.choice(SIGNS)
        if sign.kind == "REQUEST":
            asked = at
        if sign.kind == "NAK":
            refused = at
        now = Now(at, at + usual, begin + usual, refused)
        grant = None
        if sign.kind == "ACK":
            longest = rng.choice(LENGTHS)
            lasts = both.chart.automaton.longest(longest)
            grant = Grant(asked + lasts, rng.choice((asked, at)) + lasts)
        drawn = rng.random()
        if drawn < 0.05:
            both.end_by(at + rng.choice(STEPS), now)
        elif drawn < 0.08:
            both.record(at + rng.choice(STEPS), now)
        else:
            both.see(sign, now, grant, sure=rng.random() < 0.7)
        assert list(both.recalled.states.items()) == list(both.plain.items())
        assert both.recalled.least == min((m, u) for _, m, u in both.plain)


@pytest.mark.parametrize("seed", range(8))
def test_random_courses(seed: int) -> None:
    rng = random.Random(seed)
    context = AuditContext.of(replace(COMPLETE, missed=rng.choice((0, 6))))
    for _ in range(10):
        walk(Both(context.charts[0], context.most), rng, 60)


def test_what_is_recalled_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing but time is lost when it is forgotten."""
    monkeypatch.setattr(possibilities, "MOST_RECALLED", 50)
    context = AuditContext.of(COMPLETE)
    chart, most = context.charts[0], (5, 3)
    walk(Both(chart, most), random.Random(99), 500)
    assert len(recall_of(chart, most)) <= 50
