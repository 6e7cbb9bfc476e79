"""What a run of the lab prints and writes: a league table, and JSON.

Theory of operation.  A line is a client with a server, a column is a fault; a cell has the holdover
of its repeats, least, median and greatest, who removed the address, and below it what that says, in
words: no verdict hangs on a colour.  `data` has all of it for programs.

What it does not know: how it was measured.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from rich.text import Text

from holdover.model.seconds import show_offset, show_seconds
from holdover.reference.console.output import UNBOUNDED, Output, colour_outcome, document, grid
from holdover.reference.lab.collision.collision import PlayedCollision
from holdover.reference.lab.experiments.verdict import Verdict, combine_verdicts, is_refusal, spread
from holdover.reference.lab.record.measure import Measurement
from holdover.reference.lab.record.premises import DevicePremises
from holdover.reference.lab.record.sharing import Sharing
from holdover.reference.lab.report.page import VERDICTS
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.process import UnheardError
from holdover.reference.lab.testbed.servers import ServerProgram

COLOUR = {"holds": "green", "late": "red", "wrong": "bold magenta", "unknown": "yellow"}

LONGEST_NAME = 160
"""Characters of the name of a directory: file systems end at 255 bytes."""

Key = tuple[str, str]


def gravest(verdicts: Sequence[Verdict]) -> str:
    """Return the worst verdict among the repeats."""
    return next(says for says in VERDICTS if any(each.says == says for each in verdicts))


def group_repeats(verdicts: Sequence[Verdict]) -> dict[Key, dict[str, list[Verdict]]]:
    """The repeats of each cell: by client and server, then by fault."""
    found: dict[Key, dict[str, list[Verdict]]] = {}
    for each in verdicts:
        cell = each.cell
        row = found.setdefault((cell.client.label, cell.server.label), {})
        row.setdefault(cell.fault.name, []).append(each)
    return found


# For people --------------------------------------------------------------------------------------


def table(verdicts: Sequence[Verdict]) -> None:
    """The league table, and below it what is to be said of single cells."""
    out = Output()
    faults = list(dict.fromkeys(each.cell.fault.name for each in verdicts))
    cells = grid("client", "server", "lease", *faults)
    for (client, server), row in group_repeats(verdicts).items():
        leases = sorted({each.cell.lease for cells in row.values() for each in cells})
        said = [show_cell(row[fault]) if fault in row else Text("-") for fault in faults]
        cells.add_row(client, server, "/".join(f"{lease} s" for lease in leases), *said)
    out.print(cells)
    out.say(
        "\nSeconds that the address was held after the server's lease end; negative: early; "
        "forever: as long as it was watched.  NAK: seconds after a DHCPNAK.  Both: seconds for "
        "which two hosts had it."
    )
    for line in (*held_to(verdicts), *remarks(verdicts)):
        out.say(line)
    for client in dict.fromkeys(each.cell.client.label for each in verdicts):
        mine = [each for each in verdicts if each.cell.client.label == client]
        out.say(Text(f"{client}: ") + colour_outcome(combine_verdicts(mine)))


def show_cell(cells: Sequence[Verdict]) -> Text:
    """A cell of the table: its figures, and below them the gravest verdict of its repeats."""
    says, figures = gravest(cells), show_figures(cells)
    words = worst_words(cells)
    return figures if figures.plain == words else figures + Text(f"\n{words}", style=COLOUR[says])


def worst_words(cells: Sequence[Verdict]) -> str:
    """The gravest verdict of the repeats, and how grave it is at worst."""
    says = gravest(cells)
    return max((each for each in cells if each.says == says), key=lambda each: each.late_by).words


def show_figures(cells: Sequence[Verdict]) -> Text:
    """The spread of the repeats, and who removed the address."""
    says = gravest(cells)
    if shared := [each.shared.shared for each in cells if each.shared is not None]:
        return Text(f"both {show_seconds(max(shared))}", style=COLOUR[says])
    figures = spread(cells)
    if figures is None:
        return Text("unknown", style=COLOUR["unknown"])
    numbers = dict.fromkeys(map(show_offset, figures))
    if is_refusal(cells[0].cell.fault):
        after = [each.measured.after_nak for each in cells if each.measured is not None]
        known = [value for value in after if value is not None]
        numbers = dict.fromkeys([f"NAK {show_offset(max(known))}"] if known else ["no NAK"])
    by = {each.measured.enforcer for each in cells if each.measured is not None} - {""}
    return Text(" / ".join(numbers) + f" {'/'.join(sorted(by))}".rstrip(), style=COLOUR[says])


def held_to(verdicts: Sequence[Verdict]) -> Iterator[Text]:
    """What a client is held to where the model has no word for the fault."""
    for fault in dict.fromkeys(each.cell.fault for each in verdicts):
        if fault.unmodelled:
            yield Text(f"{fault.name}: ", style="bold") + fault.unmodelled


def remarks(verdicts: Sequence[Verdict]) -> Iterator[Text]:
    """What a table has no room for: the wrong, the unknown, and two hosts with one address."""
    for says in ("wrong", "unknown"):
        for each in verdicts:
            if each.says == says:
                yield Text(f"{says}: ", style=COLOUR[says]) + f"{name_cell(each)}: {each.reason}"
    for each in verdicts:
        seen = each.measured
        if seen is not None and seen.displaced is not None:
            at_most = "" if each.kept is None else f"; predicted: at most {show_offset(each.kept)}"
            yield Text("given away: ", style="bold") + (
                f"{name_cell(each)}: kept for {show_offset(seen.displaced)}{at_most}"
            )
        if seen is not None and each.cell.fault.another and seen.replaced is not None:
            yield Text("another address: ", style="bold") + f"{name_cell(each)}: {tell_move(seen)}"
        if seen is not None and each.cell.fault.first is not None:
            asked = "not" if seen.asked is None else f"{show_seconds(seen.asked)} later"
            yield Text("asked again: ", style="bold") + f"{name_cell(each)}: {asked}"
        if seen is not None and seen.released:
            yield Text("released: ", style="bold") + f"{name_cell(each)}: its lease was given back"
        if seen is not None and seen.duplicate > 0:
            yield tell_two_hosts(each, seen.duplicate, seen.answered)
        if each.shared is not None and each.shared.shared > 0:
            yield tell_two_hosts(each, each.shared.shared, each.shared.answered)


def tell_move(seen: Measurement) -> str:
    """What a client did with another address that it was granted."""
    assert seen.replaced is not None
    moved = "taken" if seen.next_address is not None else "not taken"
    kept = "to the end" if seen.replaced == math.inf else f"for {show_seconds(seen.replaced)} more"
    return f"{moved}; it had the old one {kept}"


def print_premises(verdicts: Sequence[Verdict], stand: Sequence[DevicePremises | None]) -> None:
    """On what each verdict about a device stands, and how exact its figure is."""
    out = Output()
    for each, premises in zip(verdicts, stand, strict=True):
        if premises is None:
            continue
        out.say(f"{name_cell(each)}:")
        if (seen := each.measured) is not None and seen.holdover != math.inf:
            out.say(
                f"  it had the address until {show_seconds(abs(seen.holdover))} "
                f"{'after' if seen.holdover > 0 else 'before'} the lease end, or up to "
                f"{show_seconds(seen.uncertainty)} less, as far as the wire tells"
            )
        for sentence in premises.sentences():
            out.say(f"  {sentence}")


def tell_two_hosts(each: Verdict, shared: float, answered: int) -> Text:
    """For how long two hosts had the address."""
    both = "both answered ARP" if answered > 1 else f"{answered} answered ARP"
    most = each.shared_for
    at_most = "" if most is None or most == math.inf else f"; predicted: {show_seconds(most)}"
    return Text("two hosts: ", style=COLOUR["late"]) + (
        f"{name_cell(each)}: {show_seconds(shared)}; {both}{at_most}"
    )


def name_cell(each: Verdict) -> str:
    """A cell in a line."""
    cell = each.cell
    return f"{cell.client.label}, {cell.server.label}, {cell.fault.name}, run {cell.repeat}"


def slug(each: Verdict) -> str:
    """The same as the name of a directory; of a long one the ends, and a digest between them."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", name_cell(each)).strip("-").lower()
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    half = (LONGEST_NAME - len(digest)) // 2 - 1
    return f"{name[:half]}-{digest}-{name[-half:]}"


def print_replay(replays: Sequence[PlayedCollision], as_json: bool) -> None:
    """What became of the model's collision on a real kernel; of a second client, beside it."""
    if as_json:
        first, *others = map(replay_data, replays)
        document("lab-replay", {**first, "beside": others})
        return
    out = Output()
    for played in replays:
        plan, seen = played.plan, played.seen
        name = Text(f"{plan.profile.name}, on a real kernel: ", style="bold")
        out.say(name + colour_outcome(seen.outcome))
        out.say(f"  {seen.reason}")
        if plan.made_to_stay:
            out.say("  played: what server and second host do where the client stays")
        if played.as_predicted is None:
            out.say("  that tells nothing of the model")
        else:
            word = "as the model says" if played.as_predicted else "THE MODEL SAYS OTHERWISE"
            out.say(f"  {word}: {plan.outcome}")


def replay_data(played: PlayedCollision) -> dict[str, object]:
    """A replay for programs."""
    plan, seen = played.plan, played.seen
    return {
        "profile": plan.profile.name,
        "predicted_outcome": plan.outcome,
        "outcome": seen.outcome,
        "reason": seen.reason,
        "answered": list(seen.answered),
        "duplicate": seen.duplicate,
        "steps": len(plan.steps),
        "as_predicted": played.as_predicted,
    }


# For programs ------------------------------------------------------------------------------------


def data(verdicts: Sequence[Verdict], conditions: Mapping[str, str]) -> dict[str, Any]:
    """Conditions, outcome and cells; where a number is infinite, it is "unbounded"."""
    return {
        "outcome": combine_verdicts(verdicts),
        "conditions": dict(conditions),
        "cells": [cell_data(each) for each in verdicts],
    }


def device_data(
    verdicts: Sequence[Verdict],
    stand: Sequence[DevicePremises | None],
    conditions: Mapping[str, str],
) -> dict[str, Any]:
    """The same of a device, and on what each cell stands."""
    premises = [None if each is None else asdict(each) for each in stand]
    return {**data(verdicts, conditions), "premises": premises}


def cell_data(each: Verdict) -> dict[str, Any]:
    """A cell: what was played, seen, predicted and said."""
    cell, seen = each.cell, each.measured
    found: dict[str, Any] = {
        "client": cell.client.name,
        "root": None if cell.client.root is None else cell.client.root.name,
        "client_version": version_of(cell.client),
        "command": cell.client.command,
        "server": cell.server.label,
        "fault": cell.fault.name,
        "lease": cell.lease,
        "repeat": cell.repeat,
        "rival": None if cell.rival is None else cell.rival.name,
        "outcome": combine_verdicts([each]),
        "as_predicted": as_predicted(each),
        "reason": each.reason,
        "severity": each.severity,
    }
    if each.shared is not None:
        return found | shared_data(each.shared, each.shared_for)
    found |= {"predicted": number(each.worst), "predicted_displaced": number(each.kept)}
    if seen is not None:
        found |= {
            "address": str(seen.address),
            "measured_lease": seen.lease,
            "holdover": number(seen.holdover),
            "at_least": seen.at_least,
            "uncertainty": seen.uncertainty,
            "removed_by": seen.enforcer,
            "after_nak": number(seen.after_nak),
            "duplicate": seen.duplicate,
            "answered": seen.answered,
            "locked": seen.locked,
            "kept": seen.kept,
            "displaced": number(seen.displaced),
            "released": seen.released,
            "replaced": number(seen.replaced),
            "next_address": None if seen.next_address is None else str(seen.next_address),
            "asked": seen.asked,
        }
    return found


@cache
def version_of(program: ClientProgram | ServerProgram) -> str:
    """What a program says of itself, or its package; "": nothing, or it is not here."""
    try:
        return "" if program.missing() else program.version()
    except (UnheardError, OSError):
        return ""


def shared_data(seen: Sharing, predicted: float | None) -> dict[str, Any]:
    """What was seen of two hosts with one address."""
    return {
        "predicted_shared": number(predicted),
        "address": str(seen.address),
        "shared": number(seen.shared),
        "total": seen.total,
        "spells": seen.spells,
        "at_end": seen.at_end,
        "answered": seen.answered,
        "told": seen.told,
        "offered": seen.offered,
        "granted": seen.granted,
        "declined": seen.declined,
    }


def as_predicted(each: Verdict) -> bool | None:
    """Whether the client does what its profile allows; None: it has none, or nothing is known."""
    if each.says == "wrong":
        return False
    nothing = each.worst is None and each.shared_for is None
    return None if each.says == "unknown" or nothing else True


def number(value: float | None) -> float | str | None:
    """A number that JSON has."""
    return UNBOUNDED if value == math.inf else value
