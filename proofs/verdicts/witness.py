"""A run of T3's with the numbers of one client, for where the explorer's ticks are too coarse.

T3 writes down, for each way to hold an address back, a run with terms for its times.  Here these
are read with a profile's own seconds.  If every guard holds and the run ends badly, it is a run of
this client, and is told like one that the explorer found.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil

from holdover.model.clients.network import Clients, of_hosts
from holdover.model.clients.profile import Environment
from holdover.model.explorer.sequence_chart import ChartEvent, fill_sentence
from holdover.model.readings.finite import NONE, Label, name_of
from holdover.model.table.expr import Action, Expr, of_member
from holdover.model.table.properties import EXCLUSIVE
from holdover.model.table.vocabulary import ADDRESS, HOST, KIND, NOW
from holdover.proofs.logic.formula import Formula, Value, with_values
from holdover.proofs.logic.invariants import OWNED
from holdover.proofs.logic.read_by_z3 import solve
from holdover.proofs.logic.unrolled import State, SymbolicRun
from holdover.proofs.theorems.t3_runs import Way, run, take_address, ways


def witness(
    hosts: Clients, environment: Environment, whole: Mapping[str, object] | None = None
) -> list[ChartEvent] | None:
    """The first of T3's runs that these two hosts can have in these surroundings; None: none is.

    The first host holds its address too long; the second is given it.  `whole`: the constants of
    hosts that can do more, if it is to be a run of theirs, with their seconds.
    """
    constants, holder = of_hosts(hosts, environment), hosts[0]
    profile, faults = holder.profile, environment.faults | set(holder.faults)
    for way in ways():
        fits = (way.profile.probes, way.profile.anchor) == (profile.probes, profile.anchor)
        if fits and faults >= set(way.faults) and (told := of_way(way, constants)):
            if whole is None or whole == constants:
                return told
            if same := of_way(way, whole):
                return same
    return None


def of_way(way: Way, constants: Mapping[str, object]) -> list[ChartEvent] | None:
    """The run of one way, if it is one with these constants and ends badly.

    Where the other host probes, that is when it is given an address that is held.
    """
    path, bad = run(way, constants), OWNED
    if not of_member(constants["probes"], 1):
        take_address(path)
        bad = EXCLUSIVE
    guards = [guard for _, guard in path.conditions]
    said, found = solve([*guards, ~path.here.read(bad.term, {})])
    if said != "sat":
        return None
    return [
        event(path, action, bound, before, after, found)
        for (action, bound), before, after in zip(
            path.rows, path.states, path.states[1:], strict=False
        )
    ]


def event(
    path: SymbolicRun,
    action: Action,
    bound: Mapping[Expr, Formula],
    before: State,
    after: State,
    found: Mapping[str, Value],
) -> ChartEvent:
    """One step as it is told; a label's durations are whole seconds, rounded up."""

    def number(term: Formula) -> Fraction:
        return Fraction(str(with_values(term, found).of))

    def kind_in(slot: object) -> str:
        return KIND.values[int(number(before["kind", int(str(slot))]))]

    exact = tuple(number(value) for value in bound.values())
    label = Label(action, tuple(map(ceil, exact)))
    said, datagram = fill_sentence(action, label.binding, kind_in)
    held = [int(number(after["holds", host])) for host in range(path.sizes[HOST])]
    holding = tuple(None if place == NONE else name_of(ADDRESS, place) for place in held)
    return ChartEvent(number(after[NOW.name, 0]), label, said, label.host, holding, datagram, exact)
