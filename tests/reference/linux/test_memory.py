"""What is remembered where nothing can be written, and what a client does then, in virtual time."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Configure,
    Effect,
    Lease,
    Notice,
    Notify,
    Phase,
    Remove,
    Send,
    Store,
    Timer,
)
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.linux.client import ClientShell, Orders
from holdover.reference.linux.kernel import clock
from holdover.reference.linux.kernel.interface import Changes, Link
from holdover.reference.linux.storage import lease_file
from holdover.reference.linux.storage.journal import Entry, Line, Unstored
from holdover.reference.linux.storage.lease_file import NotStoredError
from holdover.reference.linux.storage.memory import REMINDED, RETRY, Memory
from holdover.reference.validation.calls import Break, Call, Undone, calls
from holdover.reference.wire.frames import EVERYONE, Datagram, Frame
from holdover.reference.wire.messages import BootReply, BootRequest, reply_to_wire
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import Options
from holdover.reference.wire.packet import encode

SERVER, LEASED, OTHER = (IPv4Address(f"10.77.0.{n}") for n in (1, 50, 51))
BEGUN = 1000 * SECOND


class Disk:
    """Takes leases or does not, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there: Lease | None = None
        self.full = self.read_only = False
        self.at = BEGUN
        monkeypatch.setattr(lease_file, "save", self.save)
        monkeypatch.setattr(lease_file, "load", lambda *_, **__: self.there)
        monkeypatch.setattr(clock, "now", lambda: self.at)

    def save(self, _: Path, __: str, lease: Lease | None, **___: Any) -> None:
        if self.read_only or (self.full and lease is not None):
            raise NotStoredError("eth0.json: it is not stored")
        self.there = lease


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def lease(seconds: float | None, address: IPv4Address = LEASED) -> Lease:
    if seconds is None:
        return Lease(address, SERVER, None, None, None, Options())
    end = BEGUN + int(seconds * SECOND)
    return Lease(address, SERVER, end - 2, end - 1, end, Options())


def memory(lines: list[str] | None = None) -> Memory:
    heard: list[str] = [] if lines is None else lines
    made = Memory(Path("/nowhere"), "eth0", bytes(6), heard.append)
    made.recall()
    return made


# What may be used --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("durable", "granted", "used"),
    [
        (60, 61, False),
        (60, 60, True),
        (60, 10, True),
        (60, None, False),
        (None, 60, True),
        (None, None, True),
    ],
)
@pytest.mark.parametrize("how", ["full", "read_only"])
def test_what_is_not_stored_is_used_no_longer_than_what_is(
    disk: Disk, how: str, durable: float | None, granted: float | None, used: bool
) -> None:
    remembers = memory()
    remembers.store(lease(durable))
    setattr(disk, how, True)
    if used:
        remembers.store(lease(granted))
        assert remembers.stored == lease(granted)
    else:
        with pytest.raises(NotStoredError):
            remembers.store(lease(granted))
        assert remembers.stored == disk.there == lease(durable)


def test_one_that_ends_with_the_stored_one_is_used(disk: Disk) -> None:
    remembers = memory()
    remembers.store(lease(60))
    disk.full = True
    remembers.store(replace(lease(60), renew_at=BEGUN))
    assert remembers.stored != lease(60)


def test_another_address_than_the_stored_one_is_not_used(disk: Disk) -> None:
    remembers = memory()
    remembers.store(lease(60))
    disk.full = True
    with pytest.raises(NotStoredError):
        remembers.store(lease(10, OTHER))


def test_what_says_more_than_the_server_is_taken_off_the_disk_if_it_can_be(disk: Disk) -> None:
    remembers = memory()
    remembers.store(lease(60))
    disk.full = True
    remembers.store(lease(10))
    assert disk.there is None, "a successor would use it for longer"
    disk.full = False
    assert remembers.retry()
    assert disk.there == lease(10)


def test_a_shortened_lease_on_a_read_only_disk_is_owed(disk: Disk) -> None:
    remembers = memory()
    remembers.store(lease(60))
    disk.read_only = True
    remembers.store(lease(10))
    assert remembers.durable == lease(60)
    assert remembers.retry_at == BEGUN + RETRY
    with pytest.raises(NotStoredError):
        remembers.store(lease(61))
    remembers.store(lease(59))  # what the disk has allows it


def test_to_forget_is_owed_and_done_when_it_can_be(disk: Disk) -> None:
    remembers = memory()
    remembers.store(lease(60))
    disk.read_only = True
    remembers.store(None)
    assert (remembers.forgets, remembers.retry_at) == (True, BEGUN + RETRY)
    assert not remembers.retry()
    disk.read_only = False
    assert remembers.retry()
    assert (remembers.forgets, disk.there, remembers.retry_at) == (False, None, None)


def test_a_disk_that_goes_on_failing_is_said_once_in_a_minute(disk: Disk) -> None:
    lines: list[str] = []
    remembers = memory(lines)
    remembers.store(lease(600))
    disk.full = True
    for second in range(0, 2 * REMINDED, RETRY):
        disk.at = BEGUN + second
        assert not remembers.retry()
    assert len(lines) == 2
    disk.full = False
    assert remembers.retry()
    assert "leases can be stored again" in lines[-1]
    remembers.store(lease(700))
    assert len(lines) == 3


# What a client does ------------------------------------------------------------------------------


class World:
    """A client of which nothing is real but its loop, its core and its memory."""

    def __init__(self, disk: Disk, *, probes: int = 0) -> None:
        self.disk, self.expired = disk, None
        self.held: IPv4Address | None = None
        self.until: Instant | None = None
        self.lines: list[str] = []
        self.done: list[Effect] = []
        self.frames: list[Frame] = []
        self.memory = memory(self.lines)
        self.undone = 0
        self.journal = SimpleNamespace(
            event=lambda event, at, chance: None,
            effect=lambda effect, at: None,
            note_unstored=self.note_unstored,
        )
        self.link = SimpleNamespace(receive=lambda: [self.frames.pop() for _ in self.frames[:]])
        self.interface = SimpleNamespace(
            name="eth0",
            changes=Changes,
            link=lambda: Link(up=True, running=True, mtu=1500, flaps=0),
            heartbeat=SimpleNamespace(beat=lambda: None),
        )
        config = ClientConfig(
            hardware=bytes(6), start_least=0, start_most=0, probes=probes, announcements=0, fuzz=0
        )
        self.shell = ClientShell(config, cast(Any, self), Orders())
        self.shell.begin()
        self.turn()

    def catch_up(self) -> None:
        """No call to the kernel is ever outstanding here."""

    def note_unstored(self, at: Instant) -> None:
        self.undone += 1

    def carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Store):
            self.memory.store(effect.lease)
        if isinstance(effect, Configure):
            self.held, self.until = effect.lease.address, effect.until
        if isinstance(effect, Remove) and effect.address == self.held:
            self.held = None
        self.done.append(effect)

    def rehearse(self, effect: Effect) -> None:
        pass

    def heard_from(self, server: IPv4Address, hardware: bytes) -> None:
        pass

    def turn(self) -> None:
        self.shell.turn()

    def at(self, seconds: float) -> None:
        """Let time pass, with whatever is due in between."""
        end = BEGUN + int(seconds * SECOND)
        for _ in range(1000):
            due = self.shell._deadline()
            if due is None or due > end:
                self.disk.at = end
                return
            self.disk.at = max(self.disk.at, due)
            self.turn()
        raise AssertionError("it never rests")

    def reply(self, kind: MessageType, seconds: int) -> None:
        """An answer to what was sent last."""
        request = next(e.request for e in reversed(self.done) if isinstance(e, Send))
        assert isinstance(request, BootRequest)
        said = BootReply(
            kind, request.xid, request.chaddr, address=LEASED, server=SERVER, lease=seconds
        )
        payload = encode(reply_to_wire(said))
        self.frames = [Frame(EVERYONE, bytes(6), Datagram(SERVER, LEASED, 67, 68, payload))]
        self.turn()

    def bind(self, seconds: int) -> None:
        self.reply(MessageType.OFFER, seconds)
        self.reply(MessageType.ACK, seconds)

    @property
    def told(self) -> list[Notice]:
        return [effect.notice for effect in self.done if isinstance(effect, Notify)]

    @property
    def asked(self) -> int:
        return len([effect for effect in self.done if isinstance(effect, Send)])


def renewing(disk: Disk) -> World:
    """Leased for a minute, and asking again at half of it, with a disk that is full by now."""
    world = World(disk)
    world.bind(60)
    assert world.held == LEASED
    world.at(30)
    assert world.shell.client.phase is Phase.RENEWING
    return world


@pytest.mark.parametrize("how", ["full", "read_only"])
def test_a_renewal_that_cannot_be_stored_changes_nothing(disk: Disk, how: str) -> None:
    world = renewing(disk)
    setattr(disk, how, True)
    before, until = world.shell.client, world.until
    world.reply(MessageType.ACK, 60)
    assert world.shell.client == before, "as if the DHCPACK had been lost"
    assert (world.held, world.until, world.undone) == (LEASED, until, 1)
    assert world.told == [Notice.BOUND]


def test_it_lapses_when_what_is_stored_ends_and_user_and_hook_are_told(disk: Disk) -> None:
    world = renewing(disk)
    disk.full = True
    world.reply(MessageType.ACK, 60)
    world.at(59.9)
    assert world.told == [Notice.BOUND]
    world.at(60)
    assert (world.held, world.told) == (None, [Notice.BOUND, Notice.LAPSED])


def test_when_there_is_room_it_asks_at_once(disk: Disk) -> None:
    world = renewing(disk)
    disk.full = True
    world.reply(MessageType.ACK, 60)
    asked = world.asked
    world.at(39)
    assert world.asked == asked, "RFC 2131 §4.4.5: not before a minute, or T2"
    disk.full = False
    world.at(41)
    assert world.asked == asked + 1
    world.reply(MessageType.ACK, 60)
    assert world.told == [Notice.BOUND, Notice.EXTENDED]


def test_a_shorter_lease_is_obeyed_on_a_full_disk(disk: Disk) -> None:
    world = renewing(disk)
    disk.full = True
    world.reply(MessageType.ACK, 20)
    assert world.shell.client.leased.end == BEGUN + 50 * SECOND
    assert world.until is not None
    assert world.until < BEGUN + 50 * SECOND
    assert disk.there is None


def test_a_first_lease_waits_for_room_without_asking_the_processor_all_the_time(disk: Disk) -> None:
    world = World(disk, probes=1)
    disk.full = True
    world.bind(60)
    world.at(20)
    assert (world.held, world.shell.client.phase) == (None, Phase.PROBING)
    assert 2 <= world.undone <= 5
    disk.full = False
    world.at(26)
    assert (world.held, world.told) == (LEASED, [Notice.BOUND])


def test_a_first_lease_that_never_has_room_lapses_unused(disk: Disk) -> None:
    world = World(disk, probes=1)
    disk.full = True
    world.bind(30)
    world.at(31)
    assert world.told == [Notice.LAPSED]
    assert not any(isinstance(effect, Configure) for effect in world.done)


@pytest.mark.parametrize(("before", "parts"), [([], [Undone]), ([None], [Undone, Break])])
def test_a_journal_leaves_out_what_was_put_back_unless_half_of_it_was_done(
    before: list[None], parts: list[type]
) -> None:
    effects = [Store(each) for each in (*before, lease(60))]
    values: tuple[Entry, ...] = (Timer(), *effects, Unstored(), Timer())
    lines = [Line(0, 0, 0, datetime.now(UTC), value) for value in values]
    assert [type(part) for part in calls(lines)] == [*parts, Call]


def test_what_is_not_forgotten_is_not_given_back(disk: Disk) -> None:
    from holdover.reference.linux.executor import Executor

    sent: list[bytes] = []
    executor = Executor.__new__(Executor)
    executor.memory = memory()
    executor.held, executor._way, executor._port = None, None, cast(Any, None)
    executor.link = cast(Any, SimpleNamespace(hardware=bytes(6), send=sent.append))
    release = Send(
        BootRequest(MessageType.RELEASE, 1, bytes(6), ciaddr=LEASED, server=SERVER), SERVER
    )
    executor.memory.store(lease(60))
    disk.read_only = True
    executor.memory.store(None)
    executor.send(release)
    assert sent == []
    disk.read_only = False
    executor.memory.retry()
    executor.send(release)
    assert len(sent) == 1
