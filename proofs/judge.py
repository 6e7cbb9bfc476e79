"""The verdict on one client in given surroundings: holds, violated or unknown.

In this order:

1. the bound: if the holdover is bounded and the server's grace reaches it, the invariant's
   obligations are proved for exactly these numbers - any number of hosts and addresses (T3);
2. the explorer: a shortest run after which two hosts hold one address - or, for clients that probe,
   after which the server has given away an address that is still held, since a host that does not
   probe would then use it too - confirmed in exact seconds;
3. the runs that T3 has written down: one of them, with the client's own seconds;
4. otherwise unknown, with what was looked at.

What is judged is the client among hosts of its own kind, on a network as `Environment` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from holdover.model.bound import ack_missed, bounded, safe_grace, server_keeps, worst_holdover
from holdover.model.explore import Exploration, explore
from holdover.model.explore import Progress as SearchProgress
from holdover.model.finite import Bounds, Constants, Instance, bounds_for
from holdover.model.numeric import holds, seconds
from holdover.model.profile import Environment, Profile, in_seconds, in_ticks
from holdover.model.properties import EXCLUSIVE
from holdover.model.story import Event, events
from holdover.model.table import LEASE_TABLE
from holdover.model.words import shortens
from holdover.proofs.invariants import HEARING, LEASED, OWNED
from holdover.proofs.obligations import Case, Verdict, decide
from holdover.proofs.realise import hurried, realise
from holdover.proofs.result import Outcome, Progress, silent
from holdover.proofs.witness import witness

STANDARD = Environment(
    delay=Fraction(1),
    acknowledge_within=None,
    faults=frozenset({"mutes", "loses", "duplicates"}),
)
"""What every client meets: a server that may fall silent, a network that loses, duplicates and
delays by up to a second, a user who may never answer; an hour's lease, no grace, no drift."""

COARSE_DRIFT = Fraction(1, 4)
"""The drift of a search in ticks, where there is any: less is lost in a lease of few ticks."""


@dataclass(frozen=True)
class Size:
    """How large an instance is searched, and in how many ticks a lease passes.

    In three, renewal, rebinding and the end are distinct; more ticks tell more durations apart.
    """

    hosts: int = 2
    addresses: int = 1
    messages: int = 1
    ticks: int = 3
    memory: int = 1 << 30


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason."""

    profile: Profile
    environment: Environment
    outcome: Outcome
    reason: str
    worst: Fraction | None
    grace: Fraction | None
    run: tuple[Event, ...] = ()
    unit: str = "s"
    states: int = 0
    proof: Verdict | None = None
    looked_at: tuple[Constants, Bounds] | None = None
    """The instance in which the run was found."""


def judge(
    profile: Profile,
    environment: Environment = STANDARD,
    size: Size = Size(),
    solvers: Sequence[str] = ("z3",),
    progress: Progress = silent,
    searched: SearchProgress | None = None,
) -> Judgement:
    """The verdict on a client."""
    constants = in_seconds(profile, environment)
    limited = holds(bounded & server_keeps, constants)
    worst = seconds(worst_holdover, constants) if limited else None
    needed = seconds(safe_grace, constants) if limited else None
    found = Judgement(profile, environment, "unknown", "", worst, needed)
    if needed is not None and needed <= environment.grace:
        progress(f"{profile.name}: proving")
        verdict = decide(exact_case(profile.name, constants), solvers, firing_too=False)
        if verdict.proved:
            return replace(found, outcome="holds", reason=_proved(verdict), proof=verdict)
    progress(f"{profile.name}: searching for a collision")
    seen, run, unit = collision(profile, environment, size, searched)
    found = replace(found, states=len(seen.states))
    if run:
        instance = (seen.instance.constants, seen.instance.bounds)
        return replace(_broken(found, run), unit=unit, looked_at=instance)
    progress(f"{profile.name}: trying the runs of T3")
    if told := witness(profile, environment):
        return _broken(found, told)
    return replace(found, reason=_undecided(seen, size))


def _broken(found: Judgement, run: Sequence[Event]) -> Judgement:
    """The verdict where a run ends badly."""
    end = "given away while held" if found.profile.probes else "two hosts hold one address"
    steps = sum(event.action != "tick" for event in run)
    reason = f"{end} after {steps} steps"
    return replace(found, outcome="violated", run=tuple(run), reason=reason)


def exact_case(name: str, constants: dict[str, object]) -> Case:
    """The invariant for exactly these numbers."""
    hears = holds(shortens & ~ack_missed, constants)
    argument = HEARING if hears else LEASED
    return Case(f"judge-{name}", f"{name} with its own numbers", argument, constants, ())


def _proved(verdict: Verdict) -> str:
    solvers = " and ".join(sorted({answer.solver for answer in verdict.answers}))
    count = len({answer.obligation.name for answer in verdict.answers})
    return f"theorem T3, any number of hosts and addresses ({count} obligations, {solvers})"


def _undecided(seen: Exploration, size: Size) -> str:
    shape = f"{size.hosts} hosts, {size.addresses} addresses, {size.messages} datagrams"
    if seen.complete:
        return f"no proof; no collision in all {len(seen.states)} states of {shape}"
    if "exclusive" in seen.violations or "owned" in seen.violations:
        return f"no proof; a collision in ticks that is none in seconds ({shape})"
    return (
        f"no proof; cut off after {len(seen.states)} states of {shape}, depth {seen.depth}: "
        "give more --memory"
    )


def search(
    profile: Profile,
    environment: Environment,
    size: Size,
    progress: SearchProgress | None = None,
) -> Exploration:
    """The exploration in ticks; durations are rounded up, and so is a drift."""
    if environment.drift:
        environment = replace(environment, drift=max(environment.drift, COARSE_DRIFT))
    constants = in_ticks(profile, environment, environment.lease / size.ticks)
    # Both of the kernel's allowances are less than a tick; rounded up they would eat the lease.
    constants["margin"] = 0
    bounds = bounds_for(constants, size.hosts, size.addresses, size.messages)
    wanted = OWNED if profile.probes else EXCLUSIVE
    model = Instance(LEASE_TABLE, constants, bounds)
    return explore(model, (wanted,), stop=True, memory=size.memory, progress=progress)


def collision(
    profile: Profile,
    environment: Environment,
    size: Size,
    progress: SearchProgress | None = None,
) -> tuple[Exploration, list[Event], str]:
    """The search, and a shortest collision in seconds, or no events if it found none.

    The simplest surroundings that suffice come first: a network that loses nothing, and datagrams
    that arrive at once, since a delay of a second is far less than a tick.  Where they may take a
    tick, the run found is made to wait as little as it can.
    """
    wanted = OWNED if profile.probes else EXCLUSIVE
    constants = in_seconds(profile, environment)
    clean = replace(environment, faults=environment.faults - {"loses", "duplicates"})
    prompt = replace(clean, delay=Fraction(0))
    for world in dict.fromkeys((prompt, clean, environment)):
        seen = search(profile, world, size, progress)
        trace = seen.violations.get(wanted.name)
        if trace is None:
            continue
        hasty = hurried(trace, wanted)
        times = realise(hasty, constants, wanted)
        if times is not None:
            return seen, events(hasty, times), "s"
    return seen, [], "s"
