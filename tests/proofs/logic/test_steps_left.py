"""Bounds on the steps that are left: one that is too high is refused; a search keeps to them."""

from __future__ import annotations

from typing import Any

import pytest
import z3

from holdover.model.explorer.explore import explore
from holdover.model.table.expr import DURATION, Expr, lift
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.proofs.logic import model_checking
from holdover.proofs.logic.bitvectors import Symbolic
from holdover.proofs.logic.intervals import Term
from holdover.proofs.logic.model_checking import BoundedResult, check_depth, proved_lemmas
from holdover.proofs.logic.steps_left import Led, UndecidedError, proved_bounds
from holdover.proofs.logic.unrolled import choices
from holdover.proofs.theorems.t1_lemmas import LEMMAS
from holdover.proofs.theorems.t1_refutation import instance
from holdover.proofs.theorems.t1_steps_left import IN_TICKS, steps
from tests.proofs.logic.test_bitvectors import PINNED, PROPERTIES

MODEL = instance()
SHORTEST = 22

Place = tuple[int, ...]
"""Which operand of which operand it is."""


@pytest.fixture(scope="module")
def reading() -> Symbolic:
    return Symbolic(MODEL)


@pytest.fixture(scope="module")
def known(reading: Symbolic) -> tuple[Term, ...]:
    return proved_lemmas(reading, LEMMAS).terms


def proved(reading: Symbolic, left: Expr, known: tuple[Term, ...]) -> tuple[Term, ...]:
    """What is proved of a bound for T1's collision."""
    return proved_bounds(reading, reading.property(EXCLUSIVE)[0], left, known)


def numbers(term: Expr) -> list[Place]:
    """Where a term has a number."""
    if term.op == "literal" and term.sort is DURATION:
        return [()]
    return [
        (place, *rest)
        for place, arg in enumerate(term.args)
        if isinstance(arg, Expr)
        for rest in numbers(arg)
    ]


def one_more(term: Expr, place: Place) -> Expr:
    """The term with a number there that is greater by one."""
    if not place:
        number = term.args[0]
        assert isinstance(number, int)
        return lift(number + 1, DURATION)
    args = list(term.args)
    changed = args[place[0]]
    assert isinstance(changed, Expr)
    args[place[0]] = one_more(changed, place[1:])
    return Expr(term.op, tuple(args), term.sort)


# Proved ------------------------------------------------------------------------------------------


@pytest.mark.kept("cases of obligations")
def test_t1s_bounds_are_proved_and_say_how_long_the_shortest_run_is(
    reading: Symbolic, known: tuple[Term, ...]
) -> None:
    bounds = proved(reading, IN_TICKS, known)
    first = [z3.simplify(reading.initially(bound)).as_signed_long() for bound in bounds]
    assert first == [SHORTEST, SHORTEST]


@pytest.mark.kept("cases of obligations")
@pytest.mark.parametrize("number", range(0, len(numbers(IN_TICKS)), 4))
def test_a_number_that_is_too_high_is_refused(
    reading: Symbolic, known: tuple[Term, ...], number: int
) -> None:
    """None of T1's could be higher; a fourth of them is tried."""
    assert proved(reading, one_more(IN_TICKS, numbers(IN_TICKS)[number]), known) == ()


def test_without_the_lemmas_they_are_refused(reading: Symbolic) -> None:
    assert proved(reading, IN_TICKS, ()) == ()


def test_a_bound_that_does_not_go_down_before_the_end_is_refused(reading: Symbolic) -> None:
    """It never goes down at all, and so says that nobody collides."""
    assert proved(reading, steps(2), ()) == ()
    assert len(proved(reading, steps(1), ())) == 1


def test_no_state_is_closer_to_a_collision_than_its_bound() -> None:
    """Of all states that the explorer reaches, up to a collision."""
    seen = explore(MODEL)
    assert seen.complete
    number = {state: place for place, state in enumerate(seen.states)}
    apart = MODEL.predicate(EXCLUSIVE.term)
    before: dict[int, list[int]] = {}
    for place, state in enumerate(seen.states):
        for _, after in MODEL.successors(state) if apart(state) else ():
            before.setdefault(number[after], []).append(place)
    reached = [place for place, state in enumerate(seen.states) if not apart(state)]
    distance = dict.fromkeys(reached, 0)
    for place in reached:
        for earlier in before.get(place, ()):
            if earlier not in distance:
                distance[earlier] = distance[place] + 1
                reached.append(earlier)
    sources = [MODEL.source_of(IN_TICKS, g) for g in choices(IN_TICKS.free, MODEL.bounds.size)]
    bounds = MODEL.compiled(f"def bounds(s):\n    return {', '.join(sources)}\n", "bounds")
    slack = {place: d - min(bounds(seen.states[place])) for place, d in distance.items() if d}
    assert min(slack.values()) == 0
    assert slack[number[MODEL.initial]] == 0


# Looked for --------------------------------------------------------------------------------------


def found(left: Expr, depth: int = SHORTEST) -> BoundedResult:
    """What a search for T1's collision comes to with this bound."""
    return check_depth(MODEL, EXCLUSIVE, depth, lemmas=LEMMAS, left=left)


@pytest.mark.kept("cases of obligations")
def test_a_lower_bound_finds_a_run_that_is_as_long() -> None:
    """That there is none of one step less the search has to see for itself."""
    run = found(IN_TICKS - steps(1))
    assert (run.outcome, run.depth) == ("violated", SHORTEST)
    assert run.trace is not None
    assert len(run.trace) == SHORTEST


@pytest.mark.kept("cases of obligations")
@pytest.mark.parametrize("depth", [0, 6, SHORTEST - 1])
def test_where_more_is_left_nothing_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    monkeypatch.setattr(Led, "run", None)
    run = found(IN_TICKS, depth)
    assert (run.outcome, run.depth, run.trace) == ("holds", depth, None)


@pytest.mark.kept("cases of obligations")
@pytest.mark.parametrize("wrong", [steps(9), IN_TICKS + steps(1)])
def test_a_bound_that_is_refused_changes_nothing(wrong: Expr) -> None:
    """Nine steps are said to be left always, where a run of five breaks the property."""
    model, broken = PINNED["deaf to DHCPNAK"].instance(), PROPERTIES["obeys_nak"]
    run = check_depth(model, broken, 12, left=wrong)
    assert (run.outcome, run.depth) == ("violated", 10)


@pytest.mark.kept("cases of obligations")
def test_bounds_are_of_properties_of_states() -> None:
    model = PINNED["server forgets"].instance()
    run = check_depth(model, PROPERTIES["one_commitment"], 5, left=steps(0))
    assert (run.outcome, run.depth) == ("violated", 5)


def test_what_is_broken_at_the_start_has_no_steps_left() -> None:
    never = Property("never", "", "", EXCLUSIVE.term & ~EXCLUSIVE.term)
    assert check_depth(MODEL, never, 3, left=IN_TICKS).depth == 0


# Unknown -----------------------------------------------------------------------------------------


@pytest.mark.kept("cases of obligations")
@pytest.mark.parametrize("answers", [2, 3, 20])
def test_a_solver_that_gives_up_decides_no_more(
    monkeypatch: pytest.MonkeyPatch, answers: int
) -> None:
    """Two answers prove the lemmas and the bounds."""
    asked: list[Any] = []

    def tired(solver: Any, left: float, *assumed: Term) -> Any:
        asked.append(solver)
        return solver.check(*assumed) if len(asked) <= answers else z3.unknown

    monkeypatch.setattr(model_checking, "ask_solver", tired)
    run = found(IN_TICKS)
    assert (run.outcome, run.depth, run.trace) == ("unknown", SHORTEST - 1, None)
    assert len(asked) == answers + 1


def test_a_search_says_that_its_solver_gave_up(reading: Symbolic, known: tuple[Term, ...]) -> None:
    bounds = proved(reading, IN_TICKS, known)
    good, _ = reading.property(EXCLUSIVE)
    led = Led(reading, good, bounds, SHORTEST, z3.SolverFor("QF_BV"), lambda *asked: z3.unknown)
    with pytest.raises(UndecidedError):
        led.run(MODEL.initial, SHORTEST)
