"""The automaton and the hypotheses allow whatever the lease table does: random runs of it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from holdover.model.clients.profile import STANDARD, in_seconds, load
from holdover.model.readings.interpreter import Interpreter, State, Value
from holdover.model.table.expr import Action
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE
from holdover.reference.audit.monitor.context import OPEN, conforming
from holdover.reference.audit.possible.automaton import (
    FAULTS,
    FOR_CLIENT,
    FROM_CLIENT,
    Automaton,
    automaton_of,
)
from holdover.reference.audit.possible.chart import Sign, chart_of
from holdover.reference.audit.possible.hypotheses import Grant, Now
from holdover.reference.audit.possible.of_host import MINE, NO_ONE, OTHER, Node
from holdover.reference.audit.possible.possibilities import Possibilities
from holdover.reference.core.instants import SECOND

LEASE = 600
DRIFT = Fraction(1, 10_000)
SIZES = {HOST: 2, ADDRESS: 2, MESSAGE: 2}
DOMAINS = {"length": (LEASE,), "skew": (0,), "passing": (Fraction(1, 2), 74, 150, 299)}
CLIENT, ABOUT = 0, 0
ENVIRONMENT = replace(STANDARD, lease=Fraction(LEASE), faults=FAULTS)
RARE = ("stop", "release", "mute", "lose", "miss", "ignore", "duplicate", "give_up", "unmute")


@dataclass
class Step:
    """A row of the table, and the states before and after it."""

    action: Action
    binding: dict[str, Value]
    before: State
    after: State


def runs(seed: int, steps: int, *, probes: bool, kernel: bool) -> Iterator[Step]:
    """A run of the table in which the first host is a conforming client."""
    rng = random.Random(seed)
    profile = replace(
        conforming(),
        probes=probes,
        probe_time=Fraction(7 if probes else 0),
        enforcer="KERNEL" if kernel else "PROCESS",
        kernel_late=Fraction(1 if kernel else 0),
        margin=Fraction(2 if kernel else 0),
    )
    world = Interpreter(LEASE_TABLE, in_seconds(profile, ENVIRONMENT), SIZES)
    state = world.initial()
    for _ in range(steps):
        possible = []
        for action in rng.sample(LEASE_TABLE.actions, len(LEASE_TABLE.actions)):
            settled = state["phase", CLIENT] in ("BOUND", "RENEWING", "REBINDING")
            if action.name in RARE and rng.random() < (
                0.99 if settled or action.name == "unmute" else 0.9
            ):
                continue
            if action.name == "tick" and not settled and rng.random() < 0.5:
                continue
            found = list(world.bindings(state, action, DOMAINS))
            if found:
                possible.append((action, rng.choice(found)))
                if len(possible) == 2 or (settled and action.name == "tick"):
                    break
        if not possible:
            continue
        action, binding = rng.choice(possible)
        after = world.step(state, action, binding)
        named = {str(p.args[0]): v for p, v in zip(action.given, binding, strict=True)}
        yield Step(action, named, state, after)
        state = after


def node_of(state: State) -> Node:
    """The first host, about the first address."""

    def told(value: Value) -> str:
        return NO_ONE if value is None else MINE if value == ABOUT else OTHER

    return Node(
        str(state["phase", CLIENT]),
        str(state["process", CLIENT]),
        told(state["wants", CLIENT]),
        told(state["holds", CLIENT]),
        told(state["beside", CLIENT]),
        state["refused", CLIENT] is True,
    )


def whole() -> Automaton:
    return automaton_of(conforming(), replace(STANDARD, drift=DRIFT, faults=FAULTS), OPEN)


@pytest.mark.kept("cases of audits")
@pytest.mark.parametrize("seed", range(8))
def test_each_step_of_the_table_is_a_way(seed: int) -> None:
    automaton, rows = whole(), set()
    for step in runs(seed, 250, probes=seed % 2 == 0, kernel=seed % 3 == 0):
        before, after = node_of(step.before), node_of(step.after)
        assert before in automaton.ways
        if before != after:
            rows.add(step.action.name)
            ways = [w for w in automaton.ways[before] if w.row == step.action.name]
            assert after in [way.after for way in ways], (before, step.action.name, after)
        check_limit(automaton, step.after, after)
    assert rows


def check_limit(automaton: Automaton, state: State, node: Node) -> None:
    for limit in automaton.limits(node):
        since = state["refused_at" if limit.from_nak else "lease_end", CLIENT]
        assert isinstance(since, int | Fraction)
        assert state.now <= since + limit.seconds


def nanoseconds(value: Value) -> int:
    assert isinstance(value, int | Fraction)
    return int(value * SECOND)


@pytest.mark.kept("cases of audits")
@pytest.mark.parametrize("seed", range(12))
def test_there_is_always_a_hypothesis_that_is_true(seed: int) -> None:
    """Its node, no more missed than were, and no earlier lease end: what 0041 argues."""
    rng, chart = random.Random(seed), chart_of(whole())
    longest = chart.automaton.longest(LEASE)
    possible = Possibilities.unknown(chart, (8, 8))
    missed, unheard, pending = 0, 0, list[tuple[Sign, Grant, int]]()
    asked = 0
    for step in runs(seed + 100, 250, probes=seed % 2 == 0, kernel=seed % 3 == 0):
        at = nanoseconds(step.after.now)
        now = Now(at, at + longest, longest)
        sign = sign_of(step)
        if sign is None:
            pass
        elif rng.random() < 0.03:
            missed += sign.kind != "OFFER"
        elif sign.kind != "OFFER":
            if sign.kind == "REQUEST":
                asked = at
            grant = Grant(asked + longest, at + longest)
            unheard += sign.kind == "NAK"
            possible.see(sign, now, grant if sign.kind == "ACK" else None)
            pending = [(s, g, t) for s, g, t in pending if at - t <= SECOND]
            if sign.kind in FROM_CLIENT:
                for late, end, _ in pending:
                    possible.see(late, now, end)
            if sign.kind == "ACK":
                pending.append((sign, grant, at))
        node = node_of(step.after)
        if node.has and step.action.name == "tick" and rng.random() < 0.5:
            assert possible.use(Sign("USE", MINE), now)
            assert possible.fewest(unheard) is not None
        assert is_covered(possible, step.after, node, missed, now), (step.action.name, node)


def is_covered(possible: Possibilities, state: State, node: Node, missed: int, now: Now) -> bool:
    """The true state can be reached from a hypothesis by what nobody saw."""
    fewest = possible.copy()
    if node.has:
        return fewest.use(Sign("USE", MINE), now) and (fewest.fewest(8) or 0) <= missed
    return fewest.use(Sign("LACKS"), now) and (fewest.fewest(8) or 0) <= missed


def sign_of(step: Step) -> Sign | None:
    """What a capture point sees of a row: a datagram of this client that is put on its way."""
    m = step.binding.get("m")
    name = step.action.name
    if not isinstance(m, int) or name == "duplicate":
        return None
    kind = str(step.after["kind", m])
    again = kind == step.before["kind", m] and step.after["sent", m] == step.before["sent", m]
    if again or step.after["client", m] != CLIENT or kind not in (*FOR_CLIENT, *FROM_CLIENT):
        return None
    about = step.after["address", m]
    subject = NO_ONE if about is None or kind == "NAK" else MINE if about == ABOUT else OTHER
    form = ""
    if kind == "REQUEST":
        phase = str(step.after["phase", CLIENT])
        form = {"REQUESTING": "selecting", "REBOOTING": "rebooting"}.get(phase, "extending")
    if kind == "DISCOVER":
        subject = NO_ONE
    return Sign(kind, subject, form)


def test_the_run_above_would_see_a_client_that_does_not_conform() -> None:
    """A client whose process is killed keeps its address: no way leads there."""
    automaton = whole()
    assert not any(node.process == "DEAD" and node.has for node in automaton.nodes)
    keeps = automaton_of(
        replace(load("rfc2131"), trigger="NEVER"), replace(STANDARD, faults=FAULTS)
    )
    bound = next(n for n in keeps.nodes if n.phase == "BOUND" and n.holds == MINE)
    assert keeps.limits(bound) == ()
    assert automaton.limits(bound)


def test_a_lease_lasts_as_long_as_the_slowest_clock_says() -> None:
    """RFC 2131 §3.3, by the table's own words."""
    assert whole().longest(LEASE) == pytest.approx(LEASE * SECOND / (1 - 1e-4), abs=2)
    floor = automaton_of(
        replace(conforming(), floor=Fraction(900)), replace(STANDARD, drift=DRIFT, faults=FAULTS)
    )
    assert floor.longest(LEASE) == pytest.approx(900 * SECOND / (1 - 1e-4), abs=2)
