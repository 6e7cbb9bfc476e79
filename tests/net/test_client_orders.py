"""What users, administrators and supervisors do to `holdover client`; as root only.

Signals, a second client, addresses that come and go beside the client's, a link too small for DHCP,
no server, a supervisor that wants to know.
"""

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Interface

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.linux.kernel.clock import now
from tests.net.scenes import errors_of, scene
from tests.net.stage import LEASED, Stage
from tests.schemas import checked_text

ADMINISTRATORS = IPv4Interface("10.77.0.200/24")
ENDED_BEFORE_IT_WORKS = """
import os, signal
from holdover.reference.cli import main
from holdover.reference.linux.server import Service

run = Service.run


def ended(self, *given):
    os.kill(os.getpid(), signal.SIGTERM)
    return run(self, *given)


Service.run = ended
main()
"""

# Signals -----------------------------------------------------------------------------------------


@scene
def test_usr1_renews_usr2_gives_back_and_a_terminal_that_closes_ends_it(stage: Stage) -> None:
    """Renewed on request; given back on request; leased again on request; ended in order."""
    server, before = stage.server(lease=600), stage.cli.picture()
    client = stage.bound("--journal", stage.journal)
    client.signal(signal.SIGUSR1)
    client.says("EXTENDED", PATIENCE)
    assert stage.cli.has(LEASED)
    client.signal(signal.SIGUSR2)
    client.says("RELEASED", PATIENCE)
    server.says("DHCPRELEASE", PATIENCE)
    assert stage.cli.picture() == before
    client.signal(signal.SIGUSR1)
    client.says("BOUND", PATIENCE, times=2)
    assert stage.cli.has(LEASED)
    client.signal(signal.SIGHUP)
    assert client.ended(PATIENCE) == 128 + signal.SIGHUP
    assert stage.cli.picture() == before
    assert client.events("STOPPED")
    status, explanation = stage.explain()
    assert status == 0, explanation


# Others on the interface -------------------------------------------------------------------------


@scene
def test_a_second_client_is_refused_wherever_it_remembers_its_lease(stage: Stage) -> None:
    elsewhere = ("--no-probe", "--state-dir", stage.place / "elsewhere")
    stage.server(lease=600)
    client = stage.bound()
    other = stage.client(*elsewhere)
    assert other.ended(PATIENCE) == 2
    (error,) = errors_of(other)
    assert f"another holdover client serves eth0 (process {client.running.pid})" in error
    client.signal(signal.SIGKILL)
    client.ended()
    third = stage.client(*elsewhere)
    third.says("BOUND", PATIENCE)  # what a killed one held is free


@scene
def test_an_administrators_address_stays_when_the_lease_is_over(stage: Stage) -> None:
    """He adds one in the subnet of the lease; the lease's own goes."""
    stage.server(lease=600)
    before = promotes(stage)
    client = stage.bound()
    stage.cli.ip("addr", "add", str(ADMINISTRATORS), "dev", "eth0")
    client.signal(signal.SIGTERM)
    client.ended(PATIENCE)
    assert list(stage.cli.addresses()) == [ADMINISTRATORS]
    assert promotes(stage) == before, "what was set for that is taken back"


def promotes(stage: Stage) -> str:
    """Whether the client's kernel keeps a secondary address where the primary one goes."""
    return stage.cli.run("cat", "/proc/sys/net/ipv4/conf/eth0/promote_secondaries")


@scene
def test_so_it_does_when_the_kernel_takes_the_address(stage: Stage) -> None:
    stage.server(lease=8)
    watch = stage.cli.watch()
    client = stage.bound()
    stage.cli.ip("addr", "add", str(ADMINISTRATORS), "dev", "eth0")
    client.signal(signal.SIGKILL)
    watch.says(f"Deleted.*{LEASED}", PATIENCE)
    assert list(stage.cli.addresses()) == [ADMINISTRATORS]


@scene
def test_an_address_taken_by_hand_is_said_and_is_back_at_t1(stage: Stage) -> None:
    """Somebody takes it off the interface; the lease goes on."""
    stage.server(lease=40)
    client = stage.bound()
    stage.cli.ip("addr", "del", f"{LEASED}/24", "dev", "eth0")
    at = now()
    eventually(lambda: errors_of(client), PATIENCE, "it says so")
    (line,) = errors_of(client)
    assert now() - at < 10 * SECOND
    assert f"{LEASED} was taken off the interface by somebody else" in line
    client.says("BOUND", PATIENCE, times=2)  # at T1, after half of the lease
    assert now() - at > 10 * SECOND
    assert stage.cli.has(LEASED)


# The link ----------------------------------------------------------------------------------------


@scene
def test_a_link_too_small_for_dhcp_is_said_and_ends_nothing(stage: Stage) -> None:
    """No DHCP message fits; then they do."""
    stage.server(lease=600)
    stage.cli.ip("link", "set", "eth0", "mtu", "300")
    client = stage.client("--no-probe")
    eventually(lambda: errors_of(client), PATIENCE, "it says so")
    stage.cli.ip("link", "set", "eth0", "mtu", "1500")
    client.says("BOUND", PATIENCE)
    (line,) = errors_of(client)
    assert "its MTU of 300" in line


# No server, and one that grants too little -------------------------------------------------------


@scene
def test_who_is_not_answered_says_so_soon_then_sparsely_and_gives_up(stage: Stage) -> None:
    """Nobody answers; with status 3 it ends, and leaves nothing."""
    before, began = stage.cli.picture(), now()
    client = stage.client("--timeout", "40")
    assert client.ended(PATIENCE) == 3
    assert now() - began >= 40 * SECOND
    assert stage.cli.picture() == before
    told = [checked_text(line) for _, line in client.lines]
    first, *more = [line for line in told if line["event"] == "SILENT"]
    assert "DISCOVER" in [each["message"] for each in first["sent"]]
    assert 3 * SECOND <= first["at"] - first["since"] < 8 * SECOND
    assert 1 <= len(more) <= 3
    assert errors_of(client) == [
        "error: eth0: no address is in use after 40 s (--timeout); "
        "is there a DHCP server on this link?"
    ]


@scene
def test_a_lease_in_use_that_nobody_renews_is_said(stage: Stage) -> None:
    """The server stops answering while a lease is in use."""
    server = stage.server(lease=16)
    client = stage.bound("--timeout", "1m")
    server.signal(signal.SIGKILL)
    client.says("SILENT", PATIENCE)
    assert stage.cli.has(LEASED)
    assert [each["message"] for each in client.events("SILENT")[0]["sent"]] == ["REQUEST"]


@scene
def test_a_lease_shorter_than_the_probe_is_said_with_what_to_do(stage: Stage) -> None:
    """Probing takes longer than the lease lasts."""
    stage.server(lease=5)
    words = ("client", "eth0", "--state-dir", stage.state)
    client = stage.cli.holdover(*words)
    said = eventually(
        lambda: [line for line in errors_of(client) if "--no-probe" in line], PATIENCE, "it says so"
    )
    assert "grants leases of 5 s: the address is never in use" in said[0]


@scene
def test_each_message_is_a_line_where_asked(stage: Stage) -> None:
    stage.server(lease=600)
    told = [checked_text(line) for _, line in stage.bound("-v").lines]
    assert [line["event"] for line in told[:4]] == ["SENT", "RECEIVED", "SENT", "RECEIVED"]
    assert [line["message"] for line in told[:4]] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]


# A supervisor ------------------------------------------------------------------------------------


@contextmanager
def supervisor(stage: Stage) -> Iterator[tuple[socket.socket, tuple[str, ...]]]:
    """What hears a program as systemd does, and the words that start a program with it."""
    path = stage.place / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listens:
        listens.bind(str(path))
        listens.settimeout(PATIENCE)
        yield listens, ("env", f"NOTIFY_SOCKET={path}")


@scene
def test_a_supervisor_is_told_when_the_address_is_in_use_and_when_it_ends(stage: Stage) -> None:
    with supervisor(stage) as (listens, under):
        stage.server(lease=600)
        words = ("client", "eth0", "--no-probe", "--state-dir", stage.state)
        client = stage.cli.holdover(*words, under=under)
        while "READY=1" not in (ready := listens.recv(4096).decode()):
            pass
        assert stage.cli.has(LEASED)
        assert f"STATUS={LEASED}/24" in ready
        client.signal(signal.SIGTERM)
        while "STOPPING=1" not in listens.recv(4096).decode():
            pass
    assert client.ended(PATIENCE) == 0


@scene
def test_a_supervisor_is_told_when_the_server_serves(stage: Stage) -> None:
    """It is told to end after the word, before its work has begun."""
    with supervisor(stage) as (listens, under):
        words = f"server eth0 --pool {LEASED} --lease 60"
        server = stage.srv.start(
            *under, sys.executable, "-c", ENDED_BEFORE_IT_WORKS, *words.split()
        )
        assert "READY=1" in listens.recv(4096).decode()
        assert "STOPPING=1" in listens.recv(4096).decode()
    assert server.ended(PATIENCE) == 0
