"""`holdover server` in hardship, in short; in full by `python -m tests.measure.hardship`.

As root only.
"""

import signal
from pathlib import Path

from holdover.reference.lab.testbed.netns import Links
from tests.measure.hardship import LONG, NEEDED, POOL, SERVER, HardshipStage, look
from tests.net.scenes import needs

KILLS = 3


def test_kills_and_declines_lose_no_lease_and_no_address(privileged: None) -> None:
    needs(*NEEDED)
    seen = look(KILLS, 0)
    assert seen.failures == []
    assert seen.anew == KILLS
    assert seen.declined["declined"] > POOL  # more than there are: none is lost to the others


def test_what_is_withheld_is_listed_and_looked_into(links: Links, tmp_path: Path) -> None:
    stage = HardshipStage(links(srv=f"{SERVER}/24", foe=None), tmp_path)
    server = stage.serve()
    assert stage.done("decline", 3) == {"declined": 3, "addresses": 3}
    server.signal(signal.SIGUSR1)
    server.says('"declined"', LONG, times=3)
    declined = server.events("declined")
    assert all(0 < line["withheld"] <= 600 for line in declined)
    server.signal(signal.SIGUSR2)
    server.says('"given back"', LONG, times=3)
    assert [line["address"] for line in server.events("given back")] == [
        line["address"] for line in declined
    ]
    server.signal(signal.SIGUSR1)
    server.says('"nothing is withheld"', LONG)
    server.end()
