"""The ways of the engine's kernel are the plain explorer's, and what is asked of them too."""

from __future__ import annotations

from functools import cache
from unittest import mock

import numpy as np
import pytest

from holdover.model.engine import ways as module
from holdover.model.engine.ways import Ways
from holdover.model.explorer.explore import Exploration, explore
from holdover.model.packed.tables import tabulate
from holdover.model.readings.finite import Instance
from holdover.model.readings.ground import Array
from holdover.model.table.expr import exists, forall
from holdover.model.table.properties import ALWAYS, SOMETIMES
from holdover.model.table.vocabulary import h, lease_end, now, phase
from holdover.proofs.theorems.t5_agreement import instance, small_world, worlds

MOST = 1_000_000
ALL = {name: (profile, environment) for name, profile, environment in worlds()}
WORLDS = ("wfwg311", "udhcpc", "networkd-keep", "dhcpcd, frozen", "rfc2131, drift 1/4")


@cache
def built(name: str) -> Instance:
    """One host in a world of T5's; or the two hosts of its invariant."""
    return small_world(*ALL[name]) if name in WORLDS else instance(name)


@cache
def explored(name: str) -> Exploration:
    """By the plain explorer, with every step."""
    return explore(built(name), keep_steps=True)


def within_reach(ways: Ways) -> Array:
    """All states."""
    found = ways.within_reach(ways.moves, MOST)
    assert found is not None
    return found


NAMES = (*WORLDS, "rfc2131")


@pytest.mark.parametrize("name", NAMES)
def test_states_and_steps_are_the_plain_explorers(name: str) -> None:
    seen, ways = explored(name), Ways(*tabulate(built(name)))
    words = within_reach(ways)
    states = [ways.tabulated.unpack(word) for word in words.tolist()]
    assert len(states) == len(seen.states)
    assert set(states) == set(seen.states)
    assert ways.fired() == set(seen.fired)
    sources, targets = ways.steps(words, ways.moves)
    numbers = [seen.index[state] for state in states]
    place = dict(zip(words.tolist(), numbers, strict=True))
    ends = ([numbers[at] for at in sources], [place[word] for word in targets.tolist()])
    assert sorted(zip(*ends, strict=True)) == sorted(
        zip(seen.taken[::3], seen.taken[1::3], strict=True)
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_worst_holdover_is_the_plain_explorers(name: str) -> None:
    ways = Ways(*tabulate(built(name)))
    words = within_reach(ways)
    assert ways.worst(words) == explored(name).worst
    assert ways.worst(words[:1]) is None  # initially nobody has a lease


def test_properties_hold_where_the_finite_reading_says_so() -> None:
    ways = Ways(*tabulate(built("rfc2131")))
    words = within_reach(ways)
    states = [ways.tabulated.unpack(word) for word in words.tolist()]
    for prop in (*ALWAYS, *SOMETIMES):
        asked = built("rfc2131").predicate(prop.term)
        found = [bool(asked(state)) for state in states]
        assert ways.holds(words, prop.term, {}).tolist() == found
        assert ways.holds(words[:3], prop.term, {}).tolist() == found[:3]  # of each by itself


def test_a_property_of_one_member_is_asked_of_that_one() -> None:
    ways = Ways(*tabulate(built("rfc2131")))
    words = within_reach(ways)
    bound = phase[h] == "BOUND"
    each = [ways.holds(words, bound, {h: host}) for host in (0, 1)]
    assert (each[0] != each[1]).any()
    assert ((each[0] & each[1]) == ways.holds(words, forall(h, bound), {})).all()
    assert ((each[0] | each[1]) == ways.holds(words, exists(h, bound), {})).all()


def test_an_instant_that_is_not_set_is_not_compared() -> None:
    ways = Ways(*tabulate(built("rfc2131")))
    with pytest.raises(TypeError, match="not set"):
        ways.holds(within_reach(ways), lease_end[h] <= now, {h: 0})


def test_more_states_than_allowed_are_none() -> None:
    ways = Ways(*tabulate(built("wfwg311")))
    count = len(within_reach(ways))
    assert ways.within_reach(ways.moves, count - 1) is None
    found = ways.within_reach(ways.moves, count)
    assert found is not None
    assert len(np.unique(found)) == count


def test_a_table_that_grows_keeps_what_it_has() -> None:
    """With little room it grows many times, and the same states are found, in the same order."""
    ways = Ways(*tabulate(built("wfwg311")))
    usual = within_reach(ways)
    with mock.patch.object(module, "ROOM", 8):
        assert (within_reach(ways) == usual).all()
