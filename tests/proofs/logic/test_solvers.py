"""What Z3 frees is there for its next question."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROVES = """
import resource
from holdover.model.clients.profile import load
from holdover.proofs.verdicts.judge import judge

assert judge(load("wfwg311-fixed")).outcome == "holds"
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""

MOST = 60_000
"""Pages that are asked of the kernel: 18,000 where they are kept, else 140,000."""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc can be told")
def test_memory_of_one_question_is_kept_for_the_next() -> None:
    done = subprocess.run([sys.executable, "-c", PROVES], check=True, capture_output=True)
    assert int(done.stdout) < MOST
