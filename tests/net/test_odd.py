"""Messages that are not as they should be, on a real link: malformed options, tags of 802.1Q."""

import re
import signal
import sys
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import Host, Links, run
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from holdover.reference.linux.malformed import Malformed
from holdover.reference.linux.storage.journal import read
from tests.measure import malformed
from tests.measure.malformed import CASES, GOOD, ODD, SERVER, has_lease, serve
from tests.net import vlan
from tests.net.scenes import Site, errors_of, needs, scene, scenes
from tests.schemas import checked_text

LONG = PATIENCE
"""Seconds, for what takes up to ten of RFC 2131's own wait; thirty clients begin at once."""

OPTIONAL = [name for name, case in CASES.items() if not case.rests]
VITAL = [name for name, case in CASES.items() if case.rests]
FOREIGN = "udhcpc"

PRIORITY, SERVICE, BOTH, OTHER = "8100e000", "88a80000", "88a8000081002000", "81000005"
"""802.1Q with a priority only; 802.1ad likewise; one in the other; a VLAN's."""


@pytest.fixture(scope="module")
def staged(links: Links) -> Callable[[Path], Site]:
    """Each scene has hosts of its own sort."""
    return partial(Site, links)


def client(host: Host, place: Path, interface: str = "eth0") -> Process:
    """Ours, with a journal."""
    words = ("client", interface, "--state-dir", place / "state", "--no-probe", "--json")
    return host.holdover(*words, "--journal", place / "journal")


def ended(process: Process) -> int:
    process.signal(signal.SIGINT)
    return process.ended(LONG)


# Malformed options -------------------------------------------------------------------------------


@scenes(OPTIONAL)
def test_a_client_is_bound_without_an_option_that_no_lease_rests_on(site: Site, name: str) -> None:
    """Ours, and another client."""
    hosts = site.links(srv="10.77.0.1/24", cli=None, other=None)
    serve(hosts["srv"], malformed.ended(name))
    ours = client(hosts["cli"], site.place)
    ours.says("BOUND", LONG)
    assert has_lease(hosts["cli"])
    assert ended(ours) == 130
    code, errors = name.split()[1], errors_of(ours)
    lines = [line for line in errors if f"read without option {code} (" in line]
    assert [re.findall(r"eth0: (\w+) from 10\.77\.0\.1:", line) for line in lines] == [
        ["DHCPOFFER"],
        ["DHCPACK"],
    ]
    assert lines == errors
    if CLIENTS[FOREIGN].missing() is None:  # now, else ours hears its replies when it begins
        CLIENTS[FOREIGN].start(hosts["other"], site.place / "other")
        eventually(lambda: has_lease(hosts["other"]), LONG, f"{FOREIGN} is bound")
    assert [(each.message.split()[0], each.refused) for each in noted(site)] == [
        ("DHCPOFFER", False),
        ("DHCPACK", False),
    ]
    explained = hosts["cli"].holdover("explain", site.place / "journal", "--json")
    assert explained.ended(LONG) == 0, explained.lines


@scenes(VITAL)
def test_a_client_is_not_bound_without_one_that_a_lease_rests_on(site: Site, name: str) -> None:
    hosts = site.links(srv="10.77.0.1/24", cli=None)
    watch = hosts["cli"].watch()
    serve(hosts["srv"], malformed.ended(name))
    ours = client(hosts["cli"], site.place)
    eventually(lambda: any("refused for" in line for line in ours.errors), LONG, "it is refused")
    assert ended(ours) == 130
    code = name.split()[1]
    assert any(f"refused for option {code} (" in line for line in errors_of(ours))
    assert watch.lines == []
    assert noted(site)
    assert all(each.refused for each in noted(site))
    assert not any(checked_text(line)["event"] == "BOUND" for _, line in ours.lines)


def noted(site: Site) -> list[Malformed]:
    """What the client's journal says of malformed messages."""
    values = [line.value for line in read(site.place / "journal")]
    return [value for value in values if isinstance(value, Malformed)]


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
    return host.start(*ODD, "ask", "10.77.0.1", options, tag)


@scene
def test_a_server_answers_what_does_not_rest_on_what_is_malformed(site: Site) -> None:
    hosts = site.links(srv="10.77.0.1/24", **{f"c{each}": None for each in range(len(ASKED))})
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
    for name, (_, answered) in ASKED.items():
        said = ours.events("malformed")
        note = next(line["note"] for line in said if line["hardware"] == hardware[name])
        assert ("read without option" if answered else "refused for option") in note, name
    ours.signal(signal.SIGTERM)
    answers = {name: bool(each.said("OFFER")) for name, each in asking.items()}
    assert answers == {name: answered for name, (_, answered) in ASKED.items()}
    assert ours.ended(LONG) == 0


# Tags --------------------------------------------------------------------------------------------

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
ON_OR_OFF = ("on", "off")

TAGS = ("", PRIORITY, SERVICE, OTHER, BOTH, PRIORITY + PRIORITY, PRIORITY + OTHER, SERVICE + OTHER)
HEARD = [
    line
    for number, tag in enumerate((*TAGS, ""))
    if not tag.endswith(OTHER)
    for line in (bytes((number, 68)).hex(), str(IPv4Address("10.77.0.1") + number))
]


def offload(hosts: dict[str, Host], word: str) -> None:
    """Whether interfaces do what they can about tags by themselves, on both ends of the cables."""
    needs("ethtool")
    for host in hosts.values():
        for name, space in (("eth0", host.space), (host.port, host.switch)):
            wanted = [option for each in OFFLOADS for option in (each, word)]
            run("ip", "netns", "exec", space, "ethtool", "-K", name, *wanted)


@scenes(ON_OR_OFF)
def test_tags_of_no_vlan_are_heard_and_others_are_not(site: Site, offloads: str) -> None:
    hosts = site.links(says="10.77.0.1/24", hears=None)
    offload(hosts, offloads)
    hears = hosts["hears"].start(sys.executable, "-u", "-c", HEARING, "eth0")
    hears.says("hears", LONG)
    hosts["says"].run(sys.executable, "-u", "-c", SAYING, *TAGS, seconds=LONG)
    hears.says(HEARD[-1], LONG)
    assert [line for _, line in hears.lines[1:]] == HEARD


@scenes(ON_OR_OFF)
def test_a_client_hears_replies_that_have_a_priority(site: Site, offloads: str) -> None:
    """Ours, and a server that tags; another one's replies are of a VLAN."""
    hosts = site.links(srv="10.77.0.1/24", cli=None)
    offload(hosts, offloads)
    serve(hosts["srv"], GOOD + "ff", PRIORITY)
    ours = client(hosts["cli"], site.place)
    ours.says("BOUND", LONG)
    assert has_lease(hosts["cli"])
    assert (ended(ours), errors_of(ours)) == (130, [])


@scenes(ON_OR_OFF)
def test_a_server_hears_requests_that_have_a_priority(site: Site, offloads: str) -> None:
    """Ours, a client that tags, and one of a VLAN."""
    hosts = site.links(srv="10.77.0.1/24", near=None, far=None)
    offload(hosts, offloads)
    ours = server(hosts["srv"])
    options = "TYPE" + SERVER + "32040a4d0032" + "ff"
    far, near = ask(hosts["far"], options, OTHER), ask(hosts["near"], options, PRIORITY)
    near.says("ACK", LONG)
    assert [line.split()[0] for _, line in near.lines] == ["OFFER", "ACK"]
    assert far.lines == []
    ours.signal(signal.SIGTERM)
    assert ours.ended(LONG) == 0
    assert {each["hardware"] for each in ours.events("DHCPACK")} == {hosts["near"].hardware}


@scene
def test_a_client_and_a_server_on_interfaces_of_a_vlan(site: Site) -> None:
    seen = vlan.played(site.links, site.place)
    assert seen == vlan.Tagged(found=["10.77.0.90/"], left="", status=130)
