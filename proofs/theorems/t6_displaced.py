"""T6, the address given away: how long its former holder keeps it, when the server makes a mistake.

A server that loses its leases, jumps in time, believes a forged DHCPRELEASE or reuses too early
gives an address to a second host while the first one holds it: no grace helps, and T3 says nothing.
The first host is then *displaced*, and `displaced_for` says for how long at most:

* until T1, the DHCPNAK that answers it, and the wait after that, where the client asks as soon as
  it may and hears the answer (`soon_refused`);
* until its lease ends, and what it outstays that, for any other whose lease ends (`soon_over`).

*Sufficient*: for any number of hosts, of which each may have a client of its own, whatever the
server does but for a second server beside it.  *Reached*: for all durations and drifts a run exists
in which the server forgets its leases, and both hosts hold the address to the last instant of the
bound.

Assumed: a client that is to ask finds room for its datagram.  To be refused soon takes a network
that loses nothing, a server that is not silent (`authoritative`, never mute), and a lease whose T1
comes when all is over that it began with (`settled`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from holdover.model.clients.profile import Environment, Profile
from holdover.model.table.bound import PREMISES, ZERO, displaced_for, soon_over, soon_refused
from holdover.model.table.client import honoured, room
from holdover.model.table.expr import TRUE, Expr
from holdover.model.table.properties import EXCLUSIVE
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import (
    after_t1,
    after_t2,
    asks_for,
    delay,
    full,
    g,
    h,
    late,
    lease_end,
    least,
    nak_late,
    now,
)
from holdover.proofs.logic import formula
from holdover.proofs.logic.displaced import EXPIRES, OVER_SOON, REFUSED, REFUSED_SOON
from holdover.proofs.logic.first_order import Logic, right_within
from holdover.proofs.logic.obligations import Case, Obligation, obligations, premises
from holdover.proofs.logic.solvers import OUTCOME, answers, decide
from holdover.proofs.logic.unrolled import SymbolicRun, sizes_of
from holdover.proofs.result import Check, Progress, Theorem, combine, silent
from holdover.proofs.theorems.t2_safety import detail, numbers
from holdover.proofs.theorems.t3_grace import check_claims
from holdover.proofs.theorems.t3_runs import (
    EXACT,
    REBIND_AT,
    RENEW_AT,
    Way,
    choices_of,
    counted_fast,
    counted_slowly,
    hosts,
    outlasts_the_margin,
    run,
    until,
    ways,
)
from holdover.proofs.theorems.t6_explored import compare, settings

TITLE = "given away: who asks at T1 and is refused, or whose lease ends, lets go by then"

OPEN: Mapping[str, object] = {"rival": False}
"""Everything is open but a second server, which keeps no record of what it grants."""

HEARD: Mapping[str, object] = {
    **OPEN,
    **dict.fromkeys(("loses", "mutes"), False),
    **dict.fromkeys(("patient", "authoritative"), True),
}
"""Where one of these is not so, no host is `soon_refused`, and nothing is claimed of any."""

ENOUGH = (*numbers(), *PREMISES, room)


def cases() -> tuple[tuple[Case, Expr], ...]:
    """The two invariants, and what follows from each of them."""
    refused = Case(
        "T6-refused",
        "hosts that ask at T1 and hear the DHCPNAK",
        REFUSED,
        HEARD,
        ENOUGH,
        ruled_out=("unmute",),  # nobody is back who was never gone
    )
    over = Case("T6-over", "hosts whose leases end", EXPIRES, OPEN, ENOUGH)
    return (refused, REFUSED_SOON.term), (over, OVER_SOON.term)


def follows(case: Case, goal: Expr) -> Obligation:
    """That the bound follows from the invariant."""
    logic = Logic(case.fixed)
    return Obligation(
        case.name, "follows", "displaced", (*premises(case, logic), ~logic.read(goal, {}))
    )


# The bound is reached -----------------------------------------------------------------------------

KEEPS_ON = {"freezes": True, "enforcer": "PROCESS", "probes": False}
"""The other host's client: it takes the address, is frozen, and holds it from then on."""


OF_ALL = (*numbers(), *PREMISES, outlasts_the_margin(g, full))
LENGTHS = (full, least, *(honoured(x, y) for x in (h, g) for y in (full, least)))
IS_REFUSED_SOON, IS_OVER_SOON, DISPLACED_FOR = soon_refused(h), soon_over(h), displaced_for(h)
"""What the assumptions of runs have in common: written once, and so it is read once."""


def give_away(path: SymbolicRun) -> None:
    """The server loses its leases, and commits the address to the other host, which takes it."""
    other = {"h": 1, "a": 0, "m": 1}
    path.take("forget")
    for row in ("discover", "offer", "select"):
        path.take(row, **other)
    path.take("commit", **other, length=full, skew=EXACT)
    path.take("bind", **other, skew=EXACT)
    path.take("freeze", h=1)


def mistakes(client: Profile) -> tuple[str, ...]:
    """The server loses its leases; whoever probes does not see that the address is in use."""
    return ("forgets", "loses_arp") if client.probes else ("forgets",)


@dataclass(frozen=True)
class Refusal:
    """A client that is refused at T1, and holds its address as long as it may.

    `delayed`: datagrams take time; `waits`: the address stays for a time after the DHCPNAK.
    """

    anchor: str
    delayed: bool
    after_nak: str
    waits: bool

    @property
    def name(self) -> str:
        """What the run is called."""
        words = [f"{self.anchor} anchor", "refused"]
        words += [] if self.delayed else ["no delay"]
        words += ["waits"] if self.waits else ["no wait"] if self.after_nak == "WAIT" else []
        return ", ".join(words)

    def fixed(self) -> dict[str, object]:
        """The choices of the first host's client and of the surroundings."""
        client = Profile(
            self.name, anchor=self.anchor, probes=self.anchor == "PROBE", after_nak=self.after_nak
        )
        world = Environment(faults=frozenset(mistakes(client)), patient=True, authoritative=True)
        return choices_of(client, world, KEEPS_ON)

    def assumptions(self) -> tuple[Expr, ...]:
        """What this run needs of the durations."""
        return (
            IS_REFUSED_SOON,
            (delay > ZERO) if self.delayed else (delay == ZERO),
            (nak_late[h] > ZERO) if self.waits else TRUE,
            (nak_late[h] == ZERO) if self.after_nak == "WAIT" and not self.waits else TRUE,
            delay <= asks_for[h],
            delay + delay <= after_t1,
        )


def refusals() -> Iterator[Refusal]:
    """Every anchor, with and without a delay, and with each way to go when refused."""
    for anchor in ("REQUEST", "ACK", "PROBE"):
        for delayed in (True, False):
            for after_nak, waits in (("REMOVE", False), ("WAIT", True), ("WAIT", False)):
                yield Refusal(anchor, delayed, after_nak, waits)


def run_of(way: Refusal) -> SymbolicRun:
    """The server gives the address away at once; the client learns of that as late as it may."""
    path = SymbolicRun(LEASE_TABLE, sizes_of(2, 1, 2), way.fixed())
    first = {"h": 0, "a": 0, "m": 0}

    def pass_delay() -> None:
        if way.delayed:
            path.take("tick", passing=delay)

    for row in ("discover", "offer", "select"):
        path.take(row, **first)
    path.take("commit", **first, length=full, skew=counted_fast(full))
    give_away(path)
    if way.anchor != "REQUEST":
        pass_delay()
    path.take("bind", **first, skew=counted_slowly(full))
    if way.anchor == "PROBE":
        path.take("use", h=0, a=0)
    path.take("tick", passing=until(RENEW_AT))
    path.take("renew", **first)
    pass_delay()
    path.take("refuse", **first)
    pass_delay()
    if way.after_nak == "WAIT":
        path.take("obey_nak", h=0, m=0)
    if way.waits:
        path.take("tick", passing=nak_late[h])
    return path


@dataclass(frozen=True)
class LateRefusal:
    """A client that hears nothing while RENEWING, and is refused at the end of its lease."""

    name: str = "hears nothing while RENEWING, refused at the lease end, waits"

    def fixed(self) -> dict[str, object]:
        """The choices of the first host's client and of the surroundings."""
        client = Profile(self.name, hears_renewing=False, after_nak="WAIT")
        faults = frozenset({*mistakes(client), "loses"})
        return choices_of(client, Environment(faults=faults), KEEPS_ON)

    def assumptions(self) -> tuple[Expr, ...]:
        """What this run needs of the durations: the last question is asked before the end."""
        return (
            IS_OVER_SOON,
            delay > ZERO,
            delay + delay < after_t2,
            delay <= asks_for[h],
            late[h] == ZERO,
            nak_late[h] > ZERO,
        )


def run_late(way: LateRefusal) -> SymbolicRun:
    """The server's first answer is not heard, the next question is lost, the last is refused."""
    path = SymbolicRun(LEASE_TABLE, sizes_of(2, 1, 2), way.fixed())
    first = {"h": 0, "a": 0, "m": 0}
    for row in ("discover", "offer", "select"):
        path.take(row, **first)
    path.take("commit", **first, length=full, skew=counted_fast(full))
    give_away(path)
    path.take("bind", **first, skew=counted_slowly(full))
    path.take("tick", passing=until(RENEW_AT))
    for row in ("renew", "refuse", "ignore"):
        path.take(row, **first)
    path.take("tick", passing=until(REBIND_AT))
    for row in ("rebind", "lose"):
        path.take(row, **first)
    path.take("tick", passing=lease_end[h] - delay - delay - now)
    path.take("rebind", **first)
    path.take("tick", passing=delay)
    path.take("refuse", **first)
    path.take("tick", passing=delay)
    path.take("obey_nak", h=0, m=0)
    path.take("tick", passing=nak_late[h])
    return path


def ends_of_lease() -> Iterator[Way]:
    """The ways of T3 by which one acts alone, process or kernel, and no ACK shortens a lease."""
    return (way for way in ways() if "shortens" not in way.faults)


def obligations_of_run(
    name: str, path: SymbolicRun, assumed: Sequence[Expr]
) -> tuple[Obligation, Obligation]:
    """That the run exists, and both hosts hold the address at the last instant of the bound.

    The server commits at instant 0.  And the premises, which must have a model.
    """
    start, end = path.here.where(path.start), path.here
    given = [start.read(term, hosts(start)) for term in (*OF_ALL, *assumed)]
    for length in LENGTHS:
        given += right_within(start.read(length, hosts(start)))
    both = ~end.read(EXCLUSIVE.term, {})
    last = end.read(now, {}) == end.read(DISPLACED_FOR, hosts(end))
    exists = formula.all_of((*(guard for _, guard in path.conditions), both, last))
    return (
        Obligation("T6", "reached", name, (*given, ~exists)),
        Obligation("T6", "reached", f"{name}, premises", tuple(given)),
    )


def all_reached() -> Iterator[tuple[Obligation, Obligation]]:
    """For each way to be refused, soon or late, and for each way to hold an address back."""
    for refusal in refusals():
        yield obligations_of_run(refusal.name, run_of(refusal), refusal.assumptions())
    late_refusal = LateRefusal()
    path = run_late(late_refusal)
    yield obligations_of_run(late_refusal.name, path, late_refusal.assumptions())
    for way in ends_of_lease():
        early = replace(way, faults=(*way.faults, *mistakes(way.profile)), others=KEEPS_ON)
        path = run(early, give_away=give_away)
        yield obligations_of_run(way.name, path, (IS_OVER_SOON, *early.assumptions()))


def all_obligations() -> Iterator[Obligation]:
    """What has to be unsatisfiable."""
    for case, goal in cases():
        yield from obligations(case)
        yield follows(case, goal)
    yield from (run for run, _ in all_reached())


def check_bound(
    name: str, says: str, case: Case, claimed: Obligation, solvers: Sequence[str]
) -> Check:
    """That the invariant is inductive, and that what is claimed follows."""
    start = time.perf_counter()
    verdict = decide(case, solvers)
    last = [OUTCOME[answers(solver, [claimed])[0].result] for solver in solvers]
    data = {"never_fire": list(verdict.never_fire), "obligations": len(verdict.answers)}
    outcome = combine([verdict.outcome, *last])
    return Check(name, says, outcome, detail(verdict), time.perf_counter() - start, data)


def prove_sufficient(solvers: Sequence[str] = ("z3",)) -> Iterator[Check]:
    """The invariants are inductive, and the bound follows from each."""
    for case, goal in cases():
        says = f"the invariant is inductive for {case.says}, and the bound follows"
        yield check_bound(case.name.removeprefix("T6-"), says, case, follows(case, goal), solvers)


def prove_reached(solvers: Sequence[str] = ("z3",)) -> Check:
    """The bound is reached."""
    return check_claims(
        "reached",
        "for each way to keep it, a run in which two hosts hold the address until the bound",
        all_reached(),
        solvers,
    )


def prove(solvers: Sequence[str] = ("z3",), progress: Progress = silent) -> Theorem:
    """T6's checks."""
    progress("T6: the former holder lets go")
    enough = tuple(prove_sufficient(solvers))
    progress("T6: the bound is reached")
    reach = prove_reached(solvers)
    progress("T6: exploring")
    return Theorem("T6", TITLE, (*enough, reach, *map(compare, settings())))
