"""What becomes of a mutant, and by what."""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import z3

from holdover.model.explorer.explore import Exploration, bytes_per_state, explore
from holdover.model.readings.finite import Instance
from holdover.model.table.expr import Constant, Effect, Variable
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, Table
from holdover.model.table.vocabulary import CONSTANTS
from holdover.proofs.logic.first_order import (
    ALIKE,
    After,
    Logic,
    any_clock,
    domain,
    nothing,
    parameters,
)
from holdover.proofs.logic.formula import all_of, symbol
from holdover.proofs.logic.invariants import remembering
from holdover.proofs.logic.obligations import Steps, guards
from holdover.proofs.logic.solvers import first_answers
from holdover.proofs.mutation.facts import FACTS, OPEN, prove_facts, solver_with
from holdover.proofs.mutation.mutants import Mutant, Part, mutants
from holdover.proofs.mutation.samples import Sample, counts, samples
from holdover.proofs.theorems.t2_safety import TOLERATED, case, numbers
from holdover.proofs.theorems.t3_grace import hearing, missing

Killer = Literal["crash", "property", "proof", "law", "count", "equivalent", "alike", "survives"]


KILLERS: tuple[Killer, ...] = (
    "crash",
    "property",
    "proof",
    "law",
    "count",
    "equivalent",
    "alike",
    "survives",
)


@dataclass(frozen=True)
class Fate:
    """What became of a mutant, and by what; all text, so that processes can exchange it."""

    row: str
    part: Part
    place: str
    text: str
    killer: Killer
    detail: str

    @property
    def name(self) -> str:
        """The mutant's."""
        return f"{self.row}/{self.part} {self.place}".rstrip()


@dataclass(frozen=True)
class Bench:
    """What mutants are put to: configurations, proved claims with their premises, and facts."""

    samples: tuple[Sample, ...]
    claims: tuple[Steps, ...]
    facts: tuple[Property, ...]


@functools.cache
def bench() -> Bench:
    """All there is; the facts only if they are proved."""
    facts = FACTS if prove_facts(OPEN) else ()
    # A counterexample without drift, among hosts with one client, is one; of others Z3 finds few.
    usual = {**{n: ALIKE for n, c in CONSTANTS.items() if isinstance(c, Constant)}, "drift": 0}
    claims = (
        case("reference", TOLERATED["reference"]),
        *(replace(any_, fixed={**usual, **any_.fixed}) for any_ in (missing(), hearing())),
        replace(OPEN, invariant=facts, fixed={"drift": 0}),
    )
    return Bench(samples(), tuple(map(Steps, claims)), facts)


def judge(changed: Mutant, on: Bench | None = None) -> Fate:
    """The strongest check that the mutant fails; if none, why that is so; else it survives."""
    on = on or bench()
    if overwritten(changed):
        detail = "a later effect of the row sets the same"
        return Fate(changed.row, changed.part, changed.place, changed.text, "equivalent", detail)
    killer, detail = explore_mutant(changed, on.samples)
    if killer in ("count", "survives") and (broken := refute_mutant(changed, on.claims)):
        killer, detail = "proof", broken
    elif killer in ("count", "survives") and (broken := lawless(changed, on.samples)):
        killer, detail = "law", broken
    elif killer == "count" and (reason := explain_copy(changed, on.samples)):
        killer, detail = "alike", reason
    elif killer == "survives" and (reason := equivalent(changed, on.facts)):
        killer, detail = "equivalent", reason
    elif killer == "survives" and (reason := alike(changed, on.samples)):
        killer, detail = "alike", reason
    return Fate(changed.row, changed.part, changed.place, changed.text, killer, detail)


LOOKS, SMALL = 8, 4000
"""In how many configurations, and of how many states at most, a broken property is looked for once
a count has differed."""


def explore_mutant(changed: Mutant, samples: Iterable[Sample]) -> tuple[Killer, str]:
    """What the explorer finds: a crash or a broken property, else a count that differs."""
    count, looks = "", 0
    for known in samples:
        if not known.alters(changed):
            continue
        if count and (looks >= LOOKS or len(known.seen.states) > SMALL):
            continue
        if not known.shows(changed):
            continue
        looks += 1
        where = known.setting.name
        room = 3 * len(known.seen.states) // 2 * bytes_per_state(known.seen.instance)
        try:
            instance = known.setting.instance(changed.table)
            seen = explore(instance, known.always, known.steps, stop=True, memory=room)
        except TypeError as error:
            return "crash", f"{where}: {error}"
        for name, trace in seen.violations.items():
            return "property", f"{where}: {name} fails after {len(trace)} steps"
        count = count or different(known, seen)
    return ("count", count) if count else ("survives", "")


def different(known: Sample, seen: Exploration) -> str:
    """How the counts differ, or nothing."""
    if not seen.complete:
        return f"{known.setting.name}: more than {len(known.seen.states)} states"
    pairs = zip(("states", "steps", "depth"), known.counts, counts(seen), strict=True)
    changes = [f"{what} {now}, not {before}" for what, before, now in pairs if now != before]
    return f"{known.setting.name}: {', '.join(changes)}" if changes else ""


def lawless(changed: Mutant, samples: Iterable[Sample]) -> str:
    """A law that is broken by a step of the changed row which the row itself does not take."""
    of_time = changed.changed.name == "tick"
    for known in samples:
        if not known.shows(changed):
            continue
        before, after = known.rows(changed)
        respected, kept = (known.time if of_time else known.acts), known.kept
        for state in known.seen.states:
            usual = {following for _, following in before(state)}
            for _, following in after(state):
                if following in usual:
                    continue
                broken = [name for name, true in respected if not true(state, following)]
                broken += [name for name, true in kept if not true(following)]
                if broken:
                    return f"{known.setting.name}: {broken[0]}"
    return ""


def refute_mutant(changed: Mutant, claims: Iterable[Steps]) -> str:
    """An obligation of the changed row that has a counterexample; it was proved before."""
    for steps in claims:
        asked = list(steps.of(remembering(changed.changed)))
        proved = first_answers("z3", asked)
        left = [step for step in asked if step.name not in proved]
        if not left:
            continue
        solver, (goals,) = solver_with(
            left[0].assertions[:-1], [step.assertions[-1] for step in left]
        )
        for step, goal in zip(left, goals, strict=True):
            solver.push()
            solver.add(goal)
            if solver.check() == z3.sat:
                return step.name
            solver.pop()
    return ""


def dropped_effect(changed: Mutant) -> Effect | None:
    """The effect that the mutant has not."""
    return changed.original.then[int(changed.place) - 1] if changed.part == "effect" else None


def overwritten(changed: Mutant) -> bool:
    """Whether a later effect of the row sets what the dropped effect would have set."""
    effect = dropped_effect(changed)
    if effect is None:
        return False
    later = changed.original.then[int(changed.place) :]
    return any(e.variable is effect.variable and e.at is effect.at and not e.every for e in later)


def equivalent(changed: Mutant, facts: Iterable[Property]) -> str:
    """Why the mutant does the same as the table, proved by Z3; or nothing."""
    before, after = changed.original, changed.changed
    logic, binding = Logic({}), parameters(before)
    allowed = guards(logic, after)
    assert allowed is not None, "with all constants open, no row is ruled out"
    effect = dropped_effect(changed)
    if effect is None:
        differs = ~all_of(logic.read(guard, binding) for guard in before.when)
        reason = "follows from the other guards"
    else:
        index = effect.variable.index
        at = [symbol("there", domain(index))] if index else []
        values = [After(logic, row, binding).state(effect.variable, at) for row in (before, after)]
        differs = values[0] != values[1]
        allowed += [there != nothing(index) for there in at if index]
        reason = "the variable has that value already"
    assumed = (*any_clock(), *(logic.read(term, {}) for term in numbers()))
    known = {fact.name: logic.read(fact.term, {}) for fact in facts}
    solver, (terms,) = solver_with([*assumed, *allowed, differs], list(known.values()))
    solver.set("core.minimize", True)
    for name, term in zip(known, terms, strict=True):
        solver.assert_and_track(term, name)
    if solver.check() != z3.unsat:
        return ""
    needed = sorted(str(name) for name in solver.unsat_core())
    return reason + (f", because {' and '.join(needed)}" if needed else "")


def alike(changed: Mutant, samples: Iterable[Sample]) -> str:
    """Why no count differs where an effect is missing, as observed in all configurations."""
    effect = dropped_effect(changed)
    shown = [known for known in samples if known.shows(changed)]
    if effect is None or not shown:
        return ""
    pairs = [(known, known.setting.instance(changed.table)) for known in shown]
    where = f"in {configurations(len(shown))}"
    if all(in_step(known.seen.instance, other, effect.variable) for known, other in pairs):
        return f"no row reads the difference, {where}"
    if all(set(known.seen.states) == set(explore(other).states) for known, other in pairs):
        return f"the same states are reached by as many steps, {where}"
    return ""


def explain_copy(changed: Mutant, samples: Iterable[Sample]) -> str:
    """Why no other states are reached where only names of steps differ, in all configurations."""
    others = Table(
        LEASE_TABLE.variables,
        tuple(row for row in LEASE_TABLE.actions if row.name != changed.changed.name),
    )
    shown = [known for known in samples if known.shows(changed)]
    for known in shown:
        besides = known.setting.instance(others).successors
        before, after = known.rows(changed)
        for state in known.seen.states:
            one, two = ({s for _, s in ways(state)} for ways in (before, after))
            if one != two and not one ^ two <= {s for _, s in besides(state)}:
                return ""
    return f"other rows take the same steps, in {configurations(len(shown))}"


def configurations(number: int) -> str:
    """So many, in words."""
    return f"{number} configuration{'s' if number > 1 else ''}"


def in_step(known: Instance, other: Instance, but: Variable) -> bool:
    """Whether two instances can always take the same steps and agree in all but one variable."""
    kept = [place for place, (variable, _) in enumerate(known.slots) if variable is not but]
    start = (known.initial, other.initial)
    seen, waiting = {start}, [start]
    while waiting:
        one, two = waiting.pop()
        if any(one[place] != two[place] for place in kept):
            return False
        ways, others = known.successors(one), other.successors(two)
        if [edge for edge, _ in ways] != [edge for edge, _ in others]:
            return False
        for pair in zip((s for _, s in ways), (s for _, s in others), strict=True):
            if pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return True


@functools.cache
def by_name() -> dict[str, Mutant]:
    """Every mutant."""
    return {changed.name: changed for changed in mutants()}


def judge_by_name(name: str) -> Fate:
    """For another process, which has its own terms: they are told apart by identity."""
    return judge(by_name()[name])


FEW = 20
"""For so many mutants each process explores what it needs; for more, all is explored before."""


def run(
    names: Sequence[str], jobs: int = 2, progress: Callable[[int, int], None] | None = None
) -> list[Fate]:
    """Judge the mutants of these names; `progress` is told how many of how many."""
    fates = []
    if jobs == 1:
        judged: Iterable[Fate] = map(judge_by_name, names)
        executor = None
    else:
        # Z3 does not survive a fork: they are those of a process that has asked it nothing yet.
        context = multiprocessing.get_context("forkserver")
        before = "fates" if len(names) <= FEW else "explored"
        context.set_forkserver_preload([f"holdover.proofs.mutation.{before}"])
        executor = ProcessPoolExecutor(jobs, mp_context=context)
        judged = executor.map(judge_by_name, names, chunksize=4)
    try:
        for fate in judged:
            fates.append(fate)
            if progress is not None:
                progress(len(fates), len(names))
    finally:
        if executor is not None:
            executor.shutdown(cancel_futures=True)
    return fates
