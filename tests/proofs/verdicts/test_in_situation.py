"""Each situation has the verdict that its file states, by a run that tells what was reported."""

import pytest

from holdover.model.clients.situations import Situation, find_situation, situations
from holdover.proofs.verdicts.in_situation import judge_situation

TOLD = {
    "server-gone": {"mute", "reuse"},
    "client-killed": {"crash", "reuse"},
    "client-stuck": {"freeze", "reuse"},
    "host-suspended": {"suspend", "resume", "reuse"},
    "renews-late": {"reuse"},
    "short-lease": {"reuse"},
    "drops-to-renew": {"renew"},
    "nobody-renews": {"crash"},
    "nak-ignored": {"forget", "refuse", "disregard_nak"},
    "nak-late": {"forget", "refuse", "obey_nak"},
    "two-servers": {"rival_ack"},
    "server-forgets": {"forget", "commit"},
    "server-clock": {"jump", "reuse"},
    "static-host": {"settle", "commit"},
    "nobody-probes": {"forget", "commit"},
    "decline-lost": set(),
    "clones": {"prolong"},
    "identity-changes": set(),
    "old-address-stays": {"lapse", "reuse"},
    "ack-after-release": {"release", "free"},
}
"""Rows that the run has, by situation."""


def test_each_situation_has_its_rows() -> None:
    assert set(TOLD) == {each.name for each in situations()}


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize("each", situations(), ids=lambda s: s.name)
def test_the_verdict_and_the_story_fit(each: Situation) -> None:
    found = judge_situation(each)
    assert found.outcome == each.outcome, found.reason
    assert bool(found.run) == (each.outcome == "violated")
    assert {event.action for event in found.run} >= TOLD[each.name]


def test_what_is_proved_to_cure() -> None:
    assert judge_situation(find_situation("server-forgets")).cures == [("durable store",)]
    clones = judge_situation(find_situation("clones"))
    assert (clones.cures, clones.probing) == ([], True)
    sleeping = judge_situation(find_situation("host-suspended"))
    assert (sleeping.cures, sleeping.probing) == ([("BOOTTIME", "grace")], False)


def test_how_long_is_told_where_it_is_bounded() -> None:
    assert judge_situation(find_situation("short-lease")).worst == 60
    assert judge_situation(find_situation("clones")).worst is None
