"""Every conjunct of an invariant is needed, and what is claimed follows from the others.

`WITNESSES` names for each conjunct, and for each part of one that has several, an obligation that
fails without it: the case, the row, and the conjunct that the row then breaks.  "Fails" means that
a solver gives a state and a step.  Where the drift is open it can only be unable to prove, so T3 is
asked here for perfect clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache

import pytest

from holdover.model.clients.profile import FAULTS
from holdover.model.table.bound import server_keeps
from holdover.model.table.client import NO_ADDRESS
from holdover.model.table.expr import Expr, all_of, forall
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import h, holds
from holdover.proofs.logic.first_order import Logic
from holdover.proofs.logic.invariants import HEARING, LEASED, OWNED, PROBED
from holdover.proofs.logic.obligations import Case, Obligation, obligations, premises
from holdover.proofs.logic.solvers import Answer, by_cvc5, by_z3, decide
from holdover.proofs.theorems.t2_safety import TOLERATED, case, numbers
from holdover.proofs.theorems.t3_grace import EACH_BOUNDED, hearing, missing

CLAIMED = (EXCLUSIVE, OWNED)
"""What the invariant is for; the rest of it is the argument."""

ARGUMENT = tuple(p for p in LEASED if p not in CLAIMED)

UNSEEN = ("suspends", "intrudes", "loses_arp")
"""Faults by which a host has an address that no probe finds, or has found."""

PROBING = Case(
    "probing",
    "clients that probe",
    PROBED,
    {"probes": True, "drift": 0, "in_order": True, **{f: f not in UNSEEN for f in FAULTS}},
    numbers(),
)

Witness = tuple[str, str, str]

WITNESSES: Mapping[str, Witness] = {
    "held_under_lease": ("rfc2131", "resume", "leaves_in_time"),
    "held_as_leased": ("reference", "crash", "covered"),
    "leaves_in_time": ("rfc2131", "reuse", "owned"),
    "covered": ("rfc2131", "reuse", "owned"),
    "asked_before": ("rfc2131", "bind", "not_too_far"),
    "ack_covered": ("rfc2131", "bind", "covered"),
    "none_beside": ("rfc2131", "resume", "owned"),
    "asks_for_its_own": ("rfc2131", "refuse", "refused_late"),
    "refused_late": ("T3", "obey_nak", "held_under_lease"),
    "withheld_late": ("rfc2131", "refuse", "refused_late"),
    "granted": ("rfc2131", "bind", "not_too_far"),
    "not_too_far": ("T3", "prolong", "covered"),
    "answers_follow": ("rfc2131", "select", "ack_covered"),
    "given_up": ("rfc2131", "free", "covered"),
    "in_flight": ("T3", "bind", "covered"),
    "kernel_set": ("reference", "tick", "leaves_in_time"),
    "faults_only": ("T3", "use", "owned"),
}

PARTS: Mapping[tuple[str, int], Witness] = {
    ("held_as_leased", 1): ("reference", "crash", "covered"),
    ("covered", 0): ("rfc2131", "resume", "owned"),
    ("covered", 1): ("rfc2131", "reuse", "owned"),
    ("granted", 1): ("rfc2131", "bind", "not_too_far"),
    ("given_up", 0): ("rfc2131", "bind", "given_up"),
    ("given_up", 1): ("T3", "free", "owned"),
    ("given_up", 2): ("T3", "free", "ack_covered"),
    ("given_up", 3): ("T3", "withhold", "ack_covered"),
    ("in_flight", 0): ("T3", "prolong", "ack_covered"),
    ("in_flight", 1): ("T3", "bind", "covered"),
    ("faults_only", 0): ("T3", "resume", "leaves_in_time"),
    ("faults_only", 1): ("T3", "restart", "held_under_lease"),
    ("faults_only", 2): ("T3-heard", "miss", "ack_covered"),
    ("faults_only", 3): ("T3", "resume", "exclusive"),
    ("faults_only", 4): ("T3", "decline", "given_up"),
    ("faults_only", 5): ("T3", "keep_remainder", "owned"),
    ("faults_only", 6): ("T3", "use", "owned"),
}
"""The same for each part of a conjunct that says several things, counted from 0."""

SAID_ONLY = {("held_as_leased", 0), ("granted", 0)}
"""Parts that complete a sentence and are not needed: nothing is proved from them."""


@cache
def claim(name: str) -> Case:
    """A case of T2 or, for perfect clocks, of T3; or of probing."""
    if name in ("T3", "T3-heard"):
        enough = missing() if name == "T3" else hearing()
        return replace(enough, fixed={**enough.fixed, "drift": 0})
    return PROBING if name == "probing" else case(name, TOLERATED[name])


def asked_of(
    witness: Witness, invariant: tuple[Property, ...], by: Callable[[Obligation], Answer] = by_z3
) -> str:
    """What a solver says of the witness's obligation when this is the invariant."""
    name, row, broken = witness
    only = Table(LEASE_TABLE.variables, (LEASE_TABLE.action(row),))
    asked = replace(claim(name), invariant=invariant, table=only)
    (obligation,) = (o for o in obligations(asked) if (o.row, o.conjunct) == (row, broken))
    return by(obligation).result


# The conjuncts -----------------------------------------------------------------------------------


def test_every_conjunct_has_a_witness() -> None:
    assert [p.name for p in ARGUMENT] == list(WITNESSES)


def argued(witness: Witness) -> tuple[Property, ...]:
    """The argument of a witness's case."""
    return claim(witness[0]).invariant


HEARD = ("T3-heard", "prolong", "covered")


def test_who_hears_of_a_shorter_lease_has_one_more_conjunct() -> None:
    assert [p.name for p in HEARING] == [*(p.name for p in LEASED), "one_exchange"]


def test_without_one_exchange_or_the_word_to_come_hearing_is_not_enough() -> None:
    """What `HEARING` has beside `LEASED`: without either it is refuted where records move back.

    By cvc5: Z3 finds the first of the two states, or does not, as the order of its terms has it.
    """
    assert asked_of(HEARD, HEARING) == "proved"
    assert asked_of(HEARD, HEARING[:-1], by_cvc5) == "refuted"
    assert asked_of(HEARD, (*LEASED, HEARING[-1]), by_cvc5) == "refuted"


@pytest.mark.kept("cases of obligations")
@pytest.mark.parametrize("name", WITNESSES)
def test_without_a_conjunct_the_proof_fails(name: str) -> None:
    assert asked_of(WITNESSES[name], LEASED) == "proved"
    assert asked_of(WITNESSES[name], tuple(p for p in LEASED if p.name != name)) == "refuted"


def split(wanted: Property) -> Iterator[tuple[Property, Property]]:
    """Each part of a conjunct's conclusion, as a property of its own, with the rest."""
    names, body = [], wanted.term
    while body.op == "forall":
        name, body = inner(body)
        names.append(name)
    condition = None
    if body.op == "or" and inner(body)[0].op == "not":
        condition, body = inner(body)
    parts = conjuncts(body)

    def stated(kept: list[Expr]) -> Property:
        term = all_of(*kept) if condition is None else condition | all_of(*kept)
        for name in reversed(names):
            term = forall(name, term)
        return replace(wanted, term=term)

    for number, part in enumerate(parts):
        yield stated([part]), stated(parts[:number] + parts[number + 1 :])


def inner(term: Expr) -> tuple[Expr, Expr]:
    """The two arguments of a term."""
    left, right = term.args
    assert isinstance(left, Expr)
    assert isinstance(right, Expr)
    return left, right


def conjuncts(term: Expr) -> list[Expr]:
    """What a conjunction is made of."""
    return [t for side in inner(term) for t in conjuncts(side)] if term.op == "and" else [term]


SPLIT = {
    (p.name, number): (p, rest)
    for p in ARGUMENT
    for number, (_, rest) in enumerate(split(p))
    if len(list(split(p))) > 1
}


def test_every_part_has_a_witness() -> None:
    assert set(SPLIT) == set(PARTS) | SAID_ONLY


@pytest.mark.kept("cases of obligations")
@pytest.mark.parametrize(("name", "number"), PARTS, ids=lambda value: str(value))
def test_without_a_part_the_proof_fails(name: str, number: int) -> None:
    whole, rest = SPLIT[name, number]
    whole_argument = argued(PARTS[name, number])
    assert asked_of(PARTS[name, number], whole_argument) == "proved"
    shorter = tuple(rest if p.name == whole.name else p for p in whole_argument)
    assert asked_of(PARTS[name, number], shorter) == "refuted"


# What is claimed ---------------------------------------------------------------------------------


def test_the_claim_is_part_of_the_invariant() -> None:
    """RFC 2131 §1.6 is what all this is for: it is never argued away."""
    assert LEASED[: len(CLAIMED)] == CLAIMED
    assert PROBED[0] is EXCLUSIVE


@pytest.mark.parametrize("name", ["rfc2131", "reference", "T3"])
def test_what_is_claimed_follows_from_the_argument(name: str) -> None:
    """So no step of the induction leans on the claim itself."""
    case_ = replace(claim(name), invariant=ARGUMENT)
    logic = Logic(case_.fixed)
    for claimed in CLAIMED:
        assertions = (*premises(case_, logic), ~logic.read(claimed.term, {}))
        assert by_z3(Obligation(name, "follows", claimed.name, assertions)).result == "proved"


@pytest.mark.parametrize("name", ["leaves_in_time", "covered"])
def test_what_is_claimed_does_not_follow_from_less(name: str) -> None:
    less = replace(claim("rfc2131"), invariant=tuple(p for p in ARGUMENT if p.name != name))
    logic = Logic(less.fixed)
    assertions = (*premises(less, logic), ~logic.read(EXCLUSIVE.term, {}))
    assert by_z3(Obligation("", "follows", name, assertions)).result == "refuted"


# Probing -----------------------------------------------------------------------------------------


def test_probing_alone_is_exclusive_whatever_else_goes_wrong() -> None:
    """Every fault but these three happens, and the client is any that probes."""
    verdict = decide(PROBING)
    assert verdict.proved
    alone = {"resume", "wake_expired", "hear_conflict", "yield_address"}
    assert set(verdict.never_fire) <= alone


def test_without_a_conjunct_probing_proves_nothing() -> None:
    assert [p.name for p in PROBED] == ["exclusive", "awake"]
    assert asked_of(("probing", "resume", "exclusive"), PROBED) == "proved"
    assert asked_of(("probing", "resume", "exclusive"), PROBED[:1]) == "refuted"


@pytest.mark.parametrize(
    ("fault", "row"), [("intrudes", "intrude"), ("loses_arp", "use"), ("suspends", "resume")]
)
def test_probing_proves_nothing_of_what_no_probe_finds(fault: str, row: str) -> None:
    among = replace(PROBING, fixed={**PROBING.fixed, fault: True})
    refuted = {(a.obligation.row, a.obligation.conjunct) for a in decide(among).open}
    assert (row, "exclusive") in refuted


# The premises ------------------------------------------------------------------------------------


def test_the_invariant_has_a_model_in_which_addresses_are_held() -> None:
    """Else all this would be said of nothing."""
    for name in ("rfc2131", "reference", "T3"):
        logic = Logic(claim(name).fixed)
        held = ~logic.read(forall(h, holds[h] == NO_ADDRESS), {})
        lives = Obligation(name, "lives", "held", (*premises(claim(name), logic), held))
        assert by_z3(lives).result == "refuted"


@pytest.mark.parametrize("dropped", ["bounded", "server_keeps"])
def test_without_a_premise_of_the_bound_the_proof_fails(dropped: str) -> None:
    """T3's own conditions are needed as much as the conjuncts are."""
    enough = claim("T3")
    terms = {"bounded": EACH_BOUNDED, "server_keeps": server_keeps}
    assumed = tuple(t for t in enough.assumptions if t is not terms[dropped])
    opened = {k: v for k, v in enough.fixed.items() if dropped == "bounded" or v is not False}
    rows = {"bounded": ("freeze", "tick", "wake_expired", "lapse"), "server_keeps": ("forget",)}
    table = Table(LEASE_TABLE.variables, tuple(LEASE_TABLE.action(r) for r in rows[dropped]))
    asked = replace(enough, assumptions=assumed, fixed=opened, table=table)
    assert len(assumed) == len(enough.assumptions) - 1
    assert any(by_z3(o).result == "refuted" for o in obligations(asked))
