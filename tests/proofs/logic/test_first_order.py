"""The parametric reading means what the concrete reading means, wherever both can be asked.

A reached state of a small world is written down as assertions about the parametric reading's
functions: its members are all there are, and they are different ones.  What a term is worth there
is then for the solver to say.  Instants that are unset stay open: no answer may depend on them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from holdover.model.clients.profile import Environment, in_seconds, load
from holdover.model.readings.interpreter import Interpreter, State, Value
from holdover.model.table.expr import (
    BOOL,
    DURATION,
    INSTANT,
    RATIO,
    TRUE,
    Action,
    Expr,
    Sort,
    Variable,
    becomes,
    constant,
    everywhere,
    exists,
    forall,
    is_in,
    ite,
    lift,
    none,
)
from holdover.model.table.properties import ALWAYS
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import (
    CONSTANTS,
    HOST,
    INDEX_SORTS,
    PHASE,
    VARIABLES,
    a,
    drift,
    floor,
    full,
    g,
    h,
    holds,
    late,
    lease_end,
    now,
    phase,
    serving,
    wants,
)
from holdover.proofs.logic import first_order, formula
from holdover.proofs.logic.first_order import (
    ALIKE,
    FASTEST,
    SLOWEST,
    After,
    Initially,
    Logic,
    any_clock,
    are_members,
    domain,
    literal,
    nothing,
    operate,
    parameters,
)
from holdover.proofs.logic.formula import Formula, symbol
from holdover.proofs.logic.invariants import LEASED
from holdover.proofs.logic.read_by_z3 import read_by_z3, solve
from holdover.proofs.logic.unrolled import Unrolled, sizes_of

SIZES = sizes_of(2, 2, 2)
LENGTHS = {"length": (240, 480), "skew": (0, 3), "passing": (1, 60, 239)}

WORLDS = {
    "reference": Environment(
        lease=Fraction(480),
        shortest=Fraction(240),
        drift=Fraction(1, 100),
        delay=Fraction(60),
        faults=frozenset({"mutes", "freezes", "thaws", "crashes", "stops", "restarts", "shortens"}),
    ),
    "wfwg311": Environment(
        lease=Fraction(480),
        grace=Fraction(7, 2),
        delay=Fraction(90),
        faults=frozenset({"mutes", "duplicates", "loses", "suspends"}),
    ),
}


def world(name: str) -> Interpreter:
    """A world of two hosts, two addresses and two datagrams, in exact seconds."""
    return Interpreter(LEASE_TABLE, in_seconds(load(name), WORLDS[name]), SIZES)


# A state as assertions ---------------------------------------------------------------------------


def member(sort: Sort, value: Value) -> Formula:
    """A value of the concrete reading as the parametric one has it."""
    if sort.indexes:
        return nothing(sort) if value is None else symbol(f"{sort.name}_{value}", domain(sort))
    return literal(sort, value)


def described(logic: Logic, state: State) -> list[Formula]:
    """All that is so in a state: who there is, what each variable is; unset instants are open."""
    facts = []
    for sort in INDEX_SORTS:
        everyone = [nothing(sort), *(member(sort, i) for i in range(SIZES[sort]))]
        anyone = formula.variable("anyone", domain(sort))
        closed = formula.forall([anyone], formula.any_of(anyone == x for x in everyone))
        facts += [formula.distinct(everyone), closed]
    sorts = {v.name: v for v in VARIABLES}
    for name, place in state:
        variable, value = sorts[name], state[name, place]
        if value is not None or variable.sort.indexes:
            at = [member(variable.index, place)] if variable.index else []
            facts.append(logic.state(variable, at) == member(variable.sort, value))
    return facts


def says(facts: Sequence[Formula], claims: Sequence[Formula]) -> str:
    """Whether all claims follow: unsat if they do."""
    return solve([*facts, ~formula.all_of(claims)])[0]


Step = tuple[Action, tuple[Value, ...]]


def ran(here: Interpreter, choices: Sequence[int]) -> tuple[State, list[Step]]:
    """A state after so many steps, each chosen by number, and what may happen there."""
    state = here.initial()
    possible = list(here.instances(state, LENGTHS))
    for choice in choices:
        if possible:
            action, binding = possible[choice % len(possible)]
            state = here.step(state, action, binding)
            possible = list(here.instances(state, LENGTHS))
    return state, possible


RUNS = st.tuples(st.sampled_from(sorted(WORLDS)), st.lists(st.integers(0, 999), max_size=14))


# The table ---------------------------------------------------------------------------------------


def bound(action: Action, binding: Sequence[Value]) -> dict[Expr, Formula]:
    """The parameters of a row with the values of a step."""
    return {p: member(p.sort, v) for p, v in zip(action.given, binding, strict=True)}


@settings(max_examples=8)
@given(RUNS)
def test_a_row_may_happen_in_one_reading_iff_in_the_other(run: tuple[str, list[int]]) -> None:
    name, choices = run
    here = world(name)
    state, possible = ran(here, choices)
    logic = Logic(here.constants)
    claims = []
    for action in LEASE_TABLE.actions:
        if action.name == "tick":
            continue  # takes any length: below
        domains = [
            range(SIZES[p.sort]) if p.sort.indexes else LENGTHS[str(p.args[0])]
            for p in action.given
        ]
        for binding in itertools.product(*domains):
            reading = bound(action, binding)
            enabled = formula.all_of(logic.read(guard, reading) for guard in action.when)
            claims.append(enabled == here.enabled(state, action, binding))
    assert says(described(logic, state), claims) == "unsat"
    assert any(action.name != "tick" for action, _ in possible)


@settings(max_examples=25)
@given(RUNS, st.integers(0, 999))
def test_a_step_leads_to_the_same_state_in_both_readings(
    run: tuple[str, list[int]], choice: int
) -> None:
    name, choices = run
    here = world(name)
    state, possible = ran(here, choices)
    action, binding = possible[choice % len(possible)]
    following = here.step(state, action, binding)
    after = After(Logic(here.constants), action, bound(action, binding))
    claims = []
    for variable in VARIABLES:
        for place in range(SIZES[variable.index] if variable.index else 1):
            value = following[variable.name, place]
            if value is not None or variable.sort.indexes:
                at = [member(variable.index, place)] if variable.index else []
                claims.append(after.state(variable, at) == member(variable.sort, value))
    assert says(described(Logic(here.constants), state), claims) == "unsat"


@settings(max_examples=12)
@given(RUNS)
def test_properties_are_judged_alike(run: tuple[str, list[int]]) -> None:
    """The unrolled reading, which T1 and T3 use, is asked as well."""
    name, choices = run
    here = world(name)
    state, _ = ran(here, choices)
    logic = Logic(here.constants)
    terms = [p.term for p in (*ALWAYS, *LEASED)]
    verdicts = [here.holds(term, state) for term in terms]
    claims = [logic.read(t, {}) == v for t, v in zip(terms, verdicts, strict=True)]
    assert says(described(logic, state), claims) == "unsat"
    unrolled = Unrolled(SIZES, here.constants, _values(here.constants, state))
    read = [unrolled.read(term, {}) == v for term, v in zip(terms, verdicts, strict=True)]
    assert says([], read) == "unsat"


def _values(constants: Mapping[str, object], state: State) -> dict[tuple[str, int], Formula]:
    blank = Unrolled(SIZES, constants, {})
    sorts = {v.name: v.sort for v in VARIABLES}

    def value(name: str, place: int) -> Formula:
        sort, said = sorts[name], state[name, place]
        if said is None:
            return blank.leaf(none(sort))
        return blank.whole(int(str(said))) if sort.indexes else blank.leaf(literal_of(said, sort))

    return {slot: value(*slot) for slot in state}


def literal_of(value: Value, sort: Sort) -> Expr:
    """A literal of any sort; the table's own have no instants."""
    return Expr("literal", (value,), sort)


def test_initial_states_are_the_same() -> None:
    """Read directly, every property holds of the initial state in both."""
    here = world("reference")
    start = Initially(here.constants)
    facts = described(Logic(here.constants), here.initial())
    for wanted in (*ALWAYS, *LEASED):
        assert here.holds(wanted.term, here.initial())
        assert says(facts, [start.read(wanted.term, {})]) == "unsat"
    assert says([], [start.read(holds[h] != none(a.sort), {h: member(HOST, 0)})]) == "sat"


# Terms -------------------------------------------------------------------------------------------

INSTANTS = st.sampled_from([now, now + full, now - full / (lift(1, RATIO) + drift)])
DURATIONS = st.one_of(
    st.integers(-5, 5).map(lambda n: lift(n, DURATION)),
    st.tuples(INSTANTS, INSTANTS).map(lambda pair: pair[0] - pair[1]),
)
ATOMS = st.one_of(
    st.sampled_from(
        [
            serving(),
            phase[h] == "INIT",
            phase[h] == phase[g],
            holds[h] == a,
            wants[g] != holds[h],
            h == g,
            is_in(phase[g], "BOUND", "RENEWING", "PROBING"),
            holds[g] == none(a.sort),
        ]
    ),
    st.tuples(DURATIONS, DURATIONS).map(lambda pair: pair[0] < pair[1]),
    st.tuples(INSTANTS, INSTANTS).map(lambda pair: pair[0] <= pair[1]),
    st.tuples(DURATIONS, DURATIONS).map(lambda pair: pair[0] == pair[1]),
)
FORMULAS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0].implies(pair[1])),
        st.tuples(inner, inner, inner).map(lambda three: ite(*three)),
        st.tuples(st.sampled_from([h, g, a]), inner).map(lambda pair: forall(*pair)),
        st.tuples(st.sampled_from([h, g, a]), inner).map(lambda pair: exists(*pair)),
        inner.map(lambda term: ~term),
    ),
    max_leaves=6,
)


@settings(max_examples=30)
@given(RUNS, st.lists(FORMULAS, min_size=1, max_size=8))
def test_any_formula_is_worth_the_same(run: tuple[str, list[int]], terms: list[Expr]) -> None:
    name, choices = run
    here = world(name)
    state, _ = ran(here, choices)
    logic = Logic(here.constants)
    members: dict[Expr, Value] = {h: 0, g: 1, a: 1}
    reading = {p: member(p.sort, value) for p, value in members.items()}
    claims = [logic.read(term, reading) == here.value(term, state, members) for term in terms]
    assert says(described(logic, state), claims) == "unsat"
    unrolled = Unrolled(SIZES, here.constants, _values(here.constants, state))
    places = {p: unrolled.whole(int(str(value))) for p, value in members.items()}
    read = [unrolled.read(term, places) == here.value(term, state, members) for term in terms]
    assert says([], read) == "unsat"


@pytest.mark.parametrize("pair", [(1, 1), (1, 2), (2, 1)], ids=str)
def test_boundaries_are_where_they_are(pair: tuple[int, int]) -> None:
    """`<` and `≤` differ at one instant, which is where collisions are."""
    x, y = pair
    left, right = (lift(value, DURATION) for value in pair)
    for reading in (Logic({"drift": 0}), Unrolled(SIZES, {"drift": 0}, {})):
        claims = [
            reading.read(left < right, {}) == (x < y),
            reading.read(left <= right, {}) == (x <= y),
            reading.read(left == right, {}) == (x == y),
            reading.read(left + right, {}) == x + y,
            reading.read(left - right, {}) == x - y,
            reading.read(left * lift(y, RATIO), {}) == x * y,
            reading.read(left / lift(y, RATIO), {}) == Fraction(x, y),
        ]
        assert says([], claims) == "unsat"


@pytest.mark.parametrize("host", range(SIZES[HOST]))
def test_the_unrolled_quantifier_asks_every_member(host: int) -> None:
    here = world("reference")
    state = here.initial().but({("phase", host): "BOUND"})
    unrolled = Unrolled(SIZES, here.constants, _values(here.constants, state))
    assert says([], [unrolled.read(forall(h, phase[h] == "INIT"), {})]) == "sat"
    assert says([], [unrolled.read(exists(h, phase[h] == "BOUND"), {})]) == "unsat"


def test_the_quantifier_passes_over_none() -> None:
    """`none` is a member of the solver's sort, and is not one of the table's."""
    logic = Logic({})
    serves_all = logic.read(forall(h, phase[h] == "INIT"), {})
    of_none = logic.state(_variable("phase"), [nothing(HOST)])
    assert says([serves_all], [of_none == literal(PHASE, "INIT")]) == "sat"
    someone = symbol("someone", domain(HOST))
    of_someone = logic.state(_variable("phase"), [someone])
    assert says([serves_all, someone != nothing(HOST)], [of_someone == literal(PHASE, "INIT")]) == (
        "unsat"
    )


def _variable(name: str) -> Variable:
    return next(v for v in VARIABLES if v.name == name)


def test_parameters_are_members_and_none_is_not() -> None:
    binding = parameters(LEASE_TABLE.action("bind"))
    assert says(are_members(binding), [binding[h] != nothing(HOST)]) == "unsat"
    assert says([], [binding[h] != nothing(HOST)]) == "sat"
    assert len(are_members(binding)) == sum(p.sort.indexes for p in binding)


def test_values_of_one_name_in_two_sorts_are_told_apart() -> None:
    """ACK is a kind of message and an anchor."""
    kinds = literal(_variable("kind").sort, "ACK")
    anchors = literal(CONSTANTS["anchor"].sort, "ACK")
    assert kinds.domain != anchors.domain
    assert formula.text_of(kinds) != formula.text_of(anchors)


# After a step ------------------------------------------------------------------------------------


def test_right_sides_read_the_state_before() -> None:
    """Two effects exchange two values; the second does not see the first."""
    swap = Action(
        "swap",
        "",
        "",
        (h, g),
        when=(TRUE,),
        then=(becomes(wants[h], wants[g]), becomes(wants[g], wants[h])),
    )
    first, second = (symbol(name, domain(HOST)) for name in ("first", "second"))
    before = Logic({})
    after = After(before, swap, {h: first, g: second})
    read = [reading.state(_variable("wants"), [first]) for reading in (before, after)]
    other = [reading.state(_variable("wants"), [second]) for reading in (before, after)]
    assert says([first != second], [read[1] == other[0], other[1] == read[0]]) == "unsat"


def test_of_two_effects_on_one_variable_the_later_counts() -> None:
    effects = (becomes(phase[h], "INIT"), becomes(phase[h], "BOUND"))
    both = Action("both", "", "", (h,), (TRUE,), effects)
    someone = symbol("someone", domain(HOST))
    after = After(Logic({}), both, {h: someone}).state(_variable("phase"), [someone])
    assert says([], [after == literal(PHASE, "BOUND")]) == "unsat"


def test_what_a_row_does_not_name_stays() -> None:
    """The frame is in the term itself: another host's value, and another variable's."""
    only = Action("only", "", "", (h,), (TRUE,), (becomes(phase[h], "BOUND"),))
    someone, other = (symbol(name, domain(HOST)) for name in ("someone", "other"))
    before = Logic({})
    after = After(before, only, {h: someone})
    same = after.state(_variable("phase"), [other]) == before.state(_variable("phase"), [other])
    assert says([someone != other], [same]) == "unsat"
    assert says([], [same]) == "sat"
    kept = after.state(_variable("holds"), [someone]) == before.state(_variable("holds"), [someone])
    assert says([], [kept]) == "unsat"


def test_an_effect_everywhere_is_one_wherever_its_condition_held() -> None:
    everyone = Action(
        "everyone",
        "",
        "",
        (),
        when=(TRUE,),
        then=everywhere(h, phase[h] == "BOUND", becomes(phase[h], "RENEWING")),
    )
    someone = symbol("someone", domain(HOST))
    logic = Logic({})
    before = logic.state(_variable("phase"), [someone])
    after = After(logic, everyone, {}).state(_variable("phase"), [someone])
    renewed = formula.ite(before == literal(PHASE, "BOUND"), literal(PHASE, "RENEWING"), before)
    assert says([], [after == renewed]) == "unsat"


# Clocks ------------------------------------------------------------------------------------------


def test_an_open_drift_is_clocks_of_any_bounded_quality() -> None:
    """What is assumed of them holds of clocks within 1 ± r, for every r below 1."""
    own, (axioms,) = read_by_z3(any_clock())
    x, y, r = z3.Reals("x_ y_ r", ctx=own)
    real = z3.RealSort(own)
    length = z3.Var(0, real)
    slowest, fastest = (z3.Function(f.name, real, real) for f in (SLOWEST, FASTEST))
    quotients = ((slowest, length / (1 - r)), (fastest, length / (1 + r)))
    for axiom in axioms:
        instance = z3.substitute_vars(axiom.body(), *[y, x][2 - axiom.num_vars() :])
        read = z3.substitute_funs(instance, *quotients)
        assert not any(name in read.sexpr() for name in (SLOWEST.name, FASTEST.name))
        solver = z3.Solver(ctx=own)
        solver.add(r >= 0, r < 1, z3.Not(read))
        assert solver.check() == z3.unsat


def test_a_fixed_drift_is_divided_by() -> None:
    from_lift = lift(6, DURATION) / (lift(1, RATIO) + drift)
    assert says([], [Logic({"drift": Fraction(1, 2)}).read(from_lift, {}) == 4]) == "unsat"
    assert "fastest" in str(Logic({}).read(from_lift, {}))


@pytest.mark.parametrize("sort", [BOOL, INSTANT, DURATION, RATIO])
def test_constants_not_fixed_are_open(sort: Sort) -> None:
    """What is proved with such a symbol holds for all its values."""
    term = constant("open", sort)
    assert Logic({}).read(term, {}) is symbol("open", domain(sort))


def test_an_unset_instant_is_any_instant() -> None:
    end = Logic({}).read(lease_end[h] == lease_end[g], {h: member(HOST, 0), g: member(HOST, 1)})
    assert says([], [end]) == "sat"
    assert says([], [~end]) == "sat"


# Hosts with clients of their own -----------------------------------------------------------------


def test_a_tuple_is_a_value_for_each_kind_of_client_and_any_host_may_be_of_any() -> None:
    logic = Logic({"late": (1, 2, 3), "floor": 4})
    first, second = (symbol(name, domain(HOST)) for name in ("first", "second"))
    of = {h: first, g: second}
    late_of_first, late_of_second = logic.read(late[h], of), logic.read(late[g], of)

    def possible(*terms: Formula) -> bool:
        return solve(terms)[0] == "sat"

    for one, other in itertools.product((1, 2, 3), repeat=2):
        assert possible(late_of_first == one, late_of_second == other)
    assert not possible(*(late_of_first != value for value in (1, 2, 3)))
    assert not possible(first == second, late_of_first != late_of_second)
    assert not possible(logic.read(floor[h], of) != 4)


def test_what_is_alike_is_open_and_the_same_for_all() -> None:
    first, second = (symbol(name, domain(HOST)) for name in ("first", "second"))
    logic = Logic({"late": ALIKE})
    of_first = logic.read(late[h], {h: first}) == 7
    assert solve([of_first])[0] == "sat"
    assert solve([of_first, logic.read(late[h], {h: second}) != 7])[0] == "unsat"


def test_an_open_constant_of_a_host_is_its_own() -> None:
    first, second = (symbol(name, domain(HOST)) for name in ("first", "second"))
    less = Logic({}).read(late[h] < late[g], {h: first, g: second})
    assert solve([less])[0] == "sat"
    assert solve([less, first == second])[0] == "unsat"


# Read once for the values of constants -----------------------------------------------------------

late_start = late[h] + floor[h] < lift(9, DURATION)


@pytest.fixture
def operators(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each operator that is read from now on; what was read before is forgotten."""
    seen: list[str] = []

    def counting(op: str, args: Sequence[first_order.Later]) -> Formula:
        seen.append(op)
        return operate(op, args)

    monkeypatch.setattr(first_order, "operate", counting)
    first_order._readings.cache_clear()
    return seen


def test_cases_read_a_term_once_that_differ_in_what_does_not_occur_in_it(
    operators: list[str],
) -> None:
    """It is read anew where one of its own constants has another value, or none."""
    host = {h: symbol("someone", domain(HOST))}
    read = [Logic({"late": 1, "full": n}).read(late_start, host) for n in (2, 3)]
    assert operators == ["lt", "add"]
    assert read[0] is read[1]
    others = [Logic(fixed).read(late_start, host) for fixed in ({"late": 2}, {}, {"floor": 1})]
    assert operators == ["lt", "add"] * 4
    assert len({read[0], *others}) == 4


def test_a_constant_that_only_an_effect_reads_counts() -> None:
    """After the row the address is held or not, as the constant says; the term has none."""
    row = Action("row", "", "", (h,), (TRUE,), (becomes(serving(), constant("on", BOOL)),))
    host, term = {h: symbol("someone", domain(HOST))}, serving()
    after = [After(Logic({"on": on}), row, host).read(term, {}) for on in (True, False, True)]
    assert [each is formula.TRUE for each in after] == [True, False, True]
    assert after[1] is formula.FALSE


def test_readings_of_another_kind_are_others() -> None:
    """Before, after a row with one parameter and with another, initially: four meanings."""
    row = Action(
        "row", "", "", (h,), (TRUE,), (becomes(wants[h], wants[h]), becomes(phase[h], "BOUND"))
    )
    one, other = (symbol(name, domain(HOST)) for name in ("one", "other"))
    term, bound, before = phase[g] == "BOUND", {g: symbol("third", domain(HOST))}, Logic({})
    readings = (before, *(After(before, row, {h: host}) for host in (one, other)), Initially({}))
    assert len({reading.read(term, bound) for reading in (*readings, *readings)}) == 4


def test_a_quantifier_in_an_effect_is_named_by_how_deep_it_stands_whoever_read_first() -> None:
    """What a term was read as outside of a quantifier is not what it is inside."""
    effect = becomes(serving(), forall(g, phase[g] == "BOUND"))
    term = serving()
    inside = forall(h, term | (phase[h] == "INIT"))
    rows = [Action("row", "", "", (), (TRUE,), (effect,)) for _ in range(2)]
    first, second = (After(Logic({}), row, {}) for row in rows)
    assert "g_1" in str(first.read(term, {}))
    assert "g_2" in str(first.read(inside, {}))
    assert first.read(inside, {}) is second.read(inside, {})
