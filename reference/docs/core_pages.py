"""The generated parts of the page on the reference client and server.

The table is `client.py`'s own; what its cells come to, the diagram and the edges are what the
exploration saw (`refinement/explored.json`, which tests compare with a new exploration).
"""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

from holdover.model.table.table import LEASE_TABLE
from holdover.reference.core.client import COLUMNS, TABLE, Handler, ignore
from holdover.reference.core.events import Phase
from holdover.reference.docs.markdown import code, table
from holdover.reference.refinement.coverage import excuse
from holdover.reference.refinement.defects import defects_of, read_record
from holdover.reference.refinement.setting import Setting, every_setting

NOTHING = "·"


@cache
def last_exploration() -> Mapping[str, list[list[object]]]:
    """What the last pinned exploration saw."""
    text = (resources.files("holdover.reference.refinement") / "explored.json").read_text("utf-8")
    seen: Mapping[str, list[list[object]]] = json.loads(text)
    return seen


@cache
def at_random() -> Mapping[str, Mapping[str, str]]:
    """Which check of the random runs found each defect, and in which scene."""
    text = (resources.files("holdover.reference.refinement") / "random.json").read_text("utf-8")
    kills: Mapping[str, Mapping[str, str]] = json.loads(text)
    return kills


def column_name(column: object) -> str:
    """An event's name, or the message's where it is a reply."""
    return str(getattr(column, "__name__", "") or getattr(column, "name", ""))


def client_table() -> str:
    """Phases and events, each cell with the function of `client.py` that handles it."""
    head = ["", *(column_name(column) for column in COLUMNS)]
    rows = [[phase.name, *(_cell(TABLE[phase][column]) for column in COLUMNS)] for phase in Phase]
    return table(head, rows)


def _cell(handler: Handler) -> str:
    return NOTHING if handler is ignore else code(_name(handler))


def _name(handler: Callable[..., object]) -> str:
    return str(getattr(handler, "__name__", ""))


def client_cells() -> str:
    """What each handled cell may come to: the next phase, and the effects in their order."""
    seen: dict[tuple[str, str], set[tuple[str, tuple[str, ...]]]] = defaultdict(set)
    for before, event, after, effects in last_exploration()["cells"]:
        assert isinstance(effects, list)
        seen[str(before), str(event)].add((str(after), tuple(effects)))
    rows = []
    for phase in Phase:
        for column in COLUMNS:
            handler, event = TABLE[phase][column], column_name(column)
            outcomes = sorted(seen.get((phase.name, event), ()))
            if handler is not ignore or any(after != phase.name for after, _ in outcomes):
                told = "<br>".join(_outcome(after, effects) for after, effects in outcomes)
                rows.append(
                    [phase.name, event, _first_line(handler), told or "not in the exploration"]
                )
    return table(["phase", "event", "what it is", "what was seen to come of it"], rows)


def _first_line(handler: Callable[..., object]) -> str:
    if handler is ignore:
        return "the lease lapses first"
    return (inspect.getdoc(handler) or "").splitlines()[0]


def _outcome(after: str, effects: Sequence[str]) -> str:
    return f"{after}" + (f": {', '.join(effects)}" if effects else "")


def client_diagram() -> str:
    """The phases and the events that were seen to lead from one to another, as Mermaid."""
    edges: dict[tuple[str, str], set[str]] = defaultdict(set)
    for before, event, after, _ in last_exploration()["cells"]:
        if before != after:
            edges[str(before), str(after)].add(str(event))
    order = [phase.name for phase in Phase]
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> INIT"]
    for before, after in sorted(
        edges, key=lambda edge: (order.index(edge[0]), order.index(edge[1]))
    ):
        lines.append(f"    {before} --> {after}: {', '.join(sorted(edges[before, after]))}")
    return "\n".join([*lines, "```", ""])


def refinement_settings() -> str:
    """The explored worlds with their sizes."""
    return table(
        [
            "setting",
            "hosts x addresses x datagrams",
            "lease",
            "what it is about",
            "states",
            "steps",
            "depth",
        ],
        [_setting_row(setting) for setting in every_setting()],
    )


def _setting_row(setting: Setting) -> list[str]:
    numbers = [f"{n:,}" for n in (setting.states, setting.steps, setting.depth)]
    return [setting.name, setting.size, str(setting.lease), setting.about, *numbers]


def refinement_edges() -> str:
    """Edges of the table that the client never takes, with the reason."""
    taken = {tuple(map(str, edge)) for edge in last_exploration()["edges"]}
    allowed = [tuple(map(str, edge)) for edge in last_exploration()["allowed"]]
    left: dict[tuple[str, str], list[str]] = defaultdict(list)
    for phase, stage, holds, row in allowed:
        if (phase, stage, holds, row) not in taken:
            left[row, excuse(((phase, stage, holds), row))].append(f"{phase} ({stage}, {holds})")
    every = sorted(left.items())
    rows = [[code(row), reason, str(len(where))] for (row, reason), where in every]
    count = f"The client takes {len(taken)} of {len(allowed)} edges. It never takes the others:\n\n"
    where = "\n\n".join(
        f"<details><summary>The edges of {code(row)}</summary>\n\n{bullets(found)}\n\n</details>"
        for (row, _), found in every
    )
    return f"{count}{table(['row', 'why not', 'edges'], rows)}\n{where}"


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def client_defects() -> str:
    """The seeded defects and what finds them."""
    kills = read_record()
    rows = []
    for one in defects_of("client"):
        kill = kills[one.name]
        by = f"{kill.kind}: {kill.setting}, {kill.steps} steps"
        hunt = at_random()[one.name]
        rows.append(
            [code(one.name), one.says, one.modelled_on, by, f"{hunt['kind']}: {hunt['scene']}"]
        )
    head = ["defect", "what the client does", "modelled on", "exploration", "random runs"]
    return table(head, rows)


def server_defects() -> str:
    """The same for the server."""
    kills = read_record()
    rows = []
    for one in defects_of("server"):
        kill = kills[one.name]
        by = f"{kill.kind}: {kill.setting}, {kill.steps} steps"
        rows.append([code(one.name), one.says, one.modelled_on, by])
    return table(["defect", "what the server does", "modelled on", "exploration"], rows)


def server_rows() -> str:
    """The rows of the table that the server core was seen to take."""
    actions = [LEASE_TABLE.action(str(row)) for (row,) in last_exploration()["server rows"]]
    return table(
        ["row", "what it says", "source"],
        [[code(action.name), action.says, action.source] for action in actions],
    )


GENERATORS = {
    "client-table": client_table,
    "client-cells": client_cells,
    "client-diagram": client_diagram,
    "refinement-settings": refinement_settings,
    "refinement-edges": refinement_edges,
    "client-defects": client_defects,
    "server-rows": server_rows,
    "server-defects": server_defects,
}
