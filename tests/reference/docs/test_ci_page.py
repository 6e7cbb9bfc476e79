"""The action and the container of docs/ci: what they name is there, and jobs are short."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS
from tests.checkout import ROOT

PLACE = ROOT / "docs" / "ci"
PAGE = (ROOT / "docs" / "ci.md").read_text("utf-8")
SCRIPT = (PLACE / "lab.sh").read_text("utf-8")
JOBS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def action() -> Any:
    return yaml.safe_load((PLACE / "action.yml").read_text("utf-8"))


def test_the_action_hands_each_input_to_the_script_and_no_other() -> None:
    (step,) = action()["runs"]["steps"]
    handed = {
        name: found[1]
        for name, value in step["env"].items()
        if (found := re.fullmatch(r"\$\{\{ inputs\.(\w+) \}\}", value))
    }
    assert sorted(handed.values()) == sorted(action()["inputs"])
    assert {name.lower() for name in handed} == set(handed.values())
    for name in handed:
        assert f"${{{name}" in SCRIPT, f"lab.sh does not read {name}"
    assert step["run"] == '"$ACTION/lab.sh"', "no input is ever part of a command line"
    assert (PLACE / "lab.sh").stat().st_mode & 0o111


def test_defaults_are_those_of_the_script_and_of_the_page() -> None:
    given = {name: each.get("default") for name, each in action()["inputs"].items()}
    faults = given["faults"].split("\n")[:-1]
    assert all(fault in FAULTS for fault in faults)
    assert "FAULTS=${FAULTS-$'" + "\\n".join(faults) + "'}" in SCRIPT
    assert f"LEASE-{given['lease']}}}" in SCRIPT
    assert f"REPEAT-{given['repeat']}}}" in SCRIPT
    assert f"OUT-{given['out']}}}" in SCRIPT
    assert given["servers"] in SERVERS
    for name in given:
        assert f"| `{name}` |" in PAGE


@pytest.mark.parametrize("job", JOBS)
def test_a_job_has_ten_lines_and_gives_what_the_action_takes(job: str) -> None:
    assert len(job.splitlines()) <= 10
    (steps,) = (each["steps"] for each in yaml.safe_load(job)["jobs"].values())
    (with_,) = (each["with"] for each in steps if "with" in each)
    assert with_.keys() <= action()["inputs"].keys()
    assert {name for name, each in action()["inputs"].items() if each.get("required")} <= set(with_)


def cell(outcome: str, severity: str = "", *, as_predicted: bool | None = None) -> dict[str, Any]:
    return {"outcome": outcome, "severity": severity, "as_predicted": as_predicted}


LITTLE = cell("violated", "under 1 s")


@pytest.mark.parametrize(
    ("tolerate", "cells", "status"),
    [
        ("under 1 s", [LITTLE, cell("holds")], 0),
        ("", [LITTLE, cell("holds")], 1),
        ("under 1 s", [LITTLE, cell("violated", "for ever")], 1),
        ("under 1 s", [LITTLE, cell("unknown")], 3),
        ("under 1 s", [cell("violated", "under 1 s", as_predicted=False)], 1),
    ],
)
def test_what_is_tolerated_is_lateness_of_that_kind_and_nothing_unknown(
    tmp_path: Path, tolerate: str, cells: list[dict[str, Any]], status: int
) -> None:
    lab = tmp_path / "holdover"
    out = tmp_path / "out"
    lab.write_text(f"#!/bin/sh\nmkdir {out}; cp {tmp_path}/lab.json {out}; exit 1\n")
    lab.chmod(0o755)
    (tmp_path / "lab.json").write_text(json.dumps({"cells": cells}))
    told = {"HOLDOVER": str(lab), "CLIENT": "x", "TOLERATE": tolerate, "OUT": str(out)}
    done = subprocess.run([PLACE / "lab.sh"], env=os.environ | told, check=False, timeout=60)
    assert done.returncode == status


def test_the_container_has_debians_clients_and_servers_and_nothing_that_ci_has_not() -> None:
    text = (PLACE / "Containerfile").read_text("utf-8")
    names = text.partition("--no-install-recommends")[2].partition("&&")[0].replace("\\", " ")
    packages = set(names.split())
    wanted = {each.package for each in CLIENTS.values() if each.usual} - {""}
    wanted |= {each.package for each in SERVERS.values()} - {""}
    assert wanted <= packages
    lines = (ROOT / ".ci" / "run").read_text("utf-8").partition("packages=(")[2].partition("\n)")[0]
    ours = {word for line in lines.splitlines() for word in line.partition("#")[0].split()}
    assert packages - ours <= {"python3-venv", "util-linux", "mount"}
