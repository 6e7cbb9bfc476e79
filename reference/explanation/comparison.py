"""Which run explains a client, and how other clients live the same schedule.

Theory of operation.  The run is the client's own collision if there is one; else that of the client
beside it; else, of a client that holds, that of the same client without its guard.  Each other
client follows that schedule (`course.py`).  The turning point is the first step after which a host
holds an address that is not, or no longer, under a lease; a client that holds has a row by which
that host lets go, and the row's effect names the guard.

What it does not know: runs that are not in a judgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdover.model.clients.profile import in_seconds
from holdover.model.readings.definitions import NAMES
from holdover.model.readings.finite import name_of
from holdover.model.readings.interpreter import Interpreter, State
from holdover.model.readings.prose import Prose, effects
from holdover.model.seconds import show_number, show_seconds
from holdover.model.table.client import answers, leased
from holdover.model.table.properties import EXCLUSIVE, Property
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import ADDRESS, HOST, a, h
from holdover.proofs.logic.invariants import OWNED
from holdover.proofs.verdicts.changes import without_guard
from holdover.proofs.verdicts.judge import Judgement
from holdover.reference.explanation.course import (
    Course,
    Happening,
    ScheduledStep,
    answers_to_notice,
    follow,
    schedule_of,
    sizes_in,
)
from holdover.reference.explanation.in_ticks import small_world, states_of, ticks_in
from holdover.reference.explanation.page_data import ShownCourse, covered


@dataclass(frozen=True)
class TurningPoint:
    """The first step after which a host holds an address without a lease."""

    column: int
    at: Fraction
    host: int
    says: str


@dataclass(frozen=True)
class FollowingClient:
    """A client that lives the run of another one, and what becomes of it in the schedule.

    `collides`: two hosts have one address at some time; `given_away`: somebody has one that the
    server has given to another host.
    """

    judgement: Judgement
    course: Course
    collides: bool
    given_away: bool
    lets_go: Happening | None


@dataclass(frozen=True)
class SameSchedule:
    """A run with its course and its turning point, and who follows it.

    `without`: the guard that the client of the run lacks, if it is made from one that holds.
    """

    source: Judgement
    without: str
    steps: tuple[ScheduledStep, ...]
    course: Course
    turning: TurningPoint | None
    followers: tuple[FollowingClient, ...]

    def shown(self) -> list[ShownCourse]:
        """The courses for a page, that of the run first."""
        pairs = [(self.source, self.course), *((f.judgement, f.course) for f in self.followers)]
        return [self._shown(found, course) for found, course in pairs]

    def _shown(self, found: Judgement, course: Course) -> ShownCourse:
        world, ticks = small_world(found, self.source), ticks_in(self.source.run)
        states = states_of(world, course, ticks, world.initial)
        answers = {
            # An answer has a column of its own; no time passes in it.
            at: (other, states_of(world, other, [0, *ticks[at + 1 :]], states[at]))
            for at, other in answers_to_notice(course, self.steps).items()
        }
        return ShownCourse(
            name=found.profile.name,
            title=found.profile.title or found.profile.name,
            outcome=found.outcome,
            reason=found.reason,
            course=course,
            answers=answers,
            world=world,
            states=states,
        )


def compare(found: Judgement, beside: Judgement | None = None) -> SameSchedule | None:
    """The run that explains a client, and how it and the one beside it live it.

    None: there is no run.  Where neither has one, it is that of the first without its guard.
    """
    others = [each for each in (found, beside) if each is not None]
    source, without = next((each for each in others if each.run), None), ""
    if source is None and found.outcome == "holds":
        broken = without_guard(found.profile, found.environment)
        if broken is not None:
            without, source = broken
    if source is None:
        return None
    steps = schedule_of(source.run)
    course = follow(world_of(source, source), steps)
    turning = turning_point(course, [cause.says for cause in source.causes])
    followers = []
    for each in others:
        if each is source:
            continue
        other = follow(world_of(each, source), steps)
        collides, given_away = (breaks(other, p) for p in (EXCLUSIVE, OWNED))
        lets_go = None if turning is None else letting_go(other, turning.host)
        followers.append(FollowingClient(each, other, collides, given_away, lets_go))
    return SameSchedule(source, without, steps, course, turning, tuple(followers))


def breaks(course: Course, wanted: Property) -> bool:
    """Whether a property is broken in any state of a course, between its columns too."""
    states = [each.after for column in course.columns for each in column.happened]
    return not all(course.world.holds(wanted.term, state) for state in states)


def world_of(found: Judgement, source: Judgement) -> Interpreter:
    """The table with a client's constants, as large as the run of `source` needs."""
    constants = in_seconds(found.profile, found.environment)
    return Interpreter(LEASE_TABLE, constants, sizes_in(source.run))


def turning_point(course: Course, causes: Sequence[str]) -> TurningPoint | None:
    """The first step after which a host holds an address without a lease, and why it does."""
    world = course.world
    for number, column in enumerate(course.columns):
        for host in range(world.sizes[HOST]):
            for place in range(world.sizes[ADDRESS]):
                bound = {h: host, a: place}
                if not world.value(answers(h, a), column.state, bound):
                    continue
                if world.value(covered, column.state, bound):
                    continue
                says = what_is_over(world, column.state, host, place)
                why = f": {'; '.join(causes)}" if causes else ""
                at = Fraction(column.state.now)
                return TurningPoint(number, at, host, f"{says}{why}")
    return None


def what_is_over(world: Interpreter, state: State, host: int, place: int) -> str:
    """Why an address is held without a lease there, as far as the state says it."""
    who, what, owner = name_of(HOST, host), name_of(ADDRESS, place), state["owner", place]
    if state["holds", host] != place:
        return f"here {who} has {what} without a lease"
    if not world.value(leased(h), state, {h: host}):
        return f"here the lease is over; {who} still holds {what}"
    if owner is None:
        return f"here the server has no record of the lease of {what}; {who} still holds it"
    if owner != host:
        other = name_of(HOST, owner)
        return f"here {who} holds {what}, which the server has on record for {other}"
    end = state["lease_end", host]
    assert isinstance(end, int | Fraction)
    own = f", and to {who} it lasts until {show_seconds(Fraction(end))}"
    return f"here the lease is over at the server{own}; {who} still holds {what}"


def keeps(course: Course, host: int) -> bool:
    """Whether a host has an address on its interface at the end."""
    return course.state(len(course.columns) - 1)["holds", host] is not None


def leaves_open(course: Course) -> bool:
    """Whether two hosts have or want one address at the end, so that what comes next decides."""
    end, world = course.state(len(course.columns) - 1), course.world
    return any(
        sum(
            end["wants", host] == place
            or world.value(answers(h, a), end, {h: host, a: place}) is True
            for host in range(world.sizes[HOST])
        )
        > 1
        for place in range(world.sizes[ADDRESS])
    )


def letting_go(course: Course, host: int) -> Happening | None:
    """The last step after which a host no longer has an address, if it has none at the end."""
    found = None
    if keeps(course, host):
        return None
    for column in course.columns:
        for each in column.happened:
            if each.before["holds", host] is not None and each.after["holds", host] is None:
                found = each
    return found


def effect_of(each: Happening) -> str:
    """What a row that lets go sets the address to."""
    lines = effects(each.action.then, Prose(NAMES))
    return next((line for line in lines if line.startswith("holds[")), "")


def differences(course: Course) -> list[str]:
    """The steps that a client takes by itself, and those that are not possible to it."""
    said = []
    for each in course.differences:
        if each.action.name == "tick":
            continue
        at = show_number(Fraction(each.at))
        if each.how == "left out":
            said.append(f"{at} s: not possible: {each.says} ({each.why} is false)")
        else:
            said.append(f"{at} s: by itself: {each.says}")
    return said
