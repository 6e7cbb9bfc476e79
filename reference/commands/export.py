"""`holdover export`: the model for other tools, so that nobody has to take our word.

TLA+ and Promela are written by `model/export/`; TLC and SPIN find the states that `holdover
explore` finds (tests/model).  ITF is the format in which Apalache and others exchange runs: here a
shortest run that breaks a property.  Graphs are of all states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from holdover.model.errors import InputError
from holdover.model.explorer.explore import Progress as Report
from holdover.model.export.itf import itf
from holdover.model.export.promela import promela
from holdover.model.export.tla import tla, tlc_config
from holdover.model.readings.finite import Instance
from holdover.model.table.properties import ALWAYS
from holdover.reference.commands import export as export_
from holdover.reference.commands.explore import instance_options, small_network
from holdover.reference.commands.prove import write_smtlib
from holdover.reference.commands.search import Search, check_graph_file, write_graph
from holdover.reference.console.options import complete_names, profile_names
from holdover.reference.console.progress import Progress
from holdover.reference.console.surroundings import memory_option

FORMATS = ("tla", "promela", "smtlib", "dot", "graphml", "itf")


def title(search: Search) -> str:
    """What is exported, in one line."""
    faults = ", ".join(search.faults) or "none"
    return f"{search.name}: {search.size}; a lease of {search.ticks} ticks; faults: {faults}"


def choose_properties(names: tuple[str, ...]) -> tuple[str, ...]:
    """Properties by name, all where none is given; InputError for one that is not there."""
    known = [p.name for p in ALWAYS]
    for name in names:
        if name not in known:
            raise InputError(f"--check: no property {name!r}; there are: {', '.join(known)}")
    return names or tuple(known)


def as_promela(search: Search, check: tuple[str, ...], progress: Report) -> Mapping[str, str]:
    """One file."""
    wanted = [p for p in ALWAYS if p.name in choose_properties(check)]
    return {"": promela(_instance(search), check=wanted, title=title(search))}


def as_tla(search: Search, check: tuple[str, ...], progress: Report) -> Mapping[str, str]:
    """The module, and the configuration for TLC beside it."""
    instance, names = _instance(search), choose_properties(check)
    table, constants, bounds = instance.table, instance.constants, instance.bounds
    return {
        "": tla(table, constants, bounds, name=NAME, title=title(search)),
        ".cfg": tlc_config(constants, bounds, invariants=names),
    }


NAME = "Lease"
"""The module's name: TLA+ wants the file to have it."""


def as_itf(search: Search, check: tuple[str, ...], progress: Report) -> Mapping[str, str]:
    """A shortest run that breaks the first of the properties that is broken."""
    names = choose_properties(check)
    seen = search.run(progress)
    broken = next((name for name in names if name in seen.violations), None)
    if broken is None:
        cut_off = " before the search was cut off; give more --memory"
        raise InputError(
            f"itf: no run breaks {' or '.join(names)}{'' if seen.complete else cut_off}"
        )
    return {"": itf(seen.violations[broken], f"{title(search)}; breaks {broken}")}


WRITERS: Mapping[str, Callable[[Search, tuple[str, ...], Report], Mapping[str, str]]] = {
    "tla": as_tla,
    "promela": as_promela,
    "itf": as_itf,
}


def _instance(search: Search) -> Instance:
    return search.instance(search.hosts, search.addresses, search.messages)


def write(files: Mapping[str, str], path: Path) -> list[Path]:
    """Write each to the path, with its suffix for a second one; InputError where it cannot be."""
    written = []
    for suffix, text in files.items():
        target = path.with_suffix(suffix) if suffix else path
        try:
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"--output {target}: {error.strerror or error}") from error
        written.append(target)
    return written


def graph(search: Search, path: Path, progress: Report) -> None:
    """The graph of all states, as `holdover explore --graph` writes it."""
    check_graph_file(path, "--output")
    write_graph(search.explored(progress, keep_steps=True), path, search.memory, "--output")


@click.command(epilog="Example: holdover export tla wfwg311 --addresses 2 -o Lease.tla")
@click.argument("form", metavar="FORMAT", type=click.Choice(export_.FORMATS))
@click.argument("profile", shell_complete=profile_names)
@instance_options
@memory_option
@click.option(
    "--check",
    multiple=True,
    metavar="PROPERTY",
    shell_complete=complete_names(lambda: [p.name for p in ALWAYS]),
    help="What TLC, SPIN or the run is "
    "about: " + ", ".join(p.name for p in ALWAYS) + ".  [default: all]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write, or the directory.  [default: standard output]",
)
def export(
    form: str, profile: str, check: tuple[str, ...], output: Path | None, **given: Any
) -> None:
    """Hand the model to other tools.

    \b
    tla       a TLA+ module, and TLC's configuration beside it (-o Lease.tla)
    promela   a model for SPIN
    smtlib    the obligations of the profile's proof (a directory)
    dot       the graph of all states, for Graphviz
    graphml   the same with all variables, for graph tools
    itf       a shortest run that breaks a property, for Apalache and its kin

    TLC and SPIN find as many states as `holdover explore` with the same options.
    """  # noqa: D301 -- click's mark for lines that stay as they are
    search = small_network(profile, given)
    if form == "smtlib":
        folder = output_for(form, output)
        written = write_smtlib(search.profile, folder, "--output")
        click.echo(f"{written} obligations in {folder}", err=True)
        return
    if form in ("dot", "graphml"):
        search = replace(search, plain=True, symmetry=False)
        path = output_for(form, output)
        if path.suffix != f".{form}":
            raise InputError(f"--output {path}: the name must end in .{form}")
        search.refuse_hopeless(search.estimate())
        with Progress(search.name) as progress:
            export_.graph(search, path, progress.search)
        return
    if form == "tla" and output is not None and output.name != f"{export_.NAME}.tla":
        raise InputError(f"--output {output}: TLA+ wants the file to be named {export_.NAME}.tla")
    if form == "itf":
        search.refuse_hopeless(search.estimate())
    with Progress(search.name) as progress:
        files = export_.WRITERS[form](search, check, progress.search)
    if output is None:
        click.echo(files[""], nl=False)
    else:
        for path in export_.write(files, output):
            click.echo(f"written: {path}", err=True)


def output_for(form: str, output: Path | None) -> Path:
    """The path given; InputError if there is none."""
    if output is None:
        raise InputError(f"{form}: -o PATH is needed")
    return output
