"""Client and server of a lean installation lease, renew and let go; as root only."""

import signal
import sys
from pathlib import Path

from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.process import PATIENCE
from tests.net.stage import LEASED, Stage
from tests.reference.commands.test_lean import HIDING


def test_a_lean_client_has_a_lease_of_a_lean_server(links: Links, tmp_path: Path) -> None:
    """With every package hidden that .ci/lean.lock does not name."""
    stage = Stage.on(links, tmp_path)
    lean = (sys.executable, "-u", HIDING)
    words = f"server eth0 --pool {LEASED} --lease 10 --no-probe --json --leases"
    server = stage.srv.start(*lean, *words.split(), stage.place / "leases")
    server.says("started", PATIENCE)
    words = "client eth0 --no-probe --json --hook true --state-dir"
    client = stage.cli.start(*lean, *words.split(), stage.state, "--journal", stage.journal)
    client.says("BOUND", PATIENCE)
    assert str(LEASED) in stage.cli.ip("-4", "address")
    client.says("EXTENDED", PATIENCE)
    server.signal(signal.SIGKILL)
    client.says("LAPSED", PATIENCE)
    assert str(LEASED) not in stage.cli.ip("-4", "address")
    assert client.errors == []
