"""Standard output: text for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdover.model.inputs import printable

COLOUR = {"holds": "green", "violated": "red", "unknown": "yellow"}


class Output(Console):
    """Standard output: text is printed as it is, and a closed pipe is the command line's matter."""

    def __init__(self, width: int = 160):
        wide = None if sys.stdout.isatty() else width
        super().__init__(width=wide, highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Called while the error is handled: pass it on."""
        raise

    def say(self, text: str | Text = "") -> None:
        """Print a line, wrapped on a terminal only; what the user gave commands nothing."""
        if isinstance(text, str):
            text = printable(text)
        self.print(text, soft_wrap=not sys.stdout.isatty())


def colour_outcome(outcome: str) -> Text:
    """An outcome in its colour, where there is colour."""
    return Text(outcome, style=COLOUR[outcome])


def at_most(value: Fraction) -> Fraction:
    """An upper bound in whole milliseconds, rounded up: what is printed must still be one."""
    return Fraction(ceil(value * 1000), 1000)


def at_least(value: Fraction) -> Fraction:
    """A lower bound in whole milliseconds, rounded down."""
    return Fraction(floor(value * 1000), 1000)


def document(data: object) -> None:
    """One JSON document."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def grid(*heads: str) -> Table:
    """An empty table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def number(bound: Callable[[Fraction], Fraction], value: Fraction | None) -> float | None:
    """A bound for JSON; null is *no bound*."""
    return None if value is None else float(bound(value))
