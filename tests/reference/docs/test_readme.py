"""What the README says of the tool: each command is one, and prints what it is said to."""

import re
import shlex
from pathlib import Path

import click
import pytest

from holdover.model.clients.profile import FACTS, load
from holdover.reference.cli import COMMANDS, main
from tests.checkout import ROOT
from tests.reference.commands.running import run, told

README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```sh\n(.*?)```", README, re.DOTALL) + re.findall(r"`(holdover [^`]+)`", README)
LINES = sorted(
    {part.strip() for block in CODE for line in block.splitlines() for part in line.split("&&")}
)
COMMAND_LINES = [line for line in LINES if re.match(r"(\.venv/bin/)?holdover ", line)]


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_each_command_line_can_be_read_by_the_command(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    name, *rest = words
    context = click.Context(main, info_name="holdover")
    command = main.get_command(context, name)
    assert command is not None
    if isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    known = {opt for parameter in command.params for opt in parameter.opts}
    assert {word for word in rest if word.startswith("-")} <= known


def test_there_is_a_line_for_each_command() -> None:
    named = {line.split()[1] for line in COMMAND_LINES}
    assert named >= set(COMMANDS)


def test_the_grace_that_is_told_is_printed() -> None:
    told_of = re.search(r"^holdover (grace [^#]+)# .*: ([\d.]+ s)$", README, re.MULTILINE)
    assert told_of is not None
    line, seconds = told_of.groups()
    assert f"safe grace: {seconds}" in told(run(*line.split()), 0)


def test_the_facts_leave_nothing_open(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "my.toml"
    path.write_text(block, encoding="utf-8")
    assert load(str(path)).unstated == ()
    assert set(re.findall(r"^(\w+) =", block, re.MULTILINE)) <= {"title", *FACTS}


def test_the_format_of_exports_are_the_commands() -> None:
    """No tool is named to which nothing can be exported as a model."""
    line = next(line for line in README.splitlines() if line.startswith("holdover export"))
    assert re.findall(r"TLC|SPIN|Graphviz|Apalache", line) == ["TLC", "SPIN", "Graphviz"]
