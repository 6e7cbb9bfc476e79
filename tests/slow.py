"""By how much this machine is slower at the moment than one that does nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time

WORK = "sum(range(3_000_000))"
"""A tenth of a second of processor time, with the start of Python."""


def stretched() -> float:
    """Elapsed time of a small program, as a multiple of the processor time that it got; at least 1.

    A test that bounds how long something may take multiplies the bound by it: where others have the
    processor nine tenths of the time, what takes two seconds may take twenty.
    """
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", WORK])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return max(1.0, (time.monotonic() - begun) / (used.ru_utime + used.ru_stime))
