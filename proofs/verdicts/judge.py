"""The verdict on one client in given surroundings: holds, violated or unknown.

In this order:

0. what the profile does not state: if the verdict hangs on that by the bound, it is unknown;
1. the bound: if the holdover is bounded and the server's grace reaches it, the invariant's
   obligations are proved for exactly these numbers - any number of hosts and addresses (T3);
2. the explorer: a shortest run after which two hosts hold one address - or, for clients that probe,
   after which the server has given away an address that is still held, since a host that does not
   probe would then use it too - confirmed in exact seconds;
3. the runs that T3 has written down: one of them, with the client's own seconds;
4. otherwise unknown, with what was looked at.

A run that is told is one by the causes of the verdict (`causes.py`) and by nothing else that could
do harm, if there is such a run: it is searched for with a client that has only these.

What is judged is the client among hosts of its own kind, on a network as `Environment` says.

A network of several kinds (`judge_network`) holds if the grace is enough for each of them: T3 is
about hosts of which each may have a client of its own.  If it is not, a run is looked for in which
a host of a kind for which it is too short holds an address that a host of any kind is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial

from holdover.model.clients.network import ClientKind, Clients, Network, of_hosts
from holdover.model.clients.profile import FAULTS, STANDARD, Environment, Profile
from holdover.model.explorer.explore import Progress as SearchProgress
from holdover.model.explorer.explore import SearchResult, bytes_per_state, explore
from holdover.model.explorer.instances import small_instance
from holdover.model.explorer.length import count_of, count_steps
from holdover.model.explorer.sequence_chart import ChartEvent, events
from holdover.model.readings.constants import holds
from holdover.model.readings.finite import Bounds, Constants, Instance
from holdover.model.table.bound import ack_missed
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.vocabulary import h, shortens
from holdover.proofs.logic.concretise import realise, realise_bindings, shorten_flights
from holdover.proofs.logic.invariants import HEARING, LEASED, OWNED, PROBED
from holdover.proofs.logic.obligations import Case
from holdover.proofs.logic.solvers import CaseVerdict, decide
from holdover.proofs.result import Outcome, Progress, silent
from holdover.proofs.theorems.t2_safety import numbers
from holdover.proofs.verdicts.by_bound import HangsOn, Need
from holdover.proofs.verdicts.causes import Cause, Deployment, blame
from holdover.proofs.verdicts.need import judge_by_bound
from holdover.proofs.verdicts.witness import witness

COARSE_DRIFT = Fraction(1, 4)
"""The drift of a search in ticks, where there is any: less is lost in a lease of few ticks."""


PLAIN = 50_000
"""States up to which a search is in plain Python: the engine takes half a second to begin."""


SHORT = 16
"""A search for a run by the causes alone has so small a part of the memory: there is another."""


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
    run: tuple[ChartEvent, ...] = ()
    unit: str = "s"
    states: int = 0
    proof: CaseVerdict | None = None
    looked_at: tuple[Constants, Bounds] | None = None
    """The instance in which the run was found."""
    hangs_on: HangsOn | None = None
    causes: tuple[Cause, ...] = ()
    """What the run rests on; empty too where none of the runs shows that alone."""


def judge(
    profile: Profile,
    environment: Environment = STANDARD,
    size: Size = Size(),
    solvers: Sequence[str] = ("z3",),
    progress: Progress = silent,
    searched: SearchProgress | None = None,
) -> Judgement:
    """The verdict on a client."""
    client = ClientKind(profile)
    need = judge_by_bound(client, environment)
    found = Judgement(profile, environment, "unknown", "", need.worst, need.grace)
    if need.hangs_on is not None:
        return replace(found, reason=_hangs(need.hangs_on), hangs_on=need.hangs_on)
    if need.met:
        progress(f"{profile.name}: proving")
        case = exact_case(profile.name, client.in_seconds(environment))
        verdict = decide(case, solvers, firing_too=False)
        if verdict.proved:
            return replace(found, outcome="holds", reason=_proved(verdict), proof=verdict)
    probing = profile.probes and among_strangers(environment)
    if probing and proved_by_probing(environment.faults, environment.drift != 0):
        return replace(found, outcome="holds", reason=PROBING)
    progress(f"{profile.name}: searching for a collision")
    told = told_by_cause((client,) * size.hosts, environment, size, searched)
    found = replace(found, states=told.seen.count, causes=told.causes)
    if not told.run:
        return replace(found, reason=_undecided(told.seen, size))
    reason, instance = _broken(told.run, told.causes), told.seen.instance
    looked_at = (instance.constants, instance.bounds) if told.searched else None
    return replace(
        found, outcome="violated", reason=reason, run=tuple(told.run), looked_at=looked_at
    )


@dataclass(frozen=True)
class Told:
    """A collision, if there is one, with its causes; the search, and whether that has found it."""

    seen: SearchResult
    run: Sequence[ChartEvent]
    causes: tuple[Cause, ...]
    searched: bool


def told_by_cause(
    hosts: Clients, environment: Environment, size: Size, progress: SearchProgress | None = None
) -> Told:
    """A collision of which the first host is the holder, and its causes; no events if none is seen.

    First one of a client to which nothing but the causes of the verdict happens, in a short search.
    Then any, which has them if a client with the causes alone could have the same run.
    """
    whole, given = of_hosts(hosts, environment), Deployment(hosts[0], environment)
    found = blame(hosts[0], environment)
    lesser = of_hosts(_with_holder(hosts, found.lesser.client), found.lesser.environment)
    for each in dict.fromkeys((found.alike, given)):
        kinds, is_whole = _with_holder(hosts, each.client), each == given
        room = size if is_whole else replace(size, memory=size.memory // SHORT)
        seen, run = collision(kinds, each.environment, room, progress, whole)
        if run:
            shown = (
                not is_whole
                or each == found.alike
                or shows(seen, lesser, wanted_of(hosts, environment))
            )
            return Told(seen, run, found.causes if shown else (), searched=True)
        if run := witness(kinds[:2], each.environment, whole) or []:
            causes = found.causes if each == found.alike else ()
            return Told(seen, run, causes, searched=False)
    return Told(seen, (), (), searched=True)


def _with_holder(hosts: Clients, client: ClientKind) -> Clients:
    return tuple(client if host == hosts[0] else host for host in hosts)


def shows(seen: SearchResult, constants: dict[str, object], wanted: Property) -> bool:
    """Whether the run that was found is one of hosts with these constants, too."""
    hasty = shorten_flights(seen.violations[wanted.name], wanted)
    return realise(hasty, constants, wanted) is not None


@dataclass(frozen=True)
class NetworkJudgement:
    """A verdict on a network, with its reason; `hosts` are those of the run."""

    network: Network
    environment: Environment
    needs: tuple[Need, ...]
    outcome: Outcome
    reason: str
    run: tuple[ChartEvent, ...] = ()
    hosts: Clients = ()
    states: int = 0
    proof: CaseVerdict | None = None
    causes: tuple[Cause, ...] = ()


def judge_network(
    network: Network,
    environment: Environment,
    size: Size = Size(),
    solvers: Sequence[str] = ("z3",),
    progress: Progress = silent,
    searched: SearchProgress | None = None,
) -> NetworkJudgement:
    """The verdict on a network of several kinds of client."""
    clients = network.clients
    needs = tuple(judge_by_bound(client, environment) for client in clients)
    found = NetworkJudgement(network, environment, needs, "unknown", "no proof")
    hanging = [need for need in needs if need.hangs_on is not None]
    if hanging and all(need.met or need.hangs_on for need in needs):
        return replace(found, reason="; ".join(map(_hanging_kind, hanging)))
    if all(need.met for need in needs):
        progress(f"{network.title}: proving")
        case = exact_case(network.title, of_hosts(clients, environment))
        verdict = decide(case, solvers, firing_too=False)
        if verdict.proved:
            return replace(found, outcome="holds", reason=_proved(verdict), proof=verdict)
    pairs = [
        (need.client, other)
        for need in sorted(needs, key=lambda need: (need.worst is not None, -(need.worst or 0)))
        for other in sorted(clients, key=lambda other: other.profile.probes)
        if not need.met and need.hangs_on is None
    ]
    for pair in pairs:
        progress(f"{network.title}: {pair[0].name} and {pair[1].name}: searching for a collision")
        told = told_by_cause(pair, environment, size, searched)
        found = replace(found, states=found.states + told.seen.count)
        if told.run:
            return replace(
                found,
                outcome="violated",
                reason=_broken(told.run, told.causes),
                run=tuple(told.run),
                hosts=pair,
                causes=told.causes,
            )
    searched_in = f"no collision found in {found.states} states of two hosts" if pairs else ""
    return replace(found, reason="; ".join(filter(None, ("no proof", searched_in))))


def _broken(run: Sequence[ChartEvent], causes: Sequence[Cause]) -> str:
    """How a run ends badly, and why."""
    there = [place for host in run[-1].holding if host for place in host.split(" and ")]
    both = len(set(there)) < len(there)
    end = "two hosts hold one address" if both else "given away while held"
    steps = count_of(count_steps(event.action for event in run), "step")
    why = "; ".join(cause.says for cause in causes)
    return f"{end} after {steps}" + (f": {why}" if why else "")


def exact_case(name: str, constants: dict[str, object]) -> Case:
    """The invariant for exactly these numbers; what differs among kinds of client is a tuple."""
    kinds = max((len(value) for value in constants.values() if isinstance(value, tuple)), default=1)
    hears = any(holds(shortens & ~ack_missed(h), constants, kind) for kind in range(kinds))
    argument = HEARING if hears else LEASED
    return Case(f"judge-{name}", f"{name} with its own numbers", argument, constants, ())


def _proved(verdict: CaseVerdict) -> str:
    solvers = " and ".join(sorted({answer.solver for answer in verdict.answers}))
    count = len({answer.obligation.name for answer in verdict.answers})
    return f"theorem T3, any number of hosts and addresses ({count} obligations, {solvers})"


def _hangs(on: HangsOn) -> str:
    return f"depends on what the profile does not state: {', '.join(on.facts)}"


def _hanging_kind(need: Need) -> str:
    assert need.hangs_on is not None
    return f"{need.client.name} {_hangs(need.hangs_on)}"


def _undecided(seen: SearchResult, size: Size) -> str:
    shape = f"{size.hosts} hosts, {size.addresses} addresses, {size.messages} datagrams"
    if seen.complete:
        return f"no proof; no collision in all {seen.count} states of {shape}"
    if "exclusive" in seen.violations or "owned" in seen.violations:
        return f"no proof; a collision in ticks that is none in seconds ({shape})"
    return (
        f"no proof; cut off after {seen.count} states of {shape}, depth {seen.depth}: "
        "give more --memory"
    )


PROBING = "by probing: nobody takes an address that somebody answers for (any number of hosts)"


def among_strangers(environment: Environment) -> bool:
    """Somebody configures addresses by hand, which no lease stands behind."""
    return not {"settles", "intrudes"}.isdisjoint(environment.faults)


@cache
def proved_by_probing(faults: frozenset[str], drifts: bool) -> bool:
    """Whether `PROBED` is inductive for clients that probe, whatever else they do.

    On any clocks where they drift; on exact ones a solver is much faster.
    """
    clocks = {} if drifts else {"drift": 0}
    fixed = {"probes": True, **clocks, **{f: f in faults for f in FAULTS}}
    case = Case("probing", "clients that probe", PROBED, fixed, numbers())
    return decide(case, firing_too=False).proved


def search(
    hosts: Clients,
    environment: Environment,
    size: Size,
    progress: SearchProgress | None = None,
    *,
    large: bool = False,
) -> SearchResult:
    """The exploration in ticks; durations are rounded up, and so is a drift.

    It is the explorer's as far as PLAIN states, and from there on the engine's.  `large`: it is
    known to be larger, as a part of it is.
    """
    if environment.drift:
        environment = replace(environment, drift=max(environment.drift, COARSE_DRIFT))
    model = small_instance(hosts, environment, size.ticks, size.addresses, size.messages)
    wanted = wanted_of(hosts, environment)
    room = PLAIN * bytes_per_state(model)
    if large and size.memory > room:
        return search_by_engine(model, wanted, size.memory, progress)
    seen = explore(model, (wanted,), stop=True, memory=min(room, size.memory), progress=progress)
    if seen.stopped_by != "memory" or size.memory <= room:
        return seen
    return search_by_engine(model, wanted, size.memory, progress)


def search_by_engine(
    model: Instance, wanted: Property, memory: int, progress: SearchProgress | None
) -> SearchResult:
    """The same by the engine; by the explorer where it has no engine, or the engine no tables."""
    from holdover.model.engine.engine import search
    from holdover.model.packed.components import TooManyValuesError
    from holdover.model.packed.symmetry import NotSymmetricError

    ask = partial(search, model, (wanted,), threads=1, memory=memory, stop=True, progress=progress)
    try:
        return ask()
    except NotSymmetricError:
        return ask(symmetry=False)
    except TooManyValuesError:
        return explore(model, (wanted,), stop=True, memory=memory, progress=progress)


def wanted_of(hosts: Clients, environment: Environment) -> Property:
    """What a run has to break: where the last host probes it does not use what it is given.

    An address that is set by hand is on record for nobody: there it is the collision itself.
    """
    given_away = hosts[-1].profile.probes and not among_strangers(environment)
    return OWNED if given_away else EXCLUSIVE


def collision(
    hosts: Clients,
    environment: Environment,
    size: Size,
    progress: SearchProgress | None = None,
    constants: dict[str, object] | None = None,
    *,
    large: bool = False,
) -> tuple[SearchResult, list[ChartEvent]]:
    """The search, and a shortest collision in seconds, or no events if it found none.

    The simplest surroundings that suffice come first: a network that loses nothing, and datagrams
    that arrive at once, since a delay of a second is far less than a tick.  None are searched in
    which the bound is met: what could happen there can happen in the next ones, too.  Where
    datagrams may take a tick, the run found is made to wait as little as it can.  Its seconds are
    those of `constants`, if they are given: those of hosts that can do more than these.  `large`:
    each search is known to be larger than PLAIN.
    """
    wanted = wanted_of(hosts, environment)
    exact = constants or of_hosts(hosts, environment)
    clean = replace(environment, faults=environment.faults - {"loses", "duplicates"})
    prompt = replace(clean, delay=Fraction(0))
    larger = large
    for world in dict.fromkeys((prompt, clean, environment)):
        if world != environment and all(judge_by_bound(host, world).met for host in set(hosts)):
            continue
        seen = search(hosts, world, size, progress, large=larger)
        larger = large or seen.count > PLAIN
        trace = seen.violations.get(wanted.name)
        if trace is None:
            continue
        hasty = shorten_flights(trace, wanted)
        found = realise_bindings(hasty, exact, wanted)
        if found is not None:
            times, bindings = zip(*found, strict=True)
            return seen, events(hasty, times, bindings)
    return seen, []
