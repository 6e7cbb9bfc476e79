"""The set reading: which values a term may have when only part of the state is known.

Theory of operation.  One host's phase, process and sleep are known; everything else may be
anything.  A guard then is true, false or either, and an effect has a set of values.  Followed from
the initial state, this gives every step between phases that the table allows one client: the state
diagram.  It errs on one side only: each step of each run is among the edges, but an edge need not
be a step of any run with one given profile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from holdover.model.table.expr import BOOL, Action, Expr, Reading, Sort, Variable
from holdover.model.table.table import Table
from holdover.model.table.vocabulary import asleep, h, phase, process

Values = frozenset[object]
"""The values a term may have; ANY stands for all of its sort."""

ANY: Values = frozenset({Ellipsis})
EITHER: Values = frozenset({True, False})
TRACKED = (phase, process, asleep)
HERE = "this host"

Known = tuple[str, str, bool]
"""Phase, process and whether the host sleeps."""


@dataclass(frozen=True)
class Edge:
    """A step of one client: the row that leads from one phase to another."""

    before: str
    action: str
    after: str


class Possible(Reading[Values]):
    """Terms as the set of their possible values, for one host in a known state."""

    def __init__(self, known: Known):
        self.known = dict(zip(TRACKED, known, strict=True))

    def leaf(self, term: Expr) -> Values:
        """A literal is known."""
        return frozenset({term.args[0]}) if term.op == "literal" else ANY

    def constant(self, name: str, sort: Sort, at: Sequence[Values]) -> Values:
        """A constant may be anything."""
        return EITHER if sort is BOOL else ANY

    def state(self, variable: Variable, at: Sequence[Values]) -> Values:
        """Known of this host, else anything."""
        if variable in self.known and at == [frozenset({HERE})]:
            return frozenset({self.known[variable]})
        return EITHER if variable.sort is BOOL else ANY

    def every(self, bound: Expr, body: Callable[[Values], Values]) -> Values:
        """True only where the body is true of anything."""
        holds = body(ANY)
        # There may be no member at all, so a body that is sometimes false need not be false.
        return holds if holds == frozenset({True}) else EITHER

    def node(self, term: Expr, args: Sequence[Callable[[], Values]]) -> Values:
        """An operator on sets of values."""
        match term.op:
            case "and":
                return _joined([arg() for arg in args], False)
            case "or":
                return _joined([arg() for arg in args], True)
            case "not":
                return frozenset(not value for value in args[0]())
            case "ite":
                parts = (args[1 if chosen else 2]() for chosen in args[0]())
                return frozenset().union(*parts)
            case "eq":
                left, right = args[0](), args[1]()
                if ANY in (left, right):
                    return EITHER
                return frozenset(x == y for x, y in product(left, right))
        return _all(term)


def _all(term: Expr) -> Values:
    return EITHER if term.sort is BOOL else ANY


def _joined(parts: Sequence[Values], stop: bool) -> Values:
    if any(part == frozenset({stop}) for part in parts):
        return frozenset({stop})
    return EITHER if any(stop in part for part in parts) else frozenset({not stop})


def steps(action: Action, known: Known) -> list[Known]:
    """The states of this host that the row may lead to; none if it cannot fire for this host."""
    reading = Possible(known)
    bound = {name: frozenset({HERE}) if name is h else ANY for name in action.given}
    guard = _joined([reading.read(term, bound) for term in action.when], False)
    if True not in guard or not any(name is h for name in action.given):
        return []
    values: dict[Variable, Values] = {v: frozenset({reading.known[v]}) for v in TRACKED}
    for effect in action.then:
        if effect.variable in values and effect.at is h and not effect.every:
            values[effect.variable] = reading.read(effect.value, bound)
    return list(product(*(values[v] for v in TRACKED)))  # type: ignore[arg-type]


def edges(table: Table) -> list[Edge]:
    """Every step that sets one client's phase, in the order of the table."""
    start: Known = (phase.initial, process.initial, asleep.initial == "true")
    seen, waiting = {start}, [start]
    found: dict[Edge, None] = {}
    while waiting:
        known = waiting.pop()
        for action in table.actions:
            for reached in steps(action, known):
                if any(effect.variable is phase for effect in action.then):
                    found[Edge(known[0], action.name, reached[0])] = None
                if reached not in seen:
                    seen.add(reached)
                    waiting.append(reached)
    rows = [action.name for action in table.actions]
    phases = phase.sort.values

    def place(edge: Edge) -> tuple[int, int, int]:
        return phases.index(edge.before), phases.index(edge.after), rows.index(edge.action)

    return sorted(found, key=place)
