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


@pytest.mark.skipif(not IN_CI, reason="`.ci/check` runs it; the tests do in CI alone")
@pytest.mark.parametrize("step", STEPS)
def test_check(step: str, record_property: Callable[[str, object], None]) -> None:
    done = subprocess.run(
        [ROOT / ".ci" / "check", step], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    record_property("what the checks say", f"{step}: {done.stdout.strip().splitlines()[-1]}")
