"""The verdict: a proof first, else a collision that is real in seconds, never a pass by default."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from holdover.model.clients.network import ClientKind, Network, of_hosts
from holdover.model.clients.profile import (
    STANDARD,
    Environment,
    Profile,
    builtin_names,
    in_seconds,
    load,
)
from holdover.model.explorer.explore import EngineResult, SearchResult
from holdover.model.explorer.sequence_chart import ChartEvent
from holdover.model.readings.constants import seconds
from holdover.model.readings.interpreter import Binding, Interpreter, State
from holdover.model.table.bound import safe_grace
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import h
from holdover.proofs.logic import solvers
from holdover.proofs.logic.invariants import OWNED
from holdover.proofs.logic.solvers import decide
from holdover.proofs.logic.unrolled import sizes_of
from holdover.proofs.verdicts import judge as module
from holdover.proofs.verdicts.claims import SAFE
from holdover.proofs.verdicts.judge import Judgement, NetworkJudgement, Size, judge, judge_network
from holdover.proofs.verdicts.need import judge_by_bound
from holdover.proofs.verdicts.witness import witness

pytestmark = pytest.mark.usefixtures("kept_cvc5")

VIOLATED = tuple(name for name in builtin_names() if name not in SAFE)
TIGHT = Profile("tight", anchor="ACK", late=Fraction(1))
"""With a delay of one second it needs a grace of two; in ticks, two of them are more than one."""


@cache
def judged(name: str) -> Judgement:
    return judge(load(name))


def wanted(profile: Profile) -> Property:
    return OWNED if profile.probes else EXCLUSIVE


def in_exact_seconds(event: ChartEvent, passed: Fraction, constants: dict[str, object]) -> Binding:
    """An edge's parameters; clocks are perfect here, so a skew is none at all."""
    given = {"length": constants["full"], "skew": Fraction(0), "passing": passed}
    label = event.label
    return [
        value if p.sort.indexes else given[str(p.args[0])]  # type: ignore[misc]
        for p, value in zip(label.action.given, label.binding, strict=True)
    ]


def replayed(found: Judgement, environment: Environment = STANDARD) -> tuple[Interpreter, State]:
    """The run, step by step by the definition of the table, in exact seconds."""
    constants = in_seconds(found.profile, environment)
    world = Interpreter(LEASE_TABLE, constants, sizes_of(2, 1, 1))
    state = world.initial()
    for event in found.run:
        binding = in_exact_seconds(event, event.time - state.now, constants)
        state = world.step(state, event.label.action, binding)
        assert state.now == event.time
        shown = [state["holds", host] for host in range(2)]
        assert [None if a is None else f"a{int(str(a)) + 1}" for a in shown] == list(event.holding)
    return world, state


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize("name", VIOLATED)
def test_collision_is_a_run_in_exact_seconds(name: str) -> None:
    found = judged(name)
    assert (found.outcome, found.unit, found.proof) == ("violated", "s", None)
    world, end = replayed(found)
    assert not world.holds(wanted(found.profile).term, end)
    holders = [host for host in range(2) if end["holds", host] is not None]
    if found.profile.probes:
        (holder,) = holders
        assert end["owner", 0] != holder
    else:
        assert holders == [0, 1]
        assert not end["asleep", 0]
        assert not end["asleep", 1]


@pytest.mark.kept("cases of verdicts")
@pytest.mark.parametrize("name", VIOLATED)
def test_collision_is_a_first_one(name: str) -> None:
    """Up to the last step nobody has come to harm."""
    found = judged(name)
    world, before = replayed(replace(found, run=found.run[:-1]))
    assert world.holds(wanted(found.profile).term, before)


PROBING = [name for name in VIOLATED if load(name).probes]


@pytest.mark.parametrize("name", PROBING)
def test_a_client_probes_in_the_run_no_longer_than_its_profile_says(name: str) -> None:
    found = judged(name)
    uses = [number for number, event in enumerate(found.run) if event.action == "use"]
    assert uses
    for number in uses:
        host = found.run[number].host
        (began,) = (e for e in found.run[:number] if e.action == "bind" and e.host == host)
        probed = found.run[number].time - began.time
        assert probed <= found.profile.probe_time + found.profile.late


@pytest.mark.parametrize("name", VIOLATED)
def test_reuse_comes_after_the_server_lease_end_only(name: str) -> None:
    """Harm is done by the client alone: the server kept to its record of 3600 s."""
    reuse = next(event for event in judged(name).run if event.action == "reuse")
    assert reuse.time > 3600


@pytest.mark.parametrize("name", VIOLATED)
def test_reason_counts_the_steps_but_not_the_passing_of_time(name: str) -> None:
    found = judged(name)
    steps = [event for event in found.run if event.action != "tick"]
    end = "given away while held" if found.profile.probes else "two hosts hold one address"
    said = "; ".join(cause.says for cause in found.causes)
    assert found.reason == f"{end} after {len(steps)} steps: {said}"


@pytest.mark.parametrize("name", SAFE)
def test_proof_comes_first_and_nothing_is_searched(name: str) -> None:
    found = judged(name)
    assert found.outcome == "holds"
    assert found.proof is not None
    assert found.proof.proved
    assert (found.states, found.run) == (0, ())
    assert found.reason.startswith("theorem T3, any number of hosts and addresses")
    assert found.grace == found.worst == 0


def test_drift_collides_between_the_ends_on_fast_and_slow_clocks() -> None:
    drift = Fraction(100, 10**6)
    found = judge(load("rfc2131"), replace(STANDARD, drift=drift))
    assert (found.outcome, found.unit) == ("violated", "s")
    assert found.run[-1].holding == ("a1", "a1")
    assert 3600 / (1 + drift) < found.run[-1].time <= 3600 / (1 - drift)
    assert found.worst == 2 * drift * 3600 / (1 - drift**2)


def test_enough_grace_turns_the_verdict() -> None:
    needed = judge(TIGHT).grace
    assert needed == 2
    assert judge(TIGHT, replace(STANDARD, grace=needed)).outcome == "holds"
    less = judge(TIGHT, replace(STANDARD, grace=needed - Fraction(1, 1000)))
    assert less.outcome == "violated"
    replayed(less, less.environment)


@pytest.mark.parametrize("name", ["connman", "dhclient", "dhcpcd-noarp", "nt4"])
def test_just_below_the_bound_a_run_of_t3_is_one_of_the_client(name: str) -> None:
    """Where the explorer's ticks are too coarse for it: 98 % of the grace is too little."""
    profile = load(name)
    needed = seconds(safe_grace(h), in_seconds(profile, STANDARD))
    less, enough = (replace(STANDARD, grace=needed * share) for share in (Fraction(49, 50), 1))
    run = witness((ClientKind(profile),) * 2, less)
    assert run is not None
    found = Judgement(profile, less, "violated", "", needed, needed, tuple(run))
    world, end = replayed(found, less)
    assert not world.holds(wanted(profile).term, end)
    before = replayed(replace(found, run=found.run[:-1]), less)[1]
    assert world.holds(wanted(profile).term, before)
    assert witness((ClientKind(profile),) * 2, enough) is None


def test_it_is_tried_before_the_verdict_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "realise_bindings", lambda *given: None)
    found = judge(TIGHT, replace(STANDARD, grace=Fraction(199, 100)))
    assert (found.outcome, found.looked_at) == ("violated", None)
    replayed(found, found.environment)
    assert judge(TIGHT, replace(STANDARD, grace=Fraction(2))).outcome == "holds"


def test_no_bound_is_none() -> None:
    assert (judged("wfwg311").worst, judged("wfwg311").grace) == (None, None)
    forgetful = judge(load("rfc2131"), STANDARD.and_faults("forgets"))
    assert (forgetful.outcome, forgetful.worst, forgetful.grace) == ("violated", None, None)


# Unknown ----------------------------------------------------------------------------------------


@pytest.fixture
def silent_solver(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a solver that decides nothing."""

    def shrug(_: object, rounds: Sequence[object], __: int) -> list[str]:
        return ["unknown"] * len(rounds)

    monkeypatch.setitem(solvers.SOLVERS, "shrug", shrug)
    for effort in (solvers.EFFORT, solvers.FIRST):
        monkeypatch.setitem(effort, "shrug", 1)
    return "shrug"


def test_undecided_obligations_are_no_proof(silent_solver: str) -> None:
    found = judge(load("rfc2131"), solvers=(silent_solver,))
    assert found.outcome == "unknown"
    assert found.reason.startswith("no proof; no collision in all ")
    assert found.states > 1000
    assert (found.run, found.proof) == ((), None)


def test_one_solver_that_proves_does_not_outvote_one_that_does_not(silent_solver: str) -> None:
    assert judge(load("rfc2131"), solvers=("z3", silent_solver)).outcome == "unknown"


def test_search_that_was_cut_off_is_unknown_and_says_what_to_do() -> None:
    frozen = STANDARD.and_faults("freezes")
    found = judge(load("rfc2131"), frozen, Size(memory=1 << 20))
    assert found.outcome == "unknown"
    assert f"cut off after {found.states} states" in found.reason
    assert found.reason.endswith("give more --memory")
    assert judge(load("rfc2131"), frozen).outcome == "violated"


def test_collision_in_ticks_alone_is_no_collision(silent_solver: str) -> None:
    found = judge(TIGHT, replace(STANDARD, grace=Fraction(2)), solvers=(silent_solver,))
    assert found.outcome == "unknown"
    assert found.reason.startswith("no proof; a collision in ticks that is none in seconds")


# Networks ----------------------------------------------------------------------------------------

NEVER_ENDS = ClientKind(load("udhcpc"))
SHORT, LONG = ClientKind(load("networkd")), ClientKind(load("dhcpcd"))
"""By the bound of T3 they need a grace of 2 s and of 8 s."""


def network(*clients: ClientKind) -> Network:
    return Network("here", clients, {})


def replayed_network(found: NetworkJudgement) -> tuple[Interpreter, State]:
    """The run by the definition of the table, each host with its own client."""
    constants = of_hosts(found.hosts, found.environment)
    world = Interpreter(LEASE_TABLE, constants, sizes_of(2, 1, 1))
    state = world.initial()
    for event in found.run:
        binding = in_exact_seconds(event, event.time - state.now, constants)
        state = world.step(state, event.label.action, binding)
    return world, state


@pytest.mark.parametrize(
    ("clients", "grace", "hosts"),
    [
        ((ClientKind(load("rfc2131")), NEVER_ENDS), 0, ("udhcpc", "rfc2131")),
        ((SHORT, LONG), 7, ("dhcpcd", "networkd")),
        ((LONG, ClientKind(load("reference"))), 7, ("dhcpcd", "dhcpcd")),
        ((SHORT, ClientKind(load("reference"), ("suspends",))), 0, ("networkd", "networkd")),
        (
            (ClientKind(load("rfc2131")), ClientKind(load("rfc2131"), ("freezes",))),
            0,
            ("rfc2131 (freezes)", "rfc2131"),
        ),
    ],
)
def test_a_collision_in_a_network_is_a_run_in_exact_seconds(
    clients: tuple[ClientKind, ...], grace: int, hosts: tuple[str, ...]
) -> None:
    world = replace(STANDARD, grace=Fraction(grace))
    found = judge_network(network(*clients), world)
    assert found.outcome == "violated"
    assert tuple(client.name for client in found.hosts) == hosts
    here, end = replayed_network(found)
    assert not here.holds(wanted(found.hosts[1].profile).term, end)


def test_a_network_holds_with_the_grace_of_the_client_that_needs_most() -> None:
    site = network(SHORT, ClientKind(load("reference"), ("freezes",)), LONG)
    found = judge_network(site, replace(STANDARD, grace=Fraction(8)), solvers=("z3", "cvc5"))
    assert found.outcome == "holds"
    assert found.reason.startswith("theorem T3, any number of hosts")
    assert [need.grace for need in found.needs] == [2, 0, 8]
    less = judge_network(site, replace(STANDARD, grace=Fraction(2)))
    assert (less.outcome, [need.met for need in less.needs]) == ("violated", [True, True, False])


def test_a_grace_that_is_enough_for_one_kind_alone_is_not_proved_of_both() -> None:
    """The obligations themselves are refuted: the verdict does not hang on the bound alone."""
    world = replace(STANDARD, grace=Fraction(2))
    alone, both = (of_hosts(clients, world) for clients in ((SHORT,), (SHORT, LONG)))
    assert decide(module.exact_case("alone", alone), ("cvc5",), firing_too=False).proved
    found = decide(module.exact_case("both", both), ("cvc5",), firing_too=False)
    assert not found.proved
    assert any(answer.result == "refuted" for answer in found.answers)


def test_who_hears_of_a_shorter_lease_may_stand_beside_who_does_not() -> None:
    lossless = replace(
        STANDARD,
        faults=frozenset({"mutes", "duplicates", "shortens"}),
        patient=True,
        shortest=Fraction(600),
        grace=Fraction(3002),
    )
    site = network(ClientKind(load("reference")), SHORT)
    found = judge_network(site, lossless)
    assert found.outcome == "holds"
    assert [need.grace for need in found.needs] == [0, 3002]


def test_a_kind_alone_is_judged_as_it_is_in_a_network() -> None:
    for name in ("networkd", "udhcpc", "reference"):
        assert (
            judge_network(network(ClientKind(load(name))), STANDARD).outcome == judged(name).outcome
        )


@pytest.mark.parametrize("name", ["wfwg311", "reference"])
def test_past_so_many_states_a_search_is_the_engines_and_says_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = (ClientKind(load(name)),) * 2
    plain = module.search(hosts, STANDARD, Size())
    monkeypatch.setattr(module, "PLAIN", 100)
    found = module.search(hosts, STANDARD, Size())
    assert isinstance(found, EngineResult)
    assert {n: len(t) for n, t in found.violations.items()} == {
        n: len(t) for n, t in plain.violations.items()
    }
    assert found.complete == plain.complete
    if plain.complete:
        assert (found.count, found.depth) == (plain.count, plain.depth)


def test_surroundings_in_which_the_bound_is_met_are_not_searched_and_have_no_collision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that counts from the ACK, which may be a second late: with no delay it is in time.

    What is left out is looked at here; what is asked about is searched, whatever the bound says.
    """
    late = replace(STANDARD, faults=frozenset({"mutes", "loses"}), delay=Fraction(1))
    hosts = (ClientKind(replace(load("rfc2131"), anchor="ACK")),) * 2
    searched, search = [], module.search

    def listening(*given: Any, **how: Any) -> SearchResult:
        searched.append(given[1])
        return search(*given, **how)

    monkeypatch.setattr(module, "search", listening)
    clean = replace(late, faults=frozenset({"mutes"}))
    prompt = replace(clean, delay=Fraction(0))
    assert judge_by_bound(hosts[0], prompt).met
    assert not judge_by_bound(hosts[0], clean).met
    _, run = module.collision(hosts, late, Size())
    assert run
    assert searched == [clean]
    seen = search(hosts, prompt, Size())
    assert seen.complete
    assert not seen.violations
    monkeypatch.setattr(module, "judge_by_bound", lambda *_: SimpleNamespace(met=True))
    searched.clear()
    assert module.collision(hosts, late, Size())[1]
    assert searched == [late]


def test_what_probing_is_first_asked_about_is_not_given_up_after_the_whole_effort(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where premises do not suffice, Z3 soon says so; else a verdict takes ten times as long."""
    given_up: list[str] = []
    ask = solvers.asked_once

    def listening(one: solvers.Ask, before: Any, rounds: Any, most: int) -> Sequence[str]:
        words = ask(one, before, rounds, most)
        if most == solvers.FIRST["z3"]:
            given_up.extend(word for word in words if word == "unknown")
        return words

    monkeypatch.setattr(solvers, "asked_once", listening)
    faults = frozenset({"loses", "duplicates", "mutes"})
    assert module.proved_by_probing.__wrapped__(faults, drifts=True)
    assert given_up == []
