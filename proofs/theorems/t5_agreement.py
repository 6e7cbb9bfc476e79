"""T5, agreement: what is proved for any number is what is seen for a few.

Not a cutoff theorem - none is claimed - but the confrontation of the readings with each other:

* every state that a search reaches satisfies the invariant that is proved inductive;
* a row that is proved never to fire is never seen to fire;
* the step that breaks the invariant for `wfwg311` is replayed: a solver's state and step, taken by
  the concrete semantics, break the same conjunct;
* the worst holdover that a search sees is the bound's, on every profile that has one, and the
  search finds no end where the bound says there is none.

T1 replays the solver's collision in the explorer's semantics.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from holdover.model.clients.profile import Environment, Profile, builtin_names, in_ticks, load
from holdover.model.readings.constants import holds, seconds
from holdover.model.readings.finite import NONE, Instance, bounds_for
from holdover.model.readings.interpreter import Interpreter, Value
from holdover.model.table.bound import bounded, worst_holdover
from holdover.model.table.expr import Expr, Sort
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import CONSTANTS, HOST, h
from holdover.proofs.logic import formula
from holdover.proofs.logic.formula import Formula, with_values
from holdover.proofs.logic.invariants import LEASED
from holdover.proofs.logic.obligations import firing
from holdover.proofs.logic.read_by_z3 import solve
from holdover.proofs.logic.solvers import whether_fire
from holdover.proofs.logic.unrolled import SymbolicRun, sizes_of
from holdover.proofs.result import Check, Progress, Theorem, silent
from holdover.proofs.theorems.t2_safety import TOLERATED, case, numbers

TITLE = "proof, explorer and concrete semantics agree"
LEASE = Fraction(3600)
TICK = Fraction(1200)

EXPLORED: Mapping[str, tuple[str, ...]] = {
    "wfwg311-fixed": ("mutes",),
    "rfc2131": ("mutes", "loses"),
    "reference": ("mutes", "freezes"),
}


MOST = 2_000_000
"""States at most, 32 MB: the search is not kept in parts."""


def perfect(name: str) -> Profile:
    """A profile as T2 takes it: no floor, no lateness, the kernel in time; it releases."""
    profile = replace(load(name), floor=Fraction(0), late=Fraction(0), releases=True)
    return replace(profile, kernel_late=min(profile.kernel_late, profile.margin))


def instance(name: str) -> Instance:
    """The network of two hosts in which a profile is explored."""
    environment = Environment(
        lease=LEASE, acknowledge_within=None, faults=frozenset(EXPLORED[name])
    )
    constants = in_ticks(perfect(name), environment, TICK)
    # A margin of a whole tick and more would leave nothing of a lease of three.
    constants.update(kernel_late=0, margin=0)
    return Instance(LEASE_TABLE, constants, bounds_for(constants, 2, 1, 1))


def invariant_holds(name: str, never_fire: frozenset[str]) -> Iterator[Check]:
    """Every reachable state of an instance satisfies `LEASED`, and no impossible row fires.

    The states are the engine's kernel's; the tests hold it to the plain explorer.
    """
    from holdover.model.engine.ways import Ways
    from holdover.model.packed.tables import tabulate

    start = time.perf_counter()
    ways = Ways(*tabulate(instance(name)))
    words = ways.within_reach(ways.moves, MOST)
    satisfies = f"every state reached of {name} satisfies the invariant"
    fires = f"no row of {name} fires that is proved not to"
    if words is None:
        yield Check(f"invariant, {name}", satisfies, "unknown", "the search was cut off")
        yield Check(f"never fire, {name}", fires, "unknown", "the search was cut off")
        return
    broken = sorted(p.name for p in LEASED if not ways.holds(words, p.term, {}).all())
    yield Check(
        f"invariant, {name}",
        satisfies,
        "violated" if broken else "holds",
        ", ".join(broken) or f"{len(words)} states",
        time.perf_counter() - start,
    )
    seen = ways.fired()
    fired = sorted(never_fire & seen)
    yield Check(
        f"never fire, {name}",
        fires,
        "violated" if fired else "holds" if never_fire else "unknown",
        ", ".join(fired) or f"{len(never_fire)} rows, {len(seen)} others seen",
    )


# The broken step, replayed -----------------------------------------------------------------------


def concrete_value(sort: Sort, term: Formula, values: Mapping[str, formula.Value]) -> Value:
    """A solver's value as the concrete reading has it."""
    value = with_values(term, values).of
    assert isinstance(value, bool | int | Fraction)
    if sort.values:
        return sort.values[int(value)]
    return None if sort.indexes and value == NONE else value


def replay_breach(row: str, conjunct: str) -> Check:
    """A state and a step of `wfwg311` found by a solver, taken by the concrete semantics."""
    start = time.perf_counter()
    claim = case("wfwg311", TOLERATED["wfwg311"])
    broken = next(p for p in LEASED if p.name == conjunct)
    sizes = sizes_of(2, 1, 1)
    path = SymbolicRun(LEASE_TABLE, sizes, claim.fixed)
    sorts = {
        (v.name, i): v.sort
        for v in LEASE_TABLE.variables
        for i in range(sizes[v.index] if v.index else 1)
    }
    values = {slot: path.here.variable(f"{slot[0]}_{slot[1]}", s) for slot, s in sorts.items()}
    path.here = here = path.here.where(values)
    asked = []
    for slot, sort in sorts.items():
        if sort.values:
            asked += [values[slot] >= 0, values[slot] < len(sort.values)]
        elif sort.indexes:
            asked += [values[slot] >= NONE, values[slot] < sizes[sort]]
    asked += [here.read(term, {}) for term in (*numbers(), *claim.assumptions)]
    asked += [here.read(p.term, {}) for p in LEASED]
    path.take(row, h=0)
    asked += [guard for _, guard in path.conditions]
    answer, found = solve([*asked, ~path.here.read(broken.term, {})])
    name, says = f"replay, {row}", f"a state in which `{row}` breaks `{conjunct}`, taken concretely"
    if answer != "sat":
        outcome = "violated" if answer == "unsat" else "unknown"
        return Check(name, says, outcome, f"z3: {answer}")  # type: ignore[arg-type]

    def fixed(name: str, *at: Any) -> object:
        sort = CONSTANTS[name].sort
        return concrete_value(sort, here.constant(name, sort, at), found)

    constants = {
        name: fixed(name)
        if isinstance(constant, Expr)
        else tuple(fixed(name, here.whole(host)) for host in range(sizes[HOST]))
        for name, constant in CONSTANTS.items()
    }
    world = Interpreter(LEASE_TABLE, constants, sizes)
    before = world.initial().but(
        {slot: concrete_value(sorts[slot], term, found) for slot, term in values.items()}
    )
    after = world.step(before, LEASE_TABLE.action(row), (0,))
    good = all(world.holds(p.term, before) for p in LEASED)
    bad = not world.holds(broken.term, after)
    detail = "the invariant before, the conjunct broken after"
    return Check(
        name, says, "holds" if good and bad else "violated", detail, time.perf_counter() - start
    )


# The worst holdover ------------------------------------------------------------------------------


def worlds() -> Iterator[tuple[str, Profile, Environment]]:
    """Every profile with a late ACK, a late answer and a short lease; and clocks that drift."""
    slow = Environment(
        lease=Fraction(24),
        delay=Fraction(8),
        acknowledge_within=Fraction(16),
        faults=frozenset({"mutes"}),
    )
    for name in builtin_names():
        yield name, load(name), slow
    for name in ("rfc2131", "networkd", "dhcpcd", "reference"):
        # Fifteen ticks: what a clock within 1 ± 1/4 makes of them, 12 and 20, is whole again.
        drifting = replace(slow, lease=Fraction(120), drift=Fraction(1, 4))
        yield f"{name}, drift 1/4", load(name), drifting
        yield f"{name}, frozen", load(name), slow.and_faults("freezes")
    set_back = replace(slow, step=Fraction(16), faults=slow.faults | {"steps"})
    for name in ("dhclient-nolifetime", "rfc2131", "networkd"):  # the last two have no wall clock
        yield f"{name}, clock set back", load(name), set_back


def small_world(profile: Profile, environment: Environment) -> Instance:
    """One host, looking further back than the bound; in ticks."""
    constants = in_ticks(profile, environment, Fraction(8))
    past = 2 + max(0, int(seconds(worst_holdover(h), constants)))
    return Instance(LEASE_TABLE, constants, bounds_for(constants, 1, 1, 1, past=past))


def searched_worst(world: Instance) -> int | None:
    """For how many ticks the host outstays its lease at most, in all runs.

    None if it never does, or if there are more than `MOST` states.  By the engine's kernel; the
    tests hold it to the plain explorer.
    """
    from holdover.model.engine.ways import Ways
    from holdover.model.packed.tables import tabulate

    ways = Ways(*tabulate(world))
    words = ways.within_reach(ways.moves, MOST)
    return None if words is None else ways.worst(words)


def same_worst(name: str, profile: Profile, environment: Environment) -> Check:
    """The worst holdover of a search is the bound's, in the same ticks."""
    start = time.perf_counter()
    world = small_world(profile, environment)
    worst, constants = searched_worst(world), world.constants
    says = f"the worst holdover a search sees of {name} is the bound's"
    if worst is None:
        return Check(f"worst holdover, {name}", says, "unknown", "the search was cut off")
    if not holds(bounded(h), constants):
        good = worst >= world.bounds.past
        detail = "no bound, and the search finds no end" if good else f"no bound, but {worst} ticks"
    else:
        expected = seconds(worst_holdover(h), constants)
        # Instants are whole ticks: of a bound between two ticks the search can reach the lower.
        good = worst == expected.__floor__()
        detail = f"search {worst}, bound {expected} ticks"
    return Check(
        f"worst holdover, {name}",
        says,
        "holds" if good else "violated",
        detail,
        time.perf_counter() - start,
    )


def prove(progress: Progress = silent) -> Theorem:
    """T5's checks."""
    checks: list[Check] = []
    for name in EXPLORED:
        progress(f"T5: exploring {name}")
        checks += invariant_holds(name, never_fire(name))
    progress("T5: replaying")
    checks.append(replay_breach("lapse", "held_under_lease"))
    for name, profile, environment in worlds():
        progress(f"T5: worst holdover of {name}")
        checks.append(same_worst(name, profile, environment))
    return Theorem("T5", TITLE, tuple(checks))


def never_fire(name: str) -> frozenset[str]:
    """The rows that T2's invariant rules out for a profile."""
    claim = case(name, TOLERATED[name])
    return frozenset(
        answer.obligation.row
        for answer in whether_fire(list(firing(claim)))
        if answer.result == "proved"
    )
