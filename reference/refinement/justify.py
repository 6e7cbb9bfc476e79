"""What the lease table says of a call: rows that lead from the state before to the one after.

Theory of operation.  `justify` is given two states of the table and a host.  Rows of that client,
one after the other, must lead from the first exactly to the second; datagrams may be renamed, since
slots have no names.  `candidate_rows` (`cores.py`) guesses the rows; a wrong guess costs time only,
for then all rows of the client are tried, up to `MOST_ROWS` of them.  A datagram may be lost only
where one was sent into a full network: a core that drops what it should have heeded has no excuse
in `lose`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Protocol

from holdover.model.readings.finite import NONE, Instance, Label, State, bounds_for
from holdover.model.readings.interpreter import Interpreter
from holdover.model.table.client import CLIENT_ACTIONS
from holdover.model.table.environment import WORLD_ACTIONS
from holdover.model.table.expr import Action, Expr
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import ADDRESS, HOST, KIND, MESSAGE, PHASE, m
from holdover.reference.refinement.cores import DefectError

Row = Callable[[State], State | None]
Path = list[tuple[State, str]]
Situation = tuple[str, str, str]
"""Phase, stage of the lease, whether the address is held: what one client sees."""

DROPS = ("ignore", "lose")
"""Rows of the world in which a client has a part: it drops a datagram, or its own is lost."""

ITS_OWN = (*DROPS, "stop")
"""And that in which its process ends in order."""

CLIENT = (*CLIENT_ACTIONS, *(action for action in WORLD_ACTIONS if action.name in ITS_OWN))

ANYBODY = -1
"""Stands for the host where rows are not asked for by host."""

MOST_ROWS = 4
"""How many rows one call may be: a lapse, its notice, and what the event itself does."""


def kinds(which: Callable[[Expr], Expr]) -> tuple[int, ...]:
    """The kinds of datagrams of which a term of the table holds: on their way to a client, say."""
    world = Interpreter(LEASE_TABLE, {}, {HOST: 1, ADDRESS: 1, MESSAGE: 1})
    first = world.initial()
    return tuple(
        number
        for number, kind in enumerate(KIND.values)
        if world.value(which(m), first.but({("kind", 0): kind}), {m: 0})
    )


class Sized(Protocol):
    """A world's size and its constants."""

    @property
    def hosts(self) -> int:
        """How many hosts."""

    @property
    def addresses(self) -> int:
        """How many addresses."""

    @property
    def messages(self) -> int:
        """How many datagrams in flight."""

    def constants(self) -> Mapping[str, object]:
        """The constants of the lease table."""


class Rows:
    """The lease table of a setting, row by row, with one datagram more than its network holds.

    `actions`: the rows of who is explored.  `each`: a host is asked for its own rows only.
    `lengths`: of leases, where there are more than the shortest and the longest.
    """

    def __init__(
        self,
        setting: Sized,
        actions: Sequence[Action] = CLIENT,
        *,
        each: bool = True,
        lengths: tuple[int, ...] = (),
    ):
        constants = setting.constants()
        bounds = bounds_for(constants, setting.hosts, setting.addresses, setting.messages + 1)
        bounds = replace(bounds, lengths=lengths or bounds.lengths)
        self.table = Instance(LEASE_TABLE, constants, bounds)
        place = self.table.place
        self.columns = [
            [place[name, m] for name in ("kind", "client", "address", "sent", "lease", "current")]
            for m in range(setting.messages + 1)
        ]
        self.content = [itemgetter(*columns) for columns in self.columns]
        names = ("phase", "holds", "renew_at", "rebind_at", "lease_end")
        self.sights = [itemgetter(*(place[n, h] for n in names)) for h in range(setting.hosts)]
        self._labels: dict[tuple[str, int], list[Label]] = {}
        for action in actions:
            given = [str(p.args[0]) for p in action.given]
            for binding in self.table.bindings(action):
                host = binding[given.index("h")] if each else ANYBODY
                self._labels.setdefault((action.name, host), []).append(Label(action, binding))
        self._rows: dict[tuple[str, int], list[Row]] = {}
        self.taken: Counter[tuple[Situation, str]] = Counter()
        self.searched = 0

    def rows(self, name: str, host: int) -> list[Row]:
        """The rows of this name for a host (or ANYBODY), compiled when they are first asked for."""
        key = name, host
        if key not in self._rows:
            self._rows[key] = [self.table.row(label) for label in self._labels[key]]
        return self._rows[key]

    def canonical(self, state: State) -> State:
        """The state with its datagrams in order: slots have no names.

        Two of one kind have the same fields set, so no field is compared with an absent one.
        """
        slots = [content(state) for content in self.content]
        ordered = sorted(slots)
        if ordered == slots:
            return state
        s = list(state)
        for columns, datagram in zip(self.columns, ordered, strict=True):
            for place, value in zip(columns, datagram, strict=True):
                s[place] = value
        return tuple(s)

    def same(self, state: State, other: State) -> bool:
        """Whether two states differ in the names of datagrams at most."""
        return state == other or self.canonical(state) == self.canonical(other)

    def situation(self, state: State, h: int) -> Situation:
        """What one client sees: its phase, how far its lease has run, whether it holds."""
        phase, holds, renew_at, rebind_at, end = self.sights[h](state)
        if end is None:
            stage = "no lease"
        elif end <= 0:
            stage = OVER
        elif rebind_at <= 0:
            stage = "past T2"
        else:
            stage = "past T1" if renew_at <= 0 else "before T1"
        return PHASE.values[phase], stage, "holds nothing" if holds == NONE else "holds"

    def justify(self, before: State, after: State, h: int, names: Sequence[str], said: str) -> None:
        """Count the rows that lead from before to after; a Defect, as `said`, if there are none."""
        path = self.path(before, after, h, names)
        if path is None:
            nearest = self._nearest(before, self.canonical(after), h, names)
            raise DefectError("refinement", f"{said}: no row does this{nearest}")
        for state, name in path:
            if name not in DROPS:
                self.taken[self.situation(state, h), name] += 1

    def path(self, before: State, goal: State, h: int, names: Sequence[str]) -> Path | None:
        """Rows that lead to the goal: those named, or else any; None: there are none."""
        found = self._follow(before, goal, h, names)
        if found is None:
            self.searched += 1
            found = self._search(before, goal, h, lost=names.count("lose"))
        return found

    def _follow(self, state: State, goal: State, h: int, names: Sequence[str]) -> Path | None:
        """The path to the goal by rows of these names in this order."""
        if not names:
            return [] if self.same(state, goal) else None
        for row in self.rows(names[0], h):
            following = row(state)
            if following is not None:
                rest = self._follow(following, goal, h, names[1:])
                if rest is not None:
                    return [(state, names[0]), *rest]
        return None

    def _search(self, before: State, goal: State, h: int, lost: int) -> Path | None:
        """The shortest path to the goal by any rows of this client."""
        layer: list[tuple[State, Path, int]] = [(before, [], lost)]
        seen = {before}
        for _ in range(MOST_ROWS + 1):
            following: list[tuple[State, Path, int]] = []
            for state, path, left in layer:
                if self.same(state, goal) and not left:
                    return path
                for name, host in self._labels:
                    if host != h or (name == "lose" and not left):
                        continue
                    for row in self.rows(name, host):
                        then = row(state)
                        if then is not None and then not in seen:
                            seen.add(then)
                            more = left - (name == "lose")
                            following.append((then, [*path, (state, name)], more))
            layer = following
        return None

    def _nearest(self, before: State, goal: State, h: int, names: Sequence[str]) -> str:
        """In what the implementation differs from the row that was expected."""
        for name in names:
            for row in self.rows(name, h):
                following = row(before)
                if following is not None:
                    there = self.canonical(following)
                    return f"; after `{name}`, {self.difference(goal, there)}"
            return f"; `{name}` is not possible there"
        return ""

    def difference(self, implementation: State, table: State) -> str:
        """The variables in which the implementation is elsewhere than the table."""
        got, there = self.table.describe(implementation), self.table.describe(table)
        different = [f"{k} is {got[k]}, not {there[k]}" for k in got if got[k] != there[k]]
        return ", ".join(different)


OVER = "over"
"""The stage in which a lease is past its end and has not lapsed yet."""
