"""What the page of a collision knows: a course, column by column, as plain data.

Each state has the value of every variable and of every property, so that the page decides nothing:
it only shows.  Instants are seconds from the beginning of the run.

What it does not know: how it is shown (`page.py`, `player.js`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdover.model.explorer.sequence_chart import SENT_BY_CLIENT, SENT_BY_SERVER
from holdover.model.readings.finite import name_of
from holdover.model.readings.interpreter import Interpreter, State, Value
from holdover.model.seconds import show_number
from holdover.model.table.client import answers, leased
from holdover.model.table.expr import Variable
from holdover.model.table.properties import ALWAYS, EXCLUSIVE, STEPS, Property
from holdover.model.table.server import leased_to
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import ADDRESS, HOST, NOW, a, g, h, now, server_end
from holdover.proofs.logic.invariants import OWNED
from holdover.reference.explanation.course import Course, CourseColumn, Happening

PROPERTIES: Sequence[Property] = (*ALWAYS, OWNED, *STEPS)
"""Those of a state, and those of the step to it."""

covered = leased(h) & leased_to(a, h) & (now <= server_end[a])
"""The client goes by a lease, and so does the server."""

both_have = answers(h, a) & answers(g, a)


@dataclass(frozen=True)
class ShownCourse:
    """A client on the page: its name and title, its verdict, its course, and what its user may do.

    `answers`: the course from each column on after which the notice may be answered.
    """

    name: str
    title: str
    outcome: str
    reason: str
    course: Course
    answers: Mapping[int, Course]


def page_data(shown: Sequence[ShownCourse]) -> dict[str, object]:
    """All that the page shows."""
    world = shown[0].course.world
    slots = [slot for slot in world.initial() if slot[0] != NOW.name]
    return {
        "hosts": [name_of(HOST, host) for host in range(world.sizes[HOST])],
        "addresses": [name_of(ADDRESS, each) for each in range(world.sizes[ADDRESS])],
        "variables": [
            {
                "name": name,
                "of": member_name(variable(name), member),
                "means": variable(name).meaning,
            }
            for name, member in slots
        ],
        "properties": [{"name": p.name, "says": p.says, "source": p.source} for p in PROPERTIES],
        "courses": [course_data(each) for each in shown],
    }


def course_data(shown: ShownCourse) -> dict[str, object]:
    """A client: the state before the run, and the columns."""
    course = shown.course
    return {
        "name": shown.name,
        "title": shown.title,
        "outcome": shown.outcome,
        "reason": shown.reason,
        "stopped": course.stopped,
        "begin": state_data(course.world, course.begin, None),
        "columns": columns_data(course),
        "answers": {str(at): columns_data(other) for at, other in shown.answers.items()},
    }


def columns_data(course: Course) -> list[dict[str, object]]:
    """The columns of a course."""
    before = [course.begin, *(column.state for column in course.columns)]
    return [
        column_data(course.world, previous, column)
        for previous, column in zip(before, course.columns, strict=False)
    ]


def column_data(world: Interpreter, before: State, column: CourseColumn) -> dict[str, object]:
    """What happened, and how things are after it."""
    taken = [each for each in column.happened if each.how != "left out"]
    return {
        "happened": [happening_data(each) for each in column.happened],
        **state_data(world, column.state, taken[-1].before if taken else before),
    }


def happening_data(each: Happening) -> dict[str, object]:
    """A step: when, which row and where it is from, and what goes over the wire."""
    name = each.action.name
    wire = (SENT_BY_CLIENT.get(name) or SENT_BY_SERVER.get(name)) if each.host is not None else None
    return {
        "at": show_number(Fraction(each.at)),
        "row": name,
        "says": each.says,
        "source": each.action.source,
        "how": each.how,
        "why": each.why,
        "host": each.host,
        "sent": wire or "",
        "to_server": name in SENT_BY_CLIENT,
    }


def state_data(world: Interpreter, state: State, before: State | None) -> dict[str, object]:
    """A state: the values, which properties hold, and what the lanes show of it."""
    hosts, places = range(world.sizes[HOST]), range(world.sizes[ADDRESS])
    held = [
        [place for place in places if world.value(answers(h, a), state, {h: host, a: place})]
        for host in hosts
    ]
    return {
        "now": show_number(Fraction(state.now)),
        "values": [
            show_value_of(variable(name), state[name, member])
            for name, member in state
            if name != NOW.name
        ],
        "properties": [holds_in(world, each, state, before) for each in PROPERTIES],
        "holds": [", ".join(name_of(ADDRESS, place) for place in of) for of in held],
        "over": [
            any(not world.value(covered, state, {h: host, a: place}) for place in held[host])
            for host in hosts
        ],
        "leased": [bool(world.value(leased(h), state, {h: host})) for host in hosts],
        "both": not world.holds(EXCLUSIVE.term, state),
        "owner": [
            "" if (owner := state["owner", place]) is None else name_of(HOST, int(str(owner)))
            for place in places
        ],
        "runs": [
            state["owner", place] is not None
            and bool(world.value(now <= server_end[a], state, {a: place}))
            for place in places
        ],
        "serving": state["serving", 0],
        "notice": [state["notice", host] for host in hosts],
    }


def holds_in(world: Interpreter, each: Property, state: State, before: State | None) -> bool | None:
    """Whether a property holds; None: it is of a step, and there was none."""
    if each not in STEPS:
        return world.holds(each.term, state)
    return None if before is None else world.holds(each.term, before, following=state)


def variable(name: str) -> Variable:
    """A variable of the lease table."""
    return next(each for each in LEASE_TABLE.variables if each.name == name)


def member_name(of: Variable, member: int) -> str:
    """Whose it is; empty where there is only one."""
    return "" if of.index is None else name_of(of.index, member)


def show_value_of(of: Variable, value: Value) -> str:
    """A value as people write it."""
    if value is None:
        return "none" if of.sort.indexes else "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if of.sort.indexes:
        return name_of(of.sort, int(str(value)))
    if isinstance(value, int | Fraction):
        return f"{show_number(Fraction(value))} s"
    return value.lower()
