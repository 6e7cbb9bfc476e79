"""The model, its proofs and profiles on macOS and Windows: the same words as on Linux."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
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


Ended = tuple[int, str, str]
"""A status, and what was said."""

Elsewhere = Callable[[str, Sequence[Sequence[str]]], list[Ended]]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    """How each command ends on another system."""
    program = subprocess.Popen(
        [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(system: str, commands: Sequence[Sequence[str]]) -> list[Ended]:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(json.dumps([system, commands]) + "\n")
        program.stdin.flush()
        said = json.loads(program.stdout.readline())
        assert said is not None, "it has come to no end"
        return [tuple(each) for each in said]

    with program:
        yield ask


@cache
def here(words: tuple[str, ...]) -> Ended:
    """How a command ends on this system."""
    done = run(*words)
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_what_asks_no_kernel_says_the_same_on_each_system(
    system: str, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    journal = str(rehearsed(renewed).save(tmp_path / "journal"))
    commands = (*EVERYWHERE, ("explain", journal))
    for words, ended in zip(commands, elsewhere(system, commands), strict=True):
        assert ended == here(words), words


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_what_asks_the_kernel_says_that_it_needs_linux(system: str, elsewhere: Elsewhere) -> None:
    for (command, *_), ended in zip(ON_LINUX, elsewhere(system, ON_LINUX), strict=True):
        said = f"error: holdover {command} needs Linux: it asks its kernel. The others do not\n"
        assert ended == (2, "", said)


def test_a_search_is_kept_where_a_lock_ends_with_it(tmp_path: Path, elsewhere: Elsewhere) -> None:
    words = [*SMALL, "--checkpoint", str(tmp_path / "search")]
    assert elsewhere("darwin", [words])[0][0] == 0
    status, _, said = elsewhere("win32", [words])[0]
    assert (status, said) == (
        2,
        "error: a search cannot be kept on Windows: it has no lock that ends with it\n",
    )
