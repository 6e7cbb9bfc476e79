"""What the documentation shows of situations: each with its verdict, its run, and what cures it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from holdover.model.clients.situations import list_unexpressed, situations
from holdover.model.explorer.sequence_chart import sentences
from holdover.proofs.verdicts.in_situation import SituationVerdict, judge_situation
from holdover.reference.commands.situations import client_of, configure, cures_of, happens, worst_of
from holdover.reference.docs.markdown import block, code, table
from holdover.reference.docs.proof_pages import afresh


@cache
def verdicts() -> tuple[SituationVerdict, ...]:
    """All of them, made in a process of their own, for times are a solver's choice."""
    return afresh(_judge_all)


def _judge_all() -> tuple[SituationVerdict, ...]:
    return tuple(map(judge_situation, situations()))


def overview() -> str:
    """How many there are, and a line each."""
    rows = [
        [
            f"[{each.situation.name}](#{each.situation.name})",
            each.situation.says,
            f"{each.situation.harm}: {each.outcome}",
            worst_of(each) if each.exclusive else "",
            cures_of(each) if each.exclusive else "",
        ]
        for each in verdicts()
    ]
    head = ["situation", "what happens", "verdict", "longest", "cured, by proof"]
    return f"{sum_up()}\n\n{table(head, rows)}"


def sections() -> str:
    """A section each."""
    return "\n".join(map(section, verdicts()))


def section(found: SituationVerdict) -> str:
    """One situation: the client, what is at stake, a run, what to configure, and the reports."""
    each = found.situation
    lines = [
        f"### {each.name}\n",
        f"{sentence(each.says)} The client: {client_of(each)}; {happens(each)}.\n",
        f"At stake: {found.says} ({code(each.harm)}). **{found.outcome.capitalize()}**: "
        f"{found.reason}.\n",
    ]
    if found.run:
        lines += [block(sentences(found.run, found.unit)), ""]
    advice = configure(each)
    if advice:
        lines.append(table(["where", "what to do"], [[where, what] for where, what in advice]))
    lines.append(f"Reported: {'; '.join(each.reports)}.\n")
    return "\n".join(lines)


def sentence(words: str) -> str:
    """Words that begin and end as a sentence."""
    return f"{words[0].upper()}{words[1:]}."


def not_expressed() -> str:
    """What no situation says."""
    rows = [["; ".join(each.reports), each.why] for each in list_unexpressed()]
    return table(["reports", "why"], rows)


def sum_up() -> str:
    """How many there are."""
    expressed = sum(len(each.reports) for each in situations())
    others = sum(len(each.reports) for each in list_unexpressed())
    return (
        f"{len(situations())} situations stand for {expressed} of {expressed + others} kinds of "
        f"public report; {others} are [not expressed](#not-expressed)."
    )


GENERATORS: Mapping[str, Callable[[], str]] = {"situations-left": not_expressed}

HEAVY: Mapping[str, Callable[[], str]] = {"situations": overview, "situations-told": sections}
"""They judge each situation."""
