"""`holdover client` while another program holds the kernel's networking lock; as root only.

The lock is the machine's, so it is taken only twice, for three clients on links of their own
(reference/lab/testbed/networking_lock.py).  Before clients looked at whether the kernel answers,
each was late: `renewing` was stuck in a request when its lease ended, and what `extended` and
`added` had asked for began, with its whole lifetime, when they were dead; in the end even with a
lease over.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.core.events import Configure
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed import networking_lock
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.storage.journal import Waited, read
from holdover.reference.validation.calls import calls
from holdover.reference.validation.follower import replay

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
LEASES = {"renewing": 8, "extended": 20, "added": 12}
LONG = PATIENCE


@dataclass
class Stage:
    """A link with a server and a client."""

    srv: Any
    cli: Any
    state: Path
    server: Any = None
    client: Any = None
    watch: Any = None

    @property
    def journal(self) -> Path:
        return self.state.with_suffix(".journal")

    def begin(self, *more: str) -> None:
        lease = str(LEASES[self.state.name])
        words = ("server", "eth0", "--pool", str(LEASED), "--no-probe", "--json", "--lease", lease)
        self.server = self.srv.holdover(*words)
        self.server.says("started", LONG)
        self.watch = self.cli.watch()
        there = ("--state-dir", self.state, "--journal", self.journal)
        self.client = self.cli.holdover("client", "eth0", *there, *more)

    def configured(self) -> list[Configure]:
        """What its core wanted to be configured."""
        values = [line.value for line in read(self.journal)]
        return [value for value in values if isinstance(value, Configure)]

    def wait_until_asked(self, before: int) -> None:
        """And for a moment more: then the kernel is asked, or waited for."""
        eventually(lambda: len(self.configured()) > before, LONG, f"{self.state.name} is to")
        time.sleep(0.5)

    def acks(self) -> list[tuple[int, int]]:
        """From when to when the server has leased the address."""
        return [
            (ack["at"], ack["at"] + ack["lease"] * SECOND) for ack in self.server.events("DHCPACK")
        ]

    def seen(self) -> dict[str, Any]:
        changes = [(at, not line.startswith("Deleted")) for at, line in list(self.watch.lines)]
        return {"acks": self.acks(), "changes": changes, "errors": list(self.client.errors)}


@pytest.fixture(scope="module")
def stages(links: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    place = tmp_path_factory.mktemp("state")
    return {
        name: Stage(**links(srv=f"{SERVER}/24", cli=None), state=place / name) for name in LEASES
    }


@pytest.fixture(scope="module")
def played(stages: dict[str, Stage]) -> dict[str, Any]:
    """What was seen of each, and from when to when the lock was held the second time."""
    if why := networking_lock.why_not():
        pytest.skip(f"the networking lock cannot be held here: {why}")
    renewing, extended, added = (stages[name] for name in LEASES)
    extended.begin("--no-probe")
    extended.client.says("in use", LONG)
    wait_until(extended.configured()[-1].lease.renew_at or 0, -SECOND)
    with networking_lock.hold_lock():
        extended.wait_until_asked(len(extended.configured()))
        extended.client.signal(signal.SIGKILL)
        wait_until(extended.acks()[-1][0], 5 * SECOND)  # its old lifetime is not over by then

    renewing.begin("--no-probe")
    renewing.client.says("in use", LONG)
    added.begin()
    added.server.says("DHCPACK", LONG)  # it probes for as long as four seconds or more
    with networking_lock.hold_lock() as lock:
        renewing.wait_until_asked(len(renewing.configured()))
        added.wait_until_asked(0)
        added.client.signal(signal.SIGKILL)
        wait_until(lock.since, (LEASES["renewing"] + 5) * SECOND)
        wait_until(added.acks()[-1][1], SECOND)
    eventually(lambda: len(told(renewing.client.errors)) > 1, LONG, "it is over, and said")
    wait_until(lock.until or 0, max(LEASES.values()) * SECOND)  # what was to be late, has been
    seen: dict[str, Any] = {name: stage.seen() for name, stage in stages.items()}
    renewing.client.signal(signal.SIGTERM)
    return seen | {"held": (lock.since, lock.until), "status": renewing.client.ended(LONG)}


def wait_until(at: int, more: int) -> None:
    time.sleep(max(at + more - now(), 0) / SECOND)


def told(errors: list[str]) -> list[str]:
    return [line for line in errors if "networking lock" in line]


def late(seen: Any) -> float | None:
    """When no lease of the server's ran, how long it had the address, at most, in seconds.

    Negative is early; None: it never had it.  It is looked at whenever a lease begins, and when the
    address goes.
    """
    found, since = [], None
    for at, there in [*seen["changes"], (now(), False)]:
        if since is not None and not there:
            for look in [at, *(begun for begun, _ in seen["acks"] if since < begun < at)]:
                end = max(end for begun, end in seen["acks"] if begun < look)
                found.append((look - end) / SECOND)
        since = (since or at) if there else None
    return max(found, default=None)


@pytest.mark.parametrize("name", LEASES)
def test_no_address_is_there_longer_than_it_is_leased(
    played: Any, name: str, record_property: Callable[[str, object], None]
) -> None:
    by = late(played[name])
    says = "never there" if by is None else f"{by:+.2f} s"
    record_property("the networking lock held: late by", f"{name}: {says}")
    assert by is None or by <= 0


def test_who_is_killed_while_it_waits_has_asked_for_nothing(played: Any) -> None:
    assert played["added"]["changes"] == []


def test_who_waits_goes_on_renewing_and_its_address_is_put_back(
    played: Any, record_property: Callable[[str, object], None]
) -> None:
    """The kernel, whose lifetime was over by then, is first when the lock is free."""
    since, until = played["held"]
    renewed = [begun for begun, _ in played["renewing"]["acks"] if since < begun < until]
    assert len(renewed) >= 2
    changes = [(at, there) for at, there in played["renewing"]["changes"] if at > since]
    back = min(at for at, there in changes if there)
    gone = [at for at, there in changes if not there and at < back]
    record_property("the address was away for", f"{(back - min([back, *gone])) / SECOND:.3f} s")
    assert len(gone) <= 1
    assert back - until < SECOND


def test_it_is_said_and_written_down(played: Any, stages: dict[str, Stage]) -> None:
    since, until = played["held"]
    assert len(told(played["renewing"]["errors"])) == 2, "once when noticed, once when over"
    values = [line.value for line in read(stages["renewing"].journal)]
    longest = max(value.length for value in values if isinstance(value, Waited))
    assert 0 <= (until - since) - longest < 2 * SECOND
    assert played["status"] == 0


def test_the_journal_conforms(played: Any, stages: dict[str, Stage]) -> None:
    assert replay(list(calls(read(stages["renewing"].journal)))).outcome == "holds"
