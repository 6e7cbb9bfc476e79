"""What `explain` says besides the run: in sentences, for programs, and as paragraphs of the page.

What it does not know: how any of it is found out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdover.model.clients.profile import toml_value
from holdover.model.explorer.sequence_chart import sentences
from holdover.model.readings.finite import name_of
from holdover.model.seconds import show_number, show_seconds
from holdover.model.table.vocabulary import HOST
from holdover.proofs.verdicts.changes import BoundPart, ProfileChange
from holdover.proofs.verdicts.judge import Judgement
from holdover.reference.explanation.comparison import (
    FollowingClient,
    SameSchedule,
    differences,
    effect_of,
    keeps,
    leaves_open,
)
from holdover.reference.explanation.page import Paragraph


def run_lines(found: SameSchedule) -> list[str]:
    """The run, a numbered line a step, with the turning point where it is."""
    source = found.source
    lines = sentences(source.run, source.unit)
    if found.turning is None:
        return lines
    before = sum(
        each.action.name != "tick"
        for column in found.course.columns[: found.turning.column + 1]
        for each in column.happened
    )
    at = show_number(found.turning.at)
    return [*lines[:before], f"  → {at} {source.unit}  {found.turning.says}", *lines[before:]]


def bound_line(parts: Sequence[BoundPart], found: Judgement) -> str:
    """The parts of the worst holdover; empty where there are none."""
    if not parts or found.worst is None:
        return ""
    said = " + ".join(f"{part.name} {show_seconds(part.seconds)}" for part in parts)
    return f"worst holdover {show_seconds(found.worst)} = {said.replace('+ −', '− ')}"


def change_lines(changes: Sequence[ProfileChange]) -> list[str]:
    """The smallest changes with which the client holds."""
    return [
        " and ".join(
            f"{name} = {toml_value(value)} (is {toml_value(change.before[name])})"
            for name, value in change.facts.items()
        )
        + f": {change.judgement.outcome}, {change.judgement.reason}"
        for change in changes
    ]


def follower_lines(found: SameSchedule, follower: FollowingClient) -> Iterator[str]:
    """How a client lives the run of another one."""
    name = follower.judgement.profile.name
    host = name_of(HOST, 0 if found.turning is None else found.turning.host)
    kept = keeps(follower.course, 0 if found.turning is None else found.turning.host)
    if follower.lets_go is not None:
        at, row = show_number(follower.lets_go.at), follower.lets_go.action
        yield f"{at} s: {follower.lets_go.says}; with that {host} lets go of the address"
        yield f"the row that does it: {row.name} ({row.source}): {effect_of(follower.lets_go)}"
    elif kept:
        yield f"{host} still holds the address at the end"
    else:
        yield f"{host} never holds the address"
    yield from differences(follower.course)
    if follower.course.stopped:
        yield f"the run was followed no further: {follower.course.stopped}"
    elif follower.collides:
        yield f"it fares as badly: {name} collides in this schedule too"
    elif follower.given_away:
        yield "no collision, but the server gave an address away while it was still held:"
        yield "a host that probes finds that out, and one that does not would use it"
    elif leaves_open(follower.course):
        yield "no collision so far; two hosts want one address, and what comes next decides"
    else:
        yield f"no collision: the schedule that undoes {found.source.profile.name} is harmless here"


def follower_heading(found: SameSchedule, follower: FollowingClient) -> str:
    """What the lines about a follower are of."""
    return f"The same schedule with {follower.judgement.profile.name}"


def run_heading(found: SameSchedule) -> str:
    """Whose run it is, where it is not the client's own."""
    source = found.source
    if found.without:
        return f"The run that its guard prevents ({found.without}): {source.reason}"
    return f"The run of {source.profile.name}: {source.reason}"


def page_paragraphs(
    found: SameSchedule,
    parts: Sequence[BoundPart],
    changes: Sequence[ProfileChange],
    asked: Judgement,
) -> list[Paragraph]:
    """What the page says below the lanes."""
    source = found.source
    why = (
        []
        if found.turning is None
        else [f"{show_number(found.turning.at)} s: {found.turning.says}"]
    )
    why += [f"Cause: {cause.says} ({cause.constant})." for cause in source.causes]
    paragraphs = [Paragraph(f"Why {source.profile.name} collides", why)] if why else []
    for follower in found.followers:
        lines = list(follower_lines(found, follower))
        paragraphs.append(Paragraph(follower_heading(found, follower), lines))
    if line := bound_line(parts, asked):
        paragraphs.append(Paragraph(f"The bound of {asked.profile.name}", [line]))
    if changes:
        heading = f"The smallest changes with which {asked.profile.name} holds"
        paragraphs.append(Paragraph(heading, change_lines(changes)))
    if asked.profile.sources:
        paragraphs.append(Paragraph("Sources", asked.profile.sources))
    return paragraphs


# For programs ------------------------------------------------------------------------------------


def explanation_data(
    found: SameSchedule | None, parts: Sequence[BoundPart], changes: Sequence[ProfileChange]
) -> dict[str, object]:
    """The same for programs."""
    turning = None if found is None or found.turning is None else found.turning
    return {
        "turning_point": None
        if turning is None
        else {"at": float(turning.at), "host": name_of(HOST, turning.host), "says": turning.says},
        "bound_parts": [{"name": each.name, "seconds": float(each.seconds)} for each in parts],
        "smallest_changes": [change_data(each) for each in changes],
        "same_schedule": []
        if found is None
        else [follower_data(found, each) for each in found.followers],
    }


def change_data(change: ProfileChange) -> dict[str, object]:
    """A change of the profile."""
    return {
        "facts": [
            {"fact": name, "before": toml_value(change.before[name]), "value": toml_value(value)}
            for name, value in change.facts.items()
        ],
        "outcome": change.judgement.outcome,
        "reason": change.judgement.reason,
    }


def follower_data(found: SameSchedule, follower: FollowingClient) -> dict[str, object]:
    """How a client lives the run of another one."""
    let_go = follower.lets_go
    return {
        "profile": follower.judgement.profile.name,
        "run_of": found.source.profile.name,
        "without": found.without,
        "collides": follower.collides,
        "given_away": follower.given_away,
        "lets_go": None
        if let_go is None
        else {
            "at": float(let_go.at),
            "row": let_go.action.name,
            "source": let_go.action.source,
            "says": let_go.says,
            "effect": effect_of(let_go),
        },
        "differs": differences(follower.course),
        "stopped": follower.course.stopped,
    }
