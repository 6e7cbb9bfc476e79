"""The reference of commands says what the commands themselves say, and leaves none out."""

import re

import click
import pytest

from holdover.reference.cli import COMMANDS, main
from holdover.reference.docs.command_pages import GENERATORS, command_page, mark_signs
from tests.checkout import ROOT


def options(command: click.Command) -> set[str]:
    """The long options of a command, and of those below it."""
    own = {o for p in command.params for o in p.opts if o.startswith("--")}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*(options(each) for each in below))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_every_option_and_the_example(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    page = command_page(name)
    assert options(command) <= set(re.findall(r"^- `(?:-\w, )?(--[\w-]+)", page, re.MULTILINE))
    assert command.epilog is not None
    assert f"Example: `{command.epilog.removeprefix('Example: ')}`" in page
    assert page.startswith(f"```text\nholdover {name} ")


def test_each_command_has_a_page() -> None:
    pages = {path.stem for path in (ROOT / "docs/commands").glob("*.md")}
    assert pages == {*COMMANDS, "index"}
    assert set(GENERATORS) == {"commands", *(f"command-{name}" for name in COMMANDS)}


def test_help_becomes_markdown() -> None:
    assert mark_signs("With --json, and `--x`, and [x>=1] <y>: pre--set") == (
        "With `--json`, and `--x`, and \\[x>=1] &lt;y>: pre--set"
    )
