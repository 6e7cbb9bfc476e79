"""`holdover explore`: every state of a small network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from holdover.model.clients.profile import FAULTS
from holdover.model.errors import InputError
from holdover.model.explorer.explore import EngineResult
from holdover.model.explorer.length import count_of, count_steps
from holdover.model.explorer.sequence_chart import as_data, events, sentences
from holdover.model.table.properties import ALWAYS, STEPS
from holdover.proofs.result import Outcome
from holdover.reference.commands.search import (
    HERE,
    Search,
    check_graph_file,
    found_by,
    outcome,
    write_graph,
)
from holdover.reference.commands.state_graph import (
    Agreement,
    Common,
    agreement,
    agreement_data,
    agreement_lines,
    common_data,
    common_lines,
    of_search,
)
from holdover.reference.console.assumed import assume_option, load_whole
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import Command, complete_names, json_option, profile_names
from holdover.reference.console.output import (
    UNBOUNDED,
    Output,
    colour_outcome,
    document,
    write_file,
)
from holdover.reference.console.progress import Progress
from holdover.reference.console.surroundings import known_faults, memory_option
from holdover.reference.explanation.page import collision_page
from holdover.reference.explanation.page_data import ShownCourse

STOPPED = {
    "memory": "what was not seen is unknown: give more --memory, or take a smaller instance",
    "disk": "what was not seen is unknown: the disk is full; TMPDIR or --checkpoint names another",
}


def print_exploration(
    search: Search,
    seen: EngineResult,
    as_json: bool,
    graph: Agreement | None = None,
    common: Common | None = None,
) -> None:
    """What a search saw; for each property whether it held, with a shortest run that breaks it.

    `graph` is what networkx says of the same, `common` what every collision has in common.
    """
    unbounded = seen.worst is not None and seen.worst >= seen.instance.bounds.past
    worst = None if unbounded else seen.worst
    if as_json:
        document(
            "explore",
            {
                "profile": search.name,
                "outcome": outcome(seen),
                "complete": seen.complete,
                "stopped_by": seen.stopped_by or None,
                "states": seen.states,
                "stored": seen.stored,
                "steps": seen.steps,
                "depth": seen.depth,
                "worst_holdover_ticks": UNBOUNDED if unbounded else worst,
                "properties": [
                    {
                        "property": name,
                        "outcome": said,
                        "run": list(as_data(events(seen.violations[name]), "ticks"))
                        if name in seen.violations
                        else [],
                    }
                    for name, _, said in property_rows(seen)
                ],
                "fired": [
                    {"row": row, "times": times} for row, times in sorted(seen.fired.items())
                ],
                "networkx": None if graph is None else agreement_data(graph),
                "every_run": common_data(common),
            },
        )
        return
    out = Output()
    head = Text(f"{search.name}, {search.size}: ", style="bold")
    out.say(head + Text("exclusive: ") + colour_outcome(outcome(seen)))
    verb = "explored" if seen.complete else "cut off: saw"
    out.say(f"{verb} {seen.states} states, {seen.steps} steps, depth {seen.depth}")
    if seen.stored != seen.states:
        out.say(f"stored {seen.stored} of them: the others differ from these in names only")
    if not seen.complete:
        out.say(STOPPED[seen.stopped_by])
    seen_so_far = "" if seen.complete else " so far"
    if unbounded:
        out.say(f"worst holdover{seen_so_far}: no end within the ticks looked at")
    elif worst is not None:
        early = " (negative: released early)" if worst < 0 else ""
        out.say(f"worst holdover{seen_so_far}: {count_of(worst, 'tick')}{early}")
    for name, says, said in property_rows(seen):
        out.say(Text("  ") + colour_outcome(said) + Text(f"{'':{10 - len(said)}}{name}: {says}"))
    for name, trace in seen.violations.items():
        told = events(trace)
        steps = count_steps(event.action for event in told)
        out.say(f"\n{name} is broken after {count_of(steps, 'step')}:")
        for line in sentences(told, "ticks"):
            out.say(f"  {line}")
    if graph is not None:
        out.say()
        for line in agreement_lines(graph):
            out.say(line)
    if common is not None:
        for line in common_lines(common):
            out.say(line)


def walk_of(search: Search) -> ShownCourse:
    """The instance for a page; InputError where a page cannot have it."""
    walk = ShownCourse(
        name=search.name,
        title=search.profile.title or search.name,
        outcome="unknown",
        reason="not explored so far",
        answers={},
        world=search.instance(search.hosts, search.addresses, search.messages),
        states=(),
    )
    try:
        walk_page(walk, None)
    except ValueError as error:
        raise InputError(
            f"--html: {error}; take fewer hosts, addresses or datagrams, or no fault of a clock"
        ) from error
    return walk


def walk_page(walk: ShownCourse, seen: EngineResult | None) -> str:
    """The page of an instance in which each step is chosen, with what a search has found."""
    if seen is not None:
        verb = "explored" if seen.complete else "cut off: saw"
        said = f"{verb} {seen.states:,} states, {seen.steps:,} steps, depth {seen.depth}"
        walk = replace(walk, outcome=outcome(seen), reason=said)
    lead = (
        "Choose each step: all that the lease table allows is offered. What counts is the first "
        "property below: no address is in use by more than one host."
    )
    return collision_page(f"A small network, step by step: {walk.name}", lead, [], [walk])


def property_rows(seen: EngineResult) -> list[tuple[str, str, Outcome]]:
    """Each property with its sentence, and what the search says of it."""
    unbroken: Outcome = "holds" if seen.complete else "unknown"
    return [
        (p.name, p.says, "violated" if p.name in seen.violations else unbroken)
        for p in (*ALWAYS, *STEPS)
    ]


def instance_options(command: Command) -> Command:
    """A small network: its size, a lease in ticks, its faults."""
    options = [
        click.option(
            "--beside",
            multiple=True,
            metavar="PROFILE",
            shell_complete=profile_names,
            help="Another client: the hosts "
            "have PROFILE and these in turn.  May be given several times.",
        ),
        click.option(
            "--hosts", type=click.IntRange(1, 12), default=2, show_default=True, help="Clients."
        ),
        click.option(
            "--addresses",
            type=click.IntRange(1, 12),
            default=1,
            show_default=True,
            help="Addresses in the server's pool.",
        ),
        click.option(
            "--messages",
            type=click.IntRange(1, 12),
            default=1,
            show_default=True,
            help="Datagrams in flight at once.",
        ),
        click.option(
            "--lease",
            "ticks",
            type=click.IntRange(2, 64),
            default=3,
            show_default=True,
            help="How many ticks a lease of one hour has.",
        ),
        click.option(
            "--delay",
            type=click.IntRange(0, 64),
            default=0,
            show_default=True,
            help="Ticks that a datagram may be in flight.",
        ),
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="FAULT",
            shell_complete=complete_names(lambda: ("none", *FAULTS)),
            default=("mutes",),
            show_default=True,
            help="Only these faults: none, or of "
            + ", ".join(FAULTS)
            + ".  May be given several times.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return assume_option(command)


def small_network(profile: str, given: dict[str, Any]) -> Search:
    """The instance that the options describe; hosts with different clients have names."""
    given["faults"] = () if given["faults"] == ("none",) else known_faults(given["faults"])
    assume = given.pop("assume")
    given["beside"] = tuple(load_whole(name, assume) for name in given["beside"])
    if given["beside"]:
        given["symmetry"] = False
    return Search(load_whole(profile, assume), **given)


@click.command(epilog="Example: holdover explore wfwg311 --hosts 2 --addresses 2 --lease 3")
@click.argument("profile", shell_complete=profile_names)
@instance_options
@memory_option
@click.option(
    "--graph",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the state graph: .graphml, .dot or .svg; a picture of many states has the shortest "
    "run to each property that is broken alone.  Implies --plain.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page to walk through the states, choosing each step: one file, no network.",
)
@click.option(
    "--plain",
    is_flag=True,
    help="Search with the explorer: slower, and shares nothing "
    "with the engine but the lease table.",
)
@click.option(
    "--symmetry/--no-symmetry",
    default=True,
    show_default=True,
    help="Store one state of those that differ in the names of hosts, addresses and "
    "datagrams only; all are counted.",
)
@click.option("--threads", type=click.IntRange(1, 256), help="[default: as many as processors]")
@click.option(
    "--checkpoint",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the search there, and go on with it if it is there.",
)
@click.option(
    "--cluster",
    is_flag=False,
    flag_value=HERE,
    metavar="[ADDRESS]",
    help="Search by the workers of a Dask cluster, each with --memory: that of the "
    "scheduler at ADDRESS, or one of processes of this machine.",
)
@click.option("--workers", type=click.IntRange(1, 16), help="[default: as many as processors]")
@json_option
def explore(
    profile: str, graph: Path | None, html: Path | None, as_json: bool, **given: Any
) -> int:
    """Search every state of a small network.

    Breadth first, so each run shown is a shortest one.  What does not fit into --memory goes to
    disk; what was not seen in the end is called unknown.  The exit status tells whether two hosts
    were seen to hold one address.
    """
    search = small_network(profile, given)
    if graph is not None:
        search = replace(search, plain=True)
        check_graph_file(graph)
    if search.plain:
        search = replace(search, symmetry=False)
    search.check_options()
    walk = None if html is None else walk_of(search)  # before minutes go into the search
    read_off, every = None, None
    with Progress(search.name) as progress:
        progress.say(f"{search.name}: estimating")
        estimate = search.estimate()
        search.refuse_hopeless(estimate)
        progress.expect(estimate, estimate * search.bytes_each)
        if graph is not None:
            explored = search.explored(progress.search, keep_steps=True)
            seen = found_by(explored)
            progress.say(f"{search.name}: networkx reads the graph")
            read_off = agreement(explored, search.memory)
            every = of_search(explored, search.memory)
        else:
            seen = search.run(progress.search, lambda text: click.echo(text, err=True), estimate)
    if walk is not None and html is not None:
        write_file("html", html, walk_page(walk, seen))
    print_exploration(search, seen, as_json, read_off, every)
    if graph is not None:
        write_graph(explored, graph, search.memory)
    disagrees = read_off is not None and read_off.differences
    return EXIT["unknown" if disagrees else outcome(seen)]
