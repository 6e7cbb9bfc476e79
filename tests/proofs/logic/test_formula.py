"""Formulas: each is there once, what constants decide is decided rightly, a text says its formula.

What is folded is built a second time by Z3's own calls, which fold nothing, and Z3 has to find no
difference (`Twice`).  What is printed is read by Z3 and by cvc5 and compared place by place
(`shapes.py`).

`formula_defects.toml` has defects of `formula.py`, each with the test here that goes red; so all
that is built here is built in a test, and by way of `formula`.
"""

from __future__ import annotations

import base64
import gc
import itertools
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from random import Random
from typing import Any
from weakref import ref

import pytest
import z3
from hypothesis import given, reject
from hypothesis import strategies as st

from holdover.proofs.logic import formula
from holdover.proofs.logic.formula import Domain, Formula, Function, Value
from tests.checkout import ROOT
from tests.proofs.logic.shapes import misread

WIDTH = 6
MEMBERS = ("red", "green", "blue")


def domain(of: str) -> Domain:
    """A domain by what is in it: truths, reals, wholes, words, colours, things."""
    return {
        "truth": formula.TRUTH,
        "real": formula.REAL,
        "whole": formula.WHOLE,
        "word": formula.words(WIDTH),
        "colour": formula.Domain("Colour", MEMBERS),
        "thing": formula.Domain("Thing"),
    }[of]


def symbol(name: str) -> Formula:
    """A symbol whose name tells its domain: real_1."""
    return formula.symbol(name, domain(name.split("_")[0]))


def variable(name: str) -> Formula:
    """A variable whose name tells its domain."""
    return formula.variable(name, domain(name.split("_")[0]))


def literal(of: str, value: object) -> Formula:
    """A value of a domain."""
    return formula.literal(domain(of), value)


FUNCTIONS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "grows": (("real",), "real"),
    "old": (("thing",), "truth"),
    "age": (("thing",), "real"),
    "coat": (("thing",), "colour"),
    "next": (("thing",), "thing"),
    "count": (("colour", "word"), "whole"),
    "mask": (("whole",), "word"),
}
"""Of which domains, and to which."""


def function(name: str) -> Function:
    """One of `FUNCTIONS`."""
    of, to = FUNCTIONS[name]
    return formula.Function(name, tuple(map(domain, of)), domain(to))


def every_kind(first: str = "real_1", second: str = "real_2") -> list[Formula]:
    """A formula of every operator and of every leaf, of two reals where it can be."""
    x, y, p, thing = symbol(first), symbol(second), symbol("truth_1"), variable("thing_v")
    return [
        *(literal("real", value) for value in (0, 1, Fraction(-1, 3))),
        *(literal(of, 1) for of in ("whole", "word")),
        literal("truth", True),
        literal("colour", "red"),
        *(symbol(f"{of}_1") for of in ("truth", "whole", "word", "colour", "thing")),
        x,
        p & (x < y),
        p | (x <= y),
        ~p,
        formula.ite(p, x, y),
        x == y,
        *(x + y, x - y, x * y, x / y),
        function("grows")(x),
        formula.forall([thing], (function("age")(thing) < x) | function("old")(thing)),
    ]


# Once --------------------------------------------------------------------------------------------


def test_two_that_are_written_alike_are_one() -> None:
    for one, other in zip(every_kind(), every_kind(), strict=True):
        assert one is other


def test_two_that_differ_in_anything_are_two() -> None:
    """In the operator, the order of arguments, the domain, or in what a leaf stands for."""
    x, y, p, v = symbol("real_1"), symbol("real_2"), symbol("truth_1"), variable("real_v")
    others = [
        *every_kind(),
        *(y, v, y + x, y - x, y * x, y / x, y < x, y <= x, y == x, x < y, x <= y),
        formula.literal(formula.words(WIDTH + 1), 1),
        formula.literal(formula.Domain("Paint", MEMBERS), "red"),
        literal("colour", "green"),
        formula.symbol("real_1", formula.WHOLE),
        formula.variable("real_1", formula.REAL),
        formula.variable("real_1", formula.WHOLE),
        (x < y) & p,
        formula.ite(p, y, x),
        formula.Function("grows", (formula.REAL,), formula.WHOLE)(x),
        formula.Function("shrinks", (formula.REAL,), formula.REAL)(x),
        formula.forall([v], x < v),
        formula.forall([variable("real_w")], x < variable("real_w")),
        formula.forall([v, variable("real_w")], x < v),
        formula.forall([variable("real_w"), v], x < v),
    ]
    assert len({id(term) for term in others}) == len(others)


def test_what_was_pickled_is_the_same_again() -> None:
    built = every_kind()
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        copies = pickle.loads(pickle.dumps(built, protocol))
        assert all(copy is term for copy, term in zip(copies, built, strict=True))


ELSEWHERE = """
import base64, pickle, sys
from holdover.proofs.logic import formula
from tests.proofs.logic.test_formula import every_kind
unrelated = [formula.symbol(f"unrelated_{n}", formula.REAL) for n in range(1000)]
built = every_kind()
print(base64.b64encode(pickle.dumps(built)).decode())
print(base64.b64encode(repr([formula.text_of(term) for term in built]).encode()).decode())
"""


def test_what_another_process_has_built_is_what_this_one_has() -> None:
    built = every_kind()
    command = [sys.executable, "-c", ELSEWHERE]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.split()
    pickled, printed = map(base64.b64decode, said)
    assert repr([formula.text_of(term) for term in built]).encode() == printed
    assert all(there is here for there, here in zip(pickle.loads(pickled), built, strict=True))


def test_what_was_pickled_can_be_built_upon_where_nothing_is_like_it() -> None:
    """As in the process to which it was sent."""
    told = [pickle.dumps(formula.symbol(f"sent_{of}", domain(of))) for of in ("truth", "real")]
    gc.collect()
    truth, number = map(pickle.loads, told)
    assert is_read(truth & (number + 1 < 2) & (number / 3 < 4))


def alive() -> set[int]:
    """The numbers of all formulas that somebody has, and -1 if more than these is kept."""
    gc.collect()
    kept = [seen() for seen in list(formula._formulas.values())]
    return {-1 if term is None else term.number for term in kept}


def test_what_nobody_has_is_gone_and_no_number_is_used_twice() -> None:
    before = alive()
    kept = symbol("real_kept") < 5

    def build() -> list[Formula]:
        sums = [symbol(f"real_{n}") + symbol("real_kept") for n in range(100)]
        return [kept & (number < n) & (number * 2 > n) for n, number in enumerate(sums)]

    built = build()
    texts = [formula.text_of(term) for term in built]
    numbers = {term.number for term in built}
    watched = [ref(term) for term in built]
    assert len(alive() - before) > 300
    del built
    assert alive() - before <= {kept.number, *(part.number for part in kept.args)}
    assert [seen() is None for seen in watched] == [True] * 100
    again = build()
    assert numbers.isdisjoint(term.number for term in again)
    assert [formula.text_of(term) for term in again] == texts


def test_a_part_is_there_as_long_as_the_whole() -> None:
    whole = symbol("real_part") + symbol("real_other") < 3
    number = whole.args[0].number
    gc.collect()
    assert (symbol("real_part") + symbol("real_other")).number == number


# Python ------------------------------------------------------------------------------------------


def test_python_decides_nothing() -> None:
    x, p = symbol("real_1"), symbol("truth_1")
    decisions: list[Callable[[], object]] = [
        lambda: bool(p),
        lambda: p and x,
        lambda: not p,
        lambda: x if formula.TRUE else p,
        lambda: 0 < x < 1,
        lambda: x in [symbol("real_2"), x],
        lambda: max(x, symbol("real_2")),
        lambda: sorted([x, symbol("real_2")]),
    ]
    for decide in decisions:
        with pytest.raises(TypeError, match="no truth value"):
            decide()


def test_a_set_has_each_formula_once_and_asks_for_no_truth() -> None:
    x, y = symbol("real_1"), symbol("real_2")
    assert len({x + y, x + y, y + x}) == 2
    assert x + y in {x, y, x + y}
    assert x - y not in {x, y, x + y}


def test_a_number_on_either_side_is_a_literal() -> None:
    x, n = symbol("real_1"), symbol("whole_1")
    for built, written in (
        (x + 2, x + literal("real", 2)),
        (x - 2, x - literal("real", 2)),
        (2 - x, literal("real", 2) - x),
        (x * 2, x * literal("real", 2)),
        (x / 2, x / literal("real", 2)),
        (x < Fraction(1, 3), x < literal("real", Fraction(1, 3))),
        (x <= 2, x <= literal("real", 2)),
        (x > 2, literal("real", 2) < x),
        (x >= 2, literal("real", 2) <= x),
        (n == 2, n == literal("whole", 2)),
        (n != 2, ~(n == literal("whole", 2))),
        (symbol("word_1") == -1, symbol("word_1") == literal("word", -1)),
        (symbol("colour_1") == "red", symbol("colour_1") == literal("colour", "red")),
        (symbol("truth_1") == True, symbol("truth_1")),  # noqa: E712
    ):
        assert built is written


def of_wrong_domains() -> Iterator[Callable[[], object]]:
    """What is no formula."""
    x, n, w, p = symbol("real_1"), symbol("whole_1"), symbol("word_1"), symbol("truth_1")
    c, t = symbol("colour_1"), symbol("thing_1")
    paint = formula.symbol("paint", formula.Domain("Paint", MEMBERS))
    wide = formula.symbol("wide", formula.words(WIDTH + 1))
    for left, right in itertools.permutations((x, n, w, p, c, t, paint, wide), 2):
        yield partial(formula.equal, left, right)
        yield partial(formula.ite, p, left, right)
        yield partial(formula.distinct, [left, right])
        for operate in ("__lt__", "__le__", "__gt__", "__ge__"):
            yield partial(getattr(left, operate), right)
        for operate in ("__add__", "__sub__", "__mul__", "__truediv__"):
            yield partial(getattr(left, operate), right)
    for one in (w, p, c, t):
        for operate in ("__lt__", "__le__", "__add__", "__sub__", "__mul__", "__truediv__"):
            yield partial(getattr(one, operate), one)
    yield lambda: n / n
    for one in (x, n, w, c, t):
        yield partial(formula.ite, one, x, x)
        for join in (formula.all_of, formula.any_of):
            yield partial(join, [one])
            yield partial(join, [p, one])
            yield partial(join, [one, p])
        yield partial(p.implies, one)
    grows, count = function("grows"), function("count")
    for args in ((), (n,), (p,), (x, x)):
        yield partial(grows, *args)
    yield partial(count, w, c)
    yield partial(count, c)
    for name in (x, x + 1, literal("real", 1)):
        yield partial(formula.forall, [name], x < 1)


def test_what_is_of_wrong_domains_is_a_type_error() -> None:
    for number, build in enumerate(of_wrong_domains()):
        try:
            found = build()
        except TypeError:
            continue
        raise AssertionError(f"{number}: {found}")


@pytest.mark.parametrize("of", ["real", "whole", "word", "colour", "thing"])
def test_only_truths_are_negated_and_said_of_everything(of: str) -> None:
    name = variable(f"{of}_v")
    with pytest.raises(TypeError):
        ~symbol(f"{of}_1")
    with pytest.raises(TypeError):
        formula.forall([name], name)


NO_VALUES: Mapping[str, tuple[object, ...]] = {
    "truth": (1, "true", None),
    "real": (True, "1", 0.5, None),
    "whole": (True, Fraction(1, 2), Fraction(2), 2.0),
    "word": (True, Fraction(2), "0"),
    "colour": ("yellow", 0, None),
    "thing": (0, "none", None),
}


def test_what_is_no_value_of_a_domain_is_a_type_error() -> None:
    for of, values in NO_VALUES.items():
        for value in values:
            with pytest.raises(TypeError, match="is no value of"):
                literal(of, value)
            with pytest.raises(TypeError, match="is no value of"):
                symbol(f"{of}_1").__eq__(value)


def test_words_are_as_wide_as_they_are() -> None:
    """Else one would wrap around, and be taken for another."""
    for width in (1, 2, WIDTH, 8, 64):
        words, most = formula.words(width), 1 << (width - 1)
        fitting = {formula.literal(words, value).of for value in (most - 1, -most, 0)}
        assert fitting == {most - 1, -most, 0}
        for value in (most, -most - 1, 4 * most):
            with pytest.raises(ValueError, match=f"{value} does not fit into {width} bits"):
                formula.literal(words, value)


# What is decided ---------------------------------------------------------------------------------


def joined() -> Iterator[tuple[Formula, Formula]]:
    """Conjunctions, disjunctions and negations, and what each is."""
    p, q, r = (symbol(f"truth_{number}") for number in range(3))
    true, false = formula.TRUE, formula.FALSE
    for one in (p, ~p, symbol("real_1") < symbol("real_2"), p & q, p | q, true, false):
        yield from ((one & true, one), (one & false, false), (one & one, one))
        yield from ((one | true, true), (one | false, one), (one | one, one))
        yield from ((true & one, one), (false & one, false), (true | one, true), (false | one, one))
        yield from ((~~one, one), (one == true, one), (one == false, ~one), (true == one, one))
        yield from ((true.implies(one), one), (false.implies(one), true))
        yield from ((one.implies(false), ~one), (one.implies(true), true))
        yield from ((formula.all_of([one]), one), (formula.any_of([one]), one))
        if one.op != "and":
            yield from ((one & ~one, false), (~one & one, false))
        if one.op != "or":
            yield from ((one | ~one, true), (~one | one, true), (one.implies(one), true))
    yield from ((~true, false), (~false, true), (true & false, false), (false | false, false))
    yield from ((formula.all_of(()), true), (formula.any_of(()), false))
    yield from (((p & q) & r, formula.all_of((p, q, r))), (p & (q & r), (p & q) & r))
    yield from (((p | q) | r, formula.any_of((p, q, r))), (p | (q | r), (p | q) | r))
    yield from (((p & q) & p, p & q), ((p | q) | p, p | q), ((p & q) & ~p, false))
    yield from ((formula.all_of((p, q, ~p)), false), (formula.any_of((~q, p, q)), true))
    yield from (
        (formula.all_of((p, p | q)), p & (p | q)),
        (formula.any_of((p, p & q)), p | (p & q)),
    )


def chosen() -> Iterator[tuple[Formula, Formula]]:
    """Choices and equations, and what each is."""
    p, x, w, c = (symbol(f"{of}_1") for of in ("truth", "real", "word", "colour"))
    q, y = symbol("truth_2"), symbol("real_2")
    true, false, ite = formula.TRUE, formula.FALSE, formula.ite
    real, whole, red = partial(literal, "real"), partial(literal, "whole"), literal("colour", "red")
    yield from ((ite(true, x, y), x), (ite(false, x, y), y))
    yield from ((ite(p, x, x), x), (ite(~p, x, y), ite(p, y, x)))
    yield from ((ite(p, true, q), p | q), (ite(p, false, q), ~p & q))
    yield from ((ite(p, q, true), ~p | q), (ite(p, q, false), p & q))
    yield from ((ite(p, true, false), p), (ite(p, false, true), ~p))
    for one in (x, c, p, w, x + y):
        yield from ((one == one, true), (one != one, false))
    yield from ((real(1) == 2, false), (real(1) == 1, true), (real(1) == x, x == 1))
    yield from ((red == "green", false), (red != "green", true), (red == c, c == "red"))
    for either, first, second, third in (
        (ite(p, real(1), real(2)), 1, 2, 3),
        (ite(p, whole(1), whole(2)), 1, 2, 3),
        (ite(p, literal("word", -1), literal("word", 2)), -1, 2, 3),
        (ite(p, red, literal("colour", "green")), *MEMBERS),
    ):
        yield from ((either == first, p), (either == second, ~p), (either == third, false))
        yield from ((either != first, ~p), (either != third, true))
    yield from ((ite(p, real(1), x) == 1, p | (x == 1)), (ite(p, real(1), x) == 2, ~p & (x == 2)))
    yield (ite(p, w, literal("word", 1)) == 1, ~p | (w == 1))
    yield (ite(p, ite(q, real(1), real(2)), real(3)) == 2, p & ~q)
    yield from ((formula.distinct(()), true), (formula.distinct([x]), true))
    yield from ((formula.distinct([x, y]), x != y), (formula.distinct([x, y, x]), false))
    yield (formula.distinct([x, real(1), y]), (x != 1) & (x != y) & (y != 1))
    yield (formula.distinct([whole(number) for number in range(9)]), true)


def counted() -> Iterator[tuple[Formula, Formula]]:
    """Sums, products and comparisons, and what each is; and what is said of every number."""
    true, false = formula.TRUE, formula.FALSE
    for of, one in (("real", symbol("real_1")), ("whole", symbol("whole_1"))):
        number = partial(literal, of)
        yield from ((one < one, false), (one <= one, true), (one > one, false), (one >= one, true))
        yield from ((one + 0, one), (number(0) + one, one), (one - 0, one), (one - one, number(0)))
        yield from ((one * 1, one), (number(1) * one, one))
        for left, right in itertools.product((-1, 0, 2), repeat=2):
            x, y = number(left), number(right)
            yield from ((x < y, literal("truth", left < right)), (x > y, y < x), (x >= y, y <= x))
            yield from ((x <= y, literal("truth", left <= right)), (x + y, number(left + right)))
            yield from ((x - y, number(left - right)), (x * y, number(left * right)))
            if of == "real" and right:
                yield (x / y, number(Fraction(left, right)))
    yield (symbol("real_1") / 1, symbol("real_1"))
    v, p = variable("real_v"), symbol("truth_1")
    yield from ((formula.forall([v], p), p), (formula.forall([], p), p))
    yield (formula.forall([v], v == v), true)


def decided() -> Iterator[tuple[Formula, Formula]]:
    """Formulas, and what each is."""
    return itertools.chain(joined(), chosen(), counted())


def test_what_constants_decide_is_decided() -> None:
    for built, is_ in decided():
        assert built is is_, f"{built} is not {is_}"


def test_what_is_open_stays_open() -> None:
    """A quotient by nothing is what a solver takes it for; the rest is not the same."""
    x, p = symbol("real_1"), symbol("truth_1")
    zero, one = literal("real", 0), literal("real", 1)
    v, w = variable("thing_v"), variable("thing_w")
    for term, op in (
        *((left / zero, "/") for left in (x, zero, one)),
        (zero - x, "-"),
        (one - x, "-"),
        (one / x, "/"),
        (x / x, "/"),
        (x < symbol("real_2"), "<"),
        (x == 1, "="),
        (symbol("colour_1") == symbol("colour_2"), "="),
        (p == symbol("truth_2"), "="),
        (formula.ite(p, x, symbol("real_2")) == 1, "="),
        (formula.ite(p, one, x) == x, "="),
        (formula.forall([v], function("old")(v)), "forall"),
        (formula.forall([v], function("old")(v) & formula.forall([w], v == w)), "forall"),
    ):
        assert (term.op, term.known) == (op, False)


def test_a_quantifiers_variable_is_open_in_its_body_and_not_outside() -> None:
    u, v = variable("thing_u"), variable("thing_v")
    body = (u == v) & function("old")(u)
    assert u.open == {"thing_u"}
    assert body.open == {"thing_u", "thing_v"}
    assert symbol("thing_u").open == literal("real", 1).open == frozenset()
    inner = formula.forall([v], body)
    assert inner.open == {"thing_u"}
    assert formula.forall([u], inner).open == frozenset()
    assert formula.forall([u, v], body).open == frozenset()
    assert formula.forall([v], inner) is inner
    assert (inner & body).open == {"thing_u", "thing_v"}


# Twice -------------------------------------------------------------------------------------------

PLAIN = z3.Context()
COLOUR, COLOURS = z3.EnumSort("Colour", MEMBERS, ctx=PLAIN)
SORTS: Mapping[str, Any] = {
    "truth": z3.BoolSort(PLAIN),
    "real": z3.RealSort(PLAIN),
    "whole": z3.IntSort(PLAIN),
    "word": z3.BitVecSort(WIDTH, PLAIN),
    "colour": COLOUR,
    "thing": z3.DeclareSort("Thing", PLAIN),
}
DECLARED: Mapping[str, Any] = {
    **{
        name: z3.Function(name, *(SORTS[each] for each in (*of, to)))
        for name, (of, to) in FUNCTIONS.items()
    },
    **{
        f"{of}_{number}": z3.Const(f"{of}_{number}", SORTS[of])
        for of in SORTS
        for number in (1, 2, 3)
    },
    **{f"{of}_is": z3.Const(f"{of}_is", SORTS[of]) for of in SORTS},
}
PAINTS: Mapping[str, Any] = dict(zip(MEMBERS, COLOURS, strict=True))


@dataclass(frozen=True)
class Twice:
    """A term of a domain, as `formula` builds it, and as Z3's own calls do.

    `opens` are the variables in it that it does not bind, and `binds` those that it does.
    """

    of: str
    ours: Formula
    plain: Any
    opens: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()


def symbol_twice(name: str) -> Twice:
    """A symbol."""
    return Twice(name.split("_")[0], symbol(name), DECLARED[name])


def variable_twice(name: str) -> Twice:
    """A variable."""
    of = name.split("_")[0]
    return Twice(of, variable(name), z3.Const(name, SORTS[of]), frozenset((name,)))


def plain_literal(of: str, value: Value) -> Any:
    """A value as Z3 has it."""
    if of == "truth":
        return z3.BoolVal(value, PLAIN)
    if of == "colour":
        return PAINTS[str(value)]
    make = {"real": z3.RealVal, "whole": z3.IntVal}.get(of) or partial(z3.BitVecVal, bv=WIDTH)
    return make(str(value) if of == "real" else value, ctx=PLAIN)


def literal_twice(of: str, value: Value) -> Twice:
    """A value."""
    return Twice(of, literal(of, value), plain_literal(of, value))


def forall_twice(bound: Sequence[Twice], body: Twice) -> Twice:
    """A quantifier."""
    names = frozenset().union(*(each.opens for each in bound))
    return Twice(
        "truth",
        formula.forall([each.ours for each in bound], body.ours),
        z3.ForAll([each.plain for each in bound], body.plain),
        body.opens - names,
        body.binds | names,
    )


@dataclass(frozen=True)
class Operation:
    """What `formula` has, and Z3's call that means the same."""

    name: str
    of: tuple[str, ...]
    to: str
    ours: Callable[..., Formula]
    plain: Callable[..., Any]

    def __call__(self, *args: Twice) -> Twice:
        return Twice(
            self.to,
            self.ours(*(arg.ours for arg in args)),
            self.plain(*(arg.plain for arg in args)),
            frozenset().union(*(arg.opens for arg in args)),
            frozenset().union(*(arg.binds for arg in args)),
        )


def operations() -> Iterator[Operation]:
    """All there are, for each domain that they take."""
    truths = ("truth", "truth", "truth")
    yield Operation("not", truths[:1], "truth", lambda x: ~x, z3.Not)
    yield Operation("and", truths[:2], "truth", lambda x, y: x & y, z3.And)
    yield Operation("or", truths[:2], "truth", lambda x, y: x | y, z3.Or)
    yield Operation("implies", truths[:2], "truth", lambda x, y: x.implies(y), z3.Implies)
    yield Operation("all_of", truths, "truth", lambda *args: formula.all_of(args), z3.And)
    yield Operation("any_of", truths, "truth", lambda *args: formula.any_of(args), z3.Or)
    for of in SORTS:
        yield Operation("=", (of, of), "truth", lambda x, y: x == y, lambda x, y: x == y)
        yield Operation("!=", (of, of), "truth", lambda x, y: x != y, lambda x, y: x != y)
        yield Operation("ite", ("truth", of, of), of, lambda *args: formula.ite(*args), z3.If)
        yield Operation(
            "distinct", (of, of, of), "truth", lambda *args: formula.distinct(args), z3.Distinct
        )
    for of in ("real", "whole"):
        yield Operation("<", (of, of), "truth", lambda x, y: x < y, lambda x, y: x < y)
        yield Operation("<=", (of, of), "truth", lambda x, y: x <= y, lambda x, y: x <= y)
        yield Operation(">", (of, of), "truth", lambda x, y: x > y, lambda x, y: x > y)
        yield Operation(">=", (of, of), "truth", lambda x, y: x >= y, lambda x, y: x >= y)
        yield Operation("+", (of, of), of, lambda x, y: x + y, lambda x, y: x + y)
        yield Operation("-", (of, of), of, lambda x, y: x - y, lambda x, y: x - y)
        yield Operation("1 -", (of,), of, lambda x: 1 - x, lambda x: 1 - x)
        yield Operation("*", (of, of), of, lambda x, y: x * y, lambda x, y: x * y)
    yield Operation("/", ("real", "real"), "real", lambda x, y: x / y, lambda x, y: x / y)
    for name, (takes, to) in FUNCTIONS.items():
        yield Operation(name, takes, to, lambda *args, f=name: function(f)(*args), DECLARED[name])


OPERATIONS = tuple(operations())

VALUES: Mapping[str, tuple[Value, ...]] = {
    "truth": (True, False),
    "real": (0, 1, -2, Fraction(1, 3)),
    "whole": (0, 1, -3),
    "word": (0, 1, -1, 31, -32),
    "colour": MEMBERS,
    "thing": (),
}


def read(terms: Sequence[Twice]) -> list[Any]:
    """What the texts of ours say to Z3, in the context of the others."""
    asserted = [f"(assert (= {each.of}_is {formula.text_of(each.ours)}))" for each in terms]
    sorts = {"Colour": SORTS["colour"], "Thing": SORTS["thing"]}
    try:
        equations = z3.parse_smt2_string("\n".join(asserted), sorts, DECLARED, PLAIN)
    except z3.Z3Exception as error:
        raise AssertionError(f"Z3 cannot read it: {error}") from error
    return [equation.arg(1) for equation in equations]


class UndecidedError(Exception):
    """Z3 has not come to an end."""


def differing(terms: Sequence[Twice], most: int = 20_000_000) -> list[str]:
    """Those that Z3 can tell from what they are to be, in a state that it finds.

    UndecidedError if it would have to spend more, in its own units.
    """
    found = [each.plain != said for each, said in zip(terms, read(terms), strict=True)]
    solver = z3.Solver(ctx=z3.Context())  # one in which nothing else was asked
    solver.set("rlimit", most)
    solver.add(z3.Or([*found, z3.BoolVal(False, PLAIN)]).translate(solver.ctx))
    answer = solver.check()
    if answer == z3.unknown:
        raise UndecidedError
    if answer == z3.unsat:
        return []
    model = solver.model().translate(PLAIN)
    return ["a state was found"] + [
        f"{each.plain} became {each.ours}"
        for each, differs in zip(terms, found, strict=True)
        if z3.is_true(model.eval(differs, True))
    ]


def leaves(of: str) -> list[Twice]:
    """Terms of a domain of which some rule speaks."""
    p, q = symbol_twice("truth_1"), symbol_twice("truth_2")
    found = [symbol_twice(f"{of}_1"), symbol_twice(f"{of}_2")]
    found += [literal_twice(of, value) for value in VALUES[of]]
    by = {operation.name: operation for operation in OPERATIONS if operation.to == of}
    if of == "truth":
        return [*found, by["not"](p), by["and"](p, q), by["or"](p, q), by["not"](by["and"](p, q))]
    one, *_, other = found
    return [*found, by["ite"](p, one, other), by["ite"](p, found[-1], found[len(found) // 2])]


@pytest.mark.kept("cases of obligations")
def test_every_operation_means_what_z3_means_by_it() -> None:
    """On all of `leaves`, one operation at a time."""
    known = {of: leaves(of) for of in SORTS}
    for operation in OPERATIONS:
        every = itertools.product(*(known[of] for of in operation.of))
        assert differing([operation(*args) for args in every]) == []


@pytest.mark.kept("cases of obligations")
def test_every_pair_of_operations_means_what_z3_means_by_it() -> None:
    """One on top of the other, and on a symbol and a value of its domain."""
    for upper in OPERATIONS:
        terms = []
        for lower in (each for each in OPERATIONS if each.to == upper.of[-1]):
            inner = [[*leaves(of)[:1], *leaves(of)[-1:]] for of in lower.of]
            outer = [[*leaves(of)[:1], *leaves(of)[-2:]] for of in upper.of[:-1]]
            for below in itertools.product(*inner):
                terms += [upper(*args, lower(*below)) for args in itertools.product(*outer)]
        assert differing(terms) == []


def test_every_quantifier_means_what_z3_means_by_it() -> None:
    equal = {operation.of[0]: operation for operation in OPERATIONS if operation.name == "="}
    join = {operation.name: operation for operation in OPERATIONS if operation.to == "truth"}
    p = symbol_twice("truth_1")
    terms = []
    for of in SORTS:
        u, v, one = variable_twice(f"{of}_u"), variable_twice(f"{of}_v"), symbol_twice(f"{of}_1")
        bodies = [p, equal[of](u, one), join["or"](p, equal[of](u, one)), equal[of](u, u)]
        terms += [forall_twice(bound, body) for bound in ([u], [u, v], [v, u]) for body in bodies]
        both = join["or"](equal[of](u, v), equal[of](v, one))
        terms += [forall_twice([u], forall_twice([v], both)), forall_twice([u, v], both)]
        terms.append(forall_twice([u], join["not"](forall_twice([v], join["not"](both)))))
    assert differing(terms) == []


# At random ---------------------------------------------------------------------------------------


FINITE = ("thing", "colour", "truth")
"""Domains of which Z3 tries the members that there are: what is said of all is mostly decided."""


@dataclass(frozen=True)
class Grower:
    """Draws terms; what it has drawn it may take again, where its variables are bound.

    Quantifiers are `over` these domains; without any a term is of operators only, and values decide
    it.  No quotient is by nothing.
    """

    chance: Random
    over: tuple[str, ...]
    made: list[Twice]

    def grow(self, of: str, depth: int, scope: tuple[Twice, ...] = ()) -> Twice:
        """A term in which these variables are bound."""
        names = frozenset().union(*(each.opens for each in scope))
        before = [each for each in self.made if each.of == of and each.opens <= names]
        before = [each for each in before if not each.binds & names]
        if before and self.chance.random() < 0.2:
            return self.chance.choice(before)
        grown = self._leaf(of, scope) if depth == 0 else self._compound(of, depth - 1, scope)
        self.made.append(grown)
        return grown

    def _leaf(self, of: str, scope: tuple[Twice, ...]) -> Twice:
        bound = [each for each in scope if each.of == of]
        if bound and self.chance.random() < 0.7:
            return self.chance.choice(bound)
        if VALUES[of] and self.chance.random() < 0.2:
            return literal_twice(of, self.chance.choice(VALUES[of]))
        return symbol_twice(f"{of}_{self.chance.choice((1, 2, 3))}")

    def _compound(self, of: str, depth: int, scope: tuple[Twice, ...]) -> Twice:
        fitting = [each for each in OPERATIONS if each.to == of]
        if not self.over:
            fitting = [
                each for each in fitting if not {each.name, *each.of} & {*FUNCTIONS, "thing"}
            ]
        elif of == "truth" and self.chance.random() < 0.3:
            return self._quantified(depth, scope)
        joining = [each for each in fitting if set(each.of) == {of}]
        join = joining and depth and self.chance.random() < 0.6
        chosen = self.chance.choice(joining if join else fitting)
        if chosen.name in ("*", "/"):  # by a number, that Z3 may decide it
            others = [literal_twice(of, value) for value in VALUES[of] if value]
            return chosen(self.grow(of, depth, scope), self.chance.choice(others))
        return chosen(*(self.grow(each, depth, scope) for each in chosen.of))

    def _quantified(self, depth: int, scope: tuple[Twice, ...]) -> Twice:
        """A quantifier, of one or two variables, which are named by how many are around it."""
        of = self.chance.choices(self.over, k=self.chance.choice((1, 2)))
        bound = [variable_twice(f"{each}_v{len(scope) + n}") for n, each in enumerate(of)]
        inside = (*scope, *bound)
        said = [self._about(each, depth, inside) for each in bound]
        join = self.chance.choice([each for each in OPERATIONS if each.of == ("truth",) * 2])
        return forall_twice(bound, reduce(join, said, self.grow("truth", depth, inside)))

    def _about(self, term: Twice, depth: int, scope: tuple[Twice, ...]) -> Twice:
        """A truth in which this term occurs."""
        fitting = [each for each in OPERATIONS if term.of in each.of and each.to != term.of]
        if self.chance.random() < 0.2:
            fitting = [each for each in OPERATIONS if each.to == term.of and term.of in each.of]
        chosen = self.chance.choice([each for each in fitting if each.name not in ("*", "/")])
        places = [place for place, of in enumerate(chosen.of) if of == term.of]
        mine = self.chance.choice(places)
        below = max(depth - 2, 0)
        args = [
            term if place == mine else self.grow(of, below, scope)
            for place, of in enumerate(chosen.of)
        ]
        made = chosen(*args)
        self.made.append(made)
        return made if made.of == "truth" else self._about(made, depth, scope)


@st.composite
def twice(draw: st.DrawFn, of: str = "truth", over: tuple[str, ...] = FINITE) -> Twice:
    """A term."""
    chance = draw(st.randoms(use_true_random=True))
    return Grower(chance, over, []).grow(of, draw(st.integers(1, 5)))


def differing_if_decided(term: Twice) -> list[str]:
    """The same of one term; of a few hundred with quantifiers one is not decided in a second."""
    try:
        return differing([term], 1_000_000)
    except UndecidedError:
        reject()


@given(twice())
def test_any_formula_means_what_z3_means_by_it(term: Twice) -> None:
    assert differing_if_decided(term) == []


SYMBOLS = {f"{of}_{number}": of for of in SORTS for number in (1, 2, 3) if of != "thing"}

ASSIGNED = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(VALUES[of]) for name, of in SYMBOLS.items()}
)
"""Values of some of the symbols."""


@given(
    st.sampled_from([of for of in SORTS if of != "thing"]).flatmap(partial(twice, over=())),
    ASSIGNED,
)
def test_values_come_to_what_z3_comes_to(term: Twice, values: Mapping[str, Value]) -> None:
    """What has none is 0, false or the first member."""
    usual: Mapping[str, Value] = {"truth": False, "colour": MEMBERS[0]}
    full = {name: values.get(name, usual.get(of, 0)) for name, of in SYMBOLS.items()}
    given_ = [(DECLARED[name], plain_literal(SYMBOLS[name], full[name])) for name in SYMBOLS]
    found = z3.simplify(z3.substitute(term.plain, *given_))
    valued = formula.with_values(term.ours, values)
    assert valued.known
    assert isinstance(valued.of, bool | int | Fraction | str)
    assert z3.is_true(z3.simplify(found == plain_literal(term.of, valued.of)))
    assert valued is formula.with_values(term.ours, full)


# Text --------------------------------------------------------------------------------------------


def text_of(*terms: Formula) -> str:
    """What a solver is to read."""
    asserted = [f"(assert {formula.text_of(term)})\n" for term in terms]
    return "".join(["(set-logic ALL)\n", formula.declarations(terms), *asserted])


def is_read(*terms: Formula) -> bool:
    """Whether both solvers read these very terms; what has a name occurs more than once."""
    for term in terms:
        text = formula.text_of(term)
        names = re.findall(r"\((\$\d+) ", text)
        assert len(set(names)) == len(names), f"a name is given twice: {text}"
        for name in names:
            assert len(re.findall(rf"\{name}\b", text)) > 2, f"{name} is not shared: {text}"
    return not misread(text_of(*terms), terms)


def values() -> Iterator[tuple[str, Value, str]]:
    """Values and their texts."""
    yield from (("truth", True, "true"), ("truth", False, "false"), ("colour", "green", "green"))
    yield from (("real", 3, "3.0"), ("real", 0, "0.0"), ("real", -3, "(- 3.0)"))
    yield from (("real", Fraction(1, 3), "(/ 1.0 3.0)"), ("real", 10**30, f"{10**30}.0"))
    yield ("real", Fraction(-22, 7), "(- (/ 22.0 7.0))")
    yield from (("whole", 3, "3"), ("whole", 0, "0"), ("whole", -3, "(- 3)"))
    yield from (("word", 0, "(_ bv0 6)"), ("word", 31, "(_ bv31 6)"))
    yield from (("word", -1, "(_ bv63 6)"), ("word", -32, "(_ bv32 6)"))


def test_a_value_is_written_as_the_standard_has_it() -> None:
    for of, value, text in values():
        assert formula.text_of(literal(of, value)) == text
        assert is_read(symbol(f"{of}_1") == literal(of, value), literal("truth", True))
    assert differing([literal_twice(of, value) for of, value, _ in values()]) == []


def test_every_kind_is_read_as_what_it_is() -> None:
    same = [term == formula.symbol(f"same_{n}", term.domain) for n, term in enumerate(every_kind())]
    assert is_read(*same)
    for term in same:
        assert is_read(term)


def doubled(times: int, of: Formula) -> Formula:
    """A term that is twice as large each time."""
    for _ in range(times):
        of = of + of
    return of < 1


def test_a_text_grows_as_what_is_different_in_it_does() -> None:
    few, more, most = (len(formula.text_of(doubled(n, symbol("real_1")))) for n in (50, 100, 200))
    assert more - few < 50 * 30
    assert most - more < 100 * 30
    assert is_read(doubled(200, symbol("real_1")))
    v = variable("real_v")
    assert is_read(formula.forall([v], doubled(100, v) | doubled(100, symbol("real_1"))))


def shared() -> Iterator[tuple[Formula, str]]:
    """What is shared in quantifiers and around them, and what stands where."""
    u, v, w = (variable(f"thing_{name}") for name in "uvw")
    p, one = symbol("truth_1"), symbol("thing_1")
    old, age, after = function("old"), function("age"), function("next")
    yield (
        formula.forall([u], formula.forall([v], (age(u) < age(v)) | (age(v) < age(u)))),
        "(forall ((thing_u Thing)) (let (($1 (age thing_u))) (forall ((thing_v Thing)) "
        "(let (($2 (age thing_v))) (or (< $1 $2) (< $2 $1))))))",
    )
    yield (
        formula.forall([u, v], (age(u) < age(v)) | (age(v) < age(u))),
        "(forall ((thing_u Thing) (thing_v Thing)) (let (($1 (age thing_u)) ($2 (age thing_v))) "
        "(or (< $1 $2) (< $2 $1))))",
    )
    yield (
        old(one) & formula.forall([u], old(one) | (u == one)),
        "(let (($1 (old thing_1))) "
        "(and $1 (forall ((thing_u Thing)) (or $1 (= thing_u thing_1)))))",
    )
    yield (
        formula.forall([u], (age(one) < age(u)) | (age(u) + 1 < age(one))),
        "(let (($1 (age thing_1))) (forall ((thing_u Thing)) (let (($2 (age thing_u))) "
        "(or (< $1 $2) (< (+ $2 1.0) $1)))))",
    )
    every = formula.forall([v], old(v))
    yield (
        (every & p) | ~every,
        "(let (($1 (forall ((thing_v Thing)) (old thing_v)))) (or (and $1 truth_1) (not $1)))",
    )
    yield (
        every | formula.forall([u], ~every | old(after(u))),
        "(let (($1 (forall ((thing_v Thing)) (old thing_v)))) (or $1 (forall ((thing_u Thing)) "
        "(or (not $1) (old (next thing_u))))))",
    )
    oldest = formula.forall([v], age(v) <= age(u))
    yield (
        formula.forall([u], formula.ite(oldest, p, ~p) | ~oldest),
        "(forall ((thing_u Thing)) (let (($1 (forall ((thing_v Thing)) (<= (age thing_v) "
        "(age thing_u))))) (or (ite $1 truth_1 (not truth_1)) (not $1))))",
    )
    yield (
        formula.forall([v], (age(v) < 1) | (age(v) > 2))
        & formula.forall([v], (age(v) < 3) | (age(v) > 4)),
        "(and (forall ((thing_v Thing)) (let (($1 (age thing_v))) (or (< $1 1.0) (< 2.0 $1)))) "
        "(forall ((thing_v Thing)) (let (($2 (age thing_v))) (or (< $2 3.0) (< 4.0 $2)))))",
    )
    deep = age(after(after(u))) + age(after(u))
    yield (
        formula.forall([u], (deep < 0) | formula.forall([w], old(w) | (deep + age(w) < age(w)))),
        "(forall ((thing_u Thing)) (let (($1 (next thing_u))) (let (($2 (+ (age (next $1)) "
        "(age $1)))) (or (< $2 0.0) (forall ((thing_w Thing)) (let (($3 (age thing_w))) "
        "(or (old thing_w) (< (+ $2 $3) $3))))))))",
    )


def test_what_is_shared_stands_once_where_its_variables_are_bound() -> None:
    for term, text in shared():
        assert formula.text_of(term) == text
        assert is_read(term)
    assert is_read(*(term for term, _ in shared()))


def test_a_text_is_made_once_and_is_that_of_its_formula_alone() -> None:
    x = symbol("real_1")
    part = (x + 1) * (x + 1)
    whole = (part < 0) | (part > 1)
    alone = formula.text_of(part)
    assert (
        formula.text_of(whole)
        == "(let (($1 (+ real_1 1.0))) (let (($2 (* $1 $1))) (or (< $2 0.0) (< 1.0 $2))))"
    )
    assert formula.text_of(part) is alone
    assert repr(part) == alone == "(let (($1 (+ real_1 1.0))) (* $1 $1))"


def test_a_text_that_says_something_else_is_misread() -> None:
    u, v, x, p = variable("thing_u"), variable("thing_v"), symbol("real_1"), symbol("truth_1")
    age, coat = function("age"), function("coat")
    number = formula.ite(p, literal("real", Fraction(-1, 3)), age(v) - x)
    said = formula.forall([u], (coat(u) == "red") | formula.forall([v], age(u) + number <= age(v)))
    other = (symbol("word_1") == 5) | (symbol("whole_1") < 7)
    text = text_of(said, other)
    assert misread(text, [said, other]) == []
    for old, new in (
        ("(<= ", "(< "),
        ("(+ (age thing_u)", "(- (age thing_u)"),
        ("(age thing_u)", "(age thing_v)"),
        ("(coat thing_u) red", "(coat thing_u) blue"),
        ("(forall ((thing_v Thing))", "(forall ((thing_w Thing) (thing_v Thing))"),
        ("(- (/ 1.0 3.0))", "(/ 1.0 3.0)"),
        ("(/ 1.0 3.0)", "(/ 3.0 1.0)"),
        (" real_1)", " real_2)"),
        ("(ite truth_1", "(ite (not truth_1)"),
        ("(_ bv5 6)", "(_ bv6 6)"),
        ("(= word_1 (_ bv5 6))", "(= (_ bv5 6) word_1)"),
        ("whole_1 7", "whole_1 8"),
        ("(declare-fun whole_1 () Int)", "(declare-fun whole_1 () Real)"),
        ("(assert (or (= word_1", "(assert (and (= word_1"),
        ("(assert (or (= word_1", "(assert true)\n(assert (or (= word_1"),
        ("(declare-fun word_1", "(declare-fun real_2 () Real)\n(declare-fun word_1"),
    ):
        tampered = text.replace(old, new, 1)
        assert tampered != text
        readers = [] if "real_2 () Real" in new else ["z3", "cvc5"]
        assert misread(tampered, [said, other]) == readers, new
    assert misread(text, [other, said]) == misread(text, [said]) == ["z3", "cvc5"]


@given(twice(over=tuple(SORTS)), twice(over=tuple(SORTS)))
def test_any_text_is_read_as_its_formula(one: Twice, other: Twice) -> None:
    assert is_read(one.ours, other.ours, one.ours & other.ours)


def test_no_variable_is_bound_within_its_own_quantifier() -> None:
    v, old = variable("thing_v"), function("old")
    inner = formula.forall([v], old(v) | (v == symbol("thing_1")))
    with pytest.raises(TypeError, match="bound within its own quantifier"):
        formula.text_of(formula.forall([v], old(v) & inner))


def test_no_symbol_is_captured_by_a_let() -> None:
    x = symbol("real_1")
    with pytest.raises(TypeError, match="is two things"):
        formula.declarations([x * x + x * x < formula.symbol("$1", formula.REAL)])


def test_no_symbol_is_captured_by_a_quantifier() -> None:
    v = variable("real_v")
    with pytest.raises(TypeError, match="is two things"):
        formula.declarations([formula.forall([v], v < symbol("real_v"))])


# Declarations ------------------------------------------------------------------------------------


def test_each_name_is_declared_once_sorts_first_in_the_order_of_names() -> None:
    u = variable("thing_u")
    terms = [
        function("count")(symbol("colour_2"), symbol("word_1")) < 3,
        symbol("colour_1") == "red",
        formula.forall([u], function("old")(u)),
        symbol("real_1") < function("grows")(symbol("real_1")),
        symbol("truth_1") | (symbol("whole_1") < 2),
        function("count")(symbol("colour_1"), literal("word", 1)) < 3,
    ]
    wanted = """\
(declare-datatypes ((Colour 0)) (((red) (green) (blue))))
(declare-sort Thing 0)
(declare-fun colour_1 () Colour)
(declare-fun colour_2 () Colour)
(declare-fun count (Colour (_ BitVec 6)) Int)
(declare-fun grows (Real) Real)
(declare-fun old (Thing) Bool)
(declare-fun real_1 () Real)
(declare-fun truth_1 () Bool)
(declare-fun whole_1 () Int)
(declare-fun word_1 () (_ BitVec 6))
"""
    for order in itertools.permutations(terms):
        assert formula.declarations(order) == wanted
    assert is_read(*terms)
    assert formula.declarations([]) == formula.declarations([formula.TRUE]) == ""


def test_what_occurs_only_in_a_quantifier_is_declared() -> None:
    u, paint = variable("thing_u"), formula.variable("c", formula.Domain("Paint", ("dry", "wet")))
    covers = formula.Function("covers", (paint.domain, u.domain), formula.REAL)
    domains = "(declare-datatypes ((Paint 0)) (((dry) (wet))))\n(declare-sort Thing 0)\n"
    term = formula.forall([u], formula.forall([paint], covers(paint, u) < 1))
    assert formula.declarations([term]) == f"{domains}(declare-fun covers (Paint Thing) Real)\n"
    assert is_read(term)
    of_one = formula.forall([u, paint], function("old")(u))
    assert formula.declarations([of_one]) == f"{domains}(declare-fun old (Thing) Bool)\n"
    assert is_read(of_one)


def two_things() -> Iterator[tuple[Formula, Formula]]:
    """Terms in which one name stands for two things."""
    x, n, t = symbol("real_1"), symbol("whole_1"), symbol("thing_1")
    yield (formula.symbol("it", formula.REAL) < 1, formula.symbol("it", formula.WHOLE) < 1)
    yield (formula.symbol("it", formula.REAL) < 1, formula.symbol("it", formula.TRUTH))
    real_to_real = formula.Function("it", (formula.REAL,), formula.REAL)(x) < 1
    yield (real_to_real, formula.symbol("it", formula.REAL) < 1)
    yield (real_to_real, formula.Function("it", (formula.WHOLE,), formula.REAL)(n) < 1)
    yield (real_to_real, formula.Function("it", (formula.REAL,), formula.WHOLE)(x) < 1)
    yield (
        real_to_real,
        formula.Function("it", (formula.REAL, formula.REAL), formula.REAL)(x, x) < 1,
    )
    yield (function("old")(t), formula.symbol("old", formula.TRUTH))


def test_one_name_for_two_things_is_a_type_error() -> None:
    for one, other in two_things():
        for terms in ([one, other], [other, one], [one & other], [one | ~other]):
            with pytest.raises(TypeError, match="is two things"):
                formula.declarations(terms)
        assert is_read(one)
        assert is_read(other)


@pytest.mark.parametrize(
    "other",
    [
        lambda: formula.symbol("c", formula.Domain("Colour", ("red",))) == "red",
        lambda: formula.symbol("c", formula.Domain("Paint", ("red", "wet"))) == "wet",
        lambda: formula.symbol("red", formula.REAL) < 1,
    ],
    ids=["a domain of the same name", "another domain's member", "a symbol"],
)
def test_one_name_for_two_things_among_values_is_a_type_error(other: Callable[[], Formula]) -> None:
    with pytest.raises(TypeError, match="is two things"):
        formula.declarations([symbol("colour_1") == "red", other()])


# Rebuilding --------------------------------------------------------------------------------------


def swapped(one: Formula) -> Formula | None:
    """Each of the first two reals for the other."""
    other = {symbol("real_1"): symbol("real_2"), symbol("real_2"): symbol("real_1")}
    return other.get(one)


def test_every_kind_is_rebuilt_as_what_it_is() -> None:
    exchanged = every_kind("real_2", "real_1")
    for term, other in zip(every_kind(), exchanged, strict=True):
        assert formula.replace(term, swapped) is other
        assert formula.replace(formula.replace(term, swapped), swapped) is term


def test_what_has_nothing_to_replace_is_the_same() -> None:
    for term in (*every_kind(), doubled(200, symbol("real_1")), *(term for term, _ in shared())):
        assert formula.replace(term, lambda one: None) is term


def test_each_part_is_replaced_once_leaves_first() -> None:
    x, y = symbol("real_1"), symbol("real_2")
    seen: list[Formula] = []

    def by(one: Formula) -> Formula | None:
        seen.append(one)
        return y if one is x else one - 1 if one is y + y else None

    assert formula.replace((x + x) * (x + x), by) is (y + y - 1) * (y + y - 1)
    assert len(seen) == 3
    assert seen[1] is y + y


def test_what_is_decided_by_what_is_replaced_is_decided() -> None:
    p, q, x = symbol("truth_1"), symbol("truth_2"), symbol("real_1")
    term = formula.ite(p, x, x + 1) < 3
    known = {p: formula.TRUE, x: literal("real", 1)}
    assert formula.replace(term, known.get) is formula.TRUE
    assert formula.replace((p & q) | (~p & (x < 2)), known.get) is q
    u = variable("thing_u")
    said = formula.forall([u], p | function("old")(u))
    assert formula.replace(said, known.get) is formula.TRUE
    assert formula.replace(said, {p: q}.get) is formula.forall([u], q | function("old")(u))


def test_a_function_is_replaced_by_what_it_is_of_its_arguments() -> None:
    x, u = symbol("real_1"), variable("thing_u")
    grows, old, after = function("grows"), function("old"), function("next")

    def by(one: Formula) -> Formula | None:
        if one.of == grows:
            return one.args[0] + one.args[0]
        return one.args[0] if one.of == after else None

    assert formula.replace(grows(grows(x)) < grows(x + 1), by) is (
        (x + x) + (x + x) < (x + 1) + (x + 1)
    )
    said = formula.forall([u], old(after(after(u))) | (after(u) == u))
    assert formula.replace(said, by) is formula.TRUE
    said = formula.forall([u], old(after(after(u))) & (grows(x) < 1))
    assert formula.replace(said, by) is formula.forall([u], old(u) & (x + x < 1))


def test_a_variable_is_replaced_from_outside_of_its_quantifier() -> None:
    u, one, old = variable("thing_u"), symbol("thing_1"), function("old")
    said = formula.forall([u], old(u) | (u == one))
    (body,) = said.args
    assert formula.replace(body, {u: one}.get) is formula.TRUE
    assert formula.replace(body, {u: function("next")(one)}.get) is (
        old(function("next")(one)) | (function("next")(one) == one)
    )


def test_values_are_those_that_are_given() -> None:
    """What has none is 0, false or the first member."""
    found = {of: formula.with_values(symbol(f"{of}_1"), {}) for of in SORTS if of != "thing"}
    usual = {of: literal(of, 0) for of in ("real", "whole", "word")}
    usual |= {"truth": formula.FALSE, "colour": literal("colour", "red")}
    assert all(found[of] is usual[of] for of in found)
    for of, value in (("real", Fraction(1, 3)), ("whole", -3), ("word", -1), ("colour", "blue")):
        assert formula.with_values(symbol(f"{of}_1"), {f"{of}_1": value}) is literal(of, value)
    x, y, p = symbol("real_1"), symbol("real_2"), symbol("truth_1")
    term = formula.ite(p, x - y, function("grows")(x))
    assert formula.with_values(term, {"truth_1": True, "real_1": 1}) is literal("real", 1)
    assert formula.with_values(term, {"real_1": 2}) is function("grows")(literal("real", 2))
    assert formula.with_values(p, {"truth_1": True}) is formula.TRUE
    with pytest.raises(TypeError, match="is no value of"):
        formula.with_values(x, {"real_1": True})


@given(twice())
def test_replacing_means_what_z3_means_by_it(term: Twice) -> None:
    by = {
        symbol("real_1"): symbol("real_2") + 1,
        symbol("truth_1"): symbol("real_1") < 0,
        symbol("colour_1"): literal("colour", "green"),
        symbol("thing_1"): function("next")(symbol("thing_2")),
    }
    known = DECLARED
    plain = z3.substitute(
        term.plain,
        (known["real_1"], known["real_2"] + 1),
        (known["truth_1"], known["real_1"] < 0),
        (known["colour_1"], PAINTS["green"]),
        (known["thing_1"], known["next"](known["thing_2"])),
    )
    assert formula.replace(term.ours, lambda one: None) is term.ours
    replaced = Twice(term.of, formula.replace(term.ours, by.get), plain)
    assert differing_if_decided(replaced) == []
