"""T2, safety for any number: no two hosts hold an address, whatever their number.

For each profile the invariant `LEASED` is inductive for any number of hosts, addresses and
datagrams, any lease lengths, real time, loss, duplication, reordering and delay, a server that
falls silent and refuses, clients that release and decline; for `reference` also with processes
frozen, thawed, killed and restarted.  For `wfwg311` exactly one step breaks it: `lapse`.

Assumed: perfect clocks (T3 has drift), datagrams delayed by a bounded time, what `limits.md` says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache

from holdover.model.clients.profile import FAULTS, Environment, Profile, load
from holdover.model.table.bound import ZERO
from holdover.model.table.expr import DURATION, RATIO, Constant, Expr, all_of, forall, lift
from holdover.model.table.vocabulary import (
    CONSTANTS,
    ONE,
    after_t1,
    after_t2,
    drift,
    full,
    h,
    kernel_late,
    least,
    margin,
)
from holdover.proofs.logic.invariants import LEASED
from holdover.proofs.logic.obligations import Case, Obligation
from holdover.proofs.logic.solvers import CaseVerdict, decide
from holdover.proofs.result import Check, Outcome, Progress, Theorem, silent

TITLE = "any number of hosts: no two hold an address"

NETWORK = ("mutes", "loses", "duplicates")
TOLERATED = {
    "wfwg311-fixed": (*NETWORK, "suspends"),
    "rfc2131": (*NETWORK, "suspends"),
    "reference": (*NETWORK, "freezes", "thaws", "crashes", "stops", "restarts"),
    "wfwg311": NETWORK,
}
"""The faults among which each profile is judged; suspend needs the BOOTTIME clock they have."""

BROKEN_BY = {"wfwg311": (("lapse", "held_under_lease"),)}
"""The obligations that must fail, and no other."""


def expected_answer(obligation: Obligation) -> str:
    """What a solver should say: unsat, or sat where the obligation must fail."""
    broken = BROKEN_BY.get(obligation.case.removeprefix("T2-"), ())
    return "sat" if (obligation.row, obligation.conjunct) in broken else "unsat"


@cache
def numbers() -> tuple[Expr, ...]:
    """What holds of every run's numbers; cases have these terms in common."""
    durations = [c for c in CONSTANTS.values() if c.sort is DURATION]
    return (
        *(c >= ZERO for c in durations if isinstance(c, Expr)),
        forall(h, all_of(*(c[h] >= ZERO for c in durations if isinstance(c, Constant)))),
        least > ZERO,
        least <= full,
        after_t2 > ZERO,
        after_t2 < after_t1,
        after_t1 < full,
        drift >= lift(0, RATIO),
        drift < ONE,
    )


def choices(profile: Profile) -> dict[str, object]:
    """A profile's facts without its durations, which a proof leaves open."""
    return {k: v for k, v in profile.facts().items() if not isinstance(v, Fraction)}


def case(name: str, faults: Sequence[str]) -> Case:
    """The claim for one profile: choices as in its file, durations open, no floor, no lateness."""
    profile = load(name)
    surroundings = Environment(acknowledge_within=None).facts()
    fixed = {
        **{k: v for k, v in surroundings.items() if not isinstance(v, Fraction)},
        **choices(profile),
        **{fault: fault in faults for fault in FAULTS},
        "releases": True,
        "drift": 0,
        "floor": 0,
        "late": 0,
    }
    return Case(
        f"T2-{name}",
        f"{name} among {', '.join(faults)}",
        LEASED,
        fixed,
        (*numbers(), forall(h, kernel_late[h] <= margin[h])),
    )


def cases() -> Iterator[tuple[str, Case]]:
    """One case for each profile."""
    for name, faults in TOLERATED.items():
        yield name, case(name, faults)


def judge_obligations(name: str, verdict: CaseVerdict) -> Outcome:
    """Whether exactly the expected obligations fail, on every solver, and nothing is vacuous."""
    expected = {
        (*pair, answer.solver) for pair in BROKEN_BY.get(name, ()) for answer in verdict.answers
    }
    failed = {
        (a.obligation.row, a.obligation.conjunct, a.solver)
        for a in verdict.answers
        if a.result == "refuted"
    }
    if failed - expected:
        return "violated"
    if not verdict.answers or any(
        a.result == "unknown" for a in (*verdict.answers, *verdict.fires)
    ):
        return "unknown"
    return "holds" if failed == expected else "violated"


def detail(verdict: CaseVerdict) -> str:
    """The counts, and what failed."""
    solvers = sorted({answer.solver for answer in verdict.answers})
    proved = sum(answer.result == "proved" for answer in verdict.answers)
    text = f"{proved} of {len(verdict.answers)} obligations proved by {' and '.join(solvers)}"
    failed = sorted({f"{a.obligation.row} breaks {a.obligation.conjunct}" for a in verdict.open})
    if failed:
        text += f"; {', '.join(failed)}"
    if verdict.never_fire:
        text += f"; never fire: {', '.join(verdict.never_fire)}"
    return text


def check(name: str, claim: Case, solvers: Sequence[str]) -> Check:
    """Decide one case."""
    start = time.perf_counter()
    verdict = decide(claim, solvers)
    says = (
        f"exactly `{BROKEN_BY[name][0][0]}` breaks the invariant for {claim.says}"
        if name in BROKEN_BY
        else f"the invariant is inductive for {claim.says}"
    )
    seconds = time.perf_counter() - start
    data = {"never_fire": list(verdict.never_fire), "obligations": len(verdict.answers)}
    return Check(name, says, judge_obligations(name, verdict), detail(verdict), seconds, data)


def prove_one(name: str, solvers: Sequence[str] = ("z3",)) -> Check:
    """T2's check of one profile."""
    return check(name, case(name, TOLERATED[name]), solvers)


def prove(solvers: Sequence[str] = ("z3",), progress: Progress = silent) -> Theorem:
    """T2's checks."""
    checks = []
    for name in TOLERATED:
        progress(f"T2: {name}")
        checks.append(prove_one(name, solvers))
    return Theorem("T2", TITLE, tuple(checks))
