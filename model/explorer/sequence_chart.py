"""Runs told to people: in sentences, and as a sequence chart.

The sentences are the rows' own (`Action.says`).  In the chart each party has a line of life, double
while the host holds an address: two double lines side by side are two hosts holding.  Times are
seconds if the run was confirmed in seconds, else ticks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from holdover.model.explorer.explore import Trace
from holdover.model.explorer.length import TICK
from holdover.model.readings.finite import NONE, Label, State, name_of
from holdover.model.seconds import show_number
from holdover.model.table.expr import Action
from holdover.model.table.table import LEASE_TABLE, sends
from holdover.model.table.vocabulary import HOST, MESSAGE

OF_A_CLIENT = frozenset(("DISCOVER", "REQUEST", "DECLINE", "RELEASE"))
FOREIGN = {
    "forge": "forged ",
    "rival_offer": "rival ",
    "rival_ack": "rival ",
    "rival_nak": "rival ",
}
"""What is sent by neither the hosts nor the server."""

SENT = {row.name: FOREIGN.get(row.name, "") + k for row in LEASE_TABLE.actions for k in sends(row)}
SENT_BY_CLIENT = {name: said for name, said in SENT.items() if said.split()[-1] in OF_A_CLIENT}
SENT_BY_SERVER = {name: said for name, said in SENT.items() if name not in SENT_BY_CLIENT}

LANE = 24


@dataclass(frozen=True)
class ChartEvent:
    """One step of a run: when, which row, its sentence, and who holds what after it."""

    time: Fraction
    label: Label
    sentence: str
    host: int | None
    holding: tuple[str | None, ...]
    datagram: str = ""
    """What is lost, missed, ignored or duplicated."""
    exact: tuple[Fraction, ...] = ()
    """The row's parameters in the unit of the run, members as their number; empty: not known."""

    @property
    def action(self) -> str:
        """The row's name."""
        return self.label.action.name


def events(
    trace: Trace,
    times: Sequence[Fraction] | None = None,
    bindings: Sequence[tuple[Fraction, ...]] | None = None,
) -> list[ChartEvent]:
    """The steps of a run; `times` has the instant after each step, else ticks are counted.

    `bindings`: the parameters of each step, in the same unit.
    """
    told = []
    clock = Fraction(0)
    steps = zip(trace.labels, trace.states, trace.states[1:], strict=False)
    for number, (label, before, after) in enumerate(steps):
        clock += 1 if label.action.name == TICK else 0
        time = clock if times is None else times[number]
        said, datagram = sentence(trace, label, before)
        exact = () if bindings is None else bindings[number]
        held = holding(trace, after)
        told.append(ChartEvent(time, label, said, label.host, held, datagram, exact))
    return told


def sentence(trace: Trace, label: Label, before: State) -> tuple[str, str]:
    """What the row says, with names for its parameters; and which datagram, if it says so."""
    kind, place = trace.instance.variable("kind").sort, trace.instance.place

    def kind_in(slot: object) -> str:
        assert isinstance(slot, int)
        return str(trace.instance.show(kind, before[place["kind", slot]]))

    return fill_sentence(label.action, label.binding, kind_in)


def fill_sentence(
    row: Action, binding: Sequence[object], kind: Callable[[object], str]
) -> tuple[str, str]:
    """The same of a row and a binding; `kind` says what is in a slot before the step."""
    given = {
        str(p.args[0]): (p.sort, v)
        for p, v in zip(row.given, binding, strict=True)
        if p.sort.indexes
    }
    words = {name: name_of(sort, v) for name, (sort, v) in given.items()}
    kinds = {name: kind(v) for name, (sort, v) in given.items() if sort is MESSAGE}
    says = row.says
    return says.format(**words, kind=kinds), kinds["m"] if "{kind[m]}" in says else ""


def holding(trace: Trace, state: State) -> tuple[str | None, ...]:
    """For each host the address on its interface, or both that are there."""
    instance = trace.instance
    sort = instance.variable("holds").sort

    def of(host: int) -> str | None:
        places = (instance.place[name, host] for name in ("holds", "beside"))
        there = [state[place] for place in places if state[place] != NONE]
        return " and ".join(name_of(sort, value) for value in there) or None

    return tuple(of(host) for host in range(instance.bounds.size(HOST)))


def steps_of(told: Sequence[ChartEvent]) -> list[ChartEvent]:
    """The steps of a run, without the passing of time."""
    return [event for event in told if event.action != TICK]


def sentences(told: Sequence[ChartEvent], unit: str) -> list[str]:
    """The run, a numbered line a step; the passing of time shows in the times."""
    lines = []
    shown = steps_of(told)
    width = max((len(show_time(event.time, unit)) for event in shown), default=0)
    for number, event in enumerate(shown, 1):
        lines.append(f"{number:>3}. {show_time(event.time, unit):>{width}}  {event.sentence}")
    holders = [
        f"{name_of(HOST, host)} holds {place}"
        for host, place in enumerate(told[-1].holding)
        if place is not None
    ]
    if holders:
        lines.append(f"{'':>{width + 6}} Now {' and '.join(holders)}.")
    return lines


def show_time(time: Fraction, unit: str) -> str:
    """A time as people write it."""
    return f"{show_number(time)} {'tick' if unit == 'ticks' and time == 1 else unit}"


def chart(told: Sequence[ChartEvent], unit: str) -> list[str]:
    """The run as a sequence chart: first host, server, other hosts."""
    hosts = len(told[0].holding)
    lanes = {0: 0, **{host: host + 1 for host in range(1, hosts)}}
    server = 1
    width = max(len(show_time(event.time, unit)) for event in told)
    names = [""] * (hosts + 1)
    names[server] = "server"
    for host, lane in lanes.items():
        names[lane] = name_of(HOST, host)
    lines = [" " * (width + 2) + "".join(f"{name:<{LANE}}" for name in names).rstrip()]
    last = ""
    for event in steps_of(told):
        time = show_time(event.time, unit)
        shown = "" if time == last else time
        last = time
        life = ["│"] * (hosts + 1)
        for host, lane in lanes.items():
            life[lane] = "║" if event.holding[host] is not None else "│"
        lines.append(f"{shown:>{width}}  {_row(event, lanes, server, life)}".rstrip())
    return lines


def _row(event: ChartEvent, lanes: dict[int, int], server: int, life: list[str]) -> str:
    row = list("".join(f"{bar:<{LANE}}" for bar in life))
    lane = server if event.host is None else lanes[event.host]

    def write(at: int, text: str) -> None:
        row[at : at + len(text)] = text

    arrow = SENT_BY_CLIENT.get(event.action) or SENT_BY_SERVER.get(event.action)
    if arrow and event.host is not None:
        left, right = sorted((lane, server))
        to_right = (event.action in SENT_BY_CLIENT) == (lane < server)
        note = f" {arrow}{_about(event)} "
        length = (right - left) * LANE - 1
        line = note.center(length, "─")
        write(left * LANE + 1, line[:-1] + "▶" if to_right else "◀" + line[1:])
    else:
        what = f" {event.datagram}" if event.datagram else _about(event)
        write(lane * LANE + 2, event.action.replace("_", " ") + what)
    return "".join(row)


def _about(event: ChartEvent) -> str:
    for p, value in zip(event.label.action.given, event.label.binding, strict=True):
        if p.args[0] == "a":
            return f" {name_of(p.sort, value)}"
    return ""


def as_data(told: Sequence[ChartEvent], unit: str) -> Iterator[dict[str, object]]:
    """The run for JSON, with the passing of time: a run may end by that."""
    for event in told:
        yield {
            "time": float(event.time),
            "unit": unit,
            "action": event.action,
            "source": event.label.action.source,
            "says": event.sentence,
            "holding": list(event.holding),
        }
