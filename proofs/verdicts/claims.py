"""Every claim of the specification, and whether it comes out as stated: `holdover verify`.

A claim is a theorem's part, a pinned configuration, or the verdict on a profile that is stated
here.  Tasks run side by side; what a task that dies was to check is *unknown*.  Claims about one
configuration are one task, in which it is explored once.  All that the engine is asked about is
one, so that one process imports numba, and compiles kernels if need be, and networkx reads a
configuration once.  T2 is with it, since T5 asks of what T2 has read.  Every other claim is a task
of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdover.model.clients.profile import builtin_names, load
from holdover.model.explorer.configurations import (
    Configuration,
    ExplorationCounts,
    configurations,
    counts,
    differences,
    run,
)
from holdover.model.explorer.explore import Exploration
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS
from holdover.proofs.result import Check, Outcome, combine
from holdover.proofs.theorems import (
    t0_time_passes,
    t1_refutation,
    t2_safety,
    t3_grace,
    t4_regression,
    t5_agreement,
    t5_state_graph,
    t6_displaced,
    t6_explored,
    t7_contested,
)
from holdover.proofs.verdicts.judge import judge
from holdover.proofs.verdicts.processes import begin

if TYPE_CHECKING:  # numpy: see reference/signals.py
    from holdover.model.explorer.stategraph import GraphReading

SAFE = ("reference", "rfc2131", "wfwg311-fixed")
"""The profiles that hold in the standard surroundings; every other one is violated."""


@dataclass(frozen=True)
class Claim:
    """What is stated, in which group it stands, and how it is checked."""

    group: str
    name: str
    kind: str
    weight: float
    """Rough seconds on one core: the heavy ones start first."""

    @property
    def subject(self) -> tuple[str, str]:
        """What is looked at: claims that have it in common are checked one after the other."""
        if self.kind in ASKED_OF_ENGINE:
            return BY_ENGINE
        if self.kind in ("graph", "pinned"):
            engine = self.name in t5_state_graph.BY_ENGINE
            engine = engine or is_for_engine(configuration_named(self.name))
            return BY_ENGINE if engine else ("configuration", self.name)
        return self.kind, self.name


ASKED_OF_ENGINE = ("T0-explored", "T2", "T5", "graph-engine", "T6-explored", "T7-explored")
"""The kinds of claims of which the engine or its kernel is asked, and T2, for T5 reads the same."""

BY_ENGINE = "what the engine is asked about", ""
"""What these claims are about, and those about each configuration that the engine explores."""


def claims(solvers: Sequence[str] = ("z3",), *, combined: bool = False) -> Iterator[Claim]:
    """All claims, in the order of the report; `combined`: T3's runs of several causes as well."""
    asked = len(solvers)
    yield Claim("T0", "whatever holds time up may happen", "T0", 0.25 * asked)
    for name in t0_time_passes.EXPLORED:
        yield Claim("T0", name, "T0-explored", 0.2)
    yield Claim("T1", "wfwg311 collides, and no run is shorter", "T1", 0.7)
    yield Claim("T1", "no run is shorter in seconds", "T1-seconds", 0.2)
    for name in t2_safety.TOLERATED:
        yield Claim("T2", name, "T2", 0.5 * asked)
    yield Claim("T3", "enough grace suffices", "T3-sufficient", 3.4 * asked)
    yield Claim("T3", "less does not", "T3-necessary", 0.7 * asked)
    if combined:
        yield Claim("T3", "nor with several causes, or no xid check", "T3-combined", 2 * asked)
    yield Claim("T4", "the fix changes nothing else", "T4", 0.6)
    yield Claim("T5", "the readings agree", "T5", 0.9)
    for configuration in t5_state_graph.fitting():
        yield Claim("T5", configuration.name, "graph", configuration.states / 60_000)
    yield Claim("T5", "T1's collision", "graph-T1", 0.4)
    yield Claim("T5", "engine", "graph-engine", 1)
    yield Claim("T6", "the former holder lets go", "T6-sufficient", 2.5 * asked)
    yield Claim("T6", "as late as that", "T6-reached", 0.2 * asked)
    yield Claim("T6", "and no later in a search", "T6-explored", 0.2)
    yield Claim("T7", "who gives way lets go, and no sooner", "T7", 0.15 * asked)
    yield Claim("T7", "and no later in a search", "T7-explored", 0.2)
    for name in builtin_names():
        yield Claim("profile", name, "profile", 0.2 if name in SAFE else 0.05)
    for configuration in configurations():
        engine = is_for_engine(configuration)
        weight = 0.04 if engine else configuration.states / 150_000
        yield Claim("pinned", configuration.name, "pinned", weight)


Solvers = Sequence[str]

BY_SOLVERS: Mapping[str, Callable[[str, Solvers], list[Check]]] = {
    "T0": lambda _, by: [t0_time_passes.prove_may(by)],
    "T2": lambda name, by: [t2_safety.prove_one(name, by)],
    "T3-sufficient": lambda _, by: [t3_grace.prove_sufficient(by), t3_grace.prove_lemma(by)],
    "T3-combined": lambda _, by: [t3_grace.prove_combined(by)],
    "T3-necessary": lambda _, by: [t3_grace.prove_necessary(by)],
    "T6-sufficient": lambda _, by: list(t6_displaced.prove_sufficient(by)),
    "T6-reached": lambda _, by: [t6_displaced.prove_reached(by)],
    "T7": lambda _, by: [t7_contested.prove_sufficient(by), t7_contested.prove_reached(by)],
    "profile": lambda name, by: [check_verdict(name, by)],
}
"""The kinds of claims that are decided by the solvers that are asked for."""

BY_SEARCH: Mapping[str, Callable[[str], list[Check]]] = {
    "T0-explored": lambda name: [t0_time_passes.explore_network(name)],
    "T1": lambda _: t1_refutation.checks_in_ticks(),
    "T1-seconds": lambda _: t1_refutation.checks_in_seconds(),
    "T4": lambda _: list(t4_regression.prove().checks),
    "T5": lambda _: list(t5_agreement.prove().checks),
    "graph": lambda name: [check_graph(name)],
    "graph-T1": lambda _: [t5_state_graph.same_as_solver()],
    "graph-engine": lambda _: list(map(check_engine, t5_state_graph.BY_ENGINE)),
    "T6-explored": lambda _: list(map(t6_explored.compare, t6_explored.settings())),
    "T7-explored": lambda _: list(t7_contested.search()),
    "pinned": lambda name: [check_configuration(name)],
}
"""The others: a search, or a run that Z3 is asked for; whichever solver decides obligations."""


def check(claim: Claim, solvers: Solvers = ("z3",)) -> list[Check]:
    """The claim's checks."""
    if claim.kind in BY_SOLVERS:
        return BY_SOLVERS[claim.kind](claim.name, solvers)
    return BY_SEARCH[claim.kind](claim.name)


def check_verdict(name: str, solvers: Sequence[str]) -> Check:
    """The verdict on a profile is the stated one."""
    start = time.perf_counter()
    found = judge(load(name), solvers=solvers)
    expected = "holds" if name in SAFE else "violated"
    outcome: Outcome = "unknown" if found.outcome == "unknown" else "holds"
    if found.outcome not in (expected, "unknown"):
        outcome = "violated"
    says = f"{name} {expected if expected == 'holds' else 'is violated'}"
    detail = f"{found.outcome}: {found.reason}"
    return Check(name, says, outcome, detail, time.perf_counter() - start)


def configuration_named(name: str) -> Configuration:
    """The pinned configuration of that name."""
    return next(c for c in configurations() if c.name == name)


class KeptExplorations:
    """What this process found for claims that are perhaps followed by others about the same.

    The last exploration with its states; of those before it the counts, and what networkx said.
    """

    def __init__(self) -> None:
        self.configuration: Configuration | None = None
        self.found: tuple[ExplorationCounts, Exploration] | None = None
        self.counted: dict[str, ExplorationCounts] = {}
        self.readings: dict[str, GraphReading] = {}

    def of(self, configuration: Configuration) -> tuple[ExplorationCounts, Exploration]:
        """The exploration of a configuration in plain Python."""
        if self.found is None or self.configuration != configuration:
            self.configuration, self.found = configuration, None  # before another takes its memory
            self.found = run(configuration, narrow=True)
            self.counted[configuration.name] = self.found[0]
        return self.found

    def counts_of(self, configuration: Configuration) -> ExplorationCounts:
        """What that exploration comes to."""
        return self.counted.get(configuration.name) or self.of(configuration)[0]

    def forget(self) -> None:
        """No claim that is checked next is about any of these."""
        self.configuration = self.found = None
        self.counted.clear()
        self.readings.clear()


KEPT = KeptExplorations()


def check_graph(name: str) -> Check:
    """Networkx and the explorer see the same of a configuration."""
    configuration = configuration_named(name)
    return t5_state_graph.same_graph(configuration, KEPT.of(configuration), KEPT.readings)


def check_engine(name: str) -> Check:
    """Networkx and the engine see the same of a configuration."""
    return t5_state_graph.same_engine(name, KEPT.readings)


PLAIN = t5_state_graph.FITS
"""States up to which a configuration is explored in plain Python.

T5 has those explored anyway.  Of larger ones the engine makes its tables in less time.  The tests
hold it to the plain explorer on every configuration.
"""


def is_for_engine(configuration: Configuration) -> bool:
    """Whether there is much to explore, and nothing is asked that only plain Python says."""
    return configuration.states > PLAIN and not configuration.eventually


def count_states(configuration: Configuration) -> ExplorationCounts:
    """What an exploration comes to."""
    if not is_for_engine(configuration):
        return KEPT.counts_of(configuration)
    from holdover.model.engine.engine import search

    instance = configuration.instance()
    room = configuration.states  # for the tables; if there are more, they grow
    return counts(
        search(instance, ALWAYS, STEPS, SOMETIMES, threads=1, expected=room, symmetry=False)
    )


def check_configuration(name: str) -> Check:
    """An exploration comes to its pinned numbers."""
    start = time.perf_counter()
    configuration = configuration_named(name)
    seen = count_states(configuration)
    wrong = differences(configuration, seen)
    kinds = " beside ".join((configuration.profile, *configuration.beside))
    says = f"{kinds} at {configuration.size}: the pinned states, steps, depth, runs"
    numbers = f"{seen.states} states, {seen.steps} steps, depth {seen.depth}"
    outcome: Outcome = "holds" if not wrong else "violated" if seen.complete else "unknown"
    detail = "; ".join(wrong) or numbers
    return Check(name, says, outcome, detail, time.perf_counter() - start)


@dataclass(frozen=True)
class ClaimResult:
    """A claim with what its checks came to."""

    claim: Claim
    checks: tuple[Check, ...]

    @property
    def outcome(self) -> Outcome:
        """Holds if the claim came out as stated."""
        return combine(check.outcome for check in self.checks)


def check_all(
    todo: Sequence[Claim],
    jobs: int,
    solvers: Sequence[str] = ("z3",),
    progress: Callable[[int, int, str], None] | None = None,
) -> list[ClaimResult]:
    """Check claims on `jobs` processes, the heavy ones first; the results in the given order."""
    results: dict[Claim, ClaimResult] = {}
    with ProcessPoolExecutor(jobs, initializer=begin) as pool:
        futures = {pool.submit(check_task, task, solvers): task for task in tasks(todo)}
        try:
            for future in as_completed(futures):
                task, error = futures[future], future.exception()
                found = [unknown_for(claim, error) for claim in task] if error else future.result()
                for claim, checks in zip(task, found, strict=True):
                    results[claim] = ClaimResult(claim, tuple(checks))
                    if progress is not None:
                        progress(len(results), len(todo), f"{claim.group}: {claim.name}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[claim] for claim in todo]


def tasks(todo: Sequence[Claim]) -> list[tuple[Claim, ...]]:
    """Claims by what they look at, the heavy ones first."""
    found: dict[tuple[str, str], list[Claim]] = {}
    for claim in todo:
        found.setdefault(claim.subject, []).append(claim)
    return sorted(map(tuple, found.values()), key=lambda task: -sum(each.weight for each in task))


def check_task(task: Sequence[Claim], solvers: Sequence[str]) -> list[list[Check]]:
    """The checks of each claim; where one fails, the others are checked."""
    found = []
    for claim in task:
        try:
            found.append(check(claim, solvers))
        except Exception as error:
            found.append(unknown_for(claim, error))
    KEPT.forget()
    return found


def unknown_for(claim: Claim, error: BaseException) -> list[Check]:
    """What is said of a claim whose check did not come to its end."""
    return [Check(claim.name, claim.name, "unknown", f"the check failed: {error!r}")]
