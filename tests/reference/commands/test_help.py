"""`holdover --help`: examples that exist, and the nearest name."""

from __future__ import annotations

import re

import pytest

from tests.reference.commands.running import COMMANDS, refused, run, told


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    shown = told(run(command, "--help"), 0)
    assert f"Example: holdover {command}" in shown
    assert ("--json" in shown) == (command != "export")  # which writes other formats


def test_commands_are_listed_in_the_order_in_which_a_reader_meets_them() -> None:
    lines = told(run("--help"), 0).split("Commands:")[1].splitlines()
    assert tuple(line.split()[0] for line in lines if line.strip()) == COMMANDS
    assert "..." not in "".join(lines)


def test_examples_are_commands_that_exist() -> None:
    for command in COMMANDS:
        example = told(run(command, "--help"), 0).split("Example: holdover ")[1].split()
        options = set(re.findall(r"--[a-z-]+", told(run(example[0], "--help"), 0)))
        assert {word for word in example if word.startswith("--")} <= options


def test_no_command_is_a_usage_error_that_shows_the_help() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_unknown_command_names_the_nearest() -> None:
    assert "no command 'verfy'; nearest: verify" in refused(run("verfy"))
