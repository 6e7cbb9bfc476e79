"""`holdover client` while another program holds the kernel's networking lock; as root only.

The lock is the machine's, so it is taken once, for three clients on links of their own
(reference/lab/networking_lock.py).  Under the code before this test was written all three were
late: `renewing` was stuck in a request when its lease ended, and what `added` and `extended` had
asked for began, with its whole lifetime, when they were dead and their leases over.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.calls import calls
from holdover.reference.events import SECOND
from holdover.reference.lab import networking_lock
from holdover.reference.lab.process import eventually
from holdover.reference.linux.clock import now
from holdover.reference.linux.journal import Waited, read
from holdover.reference.replay import replay

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")
LEASES = {"renewing": 8, "extended": 20, "added": 12}
LONG = 60


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

    def asked(self) -> int:
        """How often its core wanted the address configured."""
        return self.journal.read_text().count('"kind": "Configure"')

    def wait_until_asked(self, before: int) -> None:
        eventually(lambda: self.asked() > before, LONG, f"{self.state.name} is to configure")

    def acks(self) -> list[tuple[int, int]]:
        """From when to when the server has leased the address."""
        return [(ack["at"], ack["at"] + ack["lease"] * SECOND) for ack in
                self.server.events("DHCPACK")]  # fmt: skip

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
    """What was seen of each, and from when to when the lock was held."""
    if why := networking_lock.why_not():
        pytest.skip(f"the networking lock cannot be held here: {why}")
    renewing, extended, added = (stages[name] for name in LEASES)
    for stage in (renewing, extended):
        stage.begin("--no-probe")
        stage.client.says("in use", LONG)
    added.begin()
    added.server.says("DHCPACK", LONG)  # it probes for as long as four seconds or more
    with networking_lock.held() as lock:
        before = [stage.asked() for stage in (extended, renewing)]
        renewing.wait_until_asked(before[1])
        extended.wait_until_asked(before[0])
        added.wait_until_asked(0)
        time.sleep(0.5)
        extended.client.signal(signal.SIGKILL)
        added.client.signal(signal.SIGKILL)
        last = {name: stage.acks()[-1] for name, stage in stages.items()}
        due = (  # until what was asked for, and begins now, is sure to end after the lease
            last["added"][1] + SECOND,
            last["extended"][0] + 5 * SECOND,
            lock.since + (LEASES["renewing"] + 4) * SECOND,
        )
        time.sleep(max(max(due) - now(), 0) / SECOND)
    eventually(lambda: len(told(renewing.client.errors)) > 1, LONG, "it is over, and said")
    time.sleep(max(LEASES.values()))  # whatever was to be late, has been
    seen: dict[str, Any] = {name: stage.seen() for name, stage in stages.items()}
    renewing.client.signal(signal.SIGTERM)
    return seen | {"held": (lock.since, lock.until), "status": renewing.client.ended(LONG)}


def told(errors: list[str]) -> list[str]:
    return [line for line in errors if "networking lock" in line]


def late(seen: Any) -> float:
    """For how long at most it had the address when no lease of the server's ran, in seconds.

    It is looked at whenever one begins, and when the address goes.
    """
    most, since = 0, None
    for at, there in [*seen["changes"], (now(), False)]:
        if since is not None and not there:
            for look in [at, *(begun for begun, _ in seen["acks"] if since < begun < at)]:
                most = max(most, look - max(end for begun, end in seen["acks"] if begun < look))
        since = (since or at) if there else None
    return most / SECOND


@pytest.mark.parametrize("name", LEASES)
def test_no_address_is_there_longer_than_it_is_leased(
    played: Any, name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("the networking lock held: late by", f"{name}: {late(played[name]):.2f} s")
    assert late(played[name]) <= 0


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
    gone = [at for at, there in changes if not there]
    back = min(at for at, there in changes if there)
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
