"""`holdover explain`: a collision told, or a journal held to the lease table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.text import Text

from holdover.model.clients.profile import builtin_names, load
from holdover.model.errors import InputError
from holdover.model.explorer.sequence_chart import chart, sentences
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
from holdover.reference.console.output import Output, colour_outcome, document
from holdover.reference.console.progress import Progress
from holdover.reference.console.surroundings import surroundings, world_options
from holdover.reference.linux.storage.journal import read
from holdover.reference.validation.calls import calls
from holdover.reference.validation.follower import replay
from holdover.reference.validation.report import print_journal


def print_explanation(found: Judgement, common: Common | None, as_json: bool) -> None:
    """A collision in sentences and as a chart, and what every collision has in common."""
    if as_json:
        sources = list(found.profile.sources)
        document("explain", {"judgement": judgement_data(found, common), "sources": sources})
        return
    out = Output()
    name = found.profile.name
    out.say(Text(f"{found.profile.title or name}: ", style="bold") + colour_outcome(found.outcome))
    for source in found.profile.sources:
        out.say(f"  {source}")
    if not found.run:
        out.say(f"\nNothing to explain: {found.reason}.")
        for line in unstated_lines(found.profile, found.hangs_on, HOLDS, TOO_SHORT):
            out.say(f"  {line}")
        return
    out.say()
    for line in (*sentences(found.run, found.unit), *cause_lines(found.causes)):
        out.say(line)
    out.say()
    for line in chart(found.run, found.unit):
        out.console.print(line, soft_wrap=True)
    out.say("\n║ the host holds the address   │ it does not")
    if common is not None:
        out.say()
        for line in common_lines(common):
            out.say(line)


@click.command(epilog="Example: holdover explain wfwg311")
@click.argument("subject", metavar="PROFILE|JOURNAL", shell_complete=profile_names)
@assume_option
@world_options
@json_option
def explain(subject: str, assume: str | None, as_json: bool, **given: Any) -> int:
    """Tell a client's shortest collision, or judge a journal.

    PROFILE: in sentences and as a sequence chart.  JOURNAL, what `holdover client --journal` wrote:
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
    with Progress(client.name) as progress:
        found = judge(client, surroundings(given), progress=progress.say, searched=progress.search)
        progress.say(f"{client.name}: asking networkx what every collision has in common")
        every = of_judgement(found, EXPLAINED)
    print_explanation(found, every, as_json)
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
