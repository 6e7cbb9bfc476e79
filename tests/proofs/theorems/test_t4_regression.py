"""T4: the fix changes one thing; a second change, planted, is seen."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial

import pytest

from holdover.model.clients.profile import Profile, load
from holdover.model.explorer import explore as explorer
from holdover.model.readings.finite import Instance, State
from holdover.model.table.expr import FALSE, Action
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import notice
from holdover.proofs.theorems import t4_regression
from holdover.proofs.theorems.t4_regression import (
    instance,
    notice_kept,
    projection,
    prove,
    quotient_of,
    same_behaviour,
)

SMALL = (1, 1, 1)


@pytest.mark.kept("cases of theorems")
def test_k7_the_fix_is_regression_tested() -> None:
    """Q151387 STATUS: "has not been regression tested and may be destabilizing"."""
    theorem = prove()
    assert [(check.name, check.outcome) for check in theorem.checks] == [
        ("1x1x1", "holds"),
        ("1x2x1", "holds"),
        ("2x1x1", "holds"),
        ("told", "holds"),
    ]
    assert theorem.outcome == "holds"


def test_only_the_address_and_the_ends_of_a_lapsed_lease_are_left_out() -> None:
    model = instance("wfwg311", (2, 1, 1))
    kept = dict(projection(model))
    names = [variable.name for variable, _ in model.slots]
    assert {names[place] for place in range(len(names)) if place not in kept} == {"holds"}
    conditional = {names[place] for place, condition in kept.items() if condition is not None}
    assert conditional == {"lease_end", "kernel_end", "stepped"}


def test_a_step_of_the_quotient_leads_where_the_step_of_the_model_leads() -> None:
    """Told without numbers: what is kept of a state, and of those that its edges lead to."""
    model = instance("wfwg311", SMALL)
    counts = [
        (place, model.compiled(f"def counts(s):\n    return {condition or True}\n", "counts"))
        for place, condition in projection(model)
    ]

    def kept(state: State) -> tuple[object, ...]:
        return tuple(state[place] if so(state) else None for place, so in counts)

    seen = explorer.explore(model, keep_steps=True)
    numbers: dict[Hashable, int] = {}
    found = quotient_of(seen, numbers)
    assert found is not None
    steps = {
        (numbers[kept(s)], str(model.labels[edge]), numbers[kept(to)])
        for s in seen.states
        for edge, to in model.successors(s)
    }
    assert {(here, *step) for here, those in found.items() for step in those} == steps


# Planted differences -----------------------------------------------------------------------------


def another(change: Callable[[Profile], Profile]) -> Callable[[str], Profile]:
    """The profiles, but the fixed client is changed in one more respect."""
    return lambda name: change(load(name)) if name == "wfwg311-fixed" else load(name)


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize(
    ("changes", "sizes"),
    [
        ({"checks_xid": False}, (1, 1, 2)),
        ({"anchor": "ACK"}, SMALL),
        ({"dialog": False}, SMALL),
        ({"releases": True}, SMALL),
        ({"floor": load("rfc2131").floor + 5400}, SMALL),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_another_difference_of_the_fixed_client_is_seen(
    changes: dict[str, object], sizes: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        t4_regression, "ENVIRONMENT", replace(t4_regression.ENVIRONMENT, delay=DELAY)
    )
    assert same_behaviour(sizes).outcome == "holds"
    changed = another(lambda profile: replace(profile, **changes))  # type: ignore[arg-type]
    monkeypatch.setattr(t4_regression, "load", changed)
    assert same_behaviour(sizes).outcome == "violated"


DELAY = t4_regression.TICK
"""Replies take up to a tick here: else nothing tells an anchor, and no stale reply is about."""


def without_notice(row: Action) -> Action:
    """A lapse that nobody is told of."""
    return replace(row, then=tuple(e for e in row.then if e.variable is not notice))


def planted(
    plant: Callable[[Action], Action],
    row: str,
    profile: str,
    sizes: tuple[int, int, int],
    those: tuple[str, ...] = ("wfwg311-fixed",),
) -> Instance:
    """T4's configuration; the tables of those clients have another row."""
    model = instance(profile, sizes)
    if profile not in those:
        return model
    actions = tuple(plant(a) if a.name == row else a for a in LEASE_TABLE.actions)
    return Instance(Table(LEASE_TABLE.variables, actions), model.constants, model.bounds)


def test_a_fix_that_loses_the_notice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releasing before the dialog must not mean releasing without it."""
    monkeypatch.setattr(t4_regression, "instance", partial(planted, without_notice, "lapse"))
    assert same_behaviour(SMALL).outcome == "violated"
    assert notice_kept(SMALL).outcome == "violated"


def test_time_that_passes_before_the_notice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def patient(row: Action) -> Action:
        return replace(row, when=row.when[:1])

    monkeypatch.setattr(t4_regression, "instance", partial(planted, patient, "tick"))
    assert notice_kept(SMALL).outcome == "violated"


@pytest.mark.parametrize("row", ["renew", "rebind", "acknowledge", "prolong"])
def test_a_fix_that_never_does_something_is_caught(
    row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clients that both never renew are alike: that is not what is to be shown."""

    def never(each: Action) -> Action:
        return replace(each, when=(*each.when, FALSE))

    for profiles in (("wfwg311-fixed",), ("wfwg311", "wfwg311-fixed")):
        monkeypatch.setattr(t4_regression, "instance", partial(planted, never, row, those=profiles))
        check = same_behaviour(SMALL)
        assert check.outcome == "violated"
        assert check.detail.startswith("never fire: ")
        assert row in check.detail


def test_a_notice_that_is_taken_back_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def silences(row: Action) -> Action:
        lost = next(e for e in LEASE_TABLE.action("acknowledge").then if e.variable is notice)
        return replace(row, then=(*row.then, lost))

    monkeypatch.setattr(t4_regression, "instance", partial(planted, silences, "discover"))
    assert notice_kept(SMALL).outcome == "violated"


def test_states_that_the_projection_should_not_join_are_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Leave out what the client acts upon, and one view has two behaviours."""
    monkeypatch.setattr(t4_regression, "ERASED", ("holds", "notice"))
    check = same_behaviour(SMALL)
    assert check.outcome == "violated"
    assert check.detail == "states of equal projection differ"


# Unknown -----------------------------------------------------------------------------------------


def test_a_search_that_is_cut_off_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = 100 * explorer.bytes_per_state(instance("wfwg311", SMALL))
    cut_off = partial(explorer.explore, memory=memory)
    monkeypatch.setattr(t4_regression, "explore", cut_off)
    assert same_behaviour(SMALL).outcome == "unknown"
    assert notice_kept(SMALL).outcome == "unknown"


def test_no_lapse_tells_nothing_of_the_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(row: Action) -> Action:
        return replace(row, when=(*row.when, ~row.when[0]))

    monkeypatch.setattr(t4_regression, "instance", partial(planted, never, "lapse"))
    assert notice_kept(SMALL).outcome == "unknown"
