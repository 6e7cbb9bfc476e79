"""`holdover export`: the model for other tools, so that nobody has to take our word.

TLA+ and Promela are readings of the lease table (`model/export/tla.py`, `model/export/promela.py`); TLC and SPIN
find the states that `holdover explore` finds (tests/model).  ITF is the format in which Apalache
and others exchange runs: here a shortest run that breaks a property.  Graphs are of all states.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from holdover.model.clients.profile import BadInput
from holdover.model.explorer.explore import Progress, Trace
from holdover.model.export.promela import promela
from holdover.model.export.tla import tla, tlc_config
from holdover.model.readings.finite import Instance, State
from holdover.model.table.expr import INSTANT
from holdover.model.table.properties import ALWAYS
from holdover.reference.search import Search, check_graph_file, write_graph

FORMATS = ("tla", "promela", "smtlib", "dot", "graphml", "itf")


def title(search: Search) -> str:
    """What is exported, in one line."""
    faults = ", ".join(search.faults) or "none"
    return f"{search.name}: {search.size}; a lease of {search.ticks} ticks; faults: {faults}"


def checked(names: tuple[str, ...]) -> tuple[str, ...]:
    """Properties by name, all where none is given; BadInput for one that is not there."""
    known = [p.name for p in ALWAYS]
    for name in names:
        if name not in known:
            raise BadInput(f"--check: no property {name!r}; there are: {', '.join(known)}")
    return names or tuple(known)


def as_promela(search: Search, check: tuple[str, ...], progress: Progress) -> Mapping[str, str]:
    """One file."""
    wanted = [p for p in ALWAYS if p.name in checked(check)]
    return {"": promela(_instance(search), check=wanted, title=title(search))}


def as_tla(search: Search, check: tuple[str, ...], progress: Progress) -> Mapping[str, str]:
    """The module, and the configuration for TLC beside it."""
    instance, names = _instance(search), checked(check)
    table, constants, bounds = instance.table, instance.constants, instance.bounds
    return {
        "": tla(table, constants, bounds, name=NAME, title=title(search)),
        ".cfg": tlc_config(constants, bounds, invariants=names),
    }


NAME = "Lease"
"""The module's name: TLA+ wants the file to have it."""


def as_itf(search: Search, check: tuple[str, ...], progress: Progress) -> Mapping[str, str]:
    """A shortest run that breaks the first of the properties that is broken."""
    names = checked(check)
    seen = search.run(progress)
    broken = next((name for name in names if name in seen.violations), None)
    if broken is None:
        cut_off = " before the search was cut off; give more --memory"
        raise BadInput(f"itf: no run breaks {' or '.join(names)}{'' if seen.complete else cut_off}")
    return {"": itf(seen.violations[broken], f"{title(search)}; breaks {broken}")}


WRITERS: Mapping[str, Callable[[Search, tuple[str, ...], Progress], Mapping[str, str]]] = {
    "tla": as_tla,
    "promela": as_promela,
    "itf": as_itf,
}


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


def _instance(search: Search) -> Instance:
    return search.instance(search.hosts, search.addresses, search.messages)


def write(files: Mapping[str, str], path: Path) -> list[Path]:
    """Write each to the path, with its suffix for a second one; BadInput where it cannot be."""
    written = []
    for suffix, text in files.items():
        target = path.with_suffix(suffix) if suffix else path
        try:
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise BadInput(f"--output {target}: {error.strerror or error}") from error
        written.append(target)
    return written


def graph(search: Search, path: Path, progress: Progress) -> None:
    """The graph of all states, as `holdover explore --graph` writes it."""
    check_graph_file(path, "--output")
    write_graph(search.explored(progress, keep_steps=True), path, search.memory, "--output")
