"""What networkx reads off a state graph, for people and for programs.

Two things: whether it sees what the explorer saw (`agreement`), and what every run to a collision
has in common (`common`).  networkx and numpy are imported when they are needed: signals.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdover.model.clients.profile import FAULTS
from holdover.model.explorer.configurations import EVENTUALLY, FAULT_ROWS
from holdover.model.explorer.explore import Exploration
from holdover.model.explorer.length import count_of
from holdover.model.readings.finite import Instance
from holdover.model.table.properties import ALWAYS, EXCLUSIVE, STEPS, Property
from holdover.model.table.table import LEASE_TABLE
from holdover.proofs.logic.invariants import OWNED
from holdover.proofs.verdicts.judge import Judgement

if TYPE_CHECKING:
    from holdover.model.explorer.holdings import Passages
    from holdover.model.explorer.stategraph import GraphReading

EXPLAINED = 250_000
"""States of a collision's graph that `explain` reads: 300 MB, some ten seconds."""

NOUNS = {EXCLUSIVE.name: "collision", OWNED.name: "way to give a held address away"}


@dataclass(frozen=True)
class Common:
    """What all runs to a collision have in common, or why nobody asked."""

    instance: Instance
    passages: Passages | None
    reason: str = ""
    by: str = ""
    """What alone does harm there, if not all of the client."""


def common(instance: Instance, broken: Property, most: int, by: str = "") -> Common:
    """What every run that breaks the property has in common, if the graph fits."""
    from holdover.model.explorer.holdings import passages
    from holdover.model.explorer.stategraph import TooManyStatesError

    try:
        return Common(instance, passages(instance, broken, most), by=by)
    except TooManyStatesError as error:
        return Common(instance, None, str(error))


def of_judgement(found: Judgement, most: int) -> Common | None:
    """The same for the instance in which a judgement found its run; None if it found none."""
    if found.looked_at is None:
        return None
    instance = Instance(LEASE_TABLE, *found.looked_at)
    by = "; by what is named as a cause alone" if found.causes else ""
    return common(instance, OWNED if found.profile.probes else EXCLUSIVE, most, by)


def of_search(seen: Exploration, memory: int) -> Common | None:
    """The same for a search; None if it was cut off, or saw no collision."""
    from holdover.model.explorer.stategraph import BYTES_PER_STATE

    if not seen.complete or EXCLUSIVE.name not in seen.violations:
        return None
    return common(seen.instance, EXCLUSIVE, memory // BYTES_PER_STATE)


def where(instance: Instance) -> str:
    """The instance in words."""
    bounds, constants = instance.bounds, instance.constants
    faults = [fault for fault in FAULTS if constants[fault]]
    size = ", ".join(
        (
            count_of(bounds.hosts, "host"),
            count_of(bounds.addresses, "address", "es"),
            count_of(bounds.messages, "datagram"),
        )
    )
    return f"{size}, a lease of {constants['full']} ticks, faults: {', '.join(faults) or 'none'}"


def common_lines(said: Common) -> Iterator[str]:
    """What every collision has in common, in sentences."""
    from holdover.model.explorer.holdings import in_general

    if said.passages is None:
        yield f"what every collision has in common was not asked: {said.reason}"
        return
    seen = said.passages
    if seen.length is None:
        yield f"networkx finds no collision in {seen.states:,} states"
        return
    noun = NOUNS[seen.property]
    yield f"networkx, of {seen.states:,} states up to it ({where(said.instance)}{said.by}):"
    for number, held in enumerate(seen.through):
        yield f"  every {noun} passes through{', then' if number else ''}: {held}"
    if len(seen.cut) > 1:
        yield f"  every {noun} passes through one of:"
        yield from (f"    {held}" for held in seen.cut)
    if not seen.cut:
        yield f"  nothing of the kind cuts every {noun} off"
    yield f"  no {noun} without:"
    for name in seen.rows:
        if name != "tick":
            yield f"    {name}: {in_general(said.instance.table.action(name))}"


def common_data(said: Common | None) -> dict[str, object] | None:
    """The same for programs."""
    if said is None:
        return None
    if said.passages is None:
        return {"not_asked": said.reason}
    seen = said.passages
    return {
        "property": seen.property,
        "instance": where(said.instance) + said.by,
        "states": seen.states,
        "shortest": seen.length,
        "needs": list(seen.rows),
        "passes_through": [str(held) for held in seen.through],
        "smallest_cut": [str(held) for held in seen.cut],
    }


# Against the explorer ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Agreement:
    """networkx's reading of the graph that was explored, and where it differs from the explorer."""

    reading: GraphReading | None
    differences: tuple[str, ...] = ()
    reason: str = ""


def agreement(seen: Exploration, memory: int) -> Agreement:
    """Networkx is asked what the explorer was, and where the graph ends and whether time passes."""
    from holdover.model.explorer.stategraph import BYTES_PER_STATE, grow, read
    from holdover.proofs.theorems.t5_state_graph import differences

    if not seen.complete:
        return Agreement(None, reason="the search was cut off")
    if len(seen.states) * BYTES_PER_STATE > memory:
        needed = len(seen.states) * BYTES_PER_STATE >> 20
        return Agreement(None, reason=f"its graph takes {needed} MiB; give more --memory")
    graph = grow(seen.instance, most=memory // BYTES_PER_STATE)
    found = read(graph, ALWAYS, STEPS, EVENTUALLY, FAULT_ROWS)
    return Agreement(found, tuple(differences(found, seen)))


def agreement_lines(said: Agreement) -> Iterator[str]:
    """What networkx says of the graph."""
    if said.reading is None:
        yield f"networkx was not asked: {said.reason}"
        return
    if said.differences:
        yield "networkx disagrees with the explorer, so nothing said here can be relied on:"
        yield from (f"  {line}" for line in said.differences)
        return
    yield "networkx finds the same states, steps, depth and shortest runs in a graph of its own"
    yield (
        f"  time can {'always pass' if said.reading.time_passes else 'STOP in some state'}; "
        f"components: {said.reading.components}; in the end: "
        + (", ".join(said.reading.eventually) or "nothing that is asked")
    )


def agreement_data(said: Agreement) -> dict[str, object]:
    """The same for programs."""
    from holdover.proofs.theorems.t5_state_graph import facts

    if said.reading is None:
        return {"not_asked": said.reason}
    return {**facts(said.reading), "differences": list(said.differences)}
