"""From ticks to seconds: whether a run that the explorer found exists in real time.

The explorer rounds every duration up to whole ticks, so its runs are suggestions.  Here the same
rows are taken in the same order with the profile's exact durations, while how long each `tick`
lasts and how each clock errs is left to the solver.  If the guards can all hold and the property
fails at the end, the run is real, and these are its times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from holdover.model.explorer.explore import Trace
from holdover.model.readings.finite import Instance, Label
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, sends
from holdover.model.table.vocabulary import NOW
from holdover.proofs.logic.formula import REAL, Formula, symbol, with_values
from holdover.proofs.logic.solvers import solve
from holdover.proofs.logic.unrolled import SymbolicRun, sizes_of


def realise(
    trace: Trace, constants: Mapping[str, object], broken: Property
) -> list[Fraction] | None:
    """The instant after each step in seconds, or None if there is no such run in real time."""
    found = realise_bindings(trace, constants, broken)
    return None if found is None else [instant for instant, _ in found]


def realise_bindings(
    trace: Trace, constants: Mapping[str, object], broken: Property
) -> list[tuple[Fraction, tuple[Fraction, ...]]] | None:
    """After each step its instant, and the row's parameters in seconds (members as their number).

    None if there is no such run in real time.
    """
    bounds = trace.instance.bounds
    sizes = sizes_of(bounds.hosts, bounds.addresses, bounds.messages)
    path = SymbolicRun(trace.instance.table, sizes, constants)
    longest = max(bounds.lengths)
    taken = []
    for number, label in enumerate(trace.labels):
        given: dict[str, object] = {}
        for p, value in zip(label.action.given, label.binding, strict=True):
            name = str(p.args[0])
            if name == "length":
                given[name] = constants["full"] if value == longest else constants["least"]
            elif name in ("passing", "skew"):
                given[name] = symbol(f"{name}_{number}", REAL)
            else:
                given[name] = value
        path.take(label.action.name, **given)
        instant = path.here.values[NOW.name, 0]
        taken.append((instant, [given[str(p.args[0])] for p in label.action.given]))
    guards = [guard for _, guard in path.conditions]
    said, values = solve([*guards, ~path.here.read(broken.term, {})])
    if said != "sat":
        return None

    def number_of(term: object) -> Fraction:
        return Fraction(str(with_values(term, values).of if isinstance(term, Formula) else term))

    return [(number_of(at), tuple(map(number_of, given))) for at, given in taken]


LATE = frozenset(
    row.name
    for row in LEASE_TABLE.actions
    if sends(row) & {"DISCOVER", "REQUEST"} or row.name in ("duplicate", "mute", "unmute")
)
"""Rows that a run told well takes as late as it can: what is sent, and the server's comings."""


def shorten_flights(trace: Trace, broken: Property) -> Trace:
    """The same steps with datagrams in flight as briefly as the run allows.

    Past steps that let time pass, receiving moves forward and sending back, as far as the run stays
    possible and still breaks the property; and the server is silent no longer than it must.
    """
    labels, fails = list(trace.labels), trace.instance.predicate(broken.term)
    names = [label.action.name for label in labels]

    def moved(start: int, end: int) -> list[Label] | None:
        if "tick" not in names[min(start, end) : max(start, end) + 1] or names[start] == "tick":
            return None
        other = [*labels[:start], *labels[start + 1 :]]
        other.insert(end, labels[start])
        run = replay(trace.instance, other)
        return other if run is not None and not fails(run.states[-1]) else None

    for start in reversed(range(len(labels))):
        if names[start] in LATE:
            ends = reversed(range(start + 1, len(labels)))
            better = next(filter(None, (moved(start, end) for end in ends)), None)
            labels = better or labels
            names = [label.action.name for label in labels]
    for start in range(len(labels)):
        if names[start] not in LATE:
            better = next(filter(None, (moved(start, end) for end in range(start))), None)
            labels = better or labels
            names = [label.action.name for label in labels]
    return replay(trace.instance, labels) or trace


def replay(model: Instance, labels: Sequence[Label]) -> Trace | None:
    """A run by the explorer's successor function; None if a step is not allowed."""
    states = [model.initial]
    for label in labels:
        number = model.labels.index(label)
        after = [state for edge, state in model.successors(states[-1]) if edge == number]
        if not after:
            return None
        states.append(after[0])
    return Trace(model, tuple(labels), tuple(states))
