"""Captures that nobody here has made: none is a finding, and for each it is known why not.

They are the test captures of gopacket, in Debian's package of it: three of real networks, and 52
pcapng files, each in either byte order, which have in them what the form allows: interfaces without
a frame, blocks without a time, drops, cut frames.  Their frames are one DHCP exchange of 2004.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from holdover.reference.audit.course import Grounding, Sources, run_course
from holdover.reference.audit.monitor.results import Audit
from holdover.reference.audit.report.text import reasons

PACKAGE = "golang-github-google-gopacket-dev"
PLACE = Path("/usr/share/gocode/src/github.com/google/gopacket")

NONE = "no lease was seen"
SHORT = "what was given ends before the lease"
CUT = "no lease was seen", "cut off by the capture"
DROPPED = "the capture dropped 12345 frames"
UNTIMED = "frames without a time (Simple Packet Blocks)"
LOST = "dropped 10 frames, and does not say when"

FRAMELESS = dict.fromkeys(("test002", "test003", "test015", "test017", "test200"), (NONE,))
CUT_OFF = dict.fromkeys((f"test00{number}" for number in (4, 5, 6, 7, 8)), CUT)
SIMPLE = dict.fromkeys(
    ("test010", "test011", "test012", "test016", "test018", "test100"), (UNTIMED,)
)
DROPS = dict.fromkeys(("test013", "test014", "test101", "test102", "test202"), (LOST,))

EXPLAINED: dict[str, tuple[str, ...]] = {
    "test_dns": (NONE,),  # names are asked for, and no address
    "test_ethernet": (NONE,),  # one TCP connection
    "test_loopback": (NONE,),  # a loopback's frames have no hardware address
    "test001": (SHORT,),  # the whole exchange: a lease of an hour, and 0.07 s of it
    "test009": (DROPPED,),
    "test201": (LOST, UNTIMED),
    "test901": (NONE,),  # the exchange without its DHCPACK
    "test902": (NONE,),  # a DHCPDISCOVER alone
    **FRAMELESS,
    **CUT_OFF,
    **SIMPLE,
    **DROPS,
}
"""Why each is no finding, and no pass."""


def files() -> list[Path]:
    return sorted(PLACE.rglob("*.pcap*"))


def audit(path: Path) -> Audit:
    return run_course(Sources((str(path),)), Grounding.of())


@pytest.fixture(autouse=True)
def installed() -> None:
    if not PLACE.exists():
        pytest.skip(f"needs Debian's package {PACKAGE}")


def test_each_file_is_explained() -> None:
    assert {path.stem for path in files()} == set(EXPLAINED)


@pytest.mark.parametrize("name", EXPLAINED)
def test_it_is_no_finding_and_it_is_known_why(name: str) -> None:
    found = [audit(path) for path in files() if path.stem == name]
    assert found
    for each in found:
        assert (each.verdict, each.findings) == ("unknown", ())
        told = [*reasons(each), *(unread.why for unread in each.unreadable)]
        for why in EXPLAINED[name]:
            assert any(why in line for line in told), told


def test_both_byte_orders_are_one_capture() -> None:
    """As far as an audit says; where it was read is another thing."""
    orders = [
        {p.stem: audit(p) for p in files() if p.parent.name == order} for order in ("be", "le")
    ]
    assert len(orders[0]) == len(orders[1]) == 26
    for name, big in orders[0].items():
        little = orders[1][name]
        assert [line.leases[0].begin for line in big.addresses if line.leases] == [
            line.leases[0].begin for line in little.addresses if line.leases
        ]
        assert [each.why for each in big.gaps] == [each.why for each in little.gaps]
        assert {n: (r.kept, r.broken) for n, r in big.rules.items()} == {
            n: (r.kept, r.broken) for n, r in little.rules.items()
        }


def test_the_exchange_is_read_as_it_was() -> None:
    (path,) = (each for each in files() if each.parent.name == "le" and each.stem == "test001")
    (line,) = audit(path).addresses
    (lease,) = line.leases
    assert (str(line.address), lease.server, lease.acks) == ("192.168.0.10", "192.168.0.1", 1)
    assert lease.hardware == bytes.fromhex("000b8201fc42")
    assert lease.end is not None
    assert lease.end - lease.begin == 3600 * 10**9
    # Its server echoes no client identifier: RFC 6842 is of 2013.
    assert audit(path).rules["R38"].broken == 2
