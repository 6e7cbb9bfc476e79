"""The reference of the command line: a page a command, read off click; man pages are made of them.

Theory of operation.  A command of click knows its usage, its help, its options with their defaults,
and an example.  The page says the same in Markdown; a command of commands (`lab`) has a section for
each of them.  `docs/conf.py` makes a man page of each page.

What it does not know: what an option does; its help says so.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import click

from holdover.reference.cli import COMMANDS, main
from holdover.reference.docs.markdown import block, code

EXAMPLE = "Example: "

SIGNS = re.compile(r"(?<![\w'-])(?P<sign>--[a-z][\w-]*)\b")
"""What stands in running text and is code: an option."""


def commands() -> str:
    """The commands, each with its line."""
    return "\n".join(f"- [holdover {name}]({name}.md): {says}" for name, says in COMMANDS.items())


def command_page(name: str) -> str:
    """The page of a command, without its title."""
    top = click.Context(main, info_name="holdover", **main.context_settings)
    command = main.get_command(top, name)
    if command is None:
        raise ValueError(f"no command {name!r}")
    context = click.Context(command, info_name=name, parent=top)
    return "\n\n".join([body(command, context), *sections(command, context)])


def sections(command: click.Command, context: click.Context) -> Iterator[str]:
    """A section for each command below it, whatever its depth."""
    for name, under in command.commands.items() if isinstance(command, click.Group) else ():
        inner = click.Context(under, info_name=name, parent=context)
        yield f"## {inner.command_path}\n\n{body(under, inner)}"
        yield from sections(under, inner)


def body(command: click.Command, context: click.Context) -> str:
    """What a command is for, its usage, its options and its example."""
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    paragraphs = [
        mark_signs(" ".join(each.split()))
        for each in inspect.cleandoc(command.help or "").split("\n\n")
    ]
    options = [
        option(p, context) for p in command.get_params(context) if p.get_help_record(context)
    ]
    parts = [block([usage]), *paragraphs]
    arguments = [each for each in options if not each.startswith("- `-")]
    if arguments:
        parts.append("\n".join(arguments))
    parts.append("\n".join(each for each in options if each.startswith("- `-")))
    if command.epilog:
        parts.append(f"{EXAMPLE}{code(' '.join(command.epilog.split()).removeprefix(EXAMPLE))}")
    return "\n\n".join(part for part in parts if part)


def option(parameter: click.Parameter, context: click.Context) -> str:
    """An option as a line of a list."""
    record = parameter.get_help_record(context)
    if record is None:
        raise ValueError(f"{parameter.name}: no help")
    names, says = (" ".join(each.split()) for each in record)
    return f"- {code(names)}" + (f": {mark_signs(says)}" if says else "")


def mark_signs(text: str) -> str:
    """A sentence of help as Markdown: options are code, and nothing is an element of HTML."""
    parts = re.split(r"(`[^`]*`)", text)
    marked = (p if p.startswith("`") else SIGNS.sub(r"`\g<sign>`", p) for p in parts)
    return "".join(
        p if p.startswith("`") else p.replace("<", "&lt;").replace("[", r"\[") for p in marked
    )


GENERATORS: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    **{f"command-{name}": partial(command_page, name) for name in COMMANDS},
}
