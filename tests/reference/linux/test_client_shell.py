"""The client's shell without a kernel: in what order it hears, and what it does at its end."""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import reduce
from ipaddress import IPv4Address
from operator import and_, or_
from types import SimpleNamespace
from typing import cast

import pytest

from holdover.model.errors import InputError
from holdover.reference.core.client_state import Client
from holdover.reference.core.config import ClientConfig
from holdover.reference.core.events import (
    Configure,
    Effect,
    Event,
    Gone,
    Lease,
    Notice,
    Notify,
    Phase,
    Received,
    Remove,
    Send,
    Start,
    Stop,
    Store,
    Timer,
)
from holdover.reference.core.instants import SECOND
from holdover.reference.linux.client import ClientShell, Orders, chance
from holdover.reference.linux.executor import Executor
from holdover.reference.linux.kernel.clock import now
from holdover.reference.linux.kernel.interface import Changes, Link
from holdover.reference.linux.storage.lease_file import NotStoredError
from holdover.reference.wire.frames import EVERYONE, Datagram, Frame
from holdover.reference.wire.messages import BootReply, BootRequest, reply_to_wire
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import Options
from holdover.reference.wire.packet import encode

SERVER, LEASED = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.50")


class Pretended:
    """An executor, an interface and a link that a test moves; they fail at some effects."""

    def __init__(
        self,
        held: IPv4Address | None = None,
        stored: Lease | None = None,
        fails: tuple[type[Effect], ...] = (),
    ) -> None:
        self.held, self.fails = held, fails
        self.expired = self.until = None
        self.memory = SimpleNamespace(stored=stored, retry_at=None)
        self.frames: list[Frame] = []
        self.news: list[Changes] = []
        self.heard: list[Event] = []
        self.done: list[Effect] = []
        self.up: list[bool] = []
        self.journal = SimpleNamespace(
            event=lambda event, now, chance: self.heard.append(event),
            effect=lambda effect, now: None,
        )
        self.link = SimpleNamespace(
            receive=lambda: [self.frames.pop(0) for _ in range(len(self.frames))]
        )
        self.interface = SimpleNamespace(
            name="eth0",
            changes=lambda: self.news.pop() if self.news else Changes(),
            has=lambda address: False,
            link=lambda: Link(up=True, running=True, mtu=1500, flaps=0),
            set_up=self.up.append,
            heartbeat=SimpleNamespace(beat=lambda: None),
        )

    def shell(self, config: ClientConfig, orders: Orders | None = None) -> ClientShell:
        """A client's that has this executor."""
        return ClientShell(config, cast(Executor, self), orders or Orders())

    def ready(self) -> bool:
        return True

    def catch_up(self) -> None:
        pass

    def carry_out(self, effect: Effect) -> None:
        if isinstance(effect, self.fails):
            raise InputError("it fails")
        self.done.append(effect)
        if isinstance(effect, Configure):
            self.held = effect.lease.address

    def heard_from(self, server: IPv4Address, hardware: bytes) -> None:
        pass

    def note_loss(self, address: IPv4Address) -> None:
        self.held = None


# Order -------------------------------------------------------------------------------------------


def reply(request: BootRequest, kind: MessageType) -> Frame:
    said = BootReply(kind, request.xid, request.chaddr, address=LEASED, server=SERVER, lease=10)
    payload = encode(reply_to_wire(said))
    return Frame(EVERYONE, bytes(6), Datagram(SERVER, LEASED, 67, 68, payload))


def bound(there: Pretended) -> tuple[ClientShell, BootRequest]:
    """A client that has an address, and what it asked for it."""
    config = ClientConfig(
        hardware=bytes(6), start_least=0, start_most=0, offer_wait=0, probes=0, announcements=0
    )
    shell = there.shell(config)
    shell.begin()
    shell.turn()
    for kind in (MessageType.OFFER, MessageType.ACK):
        (sent,) = (effect for effect in there.done if isinstance(effect, Send))
        there.done.clear()
        there.frames = [reply(sent.request, kind)]
        shell.turn()
    assert there.held == LEASED
    there.heard.clear()
    return shell, sent.request


def test_what_the_kernel_did_and_the_deadline_come_before_what_was_received() -> None:
    there = Pretended()
    shell, asked = bound(there)
    lease = shell.client.leased
    over = replace(lease, renew_at=0, rebind_at=0, end=0)
    shell.client = replace(shell.client, lease=over)
    there.news = [Changes(any=True)]
    there.frames = [reply(asked, MessageType.ACK)]
    shell.turn()
    assert [type(event) for event in there.heard] == [Timer, Gone, Received]


@pytest.mark.parametrize(
    ("orders", "begins"),
    [([], 1), ([signal.SIGUSR2], 0), ([signal.SIGUSR2, signal.SIGUSR1], 2), ([signal.SIGUSR1], 2)],
)
def test_who_has_given_its_lease_back_rests_until_it_is_told_otherwise(
    orders: list[int], begins: int
) -> None:
    there = Pretended()
    shell = there.shell(ClientConfig(hardware=bytes(6)))
    shell.begin()
    there.heard.clear()
    shell.turn(orders)
    there.news = [Changes(any=True, down=True)]  # the link was down, and is back
    shell.turn()
    assert len([event for event in there.heard if isinstance(event, Start)]) == begins


def test_what_the_kernel_did_before_a_frame_came_is_told_before_it() -> None:
    """The address goes, and then a frame comes, after the turn has begun."""
    there = Pretended()
    shell, asked = bound(there)

    def receive() -> list[Frame]:
        there.news = [Changes(any=True)]
        return [reply(asked, MessageType.ACK)]

    there.link.receive = receive
    shell.turn()
    assert [type(event) for event in there.heard] == [Gone, Received]


def test_a_kernel_that_does_not_answer_is_looked_at_later() -> None:
    there = Pretended()
    shell, asked = bound(there)
    answers = [False, True]
    there.ready = answers.pop  # type: ignore[method-assign]
    there.news, there.frames = [Changes(any=True)], [reply(asked, MessageType.ACK)]
    answers.reverse()
    for _ in range(2):
        shell.turn()
    assert [type(event) for event in there.heard] == [Received, Gone]


def test_each_exchange_has_an_xid_of_its_own_of_32_random_bits() -> None:
    """A bit that were always the same in all of them would have a chance of 2^-63."""
    drawn = [chance().xid for _ in range(64)]
    assert len(set(drawn)) == len(drawn)
    assert reduce(or_, drawn) == 0xFFFF_FFFF
    assert reduce(and_, drawn) == 0


def test_each_event_is_handed_a_chance_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is drawn before it is wanted: no event gets it twice, nor what is tried again."""
    there, drawn = Pretended(), list[int]()
    there.journal.event = lambda event, now, chance: drawn.append(chance.xid)
    there.journal.note_unstored = lambda now: None
    carry_out, full = there.carry_out, [True, True, False]

    def store(effect: Effect) -> None:
        if isinstance(effect, Store) and full.pop(0):
            raise NotStoredError("the disk is full")
        carry_out(effect)

    monkeypatch.setattr(there, "carry_out", store)
    config = ClientConfig(hardware=bytes(6), start_least=0, start_most=0, probes=0)
    shell = there.shell(config)
    shell.begin()
    shell.turn()
    for kind, times in ((MessageType.OFFER, 1), (MessageType.ACK, 3)):
        (sent, *_) = (effect for effect in there.done if isinstance(effect, Send))
        there.done.clear()
        there.frames = [reply(sent.request, kind)] * times
        shell.turn()
    assert there.held == LEASED
    assert len(drawn) == len(set(drawn)) == 6


# The end -----------------------------------------------------------------------------------------


def lease(seconds: int) -> Lease:
    begin, end = now() - 100 * SECOND, now() + seconds * SECOND
    return Lease(LEASED, SERVER, begin, begin, end, Options())


def leaving(
    there: Pretended, held: Lease | None = None, orders: Orders | None = None
) -> list[Effect]:
    """What is done at the end of a client that holds an address, or has not begun."""
    config = ClientConfig(hardware=bytes(6))
    shell = there.shell(config, orders)
    if held is not None:
        shell.client = Client(config, Phase.BOUND, lease=held, holds=held.address)
        there.held = held.address
    shell._brought_up = True
    shell._leave()
    return there.done


def test_the_notice_follows_the_removal_and_the_lease_stays_stored() -> None:
    there, held = Pretended(), lease(60)
    assert leaving(there, held) == [Remove(LEASED), Notify(Notice.STOPPED, held)]
    assert [type(event) for event in there.heard] == [Stop]
    assert there.up == [False]


def test_what_a_predecessor_left_goes_where_the_core_has_not_begun() -> None:
    there = Pretended(held=LEASED)
    assert leaving(there) == [Remove(LEASED)]
    assert [type(event) for event in there.heard] == [Start, Stop]
    there = Pretended(held=LEASED, stored=lease(60))
    assert leaving(there) == [Remove(LEASED), Notify(Notice.STOPPED, there.memory.stored)]


def test_a_client_that_has_begun_and_holds_nothing_is_not_begun_anew() -> None:
    there = Pretended()
    assert leaving(there) == []
    assert [type(event) for event in there.heard] == [Stop]


@pytest.mark.parametrize("fails", [Store, Remove])
def test_no_effect_is_left_out_because_another_fails(fails: type[Effect]) -> None:
    there, over = Pretended(fails=(fails,)), lease(-1)
    whole = [Remove(LEASED), Store(None), Notify(Notice.LAPSED, over)]
    assert leaving(there, over) == [each for each in whole if not isinstance(each, fails)]
    assert there.up == [False]


def test_a_dry_run_has_nothing_to_take_away() -> None:
    there = Pretended()
    assert leaving(there, lease(60), Orders(dry=True)) == []
    assert there.up == []
