"""From ticks to seconds: a run that exists only in ticks is none; hurrying changes no step."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import STANDARD, Environment, Profile, in_seconds, load
from holdover.model.explorer.explore import Trace
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.proofs.logic.concretise import realise, replay, shorten_flights
from holdover.proofs.logic.invariants import OWNED
from holdover.proofs.verdicts.judge import Size, search

TIGHT = Profile("tight", anchor="ACK", late=Fraction(1))
LOSSLESS = replace(STANDARD, faults=frozenset({"mutes"}))


def found(profile: Profile, world: Environment, wanted: Property = EXCLUSIVE) -> Trace:
    """The shortest collision in ticks."""
    return search((ClientKind(profile),) * 2, world, Size()).violations[wanted.name]


@pytest.mark.parametrize(
    ("grace", "real"),
    [
        (Fraction(1, 2), True),
        (Fraction(1999, 1000), True),
        (Fraction(2), False),
        (Fraction(5, 2), False),
    ],
)
def test_run_that_exists_only_in_ticks_is_none(grace: Fraction, real: bool) -> None:
    """Delay and lateness, a second each, are a tick each, and so is any grace: two exceed one."""
    world = replace(LOSSLESS, grace=grace)
    run = found(TIGHT, world)
    times = realise(run, in_seconds(TIGHT, world), EXCLUSIVE)
    assert (times is not None) == real


def test_instants_never_go_back_and_move_at_ticks_only() -> None:
    world = replace(LOSSLESS, grace=Fraction(1))
    run = found(TIGHT, world)
    times = realise(run, in_seconds(TIGHT, world), EXCLUSIVE)
    assert times is not None
    assert len(times) == len(run)
    for label, before, after in zip(run.labels, [Fraction(0), *times], times, strict=False):
        assert (after > before) == (label.action.name == "tick")
    assert 3601 < times[-1] <= 3602


def test_run_that_does_not_break_the_property_is_none() -> None:
    run = found(TIGHT, LOSSLESS)
    less = Trace(run.instance, run.labels[:-1], run.states[:-1])
    assert realise(less, in_seconds(TIGHT, LOSSLESS), EXCLUSIVE) is None


def test_shortened_lease_is_the_least_in_seconds() -> None:
    """A lease of one tick of three is the shortest that the server grants, and not its third."""
    world = replace(LOSSLESS, faults=frozenset({"shortens", "loses"}), shortest=Fraction(1000))
    run = found(load("rfc2131"), world)
    times = realise(run, in_seconds(load("rfc2131"), world), EXCLUSIVE)
    assert times is not None
    assert 1000 < times[-1] < 3600


CASES = [
    ("wfwg311", LOSSLESS),
    ("udhcpc", LOSSLESS),
    ("connman", STANDARD),
    ("lwip", LOSSLESS),
    ("rfc2131", LOSSLESS.and_faults("forgets")),
]


@pytest.mark.parametrize(("name", "world"), CASES, ids=[name for name, _ in CASES])
def test_hurried_run_takes_the_same_steps_and_comes_to_the_same(
    name: str, world: Environment
) -> None:
    profile = load(name)
    wanted = OWNED if profile.probes else EXCLUSIVE
    run = found(profile, world, wanted)
    hasty = shorten_flights(run, wanted)
    assert Counter(hasty.labels) == Counter(run.labels)
    assert replay(hasty.instance, hasty.labels) == hasty
    assert run.instance.predicate(wanted.term)(hasty.states[-1]) is False
    assert run.instance.predicate(wanted.term)(hasty.states[-2]) is True


def test_hurried_run_keeps_no_datagram_waiting_without_need() -> None:
    run = found(load("connman"), STANDARD)
    assert waits(shorten_flights(run, EXCLUSIVE)) < waits(run)


def test_hurried_run_silences_the_server_as_late_as_it_can() -> None:
    run = found(load("wfwg311"), LOSSLESS)
    assert ticks_until("mute", shorten_flights(run, EXCLUSIVE)) > ticks_until("mute", run)


def ticks_until(name: str, trace: Trace) -> int:
    """How many ticks pass before the first step by this row."""
    names = [label.action.name for label in trace.labels]
    return names[: names.index(name)].count("tick")


def waits(trace: Trace) -> int:
    """How many ticks pass while a datagram is in flight."""
    kind = trace.instance.place["kind", 0]
    free = trace.instance.initial[kind]
    steps = zip(trace.labels, trace.states, strict=False)
    return sum(label.action.name == "tick" and state[kind] != free for label, state in steps)
