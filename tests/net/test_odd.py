"""Messages that are not as they should be, on a real link: malformed options, and tags of 802.1Q.

As in test_client.py all scenes play at once, and a test looks at what one of them has seen.
"""

import json
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import Host, Links, run
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from holdover.reference.linux.malformed import Malformed
from holdover.reference.linux.storage.journal import read
from tests.measure import malformed
from tests.measure.malformed import CASES, GOOD, SERVER, has_lease, serve
from tests.net import odd, vlan
from tests.net.scenes import errors_of, played, scene

LONG = PATIENCE
"""Seconds, for what takes up to ten of RFC 2131's own wait; thirty clients begin at once."""

OPTIONAL = [name for name, case in CASES.items() if not case.rests]
VITAL = [name for name, case in CASES.items() if case.rests]
FOREIGN = "udhcpc"

PRIORITY, SERVICE, BOTH, OTHER = "8100e000", "88a80000", "88a8000081002000", "81000005"
"""802.1Q with a priority only; 802.1ad likewise; one in the other; a VLAN's."""


def client(host: Host, place: Path, interface: str = "eth0") -> Process:
    """Ours, with a journal."""
    words = ("client", interface, "--state-dir", place / "state", "--no-probe", "--json")
    return host.holdover(*words, "--journal", place / "journal")


def ended(process: Process) -> int:
    process.signal(signal.SIGINT)
    return process.ended(LONG)


# Scenes: malformed options -----------------------------------------------------------------------


def optional(name: str, links: Links, place: Path) -> dict[str, Any]:
    """A reply with an option that no lease rests on: ours, and another client."""
    hosts = links(srv="10.77.0.1/24", cli=None, other=None)
    serve(hosts["srv"], malformed.ended(name))
    other = None
    if CLIENTS[FOREIGN].missing() is None:
        other = CLIENTS[FOREIGN].start(hosts["other"], place / "other")
    ours = client(hosts["cli"], place)
    ours.says("BOUND", LONG)
    seen = {"bound": has_lease(hosts["cli"]), "status": ended(ours), "errors": errors_of(ours)}
    if other is not None:
        eventually(lambda: has_lease(hosts["other"]), LONG, f"{FOREIGN} is bound")
    noted = [line.value for line in read(place / "journal") if isinstance(line.value, Malformed)]
    explained = hosts["cli"].holdover("explain", place / "journal", "--json")
    return seen | {"noted": noted, "explained": explained.ended(LONG), "words": explained.lines}


def vital(name: str, links: Links, place: Path) -> dict[str, Any]:
    """A reply with an option that a lease rests on."""
    hosts = links(srv="10.77.0.1/24", cli=None)
    watch = hosts["cli"].watch()
    serve(hosts["srv"], malformed.ended(name))
    ours = client(hosts["cli"], place)
    eventually(lambda: any("refused for" in line for line in ours.errors), LONG, "it is refused")
    seen = {"status": ended(ours), "errors": errors_of(ours), "watched": list(watch.lines)}
    noted = [line.value for line in read(place / "journal") if isinstance(line.value, Malformed)]
    return seen | {"noted": noted, "told": ours.lines}


ASKED = {
    "option 60 of length 0": ("TYPE" + "3c00", True),
    "option 57 of length 1": ("TYPE" + "390105", True),
    "option 50 of length 3": ("TYPE" + "32030a4d00", False),
    "option 61 of length 1": ("TYPE" + "3d0101", False),
    "an option that goes on past the end": ("TYPE" + "0cff61", False),
}
"""Options of a client's messages, and whether a server is to answer them."""


def server(host: Host) -> Process:
    """Ours."""
    words = "server eth0 --pool 10.77.0.50-10.77.0.60 --lease 60 --no-probe --json"
    process = host.holdover(*words.split())
    process.says("started", LONG)
    return process


def ask(host: Host, options: str, tag: str = "") -> Process:
    """A client that asks until it is answered."""
    return host.start(sys.executable, odd.__file__, "ask", "10.77.0.1", options, tag)


def asked(links: Links) -> dict[str, Any]:
    """A server that is asked with malformed options."""
    hosts = links(srv="10.77.0.1/24", **{f"c{each}": None for each in range(len(ASKED))})
    ours = server(hosts["srv"])
    asking: dict[str, Process] = {}
    for number, (name, (options, _)) in enumerate(ASKED.items()):
        options = options.replace("TYPE", "TYPE" + SERVER) + ("" if "past" in name else "ff")
        asking[name] = ask(hosts[f"c{number}"], options)
    hardware = {name: hosts[f"c{number}"].hardware for number, name in enumerate(ASKED)}
    for name, (_, answered) in ASKED.items():
        if answered:
            asking[name].says("OFFER", LONG)
        ours.says(f'"malformed".*{hardware[name]}', LONG)
    said = {
        name: next(line for line in ours.events("malformed") if line["hardware"] == hardware[name])
        for name in ASKED
    }
    ours.signal(signal.SIGTERM)
    return {
        "answers": {name: bool(each.said("OFFER")) for name, each in asking.items()},
        "said": said,
        "status": ours.ended(LONG),
    }


# Scenes: tags ------------------------------------------------------------------------------------

HEARING = """
import select, sys
from holdover.reference.wire.frames import Datagram
from holdover.reference.linux.kernel.sockets import LinkSocket
link = LinkSocket(sys.argv[1], 68)
print("hears", flush=True)
while select.select([link], [], []):
    for frame in link.receive():
        about = frame.content
        print(about.payload.hex() if isinstance(about, Datagram) else about.target, flush=True)
"""
"""What gets through the filter: the payload of a datagram, the target of an ARP packet."""

SAYING = """
import sys
from ipaddress import IPv4Address
from holdover.reference.wire.arp import probe
from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, Datagram, encode_frame
from holdover.reference.linux.kernel.sockets import LinkSocket
link, own = LinkSocket("eth0", 67), IPv4Address("10.77.0.1")
for number, tag in enumerate((*sys.argv[1:], "")):
    said = Datagram(own, ALL_HOSTS, 67, 68, bytes((number,)))
    for port in (68, 69):
        said = Datagram(own, ALL_HOSTS, 67, port, bytes((number, port)))
        frame = encode_frame(EVERYONE, link.hardware, said)
        link.send(frame[:12] + bytes.fromhex(tag) + frame[12:])
    frame = encode_frame(EVERYONE, link.hardware, probe(link.hardware, own + number))
    link.send(frame[:12] + bytes.fromhex(tag) + frame[12:])
"""
"""A datagram to the port, one to another, and a probe, with each tag and at last without one."""

OFFLOADS = ("rxvlan", "txvlan", "rx-vlan-stag-hw-parse", "tx-vlan-stag-hw-insert")

TAGS = ("", PRIORITY, SERVICE, OTHER, BOTH, PRIORITY + PRIORITY, PRIORITY + OTHER, SERVICE + OTHER)
HEARD = [
    line
    for number, tag in enumerate((*TAGS, ""))
    if not tag.endswith(OTHER)
    for line in (bytes((number, 68)).hex(), str(IPv4Address("10.77.0.1") + number))
]


def offload(host: Host, on: bool) -> None:
    """Whether the interface does what it can about tags by itself, on both ends of the cable."""
    for name, space in (("eth0", host.space), (host.port, host.switch)):
        wanted = [word for each in OFFLOADS for word in (each, "on" if on else "off")]
        run("ip", "netns", "exec", space, "ethtool", "-K", name, *wanted)


def heard(links: Links, *, offloaded: bool) -> dict[str, Any]:
    """Frames with many tags."""
    hosts = links(says="10.77.0.1/24", hears=None)
    for host in hosts.values():
        offload(host, offloaded)
    hears = hosts["hears"].start(sys.executable, "-c", HEARING, "eth0")
    hears.says("hears", LONG)
    hosts["says"].run(sys.executable, "-c", SAYING, *TAGS, seconds=LONG)
    hears.says(HEARD[-1], LONG)
    return {"heard": [line for _, line in hears.lines[1:]]}


def tagged_replies(links: Links, place: Path, *, offloaded: bool) -> dict[str, Any]:
    """Our client, and a server that tags; another one's replies are of a VLAN."""
    hosts = links(srv="10.77.0.1/24", cli=None)
    for host in hosts.values():
        offload(host, offloaded)
    serve(hosts["srv"], GOOD + "ff", PRIORITY)
    ours = client(hosts["cli"], place)
    ours.says("BOUND", LONG)
    return {"bound": has_lease(hosts["cli"]), "status": ended(ours), "errors": errors_of(ours)}


def tagged_requests(links: Links, *, offloaded: bool) -> dict[str, Any]:
    """Our server, a client that tags, and one of a VLAN."""
    hosts = links(srv="10.77.0.1/24", near=None, far=None)
    for host in hosts.values():
        offload(host, offloaded)
    ours = server(hosts["srv"])
    options = "TYPE" + SERVER + "32040a4d0032" + "ff"
    far, near = ask(hosts["far"], options, OTHER), ask(hosts["near"], options, PRIORITY)
    near.says("ACK", LONG)
    ours.signal(signal.SIGTERM)
    return {
        "near": [line for _, line in near.lines],
        "far": far.lines,
        "status": ours.ended(LONG),
        "served": {each["hardware"] for each in ours.events("DHCPACK")},
        "near is": hosts["near"].hardware,
    }


# All of them -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenes(links: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All scenes, from when they are first wanted."""
    if shutil.which("ethtool") is None:
        pytest.skip("needs the program ethtool")
    place = tmp_path_factory.mktemp
    all_: dict[str, Callable[[], dict[str, Any]]] = {
        **{name: partial(optional, name, links, place("optional")) for name in OPTIONAL},
        **{name: partial(vital, name, links, place("vital")) for name in VITAL},
        "asked": partial(asked, links),
        "vlan": partial(vlan.played, links, place("vlan")),
    }
    for word, on in (("on", True), ("off", False)):
        all_ |= {
            f"heard {word}": partial(heard, links, offloaded=on),
            f"replies {word}": partial(tagged_replies, links, place("tagged"), offloaded=on),
            f"requests {word}": partial(tagged_requests, links, offloaded=on),
        }
    with played(links, all_) as playing:
        yield playing


Scenes = dict[str, Future[dict[str, Any]]]


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_client_is_bound_without_an_option_that_no_lease_rests_on(
    name: str, scenes: Scenes
) -> None:
    seen = scenes[name].result(300)
    code = name.split()[1]
    assert (seen["bound"], seen["status"]) == (True, 130)
    lines = [line for line in seen["errors"] if f"read without option {code} (" in line]
    assert [re.findall(r"eth0: (\w+) from 10\.77\.0\.1:", line) for line in lines] == [
        ["DHCPOFFER"],
        ["DHCPACK"],
    ]
    assert lines == seen["errors"]
    assert [(value.message.split()[0], value.refused) for value in seen["noted"]] == [
        ("DHCPOFFER", False),
        ("DHCPACK", False),
    ]
    assert seen["explained"] == 0, seen["words"]


@pytest.mark.parametrize("name", VITAL)
def test_a_client_is_not_bound_without_one_that_a_lease_rests_on(name: str, scenes: Scenes) -> None:
    seen = scenes[name].result(300)
    code = name.split()[1]
    assert any(f"refused for option {code} (" in line for line in seen["errors"])
    assert seen["noted"]
    assert all(value.refused for value in seen["noted"])
    assert (seen["watched"], seen["status"]) == ([], 130)
    assert not any(json.loads(line)["event"] == "BOUND" for _, line in seen["told"])


@scene("asked")
def test_a_server_answers_what_does_not_rest_on_what_is_malformed(seen: Any) -> None:
    assert seen["answers"] == {name: answered for name, (_, answered) in ASKED.items()}
    for name, (_, answered) in ASKED.items():
        assert ("read without option" if answered else "refused for option") in seen["said"][name][
            "note"
        ]
    assert seen["status"] == 0


@pytest.mark.parametrize("seen", ["heard on", "heard off"], indirect=True)
def test_tags_of_no_vlan_are_heard_and_others_are_not(seen: Any) -> None:
    assert seen["heard"] == HEARD


@pytest.mark.parametrize("seen", ["replies on", "replies off"], indirect=True)
def test_a_client_hears_replies_that_have_a_priority(seen: Any) -> None:
    assert (seen["bound"], seen["status"], seen["errors"]) == (True, 130, [])


@pytest.mark.parametrize("seen", ["requests on", "requests off"], indirect=True)
def test_a_server_hears_requests_that_have_a_priority(seen: Any) -> None:
    assert [line.split()[0] for line in seen["near"]] == ["OFFER", "ACK"]
    assert seen["served"] == {seen["near is"]}
    assert seen["far"] == []
    assert seen["status"] == 0


@scene("vlan")
def test_a_client_and_a_server_on_interfaces_of_a_vlan(seen: Any) -> None:
    if "skipped" in seen:
        pytest.skip(seen["skipped"])
    assert seen == {"found": ["10.77.0.90/"], "left": "", "status": 130}
