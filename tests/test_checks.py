"""In CI the steps of `.ci/check` are run beside the tests, which wait for networks now and then.

Elsewhere who wants them runs `.ci/check`.  What a step says last stands in the closing summary.
"""

import subprocess
from collections.abc import Callable

import pytest

from tests.checkout import ROOT
from tests.conftest import IN_CI

STEPS = ("mutants", "docs", "cvc5", "certificates", "types", "lint", "format")
"""Those that no other test runs."""


in_ci = pytest.mark.skipif(not IN_CI, reason="`.ci/check` runs it; the tests do in CI alone")


@in_ci
@pytest.mark.parametrize("step", [step for step in STEPS if step != "types"])
def test_check(step: str, record_property: Callable[[str, object], None]) -> None:
    passed(step, record_property)


@in_ci
@pytest.mark.kept("types")
def test_types(record_property: Callable[[str, object], None]) -> None:
    """Of all our files: what mypy says depends on them, and on packages, and on nothing else."""
    said = passed("types", record_property)
    assert said.endswith(f" no issues found in {number_of_files()} source files")


def passed(step: str, record_property: Callable[[str, object], None]) -> str:
    """What that step says last, having passed."""
    done = subprocess.run(
        [ROOT / ".ci" / "check", step], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.strip().splitlines()[-1]
    record_property("what the checks say", f"{step}: {said}")
    return said


def number_of_files() -> int:
    """All of ours.  A namespace package is easily checked in part only, and called a success."""
    parts = ("model", "proofs", "reference", "tests")
    main = 1  # .namespace/holdover/__main__.py
    return main + sum(1 for part in parts for _ in (ROOT / part).rglob("*.py"))
