"""One measurement in a process of its own, so that its memory and its compilation are its own.

`python -m tests.measure.bench.measure JSON` does what the JSON asks and prints what came of it as
the last line; before it, a line `at DEPTH STATES` for each level, so that a run that is cut off has
said how far it came.  `measured` starts such a process.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from holdover.model.explorer.configurations import Configuration
from holdover.model.explorer.explore import explore
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS, Property
from tests.checkout import ROOT
from tests.measure.bench import referees
from tests.measure.bench.referees import Ran, Verdict


@dataclass(frozen=True)
class Row:
    """What one tool came to on one configuration.

    `prepare` and `seconds` are what it took before and while it searched, in all `total`; `rated`
    is the time to which `states` belong, if the search was cut off and said it last before its end.
    `cpu` are the seconds that processors worked, of the engine from its start on.
    """

    case: str
    tool: str
    how: str
    states: int | None = None
    steps: int | None = None
    depth: int | None = None
    broken: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False
    cut: str = ""
    prepare: float = 0.0
    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    rated: float | None = None
    breadth_first: bool = True
    stored: int | None = None
    verdict: str = ""

    @property
    def total(self) -> float:
        """Seconds from nothing to the result."""
        return self.prepare + self.seconds

    @property
    def rate(self) -> float | None:
        """States a second of the search; of one that was cut off, as far as it came."""
        took = self.seconds if self.rated is None else self.rated
        return self.states / took if self.states and took > 0 else None

    @property
    def per_cpu(self) -> float | None:
        """States a second of CPU time."""
        return self.states / self.cpu if self.states and self.cpu > 0 else None


def row_of(case: Configuration, verdict: Verdict, *, breadth_first: bool) -> Row:
    """A referee's verdict as a row."""
    v = verdict
    return Row(
        case.name,
        v.tool,
        v.configuration,
        v.states,
        v.steps,
        v.depth,
        dict(v.broken),
        v.complete,
        v.cut,
        v.prepare,
        v.seconds,
        v.cpu,
        v.peak,
        v.rated,
        breadth_first,
    )


def measured(
    case: Configuration,
    tool: str,
    how: str,
    ask: Mapping[str, Any],
    *,
    seconds: float,
    memory: int,
    cache: Path | None = None,
) -> Row:
    """A measurement in a process of its own; `ask["kind"]` is one of KINDS.

    `cache` is where numba keeps what it compiles.  A process that fails gives
    a row that is neither complete nor cut off, and its words on stderr.
    """
    asked = json.dumps({**ask, "case": asdict(case)})
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="1")
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    command = [sys.executable, "-m", "tests.measure.bench.measure", asked]
    with referees.workplace() as place:
        ran = referees.run(command, place, seconds=seconds, memory=memory, environment=environment)
    row = Row(case.name, tool, how, seconds=ran.seconds, cpu=ran.cpu, peak=ran.peak, cut=ran.cut)
    if ran.cut:
        return _cut_off(row, ran, stored="symmetry" in ask and bool(ask["symmetry"]))
    if ran.status:
        sys.stderr.write(ran.output)
        return replace(row, verdict="failed")  # the rest of a long run is not lost with it
    found = json.loads(ran.output.splitlines()[-1])
    took = float(found.pop("took"))
    return replace(row, **found, seconds=took, prepare=ran.seconds - took)


def _cut_off(row: Row, ran: Ran, *, stored: bool) -> Row:
    """The row of a process that was ended: what it said last, be it of states or stored ones."""
    levels = re.findall(r"^at (\d+) (\d+) ([\d.]+)$", ran.output, re.MULTILINE)
    if not levels:
        return row
    depth, states, rated = levels[-1]
    row = replace(row, depth=int(depth), rated=float(rated))
    return replace(row, stored=int(states)) if stored else replace(row, states=int(states))


# In the process ----------------------------------------------------------------------------------


class Levels:
    """Says at each level how far the search has come."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def __call__(self, depth: int, states: int, _: int) -> None:
        print(f"at {depth} {states} {time.perf_counter() - self.start:.3f}", flush=True)


def by_explorer(case: Configuration, ask: Mapping[str, Any]) -> dict[str, object]:
    """The plain explorer."""
    instance = case.instance()
    start = time.perf_counter()
    found = explore(instance, ALWAYS, STEPS, SOMETIMES, memory=ask["memory"], progress=Levels())
    return {
        "took": time.perf_counter() - start,
        "states": len(found.states),
        "steps": found.steps,
        "depth": found.depth,
        "complete": found.complete,
        "cut": found.stopped_by,
        "broken": {name: len(trace) for name, trace in found.violations.items()},
    }


def by_engine(case: Configuration, ask: Mapping[str, Any]) -> dict[str, object]:
    """The compiled engine.  Its import counts as preparation, its compilation as search."""
    from holdover.model.engine.engine import search
    from holdover.model.packed.components import TooManyValuesError

    instance = case.instance()
    start = time.perf_counter()
    try:
        found = search(
            instance,
            ALWAYS,
            STEPS,
            SOMETIMES,
            threads=ask["threads"],
            memory=ask["memory"],
            expected=ask["expected"],
            symmetry=ask["symmetry"],
            progress=Levels(),
        )
    except TooManyValuesError:
        return {"took": time.perf_counter() - start, "cut": "refused, too large"}
    return {
        "took": time.perf_counter() - start,
        "states": found.states,
        "steps": found.steps,
        "depth": found.depth,
        "complete": found.complete,
        "cut": found.stopped_by,
        "broken": {name: len(trace) for name, trace in found.violations.items()},
        "stored": found.stored,
    }


def by_solver(case: Configuration, ask: Mapping[str, Any]) -> dict[str, object]:
    """Bounded model checking, or Spacer (`ask["depth"]` is None), on one property."""
    from holdover.proofs.logic.intervals import UnlimitedError
    from holdover.proofs.logic.model_checking import check_depth
    from tests.measure.bench.horn_clauses import spacer

    prop = property_of(ask["property"])
    instance = case.instance()
    start = time.perf_counter()
    try:
        if ask["depth"] is None:
            outcome, depth = spacer(instance, prop, ask["timeout"]).outcome, None
        else:
            answer = check_depth(instance, prop, ask["depth"], timeout=ask["timeout"])
            outcome, depth = answer.outcome, answer.depth
    except UnlimitedError:
        return {"took": time.perf_counter() - start, "verdict": "cannot be read", "cut": "reading"}
    return {
        "took": time.perf_counter() - start,
        "verdict": outcome,
        "depth": depth,
        "complete": outcome != "unknown",
        "cut": "time" if outcome == "unknown" else "",
        "broken": {prop.name: depth} if outcome == "violated" and depth is not None else {},
    }


KINDS = {"explorer": by_explorer, "engine": by_engine, "solver": by_solver}


def property_of(name: str) -> Property:
    """The property of that name."""
    return next(p for p in (*ALWAYS, *STEPS) if p.name == name)


def main(arguments: Sequence[str]) -> int:
    """Do what is asked."""
    ask = json.loads(arguments[0])
    case = Configuration(**ask["case"])
    print(json.dumps(KINDS[ask["kind"]](case, ask)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
