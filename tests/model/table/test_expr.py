"""The expression language: what it refuses to build, and how readings see what it does build."""

from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest

from holdover.model.table.expr import (
    BOOL,
    DURATION,
    FALSE,
    INSTANT,
    RATIO,
    TRUE,
    Action,
    Bindings,
    Expr,
    Reading,
    Sort,
    Variable,
    all_of,
    any_of,
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
    parameter,
)

HOST = Sort("Host", indexes=True)
ADDRESS = Sort("Address", indexes=True)
PHASE = Sort("Phase", ("INIT", "BOUND"))

phase = Variable("phase", PHASE, HOST, "INIT", "the state of the client", "Figure 5")
holds = Variable("holds", ADDRESS, HOST, "none", "the address configured", "§1.6")
lease_end = Variable("lease_end", INSTANT, HOST, "unset", "the end of the lease", "§4.4.1")
now = Variable("now", INSTANT, None, "0", "true time", "§3.3")()
h = parameter("h", HOST)
g = parameter("g", HOST)
a = parameter("a", ADDRESS)
lease = constant("lease", DURATION)
drift = constant("drift", RATIO)

bound = phase[h] == "BOUND"
lapsed = now >= lease_end[h]


# Truth -------------------------------------------------------------------------------------------

BY_MISTAKE: dict[str, Callable[[], object]] = {
    "and": lambda: bound and lapsed,
    "or": lambda: bound or lapsed,
    "not": lambda: not bound,
    "if": lambda: 1 if bound else 2,
    "in": lambda: phase[h] in ["INIT", "BOUND"],
    "max": lambda: max(now, lease_end[h]),
    "min": lambda: min(now, lease_end[h]),
    "sorted": lambda: sorted([lease_end[h], now]),
    "chained comparison": lambda: now <= lease_end[h] <= now + lease,
    "all": lambda: all([bound, lapsed]),
    "any": lambda: any([bound, lapsed]),
    "bool": lambda: bool(bound),
    "while": lambda: next(1 for _ in [1] if lapsed),
}


@pytest.mark.parametrize("mistake", BY_MISTAKE)
def test_a_term_has_no_truth_value(mistake: str) -> None:
    with pytest.raises(TypeError, match=r"write & \| ~ and is_in"):
        BY_MISTAKE[mistake]()


def test_a_row_with_a_planted_and_is_not_built() -> None:
    """With truth values the guard would be `now >= x` alone, and its bug "proved" absent."""
    with pytest.raises(TypeError, match="a term has no truth value"):
        Action(
            "lapse",
            "RFC 2131 §4.4.5",
            "the lease of {h} lapses",
            (h,),
            when=(phase[h] == "BOUND" and now >= lease_end[h],),
            then=(becomes(phase[h], "INIT"),),
        )


def test_the_same_row_with_an_ampersand_is_built() -> None:
    row = Action(
        "lapse",
        "RFC 2131 §4.4.5",
        "the lease of {h} lapses",
        (h,),
        when=((phase[h] == "BOUND") & (now >= lease_end[h]),),
        then=(becomes(phase[h], "INIT"),),
    )
    assert row.when[0].op == "and"
    assert [part.op for part in operands(row.when[0])] == ["eq", "le"]


def operands(term: Expr) -> list[Expr]:
    return [part for part in term.args if isinstance(part, Expr)]


# Sorts -------------------------------------------------------------------------------------------

ILL_SORTED: dict[str, tuple[Callable[[], object], str]] = {
    "instant literal": (lambda: now >= 5, "5 is no literal of sort Instant"),
    "instant made of a number": (lambda: lift(0, INSTANT), "0 is no literal of sort Instant"),
    "no such name": (lambda: phase[h] == "BUOND", "'BUOND' is no literal of sort Phase"),
    "None for none": (lambda: holds[h] == None, "None is no literal"),  # noqa: E711
    "number as truth": (lambda: lift(1, BOOL), "1 is no literal of sort Bool"),
    "truth as number": (lambda: lease < lift("x", DURATION), "'x' is no literal of sort Duration"),
    "host with address": (lambda: holds[h] == h, "cannot compare Address with Host"),
    "instant with duration": (lambda: now < lease, "cannot compare Instant with Duration"),
    "order of names": (lambda: phase[h] < phase[g], "Phase has no order"),
    "order of hosts": (lambda: h <= g, "Host has no order"),
    "order of truths": (lambda: bound > lapsed, "Bool has no order"),
    "sum of instants": (lambda: now + lease_end[h], "cannot add Instant and Instant"),
    "duration and instant": (lambda: lease + now, "cannot add Duration and Instant"),
    "duration less instant": (lambda: lease - now, "cannot sub Duration and Instant"),
    "product of durations": (lambda: lease * lease, "cannot mul Duration and Duration"),
    "instant scaled": (lambda: now * drift, "cannot mul Instant and Ratio"),
    "ratio over duration": (lambda: drift / lease, "cannot div Ratio and Duration"),
    "and with a name": (lambda: bound & phase[h], "and takes truth values"),
    "and with a Python truth": (lambda: bound & True, "and takes truth values"),  # type: ignore[operator]
    "or with an instant": (lambda: bound | now, "or takes truth values"),
    "not of a duration": (lambda: ~lease, "not takes truth values"),
    "implies an address": (lambda: bound.implies(holds[h]), "or takes truth values"),
    "wrong index": (lambda: holds[a], "holds is indexed by Host, not by Address"),
    "needless index": (lambda: phase(), "phase needs an index of sort Host"),
    "branches of two sorts": (lambda: ite(bound, now, lease), "ite\\(Bool, Instant, Duration"),
    "condition no truth": (lambda: ite(lease, now, now), "ite\\(Duration, Instant, Instant"),
    "none of a name": (lambda: none(PHASE), "Phase has no none"),
    "none of a truth": (lambda: none(BOOL), "Bool has no none"),
    "quantifier over time": (lambda: forall(now, bound), "forall\\(parameter of an index sort"),
    "quantifier over a constant": (lambda: forall(lease, bound), "forall\\(parameter"),
    "quantified address": (lambda: forall(h, holds[h]), "forall\\(parameter"),
    "a term becomes": (lambda: becomes(bound, True), "only a state variable can become"),
    "becomes another sort": (lambda: becomes(lease_end[h], lease), "cannot become Duration"),
    "becomes a number": (lambda: becomes(lease_end[h], 5), "5 is no literal of sort Instant"),
    "everywhere but there": (
        lambda: everywhere(g, bound, becomes(phase[h], "INIT")),
        "everywhere\\(g\\) must set variables at that index",
    ),
}


@pytest.mark.parametrize("mistake", ILL_SORTED)
def test_ill_sorted_terms_are_not_built(mistake: str) -> None:
    attempt, message = ILL_SORTED[mistake]
    with pytest.raises(TypeError, match=message):
        attempt()


WELL_SORTED = [
    (lease_end[h] - now, DURATION),
    (now + lease, INSTANT),
    (now - lease, INSTANT),
    (lease + lift(1, DURATION), DURATION),
    (lease - lease, DURATION),
    (lease * drift, DURATION),
    (lease / drift, DURATION),
    (drift + lift(1, RATIO), RATIO),
    (ite(bound, "INIT", phase[h]), PHASE),
    (none(ADDRESS), ADDRESS),
    (exists(h, bound), BOOL),
    (following(holds[h]), ADDRESS),
]


def test_sorts_of_compounds() -> None:
    assert [term.sort for term, _ in WELL_SORTED] == [sort for _, sort in WELL_SORTED]


def test_greater_is_less_turned_round() -> None:
    assert [part.op for part in operands(now > lease_end[h])] == ["state", "state"]
    assert operands(now > lease_end[h])[1] is now
    assert (now > lease_end[h]).op == "lt"
    assert operands(now >= lease_end[h])[1] is now
    assert (now >= lease_end[h]).op == "le"


def test_compounds_of_nothing_are_their_neutral_terms() -> None:
    assert all_of() is TRUE
    assert any_of() is FALSE
    assert is_in(phase[h]) is FALSE
    assert all_of(bound) is bound
    assert any_of(lapsed) is lapsed


# Readings ----------------------------------------------------------------------------------------


class Prose(Reading[str]):
    """Terms as text; two members in each index sort."""

    def leaf(self, term: Expr) -> str:
        return str(term.args[0]) if term.args else f"no {term.sort}"

    def constant(self, name: str, sort: Sort, at: Sequence[str]) -> str:
        return name + "".join(f"[{member}]" for member in at)

    def state(self, variable: Variable, at: Sequence[str]) -> str:
        return variable.name + "".join(f"[{member}]" for member in at)

    def node(self, term: Expr, args: Sequence[Callable[[], str]]) -> str:
        return f"{term.op}({', '.join(arg() for arg in args)})"

    def every(self, bound: Expr, body: Callable[[str], str]) -> str:
        return "; ".join(body(f"{bound.sort}{i}") for i in (1, 2))


class ProseOfSteps(Prose):
    """The same, that knows of steps."""

    def after(self, term: Expr, bound: Bindings[str]) -> str:
        return self.read(term, bound) + "'"


def test_a_reading_sees_leaves_states_and_operators() -> None:
    term = ite(holds[h] == none(ADDRESS), now + lease * drift, lease_end[h])
    assert (
        Prose().read(term, {h: "me"})
        == "ite(eq(holds[me], no Address), add(now, mul(lease, drift)), lease_end[me])"
    )


def test_a_quantifier_binds_its_parameter_and_no_other() -> None:
    term = forall(g, holds[g] == holds[h])
    assert (
        Prose().read(term, {h: "me"}) == "eq(holds[Host1], holds[me]); eq(holds[Host2], holds[me])"
    )


def test_an_inner_quantifier_hides_the_outer_name() -> None:
    term = forall(h, bound & forall(h, lapsed))
    assert Prose().read(term, {}).count("lease_end[Host1]") == 2


def test_exists_is_written_with_forall() -> None:
    assert Prose().read(exists(h, bound), {}) == (
        "not(not(eq(phase[Host1], BOUND)); not(eq(phase[Host2], BOUND)))"
    )


def test_an_unbound_parameter_is_an_error() -> None:
    with pytest.raises(KeyError):
        Prose().read(bound, {})


def test_arguments_are_read_only_when_called() -> None:
    """So that a guard protects what stands behind it."""

    class FirstOnly(Prose):
        def node(self, term: Expr, args: Sequence[Callable[[], str]]) -> str:
            return args[0]()

    unread = forall(g, phase[g] == "BOUND")
    assert FirstOnly().read((holds[h] == holds[h]) & unread, {h: "me"}) == "holds[me]"


def test_steps_are_read_only_by_readings_that_know_of_them() -> None:
    assert ProseOfSteps().read(following(holds[h]), {h: "me"}) == "holds[me]'"
    with pytest.raises(TypeError, match="Prose does not read properties of steps"):
        Prose().read(following(holds[h]), {h: "me"})


def test_fractions_are_exact() -> None:
    third = lift(Fraction(1, 3), DURATION)
    assert Prose().read(lease * drift + third, {}) == "add(mul(lease, drift), 1/3)"


def test_effects_name_variable_place_and_value() -> None:
    single = becomes(phase[h], "INIT")
    assert (single.variable, single.at, single.every) == (phase, h, False)
    assert single.value.args == ("INIT",)
    (spread,) = everywhere(h, lapsed, single)
    assert (spread.variable, spread.where, spread.every) == (phase, lapsed, True)
