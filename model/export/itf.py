"""A run as ITF, in which Apalache and others exchange runs."""

from __future__ import annotations

import json

from holdover.model.explorer.explore import Trace
from holdover.model.readings.finite import Instance, State
from holdover.model.table.expr import INSTANT


def itf(trace: Trace, description: str) -> str:
    """A run as ITF (Apalache ADR 015, from memory): variables as maps from members to values.

    An instant is ticks from that state's now, a reference its member, what is unset is "unset".
    """
    instance = trace.instance
    names = [v.name for v in instance.table.variables if any(v is w for w, _ in instance.slots)]
    states = []
    steps = ["", *(str(label) for label in trace.labels)]
    for number, (state, step) in enumerate(zip(trace.states, steps, strict=True)):
        meta = {"index": number, "action": step} if step else {"index": number}
        states.append({"#meta": meta, **_values(instance, state)})
    document = {
        "#meta": {"format": "ITF", "description": description, "source": "holdover export itf"},
        "vars": names,
        "states": states,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _values(instance: Instance, state: State) -> dict[str, object]:
    maps: dict[str, list[list[object]]] = {}
    plain: dict[str, object] = {}
    for (variable, member), value in zip(instance.slots, state, strict=True):
        shown = instance.show(variable.sort, value)
        if shown is None:
            shown = "unset" if variable.sort is INSTANT else "none"
        elif not isinstance(shown, bool | int | str):
            shown = str(shown)
        if variable.index is None:
            plain[variable.name] = shown
        else:
            maps.setdefault(variable.name, []).append([member, shown])
    return {**plain, **{name: {"#map": pairs} for name, pairs in maps.items()}}
