"""Judgements and courses that several tests look at."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

from holdover.model.clients.profile import STANDARD, load
from holdover.proofs.verdicts.judge import Judgement, judge
from holdover.reference.explanation.comparison import SameSchedule, compare

DRIFTING = replace(STANDARD, drift=Fraction(1, 10_000))


def judged(name: str, *, drifts: bool = False) -> Judgement:
    """The verdict in the usual surroundings, or on clocks that are wrong by 100 ppm."""
    return _judged(name, drifts)


@cache
def _judged(name: str, drifts: bool) -> Judgement:
    return judge(load(name), DRIFTING if drifts else STANDARD)


def compared(name: str, beside: str | None = None, *, drifts: bool = False) -> SameSchedule:
    """A client's run, and who follows it."""
    return _compared(name, beside, drifts)


@cache
def _compared(name: str, beside: str | None, drifts: bool) -> SameSchedule:
    second = None if beside is None else judged(beside, drifts=drifts)
    found = compare(judged(name, drifts=drifts), second)
    assert found is not None
    return found
