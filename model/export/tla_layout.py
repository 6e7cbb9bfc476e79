"""A TLA+ module as lines: how formulas are broken, definitions and remarks laid out."""

from __future__ import annotations

import re
import textwrap

from holdover.model.export.tla_terms import text, within
from holdover.model.readings.prose import IMPLIES, Phrase

WIDTH = 100


def comment(said: str, indent: str = "") -> list[str]:
    """A remark in lines that are not too long."""
    head = indent + "\\* "
    return textwrap.wrap(" ".join(said.split()), WIDTH, initial_indent=head, subsequent_indent=head)


def break_lines(line: str, indent: str) -> list[str]:
    """A conjunct in lines that are not too long, each but the first ending in an operator.

    No line begins with a junction: TLA+ would take it for one more conjunct.
    """
    glued = re.sub(r"(?<!/\\)(?<!\\/)(?<!=>)(?<!==)(?<![:,]) (?!THEN|ELSE)", "\x00", line)
    glued = re.sub(r"^(\S\S) ", "\\1\x00", glued)  # a bullet and what follows it
    lines = textwrap.wrap(
        glued,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + " " * 7,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part.replace("\x00", " ") for part in lines]


def laid(phrase: Phrase, indent: str) -> list[str]:
    """A formula in lines that are not too long: junctions as lists, as TLA+ is written by hand."""
    line = indent + text(phrase)
    if len(line) <= WIDTH:
        return [line]
    deeper = indent + " " * 4
    if phrase.op in ("and", "or"):
        bullet = "/\\ " if phrase.op == "and" else "\\/ "
        lines = []
        for part in phrase.parts:
            first, *more = laid(part, indent + " " * len(bullet))
            lines += [indent + bullet + first.lstrip(), *more]
        return lines
    if phrase.op in ("every", "some"):
        head, _, _ = text(phrase).partition(" : ")
        while (inner := phrase.parts[1]).op == phrase.op:
            phrase = inner
        return [f"{indent}{head} :", *laid(inner, deeper)]
    if phrase.op == "implies":
        left, right = phrase.parts
        return [*break_lines(within(left, IMPLIES) + " =>", indent), *laid(right, deeper)]
    return break_lines(text(phrase), indent)


def define(head: str, body: Phrase) -> list[str]:
    """An operator, on one line if it fits."""
    line = f"{head} == {text(body)}"
    return [line] if len(line) <= WIDTH else [f"{head} ==", *laid(body, "    ")]


def section(title: str) -> list[str]:
    """A line across the module, with a heading."""
    return ["", "-" * WIDTH, f"\\* {title}.", ""]
