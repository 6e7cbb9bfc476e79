"""The lab's fault *kernel busy* on a real kernel; as root only.

The lock is the machine's, so it is held for as long as it takes to see something, and no longer.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.experiments import faults
from holdover.reference.lab.experiments.experiment import Cell, play_all
from holdover.reference.lab.experiments.faults import FAULTS
from holdover.reference.lab.experiments.verdict import verdict
from holdover.reference.lab.record.measure import Measurement
from holdover.reference.lab.record.record import read
from holdover.reference.lab.report.report import cell_data
from holdover.reference.lab.testbed import networking_lock
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.servers import SERVERS
from tests.measure.never_late_page import late, status

BEFORE, AFTER = 4, 2
LEASE = 10


def test_while_the_kernels_lock_is_held_the_address_stays(
    privileged: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """And goes when it is free: late by as much as that was after the lease, as is predicted."""
    if why := networking_lock.why_not():
        pytest.skip(f"the networking lock cannot be held here: {why}")
    monkeypatch.setattr(faults, "BUSY_BEFORE", BEFORE)
    monkeypatch.setattr(faults, "BUSY_AFTER", AFTER)
    wanted = Cell(
        client=CLIENTS["reference"],
        server=SERVERS["holdover"],
        fault=FAULTS["kernel busy"],
        lease=LEASE,
    )
    (outcome,) = play_all([wanted], tmp_path, 1, lambda told: None)
    result = outcome.result
    assert isinstance(result, Measurement), result
    record_property("the networking lock held: late by", f"{result.holdover:+.2f} s")
    found = verdict(outcome)
    assert found.says == "late", found
    assert found.worst is not None
    assert result.locked >= AFTER
    assert sum(each.at - each.since for each in read(outcome.record).kept) >= AFTER * SECOND
    assert result.kept < 1, "what the lab has itself is not another's"
    assert 0 < result.holdover <= found.worst
    data = cell_data(found)
    assert (late(data), status([data])) == (True, 0), "it is not said to be in time"
    unlocked = replace(result, locked=0.0)
    assert verdict(replace(outcome, result=unlocked)).says == "wrong", "else it would be in time"
