"""What is recalled, skipped or built late changes no report: the plain path says the same."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from holdover.reference.audit.monitor.addresses import SPANS, AddressTrack
from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.monitor.spans import UseRun
from holdover.reference.audit.observations import Where
from holdover.reference.audit.possible.chart import Sign
from holdover.reference.audit.possible.hypotheses import Grant, Now, after_message, after_use
from holdover.reference.audit.possible.possibilities import Ends, Recall, Shape, states_of
from holdover.reference.audit.report.data import audit_data
from holdover.reference.core.instants import SECOND
from tests.reference.audit.town import Town
from tests.reference.audit.verdicts import conforming_run, planted_run, planted_run_with_losses

Run = Callable[[int], tuple[Town, Audit]]


def see(
    self: Recall, shape: Shape, ends: Ends, sign: Sign, now: Now, grant: Grant | None, *, sure: bool
) -> tuple[Shape, Ends]:
    """Nothing is recalled."""
    states = states_of(shape, ends)
    found = after_message(self.chart, self.most, states, sign, now, grant, sure=sure)
    return self.shaped(found)


def use(self: Recall, shape: Shape, ends: Ends, sign: Sign, now: Now) -> tuple[Shape, Ends] | None:
    """Nothing is recalled."""
    found = after_use(self.chart, self.most, states_of(shape, ends), sign, now)
    return None if found is None else self.shaped(found)


def is_newest(self: AddressTrack, run: UseRun) -> bool:
    """Nobody knows: look through all runs."""
    return False


def report(run: Run, seed: int) -> str:
    """The report of a run as JSON; its capture is in another folder each time."""
    text = json.dumps(audit_data(run(seed)[1]), indent=1)
    named, count = re.subn(r'"[^"]*/town\.pcap"', '"town.pcap"', text)
    assert count
    return named


@pytest.mark.parametrize("run", [conforming_run, planted_run, planted_run_with_losses])
@pytest.mark.parametrize("seed", range(4))
def test_reports_are_those_of_the_plain_path(
    run: Run, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recalled = report(run, seed)
    monkeypatch.setattr(Recall, "see", see)
    monkeypatch.setattr(Recall, "use", use)
    monkeypatch.setattr(AddressTrack, "_is_newest", is_newest)
    assert report(run, seed) == recalled


@pytest.mark.parametrize("seed", range(20))
def test_runs_of_use_are_those_of_the_plain_path(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts by turns, now and then many, and uses that end after later ones."""
    rng = random.Random(seed)
    uses, at = [], 0
    for number in range(4 * SPANS):
        at += rng.choice((0, 1, SECOND, 20 * SECOND))
        host = bytes([rng.randrange(rng.choice((1, 2, SPANS + 2)))])
        until = at + rng.choice((0, 0, 1, SECOND, 30 * SECOND))
        uses.append((host, at, until, Where("x", number), Where("x", number), "ARP"))

    def track() -> AddressTrack:
        made = AddressTrack(IPv4Address("10.0.0.1"))
        for each in uses:
            made.use(*each)
        return made

    fast = track()
    monkeypatch.setattr(AddressTrack, "_is_newest", is_newest)
    assert track() == fast
