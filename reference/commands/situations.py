"""`holdover situations`: what people report, and what is proved of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.text import Text

from holdover.model.clients.situations import Situation, find_situation, list_unexpressed
from holdover.model.clients.situations import situations as known
from holdover.model.explorer.sequence_chart import as_data, sentences
from holdover.model.seconds import show_seconds
from holdover.reference.console.exit import EXIT
from holdover.reference.console.options import complete_names, json_option
from holdover.reference.console.output import (
    Output,
    at_most,
    colour_outcome,
    document,
    grid,
    number,
)
from holdover.reference.console.progress import Progress
from holdover.reference.console.surroundings import situation_names

if TYPE_CHECKING:  # who asks for the list waits for no solver
    from holdover.proofs.verdicts.in_situation import SituationVerdict


def print_situations(as_json: bool) -> None:
    """Each with its sentence; and what nothing here says yet."""
    if as_json:
        document(
            "situations",
            {
                "situations": [
                    {"name": each.name, "says": each.says, "reports": list(each.reports)}
                    for each in known()
                ],
                "not_expressed": [
                    {"reports": list(each.reports), "why": each.why} for each in list_unexpressed()
                ],
            },
        )
        return
    table = grid("name", "what happens", "reports")
    for each in known():
        table.add_row(each.name, each.says, Text(str(len(each.reports)), justify="right"))
    out = Output()
    out.print(table)
    out.say("\nNot expressed:")
    for left in list_unexpressed():
        out.say(f"  {left.why} ({len(left.reports)} of the reports)")
    out.say("\nOne of them, judged and told: holdover situations NAME")


def print_verdict(found: SituationVerdict, as_json: bool) -> None:
    """The verdict, the shortest run, the cures, and the reports."""
    situation = found.situation
    if as_json:
        document("situation", situation_data(found))
        return
    out = Output()
    title = Text(f"{situation.name}: ", style="bold")
    out.say(title + Text(situation.says))
    out.say(f"  the client: {client_of(situation)}; {happens(situation)}")
    out.say(Text(f"  {found.says}: ") + colour_outcome(found.outcome) + Text(f" - {found.reason}"))
    if found.exclusive:
        out.say(f"  worst holdover: {worst_of(found)}")
    for line in sentences(found.run, found.unit) if found.run else ():
        out.say(f"  {line}")
    if found.exclusive:
        out.say(f"  cured, by proof: {cures_of(found)}")
    for where, what in configure(situation):
        out.say(f"  {where}: {what}")
    out.say("  reported:")
    for report in situation.reports:
        out.say(f"    {report}")


def client_of(situation: Situation) -> str:
    """The client in words."""
    facts = ", ".join(f"{name} = {str(value).lower()}" for name, value in situation.facts.items())
    return f"{situation.client} with {facts}" if facts else situation.client


def happens(situation: Situation) -> str:
    """What goes wrong besides the usual."""
    faults = ", ".join(situation.faults)
    grace = f", a grace of {show_seconds(situation.grace)}" if situation.grace else ""
    return (f"faults besides the usual: {faults}" if faults else "the usual faults") + grace


def worst_of(found: SituationVerdict) -> str:
    """How long a host outstays its lease at most, in words."""
    if found.worst is not None:
        return show_seconds(at_most(found.worst))
    kept = found.kept
    if kept is None:
        return "no bound"
    return f"{show_seconds(at_most(kept))} after the server has given the address away"


def cures_of(found: SituationVerdict) -> str:
    """What is proved to cure, in words."""
    if found.outcome == "holds":
        return "nothing is to be cured"
    sets = [" + ".join(chosen) for chosen in found.cures]
    if found.probing:
        sets.append("a probe by every client")
    return " or ".join(sets) or "by nothing that is known here"


def configure(situation: Situation) -> list[tuple[str, str]]:
    """Where to do what against it."""
    client = [("on the client", situation.on_client)] if situation.on_client else []
    return [*client, *((f"on {server}", what) for server, what in situation.on_server.items())]


def situation_data(found: SituationVerdict) -> dict[str, object]:
    """The same for programs."""
    situation = found.situation
    return {
        "name": situation.name,
        "says": situation.says,
        "client": client_of(situation),
        "faults": list(situation.faults),
        "property": situation.harm,
        "outcome": found.outcome,
        "reason": found.reason,
        "worst_holdover": number(at_most, found.worst) if found.exclusive else None,
        "kept_when_given_away": number(at_most, found.kept) if found.exclusive else None,
        "in_use_by_two": number(at_most, found.shared) if found.exclusive else None,
        "smallest_cures": [list(chosen) for chosen in found.cures],
        "cured_by_probing": found.probing,
        "run": list(as_data(found.run, found.unit)),
        "configure": [{"where": where, "what": what} for where, what in configure(situation)],
        "reports": list(situation.reports),
    }


@click.command(epilog="Example: holdover situations clones")
@click.argument("name", required=False, shell_complete=complete_names(situation_names))
@json_option
def situations(name: str | None, as_json: bool) -> int:
    """List what people report, or judge one situation.

    In each an address was held twice, overstayed or lost: it has a client, what goes wrong, and the
    public reports that it stands for.  With a name, it is judged: what is at stake, a shortest run,
    what is proved to cure it, and what to configure.  Exit status 0 if the property holds there, 1
    if it is violated, 3 if unknown.

    To judge a client of your own in a situation: `holdover verify my.toml --situation NAME`.
    """
    if name is None:
        print_situations(as_json)
        return EXIT["holds"]
    situation = find_situation(name)
    from holdover.proofs.verdicts.in_situation import judge_situation

    with Progress(situation.name) as progress:
        found = judge_situation(situation, progress.say)
    print_verdict(found, as_json)
    return EXIT[found.outcome]
