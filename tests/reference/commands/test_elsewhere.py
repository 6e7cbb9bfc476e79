"""The model, its proofs and profiles on macOS and Windows: the same words as on Linux."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.reference.commands.running import SMALL, run
from tests.reference.validation.rehearsal import rehearsed, renewed

PROGRAM = Path(__file__).with_name("elsewhere.py")
EVERYWHERE = (
    ("--help",),
    ("profiles",),
    ("profiles", "rfc2131"),
    ("grace", "--lease", "100"),
    ("explain", "wfwg311"),
    ("verify", "wfwg311"),
    ("prove", "rfc2131", "--solver", "z3"),
    ("export", "tla", "rfc2131"),
    SMALL,
    ("matrix", "--help"),
)
ON_LINUX = (
    ("client", "eth0"),
    ("client", "--help"),
    ("server", "eth0"),
    ("lab",),
    ("lab", "learn", "--client", "dhclient"),
)


def elsewhere(system: str, commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """How each command ends there: its status, and what it says."""
    done = subprocess.run(
        [sys.executable, PROGRAM, system],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@cache
def here(words: tuple[str, ...]) -> tuple[int, str, str]:
    """How a command ends on this system."""
    done = run(*words)
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_what_asks_no_kernel_says_the_same_on_each_system(system: str, tmp_path: Path) -> None:
    journal = str(rehearsed(renewed).save(tmp_path / "journal"))
    commands = [list(words) for words in (*EVERYWHERE, ("explain", journal))]
    for words, ended in zip(commands, elsewhere(system, commands), strict=True):
        assert ended == here(tuple(words)), words


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_what_asks_the_kernel_says_that_it_needs_linux(system: str) -> None:
    commands = [list(words) for words in ON_LINUX]
    for (command, *_), ended in zip(commands, elsewhere(system, commands), strict=True):
        said = f"error: holdover {command} needs Linux: it asks its kernel. The others do not\n"
        assert ended == (2, "", said)


def test_a_search_is_kept_where_a_lock_ends_with_it(tmp_path: Path) -> None:
    words = [*SMALL, "--checkpoint", str(tmp_path / "search")]
    assert elsewhere("darwin", [words])[0][0] == 0
    status, _, said = elsewhere("win32", [words])[0]
    assert (status, said) == (
        2,
        "error: a search cannot be kept on Windows: it has no lock that ends with it\n",
    )
