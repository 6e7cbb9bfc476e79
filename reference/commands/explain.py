"""`holdover explain`: a collision told and shown, or a journal held to the lease table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.text import Text

from holdover.model.clients.profile import Profile, builtin_names, load
from holdover.model.errors import InputError
from holdover.model.explorer.sequence_chart import chart
from holdover.model.export.mermaid import mermaid
from holdover.proofs.verdicts.changes import (
    BoundPart,
    ProfileChange,
    parts_of_bound,
    smallest_changes,
)
from holdover.proofs.verdicts.judge import Judgement, judge
from holdover.reference.commands.state_graph import EXPLAINED, Common, common_lines, of_judgement
from holdover.reference.commands.verify import cause_lines, judgement_data
from holdover.reference.console.assumed import (
    HOLDS,
    TOO_SHORT,
    assume_option,
    assuming,
    unstated_lines,
)
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import json_option, profile_names
from holdover.reference.console.output import Output, colour_outcome, document, write_file
from holdover.reference.console.progress import Progress
from holdover.reference.console.surroundings import surroundings, world_options
from holdover.reference.explanation.comparison import SameSchedule, compare
from holdover.reference.explanation.lanes import picture
from holdover.reference.explanation.page import collision_page, sizes_of
from holdover.reference.explanation.page_data import page_data
from holdover.reference.explanation.raster import png_of
from holdover.reference.explanation.said import (
    bound_line,
    change_lines,
    explanation_data,
    follower_heading,
    follower_lines,
    page_paragraphs,
    run_heading,
    run_lines,
)
from holdover.reference.linux.storage.journal import read
from holdover.reference.validation.calls import calls
from holdover.reference.validation.follower import replay
from holdover.reference.validation.report import print_journal


@dataclass(frozen=True)
class Explanation:
    """A verdict with all that explains it."""

    found: Judgement
    common: Common | None
    compared: SameSchedule | None
    parts: tuple[BoundPart, ...]
    changes: Sequence[ProfileChange]


def print_explanation(told: Explanation, as_json: bool) -> None:
    """A collision in sentences and as a chart, and what every collision has in common."""
    found, compared = told.found, told.compared
    if as_json:
        more = explanation_data(compared, told.parts, told.changes)
        sources = list(found.profile.sources)
        data = {"judgement": judgement_data(found, told.common), "sources": sources, **more}
        document("explain", data)
        return
    out = Output()
    name = found.profile.name
    out.say(Text(f"{found.profile.title or name}: ", style="bold") + colour_outcome(found.outcome))
    for source in found.profile.sources:
        out.say(f"  {source}")
    if not found.run:
        out.say(f"\n{found.outcome}: {found.reason}.")
        for line in unstated_lines(found.profile, found.hangs_on, HOLDS, TOO_SHORT):
            out.say(f"  {line}")
    if compared is None:
        out.say("There is no run to show.")
    else:
        print_run(out, told, compared)
    if line := bound_line(told.parts, found):
        out.say(f"\n{line}")
    if told.changes:
        out.say(f"\nThe smallest changes with which {name} holds:")
        for line in change_lines(told.changes):
            out.say(f"  {line}")
    if told.common is not None:
        out.say()
        for line in common_lines(told.common):
            out.say(line)


def print_run(out: Output, told: Explanation, compared: SameSchedule) -> None:
    """The run, its turning point and its chart; and how the others live it."""
    source = compared.source
    out.say()
    if source is not told.found:
        out.say(run_heading(compared))
    for line in (*run_lines(compared), *cause_lines(source.causes)):
        out.say(line)
    out.say()
    for line in chart(source.run, source.unit):
        out.console.print(line, soft_wrap=True)
    out.say("\n║ the host holds the address   │ it does not")
    for follower in compared.followers:
        out.say(f"\n{follower_heading(compared, follower)}:")
        for line in follower_lines(compared, follower):
            out.say(f"  {line}")


def page_of(told: Explanation, compared: SameSchedule) -> str:
    """The page of the run; ValueError where it is too large."""
    shown = compared.shown()
    names = " beside ".join(each.name for each in shown)
    title = f"Two hosts, one address: {names}"
    answerable = any(each.answers for each in shown)
    ask = "Step through it" + (", and answer the notice of h1, or do not." if answerable else ".")
    lead = f"{run_heading(compared)}. {ask}"
    paragraphs = page_paragraphs(compared, told.parts, told.changes, told.found)
    return collision_page(title, lead, paragraphs, shown)


def svg_of(compared: SameSchedule) -> str:
    """The lanes of the run, and of who follows it, as a picture."""
    shown = compared.shown()
    return picture(page_data(shown, sizes_of(shown[0])))


def write_files(told: Explanation, files: Mapping[str, Path | None]) -> None:
    """The files that are asked for; InputError where there is no run, or one cannot be written."""
    compared = told.compared
    for option, path in files.items():
        if path is None:
            continue
        if compared is None:
            name = told.found.profile.name
            raise InputError(f"--{option}: {name}: there is no run to show ({told.found.reason})")
        text: str | bytes
        try:
            if option == "html":
                text = page_of(told, compared)
            elif option == "svg":
                text = svg_of(compared)
            elif option == "png":
                text = png_of(svg_of(compared))
            else:
                text = mermaid(compared.source.run, compared.source.unit)
        except ValueError as error:
            raise InputError(f"--{option}: {error}") from error
        write_file(option, path, text)


@click.command(epilog="Example: holdover explain wfwg311")
@click.argument("subject", metavar="PROFILE|JOURNAL", shell_complete=profile_names)
@click.option(
    "--beside",
    metavar="PROFILE",
    shell_complete=profile_names,
    help="Another client in the same schedule: a fix beside the bug.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page to step through the run: one file, which needs no network.",
)
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the lanes of the run as a picture, light or dark as its reader has it.",
)
@click.option(
    "--png",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the same picture as PNG, for slides; Chromium or Chrome draws it.",
)
@click.option(
    "--mermaid",
    "diagram",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the run as a sequence diagram of Mermaid.",
)
@assume_option
@world_options
@json_option
def explain(
    subject: str,
    beside: str | None,
    html: Path | None,
    svg: Path | None,
    png: Path | None,
    diagram: Path | None,
    assume: str | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Tell a client's shortest collision, or judge a journal.

    PROFILE: in sentences and as a sequence chart; of a client that holds, the run that its guard
    prevents.  JOURNAL, what `holdover client --journal` wrote:
    each call of the client against the lease table; up to which line it conforms, and the guard
    that blocked.  A file is a journal, unless its name ends in .toml.
    """
    path = Path(subject)
    if subject not in builtin_names() and path.suffix != ".toml" and path.exists():
        no_world_given(subject)
        check_journal(path)
        with Progress(subject) as progress:
            parts = list(calls(read(path)))
            seen = replay(parts, lambda done, of: progress.count(done, of, "replay"))
        print_journal(path, seen, as_json)
        return EXIT[seen.outcome]
    client = assuming(load(subject), assume)
    other = None if beside is None else assuming(load(beside), assume)
    world = surroundings(given)
    with Progress(client.name) as progress:

        def judged(each: Profile) -> Judgement:
            return judge(each, world, progress=progress.say, searched=progress.search)

        found = judged(client)
        second = None if other is None else judged(other)
        progress.say(f"{client.name}: asking networkx what every collision has in common")
        every = of_judgement(found, EXPLAINED)
        progress.say(f"{client.name}: looking for the smallest changes with which it holds")
        told = Explanation(
            found,
            every,
            compare(found, second),
            parts_of_bound(client, world),
            smallest_changes(client, world),
        )
    write_files(told, {"html": html, "svg": svg, "png": png, "mermaid": diagram})
    print_explanation(told, as_json)
    return EXIT[found.outcome]


def check_journal(path: Path) -> None:
    """InputError for a file that is none: each line of a journal is a JSON object."""
    with path.open("rb") as file:
        begin = file.read(1)
    if begin not in (b"", b"{"):
        raise InputError(
            f"{path}: no journal, which is what `holdover client --journal` wrote; the name of a "
            "profile's file ends in .toml"
        )


def no_world_given(subject: str) -> None:
    """A journal tells its own constants, and where it was: no option does."""
    context = click.get_current_context()
    for param in context.command.params:
        given = context.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        if given and param.name not in ("subject", "as_json"):
            raise InputError(
                f"{param.opts[0]} is of a profile, and {subject} is a journal: leave it"
            )
