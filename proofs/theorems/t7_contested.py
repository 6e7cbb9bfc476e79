"""T7, the address in use by two: a client that hears of the other host lets go in time.

Two hosts have one address: they have one identity, somebody has set it by hand, or a server has
made a mistake.  No clock helps: the lease of each may run.  What helps is RFC 5227 §2.4: a host
that hears ARP of another from its own address gives it up, at once or at the second conflict within
ten seconds.  `contested_for` says for how long both may have the address, each time, if one of them
is such a host (`soon_gives_way`).

*Sufficient*, for any number of hosts, whatever the others, the servers and the network do:

* time stands still while such a host does not know of the other, so a conflict is known from its
  first instant on;
* no conflict is known for longer than `contested_for`, and one that is over is forgotten before
  time passes.

*Reached*: for all durations a run exists in which both have the address to the last instant.

Assumed: ARP is not lost, the process of that host neither stands still nor dies while it has the
address, and it finds room for its DHCPDECLINE.  That a host is heard *again*, without which nobody
who follows §2.4 (b) gives way, is part of what a profile declares in `gives_way_within`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from holdover.model.clients.profile import Environment, Profile, load
from holdover.model.table.bound import PREMISES, ZERO, contested_for, soon_gives_way
from holdover.model.table.client import NO_ADDRESS, fastest, honoured, in_conflict, room, runs
from holdover.model.table.expr import DURATION, lift
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import after_t1, contested, contested_at, full, h, holds, now
from holdover.proofs.logic import formula
from holdover.proofs.logic.first_order import Logic, right_within
from holdover.proofs.logic.invariants import over
from holdover.proofs.logic.obligations import Case, Obligation, guards, obligations, premises
from holdover.proofs.logic.unrolled import SymbolicRun, sizes_of
from holdover.proofs.result import Check, Progress, Theorem, silent
from holdover.proofs.theorems.t2_safety import numbers
from holdover.proofs.theorems.t3_grace import check_claims
from holdover.proofs.theorems.t3_runs import choices_of, hosts
from holdover.proofs.theorems.t6_displaced import check_bound
from holdover.proofs.theorems.t6_explored import TICK, SmallNetwork, compare, longest_conflict

TITLE = "contested: who hears that another host uses its address lets go in time"

INVARIANT = (
    Property(
        "known_in_time",
        "RFC 5227 §2.4",
        "a conflict is known to a client that runs, and for no longer than it says",
        over(
            h,
            body=contested[h].implies(
                runs(h) & (contested_at[h] <= now) & (now <= contested_at[h] + contested_for(h))
            ),
        ),
    ),
    Property(
        "runs_while_it_holds",
        "RFC is silent; measured",
        "a client that hears of conflicts runs while its host has the address",
        over(h, body=(soon_gives_way(h) & (holds[h] != NO_ADDRESS)).implies(runs(h))),
    ),
)
"""For hosts of any kind, but for the second."""

KNOWN_FIRST = over(h, body=(soon_gives_way(h) & in_conflict(h)).implies(contested[h]))
"""What time waits for."""

CASE = Case(
    "T7-known",
    "hosts that give way",
    INVARIANT,
    {"loses_arp": False},
    (*numbers(), *PREMISES, room),
)


def stands(case: Case = CASE) -> Obligation:
    """That no time passes while a host that gives way does not know of a conflict."""
    logic = Logic(case.fixed)
    passes = guards(logic, case.table.action("tick"))
    assert passes is not None
    goal = ~logic.read(KNOWN_FIRST, {})
    return Obligation(case.name, "tick", "stands", (*premises(case, logic), *passes, goal))


# The bound is reached -----------------------------------------------------------------------------


def run_of(client: Profile) -> SymbolicRun:
    """Somebody sets a leased address on another host, by hand; the client gives way at the end."""
    world = Environment(faults=frozenset({"intrudes"}))
    path = SymbolicRun(
        LEASE_TABLE, sizes_of(2, 1, 1), choices_of(client, world, {"intrudes": True})
    )
    first = {"h": 0, "a": 0, "m": 0}
    for row in ("discover", "offer", "select"):
        path.take(row, **first)
    path.take("commit", **first, length=full, skew=lift(0, DURATION))
    path.take("bind", **first, skew=lift(0, DURATION))
    path.take("intrude", h=1, a=0, g=0)
    path.take("hear_conflict", h=0)
    path.take("tick", passing=contested_for(h))
    return path


def all_reached() -> Iterator[tuple[Obligation, Obligation]]:
    """That the run exists, and both hosts have the address at its end; and its premises."""
    client = replace(load("rfc2131"), name="gives way", gives_way=True)
    path = run_of(client)
    start, end = path.here.where(path.start), path.here
    # Before T1: for the rest of the lease the run would have to say how it is renewed.
    early = (contested_for(h) > ZERO, contested_for(h) < fastest(honoured(h, full)) - after_t1)
    given = [start.read(term, hosts(start)) for term in (*numbers(), *PREMISES, *early)]
    for length in (full, honoured(h, full)):
        given += right_within(start.read(length, hosts(start)))
    both = ~end.read(EXCLUSIVE.term, {})
    last = end.read(now, {}) == end.read(contested_at[h] + contested_for(h), hosts(end))
    exists = formula.all_of((*(guard for _, guard in path.conditions), both, last))
    yield (
        Obligation("T7", "reached", client.name, (*given, ~exists)),
        Obligation("T7", "reached", f"{client.name}, premises", tuple(given)),
    )


def all_obligations() -> Iterator[Obligation]:
    """What has to be unsatisfiable."""
    yield from obligations(CASE)
    yield stands()
    yield from (run for run, _ in all_reached())


# A search -----------------------------------------------------------------------------------------


def settings() -> Iterator[SmallNetwork]:
    """Two hosts with one address, by one identity, by hand, or since the server forgot."""
    client = replace(load("rfc2131"), asks_for=TICK, gives_way=True)
    slow = replace(client, gives_way_within=2 * TICK)
    for fault in ("clones", "intrudes", "forgets"):
        world = Environment(lease=8 * TICK, delay=TICK, faults=frozenset({fault}))
        yield SmallNetwork(f"{fault}, gives way at once", client, world)
        yield SmallNetwork(f"{fault}, gives way in time", slow, world)


def search() -> Iterator[Check]:
    """The longest conflict that a search finds is the bound, in each small network."""
    return (compare(each, longest_conflict, "conflict") for each in settings())


def prove_sufficient(solvers: Sequence[str] = ("z3",)) -> Check:
    """A conflict is known at once, and not for longer than the bound."""
    says = f"the invariant is inductive for {CASE.says}, and time waits until a conflict is known"
    return check_bound("known", says, CASE, stands(), solvers)


def prove_reached(solvers: Sequence[str] = ("z3",)) -> Check:
    """The bound is reached."""
    return check_claims(
        "reached",
        "a run in which two hosts have the address until the bound",
        all_reached(),
        solvers,
    )


def prove(solvers: Sequence[str] = ("z3",), progress: Progress = silent) -> Theorem:
    """T7's checks."""
    progress("T7: a conflict is known, and ends")
    enough = prove_sufficient(solvers)
    progress("T7: the bound is reached")
    reach = prove_reached(solvers)
    progress("T7: exploring")
    return Theorem("T7", TITLE, (enough, reach, *search()))
