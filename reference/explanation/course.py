"""A run followed on the lease table, by the client that had it or by another one.

Theory of operation.  A schedule is a run with its exact seconds: rows, for whom, and when.
`follow` takes it through the concrete reading with a client's own constants.  Where a row is not
possible it is left out, with the guard that forbids it; where one of the client's own rows is due
before the next one, that row is taken first, as the client's own step.  A datagram that nobody is
left to take, and that may be on its way no longer, is lost, missed or ignored.  So what the client
does is the table's, and what surrounds it is the same as in the run.

The passing of time between two rows is one step.  A course has a column for each step of the
schedule; what the client does by itself stands in the column of the step that comes next.

What it does not know: which run is worth following; how a course is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from holdover.model.explorer.sequence_chart import ChartEvent, fill_sentence
from holdover.model.readings.definitions import NAMES
from holdover.model.readings.interpreter import (
    Interpreter,
    NotEnabledError,
    State,
    Time,
    UnsetError,
    Value,
)
from holdover.model.readings.prose import Prose, text
from holdover.model.table.expr import Action, Sort
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import ADDRESS, HOST, MESSAGE, h

TICK = LEASE_TABLE.action("tick")
ACKNOWLEDGE = LEASE_TABLE.action("acknowledge")
ENDS_OF_FLIGHT = ("miss", "ignore", "lose")
"""The rows by which a datagram goes that nobody takes."""

How = Literal["as in the run", "by itself", "left out"]


@dataclass(frozen=True)
class ScheduledStep:
    """A row, when it is taken, and its parameters in seconds."""

    at: Time
    action: Action
    binding: tuple[Value, ...]


@dataclass(frozen=True)
class Happening:
    """What one step came to: taken as in the run, taken by the client itself, or left out."""

    at: Time
    action: Action
    says: str
    how: How
    host: int | None
    binding: tuple[Value, ...]
    before: State
    after: State
    why: str = ""
    """Of one that is left out: the guard that forbids it."""


@dataclass(frozen=True)
class CourseColumn:
    """All that happens at one step of the schedule, and the state after it."""

    happened: tuple[Happening, ...]
    state: State


@dataclass(frozen=True)
class Course:
    """A schedule as one client lives it; `stopped`: why it could not be followed to its end."""

    world: Interpreter
    begin: State
    columns: tuple[CourseColumn, ...]
    stopped: str = ""

    @property
    def differences(self) -> list[Happening]:
        """What is not as in the run."""
        return [each for c in self.columns for each in c.happened if each.how != "as in the run"]

    def state(self, column: int) -> State:
        """The state after a column; before the first one for -1."""
        return self.begin if column < 0 else self.columns[column].state


def schedule_of(run: Sequence[ChartEvent]) -> tuple[ScheduledStep, ...]:
    """The steps of a run in seconds; ValueError if it does not know its parameters.

    Ticks that follow each other are one.
    """
    steps: list[ScheduledStep] = []
    for event in run:
        action = event.label.action
        if len(event.exact) != len(action.given):
            raise ValueError(f"{action.name}: a run without the seconds of its parameters")
        if action.name == TICK.name:
            if steps and steps[-1].action.name == TICK.name:
                del steps[-1]
            steps.append(ScheduledStep(event.time, TICK, ()))
            continue
        pairs = zip(action.given, event.exact, strict=True)
        binding = tuple(int(value) if p.sort.indexes else value for p, value in pairs)
        steps.append(ScheduledStep(event.time, action, binding))
    return tuple(steps)


def sizes_in(run: Sequence[ChartEvent]) -> dict[Sort, int]:
    """How many hosts, addresses and datagrams a run speaks of: at least one of each."""
    most = {HOST: len(run[0].holding) if run else 1, ADDRESS: 1, MESSAGE: 1}
    for event in run:
        for p, value in zip(event.label.action.given, event.label.binding, strict=True):
            if p.sort in most:
                most[p.sort] = max(most[p.sort], value + 1)
    return most


def follow(
    world: Interpreter,
    steps: Sequence[ScheduledStep],
    begin: State | None = None,
    first: Sequence[ScheduledStep] = (),
) -> Course:
    """The schedule as the client of these constants lives it, from `begin` on.

    `first` is what is done at once, before the schedule: it has a column of its own.
    """
    start = world.initial() if begin is None else begin
    follower = _Follower(world, start)
    columns = []
    for together in ([first] if first else []) + [[step] for step in steps]:
        follower.happened.clear()
        for step in together:
            if not follower.stopped:
                follower.come_to(step)
        columns.append(CourseColumn(tuple(follower.happened), follower.state))
    return Course(world, start, tuple(columns), follower.stopped)


@dataclass
class _Follower:
    world: Interpreter
    state: State
    happened: list[Happening] = field(default_factory=list)
    stopped: str = ""

    def come_to(self, step: ScheduledStep) -> None:
        """Take what is due before a step of the schedule, and then that step, if it is possible."""
        while not self.stopped and (due := self._due()) is not None and due[0] < step.at:
            self._pass_to(due[0], "by itself")
            whose = due[1].given.index(h)
            possible = self.world.bindings(self.state, due[1], {})
            binding = next((each for each in possible if each[whose] == due[2]), None)
            if binding is None:
                self.stopped = f"{due[1].name} is due, and no datagram is free for it"
                return
            self._take(due[1], binding, "by itself")
        if self.stopped:
            return
        self._pass_to(step.at, "as in the run")
        if step.action is TICK or self.stopped:
            return
        binding = self._possible(step)
        if binding is None:
            why = self._blocking(step)
            says = self._sentence(step.action, step.binding)
            self._tell(step.action, step.binding, says, "left out", self.state, why)
        else:
            self._take(step.action, binding, "as in the run")

    def _possible(self, step: ScheduledStep) -> tuple[Value, ...] | None:
        """The step's parameters, or the same on an exact clock where its rate does not fit."""
        skews = (i for i, p in enumerate(step.action.given) if str(p.args[0]) == "skew")
        exact = list(step.binding)
        for place in skews:
            exact[place] = Fraction(0)
        for binding in dict.fromkeys((step.binding, tuple(exact))):
            try:
                if self.world.enabled(self.state, step.action, binding):
                    return binding
            except UnsetError:
                continue
        return None

    def _blocking(self, step: ScheduledStep) -> str:
        try:
            number = self.world.blocking_guard(self.state, step.action, step.binding)
        except UnsetError as error:
            return str(error)
        assert number is not None
        return text(step.action.when[number], Prose(NAMES))

    def _pass_to(self, instant: Time, how: How) -> None:
        """Let time pass; what may not be on its way so long goes before."""
        while instant > self.state.now:
            binding = (instant - self.state.now,)
            try:
                before, after = self.state, self.world.step(self.state, TICK, binding)
            except NotEnabledError:
                if not self._end_a_flight():
                    self.stopped = f"no time can pass here after {float(self.state.now):g} s"
                    return
                continue
            self.state = after
            self._tell(TICK, binding, "time passes", how, before)

    def _end_a_flight(self) -> bool:
        for name in ENDS_OF_FLIGHT:
            action = LEASE_TABLE.action(name)
            for binding in self.world.bindings(self.state, action, {}):
                self._take(action, binding, "by itself")
                return True
        return False

    def _take(self, action: Action, binding: tuple[Value, ...], how: How) -> None:
        says, before = self._sentence(action, binding), self.state
        self.state = self.world.step(before, action, binding)
        self._tell(action, binding, says, how, before)

    def _tell(
        self,
        action: Action,
        binding: tuple[Value, ...],
        says: str,
        how: How,
        before: State,
        why: str = "",
    ) -> None:
        given = zip(action.given, binding, strict=True)
        host = next((v for p, v in given if p is h and isinstance(v, int)), None)
        self.happened.append(
            Happening(self.state.now, action, says, how, host, binding, before, self.state, why)
        )

    def _sentence(self, action: Action, binding: tuple[Value, ...]) -> str:
        def kind_in(slot: object) -> str:
            assert isinstance(slot, int)
            return str(self.state["kind", slot])

        return fill_sentence(action, binding, kind_in)[0]

    def _due(self) -> tuple[Time, Action, int] | None:
        """The first prompt row that is due, when, and whose it is."""
        first: tuple[Time, Action, int] | None = None
        for action in LEASE_TABLE.actions:
            for host in range(self.world.sizes[HOST]) if action.due is not None else ():
                assert action.due is not None
                if not self.world.value(action.due.condition, self.state, {h: host}):
                    continue
                instant = self.world.value(action.due.instant, self.state, {h: host})
                assert isinstance(instant, int | Fraction)
                instant = max(instant, self.state.now)
                if first is None or instant < first[0]:
                    first = instant, action, host
        return first


def answers_to_notice(course: Course, steps: Sequence[ScheduledStep]) -> Mapping[int, Course]:
    """For each column after which h1 may answer its notice: the course if it does so there."""
    found = {}
    for number, column in enumerate(course.columns):
        if course.world.enabled(column.state, ACKNOWLEDGE, (0,)):
            answer = ScheduledStep(column.state.now, ACKNOWLEDGE, (0,))
            rest = steps[number + 1 :]
            found[number] = follow(course.world, rest, column.state, first=(answer,))
    return found
