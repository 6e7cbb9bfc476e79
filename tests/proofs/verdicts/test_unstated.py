"""What a profile does not state: the verdict is that of every client that it leaves open."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.model.clients.network import ClientKind, Network
from holdover.model.clients.profile import (
    FACTS,
    STANDARD,
    Environment,
    Profile,
    builtin_names,
    load,
)
from holdover.model.clients.rules import contradiction, follow
from holdover.model.readings.constants import holds
from holdover.model.table import bound
from holdover.model.table.expr import BOOL, DURATION
from holdover.model.table.vocabulary import CONSTANTS, h
from holdover.proofs.verdicts.by_bound import need_of_stated
from holdover.proofs.verdicts.judge import judge, judge_network
from holdover.proofs.verdicts.need import any_grace_hangs_on, judge_by_bound

WORLDS = (
    STANDARD,
    replace(STANDARD, grace=Fraction(5)),
    replace(STANDARD.and_faults("freezes", "thaws"), grace=Fraction(30)),
    replace(STANDARD, acknowledge_within=Fraction(4), grace=Fraction(8)),
    replace(STANDARD.and_faults("shortens", "steps"), shortest=Fraction(1200), step=Fraction(60)),
    replace(STANDARD, drift=Fraction(1, 100), grace=Fraction(80)),
)


def values(fact: str) -> st.SearchStrategy[Any]:
    sort = CONSTANTS[fact].sort
    if sort is BOOL:
        return st.booleans()
    if sort is DURATION:
        return st.sampled_from([Fraction(n) for n in (0, 0, 1, 7, 4000)])
    return st.sampled_from(sort.values)


def consistent(facts: dict[str, Any]) -> Profile:
    """A client with these facts, as far as they do not contradict each other."""
    facts = dict(facts)
    if not facts["probes"]:
        facts["probe_time"] = Fraction(0)
    elif not facts["probe_time"]:
        facts["probe_time"] = Fraction(7)
    if facts["anchor"] == "PROBE" and not facts["probes"]:
        facts["anchor"] = "ACK"
    if facts["trigger"] != "RETRY":
        facts["retries_for"] = Fraction(0)
    if facts["after_nak"] != "WAIT":
        facts["nak_late"] = Fraction(0)
    elif not facts["nak_late"]:
        facts["nak_late"] = Fraction(30)
    if facts["trigger"] == "ACKNOWLEDGE":
        facts["dialog"] = True
    if facts["enforcer"] == "PROCESS":
        facts |= {"kernel_late": Fraction(0), "margin": Fraction(0)}
    if not facts["gives_way"]:
        facts["gives_way_within"] = Fraction(0)
    if facts["trigger"] != "LAPSE" or facts["clock"] == "WALL" or not facts["hears_renewing"]:
        facts["heeds_shorter"] = False
    assert contradiction(facts) is None
    return Profile("any", **facts)


PROFILES = st.fixed_dictionaries({fact: values(fact) for fact in FACTS}).map(consistent)


def left_open(profile: Profile, unstated: frozenset[str]) -> Profile | None:
    """A profile that states the others, and has RFC 2131's values for these, if there is one."""
    usual = {fact: getattr(Profile(""), fact) for fact in unstated}
    found = replace(profile, **usual)
    if contradiction(found.facts()) is not None:
        return None
    known = (set(FACTS) - unstated) | follow(found.facts(), set(FACTS) - unstated)
    return replace(found, unstated=tuple(fact for fact in FACTS if fact not in known))


@given(PROFILES, st.frozensets(st.sampled_from(FACTS)), st.sampled_from(WORLDS))
def test_a_client_that_is_left_open_needs_no_more_than_is_said(
    profile: Profile, unstated: frozenset[str], world: Environment
) -> None:
    """`profile` is one of the clients that the file without these facts may be."""
    partly = left_open(profile, unstated)
    if partly is None:
        return
    need, exact = (judge_by_bound(ClientKind(each), world) for each in (partly, profile))
    if need.worst is not None:
        assert exact.worst is not None
        assert exact.worst <= need.worst
        assert exact.grace is not None
        assert need.grace is not None
        assert exact.grace <= need.grace
    assert exact.met or not need.met
    on = need.hangs_on
    if on is None:
        assert exact.met is need.met
    elif all(getattr(profile, fact) == getattr(partly, fact) for fact in on.facts):
        assert exact.met is on.usually, on
    if any_grace_hangs_on(ClientKind(partly), world) is None:
        assert (exact.worst is None) is (need.worst is None)


@given(PROFILES, st.frozensets(st.sampled_from(FACTS), min_size=4), st.sampled_from(WORLDS))
def test_what_is_told_of_another_client_is_so(
    profile: Profile, unstated: frozenset[str], world: Environment
) -> None:
    partly = left_open(profile, unstated)
    if partly is None or partly.unstated == ():
        return
    on = judge_by_bound(ClientKind(partly), world).hangs_on
    if on is None:
        return
    assert set(on.facts) <= set(partly.unstated)
    assert need_of_stated(ClientKind(partly), world).met is on.usually
    told: dict[str, Any] = dict(on.otherwise)
    other = replace(partly, **told)
    assert contradiction(other.facts()) is None
    assert need_of_stated(ClientKind(other), world).met is not on.usually
    for fact in told:  # none of them is told in vain
        usual = replace(other, **{fact: getattr(partly, fact)})
        same = need_of_stated(ClientKind(usual), world).met is on.usually
        assert same or contradiction(usual.facts()) is not None


@given(PROFILES, st.frozensets(st.sampled_from(FACTS)))
def test_what_follows_has_one_value(profile: Profile, stated: frozenset[str]) -> None:
    """Whoever agrees on what is stated agrees on that."""
    for fact in follow(profile.facts(), stated):
        sort = CONSTANTS[fact].sort
        others = [False, True] if sort is BOOL else sort.values or [Fraction(0), Fraction(3)]
        for other in others:
            if other != getattr(profile, fact):
                assert contradiction({**profile.facts(), fact: other}) is not None


@given(PROFILES)
def test_what_the_bound_asks_of_a_profile_is_among_the_rules(profile: Profile) -> None:
    assert holds(bound.consistent(h), profile.facts())


@pytest.mark.parametrize("name", builtin_names())
def test_a_builtin_profile_states_all(name: str) -> None:
    assert load(name).unstated == ()


EMPTY = Profile("empty", unstated=FACTS)


def test_an_empty_profile_is_unknown() -> None:
    found = judge(EMPTY)
    assert (found.outcome, found.worst, found.grace, found.run) == ("unknown", None, None, ())
    assert found.hangs_on is not None
    assert {"late", "trigger"} <= set(found.hangs_on.facts)
    assert judge(replace(EMPTY, unstated=())).outcome == "holds"


def test_what_does_not_matter_may_be_left_out() -> None:
    """A file that states what counts holds, and one that never lets go is violated."""
    rest = ("heeds_nak", "asks_for", "restart", "heeds_shorter")
    assert judge(replace(load("rfc2131"), unstated=rest)).outcome == "holds"
    found = judge(replace(load("freertos"), unstated=("late", "floor", *rest)))
    assert found.outcome == "violated"
    assert found.run


def test_a_network_is_unknown_where_one_of_its_profiles_is() -> None:
    kinds = tuple(map(ClientKind, (load("rfc2131"), EMPTY)))
    found = judge_network(Network("site", kinds, {}), STANDARD)
    assert found.outcome == "unknown"
    assert "depends on what the profile does not state: " in found.reason
    bad = (*kinds, ClientKind(load("wfwg311")))
    assert judge_network(Network("site", bad, {}), STANDARD).outcome == "violated"
