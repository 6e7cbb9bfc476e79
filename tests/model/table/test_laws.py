"""The laws of the lease table hold in it, and each can be broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from holdover.model.table.laws import STATES, TIME
from holdover.model.table.laws_of_acts import ACTS
from holdover.model.table.properties import Property
from holdover.proofs.mutation.facts import FACTS
from holdover.proofs.mutation.fates import Fate, by_name, lawless
from holdover.proofs.mutation.record import read_fates
from holdover.proofs.mutation.samples import Sample
from holdover.proofs.mutation.small_worlds import SmallWorld, settings

OTHERS = {
    "two hosts",
    "forged",
    "a rival",
    "lost",
    "forgotten, probed",
    "two datagrams",
    "duplicates",
}
SMALL = [s for s in settings() if (s.hosts, s.messages) == (1, 1) or s.name in OTHERS]
"""What takes seconds; a mutant's own steps are put to the laws in every configuration."""


@cache
def seen(name: str) -> Sample:
    return Sample(next(setting for setting in settings() if setting.name == name))


def broken(known: Sample) -> Iterator[tuple[str, str]]:
    """Each law that a step, or a state, of the table itself breaks, and the row of the step."""
    instance = known.seen.instance
    for state in known.seen.states:
        yield from ((name, "") for name, good in known.kept if not good(state))
        for label, after in instance.successors(state):
            row = instance.labels[label].action.name
            laws = known.time if row == "tick" else known.acts
            yield from ((name, row) for name, respected in laws if not respected(state, after))


@pytest.mark.kept("laws of the table")
@pytest.mark.parametrize("setting", SMALL, ids=lambda s: s.name.replace(" ", "_"))
def test_the_lease_table_keeps_every_law(setting: SmallWorld) -> None:
    assert not Counter(broken(seen(setting.name)))


def test_names_of_laws_are_distinct() -> None:
    names = Counter(law.name for law in (*STATES, *ACTS, *TIME, *FACTS))
    assert set(names.values()) == {1}


def place_of(fate: Fate) -> str:
    """The configuration in which a law was broken."""
    return fate.detail.partition(": ")[0]


def size(name: str) -> tuple[int, ...]:
    """How large a configuration is, as far as that is seen without an exploration."""
    (found,) = (setting for setting in settings() if setting.name == name)
    members = found.hosts * found.addresses * found.messages
    return members, len(found.faults), found.lease, found.step, found.delay


@pytest.mark.kept("laws of the table")
@pytest.mark.parametrize(
    "law", [*STATES, *ACTS, *TIME], ids=lambda each: each.name.replace(" ", "_")
)
def test_each_law_convicts_a_mutant(law: Property) -> None:
    """Its recorded victim breaks it again, and no other check had to be asked."""
    victims = [f for f in read_fates() if f.killer == "law" and f.detail.endswith(f": {law.name}")]
    assert victims, "a law that convicts nobody is no check"
    victim = min(victims, key=lambda fate: size(place_of(fate)))
    where = place_of(victim)
    changed = by_name()[victim.name]
    assert lawless(changed, [seen(where)]) == victim.detail
