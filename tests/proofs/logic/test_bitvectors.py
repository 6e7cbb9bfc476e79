"""The symbolic reading against the finite one, and its two questions against the explorer."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import z3

from holdover.model.clients.profile import Environment, in_ticks, load
from holdover.model.explorer.configurations import Configuration, configurations
from holdover.model.explorer.explore import bytes_per_state, explore
from holdover.model.readings.finite import BINARY, Instance, State, bounds_for
from holdover.model.readings.ground import compound, place, value
from holdover.model.table.client import slowest
from holdover.model.table.expr import RATIO, Action, becomes, everywhere, lift
from holdover.model.table.properties import ALWAYS, EXCLUSIVE, STEPS, WITHIN_LEASE, Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import g, h, lease_end, notice, now, phase, renew_at
from holdover.proofs.logic.bitvectors import Symbolic
from holdover.proofs.logic.intervals import Range, UnlimitedError, extent
from holdover.proofs.logic.model_checking import DisagreementError, ask_solver, check_depth
from tests.measure.bench.horn_clauses import spacer
from tests.slow import stretched

PINNED: Mapping[str, Configuration] = {c.name: c for c in configurations()}
PROPERTIES: Mapping[str, Property] = {p.name: p for p in (*ALWAYS, *STEPS)}
HALF_AN_HOUR = Fraction(1800)


def small(
    profile: str,
    *faults: str,
    sizes: tuple[int, int, int] = (1, 1, 1),
    table: Table = LEASE_TABLE,
    **surroundings: object,
) -> Instance:
    """A lease of an hour in two ticks; the user may never answer."""
    environment = Environment(acknowledge_within=None, faults=frozenset(faults))
    environment = replace(environment, **surroundings)  # type: ignore[arg-type]
    constants = in_ticks(load(profile), environment, HALF_AN_HOUR)
    return Instance(table, constants, bounds_for(constants, *sizes))


def with_lapse(change: Callable[[Action], Action]) -> Table:
    """The table with another row `lapse`."""
    rows = tuple(change(row) if row.name == "lapse" else row for row in LEASE_TABLE.actions)
    return Table(LEASE_TABLE.variables, rows)


def twice_set(row: Action) -> Action:
    """The row sets the notice, and sets it again where something is so, which is not so."""
    again = everywhere(g, phase[g] == "INIT", becomes(notice[g], "SHOWN"))
    return replace(row, then=(*row.then, *again))


# Steps -------------------------------------------------------------------------------------------

CASES: Mapping[str, Callable[[], Instance]] = {
    "a server that forgets": lambda: PINNED["server forgets"].instance(),
    "a user who never answers": lambda: PINNED["wfwg311"].instance(),
    "every passing fault": lambda: PINNED["one host, every passing fault"].instance(),
    "duplicates": lambda: PINNED["duplicates"].instance(),
    "drift": lambda: small("reference", sizes=(2, 1, 1), drift=Fraction(1, 3)),
    "shortened": lambda: small("udhcpc", "shortens", "suspends", shortest=HALF_AN_HOUR),
    "a monotonic clock, suspended": lambda: small(
        "dhcpcd", "suspends", "mutes", delay=HALF_AN_HOUR
    ),
    "one effect on top of another": lambda: small("wfwg311", "mutes", table=with_lapse(twice_set)),
    "two servers": lambda: small("dhcpcd", "rival", "forges", sizes=(3, 2, 1)),
}


def worth_comparing(instance: Instance) -> list[State]:
    """Random states, for each row the last that fires it, and some whose instants are clipped."""
    seen = explore(instance, memory=5_000 * bytes_per_state(instance))
    chosen = set(random.Random(len(seen.states)).sample(range(len(seen.states)), 10))
    last: dict[str, int] = {}
    for number, state in enumerate(seen.states):
        for edge, after in seen.instance.successors(state):
            row = seen.instance.labels[edge].action.name
            clipped = row == "tick" and after.count(-instance.bounds.past)
            last[f"{row} {clipped}"] = number
    return [seen.states[number] for number in sorted(chosen | set(last.values()))]


def steps_from(reading: Symbolic, solver: Any, state: State) -> list[tuple[int, State]]:
    """Every model of the step relation whose first state is this one."""
    found = []
    solver.push()
    for slot, item in enumerate(state):
        solver.add(reading.before[slot] == reading.code(slot, item))
    while solver.check() == z3.sat:
        model = solver.model()
        row = model.eval(reading.row, True)
        after = [model.eval(item, True) for item in reading.after]
        found.append((int(row.as_long()), reading.decoded(after)))
        solver.add(
            z3.Or(
                reading.row != row,
                *(item != literal for item, literal in zip(reading.after, after, strict=True)),
            )
        )
    solver.pop()
    return sorted(found, key=lambda edge: edge[0])


@pytest.mark.kept("cases of bit-vectors")
@pytest.mark.parametrize("case", CASES)
def test_the_models_of_a_step_are_the_successors(case: str) -> None:
    instance = CASES[case]()
    reading = Symbolic(instance)
    solver = z3.SolverFor("QF_BV")
    solver.add(reading.relation)
    for state in worth_comparing(instance):
        assert reading.decoded([reading.code(i, item) for i, item in enumerate(state)]) == state
        assert steps_from(reading, solver, state) == instance.successors(state)


@pytest.mark.kept("cases of bit-vectors")
@pytest.mark.parametrize("case", ["a server that forgets", "drift"])
def test_properties_mean_the_same_in_both_readings(case: str) -> None:
    instance = CASES[case]()
    reading = Symbolic(instance)
    for prop in PROPERTIES.values():
        term, of_steps = reading.property(prop)
        assert of_steps is (prop in STEPS)
        for state in worth_comparing(instance)[::4]:
            before = [reading.code(i, item) for i, item in enumerate(state)]
            for _, following in instance.successors(state):
                after = [reading.code(i, item) for i, item in enumerate(following)]
                said = z3.simplify(reading.at(term, before, reading.row, after))
                if of_steps:
                    assert z3.is_true(said) is instance.step_predicate(prop.term)(state, following)
                else:
                    assert z3.is_true(said) is bool(instance.predicate(prop.term)(state))
                assert z3.is_true(said) or z3.is_false(said)


def test_items_are_as_wide_as_they_need_to_be() -> None:
    widths = {
        Range(0, 8): 4,
        Range(0, 7): 3,
        Range(0, 0): 1,
        Range(-1, 0): 1,
        Range(-1, 1): 2,
        Range(-7, 7, True): 4,
        Range(-8, 3, True): 5,
        Range(3, 3, True): 3,
        Range(0, 2, True): 2,
    }
    assert {r: r.width for r in widths} == widths


def test_what_is_out_of_range_has_no_code() -> None:
    reading = Symbolic(small("rfc2131"))
    place = reading.instance.place["lease_end", 0]
    with pytest.raises(ValueError, match="lease_end = 99 is not in"):
        reading.code(place, 99)
    with pytest.raises(ValueError, match="phase = None is not in"):
        reading.code(reading.instance.place["phase", 0], None)


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "lt", "le", "eq"])
def test_arithmetic_is_exact_at_the_ends_of_every_range(op: str) -> None:
    reading = Symbolic(PINNED["wfwg311"].instance())
    ends = reading.instance.place["lease_end", 0]
    known = reading.ranges[ends]
    for left, right in itertools.product((known.low, 0, known.high), (-3, 0, 3)):
        fraction = Fraction(right or 1, 7)
        given = value(fraction if op in ("mul", "div") else right)
        term = compound(op, (place(ends), given))
        expected = BINARY[op][1](left, given.args[0])
        if not isinstance(expected, bool):
            term, expected = compound("eq", (term, value(expected))), True
        literals = list(reading.start)
        literals[ends] = reading.code(ends, left)
        said = z3.simplify(reading.at(reading.truth(term), literals, reading.row, literals))
        assert z3.is_true(said) is expected


def test_an_unset_instant_equals_only_an_unset_one() -> None:
    reading = Symbolic(PINNED["wfwg311"].instance())
    ends, asks = (reading.instance.place[name, 0] for name in ("lease_end", "asked"))
    for left, right in itertools.product((None, -1, 0), (None, -1, 0)):
        literals = list(reading.start)
        literals[ends], literals[asks] = reading.code(ends, left), reading.code(asks, right)
        for other in (place(asks), value(right)):
            same = reading.truth(compound("eq", (place(ends), other)))
            said = z3.simplify(reading.at(same, literals, reading.row, literals))
            assert z3.is_true(said) is (left == right)


def test_an_amount_is_a_whole_number() -> None:
    reading = Symbolic(PINNED["wfwg311"].instance())
    ahead = (lease_end[h] - now) * lift(Fraction(2), RATIO)
    literals = list(reading.start)
    literals[reading.instance.place["lease_end", 1]] = reading.code(
        reading.instance.place["lease_end", 1], -3
    )
    said = reading.at(reading.amount(ahead, {h: 1}), literals, reading.row, literals)
    assert z3.simplify(said).as_signed_long() == -6
    with pytest.raises(TypeError, match="no whole number"):
        reading.amount(ahead * lift(Fraction(1, 3), RATIO), {h: 1})


def test_intervals_contain_every_value() -> None:
    def span(low: Fraction | int, high: Fraction | int) -> tuple[Fraction, Fraction]:
        return Fraction(low), Fraction(high)

    spans = (span(-3, 2), span(1, 4), None)
    ratio = value(Fraction(-1, 2))
    for op in ("add", "sub"):
        ends = [BINARY[op][1](x, y) for x in (-3, 2) for y in (1, 4)]
        assert extent(compound(op, (place(0), place(1))), spans) == span(min(ends), max(ends))
        assert extent(compound(op, (place(0), place(2))), spans) is None
    assert extent(compound("mul", (place(0), ratio)), spans) == span(-1, Fraction(3, 2))
    assert extent(compound("div", (place(0), ratio)), spans) == span(-4, 6)
    assert extent(compound("ite", (place(3), place(0), place(1))), spans) == span(-3, 4)
    assert extent(compound("ite", (place(3), place(2), place(1))), spans) == span(1, 4)


def test_instants_without_a_bound_are_refused() -> None:
    """The guard `not stepped`, which intervals do not see, is all that bounds them."""
    with pytest.raises(UnlimitedError, match=r"no bound on .*lease_end"):
        Symbolic(small("dhclient", "steps", step=HALF_AN_HOUR))


def test_fractions_of_a_tick_are_refused() -> None:
    late = becomes(renew_at[h], now + slowest(lease_end[h] - now))
    table = with_lapse(lambda row: replace(row, then=(*row.then, late)))
    with pytest.raises(TypeError, match="renew_at is no whole number of ticks"):
        Symbolic(small("rfc2131", table=table, drift=Fraction(1, 3)))


# Bounded model checking --------------------------------------------------------------------------


@pytest.mark.kept("cases of bit-vectors")
@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("server forgets", "one_commitment"),
        ("server forgets", "exclusive"),
        ("wfwg311", "released_first"),
        ("freertos", "within_lease"),
        ("udhcpc", "within_lease"),
    ],
)
def test_the_shortest_run_has_the_pinned_length(name: str, broken: str) -> None:
    """T1 asks for the longest one."""
    instance = PINNED[name].instance()
    found = check_depth(instance, PROPERTIES[broken], 30)
    assert (found.outcome, found.depth) == ("violated", PINNED[name].broken[broken])
    assert found.trace is not None
    assert len(found.trace) == found.depth
    assert found.trace.states[0] == instance.initial


def test_nothing_is_found_before_that_length_nor_where_the_property_holds() -> None:
    forgets = check_depth(PINNED["server forgets"].instance(), PROPERTIES["one_commitment"], 4)
    assert (forgets.outcome, forgets.depth, forgets.trace) == ("holds", 4, None)
    exact = check_depth(PINNED["rfc2131"].instance(), EXCLUSIVE, 8)
    assert (exact.outcome, exact.depth, exact.trace) == ("holds", 8, None)


def test_another_solver_finds_the_same() -> None:
    found = check_depth(PINNED["server forgets"].instance(), STEPS[0], 5, logic=None)
    assert (found.outcome, found.depth) == ("violated", 5)


def test_a_run_that_the_finite_reading_does_not_have_is_no_violation() -> None:
    """Whatever goes wrong in the terms, a wrong run is not handed out."""
    instance = PINNED["server forgets"].instance()
    successors = instance.successors
    forget = [i for i, label in enumerate(instance.labels) if label.action.name == "forget"]
    instance.successors = lambda state: [e for e in successors(state) if e[0] not in forget]
    with pytest.raises(DisagreementError, match=r"no run of the finite reading: .*forget"):
        check_depth(instance, STEPS[0], 5)


# Spacer ------------------------------------------------------------------------------------------


@pytest.mark.kept("cases of bit-vectors")
@pytest.mark.parametrize(
    ("instance", "prop", "outcome"),
    [
        (lambda: small("rfc2131", "forgets"), STEPS[0], "violated"),
        (lambda: small("rfc2131", "forgets"), WITHIN_LEASE, "holds"),
        (lambda: PINNED["one host, every passing fault"].instance(), EXCLUSIVE, "holds"),
    ],
    ids=["a step", "a lease", "one host"],
)
def test_spacer_decides_small_instances(
    instance: Callable[[], Instance], prop: Property, outcome: str
) -> None:
    assert spacer(instance(), prop, 60).outcome == outcome
    seen = explore(instance(), ALWAYS, STEPS)
    assert seen.complete
    assert (prop.name in seen.violations) is (outcome == "violated")


@pytest.mark.parametrize("prop", PROPERTIES.values(), ids=lambda p: p.name)
def test_spacer_does_not_contradict_the_explorer(prop: Property) -> None:
    instance = small("freertos", "mutes")
    seen = explore(instance, ALWAYS, STEPS)
    assert seen.complete
    truth = "violated" if prop.name in seen.violations else "holds"
    assert spacer(instance, prop, 2).outcome in (truth, "unknown")


# Unknown -----------------------------------------------------------------------------------------


def test_a_search_without_time_decides_nothing() -> None:
    instance = PINNED["wfwg311"].instance()
    found = check_depth(instance, EXCLUSIVE, 22, timeout=0)
    assert (found.outcome, found.depth, found.trace) == ("unknown", -1, None)
    assert spacer(instance, EXCLUSIVE, 0).outcome == "unknown"


def test_a_search_that_is_cut_off_says_how_far_it_came() -> None:
    found = check_depth(PINNED["wfwg311"].instance(), EXCLUSIVE, 22, timeout=1)
    assert found.outcome == "unknown"
    assert found.depth is not None
    assert -1 <= found.depth < 22
    assert found.seconds < 20


def test_a_single_check_is_cut_off() -> None:
    """Factors of a product of two primes of 32 bits."""
    x, y = z3.BitVecs("x y", 64)
    solver = z3.SolverFor("QF_BV")
    solver.add(
        x * y == 3037000493 * 2654435761, z3.ULT(x, 1 << 32), z3.ULT(y, 1 << 32), z3.ULT(x, y)
    )
    start = time.perf_counter()
    assert ask_solver(solver, 0.3) == z3.unknown
    assert time.perf_counter() - start < 5 * stretched()


def test_spacer_is_cut_off() -> None:
    found = spacer(PINNED["wfwg311"].instance(), EXCLUSIVE, 1)
    assert found.outcome == "unknown"
    assert found.seconds < 20


def test_a_solver_that_gives_up_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for want of time: here it may take no more than one step."""
    fresh = z3.SolverFor

    def idle(logic: str) -> Any:
        solver = fresh(logic)
        solver.set("rlimit", 1)
        return solver

    monkeypatch.setattr(z3, "SolverFor", idle)
    found = check_depth(PINNED["rfc2131"].instance(), EXCLUSIVE, 8)
    assert found.outcome == "unknown"
    assert found.depth is not None
    assert found.depth < 8
