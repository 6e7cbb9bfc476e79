"""T6: how long a host keeps an address that was given away; nothing less is enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.clients.profile import Environment, Profile, in_seconds, load
from holdover.model.readings.constants import holds as true
from holdover.model.readings.constants import seconds
from holdover.model.readings.finite import Instance, bounds_for
from holdover.model.table.bound import (
    displaced_for,
    soon_over,
    soon_refused,
    to_lease_end,
    to_refusal,
)
from holdover.model.table.client import honoured, slowest
from holdover.model.table.expr import Expr
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import a, delay, full, h, holds, late, nak_late
from holdover.proofs.logic.displaced import among, given_away, lets_go
from holdover.proofs.logic.obligations import firing
from holdover.proofs.logic.solvers import by_cvc5, whether_fire
from holdover.proofs.theorems import t6_explored
from holdover.proofs.theorems.t2_safety import choices
from holdover.proofs.theorems.t6_displaced import all_reached, cases, follows, prove, prove_reached
from holdover.proofs.theorems.t6_explored import SmallNetwork, compare, settings
from tests.checkout import IN_CI
from tests.proofs.logic.small_steps import breaks

(REFUSED, REFUSED_GOAL), (OVER, OVER_GOAL) = cases()
RFC = load("rfc2131")


@pytest.mark.kept("cases of theorems")
def test_t6_holds() -> None:
    """In CI `holdover verify` has just proved the rest, before the tests began (`.ci/run`)."""
    checks = (prove_reached(),) if IN_CI else prove().checks
    assert {c.name: c.detail for c in checks if c.outcome != "holds"} == {}
    assert [c.name for c in checks][:3] == (
        ["reached"] if IN_CI else ["refused", "over", "reached"]
    )


@pytest.mark.kept("cases of theorems")
def test_every_row_may_happen_but_those_of_a_second_server() -> None:
    for case in (REFUSED, OVER):
        fires = {answer.obligation.row: answer.result for answer in whether_fire([*firing(case)])}
        assert {row for row, said in fires.items() if said != "refuted"} == set(case.ruled_out)
    (unmute,) = [one for one in firing(REFUSED) if one.row in REFUSED.ruled_out]
    assert [answer.result for answer in whether_fire([unmute])] == ["proved"]
    rival = {"rival_offer", "rival_ack", "rival_nak"}
    for case, also in ((REFUSED, {"lose", "mute", "stay_silent"}), (OVER, set[str]())):
        may = {each.row for each in firing(case)}
        excluded = {action.name for action in LEASE_TABLE.actions} - may
        assert excluded == rival | also


@pytest.mark.kept("cases of theorems")
def test_both_solvers_say_that_the_bound_follows_and_is_reached() -> None:
    for case, goal in cases():
        assert by_cvc5(follows(case, goal)).result == "proved"
    for run, _ in [pair for number, pair in enumerate(all_reached()) if number % 7 == 0]:
        assert by_cvc5(run).result == "proved", run.name


# Each conjunct is needed -------------------------------------------------------------------------


def small(facts: Mapping[str, object]) -> dict[str, object]:
    """RFC 2131's client with these facts where the server forgets, is never silent and refuses."""
    environment = Environment(faults=frozenset({"forgets"}), patient=True, authoritative=True)
    switches = {k: v for k, v in environment.facts().items() if isinstance(v, bool)}
    return {**switches, **choices(RFC), "drift": 0, **facts}


Witness = tuple[str, str, Mapping[str, object]]

WAITS = {"after_nak": "WAIT"}
KERNEL = {"enforcer": "KERNEL"}
FOLLOWS: Witness = ("", "", WAITS)

NEEDED_TO_BE_REFUSED: Mapping[str, Witness] = {
    "held_as_leased": FOLLOWS,
    "asked_before": ("bind", "not_too_far", {}),
    "granted": ("bind", "not_too_far", {}),
    "not_too_far": ("commit", "t1_in_time", {}),
    "answers_follow": ("select", "granted_before", {}),
    "in_flight": FOLLOWS,
    "faults_only": FOLLOWS,
    "one_exchange": ("tick", "asks_in_time", {}),
    "t1_before_the_end": ("commit", "t1_in_time", {}),
    "asks_in_time": FOLLOWS,
    "probe_over_by_t1": ("use", "asks_in_time", {"probes": True}),
    "over_by_t1": ("tick", "asks_in_time", {}),
    "asked_for_so_long": FOLLOWS,
    "requests_end": ("ask_again", "asked_for_so_long", {}),
    "answer_comes": FOLLOWS,
    "t1_in_time": FOLLOWS,
    "asked_in_time": FOLLOWS,
    "granted_before": ("bind", "t1_in_time", {}),
    "refused_in_time": FOLLOWS,
    "serves": ("miss", "answer_comes", {}),
}

NEEDED_TO_BE_OVER: Mapping[str, Witness] = {
    "held_as_leased": ("crash", "ends_in_time", {**KERNEL, "crashes": True, "probes": True}),
    "asked_before": ("bind", "not_too_far", {}),
    "granted": ("bind", "not_too_far", {}),
    "not_too_far": ("commit", "ends_in_time", {}),
    "answers_follow": ("select", "ack_ends_in_time", {}),
    "in_flight": ("bind", "ends_in_time", {"anchor": "ACK"}),
    "faults_only": ("tick", "goes_in_time", {}),
    "kernel_set": ("tick", "goes_in_time", {**KERNEL, "freezes": True}),
    "held_until_it_goes": ("tick", "goes_in_time", {}),
    "goes_in_time": FOLLOWS,
    "ends_in_time": FOLLOWS,
    "refused_before_the_end": FOLLOWS,
    "ack_ends_in_time": ("bind", "ends_in_time", {}),
}
"""Without it the row breaks the other conjunct, or the bound does not follow, for such a client."""


def test_each_conjunct_is_asked_about() -> None:
    assert [each.name for each in REFUSED.invariant] == list(NEEDED_TO_BE_REFUSED)
    assert [each.name for each in OVER.invariant] == list(NEEDED_TO_BE_OVER)


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize(
    ("part", "name"),
    [*((0, name) for name in NEEDED_TO_BE_REFUSED), *((1, name) for name in NEEDED_TO_BE_OVER)],
)
def test_without_a_conjunct_it_is_not_proved(part: int, name: str) -> None:
    case, goal = cases()[part]
    row, other, facts = (NEEDED_TO_BE_REFUSED, NEEDED_TO_BE_OVER)[part][name]
    rest = [each for each in case.invariant if each.name != name]
    broken = next((each.term for each in rest if each.name == other), goal)
    fixed, assumed, sizes = small(facts), case.assumptions, (2, 1, 2)
    assert not breaks(row, broken, case.invariant, fixed, assumed, sizes)
    assert breaks(row, broken, rest, fixed, assumed, sizes)


# The bound ---------------------------------------------------------------------------------------

WEAKER: Mapping[str, tuple[int, Expr, Mapping[str, object]]] = {
    "the delay of the question": (0, to_refusal(h) - delay + nak_late[h], WAITS),
    "the wait after a DHCPNAK": (0, to_refusal(h), WAITS),
    "how late a process is": (1, to_lease_end(h) - late[h], {}),
    "when the client counts from": (1, slowest(honoured(h, full)) + late[h], {"anchor": "ACK"}),
}
"""Bounds that leave something out."""


@pytest.mark.parametrize("forgotten", WEAKER)
def test_a_smaller_bound_does_not_follow(forgotten: str) -> None:
    part, less, facts = WEAKER[forgotten]
    case, goal = cases()[part]
    kind = (soon_refused, soon_over)[part](h)
    smaller = among(kind, lets_go(less)).term
    assert not breaks("", goal, case.invariant, small(facts), case.assumptions)
    assert breaks("", smaller, case.invariant, small(facts), case.assumptions)


def test_known_numbers() -> None:
    """An hour's lease, datagrams of a second: half an hour, there and back; or the whole lease."""
    world = Environment(delay=Fraction(1), faults=frozenset({"forgets"}))
    refusing = replace(world, patient=True, authoritative=True)
    waits = replace(RFC, after_nak="WAIT", nak_late=Fraction(28))
    for client, where, expected in (
        (RFC, refusing, 1802),
        (RFC, world, 3600),
        (waits, refusing, 1830),
        (waits, world, 3628),
        (replace(RFC, heeds_nak="NEVER"), refusing, 3600),
        (replace(RFC, anchor="ACK"), refusing, 1803),
        (replace(waits, heeds_nak="NEVER"), refusing, 3600),
    ):
        constants = in_seconds(client, where)
        assert true(soon_refused(h) | soon_over(h), constants)
        assert seconds(displaced_for(h), constants) == expected


@pytest.mark.parametrize(
    ("client", "faults"),
    [
        (replace(RFC, after_nak="LEAVE"), ()),
        (RFC, ("crashes",)),
        (RFC, ("clones",)),
        (replace(RFC, keeps_old=True), ()),
        (load("wfwg311"), ()),
    ],
)
def test_there_is_not_always_a_bound(client: Profile, faults: tuple[str, ...]) -> None:
    world = Environment(acknowledge_within=None, faults=frozenset({"forgets", *faults}))
    constants = in_seconds(client, world)
    assert not true(soon_refused(h) | soon_over(h), constants)


@pytest.mark.kept("cases of theorems")
def test_each_premise_of_being_refused_soon_is_needed() -> None:
    """Where one of them is not so, the explorer finds a longer time; mostly among few states."""
    (usual,) = (s for s in settings() if s.name == "refused")
    for change, datagrams, part in (
        ({"patient": False}, 2, 100_000),
        ({"authoritative": False}, 1, 10_000),
        ({"faults": frozenset({"forgets", "loses"})}, 1, 10_000),
        ({"faults": frozenset({"forgets", "mutes"})}, 1, 10_000),
    ):
        world = replace(usual.world, **change)
        setting = replace(usual, world=world, datagrams=datagrams)
        found = t6_explored.longest_displaced(setting, part)[1]
        bound = seconds(to_refusal(h), usual.constants)
        assert found is not None
        assert found > bound, change


# Explored ----------------------------------------------------------------------------------------


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize("setting", tuple(settings()), ids=lambda each: each.name)
def test_the_explorer_finds_the_same_longest_time(setting: SmallNetwork) -> None:
    assert compare(setting).outcome == "holds"


@pytest.mark.parametrize("setting", tuple(settings()), ids=lambda each: each.name)
def test_the_kernel_and_the_plain_explorer_find_the_same(setting: SmallNetwork) -> None:
    """Also where no bound is near: for how long somebody else has the address."""
    everything = t6_explored.MOST
    for asked in (t6_explored.longest_displaced, t6_explored.longest_conflict):
        assert asked(setting) == asked(setting, part=everything)


def test_the_kernel_and_the_plain_explorer_see_the_same_steps() -> None:
    """Which begin it anew and which take time, too; it may be that no longest time shows those."""
    setting = next(settings())
    bounds = bounds_for(setting.constants, 2, 1, 1)
    model = Instance(LEASE_TABLE, setting.constants, bounds)
    asked = (model, given_away(h, a), holds[h] == a, ("commit", "reuse"))
    compiled = t6_explored.seen_in_all(*asked)
    assert compiled is not None
    plain = t6_explored.seen_in_part(*asked, part=t6_explored.MOST)

    def summed(seen: t6_explored.Seen) -> list[int]:
        steps = (seen.since[seen.sources], seen.still[seen.targets], seen.anew, seen.passed)
        return [len(seen.since), len(seen.anew), *(int(each.sum()) for each in steps)]

    assert summed(compiled) == summed(plain)
    assert 0 not in summed(plain)


def test_a_search_that_is_cut_off_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t6_explored, "MOST", 1000)
    with pytest.raises(MemoryError, match="cut off"):
        t6_explored.longest_displaced(next(settings()))


def test_a_client_that_is_later_is_seen_by_the_explorer() -> None:
    """The comparison can fail: of a client that waits longer than its profile says."""
    (usual,) = (s for s in settings() if s.name == "waits after a DHCPNAK")
    later = replace(usual, client=replace(usual.client, nak_late=2 * t6_explored.TICK))
    assert t6_explored.longest_displaced(later)[1] == seconds(displaced_for(h), usual.constants) + 1
