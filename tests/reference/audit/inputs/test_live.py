"""An interface that is followed: in a network namespace of the test's own, as root only."""

import json
import os
import shutil
import subprocess
import sys
import threading

import pytest

from holdover.model.errors import InputError
from holdover.reference.audit.inputs.live import follow
from tests.checkout import ROOT

PROGRAM = """
import json, socket, subprocess, sys, threading, time
from holdover.reference.audit.inputs import live, ring
from tests.reference.audit.inputs import captures

def ip(*words):
    subprocess.run(["ip", *words], check=True)

ip("link", "add", "near", "type", "veth", "peer", "name", "far")
for name in ("near", "far"):
    ip("link", "set", name, "up")
frames = {frames}
ring.BLOCKS, ring.BLOCK = {blocks}, {size}
stop = threading.Event()
follower = live.InterfaceFollower("near")
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("far", 0))
def send():
    for frame in frames:
        sender.send(frame)
    {after}
    stop.set()
if {first}:
    send()
else:
    threading.Thread(target=send).start()
own = (captures.MAC, captures.OTHER)
for batch in follower.run(stop):
    for _, what, _, _ in batch:
        if getattr(what, "hardware", captures.MAC) in own:
            seen = getattr(what, "address", None), getattr(what, "vlan", None)
            why = getattr(what, "why", None)
            count = getattr(what, "frames", 1)
            print(json.dumps([type(what).__name__, str(seen[0]), seen[1], why, count]))
"""


@pytest.fixture(autouse=True)
def privileged() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    for program in ("ip", "unshare"):
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")


def play(
    frames: str,
    size: int = 1 << 20,
    blocks: int = 4,
    after: str = "time.sleep(0.5)",
    first: str = "0",
) -> list[list[object]]:
    """What is seen of frames that a neighbour sends."""
    code = PROGRAM.format(frames=frames, size=size, blocks=blocks, after=after, first=first)
    said = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_uses_messages_and_vlans_are_seen() -> None:
    seen = play(
        "[captures.ip(), captures.dhcp(captures.request()), captures.arp(mac=captures.OTHER), "
        "captures.ip(tags=bytes((0x81, 0, 0, 7)))]"
    )
    assert sorted(map(str, seen)) == [
        "['DhcpMessage', 'None', [], None, 1]",
        "['Use', '10.0.0.57', [7], None, 1]",
        "['Use', '10.0.0.57', [], None, 1]",
        "['Use', '10.0.0.57', [], None, 1]",
    ]


def test_each_frame_is_seen_and_what_the_kernel_dropped_is_a_gap() -> None:
    """In front of a small ring most are dropped, and nobody comes later to tell of it."""
    all_of_them = play("[captures.ip()] * 3000")
    assert sum(int(str(each[4])) for each in all_of_them if each[0] == "Use") == 3000
    assert not [each for each in all_of_them if each[0] == "Gap"]
    seen = play("[captures.ip()] * 3000", size=4096, blocks=2, after="pass", first="1")
    (gap,) = (str(each[3]) for each in seen if each[0] == "Gap")
    uses = sum(int(str(each[4])) for each in seen if each[0] == "Use")
    assert uses < 3000
    assert int(gap.split()[3]) + uses >= 3000


def test_the_time_in_which_the_interface_is_down_is_a_gap() -> None:
    down = 'time.sleep(0.3); ip("link", "set", "near", "down"); time.sleep(0.3)'
    seen = play("[captures.ip()]", after=down)
    said = [each[3] for each in seen if each[0] == "Gap"]
    assert said[0] == "the interface went down"
    assert said[1:] in ([], ["the interface was down"])  # by the first frame after that, if any


def test_an_interface_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="interface none0: there is none"):
        follow("none0", threading.Event())
