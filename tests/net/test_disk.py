"""`holdover client` and `holdover server` where nothing can be stored; as root only.

Disks that are full or read-only, from the beginning, for a while, and for good.
"""

import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.testbed.netns import Links, run
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from holdover.reference.wire.option_values import NO_ADDRESS
from tests.net.scenes import errors_of, named, needs, scene, sees
from tests.net.stage import LEASED, Explained, Stage

FILL = "head -c 200000 /dev/zero >{}/fill 2>&1 || true"


@dataclass(frozen=True)
class Disk:
    """A small disk in a directory, seen only by the program that is started under it."""

    directory: Path

    def under(self, then: str = "") -> tuple[str, ...]:
        """What starts a program that sees it; `then`: a shell's words before that."""
        self.directory.mkdir(exist_ok=True)
        mount = f"mount -t tmpfs -o size=64k tmpfs {self.directory}"
        shell = f'{mount}; {then}\nexec "$@"'
        return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", shell, "sh")

    def fill(self, process: Process) -> None:
        """Fill it up."""
        there = Path(f"/proc/{process.running.pid}/root{self.directory}")
        run("sh", "-c", FILL.format(there))

    def empty(self, process: Process) -> None:
        """Make room on it again."""
        Path(f"/proc/{process.running.pid}/root{self.directory}/fill").unlink()

    def make_read_only(self, process: Process) -> None:
        """Let nobody write to it."""
        self._remount(process, "ro")

    def make_writable(self, process: Process) -> None:
        """Let it be written to again."""
        self._remount(process, "rw")

    def _remount(self, process: Process, how: str) -> None:
        words = ("nsenter", "-m", "-t", str(process.running.pid), "mount", "-o", f"remount,{how}")
        run(*words, str(self.directory))


@pytest.fixture(scope="module")
def staged(links: Links) -> Callable[[Path], Stage]:
    needs("nsenter")
    return partial(Stage.on, links)


# No room from the beginning ----------------------------------------------------------------------


@dataclass(frozen=True)
class Recovered:
    """A client that could not store its lease, and then could."""

    explained: Explained


@dataclass(frozen=True)
class NotStored(Recovered):
    """What it said while it could not; when the DHCPACKs came that it could not store."""

    errors: list[str]
    acked: list[Instant]


@dataclass(frozen=True)
class Idle(Recovered):
    """Seconds of a processor that it used while it waited for room."""

    used: float


def full_disk(stage: Stage) -> NotStored:
    """No lease can be stored from the beginning; then there is room."""
    server = stage.server(lease=60)
    watch, before = stage.cli.watch(), stage.cli.picture()
    client = stage.client("--no-probe", "--journal", stage.journal, under=full(stage))
    eventually(lambda: errors_of(client), PATIENCE, "it says so")
    server.says("DHCPACK", PATIENCE, times=2)  # asked again, and not at once
    errors, acks = errors_of(client), server.events("DHCPACK")
    assert (watch.lines, client.events("BOUND")) == ([], [])
    Disk(stage.state).empty(client)
    client.says("BOUND", PATIENCE)
    stage.stop(client, before)
    return NotStored(stage.explain(), errors, [ack["at"] for ack in acks])


def full_disk_probing(stage: Stage) -> Idle:
    """The same with a client that has probed for the address when it cannot be stored."""
    stage.server(lease=60)
    watch, before = stage.cli.watch(), stage.cli.picture()
    client = stage.client("--journal", stage.journal, under=full(stage))
    eventually(lambda: errors_of(client), PATIENCE, "it says so")
    assert watch.lines == []
    begun = seconds(client)
    Disk(stage.state).empty(client)
    client.says("BOUND", PATIENCE)
    used = seconds(client) - begun
    stage.stop(client, before)
    return Idle(stage.explain(), used)


def full(stage: Stage) -> tuple[str, ...]:
    """What starts a client whose state directory is full."""
    return Disk(stage.state).under(f"chmod 700 {stage.state}; {FILL.format(stage.state)}")


def seconds(process: Process) -> float:
    """Of a processor, that it has used."""
    user, system = Path(f"/proc/{process.running.pid}/stat").read_text().split()[13:15]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@sees(full_disk)
def test_a_lease_that_cannot_be_stored_is_not_used(seen: NotStored) -> None:
    (error,) = seen.errors
    assert "No space left on device; the lease is not durably stored" in error
    assert f"{LEASED} is not used before it is" in error


@sees(full_disk)
def test_it_is_asked_for_again_as_if_the_dhcpack_were_lost(seen: NotStored) -> None:
    first, second = seen.acked[:2]
    assert second - first > 2 * SECOND, "RFC 2131 §4.1: about four seconds"


@sees(full_disk, full_disk_probing)
def test_when_there_is_room_the_lease_is_used(seen: Recovered) -> None:
    assert seen.explained.status == 0, seen.explained.lines


@sees(full_disk_probing)
def test_who_waits_for_room_is_idle(seen: Idle) -> None:
    assert seen.used < 1


# A renewal that cannot be stored -----------------------------------------------------------------


@dataclass(frozen=True)
class Unrenewed:
    """A renewal that could not be stored: what was said of it, and of the journal in the end."""

    errors: list[str]
    explained: Explained


@dataclass(frozen=True)
class RenewedLater(Unrenewed):
    """The last of what was said, when it could be stored again."""

    last: str


@dataclass(frozen=True)
class LetGo(Unrenewed):
    """Seconds from when the address was gone to the end of the lease that was stored."""

    early: float


STORED = 16
"""Seconds of the lease that is stored, and never renewed."""

Spoil = Callable[[Disk, Process], None]


def renewed_later(spoil: Spoil, mend: Spoil) -> Callable[[Stage], RenewedLater]:
    """The first lease can be stored, its renewal cannot; then it can again."""

    def play(stage: Stage) -> RenewedLater:
        watch, before = stage.cli.watch(), stage.cli.picture()
        _, client, errors = unrenewed(stage, 40, spoil)
        mend(Disk(stage.state), client)
        client.says("EXTENDED", PATIENCE)
        assert watch.said("Deleted") == []
        stage.stop(client, before)
        return RenewedLater(errors, stage.explain(), errors_of(client)[-1])

    return play


def let_go(stage: Stage) -> LetGo:
    """The first lease can be stored, and no renewal."""
    watch, before = stage.cli.watch(), stage.cli.picture()
    server, client, errors = unrenewed(stage, STORED, Disk.make_read_only)
    watch.says("Deleted", PATIENCE)
    client.says("LAPSED", PATIENCE)
    stored = server.events("DHCPACK")[0]
    end = stored["at"] + stored["lease"] * SECOND
    early = (end - watch.said("Deleted")[0][0]) / SECOND
    stage.stop(client, before)
    return LetGo(errors, stage.explain(), early)


def unrenewed(stage: Stage, lease: int, spoil: Spoil) -> tuple[Process, Process, list[str]]:
    """A server, a client that could not store its renewal and has the address, what it says."""
    server, disk = stage.server(lease=lease), Disk(stage.state)
    under = disk.under(f"chmod 700 {stage.state}")
    client = stage.bound("--journal", stage.journal, under=under)
    spoil(disk, client)
    eventually(lambda: errors_of(client), PATIENCE, "it says so")
    assert stage.cli.has(LEASED)
    return server, client, errors_of(client)


filled = named("filled_back", renewed_later(Disk.fill, Disk.empty))
read_only_for_a_while = named(
    "made_read_only_back", renewed_later(Disk.make_read_only, Disk.make_writable)
)
read_only_for_good = named("made_read_only_for_good", let_go)


@sees(filled, read_only_for_a_while, read_only_for_good)
def test_a_renewal_that_cannot_be_stored_is_said_and_the_address_stays(seen: Unrenewed) -> None:
    (error,) = seen.errors
    assert re.search(f"{LEASED} stays as long as what is stored says, [0-9]+ s", error)


@sees(filled, read_only_for_a_while)
def test_it_is_renewed_when_it_can_be_stored(seen: RenewedLater) -> None:
    assert "leases can be stored again" in seen.last


@sees(read_only_for_good)
def test_it_goes_before_what_is_stored_ends(seen: LetGo) -> None:
    assert 0 <= seen.early < STORED / 2, "nor did it go when it was to be renewed"


@sees(filled, read_only_for_a_while, read_only_for_good)
def test_a_client_that_cannot_store_keeps_to_the_table(seen: Unrenewed) -> None:
    # Once the kernel has removed the address, one call forgets the old lease and cannot store the
    # new one: the table has no half of a row, and the verdict is *unknown*.
    status, explanation = seen.explained
    half = any("part of a call was taken back" in line for line in explanation)
    assert status == (3 if half else 0), explanation


# Directories and files ---------------------------------------------------------------------------


@scene
def test_a_state_directory_that_is_read_only_is_refused_at_once(stage: Stage) -> None:
    stage.server()
    watch, before = stage.cli.watch(), stage.cli.picture()
    made_so = f"chmod 700 {stage.state}; mount -o remount,ro {stage.state}"
    client = stage.client("--no-probe", under=Disk(stage.state).under(made_so))
    assert client.ended(PATIENCE) == 2
    (error,) = errors_of(client)
    assert "no directory that user 0 can write to" in error
    assert (watch.lines, stage.cli.picture()) == ([], before)


@scene
def test_a_journal_that_cannot_be_written_is_told_once_and_ends_nothing(stage: Stage) -> None:
    before, disk = stage.cli.picture(), Disk(stage.place / "disk")
    stage.server()
    client = stage.bound("--journal", disk.directory / "journal", under=disk.under())
    disk.fill(client)
    client.says("EXTENDED", PATIENCE, times=2)
    stage.stop(client, before)
    assert len([line for line in errors_of(client) if "No space left on device" in line]) == 1


# A server ----------------------------------------------------------------------------------------

ASKING = """
import time
from ipaddress import IPv4Address
from holdover.reference.wire.frames import *
from holdover.reference.linux.kernel.sockets import LinkSocket
from holdover.reference.wire.messages import *
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import decode, encode
link, server = LinkSocket("eth0", CLIENT_PORT), IPv4Address("10.77.0.1")
for number in range(100):
    asks = BootRequest(MessageType.REQUEST, number, b"\\2\\7\\0\\0\\0" + bytes((number,)),
                       server=server, requested=server + 49 + number, broadcast=True)
    said = Datagram(NO_ADDRESS, ALL_HOSTS, CLIENT_PORT, SERVER_PORT, encode(request_to_wire(asks)))
    link.send(encode_frame(EVERYONE, link.hardware, said))
    time.sleep(0.05)
    for frame in link.receive():
        print(decode(frame.content.payload).yiaddr, flush=True)
"""
"""A hundred hosts ask for an address each; it says which were acknowledged."""


@scene
def test_no_dhcpack_leaves_a_server_whose_disk_is_full(stage: Stage) -> None:
    """It refuses who has nothing on record, says why, and does not end.

    No page of its disk is left beside those that its file has.
    """
    disk = Disk(stage.place / "disk")
    more = ("--pool", "10.77.0.50-10.77.0.200", "--leases", disk.directory / "leases")
    server = stage.server(*more, lease=600, under=disk.under())
    disk.fill(server)
    asking = stage.other.start(sys.executable, "-u", "-c", ASKING)
    asking.ended(PATIENCE)
    server.signal(signal.SIGTERM)
    assert server.ended(PATIENCE) == 0
    assert "No space left on device" in server.events("not stored")[0]["note"]
    heard = [line for _, line in asking.lines]
    acks = [ack["address"] for ack in server.events("DHCPACK")]
    assert 5 < len(acks) < 100
    assert [address for address in heard if address != str(NO_ADDRESS)] == acks
    assert str(NO_ADDRESS) in heard, "a DHCPNAK"
