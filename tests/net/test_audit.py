"""`holdover audit --follow` on a link: findings at once, metrics, and a report at the end."""

from __future__ import annotations

import json
import signal
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder
from holdover.reference.linux.kernel.namespace import inside

OWN, LEASED = IPv4Interface("10.77.0.1/24"), IPv4Address("10.77.0.50")
SCRIPT = """#!/bin/sh
case $1 in
deconfig) ip link set "$interface" up ;;
bound | renew) ip -4 addr replace "$ip/$mask" dev "$interface" ;;
esac
"""
"""A client that never lets go."""


def test_a_client_that_stays_is_told_while_it_does(links: Links, tmp_path: Path) -> None:
    hosts = links(srv=str(OWN), a=None)
    srv, a = hosts["srv"], hosts["a"]
    order = ServerOrder(own=OWN, first=LEASED, last=LEASED, lease=6)
    audit = srv.holdover("audit", "--follow", "eth0", "--complete", "--metrics", "127.0.0.1:9100")
    eventually(lambda: asked(srv, "/metrics"), PATIENCE, "metrics are served")
    server = SERVERS["holdover"].start(srv, tmp_path / "server", order)
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    a.start("udhcpc", "-f", "-i", "eth0", "-s", script)
    eventually(lambda: a.has(LEASED), PATIENCE, "the client has its address")
    for process in list(a.processes):
        process.end()
    server.end()
    ping = f"while :; do busybox ping -c 1 -W 1 {OWN.ip} >/dev/null 2>&1; sleep 1; done"
    a.start("sh", "-c", ping)
    _, line = audit.says("was used by", PATIENCE)
    assert f"{LEASED} was used by {a.hardware}" in line
    assert "the client is at fault" in line
    eventually(
        lambda: f'holdover_seconds{{address="{LEASED}"' in asked(srv, "/metrics"),
        PATIENCE,
        "the holdover is among the metrics",
    )
    audit.signal(signal.SIGINT)
    assert audit.ended() == 1
    report = [line for _, line in audit.lines]
    assert any(line.startswith("violated: 1 finding") for line in report)
    assert audit.errors == []


def asked(host: Host, path: str) -> str:
    """What the metrics say; "" where nobody answers.  A thread enters the host's namespace."""
    with (
        inside(host.space),
        suppress(OSError),
        closing(HTTPConnection("127.0.0.1", 9100, timeout=PATIENCE)) as asking,
    ):
        asking.request("GET", path)
        answer = asking.getresponse()
        return answer.read().decode() if answer.status == HTTPStatus.OK else ""
    return ""


def test_an_interface_that_is_not_there_is_told(links: Links) -> None:
    (host,) = links(a=None).values()
    audit = host.holdover("audit", "--follow", "eth9", "--json")
    assert audit.ended() == 2
    assert audit.errors[0].startswith("error: interface eth9: there is none; nearest: eth0")


def test_nothing_on_the_link_is_unknown(links: Links) -> None:
    (host,) = links(a="10.77.0.5/24").values()
    audit = host.holdover("audit", "--follow", "eth0", "--json", "--metrics", "127.0.0.1:9100")
    eventually(lambda: asked(host, "/metrics"), PATIENCE, "metrics are served")
    audit.signal(signal.SIGTERM)
    assert audit.ended() == 3
    found = json.loads("\n".join(line for _, line in audit.lines))
    assert found["verdict"] == "unknown"
