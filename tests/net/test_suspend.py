"""A host that sleeps: an emulated machine wakes after the end of its lease, as root.

It is skipped where QEMU and a kernel are not there.  HOLDOVER_MACHINE names a folder into which
their packages were unpacked.
"""

import math
import os
from pathlib import Path

import pytest

from tests.measure.suspend import Slept, play
from tests.net.machine import Files

UNDER = os.environ.get("HOLDOVER_MACHINE")
FILES = Files(Path(UNDER) if UNDER else None)
WANTED = (("reference", "suspended"), ("reference", "paused"), ("udhcpc-lifetime", "suspended"))
LEASE, AFTER = 32, 5
"""Seconds of a lease, above the shortest one that udhcpc honours, and from its end to the waking.

Who counts the sleep lets go at once; who does not has half of the lease before it.  So a quarter
tells them apart, also where an emulated machine is slow.
"""


@pytest.fixture(scope="module")
def slept(privileged: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Slept]:
    """What each did, all at once."""
    if (reason := FILES.missing()) is not None:
        pytest.skip(reason)
    found = play(WANTED, FILES, tmp_path_factory.mktemp("suspend"), LEASE, AFTER)
    return {f"{each.client}, {each.sleep}": each for each in found}


def test_a_client_that_counts_its_sleep_lets_go_when_it_wakes(slept: dict[str, Slept]) -> None:
    seen = slept["reference, suspended"]
    assert 0 < seen.kept < LEASE / 4
    assert seen.slept > 0, "its lease had ended"


def test_a_lifetime_of_the_kernel_does_not_count_its_sleep(slept: dict[str, Slept]) -> None:
    seen = slept["udhcpc-lifetime, suspended"]
    assert LEASE / 4 < seen.kept < math.inf, "it goes, and not when it wakes"
    assert seen.answered is not None
    assert seen.answered > LEASE / 4, "and it answers for the address meanwhile"


def test_who_does_not_learn_of_a_pause_cannot_let_go(slept: dict[str, Slept]) -> None:
    seen = slept["reference, paused"]
    assert LEASE / 4 < seen.kept < math.inf
    assert seen.clocks.boottime < LEASE, "its clocks stood"
