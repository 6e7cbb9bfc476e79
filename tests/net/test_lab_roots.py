"""`holdover lab --root`: programs of another root file system, which see no other; as root.

The root is a small one, of this machine's busybox.  All runs are played at once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.lab.testbed.netns import COMMANDS
from holdover.reference.lab.testbed.process import PATIENCE
from tests.net.conftest import machine
from tests.net.small_root import SCRIPT, VERSION, picture, small_root
from tests.schemas import checked_text

LOOKS = (
    "sh -c 'ls / >&2; cat {marker} >&2; touch /etc/changed /written; "
    "echo mine >&2; exit 7 #{iface}'"
)
"""A client that tells what it sees, writes where it can, and ends."""

MARKED = "what only the machine has"


@dataclass(frozen=True)
class Ran:
    """How a run has ended, and what it said and wrote; the root before and after."""

    status: int
    said: str
    cells: list[dict[str, Any]]
    before: list[tuple[str, int, int]]
    after: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def runs(
    privileged: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Ran]]]:
    for needed in (SCRIPT, "busybox"):
        if shutil.which(needed) is None and not Path(needed).is_file():
            pytest.skip(f"needs {needed}: package udhcpc")
    place = tmp_path_factory.mktemp("roots")
    marker = place / "marker"
    marker.write_text(MARKED)
    root = small_root(place / "odd")
    given = f"--root=odd={root}"
    looks = LOOKS.replace("{marker}", str(marker))
    words = {
        "frozen": (given, "--client=udhcpc", "--fault=frozen", "--lease=6", "--watch=3"),
        "server": (
            *(given, "--client=machine/udhcpc", "--server=odd/udhcpd"),
            *("--fault=server killed", "--lease=6", "--watch=3"),
        ),
        "looks": (given, f"--client={looks}", "--fault=frozen"),
        "absent": (given, "--client=odd/dhclient", "--fault=frozen"),
        "usual": (given, "--fault=kill -9", "--lease=6", "--watch=3"),
    }
    with ThreadPoolExecutor(len(words)) as pool:
        yield {name: pool.submit(ran, place / name, root, each) for name, each in words.items()}


def ran(out: Path, root: Path, words: tuple[str, ...]) -> Ran:
    before = picture(root)
    usual = () if any("--server" in each for each in words) else ("--server=holdover",)
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, "lab", "run", *usual, *words, "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    text = (out / "lab.json").read_text() if (out / "lab.json").is_file() else '{"cells": []}'
    cells = checked_text(text)["cells"] if "schema" in json.loads(text) else []
    return Ran(done.returncode, done.stdout + done.stderr, cells, before, picture(root))


@pytest.fixture
def played(runs: dict[str, Future[Ran]], request: pytest.FixtureRequest) -> Ran:
    return runs[request.param].result(2 * PATIENCE)


def run(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("played", names, indirect=True)


@run("frozen")
def test_a_client_of_another_root_is_measured_and_has_its_packages_version(played: Ran) -> None:
    assert played.status == 1, played
    assert "odd/udhcpc: violated" in played.said
    (cell,) = played.cells
    assert (cell["client"], cell["root"], cell["client_version"]) == ("udhcpc", "odd", VERSION)
    assert cell["holdover"] == "unbounded"


@run("usual")
def test_without_a_name_the_clients_that_are_in_the_root_are_played(played: Ran) -> None:
    assert {(each["client"], each["root"]) for each in played.cells} == {
        ("udhcpc", "odd"),
        ("udhcpc-lifetime", "odd"),
    }


@run("server")
def test_a_server_of_another_root_serves_a_client_of_the_machine(played: Ran) -> None:
    assert played.status == 1, played
    (cell,) = played.cells
    assert (cell["server"], cell["root"]) == ("odd/udhcpd", None)
    assert cell["client_version"] != VERSION
    assert cell["measured_lease"] == 6


@run("looks")
def test_it_sees_nothing_of_the_machine_and_changes_nothing_in_its_root(played: Ran) -> None:
    assert played.status == 3, played
    assert "its last words: " in played.said
    assert "mine" in played.said
    assert "can't open" in played.said
    assert MARKED not in played.said
    assert "can't touch" not in played.said, "it may write where it is"


@run("absent")
def test_a_client_that_is_not_in_the_root_is_unknown_with_the_reason(played: Ran) -> None:
    assert played.status == 3, played
    assert "unknown: odd/dhclient, holdover, frozen, run 1: missing: dhclient, " in played.said
    assert "/odd" in played.said


@run("frozen", "usual", "server", "looks", "absent")
def test_nothing_in_the_root_has_changed(played: Ran) -> None:
    assert played.after == played.before


def test_nothing_of_the_machine_has(runs: dict[str, Future[Ran]]) -> None:
    before = machine()
    for each in runs.values():
        each.exception(2 * PATIENCE)
    assert machine() == before
