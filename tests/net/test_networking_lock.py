"""`holdover client` while another program holds the kernel's networking lock; as root only.

The lock is the machine's, so it is taken only twice, for three clients on links of their own
(reference/lab/testbed/networking_lock.py).  Before clients looked at whether the kernel answers,
each was late: `renewing` was stuck in a request when its lease ended, and what `extended` and
`added` had asked for began, with its whole lifetime, when they were dead; in the end even with a
lease over.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from holdover.reference.core.events import Configure
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.testbed import networking_lock
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.storage.journal import Waited, read
from holdover.reference.validation.calls import calls
from holdover.reference.validation.follower import replay

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
LEASES = {"renewing": 8, "extended": 20, "added": 12}
LONG = PATIENCE


@dataclass(frozen=True)
class Leased:
    """What was seen of a client: the server's leases, and when its address came and went.

    `leases`: from when to when each is; `changes`: when, and whether the address was there then.
    """

    leases: list[tuple[Instant, Instant]]
    changes: list[tuple[Instant, bool]]
    errors: list[str]
    journal: Path


@dataclass(frozen=True)
class Holder:
    """A server and a client on a link, and the kernel's account of the client's addresses."""

    name: str
    journal: Path
    server: Process
    watch: Process
    client: Process

    @classmethod
    def begin(cls, hosts: dict[str, Host], place: Path, name: str, *more: str) -> Holder:
        """Start them; a lease is as long as `LEASES` says."""
        words = ("server", "eth0", "--pool", str(LEASED), "--no-probe", "--json")
        server = hosts["srv"].holdover(*words, "--lease", str(LEASES[name]))
        server.says("started", LONG)
        watch, journal = hosts["cli"].watch(), place / f"{name}.journal"
        there = ("--state-dir", place / name, "--journal", journal)
        client = hosts["cli"].holdover("client", "eth0", *there, *more)
        return cls(name, journal, server, watch, client)

    def configured(self) -> list[Configure]:
        """What its core wanted to be configured."""
        values = [line.value for line in read(self.journal)]
        return [value for value in values if isinstance(value, Configure)]

    def wait_until_asked(self, before: int) -> None:
        """And for a moment more: then the kernel is asked, or waited for."""
        eventually(lambda: len(self.configured()) > before, LONG, f"{self.name} is to")
        time.sleep(0.5)

    def leases(self) -> list[tuple[Instant, Instant]]:
        """From when to when the server has leased the address."""
        return [
            (ack["at"], ack["at"] + ack["lease"] * SECOND) for ack in self.server.events("DHCPACK")
        ]

    def seen(self) -> Leased:
        changes = [(at, not line.startswith("Deleted")) for at, line in list(self.watch.lines)]
        return Leased(self.leases(), changes, list(self.client.errors), self.journal)


@dataclass(frozen=True)
class Played:
    """What was seen of each, and from when to when the lock was held the second time."""

    clients: dict[str, Leased]
    since: Instant
    until: Instant

    @property
    def renewing(self) -> Leased:
        return self.clients["renewing"]


@pytest.fixture(scope="module")
def played(links: Links, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Three clients, and the lock held twice; in the end the one that renews ends in order."""
    if why := networking_lock.why_not():
        pytest.skip(f"the networking lock cannot be held here: {why}")
    place = tmp_path_factory.mktemp("state")
    hosts = {name: links(srv=f"{SERVER}/24", cli=None) for name in LEASES}
    extended = Holder.begin(hosts["extended"], place, "extended", "--no-probe")
    extended.client.says("in use", LONG)
    wait_until(extended.configured()[-1].lease.renew_at or 0, -SECOND)
    with networking_lock.hold_lock():
        extended.wait_until_asked(len(extended.configured()))
        extended.client.signal(signal.SIGKILL)
        wait_until(extended.leases()[-1][0], 5 * SECOND)  # its old lifetime is not over by then

    renewing = Holder.begin(hosts["renewing"], place, "renewing", "--no-probe")
    renewing.client.says("in use", LONG)
    # While the lock is held, the kernel removes no address either whose lifetime is over.
    wait_until(extended.leases()[-2][1], SECOND)
    added = Holder.begin(hosts["added"], place, "added")
    added.server.says("DHCPACK", LONG)  # it probes for as long as four seconds or more
    with networking_lock.hold_lock() as lock:
        renewing.wait_until_asked(len(renewing.configured()))
        added.wait_until_asked(0)
        added.client.signal(signal.SIGKILL)
        wait_until(lock.since, (LEASES["renewing"] + 5) * SECOND)
        wait_until(added.leases()[-1][1], SECOND)
    eventually(lambda: len(told(renewing.client.errors)) > 1, LONG, "it is over, and said")
    assert lock.until is not None
    wait_until(lock.until, max(LEASES.values()) * SECOND)  # what was to be late, has been
    clients = {each.name: each.seen() for each in (renewing, extended, added)}
    renewing.client.signal(signal.SIGTERM)
    assert renewing.client.ended(LONG) == 0
    return Played(clients, lock.since, lock.until)


def wait_until(at: int, more: int) -> None:
    time.sleep(max(at + more - now(), 0) / SECOND)


def told(errors: list[str]) -> list[str]:
    return [line for line in errors if "networking lock" in line]


def late(seen: Leased) -> float | None:
    """When no lease of the server's ran, how long it had the address, at most, in seconds.

    Negative is early; None: it never had it.  It is looked at whenever a lease begins, and when the
    address goes.
    """
    found, since = list[float](), None
    for at, there in [*seen.changes, (now(), False)]:
        if since is not None and not there:
            for look in [at, *(begun for begun, _ in seen.leases if since < begun < at)]:
                end = max(end for begun, end in seen.leases if begun < look)
                found.append((look - end) / SECOND)
        since = (since or at) if there else None
    return max(found, default=None)


@pytest.mark.parametrize("name", LEASES)
def test_no_address_is_there_longer_than_it_is_leased(
    played: Played, name: str, record_property: Callable[[str, object], None]
) -> None:
    by = late(played.clients[name])
    says = "never there" if by is None else f"{by:+.2f} s"
    record_property("the networking lock held: late by", f"{name}: {says}")
    assert by is None or by <= 0


def test_who_is_killed_while_it_waits_has_asked_for_nothing(played: Played) -> None:
    assert played.clients["added"].changes == []


def test_who_waits_goes_on_renewing_and_its_address_is_put_back(
    played: Played, record_property: Callable[[str, object], None]
) -> None:
    """The kernel, whose lifetime was over by then, is first when the lock is free."""
    since, until = played.since, played.until
    renewed = [begun for begun, _ in played.renewing.leases if since < begun < until]
    assert len(renewed) >= 2
    changes = [(at, there) for at, there in played.renewing.changes if at > since]
    back = min(at for at, there in changes if there)
    gone = [at for at, there in changes if not there and at < back]
    record_property("the address was away for", f"{(back - min([back, *gone])) / SECOND:.3f} s")
    assert len(gone) <= 1
    assert back - until < LEASES["renewing"] / 4 * SECOND, "half of what it may be to a renewal"


def test_it_is_said_and_written_down(played: Played) -> None:
    assert len(told(played.renewing.errors)) == 2, "once when noticed, once when over"
    values = [line.value for line in read(played.renewing.journal)]
    longest = max(value.length for value in values if isinstance(value, Waited))
    assert 0 <= (played.until - played.since) - longest < 2 * SECOND


def test_the_journal_conforms(played: Played) -> None:
    assert replay(list(calls(read(played.renewing.journal)))).outcome == "holds"
