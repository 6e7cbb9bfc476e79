"""`holdover server` in hardship, in short; in full by `python -m tests.net.hardship`.

As root only.
"""

import shutil

import pytest

from tests.net.hardship import NEEDED, POOL, look

KILLS = 3


def test_kills_and_declines_lose_no_lease_and_no_address(privileged: None) -> None:
    for program in NEEDED:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    seen = look(KILLS, 0)
    assert seen.failures == []
    assert seen.anew == KILLS
    assert seen.declined["declined"] > POOL  # more than there are: none is lost to the others
