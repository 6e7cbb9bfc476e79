"""An internal error: a status of its own, a line, and a report; caches that cannot be written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from holdover.reference import cli
from holdover.reference.console.exit import INTERNAL
from holdover.reference.lab.testbed.process import PATIENCE
from tests.reference.commands.running import PROGRAM

BROKEN = """
import runpy, sys
import holdover.model.clients.profile as profile
def broken():
    raise {error}
profile.builtin_names = broken
sys.argv = ["holdover", "profiles"]
runpy.run_module("holdover.reference", run_name="__main__")
"""
"""`holdover profiles`, with an error that nobody expects."""

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def crashed(error: str = "KeyError('x')", **surroundings: str) -> str:
    """What is said on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", BROKEN.format(error=error)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **surroundings},
    )
    assert (done.returncode, done.stdout) == (INTERNAL, ""), done.stderr
    return done.stderr


def test_an_internal_error_is_one_line_and_a_report(tmp_path: Path) -> None:
    said = crashed(XDG_CACHE_HOME=str(tmp_path))
    (path,) = (tmp_path / "holdover/reports").iterdir()
    assert said == f"internal error: KeyError: 'x'; no verdict. Please report it, with {path}\n"
    first, command, _, *trace = path.read_text().splitlines()
    assert re.match(r"holdover \d\S*, Python 3\.\d+\.\d+, Linux-", first)
    assert command == "holdover profiles"
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "KeyError: 'x'")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_error_writes_the_same_report(tmp_path: Path) -> None:
    """A service that is restarted would fill the disk."""
    for error in ("KeyError('x')", "KeyError('y')", "ValueError('x')"):
        crashed(error, XDG_CACHE_HOME=str(tmp_path))
    reports = sorted((tmp_path / "holdover/reports").iterdir())
    assert [path.name.partition("-")[0] for path in reports] == ["KeyError", "ValueError"]
    assert reports[0].read_text().endswith("KeyError: 'y'\n")


def test_a_message_of_many_lines_is_one_and_commands_no_terminal(tmp_path: Path) -> None:
    said = crashed(r"ValueError('a\n\nb\x1b[2J' + 'c' * 9999)", XDG_CACHE_HOME=str(tmp_path))
    assert said.startswith(r"internal error: ValueError: a b\x1b[2Jccc")
    assert said.count("\n") == 1
    assert len(said) < 500


def test_without_a_cache_the_report_lies_among_temporary_files(tmp_path: Path) -> None:
    said = crashed(XDG_CACHE_HOME="/proc/nowhere", TMPDIR=str(tmp_path))
    (path,) = tmp_path.iterdir()
    assert said.endswith(f"with {path}\n")
    assert "KeyError: 'x'" in path.read_text()


def test_where_no_file_takes_it_the_report_is_printed() -> None:
    nowhere = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc/nowhere']\n"
    done = subprocess.run(
        [sys.executable, "-c", nowhere + BROKEN.format(error="KeyError('x')")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_CACHE_HOME": "/proc/nowhere"},
    )
    assert done.returncode == INTERNAL
    assert "Traceback (most recent call last):" in done.stderr
    assert "internal error: KeyError: 'x'; no verdict" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_an_error_that_cannot_be_told_is_no_verdict_either(closed: str) -> None:
    code = BROKEN.format(error="KeyError('x')")
    words = ("sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", code)
    assert subprocess.run(words, check=False).returncode == INTERNAL


def test_who_closes_the_streams_gets_the_verdict_in_the_status() -> None:
    words = ("sh", "-c", 'exec "$@" >&- 2>&-', "sh", *PROGRAM, "verify", "wfwg311")
    assert subprocess.run(words, check=False).returncode == 1


SMALL = ("explore", "rfc2131", "--hosts", "1", "--lease", "2", "--fault", "none")
COMPILES = """
import sys
from holdover.reference.cli import main
from holdover.model.engine import compiled
assert compiled.COMPILED is None
main({words!r}, prog_name="holdover")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs a program as somebody else")
def test_who_can_write_no_cache_compiles_and_does_without() -> None:
    """As `nobody`, with the packages of root: numba found no place for its cache, and ended it."""
    env = {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/proc/nowhere", "PATH": os.environ["PATH"]}

    def run(code: str) -> subprocess.CompletedProcess[str]:
        words = [*AS_NOBODY, sys.executable, "-c", code]
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE,
            cwd="/",
            env=env,
        )

    if (tried := run(f"open({cli.__file__!r})")).returncode:
        pytest.skip(f"user nobody may not read what is tested: {tried.stderr.splitlines()[-1:]}")
    done = run(COMPILES.format(words=list(SMALL)))
    assert (done.returncode, done.stderr) == (0, "")
    assert "holds" in done.stdout


def test_an_error_in_a_command_that_is_loaded_is_internal_too(tmp_path: Path) -> None:
    code = "import sys; sys.modules['holdover.reference.commands.grace'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", code + PROGRAM[-1], "grace"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )
    assert done.returncode == INTERNAL
    assert done.stderr.startswith("internal error: ModuleNotFoundError: ")
