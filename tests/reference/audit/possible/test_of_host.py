"""What is recalled of a term is what would be read."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from holdover.model.clients.profile import STANDARD, Profile, in_seconds, load
from holdover.model.readings.possible import ANY, HERE
from holdover.model.table.vocabulary import h, m
from holdover.reference.audit.monitor.context import OPEN, conforming
from holdover.reference.audit.possible.automaton import CLIENT_ROWS, FAULTS, Automaton
from holdover.reference.audit.possible.of_host import (
    MESSAGE_HERE,
    MINE,
    NO_ONE,
    OTHER,
    Facts,
    OfHost,
    mentioned_in,
)

ENVIRONMENT = replace(STANDARD, faults=FAULTS)
MESSAGES = (None, *product(("FREE", "OFFER", "ACK", "NAK"), (MINE, OTHER, NO_ONE)))


@pytest.mark.parametrize(
    ("profile", "unknown"), [(conforming(), OPEN), (load("udhcpc"), frozenset[str]())]
)
def test_an_automaton_is_the_same_without_it(
    profile: Profile, unknown: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recalled = Automaton(profile, ENVIRONMENT, unknown)
    monkeypatch.setattr(OfHost, "values_of", OfHost.read)
    read = Automaton(profile, ENVIRONMENT, unknown)
    assert list(read.ways.items()) == list(recalled.ways.items())
    assert [read.limits(n) for n in read.nodes] == [recalled.limits(n) for n in recalled.nodes]


@pytest.mark.kept("cases of audits")
def test_each_guard_is_recalled_as_it_is_read() -> None:
    """For each node, message and choice of parameters, all from one memory."""
    nodes = Automaton(conforming(), ENVIRONMENT, OPEN).nodes
    facts = Facts(in_seconds(conforming(), ENVIRONMENT), OPEN, {})
    asked = 0
    for node, message in product(nodes, MESSAGES):
        host = OfHost(node, facts, message)
        for action in CLIENT_ROWS:
            for here in (ANY, frozenset({HERE})):
                bound = dict.fromkeys(action.given, ANY) | {h: here, m: frozenset({MESSAGE_HERE})}
                for term in action.when:
                    asked += 1
                    assert host.values_of(term, bound) == host.read(term, bound)
    assert asked > 10 * len(facts.recalled) > 1000


def test_what_a_guard_mentions_is_little() -> None:
    """Else nothing would be recalled."""
    sizes = [len(mentioned_in(term).places) for row in CLIENT_ROWS for term in row.when]
    assert max(sizes) <= 4
    assert sum(sizes) / len(sizes) < 2
