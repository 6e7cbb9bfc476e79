"""A course in whole ticks: the states from which a visitor of the page may go on as he likes.

Theory of operation.  A course is in exact seconds; what may happen next is asked of the finite
reading, in which time passes in ticks.  `small_world` is that reading for a client, of the size in
which its run was found.  `states_of` takes the steps of a course in it, one after another: the same
rows for the same members, and as many ticks as the run has there.  After each column the two states
must agree: each value that is no time is the same, each time is set or unset in both, and the same
properties hold.  From the first column on after which they do not, there is no state in ticks, and
the page offers no choice.

What it does not know: states of a course between two ticks; how the page shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from holdover.model.clients.network import ClientKind, of_hosts_in_ticks
from holdover.model.explorer.instances import small_instance
from holdover.model.explorer.sequence_chart import ChartEvent
from holdover.model.readings.finite import Instance, Label, State, past_needed
from holdover.model.readings.interpreter import Interpreter
from holdover.model.readings.interpreter import State as ExactState
from holdover.model.table.expr import DURATION, INSTANT, Sort
from holdover.model.table.properties import ALWAYS
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE
from holdover.proofs.logic.invariants import OWNED
from holdover.proofs.verdicts.judge import COARSE_DRIFT, Judgement
from holdover.reference.explanation.course import TICK, Course, CourseColumn, Happening, sizes_in

TICKS = 3
"""Of a lease, where no search has found the run."""


def small_world(found: Judgement, source: Judgement) -> Instance:
    """The table for hosts with the client of `found`, where the run of `source` was found."""
    environment, sizes = found.environment, sizes_in(source.run)
    kinds = (ClientKind(found.profile),) * max(sizes[HOST], 2)
    if source.looked_at is None:
        if environment.drift:
            environment = replace(environment, drift=max(environment.drift, COARSE_DRIFT))
        return small_instance(kinds, environment, TICKS, sizes[ADDRESS], sizes[MESSAGE])
    constants, bounds = source.looked_at
    bounds = replace(bounds, addresses=sizes[ADDRESS], messages=sizes[MESSAGE])
    if found is not source:
        tick = environment.lease / Fraction(str(constants["full"]))
        own = {**of_hosts_in_ticks(kinds, environment, tick), "margin": 0}
        facts = found.profile.facts()
        constants = {**constants, **{name: own[name] for name in own if name in facts}}
        bounds = replace(bounds, past=max(bounds.past, past_needed(constants)))
    return Instance(LEASE_TABLE, constants, bounds)


def ticks_in(run: Sequence[ChartEvent]) -> list[int]:
    """How many ticks pass in each step of the schedule of a run (`course.schedule_of`)."""
    found: list[int] = []
    passing = False
    for event in run:
        if event.action != TICK.name:
            found.append(0)
        elif passing:
            found[-1] += 1
        else:
            found.append(1)
        passing = event.action == TICK.name
    return found


def states_of(
    world: Instance, course: Course, ticks: Sequence[int], begin: State | None
) -> list[State | None]:
    """The state in ticks after each column; None from where on there is none.

    `ticks`: how many pass in each column; `begin`: the state before the first.
    """
    follower = _TickFollower(world, course.world, begin)
    return [
        follower.take(column, passing)
        for column, passing in zip(course.columns, ticks, strict=True)
    ]


class _TickFollower:
    def __init__(self, world: Instance, exact: Interpreter, begin: State | None):
        self.world, self.exact, self.state = world, exact, begin
        self.checks = [(p.term, world.predicate(p.term)) for p in (*ALWAYS, OWNED)]

    def take(self, column: CourseColumn, passing: int) -> State | None:
        """All that happened in a column; what is due by itself may be before time has passed."""
        for each in column.happened:
            if each.how == "left out" or each.action is TICK:
                continue
            label = self.label(each)
            while not self._step(label) and passing and self._step(PASSING):
                passing -= 1
        while passing and self.state is not None:
            passing -= 1
            if not self._step(PASSING):
                self.state = None
        if self.state is not None and not self.agrees(column.state):
            self.state = None
        return self.state

    def label(self, each: Happening) -> Label:
        """The edge that is the same step."""
        return Label(each.action, tuple(self._values(each)))

    def _values(self, each: Happening) -> Iterator[int]:
        bounds, full = self.world.bounds, self.exact.constants["full"]
        for name, value in zip(each.action.given, each.binding, strict=True):
            assert isinstance(value, int | Fraction)
            if name.sort.indexes:
                yield int(value)
            elif str(name.args[0]) == "length":
                yield bounds.lengths[-1 if value == full else 0]
            else:  # the error of a clock: its sign
                yield 0 if value == 0 else bounds.skews[-1 if value > 0 else 0]

    def _step(self, label: Label) -> bool:
        after = None if self.state is None else self.world.row(label)(self.state)
        self.state = self.state if after is None else after
        return after is not None

    def agrees(self, exact: ExactState) -> bool:
        """Whether the states differ in when something is, and in nothing else."""
        assert self.state is not None
        for (variable, member), value in zip(self.world.slots, self.state, strict=True):
            other = exact[variable.name, member]
            if variable.sort in (INSTANT, DURATION):
                if (value is None) != (other is None):
                    return False
            elif self.world.show(variable.sort, value) != show_exact(variable.sort, other):
                return False
        return all(
            predicate(self.state) == self.exact.holds(term, exact)
            for term, predicate in self.checks
        )


PASSING = Label(TICK, (1,))


def show_exact(sort: Sort, value: object) -> object:
    """A value of the exact reading as the finite one shows it."""
    if sort.indexes and isinstance(value, int):
        return f"{sort.name[0].lower()}{value + 1}"
    return value
