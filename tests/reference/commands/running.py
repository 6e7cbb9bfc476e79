"""How tests run a command, and what it may print."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from holdover.reference.cli import main
from holdover.reference.console.exit import INTERNAL
from holdover.reference.lab.testbed.process import PATIENCE
from tests.schemas import checked_text

COMMANDS = (
    "verify",
    "explore",
    "export",
    "prove",
    "explain",
    "grace",
    "matrix",
    "situations",
    "profiles",
    "client",
    "server",
    "lab",
    "audit",
)


PROGRAM = (sys.executable, "-c", "from holdover.reference.cli import main; main()")


LIMITED = 'ulimit -d 524288; exec "$@"'


MINE = """\
title = "my device, firmware 2.1"
anchor = "ack"
floor = 20
late = 1
trigger = "acknowledge"
dialog = true
enforcer = "process"
clock = "monotonic"
checks_xid = true
hears_renewing = true
heeds_nak = "always"
after_nak = "remove"
heeds_shorter = false
probes = false
gives_way = false
drops_to_renew = false
keeps_old = false
asks_for = 60
restart = "leave"
releases = true
"""


SMALL = ("explore", "rfc2131", "--hosts", "1", "--lease", "2", "--fault", "none")
"""A search that is over at once."""


def run(*args: str | Path) -> Result:
    """A command in this process; what is not a regular exit fails the test with its traceback."""
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    if result.exit_code == INTERNAL:
        assert result.exception is not None
        raise result.exception.__context__ or AssertionError(result.output)
    return result


def told(result: Result, code: int) -> str:
    """What a command prints on success: nothing is on standard error, where nobody looks."""
    assert (result.exit_code, result.stderr) == (code, "")
    return result.stdout


def refused(result: Result) -> str:
    """What a command says of bad input: on standard error alone."""
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


def as_json(result: Result, code: int) -> Any:
    """The document that a command prints; it is held to its schema."""
    return checked_text(told(result, code))


def started(*args: str, **surroundings: str) -> subprocess.Popen[str]:
    """A command as a process group of its own, with Ctrl-C as a terminal gives it.

    Whoever runs the tests in the background may have told them to ignore it, and they inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return subprocess.Popen(
            [*PROGRAM, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **surroundings},
        )
    finally:
        signal.signal(signal.SIGINT, before)


def program(
    *args: str, before: tuple[str, ...] = (), **surroundings: str
) -> subprocess.CompletedProcess[str]:
    """A command as a process, to its end."""
    return subprocess.run(
        [*before, *PROGRAM, *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, **surroundings},
    )


def toml(folder: Path, text: str | bytes) -> Path:
    path = folder / "bad.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
