"""Terms as text: short, unambiguous, and true to the term."""

from fractions import Fraction

import pytest

from holdover.model.readings.definitions import DEFINITIONS, in_words
from holdover.model.readings.prose import Name, Prose, due, effects, number, text
from holdover.model.table.expr import (
    BOOL,
    DURATION,
    INSTANT,
    RATIO,
    TRUE,
    Effect,
    Expr,
    becomes,
    constant,
    everywhere,
    exists,
    following,
    forall,
    is_in,
    ite,
    lift,
    none,
)
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import (
    ADDRESS,
    a,
    client,
    current,
    delay,
    drift,
    full,
    g,
    h,
    holds,
    kind,
    lease_end,
    m,
    now,
    owner,
    phase,
    step,
)

p, q, r = (constant(name, BOOL) for name in "pqr")
x, y, z = (constant(name, DURATION) for name in "xyz")
ONE = lift(1, RATIO)


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (p & q | r, "p ∧ q ∨ r"),
        (p & (q | r), "p ∧ (q ∨ r)"),
        ((p & q) & r, "p ∧ q ∧ r"),
        (p & (q & r), "p ∧ q ∧ r"),
        (~(p & q), "¬(p ∧ q)"),
        (~(p | q), "¬p ∧ ¬q"),
        (~(p | q & r), "¬(p ∨ q ∧ r)"),
        (~~p, "p"),
        (~p | q, "p ⇒ q"),
        ((p & q).implies(r), "p ∧ q ⇒ r"),
        (p.implies(q.implies(r)), "p ⇒ (q ⇒ r)"),
        (~p.implies(q), "p ∧ ¬q"),
        (~p.implies(q) | r, "p ∧ ¬q ∨ r"),
        (x < y, "x < y"),
        (~(x < y), "x ≥ y"),
        (~(x <= y), "x > y"),
        (~(x >= y), "y > x"),
        (x == y, "x = y"),
        (x != y, "x ≠ y"),
        (now >= lease_end[h], "now ≥ lease_end[h]"),
        (now > lease_end[h], "now > lease_end[h]"),
        (x - (y - z), "x − (y − z)"),
        (x - y - z, "x − y − z"),
        (x + (y + z), "x + (y + z)"),
        ((x + y) * (ONE + drift), "(x + y) × (1 + drift)"),
        (x + y / (ONE - drift), "x + y / (1 − drift)"),
        (ite(p, x, y), "if p then x else y"),
        (ite(p, x, y) + z, "(if p then x else y) + z"),
        (ite(p, ite(q, x, y), z), "if p then (if q then x else y) else z"),
        (ite(p, x, ite(q, y, z)), "if p then x else if q then y else z"),
        (ite(TRUE, x, y), "x"),
    ],
)
def test_operators_with_fewest_parentheses(term: Expr, said: str) -> None:
    assert text(term) == said


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (is_in(phase[h], "BOUND"), "phase[h] = BOUND"),
        (is_in(phase[h], "BOUND", "RENEWING"), "phase[h] ∈ {BOUND, RENEWING}"),
        (~is_in(phase[h], "BOUND", "RENEWING"), "phase[h] ∉ {BOUND, RENEWING}"),
        (is_in(phase[h], "INIT", "BOUND") & p, "phase[h] ∈ {INIT, BOUND} ∧ p"),
        (is_in(phase[h], "INIT") | is_in(phase[g], "INIT"), "phase[h] = INIT ∨ phase[g] = INIT"),
        ((owner[a] == h) | (owner[a] == g), "owner[a] = h ∨ owner[a] = g"),
    ],
)
def test_chain_of_equalities_is_membership(term: Expr, said: str) -> None:
    assert text(term) == said


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (forall(h, phase[h] == "INIT"), "∀ h: phase[h] = INIT"),
        (forall(g, (g == h) | (phase[g] == "INIT")), "∀ g ≠ h: phase[g] = INIT"),
        (forall(m, (client[m] == h).implies(current[m])), "∀ m with client[m] = h: current[m]"),
        (exists(m, kind[m] == "FREE"), "∃ m: kind[m] = FREE"),
        (exists(g, (g != h) & (holds[g] == a)), "∃ g ≠ h: holds[g] = a"),
        (~exists(m, kind[m] == "FREE"), "∀ m: kind[m] ≠ FREE"),
        (~forall(m, kind[m] == "FREE"), "∃ m: kind[m] ≠ FREE"),
        (forall(m, kind[m] == "FREE") & p, "(∀ m: kind[m] = FREE) ∧ p"),
    ],
)
def test_quantifiers_name_their_range(term: Expr, said: str) -> None:
    assert text(term) == said


def test_leaves() -> None:
    assert text(none(ADDRESS)) == "none"
    assert text(none(INSTANT)) == "unset"
    assert text(holds[h]) == "holds[h]"
    assert text(following(owner[a])) == "owner[a]′"
    assert [number(v) for v in (True, 3, Fraction(5, 2), Fraction(1, 3), Fraction(4), "BOUND")] == [
        "true",
        "3",
        "2.5",
        "1/3",
        "4",
        "BOUND",
    ]


def test_effects() -> None:
    assert effects((becomes(phase[h], "INIT"), becomes(holds[h], none(ADDRESS)))) == [
        "phase[h] := INIT",
        "holds[h] := none",
    ]


def test_effects_everywhere_share_a_line() -> None:
    then = everywhere(m, client[m] == h, becomes(current[m], False), becomes(kind[m], "FREE"))
    assert effects(then) == ["for each m with client[m] = h: current[m] := false, kind[m] := FREE"]
    assert effects(everywhere(a, TRUE, becomes(owner[a], none(h.sort)))) == [
        "for each a: owner[a] := none"
    ]


def test_effect_that_is_overwritten_is_not_shown() -> None:
    then: tuple[Effect, ...] = (
        becomes(holds[h], none(ADDRESS)),
        becomes(phase[h], "INIT"),
        becomes(holds[h], a),
    )
    assert effects(then) == ["phase[h] := INIT", "holds[h] := a"]


def test_due() -> None:
    lapse, notify = LEASE_TABLE.action("lapse").due, LEASE_TABLE.action("notify").due
    assert lapse is not None
    assert notify is not None
    assert due(lapse, in_words()) == (
        "by lease_end[h] + late[h], while runs(h) ∧ leased(h) ∧ trigger[h] ≠ NEVER"
    )
    assert due(notify, in_words()) == "at once, while runs(h) ∧ notice[h] = DUE"


def test_name_is_recognised_by_shape() -> None:
    reader = Prose([Name("honoured(full)", ite(full < delay, delay, full))])
    assert text(ite(full < delay, delay, full) + step, reader) == "honoured(full) + step"
    assert text(ite(full <= delay, delay, full), reader) == "if full ≤ delay then delay else full"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda d: str(d.text))
def test_definition_says_more_than_its_name(definition: object) -> None:
    body, name = definition.body, definition.text  # type: ignore[attr-defined]
    assert body != name
    assert definition.meaning  # type: ignore[attr-defined]


def test_every_row_can_be_read() -> None:
    reader = in_words()
    for action in LEASE_TABLE.actions:
        assert all(text(guard, reader) for guard in action.when)
        assert effects(action.then, reader)
