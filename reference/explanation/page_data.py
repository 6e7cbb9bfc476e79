"""What the page of a collision knows: courses, column by column, and worlds to go on in.

Each state of a course has the value of every variable and of every property; instants are seconds
from the beginning of the run.  Where a state in ticks is known (`in_ticks.py`), the column has it,
and a visitor may choose what happens next: `world_script` is the lease table for that, as functions
of the page (`model/export/javascript.py`), with the same questions asked of each state.  So the
page has no rule of its own.

What it does not know: how it is shown (`page.py`, `lanes.js`, `player.js`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from holdover.model.explorer.sequence_chart import SENT_BY_CLIENT, SENT_BY_SERVER
from holdover.model.export.javascript import Asked, javascript
from holdover.model.readings.finite import Instance, name_of
from holdover.model.readings.finite import State as TickState
from holdover.model.readings.interpreter import Interpreter, State, Value
from holdover.model.seconds import show_number
from holdover.model.table.client import answers, leased
from holdover.model.table.expr import Sort, Variable
from holdover.model.table.properties import ALWAYS, EXCLUSIVE, STEPS, Property
from holdover.model.table.server import NOBODY, SERVER_ACTIONS, leased_to
from holdover.model.table.table import LEASE_TABLE
from holdover.model.table.vocabulary import ADDRESS, HOST, NOW, a, h, now, owner, server_end
from holdover.proofs.logic.invariants import OWNED
from holdover.reference.explanation.course import Course, CourseColumn, Happening

PROPERTIES: Sequence[Property] = (*ALWAYS, OWNED, *STEPS)
"""Those of a state, and those of the step to it."""

covered = leased(h) & leased_to(a, h) & (now <= server_end[a])
"""The client goes by a lease, and so does the server."""

runs = (owner[a] != NOBODY) & (now <= server_end[a])
"""The server's lease of the address runs."""


@dataclass(frozen=True, kw_only=True)
class ShownCourse:
    """A client on the page: its name and title, its verdict, its course, and what its user may do.

    `course`: None where there is no run, but a world alone.  `answers`: the course from each column
    on after which the notice may be answered.  `world`: what a visitor goes on in; None: there is
    none.  With it, `states` has the state in ticks after each column, and so has each answer;
    `lease` is how many ticks a lease has.
    """

    name: str
    title: str
    outcome: str
    reason: str
    course: Course | None = None
    answers: Mapping[int, tuple[Course, Sequence[TickState | None]]]
    world: Instance | None
    states: Sequence[TickState | None]

    @property
    def lease(self) -> int:
        """Ticks of a lease."""
        return 0 if self.world is None else max(self.world.bounds.lengths)


def page_data(shown: Sequence[ShownCourse], sizes: Mapping[Sort, int]) -> dict[str, Any]:
    """All that the page shows; `sizes`: how many hosts, addresses and datagrams there are."""
    hosts, places = range(sizes[HOST]), range(sizes[ADDRESS])
    rows = {
        row.name: [row.source, sent_by(row.name), row in SERVER_ACTIONS]
        for row in LEASE_TABLE.actions
    }
    return {
        "hosts": [name_of(HOST, host) for host in hosts],
        "addresses": [name_of(ADDRESS, each) for each in places],
        "variables": [
            {
                "name": v.name,
                "of": member_name(v, member),
                "means": v.meaning,
                "sort": v.sort.name,
                "words": [word.lower() for word in v.sort.values],
            }
            for v in LEASE_TABLE.variables
            if v is not NOW
            for member in range(sizes[v.index] if v.index else 1)
        ],
        "properties": [{"name": p.name, "says": p.says, "source": p.source} for p in PROPERTIES],
        "rows": rows,
        "courses": [course_data(each) for each in shown],
    }


def course_data(shown: ShownCourse) -> dict[str, object]:
    """A client: the state before the run, the columns, and those after an answered notice."""
    course = shown.course
    known: dict[str, object] = {
        "name": shown.name,
        "title": shown.title,
        "outcome": shown.outcome,
        "reason": shown.reason,
        "lease": shown.lease,
    }
    if course is None:
        return {**known, "begin": None, "columns": [], "answers": {}}
    begin = {"happened": [], **state_data(course.world, course.begin, None)}
    return {
        **known,
        "stopped": course.stopped,
        "begin": {**begin, "ticks": None if shown.world is None else shown.world.initial},
        "columns": columns_data(course, shown.states),
        "answers": {
            str(at): columns_data(other, states) for at, (other, states) in shown.answers.items()
        },
    }


def columns_data(course: Course, states: Sequence[TickState | None]) -> list[dict[str, object]]:
    """The columns of a course, each with its state in ticks if that is known."""
    before = [course.begin, *(column.state for column in course.columns)]
    return [
        {**column_data(course.world, previous, column), "ticks": state}
        for previous, column, state in zip(before, course.columns, states, strict=False)
    ]


def column_data(world: Interpreter, before: State, column: CourseColumn) -> dict[str, object]:
    """What happened, and how things are after it."""
    taken = [each for each in column.happened if each.how != "left out"]
    return {
        "happened": [happening_data(each) for each in column.happened],
        **state_data(world, column.state, taken[-1].before if taken else before),
    }


def happening_data(each: Happening) -> dict[str, object]:
    """A step: when, which row, for whom, and how it came about."""
    return {
        "at": f"{show_number(Fraction(each.at))} s",
        "row": each.action.name,
        "says": each.says,
        "how": each.how,
        "why": each.why,
        "host": each.host,
    }


def sent_by(row: str) -> str:
    """What goes over the wire in a step, with an arrow to where it goes; empty: nothing."""
    if (said := SENT_BY_CLIENT.get(row)) is not None:
        return f"↓{said}"
    return f"↑{SENT_BY_SERVER[row]}" if row in SENT_BY_SERVER else ""


def world_script(world: Instance) -> str:
    """The lease table of a world as an object of JavaScript (`javascript`)."""
    hosts, places = range(world.bounds.hosts), range(world.bounds.addresses)
    pairs = [{h: host, a: place} for host in hosts for place in places]
    asked: dict[str, Sequence[Asked]] = {
        "always": [(each.term, {}) for each in PROPERTIES if each not in STEPS],
        "answers": [(answers(h, a), pair) for pair in pairs],
        "covered": [(covered, pair) for pair in pairs],
        "leased": [(leased(h), {h: host}) for host in hosts],
        "runs": [(runs, {a: place}) for place in places],
    }
    return javascript(world, asked, {"steps": [(each.term, {}) for each in STEPS]})


def state_data(world: Interpreter, state: State, before: State | None) -> dict[str, object]:
    """A state: the values, which properties hold, and what the lanes show of it."""
    hosts, places = range(world.sizes[HOST]), range(world.sizes[ADDRESS])
    held = [
        [place for place in places if world.value(answers(h, a), state, {h: host, a: place})]
        for host in hosts
    ]
    return {
        "now": f"{show_number(Fraction(state.now))} s",
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
            "" if (whose := state["owner", place]) is None else name_of(HOST, int(str(whose)))
            for place in places
        ],
        "runs": [bool(world.value(runs, state, {a: place})) for place in places],
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
