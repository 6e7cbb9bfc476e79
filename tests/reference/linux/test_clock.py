"""Which clock it is: the one that counts suspend, for what is read and for what is waited for.

A time namespace whose boot time is a day ahead tells the clocks apart, as a machine that has slept
for a day would; in it, the alarm is on the clock that is read, or it comes at once or never.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from holdover.reference.lab.testbed.process import PATIENCE
from holdover.reference.linux.kernel import clock

DAY = 86_400

ALARM = """
import select, time
from contextlib import closing
from holdover.reference.core.instants import SECOND
from holdover.reference.linux.kernel import clock
ahead = (clock.now() - time.monotonic_ns()) // SECOND
with closing(clock.Alarm()) as alarm:
    alarm.set(at := clock.now() + 2 * SECOND)
    early = bool(select.select([alarm], [], [], 0.2)[0]) and clock.now() < at
    due = bool(select.select([alarm], [], [], 30)[0])
print(ahead, early, due)
"""


def test_the_alarm_is_on_the_clock_that_counts_suspend() -> None:
    with closing(clock.Alarm()) as alarm:
        told = Path(f"/proc/self/fdinfo/{alarm.fileno()}").read_text()
    assert f"clockid: {time.CLOCK_BOOTTIME}" in told.splitlines()


def test_what_is_read_is_the_clock_that_counts_suspend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime_ns", lambda which: which)
    assert clock.now() == time.CLOCK_BOOTTIME


def test_what_is_read_counts_suspend_and_the_alarm_agrees() -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root, and the program unshare: a time namespace")
    command = ("unshare", "--time", "--boottime", str(DAY), "--fork", sys.executable, "-c", ALARM)
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if "unshare" in ran.stderr:
        pytest.skip(f"no time namespace is to be had: {ran.stderr.strip()}")
    slept = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    ahead, early, due = ran.stdout.split()
    assert abs(int(ahead) - slept - DAY) < 2
    assert (early, due) == ("False", "True")
