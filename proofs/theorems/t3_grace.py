"""T3, the bound: a grace of `safe_grace` is enough; where the server may fall silent, none less is.

*Sufficient*: with every choice, duration and fault switch open, for each host by itself, and clocks
of any bounded quality, `HEARING` is inductive whenever every host is `bounded`, the server keeps
its leases, and the grace reaches the bound of every host.  One proof covers every profile, and
every mixture of profiles in one network.  Clocks enter as two monotone functions, the least and
the most true time in which a length may be measured; that the bound for clocks within 1 ± drift is
`safe_grace` is a separate lemma of real arithmetic.

*Necessary*: for each way in which an address can be held back, one run is written down, its times
as terms; for all durations and drifts with a grace below the bound every guard of the run holds
(so the run exists), and at its end the server has committed an address that its last host still
holds - two hosts hold it unless the new one probes, whatever its client is otherwise.

*Where renewals may shorten a lease*, it depends on what a client makes of the ACK that does so.  If
it may never act on it (`ack_missed`: lost, frozen, ..., or not heeded), it holds for what is left
of the lease that it had.  Else only until the ACK comes, which is at most `delay`.  There is a run
for each way to miss the ACK, and for each term where none is missed.

Assumed: a client's DISCOVER does not overtake its own RELEASE or DECLINE (`in_order`).  Necessity
is shown with each thing that holds back, for clients that check the xid and for those that do not;
and with several at once, for the former.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from holdover.model.table.bound import (
    PREMISES,
    ZERO,
    ack_missed,
    bounded,
    safe_grace,
    server_keeps,
    worst_holdover,
)
from holdover.model.table.client import fastest, honoured
from holdover.model.table.expr import Expr, forall
from holdover.model.table.properties import EXCLUSIVE
from holdover.model.table.vocabulary import HOST, full, g, grace, h, least, probes, shortens
from holdover.proofs.logic import formula
from holdover.proofs.logic.first_order import (
    FASTEST,
    SLOWEST,
    Later,
    Logic,
    any_clock,
    domain,
    right_within,
)
from holdover.proofs.logic.formula import REAL, Formula
from holdover.proofs.logic.invariants import HEARING, LEASED, OWNED
from holdover.proofs.logic.obligations import Case, Obligation
from holdover.proofs.logic.solvers import (
    OUTCOME,
    answers,
    answers_of_each,
    decide,
    whether_each_may_be,
)
from holdover.proofs.result import Check, Outcome, Progress, Theorem, combine, silent
from holdover.proofs.theorems.t2_safety import detail, numbers
from holdover.proofs.theorems.t3_runs import (
    HEARD,
    Way,
    combined_ways,
    hosts,
    run,
    take_address,
    ways,
)

TITLE = "safe if the grace reaches the bound; not if it does not, and the server may fall silent"

BROKEN_SERVERS = ("forgets", "forges", "rival", "reuses_early", "jumps")


NO_LEASE = ("clones", "settles", "intrudes", "keeps_old")

OPEN: Mapping[str, object] = {
    **dict.fromkeys((*BROKEN_SERVERS, *NO_LEASE), False),
    "in_order": True,
}
"""Everything is open but the server's own failures, and addresses that it leases to nobody alone:
no two hosts have one identifier, none is configured by hand, none keeps an old address."""

RULED_OUT = ("set_aside", "hear_conflict", "yield_address")
"""In such a network the server's probe of an address that it may offer finds nobody, and no client
hears of another host that uses its address."""

EACH_BOUNDED = forall(h, bounded(h))
REACHED = forall(h, worst_holdover(h) <= fastest(grace))
"""Each host may have a client of its own: the grace is enough for every one of them."""

ENOUGH = (*numbers(), *PREMISES, EACH_BOUNDED, server_keeps, REACHED)


def sufficient() -> Case:
    """The claim: whatever clients the hosts have, whichever of them hear of a shorter lease."""
    return Case(
        "T3",
        "hosts with any clients, each of bounded holdover, with enough grace for all",
        HEARING,
        OPEN,
        ENOUGH,
        ruled_out=RULED_OUT,
    )


def missing() -> Case:
    """A part of it that needs less of an argument: no record moves back, or nobody hears of that.

    That each conjunct is needed is asked of this part and of `hearing`, and mutants are put to
    them: of `sufficient` a solver seldom finds a state that breaks something.
    """
    assumed = (~shortens | forall(h, ack_missed(h)), *ENOUGH)
    says = "hosts that hear of no shorter lease"
    return Case("T3-missed", says, LEASED, OPEN, assumed, ruled_out=RULED_OUT)


def hearing() -> Case:
    """The part in which records move back, and nothing keeps a client from the ACK that tells it.

    `ack_missed` leaves open only which end of a process there is: it is not started again.  Clocks
    that are set back are wall clocks, and who heeds such an ACK has none (`consistent`).
    """
    heard = ("heeds_shorter", "checks_xid", "patient", "shortens")
    missed = ("loses", "freezes", "crashes", "suspends", "steps")
    fixed = {
        **OPEN,
        **dict.fromkeys(heard, True),
        **dict.fromkeys(missed, False),
        "trigger": "LAPSE",
    }
    says = "every such client that hears of each shorter lease"
    heard_of = (forall(h, ~ack_missed(h)), *ENOUGH)
    return Case("T3-heard", says, HEARING, fixed, heard_of, ruled_out=RULED_OUT)


def lemma() -> tuple[Obligation, ...]:
    """For clocks within 1 ± drift: grace >= safe_grace iff worst holdover <= fastest(grace).

    And such clocks are among those of which `any_clock` assumes something: so that there are any.
    """
    drifting = _Drifting({})
    host = {h: formula.symbol("h", domain(HOST))}
    left = drifting.read(safe_grace(h) <= grace, host)
    right = drifting.read((grace >= ZERO) & (worst_holdover(h) <= fastest(grace)), host)
    premises = [drifting.read(term, {}) for term in numbers()]
    return (
        Obligation("T3", "lemma", "reaches", (*premises, left, ~right)),
        Obligation("T3", "lemma", "fits", (*premises, right, ~left)),
        *(
            Obligation("T3", "lemma", f"clock {number}", (*premises[-2:], ~of_drift(axiom)))
            for number, axiom in enumerate(any_clock(), 1)
        ),
    )


def of_drift(axiom: Formula) -> Formula:
    """What is assumed of any clock, said of one within 1 ± drift."""
    rate = formula.symbol("drift", REAL)

    def quotient(term: Formula) -> Formula | None:
        rates = {SLOWEST: 1 - rate, FASTEST: rate + 1}
        return term.args[0] / rates[term.of] if term.of in rates else None

    return formula.replace(axiom, quotient)


class _Drifting(Logic):
    """Formulas in which the quotients by 1 ± drift are what they say."""

    def node(self, term: Expr, args: Sequence[Later]) -> Formula:
        return args[0]() / args[1]() if term.op == "div" else super().node(term, args)


# Necessity ---------------------------------------------------------------------------------------


ASSUMED = (*numbers(), *PREMISES, bounded(h))
LENGTHS = (full, least, grace, *(honoured(x, y) for x in (h, g) for y in (full, least)))
OTHER_PROBES = probes[g]


@cache
def grace_below(term: Expr) -> Expr:
    """The grace is below it."""
    return fastest(grace) < term


def ends_badly(way: Way, relation: Expr) -> tuple[list[Formula], Formula]:
    """What is assumed, of grace and bound this relation; and that the run exists and ends badly.

    Badly: the server has given away an address that is held, and then two hosts hold it, unless
    the new one probes.  That one may be any client.
    """
    path = run(way)
    start = path.here.where(path.start)
    assumed = (*ASSUMED, *way.assumptions(), relation)
    premises = [start.read(term, hosts(start)) for term in assumed]
    for length in LENGTHS:
        premises += right_within(start.read(length, hosts(start)))
    given_away = ~path.here.read(OWNED.term, {})
    take_address(path)
    end = path.here
    both = end.read(OTHER_PROBES, hosts(end)) | ~end.read(EXCLUSIVE.term, {})
    return premises, formula.all_of((*(guard for _, guard in path.conditions), given_away, both))


def reaching_term() -> tuple[Obligation, Obligation]:
    """Where no ACK is missed, a grace below the bound is below a term that a run reaches."""
    logic = Logic({"shortens": True})
    assumed = (*numbers(), *PREMISES, ~ack_missed(h), fastest(grace) < worst_holdover(h))
    host = {h: formula.symbol("h", domain(HOST))}
    premises = [logic.read(term, host) for term in assumed]
    below = formula.any_of(logic.read(grace_below(term), host) for _, term, _ in HEARD)
    return (
        Obligation("T3", "necessary", "a term", (*premises, ~below)),
        Obligation("T3", "necessary", "a term, premises", tuple(premises)),
    )


def necessary(way: Way) -> tuple[Obligation, Obligation]:
    """Below the bound the run exists and ends badly; and the premises, which must have a model."""
    premises, exists = ends_badly(way, grace_below(way.shows))
    return (
        Obligation("T3", "necessary", way.name, (*premises, ~exists)),
        Obligation("T3", "necessary", f"{way.name}, premises", tuple(premises)),
    )


def check_claims(
    name: str,
    says: str,
    claims: Iterable[tuple[Obligation, Obligation | None]],
    solvers: Sequence[str],
) -> Check:
    """A check of obligations that must be unsatisfiable, with premises that must not be.

    Those with premises are runs, and solvers are asked about many of them at once.
    """
    start = time.perf_counter()
    asked = list(claims)
    runs = [(one, premises) for one, premises in asked if premises is not None]
    known = {name: answers_of_each(name, [one for one, _ in runs]) for name in solvers}
    may_be = whether_each_may_be([premises for _, premises in runs])
    outcomes: list[Outcome] = []
    count, bad = 0, []
    for obligation, premises in asked:
        for solver in solvers:
            said = known[solver].get(obligation.name) or answers(solver, [obligation])[0]
            result = said.result
            count += 1
            outcomes.append(OUTCOME[result])
            if result != "proved":
                bad.append(f"{obligation.conjunct}: {result} by {solver}")
        if premises is not None and may_be[premises.name].result != "refuted":
            outcomes.append("unknown")
            bad.append(f"{obligation.conjunct}: nothing satisfies its premises")
    text = f"{count - len(bad)} of {count} proved by {' and '.join(solvers)}"
    return Check(
        name,
        says,
        combine(outcomes),
        "; ".join([text, *bad]),
        time.perf_counter() - start,
        {"obligations": count},
    )


def prove_sufficient(solvers: Sequence[str] = ("z3",)) -> Check:
    """With enough grace the invariant is inductive, for all mixtures of clients at once.

    A row that never fires would mean that the premises contradict each other, but for those that
    are known to (`RULED_OUT`).
    """
    start = time.perf_counter()
    claim = sufficient()
    verdict = decide(claim, solvers)
    data = {"never_fire": list(verdict.never_fire), "obligations": len(verdict.answers)}
    return Check(
        "sufficient",
        f"the invariant is inductive for {claim.says}",
        verdict.outcome,
        detail(verdict),
        time.perf_counter() - start,
        data,
    )


def prove_lemma(solvers: Sequence[str] = ("z3",)) -> Check:
    """What the bound is for clocks within 1 ± drift."""
    return check_claims(
        "lemma",
        "grace ≥ safe_grace iff the worst holdover fits into the grace's shortest time",
        ((obligation, None) for obligation in lemma()),
        solvers,
    )


def prove_necessary(solvers: Sequence[str] = ("z3",)) -> Check:
    """Below the bound there is a run that ends badly."""
    return check_claims(
        "necessary",
        "for each way to hold back, any grace below the bound is too short",
        (reaching_term(), *(necessary(way) for way in ways())),
        solvers,
    )


def prove_combined(solvers: Sequence[str] = ("z3",)) -> Check:
    """The same where several things hold the address back at once, or the xid is not checked."""
    return check_claims(
        "combined",
        "several ways at once, or no xid check: any grace below the bound is too short",
        (necessary(way) for way in combined_ways()),
        solvers,
    )


def prove(solvers: Sequence[str] = ("z3",), progress: Progress = silent) -> Theorem:
    """T3's checks."""
    progress("T3: enough grace suffices")
    enough = prove_sufficient(solvers)
    progress("T3: less does not suffice")
    necessity = (prove_necessary(solvers), prove_combined(solvers))
    return Theorem("T3", TITLE, (enough, prove_lemma(solvers), *necessity))
