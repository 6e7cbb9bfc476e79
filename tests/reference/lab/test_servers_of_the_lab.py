"""The lab's servers: each says its version, and is not asked for what it cannot do."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import cast

import pytest

from holdover.reference.lab.testbed.netns import Host
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder

OWN, FIRST = IPv4Interface("10.77.0.1/24"), IPv4Address("10.77.0.50")
NEAR = IPv4Address("10.88.0.50")
USUAL = ServerOrder(own=OWN, first=FIRST, last=FIRST, lease=600)


@pytest.mark.parametrize("server", SERVERS)
def test_each_server_says_its_version(server: str) -> None:
    if (program := SERVERS[server].missing()) is not None:
        pytest.skip(f"needs the program {program}: package {SERVERS[server].package}")
    assert SERVERS[server].version()[0].isdigit()


@pytest.mark.parametrize(
    ("server", "order", "reason"),
    [
        ("dnsmasq", replace(USUAL, lease=119), "no lease shorter than 120 s"),
        ("kea", replace(USUAL, probe=True), "does not ask whether an address is in use"),
        ("holdover", replace(USUAL, times=(3, 10)), "tells no T1 and T2"),
        ("holdover", replace(USUAL, first=NEAR, last=NEAR), "on its own link only"),
    ],
)
def test_what_a_server_cannot_do_is_not_asked_of_it(
    server: str, order: ServerOrder, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason):
        SERVERS[server].start(cast(Host, None), tmp_path / "place", order)
    assert not (tmp_path / "place").exists()
