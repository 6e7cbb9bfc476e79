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
is shown for one way at a time, not for combinations; and not for clients that do not check the xid.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from holdover.model.bound import (
    PREMISES,
    ZERO,
    ack_missed,
    bounded,
    outstay,
    safe_grace,
    server_keeps,
    while_under_way,
    worst_holdover,
)
from holdover.model.client import fastest, honoured, slowest
from holdover.model.expr import DURATION, RATIO, TRUE, Expr, forall, ite, lift
from holdover.model.profile import Environment, Profile
from holdover.model.properties import EXCLUSIVE
from holdover.model.table import LEASE_TABLE
from holdover.model.words import (
    CONSTANTS,
    HOST,
    acknowledge_within,
    after_t1,
    asks_for,
    delay,
    full,
    g,
    grace,
    h,
    late,
    lease_end,
    least,
    margin,
    now,
    probes,
    rebind_at,
    renew_at,
    retries_for,
    shortens,
    trigger,
)
from holdover.proofs.invariants import HEARING, LEASED, OWNED, limit
from holdover.proofs.obligations import OUTCOME, SOLVERS, Case, Obligation, by_z3, decide
from holdover.proofs.parametric import FASTEST, SLOWEST, Logic, any_clock, domain, right_within
from holdover.proofs.result import Check, Outcome, Progress, Theorem, combined, silent
from holdover.proofs.safety import detail, numbers
from holdover.proofs.unrolled import Path, Unrolled, sizes_of

TITLE = "safe if the grace reaches the bound; not if it does not, and the server may fall silent"

BROKEN_SERVERS = ("forgets", "forges", "rival", "reuses_early")


OPEN: Mapping[str, object] = {**dict.fromkeys(BROKEN_SERVERS, False), "in_order": True}
"""Everything is open but the server's own failures."""

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
    )


def missing() -> Case:
    """A part of it that needs less of an argument: no record moves back, or nobody hears of that.

    That each conjunct is needed is asked of this part and of `hearing`, and mutants are put to
    them: of `sufficient` a solver seldom finds a state that breaks something.
    """
    assumed = (~shortens | forall(h, ack_missed(h)), *ENOUGH)
    return Case("T3-missed", "hosts that hear of no shorter lease", LEASED, OPEN, assumed)


def hearing() -> Case:
    """The part in which records move back, and nothing keeps a client from the ACK that tells it.

    `ack_missed` leaves open only which end of a process there is: it is not started again.  Clocks
    that are set back are wall clocks, and who heeds such an ACK has none (`consistent`).
    """
    heard = ("heeds_shorter", "checks_xid", "patient", "shortens")
    missed = ("loses", "freezes", "crashes", "suspends", "steps")
    fixed = {**OPEN, **dict.fromkeys(heard, True), **dict.fromkeys(missed, False),
             "trigger": "LAPSE"}  # fmt: skip
    says = "every such client that hears of each shorter lease"
    return Case("T3-heard", says, HEARING, fixed, (forall(h, ~ack_missed(h)), *ENOUGH))


def lemma() -> tuple[Obligation, ...]:
    """For clocks within 1 ± drift: grace >= safe_grace iff worst holdover <= fastest(grace).

    And such clocks are among those of which `any_clock` assumes something: so that there are any.
    """
    drifting = _Drifting({})
    host = {h: z3.Const("h", domain(HOST))}
    left = drifting.read(safe_grace(h) <= grace, host)
    right = drifting.read((grace >= ZERO) & (worst_holdover(h) <= fastest(grace)), host)
    premises = [drifting.read(term, {}) for term in numbers()]
    return (
        Obligation("T3", "lemma", "reaches", (*premises, left, z3.Not(right))),
        Obligation("T3", "lemma", "fits", (*premises, right, z3.Not(left))),
        *(
            Obligation("T3", "lemma", f"clock {number}", (*premises[-2:], z3.Not(of_drift(axiom))))
            for number, axiom in enumerate(any_clock(), 1)
        ),
    )


def of_drift(axiom: Any) -> Any:
    """What is assumed of any clock, said of one within 1 ± drift."""
    x, rate = z3.Var(0, z3.RealSort()), z3.Real("drift")
    return z3.substitute_funs(axiom, (SLOWEST, x / (1 - rate)), (FASTEST, x / (1 + rate)))


class _Drifting(Logic):
    """Formulas in which the quotients by 1 ± drift are what they say."""

    def node(self, term: Expr, args: Sequence[Callable[[], Any]]) -> Any:
        return args[0]() / args[1]() if term.op == "div" else super().node(term, args)


# Necessity ---------------------------------------------------------------------------------------


WORST = worst_holdover(h)


@dataclass(frozen=True)
class Way:
    """One way to hold an address back: what the client is like and which faults happen.

    `delayed` says whether the ACK takes time, `waits` whether the address stays after the lapse:
    time cannot pass by nothing, so these are different runs.  `ack`: what becomes of the ACK that
    shortens the lease, or that there is none, and the lease is full or the least.  `shows`: the
    term of the bound that the run reaches.
    """

    name: str
    profile: Profile
    faults: tuple[str, ...]
    delayed: bool
    waits: bool
    ack: str = "none"
    shows: Expr = WORST

    def fixed(self) -> dict[str, object]:
        """The first host's choices; all durations and the drift stay open, and other hosts."""
        patient = self.profile.heeds_shorter and self.ack != "overtaken"
        world = Environment(faults=frozenset(self.faults), patient=patient)
        facts = {**self.profile.facts(), **world.facts()}
        open_ = {name for name, c in CONSTANTS.items() if c.sort in (DURATION, RATIO)}
        known = {name: value for name, value in facts.items() if name not in open_}
        return {
            name: value if isinstance(CONSTANTS[name], Expr) else (value, None)
            for name, value in known.items()
        }

    def assumptions(self) -> tuple[Expr, ...]:
        """What this run needs of the durations, beside a grace below the bound."""
        patience = late[h] + ite(trigger[h] == "RETRY", retries_for[h], acknowledge_within)
        return (
            (delay > ZERO) if self.delayed else TRUE,
            (delay == ZERO) if self.profile.anchor != "REQUEST" and not self.delayed else TRUE,
            (patience > ZERO) if self.waits else TRUE,
            (patience == ZERO) if self.profile.trigger != "LAPSE" and not self.waits else TRUE,
            margin[h] < honoured(h, self.length),
            margin[g] < honoured(g, full),
            delay <= asks_for[h],
            (delay <= honoured(h, full)) if self.ack == "under way" else TRUE,
            (slowest(honoured(h, full)) - after_t1 <= delay) if self.ack == "overtaken" else TRUE,
        )

    @property
    def length(self) -> Expr:
        """The lease that the client counts."""
        return least if self.ack == "the least" else full


HOLDERS: tuple[tuple[str, Mapping[str, Any], tuple[str, ...], tuple[bool, ...]], ...] = (
    ("late process", {}, (), (False,)),
    ("late kernel, process frozen", {"enforcer": "KERNEL"}, ("freezes",), (False,)),
    ("late kernel, process dead", {"enforcer": "KERNEL"}, ("crashes",), (False,)),
    ("late answer", {"trigger": "ACKNOWLEDGE", "dialog": True}, (), (True, False)),
    ("late retries", {"trigger": "RETRY"}, (), (True, False)),
    ("clock set back", {"clock": "WALL"}, ("steps",), (False,)),
)
"""What can hold an address back, as facts and faults, and whether it may outlast the lapse."""


ANCHORS = (
    ("REQUEST", False), ("ACK", True), ("ACK", False), ("PROBE", True), ("PROBE", False),
)  # fmt: skip

MISSED: tuple[tuple[str, Mapping[str, Any], tuple[str, ...], tuple[tuple[str, bool], ...]], ...]
MISSED = (
    ("lost", {}, ("loses",), ANCHORS),
    ("overtaken", {}, (), ANCHORS[:1]),
    ("frozen", {"enforcer": "KERNEL"}, ("freezes",), ANCHORS[:2]),
    ("killed", {"enforcer": "KERNEL"}, ("crashes",), ANCHORS[:2]),
    ("asleep", {}, ("suspends",), ANCHORS[:2]),
    ("restarted", {"restart": "REMAINDER"}, ("stops", "restarts"), ANCHORS[:2]),
)
"""What keeps an ACK that shortens a lease from a client that heeds it: facts, faults, anchors."""

HEARD: tuple[tuple[str, Expr, tuple[tuple[str, bool], ...]], ...] = (
    ("none", outstay(h, full, full), ANCHORS),
    ("the least", outstay(h, least, least), ANCHORS),
    ("under way", while_under_way, (("REQUEST", True), ("ACK", True), ("PROBE", True))),
)
"""Where nothing keeps it from that ACK: what the server grants, and the term that this reaches."""


def ways() -> Iterator[Way]:
    """Every anchor with everything that can hold an address back, and with a shortened renewal."""
    for what, facts, faults, waiting in HOLDERS:
        for anchor, delayed in ANCHORS:
            for waits, renewal in itertools.product(waiting, ((), ("shortens",))):
                client = Profile(what, anchor=anchor, probes=anchor == "PROBE", **facts)
                words = [f"{anchor} anchor", what, *renewal]
                words += ["no delay"] if anchor != "REQUEST" and not delayed else []
                words += ["no wait"] if True in waiting and not waits else []
                yield Way(
                    ", ".join(words), client, ("mutes", *faults, *renewal), delayed, waits,
                    "discarded" if renewal else "none",
                )  # fmt: skip
    yield from heeding_ways()


def heeding_ways() -> Iterator[Way]:
    """The same for a client that heeds an ACK that shortens: each way to miss it, or to hear it."""

    def of(ack: str, anchor: str, delayed: bool, **facts: Any) -> tuple[str, Profile]:
        words = [f"{anchor} anchor", f"heeded, {HEEDED.get(ack, ack)}"]
        words += ["no delay"] if anchor != "REQUEST" and not delayed else []
        return ", ".join(words), Profile(
            ack, anchor=anchor, probes=anchor == "PROBE", heeds_shorter=True, **facts
        )

    for ack, facts, faults, anchors in MISSED:
        for anchor, delayed in anchors:
            name, client = of(ack, anchor, delayed, **facts)
            yield Way(name, client, ("mutes", "shortens", *faults), delayed, False, ack)
    for ack, term, anchors in HEARD:
        for anchor, delayed in anchors:
            name, client = of(ack, anchor, delayed)
            yield Way(name, client, ("mutes", "shortens"), delayed, False, ack, term)


HEEDED = {"none": "a full lease", "the least": "a least lease"}
"""What else to call the runs in which no ACK shortens a lease."""


def run(way: Way, constants: Mapping[str, object] | None = None) -> Path:
    """A run in which the first host holds its address as long as it may, and the server reuses it.

    Where renewals may shorten, the client asks twice: the server's record is then the short lease
    of the second ACK, which the client does not act on while it counts the long one of the first.
    Its numbers are symbols, or these constants.
    """
    path = Path(LEASE_TABLE, sizes_of(2, 1, 2), constants or way.fixed())
    first, second = {"h": 0, "a": 0, "m": 0}, {"h": 1, "a": 0, "m": 0}
    shortened = way.ack not in ("none", "the least")
    process_stops = {"freezes", "crashes"} & set(way.faults)
    length = honoured(h, way.length)

    def wait_until(instant: Expr) -> None:
        path.take("tick", passing=instant - now)

    path.take("discover", **first)
    path.take("offer", **first)
    path.take("select", **first)
    path.take("commit", **first, length=way.length, skew=fastest(way.length) - way.length)
    if shortened:
        path.take("ask_again", h=0, a=0, m=1)
        path.take("prolong", h=0, a=0, m=1, length=least, skew=fastest(least) - least)
    if way.delayed and way.ack not in ("under way", "overtaken"):
        path.take("tick", passing=delay)
    path.take("bind", **first, skew=slowest(length) - length)
    if way.profile.probes:
        path.take("use", h=0, a=0)
    if way.ack == "under way":
        path.take("tick", passing=delay)
        reused(path, second)
        return path
    if way.ack == "discarded":
        path.take("ignore", h=0, a=0, m=1)
    if way.ack == "lost":
        path.take("lose", m=1, h=0)
    for fault, row in (("freezes", "freeze"), ("crashes", "crash"), ("steps", "set_back")):
        if fault in way.faults:
            path.take(row, h=0)
    path.take("mute")
    if way.ack == "killed":
        path.take("miss", m=1, h=0)
    if way.ack == "asleep":
        path.take("suspend", h=0)
        path.take("miss", m=1, h=0)
        path.take("resume", h=0)
    if way.ack == "restarted":
        path.take("stop", h=0)
        path.take("miss", m=1, h=0)
        path.take("restart", h=0)
        path.take("reboot", **first)
        path.take("miss", m=0, h=0)
        path.take("keep_remainder", h=0, a=0)
        if way.profile.probes:
            path.take("use", h=0, a=0)
    if not process_stops and (way.ack == "overtaken" or not way.profile.heeds_shorter):
        for asks_at, row in ((renew_at, "renew"), (rebind_at, "rebind")):
            wait_until(asks_at[h])
            path.take(row, **first)
            path.take("miss", m=0, h=0)
            if way.ack == "overtaken" and row == "renew":
                path.take("ignore", h=0, a=0, m=1)
    if way.waits:
        wait_until(lease_end[h])
        path.take("lapse", h=0)
        path.take("notify", h=0)
    wait_until(limit(h))
    path.take("unmute")
    reused(path, second)
    return path


def reused(path: Path, second: Mapping[str, int]) -> None:
    """Another host asks, and is given the address."""
    for row in ("discover", "offer", "select"):
        path.take(row, **second)
    path.take("reuse", **second, g=0, length=full, skew=lift(0, DURATION))


def taken(path: Path) -> None:
    """The other host receives the ACK: it holds the address, or probes for it."""
    path.take("bind", h=1, a=0, m=0, skew=lift(0, DURATION))


def hosts(logic: Unrolled) -> dict[Expr, Any]:
    """The host that holds on, and the one to which its address is given."""
    return {h: logic.whole(0), g: logic.whole(1)}


def ends_badly(way: Way, relation: Expr) -> tuple[list[Any], Any]:
    """What is assumed, of grace and bound this relation; and that the run exists and ends badly.

    Badly: the server has given away an address that is held, and then two hosts hold it, unless
    the new one probes.  That one may be any client.
    """
    path = run(way)
    start = Unrolled(path.sizes, path.fixed, path.start)
    assumed = (*numbers(), *PREMISES, bounded(h), *way.assumptions(), relation)
    premises = [start.read(term, hosts(start)) for term in assumed]
    for length in (full, least, grace, *(honoured(x, y) for x in (h, g) for y in (full, least))):
        premises += right_within(start.read(length, hosts(start)))
    given_away = z3.Not(path.here.read(OWNED.term, {}))
    taken(path)
    end = path.here
    both = z3.Or(end.read(probes[g], hosts(end)), z3.Not(end.read(EXCLUSIVE.term, {})))
    return premises, z3.And([*(guard for _, guard in path.conditions), given_away, both])


def shown() -> tuple[Obligation, Obligation]:
    """Where no ACK is missed, a grace below the bound is below a term that a run reaches."""
    logic = Logic({"shortens": True})
    assumed = (*numbers(), *PREMISES, ~ack_missed(h), fastest(grace) < worst_holdover(h))
    host = {h: z3.Const("h", domain(HOST))}
    premises = [logic.read(term, host) for term in assumed]
    below = z3.Or([logic.read(fastest(grace) < term, host) for _, term, _ in HEARD])
    return (
        Obligation("T3", "necessary", "a term", (*premises, z3.Not(below))),
        Obligation("T3", "necessary", "a term, premises", tuple(premises)),
    )


def necessary(way: Way) -> tuple[Obligation, Obligation]:
    """Below the bound the run exists and ends badly; and the premises, which must have a model."""
    premises, exists = ends_badly(way, fastest(grace) < way.shows)
    return (
        Obligation("T3", "necessary", way.name, (*premises, z3.Not(exists))),
        Obligation("T3", "necessary", f"{way.name}, premises", tuple(premises)),
    )


def settled(
    name: str,
    says: str,
    claims: Iterable[tuple[Obligation, Obligation | None]],
    solvers: Sequence[str],
) -> Check:
    """A check of obligations that must be unsatisfiable, with premises that must not be."""
    start = time.perf_counter()
    outcomes: list[Outcome] = []
    count, bad = 0, []
    for obligation, premises in claims:
        for solver in solvers:
            result = SOLVERS[solver]([obligation])[0].result
            count += 1
            outcomes.append(OUTCOME[result])
            if result != "proved":
                bad.append(f"{obligation.conjunct}: {result} by {solver}")
        if premises is not None and by_z3(premises).result != "refuted":
            outcomes.append("unknown")
            bad.append(f"{obligation.conjunct}: nothing satisfies its premises")
    text = f"{count - len(bad)} of {count} proved by {' and '.join(solvers)}"
    return Check(
        name, says, combined(outcomes), "; ".join([text, *bad]), time.perf_counter() - start,
        {"obligations": count},
    )  # fmt: skip


def prove_sufficient(solvers: Sequence[str] = ("z3",)) -> Check:
    """With enough grace the invariant is inductive, for all mixtures of clients at once.

    A row that never fires would mean that the premises contradict each other.
    """
    start = time.perf_counter()
    claim = sufficient()
    verdict = decide(claim, solvers)
    data = {"never_fire": list(verdict.never_fire), "obligations": len(verdict.answers)}
    return Check(
        "sufficient", f"the invariant is inductive for {claim.says}", verdict.outcome,
        detail(verdict), time.perf_counter() - start, data,
    )  # fmt: skip


def prove_lemma(solvers: Sequence[str] = ("z3",)) -> Check:
    """What the bound is for clocks within 1 ± drift."""
    return settled(
        "lemma", "grace ≥ safe_grace iff the worst holdover fits into the grace's shortest time",
        ((obligation, None) for obligation in lemma()), solvers,
    )  # fmt: skip


def prove_necessary(solvers: Sequence[str] = ("z3",)) -> Check:
    """Below the bound there is a run that ends badly."""
    return settled(
        "necessary", "for each way to hold back, any grace below the bound is too short",
        (shown(), *(necessary(way) for way in ways())), solvers,
    )  # fmt: skip


def prove(solvers: Sequence[str] = ("z3",), progress: Progress = silent) -> Theorem:
    """T3's checks."""
    progress("T3: enough grace suffices")
    enough = prove_sufficient(solvers)
    progress("T3: less does not suffice")
    return Theorem("T3", TITLE, (enough, prove_lemma(solvers), prove_necessary(solvers)))
