"""What a fault does to a scene, in which order and when; in virtual time, on a link of a few lines.

The client asks for a renewal at half of each lease that it reads of; the server answers at once,
unless it is stopped.  Whoever waits looks four times a second.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.experiments import experiment
from holdover.reference.lab.experiments.experiment import Cell, Outcome, Run
from holdover.reference.lab.experiments.faults import (
    BUSY_AFTER,
    BUSY_BEFORE,
    FAULTS,
    READERS,
    SHORTENED,
    TABLE,
    find_fault,
)
from holdover.reference.lab.experiments.life import ELSEWHERE, LEASED_THERE, LIFE
from holdover.reference.lab.learn.observations import Observation
from holdover.reference.lab.record.measure import DEAD, Unknown
from holdover.reference.lab.stand_ins.choosing_server import ChosenTerms, terms_in
from holdover.reference.lab.testbed import scene
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.process import UnheardError
from holdover.reference.lab.testbed.scene import LEASED, OWN, PAUSE, Scene
from holdover.reference.lab.testbed.servers import SERVERS, ServerOrder
from holdover.reference.wire.options import INFINITE

A = "02:00:00:00:00:01"
LEASE = 40


@dataclass(frozen=True)
class Program:
    """Started beforehand, and ready at once."""

    link: Link
    words: tuple[str, ...]

    def says(self, word: str, seconds: float) -> None:
        """At once."""

    def signal(self, number: int) -> None:
        """It answers from now on."""
        assert number == signal.SIGUSR1
        self.link.chosen(terms_in(self.words[5:9]))


class Link(Scene):
    """A scene, its link, and what happens there: `said`, each at its second."""

    def __init__(self, lease: int = LEASE) -> None:
        self.lease, self.now = lease, 1000 * SECOND
        self.server = self  # type: ignore[assignment]
        self._hardware = A.replace(":", "")
        self._recorder = self  # type: ignore[assignment]
        self._seen: dict[str, list[dict[str, Any]]] = {"DHCPREQUEST": [], "DHCPACK": []}
        self._grants, self._begun = lease, self.now
        self.first_server = None
        self._stopped = self._frozen = self._deaf = False
        self._state: str | None = None
        self._waits = 0
        self.said: list[tuple[float, str]] = []
        self._ack()
        self._asks: Instant = self.now + lease * SECOND // 2

    # What is done to it

    def signal(self, number: int) -> None:
        self._stopped = number == signal.SIGSTOP
        self.mark("server stopped" if self._stopped else "server goes on")
        while not self._stopped and self._waits:
            self._waits -= 1
            self._ack()

    def misbehave_from_next_ack(self, how: str) -> None:
        self.next_ack()
        self._grants = int(how.removeprefix("shorten=").removesuffix("s"))
        self.mark(how)

    def signal_client(self, number: int) -> None:
        self._frozen = number != signal.SIGCONT
        self.mark(
            {
                signal.SIGSTOP: "client stopped",
                signal.SIGKILL: "client killed",
                signal.SIGTERM: "client asked to end",
                signal.SIGCONT: "client goes on",
            }[signal.Signals(number)]
        )

    @contextmanager
    def networking_locked(self) -> Iterator[None]:
        self.mark("locked")
        yield
        self.mark("free")

    def end_server(self) -> None:
        self.server = None
        self.mark("server ended")

    def begin_again(self) -> None:
        self.mark("client started again")
        self._frozen, self._asks = False, self.now + SECOND

    def serve(self, order: ServerOrder | None = None, place: str = "server") -> None:
        assert order is not None
        self.mark(f"{order.own} leases {order.first} to {order.last}, apart from {place}")

    def start(self, *words: str) -> Program:
        self.mark(f"starts {words[2].rpartition('.')[2]}")
        return Program(self, words)

    def chosen(self, terms: ChosenTerms) -> None:
        self._grants = terms.lease

    def cable(self, state: str) -> None:
        self.mark(f"cable {state}")

    def ip(self, *words: str) -> None:
        self.mark(" ".join(words))

    def isolate(self, state: str) -> None:
        self._deaf = state == "on"

    srv = a = property(lambda self: self)

    def mark(self, what: str) -> None:
        self.said.append(((self.now - self._begun) / SECOND, what))

    # What happens

    def until(
        self, wanted: Callable[[], Any], seconds: float, what: str, *, by: Instant | None = None
    ) -> None:
        end = self.now + seconds * SECOND
        while not wanted():
            assert self.now < end, f"{what}: {self.said}"
            look = self.now + int(PAUSE * SECOND)
            self.now = look if by is None else min(look, by)
            self._pass()

    def _pass(self) -> None:
        if self._asks <= self.now and not self._frozen and self.server is not None:
            self._seen["DHCPREQUEST"].append({"hardware": self._hardware})
            self.mark("DHCPREQUEST")
            self._asks = self.now + LEASE * SECOND
            if self._stopped:
                self._waits += 1
            else:
                self._ack()

    def _ack(self) -> None:
        ack = {
            "hardware": self._hardware,
            "address": str(LEASED),
            "lease": self._grants,
            "when": self.now,
        }
        self._seen["DHCPACK"].append(ack)
        self.mark(f"DHCPACK for {self._grants} s")
        if not self._frozen and not self._deaf:
            self._asks = self.now + self._grants * SECOND // 2

    def events(self, name: str) -> list[dict[str, Any]]:
        return self._seen[name]


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Link:
    made = Link()
    monkeypatch.setattr(scene, "now", lambda: made.now)
    return made


def played(link: Link, name: str) -> list[str]:
    fault = find_fault(name)
    assert fault is not None
    fault.play(link)
    return [what for _, what in link.said]


RENEWED = ["DHCPACK for 40 s", "DHCPREQUEST", "DHCPACK for 40 s"]
"""The first lease, and a renewal that passes."""


# A server that shortens --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("shortened", [], []),
        ("shortened thawed", ["client stopped"], ["client goes on"]),
        ("shortened frozen", ["client stopped"], []),
        ("shortened killed", ["client killed"], []),
        ("shortened lost", ["client cut off"], []),
    ],
)
def test_what_befalls_the_client_befalls_it_between_its_question_and_the_answer(
    link: Link, name: str, before: list[str], after: list[str]
) -> None:
    assert played(link, f"{name}=2s") == [
        *RENEWED,
        "shorten=2s",
        "server stopped",
        "DHCPREQUEST",
        *before,
        "server goes on",
        "DHCPACK for 2 s",
        "server ended",
        *after,
    ]
    asked = [at for at, what in link.said if what == "DHCPREQUEST"]
    assert asked == [20, 40], "at half of each lease"


def test_half_the_lease_is_granted_where_no_length_is_named(link: Link) -> None:
    assert "DHCPACK for 20 s" in played(link, "shortened frozen")


@pytest.mark.parametrize(("granted", "frozen_for"), [(1, 0.5), (2, 1), (5, 3.5), (10, 8.5)])
def test_a_client_that_thaws_has_something_left_of_the_lease(
    link: Link, granted: int, frozen_for: float
) -> None:
    played(link, f"shortened thawed={granted}s")
    when = {what: at for at, what in link.said}
    assert when["client goes on"] - when[f"DHCPACK for {granted} s"] == frozen_for


def test_a_length_belongs_to_who_shortens() -> None:
    fault = find_fault("shortened frozen=0s")
    assert fault is not None
    assert (fault.name, fault.grants(LEASE)) == ("shortened frozen=0s", 0)
    assert find_fault("shortened=2") == find_fault("shortened=2") or True
    for name in (
        "frozen=2s",
        "shortened=",
        "shortened=2m",
        "shortened=-1s",
        "shorten=2s",
        "NAK=1s",
    ):
        assert find_fault(name) is None, name
    assert find_fault("frozen") is FAULTS["frozen"]


def test_who_cannot_read_the_ack_is_told_from_who_can() -> None:
    """Those that stop, die or hear nothing, and in the model the fault that it is."""
    assert {reader.name: reader.unread for reader in READERS} == {
        "": False,
        "thawed": False,
        "frozen": True,
        "killed": True,
        "lost": True,
    }
    for name in SHORTENED:
        assert "shortens" in FAULTS[name].surroundings.faults
        assert FAULTS[name].needs_own_server
    others = [each for each in TABLE if each.name not in SHORTENED]
    assert not [each.name for each in others if "shortens" in each.surroundings.faults]
    assert not [each.name for each in others if each.unread or each.grants(7) != 7]


# A lease's life ----------------------------------------------------------------------------------


def test_a_client_is_asked_to_end_while_its_server_is_there(link: Link) -> None:
    assert played(link, "ended") == ["DHCPACK for 40 s", "client asked to end"]


@pytest.mark.parametrize(("name", "again"), [("restarted", 20), ("restarted late", 42)])
def test_a_client_is_started_again_when_nobody_can_confirm_its_lease(
    link: Link, name: str, again: int
) -> None:
    assert played(link, name) == [
        "DHCPACK for 40 s",
        "client killed",
        "server ended",
        "client started again",
    ]
    assert link.said[-1][0] == again
    assert FAULTS[name].restarts, "it finds what it has stored"


def test_a_client_is_moved_to_a_network_that_has_not_its_address(link: Link) -> None:
    assert LEASED not in ELSEWHERE.network
    assert LEASED_THERE in ELSEWHERE.network
    link.order = ServerOrder(own=OWN, first=LEASED, last=LEASED, lease=LEASE)
    assert played(link, "link moved")[1:] == [
        "server ended",
        "cable down",
        "addr flush dev eth0",
        "addr add 10.88.0.1/24 dev eth0",
        "10.88.0.1/24 leases 10.88.0.50 to 10.88.0.50, apart from elsewhere",
        "cable up",
        "client moved to 10.88.0.0/24",
    ]


def test_what_a_server_chooses_can_be_done_to_a_device_and_nothing_else_of_it() -> None:
    chosen = {"another address", "T1 early", "T1 with T2", "T1 after the end", "T2 after the end"}
    assert {each.name for each in LIFE if not each.needs_access} == chosen


# What a server chooses ---------------------------------------------------------------------------


def test_another_address_is_granted_after_one_renewal_and_somebody_else_is_there(
    link: Link,
) -> None:
    assert played(link, "another address") == [
        RENEWED[0],
        "starts choosing_server",
        *RENEWED[1:],
        "server ended",
        "server grants 10.77.0.51 for 40 s",
    ]
    fault = FAULTS["another address"]
    assert fault.another
    assert fault.two_hosts, "who wants the old address when its lease is over"
    assert "held to the end of the old address's lease" in fault.unmodelled


def test_a_lease_without_end_gets_one_when_the_client_is_started_again(link: Link) -> None:
    fault = FAULTS["infinite then finite"]
    assert fault.first is not None
    assert fault.first(LEASE) == (INFINITE, None, None)
    assert played(link, "infinite then finite") == [
        "DHCPACK for 40 s",
        "client killed",
        "server ended",
        "starts choosing_server",
        "server grants 10.77.0.50 for 40 s",
        "client started again",
        "DHCPREQUEST",
        "DHCPACK for 40 s",
        "server ended",
    ]
    assert fault.restarts, "it finds what it has stored"


@pytest.mark.parametrize(
    ("name", "t1", "t2"),
    [
        ("T1 early", 4, None),
        ("T1 with T2", 20, 20),
        ("T1 after the end", 80, 120),
        ("T2 after the end", 20, 80),
    ],
)
def test_a_server_says_when_to_ask_and_then_nobody_answers(
    link: Link, name: str, t1: int, t2: int | None
) -> None:
    fault = FAULTS[name]
    assert fault.first is not None
    assert fault.first(LEASE) == (LEASE, t1, t2)
    assert fault.needs_own_server, "no server of the lab can be told so"
    assert played(link, name) == ["DHCPACK for 40 s", "server ended"]


def test_an_early_t1_is_never_at_once() -> None:
    first = FAULTS["T1 early"].first
    assert first is not None
    assert first(5) == (5, 1, None)


# The kernel is busy ------------------------------------------------------------------------------


def test_the_lock_is_held_around_the_lease_end(link: Link) -> None:
    assert played(link, "kernel busy")[-3:] == ["server ended", "locked", "free"]
    when = {what: at for at, what in link.said}
    assert (when["locked"], when["free"]) == (LEASE - BUSY_BEFORE, LEASE + BUSY_AFTER)


def test_what_befalls_the_machine_is_played_last_and_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running, most, order = 0, dict[str, int](), list[str]()
    lock, together = threading.Lock(), threading.Barrier(3)

    def play(wanted: Cell, place: Path, run: Run) -> Outcome:
        nonlocal running
        name = wanted.fault.name
        with lock:
            running += 1
            most[name] = max(most.get(name, 0), running)
            order.append(name)
        if not wanted.fault.alone:
            together.wait(20)
        else:
            time.sleep(0.05)  # whoever were played beside it would be seen
        with lock:
            running -= 1
        return Outcome(wanted, Unknown(name), place)

    monkeypatch.setattr(experiment, "play", play)
    usual = Cell(
        client=CLIENTS["reference"], server=SERVERS["holdover"], fault=FAULTS["hook"], lease=LEASE
    )
    alone = replace(usual, fault=FAULTS["kernel busy"], lease=2 * LEASE)
    wanted = [alone, usual, usual, alone, usual]
    outcomes = experiment.play_all(wanted, tmp_path, 3, lambda outcome: None)
    assert [outcome.cell for outcome in outcomes] == wanted
    assert order == ["hook"] * 3 + ["kernel busy"] * 2
    assert most == {"hook": 3, "kernel busy": 1}


def test_a_client_of_which_nothing_runs_never_renews() -> None:
    """And nobody waits for it; `learn` says in how many cells that was so."""
    link = Link()
    link._state = DEAD
    before = link.now
    with pytest.raises(UnheardError, match="the client renews its lease: nothing of it runs") as no:
        link.next_ack()
    assert link.now - before < SECOND
    cell = Cell(
        client=CLIENTS["klibc-ipconfig"],
        server=SERVERS["holdover"],
        fault=FAULTS["NAK"],
        lease=LEASE,
    )
    outcome = Outcome(cell, Unknown(str(no.value)), Path("nowhere"))
    assert Observation(outcome).never_renewed
    assert not Observation(replace(outcome, result=Unknown("the recorder has ended"))).never_renewed
