"""What Z3 frees is there for its next question."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASKS = """
import resource
from holdover.model.clients.profile import STANDARD, load
from holdover.proofs.verdicts.changes import smallest_changes
from holdover.proofs.verdicts.judge import judge

assert judge(load("wfwg311")).outcome == "violated"
asked = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
assert smallest_changes(load("wfwg311"), STANDARD)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - asked)
"""
"""After a search, which leaves the C library such that it gives back what Z3 frees."""

MOST = 60_000
"""Pages that are asked of the kernel: 3,000 where they are kept, else 250,000."""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc can be told")
def test_memory_of_one_question_is_kept_for_the_next() -> None:
    done = subprocess.run([sys.executable, "-c", ASKS], check=True, capture_output=True)
    assert int(done.stdout) < MOST
