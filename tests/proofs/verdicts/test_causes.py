"""A collision is told by its causes: another cause, another text; without a cause, no collision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import STANDARD, Environment, Profile, builtin_names, load
from holdover.proofs.verdicts.by_bound import need_of_stated
from holdover.proofs.verdicts.causes import FACTS, Deployment, blame
from holdover.proofs.verdicts.judge import judge

FIVE = Fraction(5)

CLIENTS: Mapping[str, tuple[Mapping[str, object], tuple[str, ...]]] = {
    "late process": ({"late": FIVE}, ("late", "enforcer")),
    "late both": (
        {"enforcer": "KERNEL", "late": FIVE, "kernel_late": FIVE},
        ("late", "kernel_late"),
    ),
    "late kernel": (
        {"enforcer": "KERNEL", "trigger": "NEVER", "kernel_late": FIVE},
        ("kernel_late", "trigger"),
    ),
    "never": ({"trigger": "NEVER"}, ("trigger", "enforcer")),
    "from the ACK": ({"anchor": "ACK"}, ("anchor",)),
    "floor": ({"floor": Fraction(7200)}, ("floor",)),
    "notice": ({"trigger": "ACKNOWLEDGE", "dialog": True}, ("trigger", "enforcer")),
    "retries": ({"trigger": "RETRY", "retries_for": FIVE}, ("trigger", "enforcer")),
    "late, and a notice": (
        {"late": Fraction(1), "anchor": "ACK", "trigger": "ACKNOWLEDGE", "dialog": True},
        ("trigger", "enforcer"),
    ),
}
"""Facts, and which of them are the causes."""


def client(name: str) -> Profile:
    return Profile("mine", **CLIENTS[name][0])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CLIENTS)
def test_the_causes_are_these(name: str) -> None:
    found = blame(ClientKind(client(name)), STANDARD)
    assert tuple(cause.constant for cause in found.causes) == CLIENTS[name][1]


def test_no_two_of_them_are_told_alike() -> None:
    told = [judge(client(name)).reason for name in CLIENTS]
    assert all(": " in each for each in told)
    alike = {"notice", "late, and a notice"}  # one cause, one text
    assert len(set(told)) == len(CLIENTS) - len(alike) + 1


def test_the_run_is_one_by_the_cause() -> None:
    """A client that is late as well has a shorter run, before its notice: that one is not told."""
    actions = [event.action for event in judge(client("late, and a notice")).run]
    assert {"lapse", "notify"} <= set(actions)


WORLDS: Mapping[str, Environment] = {
    "standard": STANDARD,
    **{
        name: replace(STANDARD.and_faults(name), step=FIVE)
        for name in ("freezes", "crashes", "suspends", "steps", "forgets", "rival", "forges")
    },
    "drift": replace(STANDARD, drift=Fraction(1, 1000)),
}


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", builtin_names())
def test_without_any_one_of_the_causes_the_harm_is_gone(name: str, world: str) -> None:
    given = Deployment(ClientKind(load(name)), WORLDS[world])
    found, whole = blame(given.client, given.environment), given.need
    assert bool(found.causes) == (not whole.met)
    for fact in FACTS:
        if fact.constant in {cause.constant for cause in found.causes}:
            rest = fact.harmless(found.lesser).need
            assert rest.met or (whole.worst is None and rest.worst is not None), fact.constant


def test_what_a_user_asks_about_is_no_cause_where_the_client_does_harm_anyway() -> None:
    said = blame(ClientKind(load("udhcpc")), STANDARD.and_faults("freezes")).causes
    assert [cause.constant for cause in said] == ["trigger", "enforcer"]
    said = blame(ClientKind(load("rfc2131")), STANDARD.and_faults("freezes")).causes
    assert [cause.constant for cause in said] == ["freezes", "enforcer"]


def test_a_client_that_holds_has_no_causes() -> None:
    kind = ClientKind(load("rfc2131"))
    assert need_of_stated(kind, STANDARD).met
    assert blame(kind, STANDARD).causes == ()
