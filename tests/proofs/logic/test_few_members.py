"""A model of few members is a model; and what is asked of few members is what was asked."""

from __future__ import annotations

import pytest

from holdover.proofs.logic import formula
from holdover.proofs.logic.few_members import among
from holdover.proofs.logic.formula import REAL, TRUE, Domain, Formula, Function, symbol, variable
from holdover.proofs.logic.obligations import Obligation
from holdover.proofs.logic.read_by_z3 import solve
from holdover.proofs.logic.solvers import by_cvc5, whether_fire

THING, COLOUR = Domain("Thing"), Domain("Colour", ("red", "blue"))
NOTHING = symbol("no_Thing", THING)
NEXT = Function("next", (THING,), THING)
SIZE = Function("size", (THING,), REAL)
LIKES = Function("likes", (THING, COLOUR), formula.TRUTH)
X, Y, N = variable("x", THING), variable("y", THING), variable("n", REAL)


def of_all(*bound: Formula, says: Formula) -> Formula:
    """It holds of things, which nothing is none of."""
    there = formula.all_of(each != NOTHING for each in bound if each.domain is THING)
    return formula.forall(bound, there.implies(says))


def members(*names: str) -> list[Formula]:
    """Things with these names, each another one, and none of them nothing."""
    things = [symbol(name, THING) for name in names]
    return [formula.distinct([NOTHING, *things])]


GROWS = of_all(X, says=(NEXT(X) != NOTHING) & (SIZE(X) < SIZE(NEXT(X))))
RETURNS = of_all(X, says=(NEXT(NEXT(X)) == X) & (NEXT(X) != X) & (NEXT(X) != NOTHING))
RED = formula.literal(COLOUR, "red")


def has_model(size: int, *terms: Formula) -> str:
    """What Z3 says of them among so many members."""
    return solve(among(size, terms))[0]


@pytest.mark.parametrize(
    ("terms", "sizes"),
    [
        (members("a"), {1, 2, 3}),
        (members("a", "b"), {2, 3}),
        (members("a", "b", "c"), {3}),
        ([GROWS, *members("a")], set()),
        ([RETURNS, *members("a")], {2}),
        ([of_all(X, Y, says=(SIZE(X) == SIZE(Y)) & (X == Y))], {1}),
        ([*members("a", "b"), of_all(X, says=LIKES(X, RED)), ~of_all(X, Y, says=X == Y)], {2, 3}),
        ([of_all(X, says=of_all(Y, says=X == Y)), ~of_all(X, says=SIZE(X) == 0)], {1}),
    ],
)
def test_there_is_a_model_where_there_is_one_of_this_size(
    terms: list[Formula], sizes: set[int]
) -> None:
    """Who grows, grows without end; of three, one returns to nobody."""
    assert {size for size in (1, 2, 3) if has_model(size, *terms) == "sat"} == sizes


def test_no_quantifier_over_members_is_left() -> None:
    """Nor a sort that a solver may make as large as it likes, which would be another model."""
    said = among(2, [GROWS, RETURNS, *members("a")])
    assert "forall" not in "".join(map(formula.text_of, said))
    assert "declare-sort" not in formula.declarations(said)


def test_a_quantifier_over_numbers_stays() -> None:
    (said,) = among(1, [of_all(X, N, says=(SIZE(X) < N) | (N <= 0))])
    assert formula.text_of(said) == ("(forall ((n Real)) (or (< (size Thing_1) n) (<= n 0.0)))")


def test_what_speaks_of_no_member_is_the_same() -> None:
    terms = [symbol("p", formula.TRUTH), symbol("t", REAL) <= 3, TRUE]
    assert all(new is old for new, old in zip(among(2, terms), terms, strict=True))


def asked(*terms: Formula) -> list[Obligation]:
    """Whether these have a model, and whether they do with one thing, two, and three."""
    goals = [TRUE, *(formula.all_of(members(*names)) for names in ("a", "ab", "abc"))]
    return [Obligation("few", str(n), "fires", (*terms, goal)) for n, goal in enumerate(goals)]


@pytest.mark.parametrize("terms", [(), (RETURNS,), (of_all(X, Y, says=X == Y),)])
def test_it_is_as_it_is_among_any_number(terms: tuple[Formula, ...]) -> None:
    """Three are more than are tried: that is left to the solvers."""
    rows = asked(*terms)
    assert [a.result for a in whether_fire(rows)] == [by_cvc5(one).result for one in rows]
