"""T5, the state graph: what networkx reads off it is what explorer, engine and proofs say.

For each pinned configuration that fits (`FITS` states; larger ones are not compared), networkx's
graph of all states is grown without the explorer's bookkeeping (`model/explorer/stategraph.py`).
Its answers are held against the explorer's:

* the states within reach, one by one; steps; the depth;
* for each property the length of a shortest run that breaks it;
* that from every state time can pass: the explorer does not ask this, and it must be so;
* what comes about in the end, where that is pinned: the explorer's answer is read off arrays.

Where T2 proves the client among at least these faults, networkx must find no way to a collision.
In T1's instance its shortest path is as long as the collision of which a solver finds none shorter.
The engine is asked the same of a few.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from holdover.model.explorer.configurations import (
    EVENTUALLY,
    FAULT_ROWS,
    Configuration,
    ExplorationCounts,
    configurations,
    run,
)
from holdover.model.explorer.explore import EngineResult, Exploration
from holdover.model.explorer.length import length_in_search
from holdover.model.readings.finite import Instance
from holdover.model.readings.narrow import narrow_down
from holdover.model.table.properties import ALWAYS, EXCLUSIVE, SOMETIMES, STEPS
from holdover.proofs.result import Check, Outcome
from holdover.proofs.theorems import t1_refutation
from holdover.proofs.theorems.t2_safety import BROKEN_BY, TOLERATED

if TYPE_CHECKING:  # numpy: see reference/signals.py
    from holdover.model.explorer.stategraph import GraphReading

FITS = 20_000
"""States of a configuration whose graph is read: 24 MB and about a second."""

BY_ENGINE = ("wfwg311-thereafter", "rfc2131", "server forgets")
"""The configurations that the engine is asked about: each costs it half a second of preparation."""


Readings: TypeAlias = "MutableMapping[str, GraphReading]"
"""What networkx says of configurations, by their names."""


def fitting() -> tuple[Configuration, ...]:
    """The pinned configurations whose graph fits."""
    return tuple(c for c in configurations() if c.states <= FITS)


def reading(configuration: Configuration, instance: Instance, most: int = FITS) -> GraphReading:
    """What networkx says, asked what is pinned."""
    from holdover.model.explorer.stategraph import grow, read

    asked = {name: EVENTUALLY[name] for name in configuration.eventually}
    grown = grow(instance, most=most)
    said = read(grown, ALWAYS, STEPS, asked, FAULT_ROWS)
    grown.graph.clear()  # its views refer back to it: a collector would go through all of it first
    return said


def same_graph(
    configuration: Configuration,
    explored: tuple[ExplorationCounts, Exploration] | None = None,
    readings: Readings | None = None,
) -> Check:
    """The explorer and networkx agree on a configuration; `explored`, if it has been already.

    What networkx says is put among the `readings`, if the engine is asked about the same.
    """
    start = time.perf_counter()
    seen, found = explored or run(configuration)
    says = f"networkx and the explorer see the same of {configuration.name}"
    name = f"graph, {configuration.name}"
    if not seen.complete:
        return Check(name, says, "unknown", "the search was cut off")
    graph = reading(configuration, found.instance, max(FITS, seen.states))
    if readings is not None and configuration.name in BY_ENGINE:
        readings[configuration.name] = graph
    wrong = [*differences(graph, found), *against_proof(graph, configuration)]
    if graph.eventually != seen.eventually:
        wrong.append(f"in the end: {graph.eventually!r}, the explorer {seen.eventually!r}")
    if not graph.time_passes:
        wrong.append("there is a state from which time cannot pass")
    detail = "; ".join(wrong) or summarise(graph)
    outcome: Outcome = "violated" if wrong else "holds"
    return Check(name, says, outcome, detail, time.perf_counter() - start, facts(graph))


def differences(graph: GraphReading, found: Exploration) -> Iterator[str]:
    """Where networkx differs from what the explorer says of states, steps and shortest runs."""
    states = frozenset(found.index)
    if graph.states != states or list(found.index) != found.states:
        states = frozenset(found.states)
        missing, extra = len(graph.states - states), len(found.states) - len(graph.states & states)
        yield f"the explorer lacks {missing} states within reach and has {extra} that are not"
    broken = {name: len(run) for name, run in sorted(found.violations.items())}
    pairs = {
        "steps": (graph.steps, found.steps),
        "depth": (graph.depth, found.depth),
        "shortest runs": (graph.broken, broken),
    }
    for what, (mine, explorers) in pairs.items():
        if mine != explorers:
            yield f"{what}: {mine!r}, the explorer {explorers!r}"


def is_proved(configuration: Configuration) -> bool:
    """Whether T2 proves the profile among these faults, so that no two hosts hold an address."""
    among = TOLERATED.get(configuration.profile, ())
    alone = configuration.profile not in BROKEN_BY and not configuration.beside
    return alone and set(configuration.faults) <= set(among)


def against_proof(graph: GraphReading, configuration: Configuration) -> Iterator[str]:
    """Where networkx finds a collision that T2 excludes."""
    if is_proved(configuration) and EXCLUSIVE.name in graph.runs:
        yield f"a collision after {graph.broken[EXCLUSIVE.name]} steps, which T2 excludes"


def summarise(graph: GraphReading) -> str:
    """What networkx found, in one line."""
    parts = [f"{len(graph.states)} states, depth {graph.depth}"]
    parts += [f"{name} broken after {length}" for name, length in graph.broken.items()]
    parts += [f"{name} comes in the end" for name in graph.eventually]
    return ", ".join([*parts, "time passes" if graph.time_passes else "time stops"])


def facts(graph: GraphReading) -> dict[str, object]:
    """The same for programs."""
    return {
        "states": len(graph.states),
        "steps": graph.steps,
        "depth": graph.depth,
        "shortest_runs": [
            {"property": name, "steps": steps} for name, steps in graph.broken.items()
        ],
        "time_passes": graph.time_passes,
        "in_the_end": list(graph.eventually),
        "components": graph.components,
    }


def same_as_solver() -> Check:
    """In T1's instance networkx's shortest path to a collision has T1's length."""
    from holdover.model.explorer.stategraph import grow, how_far

    start = time.perf_counter()
    model = narrow_down(t1_refutation.instance())
    found = t1_refutation.explore_collision(model)
    exclusive = model.predicate(EXCLUSIVE.term)
    grown = grow(model, most=FITS, end=lambda state: not exclusive(state))
    distances = how_far(grown)
    ours = min((distances[collision] for collision in grown.ends), default=None)
    expected = None if found is None else len(found)
    says = "networkx's shortest collision of T1's instance is as long as T1's"
    length = "none" if found is None else length_in_search(found.labels)
    detail = f"networkx {ours}, T1 {expected}: {length}"
    outcome: Outcome = "holds" if ours == expected is not None else "violated"
    return Check("graph, T1", says, outcome, detail, time.perf_counter() - start)


def same_engine(name: str, readings: Readings | None = None) -> Check:
    """The engine and networkx agree on a configuration, of which the engine stores every state.

    What networkx says of it may be among the `readings`.
    """
    from holdover.model.engine.engine import search

    start = time.perf_counter()
    configuration = next(c for c in configurations() if c.name == name)
    instance = configuration.instance()
    ask = partial(search, instance, ALWAYS, STEPS, SOMETIMES, symmetry=False)
    engine: EngineResult = ask(threads=1, memory=1 << 28)
    graph = (readings or {}).get(name) or reading(configuration, instance, 2 * FITS)
    says = f"networkx and the engine see the same of {name}"
    if not engine.complete:
        return Check(f"engine, {name}", says, "unknown", "the engine's search was cut off")
    broken = {p: len(run) for p, run in sorted(engine.violations.items())}
    mine = (len(graph.states), graph.steps, graph.depth, graph.broken)
    engines = (engine.states, engine.steps, engine.depth, broken)
    detail = summarise(graph) if mine == engines else f"networkx {mine}, engine {engines}"
    outcome: Outcome = "holds" if mine == engines else "violated"
    return Check(f"engine, {name}", says, outcome, detail, time.perf_counter() - start)


def checks() -> Iterator[Check]:
    """All of them."""
    for configuration in fitting():
        yield same_graph(configuration)
    yield same_as_solver()
    for name in BY_ENGINE:
        yield same_engine(name)
