"""`holdover client` in bad luck on a machine, in a namespace; as root only.

A link that is down, a port that is taken, hooks that block and crash, no root.  Disks are in
test_disk.py, what a hostile network sends in test_hostile.py.
"""

import json
import re
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.netns import Links
from holdover.reference.lab.testbed.process import PATIENCE
from tests.net.scenes import LOCK, errors_of, needs, scene
from tests.net.stage import LEASED, SERVER, Picture, Stage


@pytest.fixture(scope="module")
def staged(links: Links) -> Callable[[Path], Stage]:
    needs("setpriv", "nsenter")
    return partial(Stage.on, links)


# The link, the port ------------------------------------------------------------------------------


@scene
def test_a_link_that_was_down_has_address_and_routes_again(stage: Stage) -> None:
    """It is set down and up while a lease is in use."""
    before = stage.cli.picture()
    stage.server(lease=600)
    client = stage.bound()
    bound = without_lifetime(stage.cli.picture())
    stage.cli.ip("link", "set", "eth0", "down")
    assert stage.cli.ip("route") == ""
    stage.cli.ip("link", "set", "eth0", "up")
    client.says("EXTENDED", PATIENCE)
    again = without_lifetime(stage.cli.picture())
    assert f"default via {SERVER}" in again[1]
    assert again == bound
    stage.stop(client, before)


def without_lifetime(picture: Picture) -> tuple[str, ...]:
    return tuple(re.sub(r"(valid|preferred)_lft \d+sec|qlen \d+", "", part) for part in picture)


@scene
def test_a_port_that_is_taken_is_named(stage: Stage) -> None:
    """Another program has port 68 for itself."""
    watch, before = stage.cli.watch(), stage.cli.picture()
    takes = "import socket, time; s = socket.socket(2, 2); s.bind(('', 68)); print(1, flush=True)"
    stage.cli.start(sys.executable, "-c", f"{takes}; time.sleep(1000)").says("1", PATIENCE)
    client = stage.client("--no-probe")
    assert client.ended(PATIENCE) == 2
    assert errors_of(client) == [
        "error: UDP port 68 is in use; stop the other DHCP program (ss -ulpn shows it)"
    ]
    assert (watch.lines, stage.cli.picture()) == ([], before)


# Hooks -------------------------------------------------------------------------------------------


@scene
def test_a_hook_that_is_missing_is_refused(stage: Stage) -> None:
    client = stage.client("--no-probe", "--hook", "/nowhere/hook")
    assert client.ended(PATIENCE) == 2
    assert "/nowhere/hook: no such program, or not executable" in client.errors[-1]


@scene
def test_a_hook_that_crashes_is_told_and_ends_nothing(stage: Stage) -> None:
    before = stage.cli.picture()
    stage.server()
    client = stage.client("--no-probe", "--hook", "sh -c 'kill -SEGV $$'")
    client.says("EXTENDED", PATIENCE)
    stage.stop(client, before)
    assert any("BOUND: exit status -11" in line for line in client.errors)


@scene
def test_a_hook_that_blocks_keeps_no_address(stage: Stage) -> None:
    """It blocks while the lease is renewed, and when the server is gone."""
    watch, before = stage.cli.watch(), stage.cli.picture()
    server = stage.server()
    client = stage.client("--no-probe", "--hook", "sleep 1000")
    client.says("EXTENDED", PATIENCE)
    server.signal(signal.SIGKILL)
    server.ended(PATIENCE)
    end = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")][-1]
    client.says("LAPSED", PATIENCE)
    assert watch.said("Deleted")[-1][0] <= end
    assert stage.cli.picture() == before
    stage.stop(client, before)


# Without root ------------------------------------------------------------------------------------

ROOTLESS = """
import json, re, signal, subprocess, sys
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
def ip(*words):
    return subprocess.run(("nsenter", "-t", pid, "-n", "ip", *words), check=True,
                          capture_output=True, text=True).stdout
def picture():
    return [ip("-o", "-4", "addr"), ip("route"), ip("-br", "link")]
run = "from holdover.reference.cli import main; main()"
ours = (sys.executable, "-u", "-c", run)
place = Process(("unshare", "-n", "sh", "-c", "echo there; exec sleep 1000"))
pid = str(place.running.pid)
place.says("there", 240)
for line in ("mount -t tmpfs tmpfs /mnt", "mkdir -m 700 /mnt/state", "ip link set lo up",
             f"ip link add srv type veth peer name eth0 netns {pid}",
             "ip addr add 10.77.0.1/24 dev srv", "ip link set srv up"):
    subprocess.run(line.split(), check=True)
ip("link", "set", "eth0", "up")
eventually(lambda: "eth0" in ip("-br", "link", "show", "up") and "NO-CARRIER" not in ip("link")
           and "state UP" in ip("link"), 60, "the link is up")
before = picture()
server = Process((*ours, *"server srv --pool 10.77.0.50 --lease 60 --no-probe --json".split()))
server.says("started", 240)
client = Process(("nsenter", "-t", pid, "-n", *ours, "client", "eth0", "--no-probe", "--json",
                  "--state-dir", "/mnt/state"))
client.says("BOUND", 240)
bound = picture()
client.signal(signal.SIGINT)
print(json.dumps({"status": client.ended(), "before": before, "bound": bound,
                  "after": picture(), "errors": client.errors + server.errors,
                  "capabilities": open("/proc/self/status").read()}), flush=True)
server.end()
place.end()
"""

NOBODY = (
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
)
ALONE = (
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)


OPENED = """
shut=$1 base=$2; shift 2
if [ "$shut" != "$base" ]; then
  mount --rbind "$base" /mnt && mount -t tmpfs -o mode=755 tmpfs "$shut"
  mkdir -p "$base" && mount --rbind /mnt "$base"
fi
exec "$@"
"""
"""Python may be in a directory that only root can enter: then a way to it, for this process."""


@scene
def test_nobody_can_run_both_in_namespaces_of_his_own(stage: Stage) -> None:
    base = Path(sys.base_prefix).resolve()
    shut = next((way for way in reversed(base.parents) if not way.stat().st_mode & 1), base)
    private = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", OPENED, "sh")
    by_nobody = (*private, shut, base, *NOBODY, *ALONE)
    for words in (("true",), (sys.executable, "-c", "import holdover.reference.cli")):
        tried = stage.other.start(*by_nobody, *words)
        if tried.ended(PATIENCE):
            why = f"user nobody cannot have a user namespace, or not run {words[0]} in it"
            pytest.skip(f"{why}: {tried.errors[-1:]}")
    process = stage.other.start(*by_nobody, sys.executable, "-c", ROOTLESS)
    process.ended(PATIENCE)
    said = process.said("status")
    assert said, process.errors
    seen = json.loads(said[0][1])
    assert [line for line in seen["errors"] if LOCK not in line] == []
    assert seen["status"] == 130
    assert str(LEASED) in seen["bound"][0]
    assert seen["after"] == seen["before"]
