"""Instances say no more than what they are instances of; and what a step takes is among them."""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Sequence
from functools import cache
from types import ModuleType

import pytest

from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.logic import few_members as instances
from holdover.proofs.logic import formula, solvers
from holdover.proofs.logic.few_members import among, at_symbols, at_witnesses, in_cases
from holdover.proofs.logic.formula import (
    FALSE,
    REAL,
    TRUTH,
    Domain,
    Formula,
    Function,
    forall,
    symbol,
    variable,
)
from holdover.proofs.logic.obligations import reasons
from holdover.proofs.logic.read_by_z3 import solve
from holdover.proofs.logic.solvers import SOLVERS, Ask, first_answers
from holdover.proofs.theorems.t2_safety import TOLERATED, case
from holdover.proofs.theorems.t3_grace import sufficient
from holdover.proofs.theorems.t6_displaced import cases as t6
from tests.proofs.logic.test_reasons import only, steps_of

THING, PLACE = Domain("Being"), Domain("Spot")
A, B = symbol("a", THING), symbol("b", THING)
X, Y, P = variable("x", THING), variable("y", THING), variable("p", PLACE)
R, Q = variable("r", REAL), variable("q", REAL)
NEXT, OF = Function("next", (THING,), THING), Function("of", (PLACE,), THING)
GOOD, LIKES = Function("good", (THING,), TRUTH), Function("likes", (THING, THING), TRUTH)
SIZE, LESS = Function("size", (THING,), REAL), Function("less", (REAL,), REAL)
WORD, NOBODY = Function("word", (THING,), THING), symbol("no_Being", THING)
TOLD, T, S = symbol("told", TRUTH), symbol("t", REAL), symbol("s", REAL)

GROWS = [forall([R, Q], (R <= Q).implies(LESS(R) <= LESS(Q)))]
ALL_GOOD, NONE_GOOD = forall([X], GOOD(X)), forall([X], ~GOOD(X))

WITH_A_MODEL: dict[str, list[Formula]] = {
    "two that are denied": [~ALL_GOOD, ~NONE_GOOD],
    "a condition": [formula.ite(ALL_GOOD, SIZE(A), SIZE(B)) == 1, GOOD(A), SIZE(A) == 2],
    "as true as a symbol": [formula.equal(TOLD, ALL_GOOD), ~TOLD, GOOD(A)],
    "and the other way": [formula.equal(TOLD, ALL_GOOD), TOLD, GOOD(A)],
    "on either side": [TOLD | ALL_GOOD, ~(ALL_GOOD & LIKES(A, A)), LIKES(A, A), GOOD(A)],
    "one for each": [forall([X], ~forall([Y], NEXT(X) != Y)), NEXT(A) != NEXT(B)],
    "one of two": [~(ALL_GOOD & TOLD), TOLD, GOOD(A)],
    "of two members at once": [~forall([X, Y], LIKES(X, Y)), LIKES(A, A), LIKES(B, B)],
    "of other sorts": [forall([P], GOOD(OF(P))), ~GOOD(A)],
    "who is another": [GOOD(A), ~forall([X], formula.ite(X == A, GOOD(A), GOOD(X) | TOLD))],
    "who is none of two": [A != B, ~forall([X], (X == A) | (X == B))],
    "what fails of two": [GOOD(A), ~(GOOD(A) & TOLD)],
    "what fails fails": [~GOOD(A), ~(GOOD(A) | TOLD)],
    "one of two fails": [GOOD(A) | TOLD, ~GOOD(A)],
    "one of three": [GOOD(A), GOOD(B) | ~TOLD, ~GOOD(B) | TOLD],
    "who is that one": [GOOD(A), ~forall([X], X != A)],
}


def said(told: instances.Told) -> list[Formula]:
    """All that is said there."""
    return [*told[0], told[1]]


MAKERS = ("at_witnesses", "at_symbols")


def results(module: ModuleType, terms: Sequence[Formula]) -> set[str]:
    """What Z3 says of the instances of these."""
    *premises, goal = terms
    return {solve(said(getattr(module, name)(premises, goal)))[0] for name in MAKERS}


@pytest.mark.parametrize("terms", WITH_A_MODEL.values(), ids=WITH_A_MODEL)
def test_what_has_a_model_has_one_at_some_members(terms: list[Formula]) -> None:
    assert solve(terms)[0] == "sat"
    assert results(instances, terms) == {"sat"}


# Of many ----------------------------------------------------------------------------------------


def some_formula(draw: random.Random, depth: int, bound: tuple[Formula, ...] = ()) -> Formula:
    """A truth value that speaks of things, of those that are bound around it among others."""

    def thing() -> Formula:
        one = draw.choice((A, B, *bound, *bound))
        return NEXT(one) if draw.random() < 0.2 else one

    def inner() -> Formula:
        return some_formula(draw, depth - 1, bound)

    kind = draw.choice(("forall", "forall", "not", "and", "or", "ite", "=") if depth else ("leaf",))
    if kind == "forall":
        new = variable(f"x{len(bound)}", THING)
        return forall([new], some_formula(draw, depth - 1, (*bound, new)))
    if kind == "not":
        return ~inner()
    if kind in ("and", "or"):
        return inner() & inner() if kind == "and" else inner() | inner()
    if kind in ("ite", "="):
        return formula.ite(inner(), inner(), inner()) if kind == "ite" else inner() == inner()
    return draw.choice((GOOD(thing()), LIKES(thing(), thing()), thing() == thing()))


@cache
def some_terms() -> list[list[Formula]]:
    """Many times some that have a model of two things, and speak of all."""
    draw, found = random.Random(75), list[list[Formula]]()
    while len(found) < MANY:
        terms = [some_formula(draw, 3) for _ in range(draw.choice((1, 2, 3)))]
        texts = [formula.text_of(term) for term in terms]
        fits = any("forall" in text for text in texts) and max(map(len, texts)) < LONG
        if fits and solve(among(2, terms))[0] == "sat":
            found.append(terms)
    return found


MANY, LONG = 80, 120


def test_of_many_that_have_a_model_none_is_refuted() -> None:
    assert [terms for terms in some_terms() if results(instances, terms) != {"sat"}] == []


DEFECTS = {
    "what is denied is asserted": ("None if side is None else not side", "side"),
    "what is neither is asserted": ('in ("and", "or") else None', 'in ("and", "or") else True'),
    "one witness for all": ("key = (term, name, *", "key = (name, *"),
    "one witness for all members around": (
        "key = (term, name, *(bound[each] for each in sorted(term.open)))",
        "key = (term, name)",
    ),
    "names that are used twice": ("{MARK}{sort}{len(self.witnesses)}", "{MARK}{sort}"),
    "no witness": ("if side is not True:", "if side is False:"),
    "read once for either side": ("key = (term, side, *", "key = (term, *"),
    "a case left out": ("((first, TRUE), (~first, FALSE))", "((first, TRUE),)"),
    "the other case left out": ("((first, TRUE), (~first, FALSE))", "((~first, FALSE),)"),
    "a case for the other": (
        "((first, TRUE), (~first, FALSE))",
        "((first, FALSE), (~first, TRUE))",
    ),
    "what premises say in part denied": ("all(map(is_false", "any(map(is_false"),
    "what premises say taken for denied": ("in true if part.op", "in false if part.op"),
    "all parts of what is denied": ('("and" if holds else "or")', '("or" if holds else "and")'),
    "what is said taken for denied": ("(true if holds else false)", "(false if holds else true)"),
    "decided once for all": ("_decided(asked, value)", "_decided(TRUE, TRUE)"),
    "read once for all members": ("(name, bound[name]) for name in sorted(term.open)", ""),
}
"""Defects that would prove what is not so, each a passage and what stands for it."""


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_that_says_more_is_noticed(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = DEFECTS[defect]
    source = inspect.getsource(instances)
    assert source.count(old) == 1
    broken = ModuleType("broken_instances")
    monkeypatch.setitem(sys.modules, broken.__name__, broken)
    exec(compile(source.replace(old, new), "instances.py", "exec"), broken.__dict__)

    def is_noticed(terms: list[Formula]) -> bool:
        try:
            return results(broken, terms) != {"sat"}
        except KeyError:
            return True

    assert any(map(is_noticed, (*WITH_A_MODEL.values(), *some_terms())))


# What follows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "by"),
    [
        ([ALL_GOOD, ~ALL_GOOD], {"at_witnesses", "at_symbols"}),
        ([ALL_GOOD, ~forall([Y], GOOD(Y) | TOLD)], {"at_witnesses", "at_symbols"}),
        ([ALL_GOOD, ~GOOD(A)], {"at_symbols"}),
        ([forall([R], LESS(R) < R), LESS(SIZE(A)) == SIZE(A)], {"at_symbols"}),
        ([formula.equal(TOLD, ALL_GOOD), TOLD, ~GOOD(A)], {"at_symbols"}),
        ([ALL_GOOD, ~GOOD(WORD(A))], {"at_symbols"}),
        ([*GROWS, forall([X], LESS(S) < SIZE(X)), T <= S, LESS(T) == SIZE(A)], {"at_symbols"}),
        ([ALL_GOOD, ~GOOD(NOBODY)], set()),
        ([forall([X], GOOD(NEXT(X))), forall([X], NEXT(NEXT(X)) == X), ~GOOD(A)], set()),
    ],
)
def test_what_follows_at_these_members_is_seen(terms: list[Formula], by: set[str]) -> None:
    """None is no member, and of the last one more is to be said than of any of these."""
    assert solve(terms)[0] == "unsat"
    *premises, goal = terms
    made = {name: getattr(instances, name)(premises, goal) for name in MAKERS}
    assert {name for name, told in made.items() if solve(said(told))[0] == "unsat"} == by


def test_no_quantifier_is_left() -> None:
    for each in steps_of(only(sufficient(), "bind", "commit", "tick")).values():
        for told in (at_witnesses, at_symbols):
            texts = map(formula.text_of, said(told(each.first, each.assertions[-1])))
            assert not any("forall" in text for text in texts)


def test_in_cases_a_goal_says_the_same_without_asking_who_the_witness_is() -> None:
    asked = 0
    for each in steps_of(only(sufficient(), "bind", "duplicate", "tick")).values():
        goal = instances._Instances(each.first, each.assertions[-1]).read(
            each.assertions[-1], {}, True
        )
        cases = in_cases(goal)
        assert solve([cases != goal])[0] == "unsat"
        asked += bool(instances._identities(goal))
        for one in cases.args if cases.op == "or" else (cases,):
            parts = one.args if one.op == "and" else (one,)
            left = [part for part in parts if instances._identities(part)]
            assert all(part.op == "=" or part.args[0].op == "=" for part in left)
    assert asked > 20


def test_of_a_case_that_denies_a_premise_nothing_is_asked() -> None:
    """Most steps change nothing of a member that is not the row's own: there it is as before."""
    assert at_witnesses([ALL_GOOD], ~forall([Y], GOOD(Y) | TOLD)) == ((), FALSE)
    other = ~forall([X], formula.ite(X == A, TOLD, GOOD(X)))
    _, goal = at_witnesses([ALL_GOOD], other)
    assert goal.op == "and"
    assert {~TOLD} < set(goal.args)
    every = steps_of(only(sufficient(), "tick", "lapse")).values()
    goals = [at_witnesses(each.first, each.assertions[-1])[1] for each in every]
    assert 0 < sum(goal is FALSE for goal in goals) < len(every)


def test_a_name_that_begins_as_a_witness_is_refused() -> None:
    """It might be the witness's, and something else be said of it."""
    marked = symbol("!Being0", THING)
    for told in (at_witnesses, at_symbols):
        for terms in ([GOOD(marked), ~ALL_GOOD], [~ALL_GOOD, forall([X], LIKES(X, marked))]):
            with pytest.raises(ValueError, match="no witness's"):
                told(terms[:-1], terms[-1])


def test_a_variable_that_is_bound_twice_is_refused() -> None:
    twice = forall([X], GOOD(X) | forall([X], LIKES(X, X)))
    with pytest.raises(ValueError, match="within its own quantifier"):
        at_symbols([GOOD(A)], ~twice)


def test_nothing_but_a_closed_term_of_the_domain_is_put_in() -> None:
    for wrong in (symbol("p", PLACE), Y):
        with pytest.raises(TypeError, match="no closed term of Being"):
            instances._with(GOOD(X), {"x": wrong})


# What a solver is asked ---------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_most_steps_are_proved_without_a_quantifier(
    solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are asked about as they are; what is refuted at some members may be proved."""
    asked = list[tuple[int, bool]]()

    def watched(
        ask: Ask, before: Sequence[Formula], rounds: Sequence[Sequence[Formula]], most: int
    ) -> list[str]:
        terms = [*before, *(term for each in rounds for term in each)]
        asked.append((len(rounds), any("forall" in formula.text_of(term) for term in terms)))
        return ask(before, rounds, most)

    monkeypatch.setattr(solvers, "asked_once", watched)
    refused = next(claim for claim, _ in t6() if claim.name == "T6-refused")
    every = [
        *steps_of(only(sufficient(), "lapse", "stop")).values(),
        steps_of(only(refused, "tick"))["tick", "asks_in_time"],
    ]
    assert len(first_answers(solver, every)) == len(every)
    later = [each for each in every if reasons().get((each.row, each.conjunct))]
    soon = [each for each in every if each not in later]
    assert later
    groups = len({each.conjunct for each in soon}) if solver == "cvc5" else 1
    first, others = asked[:groups], asked[groups:]
    assert len(soon) / 2 < sum(some for some, _ in first) < len(soon)  # some are one question
    assert not any(quantified for _, quantified in first)
    assert sum(few for few, _ in others) < len(later) + len(every) / 4
    assert others[-1] == (1, True)


def test_no_step_of_t3_is_asked_about_all_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """These rows take what a host holds, the server's word on an address, and a lease's limits."""

    def refuse(*_: object) -> None:
        raise AssertionError("a step is asked about all members")

    monkeypatch.setattr(solvers, "as_they_are", refuse)
    every = list(steps_of(only(sufficient(), "discover", "crash", "prolong")).values())
    assert len(first_answers("z3", every)) == len(every)


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_does_not_follow_is_not_proved_at_some_members(solver: str) -> None:
    """The step of the article, and what follows from nothing."""
    claim = only(case("wfwg311", TOLERATED["wfwg311"]), "lapse")
    broken = steps_of(claim)["lapse", "held_under_lease"]
    for told in (at_witnesses, at_symbols):
        premises, goal = told(broken.first, broken.assertions[-1])
        assert SOLVERS[solver](premises, [[goal]], 100_000) == ["sat"]
        assert SOLVERS[solver](premises, [[~FALSE]], 100_000) == ["sat"]


def test_no_table_has_such_a_name() -> None:
    names = [row.name for row in LEASE_TABLE.actions] + [v.name for v in LEASE_TABLE.variables]
    assert not any(name.startswith(instances.MARK) for name in names)
