"""One collision has one number of steps, whoever tells it."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from holdover.model.clients.profile import STANDARD, load
from holdover.model.explorer.length import count_steps, length_in_search
from holdover.proofs.theorems import t1_refutation
from holdover.proofs.verdicts import matrix
from holdover.reference.docs.proof_pages import chart_wfwg311, collision_t1
from holdover.reference.lab.collision.plan import plan_course
from tests.reference.commands.running import as_json, run, told

STEPS = 18
LINE = re.compile(r"^ *(\d+)\. ", re.MULTILINE)
ROW = re.compile(r"^ *(?:[\d.]+ (?:s|ticks?))?  [│║]", re.MULTILINE)


def last(text: str) -> int:
    """The number of the last numbered line."""
    return max(map(int, LINE.findall(text)))


@pytest.mark.kept("commands that explore")
def test_each_command_counts_the_steps_of_the_articles_collision_alike(tmp_path: Path) -> None:
    verify, explain = (told(run(name, "wfwg311"), 1) for name in ("verify", "explain"))
    (judged,) = as_json(run("verify", "wfwg311", "--json"), 1)["judgements"]
    explored = told(run("explore", "wfwg311"), 1)
    (seen,) = (
        each["run"]
        for each in as_json(run("explore", "wfwg311", "--json"), 1)["properties"]
        if each["property"] == "exclusive"
    )
    (cell,) = (row for row in matrix.ROWS if row.name == "notice unacknowledged")
    found = t1_refutation.explore_collision(t1_refutation.instance())
    assert found is not None
    plan = plan_course(load("wfwg311"), replace(STANDARD, lease=Fraction(10)), lambda _: None)
    counted = {
        "verify": int(re.findall(r"after (\d+) steps", verify)[0]),
        "verify, lines": last(verify),
        "verify --json": count_steps(each["action"] for each in judged["run"]),
        "verify --json, reason": int(re.findall(r"after (\d+) steps", judged["reason"])[0]),
        "explain": last(explain),
        "explain, chart": len(ROW.findall(explain)),
        "explore": int(re.findall(r"exclusive is broken after (\d+) steps", explored)[0]),
        "explore, lines": last(explored.partition("exclusive is broken")[2]),
        "explore --json": count_steps(each["action"] for each in seen),
        "matrix": int(matrix.cell(cell, ()).reason.split()[0]),
        "T1": int(length_in_search(found.labels).split()[0]),
        "T1, its page": last(collision_t1()),
        "T1, its head": int(collision_t1().split()[0]),
        "T1, its chart": len(ROW.findall(collision_t1())),
        "README, chart": len(ROW.findall(chart_wfwg311())),
        "lab replay": len(plan.steps),
    }
    assert counted == dict.fromkeys(counted, STEPS)
