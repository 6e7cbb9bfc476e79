"""A program for an emulated machine: ours on VLAN 5, and untagged beside it another server.

Theory of operation.  To start a Python and to import what ours need takes most of what such a
machine computes.  So one Python imports it and forks for each of ours; the child enters its
namespace, and does what the command line does.  It is run as a file, where nothing else of the
tests is; it needs namespace `srv`, and in both a device eth0.5.

What it does not know: how the machine is made (`vlan.py`).
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SAID = Path("/run/said")

OURS = tuple(
    f"holdover.reference.{each}"
    for each in (
        "commands.client",
        "commands.server",
        "linux.client",
        "linux.supervisor",
        "linux.hooks.dns",
        "linux.kernel.secondaries",
    )
)
"""What ours import."""

SERVERS = ("eth0 --pool 10.78.0.90", "eth0.5 --pool 10.77.0.90")
SERVER, CLIENT = "--lease 600 --no-probe --json", "--no-probe --json --state-dir /run/state"


def begin(space: str | None, words: str) -> int:
    """Ours in a namespace, or in this one; its pid.  What it says is in a file of its words."""
    if child := os.fork():
        return child
    status = 1
    try:
        from holdover.reference.cli import main
        from holdover.reference.linux.kernel.namespace import enter

        signal.signal(signal.SIGINT, signal.default_int_handler)
        if space is not None:
            enter(space)
        said = os.open(file_of(words), os.O_WRONLY | os.O_CREAT, 0o600)
        for number in (1, 2):
            os.dup2(said, number)
        sys.argv = ["-c", *words.split()]
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def file_of(words: str) -> Path:
    """What a program with these words has said."""
    return SAID.with_name("said-" + "-".join(words.split()[:2]))


def until(wanted: Callable[[], bool]) -> None:
    """Wait; who has started this machine gives up."""
    while not wanted():
        time.sleep(0.2)


def says(words: str, event: str) -> bool:
    """Whether it has said that event."""
    file = file_of(words)
    return file.exists() and event in file.read_text(encoding="utf-8")


def addresses() -> str:
    """What the client's device has."""
    words = ["ip", "-o", "-4", "addr", "show", "eth0.5"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def scene() -> dict[str, object]:
    """What was seen."""
    for name in OURS:
        importlib.import_module(name)
    for each in SERVERS:
        words = f"server {each} {SERVER}"
        begin("srv", words)
        until(lambda words=words: says(words, "started"))  # type: ignore[misc]
    words = f"client eth0.5 {CLIENT}"
    client = begin(None, words)
    until(lambda: says(words, "BOUND"))
    found = re.findall(r"10\.7[78]\.0\.\d+/", addresses())
    os.kill(client, signal.SIGINT)
    status = os.waitstatus_to_exitcode(os.waitpid(client, 0)[1])
    return {"found": found, "status": status, "left": addresses()}


if __name__ == "__main__":
    # The console's first line begins with orders to a terminal.
    sys.stdout.write(f"\n{json.dumps(scene())}\n")
    sys.stdout.flush()
