"""A link with a server, a client, perhaps a rival and a recorder: what a fault can act on.

Theory of operation.  A scene begins with the recorder, then the server, then the client, and is
BOUND when a DHCPACK was on the wire and the client's host has the address.  From then on a fault
acts on it (`faults.py`), in the thread that plays it (`experiment.py`).  Whoever waits here also
looks at what the client's processes are (running, stopped, dead), and marks it when that changes.

All that is waited for, the recorder says; nobody asks the client or the server.

What it does not know: what it is played for, and what comes of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.record.measure import DEAD, LOCKED, RUNNING, STOPPED, UNLOCKED
from holdover.reference.lab.record.record import MARKS
from holdover.reference.lab.testbed import networking_lock
from holdover.reference.lab.testbed.account import (
    account,
    check_what_works,
    keep_output,
    never_comes,
)
from holdover.reference.lab.testbed.client_program import ClientProgram, processes
from holdover.reference.lab.testbed.netns import Host, Links
from holdover.reference.lab.testbed.process import Process, UnheardError, state
from holdover.reference.lab.testbed.recorder import NOTHING
from holdover.reference.lab.testbed.servers import (
    PREPARED,
    ServerOrder,
    ServerProgram,
    holdover,
    wait_until_serving,
)
from holdover.reference.lab.testbed.wall_clock import WallClock
from holdover.reference.linux.kernel.clock import now

OWN = IPv4Interface("10.77.0.1/24")
LEASED = IPv4Address("10.77.0.50")
ANOTHER = IPv4Address("10.77.0.51")
ASKER = IPv4Address("10.77.0.2")
"""The server's address, the one that it leases, the one that is offered after a refusal, and who
asks for an address while two hosts have it."""

START = 180
"""Seconds: a client may wait ten, ask for some, and probe for seven, on a machine that is busy."""

RENEWS = "the client renews its lease"
"""What most scenes wait for; in the reason of one in which it never came."""

PAUSE = 0.25
"""Seconds between two looks."""


class SceneEndedError(Exception):
    """The scene is not played to its end."""


class Scene:
    """Who is on the link: `srv`, `a` with the client, and, where there is one, `b` with a rival.

    `questions`: the address is asked for all the time, as if nobody could look into the hosts.
    """

    a: Host

    def __init__(
        self,
        links: Links,
        place: Path,
        stop: threading.Event,
        *,
        server: ServerProgram,
        lease: int,
        rival: bool = False,
        server_probes: bool = False,
        questions: bool = False,
    ) -> None:
        self.place, self.record = place, place / "record"
        self.record.mkdir()
        hosts = self._hosts(links, {"b": None} if rival else {})
        self.srv, self.b = hosts["srv"], hosts.get("b")
        self.order = ServerOrder(
            own=OWN, first=LEASED, last=LEASED, lease=lease, probe=server_probes
        )
        self.lease = lease
        self.server: Process | None = None
        self.first_server: Process | None = None
        self.offers: Process | None = None
        self.wall: WallClock | None = None
        self.rival: ClientProgram | None = None
        self._hardware = ""
        if (client := hosts.get("a")) is not None:
            self.a, self._hardware = client, client.hardware.replace(":", "")
        self._program, self._stop = server, stop
        self._client: Process | None = None
        self._first_client: Process | None = None
        self._client_program: ClientProgram | None = None
        self._state: str | None = None
        self._begun = self._born = now()
        self._ended_at: Instant | None = None
        self._marks = self.record / MARKS
        self._marks.touch()
        watched = [f"{name}={host.space}" for name, host in hosts.items() if host is not self.srv]
        self._recorder = self.srv.start_at_switch(
            sys.executable,
            "-m",
            "holdover.reference.lab.testbed.recorder",
            self.record,
            str(ASKER),
            str(LEASED) if questions else NOTHING,
            *watched,
        )
        self._recorder.says('"recording"', START)

    def _hosts(self, links: Links, rival: dict[str, None]) -> dict[str, Host]:
        """Who is on the link."""
        return links(srv=str(OWN), a=None, **rival)

    # The beginning -------------------------------------------------------------------------------

    def own_wall_clock(self) -> None:
        """Give whatever is started on `a` a wall clock that can be stepped."""
        self.wall = WallClock(self.place)
        self.a.under = self.wall.under

    def servers_wall_clock(self) -> None:
        """Give the server a wall clock that can be stepped."""
        self.wall = WallClock(self.place)
        self.srv.under = self.wall.under

    def serve(self, order: ServerOrder | None = None, place: str = "server") -> None:
        """Start the server, with the leases that it has granted so far in that place."""
        self.server = self._program.start(self.srv, self.place / place, order or self.order)
        self.first_server = self.first_server or self.server

    def begin(
        self,
        client: ClientProgram,
        hook_blocks: float | None = None,
        *,
        cloned: bool = False,
        kept: bool = False,
    ) -> None:
        """Start the client; `cloned`: as another host is; `kept`: it may `begin_again`."""
        self._client_program, self._begun = client, now()
        self._client = self._first_client = client.start(
            self.a, self.place / "client", hook_blocks=hook_blocks, cloned=cloned, kept=kept
        )

    def bound(self) -> None:
        """Wait until the client has a lease, and its host the address.

        UnheardError, with what the client did and said, if that takes too long, and at once if it
        has ended with an error.  One that ends well may go on in the background.
        """
        self._wait_for_client(
            lambda: self.acks() and self._recorder.said('"held", "host": "a"'),
            "the client has an address",
        )
        assert self._client is not None
        assert self._client_program is not None
        check_what_works(self._client_program, self._client)
        self._state = RUNNING
        self.mark("bound")

    def _wait_for_client(self, wanted: Callable[[], Any], what: str) -> None:
        """Wait for what a client does; UnheardError, with its words, where it never will."""
        try:
            self.until(lambda: wanted() or self._check_client(), START, what)
        except UnheardError as error:
            raise UnheardError(f"{error}; {self._account()}") from None

    def _check_client(self) -> bool:
        """UnheardError where the client will never have an address; else it still may: False."""
        assert self._client is not None
        if self._client.running.poll() is not None and self._ended_at is None:
            self._ended_at = now()
        asked = self._asks_seen()
        if reason := never_comes(self._client, self._begun, self._ended_at, asked):
            if self._ended_at is not None:
                self._client.ended(START)  # all that it said is read
            raise UnheardError(reason)
        return False

    def _asks_seen(self) -> int:
        """How many messages the client has sent that ask for an address."""
        return sum(len(self._mine(kind)) for kind in ("DHCPDISCOVER", "DHCPREQUEST"))

    def _account(self) -> str:
        """What the client has done and said so far, in a line."""
        assert self._client is not None
        return account(self._client, self._asks_seen())

    # What is done to it --------------------------------------------------------------------------

    def end_server(self) -> None:
        """SIGKILL."""
        assert self.server is not None
        for process in filter(None, (self.server, self.offers)):
            process.end()
        self.server = self.offers = None
        self.mark("server ended")

    def lose_leases(self) -> None:
        """The server is started again without them."""
        self.end_server()
        self._program.forget(self.place / "server")
        self.serve()
        self.mark("server started without its leases")

    def begin_rival(self) -> None:
        """Start the client of the other host."""
        assert self.rival is not None
        assert self.b is not None
        self.rival.start(self.b, self.place / "rival")

    def clone_asks(self) -> None:
        """The other host starts the same client, with the same client identifier.

        Until the server has granted it an address; UnheardError where it does not.
        """
        assert self.b is not None
        hardware = self.b.hardware.replace(":", "")
        assert self._client_program is not None
        self._client_program.start(self.b, self.place / "clone", cloned=True)
        self.until(
            lambda: self._of(hardware, "DHCPACK"), START, "the server grants the clone an address"
        )
        self.mark("another host has the client's identifier")

    def stranger_comes(self) -> None:
        """Somebody configures the address on the other host by hand, and it speaks."""
        assert self.b is not None
        words = ("-m", "holdover.reference.lab.testbed.stranger", str(LEASED), str(OWN.ip))
        stranger = self.b.start(sys.executable, *words)
        stranger.says("ready", START)
        self.b.ip("addr", "add", f"{LEASED}/{self.order.own.network.prefixlen}", "dev", "eth0")
        stranger.signal(signal.SIGUSR1)
        self.mark("another host has the address")

    def asked(self) -> None:
        """Wait until the client has asked for an address."""
        self._wait_for_client(lambda: self._mine("DHCPDISCOVER"), "the client asks for an address")

    def granted(self) -> None:
        """Wait until the server has granted the client the address, whatever it makes of that."""
        self._wait_for_client(self.acks, "the server grants the client the address")

    def give_to_rival(self) -> None:
        """The client of the other host asks for an address, and is granted the one that is held.

        UnheardError where the first one is granted it again before that.
        """
        assert self.b is not None
        mine, hardware = len(self.acks()), self.b.hardware.replace(":", "")
        self.begin_rival()

        def given() -> bool:
            if len(self.acks()) > mine:
                raise UnheardError("the client renewed its lease before the other host had asked")
            return any(a["address"] == str(LEASED) for a in self._of(hardware, "DHCPACK"))

        self.until(given, START, "the server gives the address to the other host")
        self.mark("server gave the address away")

    def misbehave_from_next_ack(self, how: str) -> None:
        """One more renewal; then our own server takes over the leases, and does wrong.

        `how`: as `--misbehave` has it.
        """
        other = self.prepare_server(self.place / "server", self.order, "--misbehave", how)
        self.next_ack()
        self.end_server()
        self.server = wait_until_serving(other)
        self.mark(f"server {how}")

    def answer_after(self, act: Callable[[Scene], None]) -> None:
        """The server answers the next renewal when, after its coming, something has been done."""
        assert self.server is not None
        self.server.signal(signal.SIGSTOP)
        before = len(self._mine("DHCPREQUEST"))
        self.until(
            lambda: len(self._mine("DHCPREQUEST")) > before,
            2 * self.lease + START,
            "the client asks for a renewal",
        )
        act(self)
        acks = len(self.acks())
        self.server.signal(signal.SIGCONT)
        self.until(lambda: len(self.acks()) > acks, START, "the answer to a renewal")

    @property
    def client_hardware(self) -> str:
        """The client's hardware address, in hex; "": it is a device that has not spoken yet."""
        return self._hardware

    def prepare_server(self, place: Path, order: ServerOrder, *more: str) -> Process:
        """Our own server, started and not yet asked to serve (`wait_until_serving`)."""
        place.mkdir(exist_ok=True)
        process = self.srv.start(*holdover(place, order, PREPARED), *more)
        process.says("prepared", START)
        return process

    def begin_again(self) -> None:
        """Start the client anew, with what it has stored."""
        assert self._client is not None
        assert self._client_program is not None
        self._client.end()
        self._client = self._client_program.start(self.a, self.place / "client", kept=True)
        self.mark("client started again")
        self._state = RUNNING
        self.mark(RUNNING)

    def signal_client(self, number: int) -> None:
        """Send a signal to all processes of the client."""
        assert self._client is not None
        for process in processes(self._client):
            with suppress(ProcessLookupError):
                os.kill(process, number)
        self.mark(f"client signal {number}")

    @contextmanager
    def networking_locked(self) -> Iterator[None]:
        """Meanwhile the kernel's networking lock is held; UnheardError where that cannot be."""
        if reason := networking_lock.why_not():
            raise UnheardError(f"the kernel's networking lock cannot be held here: {reason}")
        with networking_lock.hold_lock():
            self.mark(LOCKED)
            yield
        self.mark(UNLOCKED)

    def step(self, seconds: int, *, server: bool = False) -> None:
        """Step the wall clock of client or server; UnheardError where it does not read it."""
        whose, name = (self.server, "server") if server else (self._client, "client")
        assert whose is not None
        assert self.wall is not None
        self.wall.step_of(processes(whose), name, seconds)
        self.mark(f"{name}'s wall clock {seconds:+} s")

    def mark(self, what: str) -> None:
        """Write down what has just been done, or seen."""
        with self._marks.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": now(), "what": what}) + "\n")

    # What is seen of it --------------------------------------------------------------------------

    def acks(self) -> list[dict[str, Any]]:
        """The DHCPACKs that leased the client the address, were it for no time, so far."""
        leased = (ack for ack in self._mine("DHCPACK") if ack["lease"] is not None)
        return [ack for ack in leased if ack["address"] == str(LEASED)]

    def acked(self) -> Instant:
        """When the last of them was on the wire."""
        return int(self.acks()[-1]["when"])

    def lease_end(self) -> Instant:
        """The server's lease end, so far."""
        return int((last := self.acks()[-1])["when"] + last["lease"] * SECOND)

    def holds(self) -> bool:
        """Whether the client's host has the address."""
        seen = self._recorder.events("held", "gone")
        mine = [e for e in seen if (e["host"], e["address"]) == ("a", str(LEASED))]
        return bool(mine) and mine[-1]["event"] == "held"

    def _mine(self, event: str) -> list[dict[str, Any]]:
        """Messages from or to the client."""
        return self._of(self._hardware, event)

    def _of(self, hardware: str, event: str) -> list[dict[str, Any]]:
        return [m for m in self._recorder.events(event) if m["hardware"] == hardware]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.wait_until(now() + int(seconds * SECOND))

    def wait_until(self, instant: Instant) -> None:
        """Let time pass until then, and no longer than a machine that is busy makes it."""
        left = max(instant - now(), 0) / SECOND
        self.until(lambda: now() >= instant, left + START, "time passes", by=instant)

    def until(
        self, wanted: Callable[[], Any], seconds: float, what: str, *, by: Instant | None = None
    ) -> None:
        """Wait for something; UnheardError if it is not in time, Interrupted if it is to end.

        `by`: an instant at which to look once more.
        """
        end = time.monotonic() + seconds
        while not wanted():
            if time.monotonic() >= end:
                raise UnheardError(f"not within {seconds:.0f} s: {what}")
            if self._recorder.running.poll() is not None:
                raise UnheardError(f"the recorder has ended: {self._recorder.errors[-1:]}")
            left = PAUSE if by is None else max(by - now(), 0) / SECOND
            if self._stop.wait(min(PAUSE, left)):
                raise SceneEndedError
            self._look()

    def next_ack(self) -> None:
        """Wait until the client is granted its lease once more; UnheardError if it never is."""
        before = len(self.acks())

        def renewed() -> bool:
            if len(self.acks()) > before:
                return True
            if self._state == DEAD:
                raise UnheardError(f"no longer: {RENEWS}: nothing of it runs")
            return False

        self.until(renewed, 2 * self.lease + START, RENEWS)

    def _look(self) -> None:
        if self._client is None or self._state in (None, DEAD):
            return
        letters = {letter for each in processes(self._client) if (letter := state(each)) != "Z"}
        new = DEAD if not letters else STOPPED if letters == {"T"} else RUNNING
        if new != self._state:
            self._state = new
            self.mark(new)

    # The end -------------------------------------------------------------------------------------

    def keep_output(self) -> None:
        """What the client and the first server have said becomes part of the record."""
        again = None if self._client is self._first_client else self._client
        said = {"client": self._first_client, "client-again": again, "server": self.first_server}
        keep_output(self.record, said, self._born)

    def close(self) -> None:
        """The record is complete."""
        self._recorder.signal(signal.SIGTERM)
        self._recorder.ended(START)
