"""T3: the bound is enough, nothing below it is, and a bound that forgets something is refuted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.clients.profile import Environment, Profile, builtin_names, in_seconds, load
from holdover.model.readings.constants import holds, seconds
from holdover.model.readings.prose import shape
from holdover.model.table.bound import (
    ZERO,
    ack_missed,
    anchor_delay,
    bounded,
    greatest,
    one_lease,
    outstay,
    overhang,
    safe_grace,
    while_under_way,
    worst_holdover,
)
from holdover.model.table.client import fastest, honoured, slowest
from holdover.model.table.expr import DURATION, Constant, Expr, forall, ite, lift
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import (
    CONSTANTS,
    ONE,
    drift,
    full,
    grace,
    h,
    late,
    least,
    shortens,
)
from holdover.proofs.logic import formula
from holdover.proofs.logic import obligations as module_of_obligations
from holdover.proofs.logic.first_order import ALIKE, FASTEST, SLOWEST, any_clock
from holdover.proofs.logic.formula import REAL, Formula
from holdover.proofs.logic.obligations import Case, Obligation, firing, obligations
from holdover.proofs.logic.solvers import Answer, by_cvc5, by_z3, whether_fire
from holdover.proofs.theorems import t3_grace as module
from holdover.proofs.theorems.t3_grace import (
    REACHED,
    RULED_OUT,
    check_claims,
    ends_badly,
    hearing,
    lemma,
    missing,
    necessary,
    prove,
    prove_lemma,
    reaching_term,
    sufficient,
)
from holdover.proofs.theorems.t3_runs import HEARD, MISSED, combined_ways, hosts, run, ways
from tests.checkout import IN_CI

pytestmark = pytest.mark.usefixtures("kept_cvc5")

WAYS = {way.name: way for way in ways()}


@pytest.mark.kept("cases of theorems")
def test_t3_holds() -> None:
    """In CI `holdover verify` has just proved the rest, before the tests began (`.ci/run`)."""
    checks = (module.prove_combined(),) if IN_CI else prove().checks
    assert {c.name: (c.outcome, c.detail) for c in checks if c.outcome != "holds"} == {}
    names = ["sufficient", "lemma", "necessary", "combined"]
    assert [check.name for check in checks] == (names[-1:] if IN_CI else names)


@pytest.mark.kept("cases of theorems")
def test_no_row_but_the_broken_servers_is_excluded() -> None:
    """Everything else fires under the premises: what T3 says, it says of every row."""
    fires = {
        answer.obligation.row: answer.result for answer in whether_fire([*firing(sufficient())])
    }
    assert {row for row, said in fires.items() if said != "refuted"} == set(RULED_OUT)
    asked = {o.row for o in obligations(sufficient())}
    missing = {action.name for action in LEASE_TABLE.actions} - asked
    assert missing == {
        *("forget", "forge", "jump", "rival_offer", "rival_ack", "rival_nak", "settle", "intrude"),
        *UNDISTURBING,
    }


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize(
    "premise", [grace < ZERO, full < least, forall(h, late[h] > full + late[h])]
)
def test_premises_that_contradict_each_other_prove_nothing(
    premise: Expr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All obligations are proved of no client at all: no row can fire.  Here of four rows."""
    some = tuple(map(LEASE_TABLE.action, ("bind", "lapse", "reuse", "tick")))
    sound = replace(sufficient(), table=Table(LEASE_TABLE.variables, some))
    monkeypatch.setattr(module, "sufficient", lambda: sound)
    assert module.prove_sufficient().outcome == "holds"
    case = replace(sound, assumptions=(*sound.assumptions, premise))
    monkeypatch.setattr(module, "sufficient", lambda: case)
    check = module.prove_sufficient()
    assert check.outcome == "violated"
    assert "never fire: " in check.detail


UNDISTURBING = {"mute", "unmute", "hear_conflict", "conflict_ends"}


def test_what_is_ruled_out_never_happens_where_the_grace_is_enough() -> None:
    """And is what nobody need be told of: were it possible, it would be in the list for nothing."""
    rows = [one for one in firing(sufficient()) if one.row in RULED_OUT]
    assert [answer.result for answer in whether_fire(rows)] == ["proved"] * len(RULED_OUT)


# Known numbers -----------------------------------------------------------------------------------


def needed(profile: str | Profile, **surroundings: object) -> Fraction:
    """The safe grace in seconds."""
    client = load(profile) if isinstance(profile, str) else profile
    constants = in_seconds(client, Environment(**surroundings))  # type: ignore[arg-type]
    assert holds(bounded(h), constants)
    return seconds(safe_grace(h), constants)


DAY = Fraction(86400)
PPM100 = Fraction(100, 1_000_000)


def test_a_day_on_clocks_within_100_ppm_needs_17_seconds() -> None:
    exact = 2 * PPM100 * DAY / (1 - PPM100)
    assert needed("rfc2131", lease=DAY, drift=PPM100) == exact
    assert Fraction(1728, 100) < exact < Fraction(1729, 100)


@pytest.mark.parametrize("delay", [Fraction(1), Fraction(7, 3)])
def test_counting_from_the_ack_adds_its_delay(delay: Fraction) -> None:
    from_request = needed(Profile("x"), lease=DAY, drift=PPM100, delay=delay)
    from_ack = needed(Profile("x", anchor="ACK"), lease=DAY, drift=PPM100, delay=delay)
    assert from_ack - from_request == delay * (1 + PPM100)


def test_perfect_clocks_and_a_prompt_client_need_none() -> None:
    assert needed("rfc2131", lease=DAY) == 0


def test_a_floor_adds_what_it_stretches() -> None:
    assert needed(Profile("x", floor=Fraction(60)), lease=Fraction(20)) == 40
    assert needed(Profile("x", floor=Fraction(60)), lease=Fraction(90)) == 0


def test_a_margin_is_not_given_away() -> None:
    """A client that leaves early needs no grace, and never a negative one."""
    early = Profile("x", enforcer="KERNEL", margin=Fraction(5))
    assert needed(early, lease=DAY) == 0


def test_a_shortened_lease_counts_from_the_shorter() -> None:
    both = {"lease": Fraction(100), "shortest": Fraction(30), "faults": frozenset({"shortens"})}
    assert needed("rfc2131", **both) == 70


HEEDING = Profile("x", heeds_shorter=True)
SHORTENS = frozenset({"shortens"})


@pytest.mark.parametrize(
    ("surroundings", "grace"),
    [
        ({"patient": True}, 0),
        ({"patient": True, "delay": Fraction(30)}, 0),
        ({"patient": True, "delay": Fraction(45)}, 15),
        ({"patient": False, "delay": Fraction(45)}, 70),
        ({"patient": True, "faults": SHORTENS | {"loses"}}, 70),
        ({"patient": True, "faults": SHORTENS | {"stops"}}, 0),
        ({"patient": True, "faults": SHORTENS | {"stops", "restarts"}}, 70),
    ],
    ids=["at once", "in time", "late", "impatient", "lost", "ended", "ended and restarted"],
)
def test_who_hears_of_a_shorter_lease_holds_until_then(
    surroundings: dict[str, object], grace: int
) -> None:
    """Lost, for what is left of its lease; delayed, until it comes; else it never outstays it."""
    both = {"lease": Fraction(100), "shortest": Fraction(30), "faults": SHORTENS}
    assert needed(HEEDING, **{**both, **surroundings}) == grace
    assert needed("rfc2131", **{**both, **surroundings}) == 70


def test_below_the_floor_the_shorter_lease_is_outstayed_for_longer() -> None:
    stretched = Profile("x", heeds_shorter=True, floor=Fraction(60))
    both = {"lease": Fraction(100), "shortest": Fraction(30), "faults": SHORTENS, "patient": True}
    assert needed(stretched, **both) == 30


def test_no_grace_suffices_where_nobody_must_answer() -> None:
    constants = in_seconds(load("wfwg311"), Environment(acknowledge_within=None))
    assert not holds(bounded(h), constants)
    answered = in_seconds(load("wfwg311"), Environment(acknowledge_within=Fraction(600)))
    assert holds(bounded(h), answered)
    assert seconds(safe_grace(h), answered) == 600


@pytest.mark.parametrize("name", builtin_names())
def test_more_drift_never_needs_less(name: str) -> None:
    graces = [
        seconds(safe_grace(h), in_seconds(load(name), Environment(drift=Fraction(n, 100))))
        for n in (0, 1, 10, 50)
    ]
    assert graces == sorted(graces)


# Sufficiency -------------------------------------------------------------------------------------

delayed, hangs = anchor_delay(h), overhang(h)
record = ite(shortens, least, full)
"""The shortest lease that the server may have on record."""

WEAKER: Mapping[str, tuple[Expr, str]] = {
    "the overhang": (delayed + slowest(honoured(h, full)) - fastest(record), "commit"),
    "the anchor": (slowest(honoured(h, full)) + hangs - fastest(record), "commit"),
    "the client's drift": (delayed + honoured(h, full) + hangs - fastest(record), "commit"),
    "the server's drift": (delayed + slowest(honoured(h, full)) + hangs - record, "commit"),
    "the floor": (delayed + slowest(full) + hangs - fastest(record), "commit"),
    "the shorter lease": (delayed + slowest(honoured(h, full)) + hangs - fastest(full), "prolong"),
}
"""Bounds that leave something out, and a row that then breaks the invariant."""


def enough(
    bound: Expr, row: str, claim: Case, by: Callable[[Obligation], Answer] = by_z3
) -> set[str]:
    """What becomes of a row's obligations where the grace reaches this bound of each host `h`.

    The drift is 1/10, and all hosts have one client: a counterexample among such is one, and of
    mixtures Z3 finds few.
    """
    assumed = (*claim.assumptions[:-1], forall(h, bound <= fastest(grace)))
    only = Table(LEASE_TABLE.variables, (LEASE_TABLE.action(row),))
    one = {name: ALIKE for name, c in CONSTANTS.items() if isinstance(c, Constant)}
    fixed = {**one, **claim.fixed, "drift": Fraction(1, 10)}
    asked = replace(claim, assumptions=assumed, fixed=fixed, table=only)
    return {by(o).result for o in obligations(asked)}


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize("forgotten", WEAKER)
def test_a_bound_that_forgets_something_is_refuted(forgotten: str) -> None:
    bound, row = WEAKER[forgotten]
    assert enough(worst_holdover(h), row, missing()) == {"proved"}
    assert enough(bound, row, missing()) == {"proved", "refuted"}


LESS: Mapping[str, Expr] = {
    "the time under way": one_lease(h),
    "the whole lease": greatest(outstay(h, least, least), while_under_way),
    "the least lease": greatest(outstay(h, full, full), while_under_way),
}
"""The bound where no ACK is missed, without one of its terms."""


@pytest.mark.parametrize("forgotten", LESS)
def test_where_no_ack_is_missed_each_term_is_needed(forgotten: str) -> None:
    assert enough(worst_holdover(h), "prolong", hearing(), by_cvc5) == {"proved"}
    rows = ("prolong", "commit", "reuse")
    assert any("refuted" in enough(LESS[forgotten], row, hearing(), by_cvc5) for row in rows)


OPENED = {
    "loses": ("lose", False),
    "freezes": ("reuse", False),
    "crashes": ("miss", False),
    "suspends": ("miss", False),
    "heeds_shorter": ("ignore", True),
    "patient": ("renew", True),
    "checks_xid": ("bind", True),
}
"""What keeps a client from an ACK, the row that shows it, and how `hearing` has it."""


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize("name", OPENED)
def test_each_way_to_miss_an_ack_is_excluded_for_a_reason(name: str) -> None:
    """Were it forgotten in `ack_missed`, the invariant would not be inductive.

    With `coming` as it stands nothing of it is left there: the bound is asked for as if it were.
    """
    row, was = OPENED[name]
    claim = hearing()
    assert claim.fixed[name] is was
    smaller = greatest(one_lease(h), while_under_way)
    assumed = tuple(t for t in claim.assumptions[:-1] if t is not claim.assumptions[0])
    opened = {**claim.fixed, name: not was}
    asked = replace(claim, fixed=opened, assumptions=(*assumed, REACHED))
    assert enough(smaller, row, asked) != {"proved"} or enough(smaller, "prolong", asked) != {
        "proved"
    }


def test_the_last_assumption_is_the_bound() -> None:
    """What `enough` replaces."""
    *others, last = sufficient().assumptions
    assert last is REACHED
    assert shape(last) == shape(forall(h, worst_holdover(h) <= fastest(grace)))
    assert not any(term is REACHED for term in others)
    assert hearing().assumptions[-1] is missing().assumptions[-1] is last


@pytest.mark.parametrize(
    "also",
    [
        lambda x: FASTEST(x) > x,
        lambda x: SLOWEST(x) < x,
        lambda x: SLOWEST(x) == x,
        lambda x: (x > 0) & (x < 0),
    ],
    ids=["faster than time", "slower than none", "without error", "contradictory"],
)
def test_what_no_drifting_clock_does_may_not_be_assumed(
    also: Callable[[Formula], Formula], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From what no clock does, everything follows: all obligations would be proved."""
    x = formula.variable("x", REAL)
    assumed = [*any_clock(), formula.forall([x], also(x))]
    monkeypatch.setattr(module, "any_clock", lambda: assumed)
    assert prove_lemma().outcome == "violated"


Clock = Callable[[Formula], Formula]

ODD_CLOCKS: Mapping[str, tuple[Clock, Clock, Case, tuple[str, str]]] = {
    "shows less of a longer time": (
        lambda x: x,
        lambda x: formula.ite(x <= 5, x, x / 2),
        missing(),
        ("prolong", "covered"),
    ),
    "is slower by less of a longer one": (
        lambda x: formula.ite(x <= 5, x + 3, x),
        lambda x: x,
        missing(),
        ("bind", "not_too_far"),
    ),
    "is faster by less of a longer one": (
        lambda x: x,
        lambda x: formula.ite(x <= 5, x / 2, x),
        hearing(),
        ("commit", "ack_covered"),
    ),
}
"""The slowest and fastest of clocks of which one axiom is not true, in the order of the axioms, and
an obligation: what is proved of any clock is refuted of them."""


@pytest.mark.parametrize("name", ODD_CLOCKS)
def test_each_axiom_about_clocks_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slowest_, fastest_, case, (row, conjunct) = ODD_CLOCKS[name]

    def clock(term: Formula) -> Formula | None:
        of = {SLOWEST: slowest_, FASTEST: fastest_}
        return of[term.of](term.args[0]) if term.of in of else None

    def of_it(term: Formula) -> Formula:
        return formula.replace(term, clock)

    def obligation() -> Obligation:
        only = replace(case, table=Table(LEASE_TABLE.variables, (LEASE_TABLE.action(row),)))
        (found,) = (o for o in obligations(only) if (o.row, o.conjunct) == (row, conjunct))
        return found

    true = [by_z3(Obligation("", "", "", (~of_it(a),))).result for a in any_clock()]
    place = list(ODD_CLOCKS).index(name)
    assert true == ["refuted" if number == place else "proved" for number in range(3)]
    assert by_z3(obligation()).result == "proved"
    monkeypatch.setattr(module_of_obligations, "any_clock", list)
    asked = obligation()
    of_odd_clocks = replace(
        asked, assertions=tuple(map(of_it, asked.assertions)), first=tuple(map(of_it, asked.first))
    )
    assert by_cvc5(of_odd_clocks).result == "refuted"


def test_both_solvers_prove_the_lemma() -> None:
    for obligation in lemma():
        assert by_z3(obligation).result == "proved"
        assert by_cvc5(obligation).result == "proved"


@pytest.mark.parametrize(
    "wrong",
    [
        greatest(ZERO, worst_holdover(h)),
        worst_holdover(h) / (ONE - drift),
        greatest(ZERO, worst_holdover(h) * (ONE - drift)),
    ],
    ids=["without the server's drift", "over 1 - drift", "times 1 - drift"],
)
def test_another_formula_for_the_grace_is_refuted(
    wrong: Expr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "safe_grace", lambda h: wrong)
    assert "refuted" in {by_z3(obligation).result for obligation in lemma()}


# Necessity ---------------------------------------------------------------------------------------


def test_every_anchor_and_everything_that_holds_back_is_a_way() -> None:
    usual = [way for way in WAYS.values() if not way.profile.heeds_shorter]
    assert len(usual) == 80
    for anchor in ("REQUEST", "ACK", "PROBE"):
        of_it = [way for way in usual if way.profile.anchor == anchor]
        assert {way.profile.trigger for way in of_it} == {"LAPSE", "ACKNOWLEDGE", "RETRY"}
        assert {fault for way in of_it for fault in way.faults} == {
            "mutes",
            "freezes",
            "crashes",
            "steps",
            "shortens",
        }


def test_every_way_to_miss_an_ack_has_a_run_and_so_has_every_term() -> None:
    """All that `ack_missed` names, but for the xid: necessity is not claimed without its check."""
    heeding = [way for way in WAYS.values() if way.profile.heeds_shorter]
    assert len(heeding) == 37
    assert {way.ack for way in heeding} == {ack for ack, *_ in (*MISSED, *HEARD)}
    faults = {fault for way in heeding for fault in way.faults}
    assert faults == {
        "mutes",
        "shortens",
        "loses",
        "freezes",
        "crashes",
        "suspends",
        "stops",
        "restarts",
    }
    for way in heeding:
        start = run(way).here
        missed = start.read(ack_missed(h), hosts(start))
        assert (missed is formula.TRUE) is (way.ack in {ack for ack, *_ in MISSED})
        whole = shape(way.shows) == shape(worst_holdover(h))
        assert whole is (way.ack in {ack for ack, *_ in MISSED})


def test_where_no_ack_is_missed_the_bound_is_one_of_its_terms() -> None:
    below, premises = reaching_term()
    assert by_z3(below).result == by_cvc5(below).result == "proved"
    assert by_z3(premises).result == "refuted"


SOME = [name for number, name in enumerate(WAYS) if number % 9 == 0]


@pytest.mark.parametrize("name", SOME)
def test_both_solvers_prove_necessity(name: str) -> None:
    exists, premises = necessary(WAYS[name])
    assert by_z3(exists).result == by_cvc5(exists).result == "proved"
    assert by_z3(premises).result == "refuted"


@pytest.mark.parametrize("name", SOME)
def test_at_the_bound_the_run_is_gone(name: str) -> None:
    """Not a hair of slack: what exists for every grace below the bound does not at the bound."""
    way = WAYS[name]
    at, exists = ends_badly(way, fastest(grace) == way.shows)
    assert by_z3(Obligation("", name, "premises", tuple(at))).result == "refuted"
    assert by_z3(Obligation("", name, "at", (*at, exists))).result == "proved"


@pytest.mark.parametrize("name", SOME)
def test_the_run_is_asked_for_each_grace_below_the_bound(name: str) -> None:
    """Also for one that is less by a thousandth of a second, without drift."""
    _, premises = necessary(WAYS[name])
    hair = fastest(grace) >= WAYS[name].shows - lift(Fraction(1, 1000), DURATION)
    start = run(WAYS[name]).here
    near = (*premises.assertions, start.read(hair, hosts(start)))
    assert by_z3(Obligation("", name, "near", near)).result == "refuted"


def test_a_run_is_under_the_guards_of_all_its_rows() -> None:
    """Were a guard left out, the run would be allowed to be impossible."""
    way = WAYS["REQUEST anchor, late process"]
    path = run(way)
    taken = {name for name, _ in path.conditions}
    assert {"commit", "bind", "renew", "rebind", "reuse", "tick"} <= taken
    assert [row.name for row, _ in path.rows][-1] == "reuse"
    for action, _ in path.rows:
        assert sum(name == action.name for name, _ in path.conditions) >= len(action.when)


COMBINED = {way.name: way for way in combined_ways()}


def test_whatever_removes_an_address_is_combined_with_all_else() -> None:
    """Each trigger beside a kernel, with a clock that is set back and without, and each anchor."""
    assert len(COMBINED) == 354
    assert COMBINED.keys().isdisjoint(WAYS)
    both = {
        (way.profile.anchor, way.profile.trigger, "steps" in way.faults, way.before)
        for way in COMBINED.values()
        if way.profile.enforcer == "KERNEL"
    }
    orders = {before for *_, before in both}
    assert orders == {(), ("T1",), ("T1", "T2")}
    for anchor in ("REQUEST", "ACK", "PROBE"):
        for trigger in ("LAPSE", "ACKNOWLEDGE", "RETRY"):
            assert {
                (anchor, trigger, stepped, order) for stepped in (True, False) for order in orders
            } <= both
        assert {(anchor, "NEVER", False, order) for order in orders} <= both


def test_who_does_not_check_the_xid_counts_from_a_later_question() -> None:
    """Each single way with each anchor that it may have; with REQUEST an ACK is stale."""
    unchecked = [way for way in COMBINED.values() if not way.profile.checks_xid]
    assert len(unchecked) == 64
    assert {way.stale for way in unchecked if way.profile.anchor == "REQUEST"} == {True, False}
    for way in unchecked:
        assert way.stale == (way.profile.anchor == "REQUEST" and way.delayed)
        rows = [row.name for row, _ in run(way).rows]
        assert ("give_up" in rows) is way.stale
    assert not any(way.stale for way in WAYS.values())


@pytest.mark.parametrize("name", list(COMBINED)[::23])
def test_of_several_at_once_the_bound_is_tight_too(name: str) -> None:
    way = COMBINED[name]
    at, exists = ends_badly(way, fastest(grace) == way.shows)
    assert by_z3(Obligation("", name, "premises", tuple(at))).result == "refuted"
    assert by_z3(Obligation("", name, "at", (*at, exists))).result == "proved"


# Verdicts ----------------------------------------------------------------------------------------


def fact(said: Formula) -> Obligation:
    return Obligation("", "fact", "fact", (said,))


def test_premises_without_a_model_make_a_check_unknown() -> None:
    impossible, possible = fact(formula.FALSE), fact(formula.TRUE)
    assert check_claims("", "", [(impossible, possible)], ("z3",)).outcome == "holds"
    vacuous = check_claims("", "", [(impossible, impossible)], ("z3",))
    assert vacuous.outcome == "unknown"
    assert "nothing satisfies its premises" in vacuous.detail
    assert check_claims("", "", [(possible, None)], ("z3", "cvc5")).outcome == "violated"
    assert check_claims("", "", [], ("z3",)).outcome == "unknown"
