"""Standard output: text for people, JSON for programs.

Whatever a command prints with `--json`, a document or a line of many, is an object that names its
schema and the version of all schemas; `schema.json`, beside this file, has each of them.  A bound
that there is not is "unbounded"; null is what nobody knows or has asked.

What lays tables out and colours a terminal is imported when there is one: it takes a twentieth of a
second.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from holdover.model.errors import InputError
from holdover.model.inputs import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

VERSION = 1
"""Of what `--json` prints: another number where a key or its meaning is another."""

UNBOUNDED: Literal["unbounded"] = "unbounded"
"""What stands in JSON where a number of seconds, or of ticks, has no bound."""

COLOUR = {"holds": "green", "violated": "red", "unknown": "yellow"}


class Output:
    """Standard output; tables are laid out for `width` columns where it is no terminal."""

    def __init__(self, width: int = 160):
        self.width = None if sys.stdout.isatty() else width

    @cached_property
    def console(self) -> Console:
        """What prints tables and colours: text as it is, and a closed pipe is passed on."""
        from rich.console import Console

        class Plain(Console):
            def on_broken_pipe(self) -> None:
                raise

        return Plain(width=self.width, highlight=False, markup=False, emoji=False)

    def say(self, text: str | Text = "") -> None:
        """Print a line, wrapped on a terminal only; what the user gave commands nothing."""
        if not isinstance(text, str):
            self.console.print(text, soft_wrap=not sys.stdout.isatty())
        elif sys.stdout.isatty():
            self.console.print(printable(text))
        else:
            click.echo(printable(text))

    def print(self, table: Table) -> None:
        """Print a table."""
        self.console.print(table)


def colour_outcome(outcome: str) -> Text:
    """An outcome in its colour, where there is colour."""
    from rich.text import Text

    return Text(outcome, style=COLOUR[outcome])


def at_most(value: Fraction) -> Fraction:
    """An upper bound in whole milliseconds, rounded up: what is printed must still be one."""
    return Fraction(ceil(value * 1000), 1000)


def at_least(value: Fraction) -> Fraction:
    """A lower bound in whole milliseconds, rounded down."""
    return Fraction(floor(value * 1000), 1000)


def document(schema: str, data: Mapping[str, object]) -> None:
    """Print one JSON document."""
    click.echo(text_of_document(schema, data))


def text_of_document(schema: str, data: Mapping[str, object]) -> str:
    """A JSON document over several lines."""
    return json.dumps(name_schema(schema, data), indent=2, ensure_ascii=False)


def json_line(schema: str, data: Mapping[str, object]) -> str:
    """A JSON document as one of many lines; each names its schema, as who reads may come late."""
    return json.dumps(name_schema(schema, data))


def name_schema(schema: str, data: Mapping[str, object]) -> dict[str, object]:
    """The data as an object that says what it is."""
    return {"schema": f"holdover/{schema}", "version": VERSION, **data}


def grid(*heads: str) -> Table:
    """An empty table."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def number(
    bound: Callable[[Fraction], Fraction], value: Fraction | None
) -> float | Literal["unbounded"]:
    """A bound for JSON; None is *no bound*."""
    return UNBOUNDED if value is None else float(bound(value))


def write_file(option: str, path: Path, content: str | bytes) -> None:
    """What an option asked to be written; InputError names it where it cannot be.

    A part of it is not left: of a new file that could not be written nothing is there.
    """
    new = not path.exists()
    try:
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        if new:
            with suppress(OSError):
                path.unlink()
        raise InputError(f"--{option}: {path}: {error.strerror}; name a file to write") from error
