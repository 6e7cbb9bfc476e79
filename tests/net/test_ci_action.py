"""The script of the action (docs/ci/lab.sh) as a runner would start it; from root only."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdover.reference.lab.learn.inference import KERNEL_LATE
from holdover.reference.lab.testbed.netns import COMMANDS
from holdover.reference.lab.testbed.process import PATIENCE
from tests.checkout import ROOT
from tests.net.conftest import machine

SCRIPT = ROOT / "docs" / "ci" / "lab.sh"
NOT_ROOT = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""What starts a program as a user without any right, who owns our files."""

NETWORKD = "/lib/systemd/systemd-networkd"
TIMES = 3
"""How often one is run of whom nothing was known on a busy machine."""

RUNS: dict[str, tuple[Sequence[str], dict[str, str]]] = {
    "holds": (NOT_ROOT, {"CLIENT": "reference", "FAULTS": "frozen"}),
    "late": (
        NOT_ROOT,
        {"CLIENT": "pyroute2", "FAULTS": "frozen\nkill -9", "TOLERATE": "under 1 s"},
    ),
    "networkd": (
        (),
        {
            "CLIENT": f"sh {ROOT}/docs/ci/networkd.sh {{iface}}",
            "FAULTS": "frozen",
            "NETWORKD": NETWORKD,
        },
    ),
    "nobody": (NOT_ROOT, {"CLIENT": ""}),
    "wrong": (NOT_ROOT, {"CLIENT": "reference", "FAULTS": "nosuch"}),
}


@dataclass
class Ran:
    """How a run has ended, what it has said, and where it has written."""

    status: int
    said: str
    errors: str
    out: Path
    summary: str


def ran(name: str, place: Path) -> Ran:
    under, given = RUNS[name]
    command = place / "holdover"
    for number in range(TIMES):
        out, summary = place / f"{name}-{number}", place / f"{name}-{number}.md"
        summary.touch()
        told = {"HOLDOVER": str(command), "OUT": str(out), "GITHUB_STEP_SUMMARY": str(summary)}
        done = subprocess.run(
            [*under, SCRIPT],
            env=os.environ | {"REPEAT": "1"} | given | told,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE,
        )
        if done.returncode != 3:
            break
    return Ran(done.returncode, done.stdout, done.stderr, out, summary.read_text())


@pytest.fixture(scope="module")
def runs(
    privileged: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Ran]]]:
    place, before = tmp_path_factory.mktemp("action"), machine()
    words = shlex.join([sys.executable, "-c", COMMANDS])
    (place / "holdover").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    (place / "holdover").chmod(0o755)
    with ThreadPoolExecutor(len(RUNS)) as pool:
        yield {name: pool.submit(ran, name, place) for name in RUNS}
    assert machine() == before, "the lab has changed the machine itself"


def result(runs: dict[str, Future[Ran]], name: str) -> Ran:
    return runs[name].result(TIMES * 2 * PATIENCE)


def test_a_client_that_lets_go_in_time_passes_without_root(runs: dict[str, Future[Ran]]) -> None:
    seen = result(runs, "holds")
    assert seen.status == 0, seen
    assert (seen.out / "lab.xml").is_file()
    assert "exit status 0" in seen.summary
    assert "reference: holds" in seen.summary


def test_a_late_client_fails_whatever_little_is_tolerated(runs: dict[str, Future[Ran]]) -> None:
    seen = result(runs, "late")
    assert seen.status == 1, seen
    assert "late: for ever" in seen.said
    assert "kill -9" in seen.said, "each line is a fault"
    assert "exit status 1" in seen.summary


@pytest.mark.skipif(not Path(NETWORKD).exists(), reason="needs systemd-networkd")
def test_networkd_is_prepared_by_the_script_beside_the_action(runs: dict[str, Future[Ran]]) -> None:
    seen = result(runs, "networkd")
    (cell,) = json.loads((seen.out / "lab.json").read_text())["cells"]
    assert cell["removed_by"] == "kernel", seen
    assert cell["holdover"] < float(KERNEL_LATE) + cell["kept"], seen


def test_what_is_wrong_is_said(runs: dict[str, Future[Ran]]) -> None:
    nobody = result(runs, "nobody")
    assert nobody.status == 1
    assert "the client is needed" in nobody.errors
    wrong = result(runs, "wrong")
    assert wrong.status == 2, wrong
    assert "nosuch" in wrong.errors
