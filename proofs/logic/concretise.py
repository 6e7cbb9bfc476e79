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
from holdover.model.readings.finite import Instance, Label, State
from holdover.model.table.properties import Property
from holdover.model.table.table import LEASE_TABLE, sends
from holdover.model.table.vocabulary import NOW
from holdover.proofs.logic.formula import REAL, Formula, symbol, with_values
from holdover.proofs.logic.read_by_z3 import solve
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
    fails, steps = trace.instance.predicate(broken.term), NextStates(trace.instance)
    labels, states = list(trace.labels), list(trace.states)
    names = [label.action.name for label in labels]

    def moved(start: int, end: int) -> bool:
        """Take one step elsewhere in the order, if that is another run that still breaks it."""
        low, high = min(start, end), max(start, end)
        if "tick" not in names[low : high + 1] or names[start] == "tick":
            return False
        other = [*labels[:start], *labels[start + 1 :]]
        other.insert(end, labels[start])
        run = states[: low + 1]  # what comes before is as it was
        for number, label in enumerate(other[low:], low + 1):
            after = steps.after(run[-1], label)
            if after is None:
                return False
            run.append(after)
            if number > high and after == states[number]:  # from here on it is the run that was
                run += states[number + 1 :]
                break
        if fails(run[-1]):
            return False
        labels[:], states[:] = other, run
        names.insert(end, names.pop(start))
        return True

    for start in reversed(range(len(labels))):
        if names[start] in LATE:
            any(moved(start, end) for end in reversed(range(start + 1, len(labels))))
    for start in range(len(labels)):
        if names[start] not in LATE:
            any(moved(start, end) for end in range(start))
    return Trace(trace.instance, tuple(labels), tuple(states))


class NextStates:
    """Where the steps of an instance lead, by their labels; each state is asked once."""

    def __init__(self, instance: Instance):
        self.successors = instance.successors
        self.edges = {label: edge for edge, label in enumerate(instance.labels)}
        self.known: dict[State, dict[int, State]] = {}

    def after(self, state: State, label: Label) -> State | None:
        """The state after a step by the explorer's successor function; None if it is none."""
        following = self.known.get(state)
        if following is None:
            following = self.known[state] = dict(self.successors(state))
        return following.get(self.edges[label])


def replay(model: Instance, labels: Sequence[Label]) -> Trace | None:
    """A run by the explorer's successor function; None if a step is not allowed."""
    steps, states = NextStates(model), [model.initial]
    for label in labels:
        after = steps.after(states[-1], label)
        if after is None:
            return None
        states.append(after)
    return Trace(model, tuple(labels), tuple(states))
