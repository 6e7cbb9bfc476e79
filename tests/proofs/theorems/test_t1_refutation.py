"""T1: the shortest collision of wfwg311, and that neither of its two finders is believed alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from types import SimpleNamespace

import pytest

from holdover.model.explorer.explore import Trace, explore
from holdover.model.explorer.length import length_in_search
from holdover.model.readings.finite import Label
from holdover.model.table.expr import DURATION, Expr, ite, lift
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.vocabulary import ONE, drift, h, phase
from holdover.proofs.logic import model_checking
from holdover.proofs.logic.concretise import replay
from holdover.proofs.logic.formula import REAL, literal
from holdover.proofs.logic.invariants import OWNED
from holdover.proofs.logic.model_checking import BoundedResult
from holdover.proofs.logic.unrolled import Timed, sizes_of
from holdover.proofs.result import Outcome
from holdover.proofs.theorems import t1_refutation
from holdover.proofs.theorems.t1_lemmas import LEMMAS
from holdover.proofs.theorems.t1_refutation import (
    NOTHING,
    Known,
    Unfolding,
    collision_within,
    instance,
    prove,
)
from holdover.proofs.theorems.t1_steps_left import IN_SECONDS, steps
from tests.checkout import IN_CI

MODEL = instance()


@pytest.fixture(scope="module")
def collision() -> Trace:
    return explore(MODEL, (EXCLUSIVE,), stop=True).violations["exclusive"]


def outcomes() -> dict[str, Outcome]:
    """Each of T1's checks and what it came to."""
    return {check.name: check.outcome for check in prove().checks}


def test_t1_holds(collision: Trace) -> None:
    """In CI Z3 has just searched, for `holdover verify`, before the tests began (`.ci/run`)."""
    checks = [t1_refutation.in_real_time(collision)] if IN_CI else [*prove().checks]
    assert {check.name: check.detail for check in checks if check.outcome != "holds"} == {}
    by_z3 = ["none shorter", "one of that length", "none shorter in seconds"]
    names = [check.name for check in checks]
    assert names == (["in seconds"] if IN_CI else ["explorer", "in seconds", *by_z3])
    found = t1_refutation.explore_collision(MODEL)
    assert found is not None
    assert length_in_search(found.labels) == length_in_search(collision.labels)
    assert length_in_search(found.labels) == "18 steps and 4 ticks"


def test_the_collision_is_the_articles(collision: Trace) -> None:
    """CAUSE: the server is silent, the notice waits, the address goes to another computer."""
    names = [label.action.name for label in collision.labels]
    assert names.index("mute") < names.index("lapse") < names.index("reuse")
    assert names.count("bind") == 2
    assert "acknowledge" not in names


def test_the_fixed_client_cannot_take_these_steps(collision: Trace) -> None:
    """Its address is gone at the lapse: the same steps lead nowhere two hosts hold it."""
    fixed = instance("wfwg311-fixed")
    again = replay(fixed, [fixed.labels[MODEL.labels.index(label)] for label in collision.labels])
    assert again is not None
    assert all(map(fixed.predicate(EXCLUSIVE.term), again.states))


# Replay ------------------------------------------------------------------------------------------


def test_replay_takes_the_steps_that_are_allowed(collision: Trace) -> None:
    again = replay(MODEL, collision.labels)
    assert again is not None
    assert again.states == collision.states
    assert replay(MODEL, ()) == Trace(MODEL, (), (MODEL.initial,))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda labels: labels[1:],
        lambda labels: labels[:-1] + labels[:1],
        lambda labels: [*labels[:3], labels[2], *labels[3:]],
        lambda labels: list(reversed(labels)),
    ],
    ids=["first left out", "last impossible", "one twice", "backwards"],
)
def test_replay_rejects_an_impossible_step(
    collision: Trace, spoil: Callable[[list[Label]], list[Label]]
) -> None:
    assert replay(MODEL, spoil(list(collision.labels))) is None


# Wrong claims ------------------------------------------------------------------------------------


def claim(monkeypatch: pytest.MonkeyPatch, labels: Sequence[Label]) -> None:
    """Have the explorer say that these are the steps of the shortest collision."""
    found = Trace(MODEL, tuple(labels), ())
    seen = SimpleNamespace(violations={"exclusive": found})
    monkeypatch.setattr(t1_refutation, "explore", lambda *given, **how: seen)


def answer(
    monkeypatch: pytest.MonkeyPatch, found: BoundedResult, in_seconds: str = "unsat"
) -> None:
    """Have bounded model checking say this, and the solver that of real time."""
    monkeypatch.setattr(model_checking, "check_depth", lambda *given, **how: found)
    monkeypatch.setattr(t1_refutation, "known_in_seconds", lambda model: NOTHING)
    monkeypatch.setattr(t1_refutation, "collision_within", lambda *given: (in_seconds, None))


@pytest.mark.kept("cases of theorems")
def test_a_depth_that_is_too_small_is_caught(
    monkeypatch: pytest.MonkeyPatch, collision: Trace
) -> None:
    claim(monkeypatch, collision.labels[:6])
    assert outcomes() == {
        "explorer": "holds",
        "in seconds": "violated",
        "none shorter": "holds",
        "one of that length": "violated",
        "none shorter in seconds": "holds",
    }


@pytest.mark.kept("cases of theorems")
def test_a_depth_that_is_too_great_is_caught(
    monkeypatch: pytest.MonkeyPatch, collision: Trace
) -> None:
    depth, run = len(collision), list(collision.labels)
    claim(monkeypatch, [*run[:7], *run[6:]])
    answer(monkeypatch, BoundedResult("violated", 0.0, depth, collision), "sat")
    assert outcomes() == {
        "explorer": "holds",
        "in seconds": "holds",
        "none shorter": "violated",
        "one of that length": "violated",
        "none shorter in seconds": "violated",
    }


@pytest.mark.kept("cases of theorems")
def test_a_row_more_is_a_collision_in_real_time(
    monkeypatch: pytest.MonkeyPatch, collision: Trace
) -> None:
    """So many rows collide in real time, and one fewer do not: the second is no accident."""
    rows = sum(label.action.name != "tick" for label in collision.labels)
    found: list[Sequence[Label] | None] = []

    def search(runs: Unfolding, *tactics: str) -> tuple[str, Sequence[Label] | None]:
        answer, run = collision_within(runs, *tactics)
        found.append(run)
        return answer, run

    monkeypatch.setattr(t1_refutation, "collision_within", search)
    assert t1_refutation.none_in_seconds(MODEL, rows).outcome == "holds"
    assert found == []
    assert t1_refutation.none_in_seconds(MODEL, rows + 1).outcome == "violated"
    (run,) = found
    assert run is not None
    assert [label.action.name for label in run].count("bind") == 2


def test_a_collision_that_is_none_in_seconds_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """In two ticks a lease T1 and T2 are one, and the shortest collision there rebinds at T1."""
    monkeypatch.setattr(t1_refutation, "TICK", Fraction(1800))
    found = t1_refutation.explore_collision(instance())
    assert found is not None
    assert "renew" not in [label.action.name for label in found.labels]
    assert t1_refutation.in_real_time(found).outcome == "violated"


@pytest.mark.kept("cases of theorems")
@pytest.mark.parametrize(("decided", "none"), [(-1, "holds"), (-2, "unknown")])
def test_unknown_is_neither(
    monkeypatch: pytest.MonkeyPatch, collision: Trace, decided: int, none: Outcome
) -> None:
    answer(monkeypatch, BoundedResult("unknown", 0.0, len(collision) + decided), "unknown")
    assert outcomes() == {
        "explorer": "holds",
        "in seconds": "holds",
        "none shorter": none,
        "one of that length": "unknown",
        "none shorter in seconds": "unknown",
    }


@pytest.mark.kept("cases of theorems")
def test_a_solver_that_finds_no_collision_refutes_one_of_that_length(
    monkeypatch: pytest.MonkeyPatch, collision: Trace
) -> None:
    answer(monkeypatch, BoundedResult("holds", 0.0, len(collision)))
    assert outcomes()["one of that length"] == "violated"


def test_an_explorer_that_finds_nothing_refutes_t1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t1_refutation, "explore", lambda *a, **k: SimpleNamespace(violations={}))
    assert outcomes() == {"explorer": "violated"}


# Machine words -----------------------------------------------------------------------------------


def test_a_number_that_does_not_fit_raises() -> None:
    """Else it would wrap around, and one host be taken for another."""
    timed = Timed(sizes_of(1, 1, 1), {"drift": 0}, {})
    most = 1 << (Timed.INDEX.width - 1)
    assert timed.index(timed.whole(most - 1)) == most - 1
    assert timed.index(timed.whole(-most)) == -most
    for number in (most, -most - 1):
        with pytest.raises(ValueError, match="does not fit"):
            timed.whole(number)


def test_clocks_are_exact_in_real_time() -> None:
    term = lift(4, DURATION) / (ONE - drift)
    sizes = sizes_of(1, 1, 1)
    assert Timed(sizes, {"drift": 0}, {}).read(term, {}) is literal(REAL, 4)
    with pytest.raises(ValueError, match="no drift"):
        Timed(sizes, {"drift": 1}, {}).read(term, {})


# Known in real time ------------------------------------------------------------------------------


def test_lemmas_and_bounds_are_proved_in_real_time_too() -> None:
    assert t1_refutation.known_in_seconds(MODEL) == Known(LEMMAS, 18)


def test_a_lemma_that_a_row_breaks_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In real time it is all or nothing."""
    monkeypatch.setattr(t1_refutation, "LEMMAS", (*LEMMAS, OWNED))
    assert t1_refutation.known_in_seconds(MODEL) == NOTHING


def test_a_lemma_that_is_false_at_the_start_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    never = Property("never", "", "", EXCLUSIVE.term & ~EXCLUSIVE.term)
    monkeypatch.setattr(t1_refutation, "LEMMAS", (never,))
    assert t1_refutation.known_in_seconds(MODEL) == NOTHING


@pytest.mark.parametrize(
    "wrong", [IN_SECONDS + steps(1), steps(18), IN_SECONDS + ite(phase[h] == "BOUND", 1, steps(0))]
)
def test_a_bound_that_is_too_high_is_not_told(monkeypatch: pytest.MonkeyPatch, wrong: Expr) -> None:
    """The lemmas are; and then the solver searches."""
    monkeypatch.setattr(t1_refutation, "IN_SECONDS", wrong)
    assert t1_refutation.known_in_seconds(MODEL) == Known(LEMMAS)


def test_without_a_bound_the_solver_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def search(runs: Unfolding, *tactics: str) -> tuple[str, Sequence[Label] | None]:
        asked.append(len(runs.choices))
        return collision_within(runs, *tactics)

    monkeypatch.setattr(t1_refutation, "collision_within", search)
    monkeypatch.setattr(t1_refutation, "IN_SECONDS", steps(18))
    assert t1_refutation.none_in_seconds(MODEL, 8).outcome == "holds"
    assert asked == [7]
