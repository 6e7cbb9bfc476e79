"""The server core: what arrives at an instant, and what is expected of it then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import Phase as Part
from hypothesis import given, settings
from hypothesis import strategies as st

from holdover.reference.core.config import ClientConfig, Misbehaviour, ServerConfig
from holdover.reference.core.events import Chance, Heard, Phase, Received, Send, SendArp, Timer
from holdover.reference.core.server import FLAVOURS, TABLE, Server, abstract, deadline, step
from holdover.reference.core.server_state import (
    AbstractRecord,
    Binding,
    ClientKey,
    ReceivedRequest,
    Recording,
    Reinstate,
    SendReply,
    ServerEffects,
    ServerEvent,
    StartServer,
    StoreBinding,
)
from holdover.reference.refinement.defects import defects_of, mutant
from holdover.reference.wire.arp import Arp, ArpOperation, announcement, probe
from holdover.reference.wire.arp import reply as arp_reply
from holdover.reference.wire.messages import BootReply, BootRequest, reply_from_wire, reply_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE, ROUTERS, SUBNET_MASK, Options
from tests.virtual_host import VirtualHost

Discover, Offer, Request = MessageType.DISCOVER, MessageType.OFFER, MessageType.REQUEST
Decline, Ack, Nak = MessageType.DECLINE, MessageType.ACK, MessageType.NAK
Release, Inform = MessageType.RELEASE, MessageType.INFORM

SERVER, OTHER, RELAY = (IPv4Address(f"10.0.0.{n}") for n in (254, 253, 252))
A, B, C = POOL = tuple(IPv4Address(f"10.0.0.{n}") for n in (1, 2, 3))
FOREIGN = IPv4Address("192.0.2.1")
HARDWARE = b"\2\0\0\0\0\xfe"
X, Y, Z = (bytes([2, 0, 0, 0, 0, n]) for n in (1, 2, 3))
OPTIONS = Options([SUBNET_MASK(IPv4Address("255.255.255.0")), ROUTERS((SERVER,))])
LEASE, GRACE, OFFER_TIME, PROBE_WAIT, DECLINE_TIME = 100, 10, 20, 2, 50


def key(chaddr: bytes) -> ClientKey:
    return ClientKey(chaddr, given=False)


class Run:
    """A server in the course of time."""

    def __init__(self, **constants: Any):
        values: dict[str, Any] = {
            "identifier": SERVER,
            "hardware": HARDWARE,
            "pool": POOL,
            "options": OPTIONS,
            "second": 1,
            "lease": LEASE,
            "grace": GRACE,
            "offer_time": OFFER_TIME,
            "probe_wait": 0,
            "decline_time": DECLINE_TIME,
            "decline_most": 4 * DECLINE_TIME,
            "verify_wait": 0,
            "subnet": IPv4Network("10.0.0.0/24"),
        }
        self.server = Server(ServerConfig(**{**values, **constants}))
        self.step: Any = step

    def at(self, now: int, event: ServerEvent) -> ServerEffects:
        self.server, effects = self.step(self.server, event, now)
        return tuple(effects)

    def arrives(self, now: int, kind: MessageType, chaddr: bytes, **fields: Any) -> ServerEffects:
        return self.at(
            now, ReceivedRequest(BootRequest(kind, fields.pop("xid", 7), chaddr, **fields))
        )

    def discovers(self, now: int, chaddr: bytes, **fields: Any) -> IPv4Address | None:
        """The address that a DHCPDISCOVER is offered at once."""
        effects = self.arrives(now, Discover, chaddr, **fields)
        return one(effects).address if effects else None

    def takes(self, now: int, chaddr: bytes, address: IPv4Address, **fields: Any) -> ServerEffects:
        """A DHCPREQUEST as in SELECTING."""
        return self.arrives(now, Request, chaddr, requested=address, server=SERVER, **fields)

    def reboots(self, now: int, chaddr: bytes, address: IPv4Address) -> ServerEffects:
        return self.arrives(now, Request, chaddr, requested=address)

    def renews(self, now: int, chaddr: bytes, address: IPv4Address, **fields: Any) -> ServerEffects:
        return self.arrives(now, Request, chaddr, ciaddr=address, **fields)

    def declines(self, now: int, chaddr: bytes, address: IPv4Address | None) -> ServerEffects:
        return self.arrives(now, Decline, chaddr, requested=address, server=SERVER)

    def record(self, address: IPv4Address) -> AbstractRecord:
        return abstract(self.server)[address]


def replies(effects: ServerEffects) -> list[BootReply]:
    return [effect.reply for effect in effects if isinstance(effect, SendReply)]


def one(effects: ServerEffects) -> BootReply:
    (reply,) = replies(effects)
    return reply


def kinds(effects: ServerEffects) -> list[MessageType]:
    return [reply.type for reply in replies(effects)]


def in_use(address: IPv4Address, hardware: bytes) -> Heard:
    """The answer to the server's probe."""
    return Heard(arp_reply(probe(HARDWARE, address), hardware))


# The rules ---------------------------------------------------------------------------------------


def test_r2_an_address_is_not_reallocated_within_the_lease_and_the_grace() -> None:
    """RFC 2131 §2.2: "guarantees not to reallocate that address within the requested time"."""
    run = Run(pool=(A,))
    run.takes(0, X, A)
    for now in (1, LEASE - 1, LEASE, LEASE + 1, LEASE + GRACE):
        assert run.discovers(now, Y) is None
        assert kinds(run.takes(now, Y, A)) == [Nak]
        assert run.record(A) == AbstractRecord(key(X), LEASE, False)
    assert run.discovers(LEASE + GRACE + 1, Y) == A
    assert kinds(run.takes(LEASE + GRACE + 2, Y, A)) == [Ack]
    assert run.record(A) == AbstractRecord(key(Y), LEASE + GRACE + 2 + LEASE, False)


def test_r2_a_renewal_does_not_shorten_what_was_promised() -> None:
    """RFC 2131 §2.2: "guarantees not to reallocate that address within the requested time"."""
    run = Run(second=10)
    run.takes(0, X, A)
    assert one(run.renews(55, X, A, lease=1)).lease == 95  # 94.5 s are left
    assert run.record(A).server_end == 1005
    assert one(run.takes(60, X, A, lease=1)).lease == 95
    assert one(run.reboots(65, X, A)).lease == LEASE


def test_r28_a_declined_address_is_withheld() -> None:
    """RFC 2131 §4.3.3: "The server MUST mark the network address as not available"."""
    run = Run(pool=(A, B))
    run.takes(0, X, A)
    assert run.declines(1, X, A) == (StoreBinding(A, None),)
    assert run.record(A) == AbstractRecord(None, None, True)
    assert run.discovers(2, X, requested=A) == B
    assert kinds(run.takes(2, Y, A)) == [Nak]
    assert run.reboots(2, X, A) == ()
    assert run.renews(2, X, A) == ()
    assert deadline(run.server) == 2 + OFFER_TIME
    run.takes(3, X, B)
    assert deadline(run.server) == 1 + DECLINE_TIME
    assert run.declines(3, Y, B) == ()
    assert run.discovers(1 + DECLINE_TIME, Y) == A


OFFERED, LEASED, PROBED, PAST = "on offer", "leased", "probed for it", "on record, and over"


@pytest.mark.parametrize(
    ("state", "chaddr", "server", "taken"),
    [
        (OFFERED, X, SERVER, True),
        (LEASED, X, SERVER, True),
        (PAST, X, SERVER, True),
        (PROBED, X, SERVER, False),
        (OFFERED, X, None, False),
        (LEASED, X, None, False),
        (LEASED, X, OTHER, False),
        (OFFERED, Y, SERVER, False),
        (LEASED, Y, SERVER, False),
        (None, X, SERVER, False),
    ],
)
def test_r28_who_may_decline_what(
    state: str | None, chaddr: bytes, server: IPv4Address | None, taken: bool
) -> None:
    """RFC 2131 §4.3.3: "the suggested network address"; Table 5: server identifier MUST."""
    run = Run(pool=(A,), probe_wait=PROBE_WAIT if state is PROBED else 0)
    if state in (OFFERED, PROBED):
        run.arrives(0, Discover, X)
    if state in (LEASED, PAST):
        run.takes(0, X, A)
    before, now = run.server, 10**6 if state is PAST else 1
    run.arrives(now, Decline, chaddr, requested=A, server=server)
    assert run.record(A).withheld is taken
    assert (run.server == before) is not taken


@pytest.mark.parametrize("address", [FOREIGN, None])
def test_r28_what_is_not_of_the_pool_is_nothing_to_decline(address: IPv4Address | None) -> None:
    """RFC 2131 §4.3.3: "the suggested network address"."""
    run = Run()
    assert run.declines(0, X, address) == ()
    assert run.server == Run().server


def test_r28_a_storm_of_declines_empties_no_pool() -> None:
    """RFC 2131 §4.3.3: not available; RFC is silent on what an empty pool is to do about it.

    Nobody's word takes an address that it was not offered; who was offered all of them leaves the
    one that was withheld first to the next who asks.
    """
    run = Run()
    for address in POOL:
        run.declines(0, Z, address)
    assert run.discovers(1, X) == A
    run.arrives(1, Request, X, requested=A, server=OTHER)
    for now, chaddr in enumerate((Z, X, Y), 2):
        run.declines(now, chaddr, run.discovers(now, chaddr))
    assert [record.withheld for record in abstract(run.server).values()] == [True] * 3
    assert run.discovers(5, HARDWARE) == A
    assert [record.withheld for record in abstract(run.server).values()] == [False, True, True]
    assert kinds(run.takes(6, HARDWARE, A)) == [Ack]


def test_r28_each_time_it_is_withheld_twice_as_long_until_it_is_renewed() -> None:
    """RFC 2131 §4.3.3 is silent on how long."""
    run = Run(pool=(A,))
    now, lengths = 0, []
    for _ in range(4):
        run.takes(now, X, A)
        run.declines(now, X, A)
        due = deadline(run.server)
        assert due is not None
        lengths.append((due - now) // DECLINE_TIME)
        assert run.at(due, Timer()) == ()
        now = due
    assert lengths == [1, 2, 4, 4]
    run.takes(now, X, A)
    run.renews(now + 1, X, A)
    run.declines(now + 2, X, A)
    assert deadline(run.server) == now + 2 + DECLINE_TIME


def test_r28_one_that_was_never_withheld_is_offered_first() -> None:
    """RFC 2131 §4.3.1 leaves the choice among available addresses to the server."""
    run = Run(pool=(A, B))
    run.discovers(0, X)
    run.declines(0, X, A)
    run.at(DECLINE_TIME, Timer())
    assert run.discovers(DECLINE_TIME, Y) == B
    assert run.discovers(DECLINE_TIME, Z) == A


VERIFY = 3


def test_r28_it_is_probed_before_it_is_given_back() -> None:
    """RFC 2131 §2.2: "the allocating server SHOULD probe the reused address"."""
    run = Run(pool=(A,), verify_wait=VERIFY)
    run.takes(0, X, A)
    run.declines(0, X, A)
    asks = (SendArp(probe(HARDWARE, A)),)
    assert run.at(DECLINE_TIME, Timer()) == asks
    assert run.record(A).withheld
    assert run.at(DECLINE_TIME + 1, in_use(A, Z)) == ()
    assert run.record(A).withheld
    again = DECLINE_TIME + 1 + 2 * DECLINE_TIME
    assert deadline(run.server) == again
    assert run.at(again - 1, in_use(A, Z)) == ()  # nobody asked
    assert run.at(again, Timer()) == asks
    assert run.at(again + VERIFY - 1, Timer()) == ()
    assert run.record(A).withheld
    assert run.at(again + VERIFY, Timer()) == ()
    assert not run.record(A).withheld
    assert deadline(run.server) is None


def test_r28_an_empty_pool_gives_back_the_oldest_that_nobody_answers_for() -> None:
    """RFC 2131 §2.2: "the allocating server SHOULD probe the reused address"."""
    run = Run(pool=(A, B, C), verify_wait=VERIFY, probe_wait=1)
    for now, (chaddr, address) in enumerate(zip((X, Y, Z), (B, A, C), strict=True)):
        run.takes(now, chaddr, address)
        run.declines(now, chaddr, address)
    assert run.arrives(5, Discover, X) == (SendArp(probe(HARDWARE, B)),)
    assert run.arrives(5, Discover, X) == ()  # it waits
    assert run.arrives(6, Discover, Y) == (SendArp(probe(HARDWARE, A)),)
    assert run.at(6, in_use(B, Z)) == (SendArp(probe(HARDWARE, C)),)
    assert run.at(6, in_use(C, Z)) == ()  # there is no other
    assert [record.withheld for record in abstract(run.server).values()] == [True] * 3
    assert one(run.at(6 + VERIFY, Timer())).address == A
    assert [record.withheld for record in abstract(run.server).values()] == [False, True, True]
    assert run.arrives(7 + VERIFY, Discover, Z) == ()  # what was seen in use is not doubted


def test_r28_it_goes_to_the_client_that_uses_it_already() -> None:
    """RFC 2131 §3.1(2): "not already in use", by another than who asks."""
    run = Run(pool=(A,), verify_wait=VERIFY)
    run.takes(0, X, A)
    run.declines(0, X, A)
    run.arrives(1, Discover, Z)
    assert run.at(2, in_use(A, Z)) == ()
    assert one(run.at(1 + VERIFY, Timer())).address == A


def test_r28_somebody_has_looked_into_it() -> None:
    """RFC 2131 §4.3.3: "SHOULD notify the local system administrator", who may say so."""
    run = Run(pool=(A,), verify_wait=VERIFY)
    run.takes(0, X, A)
    run.declines(0, X, A)
    assert run.at(1, Reinstate(B)) == ()
    assert run.at(1, Reinstate(A)) == (SendArp(probe(HARDWARE, A)),)
    assert run.at(2, Reinstate(A)) == ()
    assert run.at(1 + VERIFY, Timer()) == ()
    assert not run.record(A).withheld
    assert run.at(9, Reinstate(A)) == ()


def test_r31_an_address_is_probed_before_it_is_offered() -> None:
    """RFC 2131 §3.1(2).

    "When allocating a new address, servers SHOULD check that the offered network address is not
    already in use"
    """
    run = Run(probe_wait=PROBE_WAIT)
    assert run.arrives(0, Discover, X, xid=1) == (SendArp(probe(HARDWARE, A)),)
    assert deadline(run.server) == PROBE_WAIT
    assert run.arrives(1, Discover, X, xid=2) == ()
    assert run.at(1, Timer()) == ()
    offer = one(run.at(PROBE_WAIT, Timer()))
    assert (offer.type, offer.address, offer.xid) == (Offer, A, 2)
    run.takes(3, X, A)
    assert run.arrives(4, Discover, X) == (SendArp(probe(HARDWARE, A)),)  # records may be wrong


@pytest.mark.parametrize("now", [1, PROBE_WAIT, 9])
def test_r31_an_address_in_use_is_withheld_and_the_next_is_tried(now: int) -> None:
    """RFC 2131 §3.1(2).

    "When allocating a new address, servers SHOULD check that the offered network address is
    not already in use"
    """
    run = Run(pool=(A, B), probe_wait=PROBE_WAIT)
    run.arrives(0, Discover, X)
    assert run.at(now, in_use(A, Z)) == (SendArp(probe(HARDWARE, B)),)
    assert run.record(A).withheld
    assert run.at(now + 1, Heard(announcement(Z, B))) == ()
    assert run.record(B).withheld
    assert run.at(now + PROBE_WAIT + 1, Timer()) == ()
    assert run.arrives(now + 9, Discover, Y) == ()


def test_r31_the_holdover_is_found() -> None:
    """RFC 2131 §3.1(2).

    "When allocating a new address, servers SHOULD check that the offered network address is
    not already in use"
    """
    run = Run(pool=(A,), probe_wait=PROBE_WAIT)
    run.takes(0, X, A)
    assert run.arrives(LEASE + GRACE + 1, Discover, Y) == (SendArp(probe(HARDWARE, A)),)
    assert run.at(LEASE + GRACE + 2, in_use(A, X)) == ()
    assert run.record(A) == AbstractRecord(key(X), LEASE, True)
    assert kinds(run.renews(LEASE + GRACE + 3, X, A)) == [Nak]


@pytest.mark.parametrize(
    "arp",
    [
        arp_reply(probe(HARDWARE, A), X),
        arp_reply(probe(HARDWARE, B), Z),
        probe(Z, A),
        Arp(ArpOperation.REQUEST, Z, C, bytes(6), A),
    ],
    ids=["itself", "another-address", "a-probe", "a-question"],
)
def test_r31_what_is_no_use_of_the_address(arp: Arp) -> None:
    """RFC 2131 §3.1(2).

    "When allocating a new address, servers SHOULD check that the offered network address is
    not already in use"
    """
    run = Run(probe_wait=PROBE_WAIT)
    run.arrives(0, Discover, X)
    assert run.at(1, Heard(arp)) == ()
    assert one(run.at(PROBE_WAIT, Timer())).address == A


def test_r32_an_offered_address_is_kept_for_a_while() -> None:
    """RFC 2131 §4.3.1.

    "the server SHOULD NOT reuse the selected network address before the client responds to the
    server's DHCPOFFER message"
    """
    run = Run(pool=(A, B))
    assert run.discovers(0, X) == A
    assert run.discovers(1, Y, requested=A) == B
    assert run.discovers(2, Z) is None
    assert kinds(run.takes(2, Z, A)) == [Nak]
    assert run.discovers(3, Y) == B
    assert deadline(run.server) == OFFER_TIME
    assert run.discovers(OFFER_TIME - 1, Z) is None
    assert run.discovers(OFFER_TIME, Z) == A


def test_r32_while_it_is_probed_as_well() -> None:
    """RFC 2131 §4.3.1.

    "the server SHOULD NOT reuse the selected network address before the client responds to the
    server's DHCPOFFER message"
    """
    run = Run(pool=(A,), probe_wait=PROBE_WAIT)
    run.arrives(0, Discover, X)
    assert run.arrives(1, Discover, Y) == ()
    assert run.arrives(PROBE_WAIT + OFFER_TIME - 1, Discover, Y, requested=A) != ()  # X's offer
    assert deadline(run.server) == PROBE_WAIT + OFFER_TIME - 1 + OFFER_TIME


def test_r32_who_takes_another_offer_gives_ours_back() -> None:
    """RFC 2131 §3.1(4).

    not selected, "use the message as notification that the client has declined that server's
    offer"
    """
    run = Run(pool=(A,))
    run.discovers(0, X)
    assert run.arrives(1, Request, X, requested=A, server=OTHER) == ()
    assert run.discovers(1, Y) == A


def test_r33_the_record_comes_before_the_answer() -> None:
    """RFC 2131 §3.1(4).

    "commits the binding for the client to persistent storage and responds with a DHCPACK
    message"
    """
    run = Run()
    for now, say in enumerate((run.takes, run.reboots, run.renews)):
        stored, sent = say(now, X, A)
        assert stored == StoreBinding(A, Binding(key(X), now + LEASE))
        assert isinstance(sent, SendReply)
        assert (sent.reply.type, sent.reply.lease) == (Ack, LEASE)


def test_r33_the_record_survives_a_restart() -> None:
    """RFC 2131 §3.1(4).

    "commits the binding for the client to persistent storage and responds with a DHCPACK
    message"
    """
    run = Run(pool=(A,))
    run.takes(0, X, A)
    stored = Binding(key(X), LEASE)
    assert run.at(5, StartServer(((A, stored), (FOREIGN, stored)))) == ()
    assert run.record(A) == AbstractRecord(key(X), LEASE, False)
    assert run.discovers(6, Y) is None
    assert kinds(run.renews(7, X, A)) == [Ack]
    assert run.renews(8, X, FOREIGN) == ()


def test_r34_without_a_record_of_the_client_there_is_silence() -> None:
    """RFC 2131 §4.3.2.

    "If the DHCP server has no record of this client, then it MUST remain silent"
    """
    run = Run()
    run.takes(0, X, A)
    for address in (A, B, FOREIGN):
        assert run.reboots(1, Y, address) == ()


@pytest.mark.parametrize(("address", "kind"), [(A, Ack), (B, Nak), (C, Nak), (FOREIGN, Nak)])
@pytest.mark.parametrize("now", [1, LEASE + GRACE + 1, 10**6])
def test_r34_with_a_record_there_is_an_answer(
    address: IPv4Address, kind: MessageType, now: int
) -> None:
    """RFC 2131 §4.3.2.

    "Server SHOULD send a DHCPNAK message to the client if the 'requested IP address' is
    incorrect"; a lease that is over is on record until the address is another's.
    """
    run = Run()
    run.takes(0, X, A)
    run.takes(0, Y, B)
    run.discovers(now, Z)
    assert kinds(run.reboots(now, X, address)) == [kind]


def test_r35_lease_time_in_offer_and_ack_only() -> None:
    """RFC 2131 Table 3.

    "IP address lease time: MUST, MUST (DHCPREQUEST), MUST NOT (DHCPINFORM), MUST NOT"; §4.3.5:
    "SHOULD NOT fill in 'yiaddr'"
    """
    run = Run()
    assert one(run.arrives(0, Discover, X)).lease == LEASE
    assert one(run.takes(0, X, A)).lease == LEASE
    assert one(run.renews(1, X, A)).lease == LEASE
    (sent,) = run.arrives(2, Inform, Y, ciaddr=B, giaddr=RELAY)
    assert isinstance(sent, SendReply)
    assert (sent.reply.type, sent.reply.lease, sent.reply.address) == (Ack, None, NO_ADDRESS)
    assert (sent.to, sent.reply.options) == (B, OPTIONS)
    nak = one(run.takes(3, Y, A))
    assert (nak.type, nak.lease, nak.address, nak.ciaddr) == (Nak, None, NO_ADDRESS, NO_ADDRESS)
    assert not nak.options
    assert run.arrives(4, Inform, Y) == ()


@pytest.mark.parametrize(
    ("asked", "most", "granted"),
    [
        (None, LEASE, LEASE),
        (0, LEASE, LEASE),
        (30, LEASE, 30),
        (500, LEASE, LEASE),
        (INFINITE, LEASE, LEASE),
        (INFINITE, INFINITE, INFINITE),
        (30, INFINITE, 30),
    ],
)
def test_how_long_a_lease_is(asked: int | None, most: int, granted: int) -> None:
    """RFC 2131 §4.3.1: "the server may choose either to return the requested lease"."""
    run = Run(lease=most)
    assert one(run.arrives(0, Discover, X, lease=asked)).lease == granted
    assert one(run.takes(5, X, A, lease=asked)).lease == granted
    assert run.record(A).server_end == (None if granted == INFINITE else 5 + granted)


def test_r36_an_infinite_lease_is_never_reused() -> None:
    """RFC 2131 §3.3: 0xffffffff represents "infinity"."""
    run = Run(pool=(A,), lease=INFINITE)
    run.takes(0, X, A)
    assert run.discovers(10**12, Y) is None
    assert one(run.renews(5, X, A, lease=1)).lease == INFINITE
    assert run.record(A) == AbstractRecord(key(X), None, False)
    run.arrives(6, Release, X, ciaddr=A, server=SERVER)
    assert run.discovers(7, Y) == A


@pytest.mark.parametrize("client_id", [None, b"\1abc"])
def test_r38_server_echoes_the_client_identifier(client_id: bytes | None) -> None:
    """RFC 6842 §3: the identifier of the request is in each reply."""
    run = Run()
    said = [
        *run.arrives(0, Discover, X, client_id=client_id),
        *run.takes(1, X, A, client_id=client_id),
        *run.takes(2, X, FOREIGN, client_id=client_id),
        *run.arrives(3, Inform, X, client_id=client_id, ciaddr=A),
    ]
    answered = replies(tuple(said))
    assert [reply.type for reply in answered] == [Offer, Ack, Nak, Ack]
    assert {reply.client_id for reply in answered} == {client_id}


# What is chosen ----------------------------------------------------------------------------------


def test_the_order_of_choice() -> None:
    """RFC 2131 §4.3.1: its current or previous address, the one it asks for, a new one."""
    run = Run()
    assert run.discovers(0, X, requested=B) == B
    assert run.discovers(0, X, requested=C) == B  # reserved for it
    run.takes(0, X, B)
    assert run.discovers(1, X, requested=C) == B  # on record for it
    run.takes(10, Y, A)
    assert run.discovers(1000, Z) == C  # never used
    run.takes(1000, Z, C)
    assert run.discovers(1000, HARDWARE) == B  # ended first
    assert run.discovers(1000, HARDWARE, requested=A) == B  # reserved for it
    run = Run()
    run.takes(5, X, A)
    run.takes(0, Y, B)
    assert run.discovers(1000, Z, requested=A) == A
    assert run.discovers(1001, HARDWARE) == C
    run = Run()
    run.takes(-1000, X, A)
    assert run.discovers(0, Z) == B


def test_of_several_leases_the_longest_is_offered() -> None:
    """§3.1(4): client and address together are a lease; a client may have more."""
    run = Run(lease=INFINITE)
    for now, (address, length) in enumerate([(A, 10), (B, 40), (C, 20)]):
        run.takes(now, X, address, lease=length)
    assert run.discovers(10**3, X) == B
    run.renews(2000, X, C)
    assert run.discovers(3000, X) == C


def test_a_client_without_identifier_is_its_hardware_address() -> None:
    """RFC 2131 §4.2: "the server MUST use the contents of the 'chaddr' field"."""
    run = Run()
    run.takes(0, X, A, client_id=b"id")
    assert run.record(A).owner == ClientKey(b"id", given=True)
    assert kinds(run.renews(1, Y, A, client_id=b"id")) == [Ack]
    assert kinds(run.renews(2, X, A)) == [Nak]
    run.takes(3, X, B)
    assert kinds(run.renews(4, X, B, client_id=X)) == [Nak]
    assert run.arrives(5, Discover, b"") == ()


def test_a_client_never_has_two_reservations() -> None:
    run = Run()
    run.discovers(0, X)
    run.takes(0, X, B)
    assert run.discovers(1, Y) == A
    assert run.discovers(1, X) == B


def test_a_flood_of_strangers_costs_no_more_than_the_pool() -> None:
    run = Run(probe_wait=PROBE_WAIT)
    for n in range(100):
        run.arrives(n // 50, Discover, n.to_bytes(6, "big"))
        assert len(run.server.entries) <= len(POOL)


# DHCPREQUEST and what follows --------------------------------------------------------------------


def test_the_flavours_are_those_of_table_4() -> None:
    run = Run()
    run.takes(0, X, A)
    for server in (None, SERVER):
        for requested in (None, A):
            for ciaddr in (NO_ADDRESS, A):
                said = run.arrives(1, Request, X, server=server, requested=requested, ciaddr=ciaddr)
                flavour = (server is not None, requested is not None, ciaddr != NO_ADDRESS)
                assert kinds(said) == ([Ack] if flavour in FLAVOURS else [])


@pytest.mark.parametrize(
    ("chaddr", "address", "kind"),
    [(X, A, Ack), (Y, A, Nak), (Y, B, Ack), (X, B, Ack), (Y, C, Nak), (X, FOREIGN, Nak)],
)
def test_selecting(chaddr: bytes, address: IPv4Address, kind: MessageType) -> None:
    """RFC 2131 §3.1(4): "If the selected server is unable to satisfy the DHCPREQUEST message"."""
    run = Run()
    run.takes(0, X, A)
    assert run.discovers(0, Z, requested=C) == C
    assert kinds(run.takes(1, chaddr, address)) == [kind]


@pytest.mark.parametrize(
    ("chaddr", "address", "kind"),
    [(X, A, [Ack]), (Y, A, [Nak]), (X, B, []), (Y, B, []), (X, FOREIGN, [])],
)
@pytest.mark.parametrize("now", [1, 10**6])
def test_renewing(chaddr: bytes, address: IPv4Address, kind: list[MessageType], now: int) -> None:
    """RFC 2131 §4.3.2; where it is silent: who is on record for the address decides."""
    run = Run()
    run.takes(0, X, A)
    assert kinds(run.renews(now, chaddr, address)) == kind


@pytest.mark.parametrize("say", [Run.renews, Run.takes, Run.reboots])
def test_who_is_on_record_goes_before_whom_it_was_offered_to(
    say: Callable[[Run, int, bytes, IPv4Address], ServerEffects],
) -> None:
    run = Run(pool=(A,))
    run.takes(0, X, A)
    assert run.discovers(500, Y) == A
    assert run.discovers(501, X) is None
    assert kinds(say(run, 502, X, A)) == [Ack]
    assert kinds(run.takes(503, Y, A)) == [Nak]
    assert run.record(A) == AbstractRecord(key(X), 502 + LEASE, False)


@pytest.mark.parametrize(
    ("chaddr", "address", "server", "freed"),
    [
        (X, A, SERVER, True),
        (X, A, None, True),
        (X, A, OTHER, False),
        (Y, A, SERVER, False),
        (X, B, SERVER, False),
        (X, FOREIGN, SERVER, False),
    ],
)
def test_release(
    chaddr: bytes, address: IPv4Address, server: IPv4Address | None, freed: bool
) -> None:
    """RFC 2131 §4.3.4: "the server marks the network address as not allocated"."""
    run = Run()
    run.takes(0, X, A)
    said = run.arrives(1, Release, chaddr, ciaddr=address, server=server)
    assert said == ((StoreBinding(A, None),) if freed else ())
    assert run.record(A) == (
        AbstractRecord(None, None, False) if freed else AbstractRecord(key(X), LEASE, False)
    )


def test_other_messages_are_not_for_a_server() -> None:
    run = Run()
    assert len(TABLE) == 5
    for kind in set(MessageType) - set(TABLE):
        assert run.arrives(0, kind, X, requested=A, server=SERVER) == ()
    assert run.server == Run().server


@pytest.mark.parametrize(
    ("chaddr", "ciaddr", "kind"), [(X, A, [Ack]), (Y, A, [Nak]), (Y, B, []), (X, FOREIGN, [])]
)
@pytest.mark.parametrize("requested", [A, C])
def test_who_fills_in_both_addresses_renews_the_one_that_it_has(
    chaddr: bytes, ciaddr: IPv4Address, kind: list[MessageType], requested: IPv4Address
) -> None:
    """RFC 2131 §4.3.2: without server identifier "a request to verify or extend".

    "the DHCP server will trust the value in 'ciaddr'"; option 50 MUST NOT be there, and dhcping
    has it.
    """
    run = Run()
    run.takes(0, X, A)
    said = run.arrives(1, Request, chaddr, ciaddr=ciaddr, requested=requested)
    assert kinds(said) == kind
    assert run.record(C).owner is None


# Relays, and a disk that is full -----------------------------------------------------------------


@pytest.mark.parametrize("subnet", [IPv4Network("10.0.0.0/24"), None])
@pytest.mark.parametrize("kind", [Discover, Request, Decline, Release, Inform])
def test_a_relay_on_another_link_gets_silence(
    kind: MessageType, subnet: IPv4Network | None
) -> None:
    """RFC 2131 §4.3.1: an address is chosen by "the address of the relay agent"."""
    run = Run(subnet=subnet)
    run.takes(0, X, A)
    before = run.server
    for giaddr in (FOREIGN, *(() if subnet else (RELAY,))):
        fields = {"requested": A, "ciaddr": A} if kind is not Discover else {}
        for chaddr in (X, Y):
            assert run.arrives(1, kind, chaddr, giaddr=giaddr, server=SERVER, **fields) == ()
            assert run.arrives(1, kind, chaddr, giaddr=giaddr, requested=A) == ()
    assert run.server == before


def test_what_cannot_be_stored_is_not_promised() -> None:
    """RFC 2131 §3.1(4): "commits the binding ... to persistent storage"; §4.3.2.

    "The server may choose not to extend the lease ..., but should return a DHCPACK message
    regardless."
    """
    run = Run(pool=(A, B), second=10)
    run.takes(0, X, A)
    run.discovers(0, Y)
    assert run.at(1, Recording(works=False)) == ()
    for say in (run.renews, run.takes, run.reboots):
        (said,) = say(35, X, A)  # 96.5 s are left, and nothing is to be stored
        assert isinstance(said, SendReply)
        assert (said.reply.type, said.reply.lease) == (Ack, 96)
    assert one(run.arrives(36, Discover, X)).lease == 96
    assert run.record(A) == AbstractRecord(key(X), 1000, False)
    assert run.arrives(40, Discover, Z) == ()
    assert kinds(run.takes(40, Y, B)) == [Nak]
    assert run.renews(995, X, A) == ()  # less than a second
    assert run.takes(1000, X, A) == ()
    assert run.arrives(1000, Discover, X) == ()
    assert run.record(A) == AbstractRecord(key(X), 1000, False)
    run.at(1001, Recording(works=True))
    stored, sent = run.renews(1002, X, A)
    assert stored == StoreBinding(A, Binding(key(X), 2002))
    assert isinstance(sent, SendReply)
    assert sent.reply.lease == LEASE


def test_who_waits_for_a_probe_is_promised_no_more_either() -> None:
    """RFC 2131 §3.1(4): "commits the binding ... to persistent storage"."""
    run = Run(pool=(A, B), probe_wait=PROBE_WAIT)
    run.takes(0, X, A)
    assert len(run.arrives(10, Discover, X)) == len(run.arrives(10, Discover, Y)) == 1
    run.at(10, Recording(works=False))
    (said,) = replies(run.at(10 + PROBE_WAIT, Timer()))
    assert (said.chaddr, said.lease) == (X, LEASE - 10 - PROBE_WAIT)
    run = Run(pool=(A,), lease=INFINITE)
    run.takes(0, X, A)
    run.at(1, Recording(works=False))
    assert one(run.renews(2, X, A)).lease == INFINITE


def test_what_is_given_up_need_not_be_stored() -> None:
    """RFC 2131 §4.3.4; nothing that is promised afterwards rests on it."""
    run = Run(pool=(A,))
    run.takes(0, X, A)
    run.at(1, Recording(works=False))
    assert run.arrives(2, Release, X, ciaddr=A, server=SERVER) == (StoreBinding(A, None),)
    assert run.discovers(3, Y) is None
    assert run.renews(3, X, A) == ()
    run.at(4, Recording(works=True))
    assert run.discovers(5, Y) == A


# Replies -----------------------------------------------------------------------------------------


def test_what_a_reply_has() -> None:
    """RFC 2131 Table 3."""
    run = Run()
    fields: dict[str, Any] = {"xid": 0xFFFF_FFFF, "giaddr": RELAY, "broadcast": True}
    offer, ack = one(run.arrives(0, Discover, X, **fields)), one(run.takes(0, X, A, **fields))
    expected = BootReply(
        Offer, 0xFFFF_FFFF, X, None, True, A, NO_ADDRESS, RELAY, SERVER, LEASE, options=OPTIONS
    )
    assert offer == expected
    assert ack == replace(expected, type=Ack)
    assert one(run.renews(1, X, A)).ciaddr == A
    assert one(run.arrives(1, Discover, X, ciaddr=A)).ciaddr == NO_ADDRESS
    assert reply_from_wire(reply_to_wire(offer)) == offer


@pytest.mark.parametrize(
    ("fields", "offer", "ack", "nak"),
    [
        ({}, A, A, None),
        ({"broadcast": True}, None, None, None),
        ({"giaddr": RELAY}, RELAY, RELAY, RELAY),
        ({"giaddr": RELAY, "broadcast": True}, RELAY, RELAY, RELAY),
    ],
    ids=["unicast", "broadcast", "relay", "relay-broadcast"],
)
def test_where_replies_go(
    fields: dict[str, Any],
    offer: IPv4Address | None,
    ack: IPv4Address | None,
    nak: IPv4Address | None,
) -> None:
    """RFC 2131 §4.1; §4.3.2: "The server MUST set the broadcast bit in the DHCPNAK"."""
    run = Run()
    said = (
        *run.arrives(0, Discover, X, **fields),
        *run.takes(0, X, A, **fields),
        *run.takes(0, X, FOREIGN, **fields),
    )
    sent = [effect for effect in said if isinstance(effect, SendReply)]
    assert [effect.to for effect in sent] == [offer, ack, nak]
    assert [effect.reply.broadcast for effect in sent[:2]] == [fields.get("broadcast", False)] * 2
    assert sent[2].reply.broadcast is bool(fields)
    (_, renewed) = run.renews(1, X, A, broadcast=True)
    assert isinstance(renewed, SendReply)
    assert renewed.to == A


# What it does wrong on request -------------------------------------------------------------------


def misbehaving(**wrong: Any) -> Run:
    return Run(pool=(A,), misbehave=Misbehaviour(**wrong))


def test_mute() -> None:
    run = misbehaving(mute_from=10, mute_until=20)
    run.takes(0, X, A)
    assert kinds(run.renews(9, X, A)) == [Ack]
    for now in (10, 19):
        assert run.renews(now, X, A) == ()
        assert run.arrives(now, Release, X, ciaddr=A, server=SERVER) == ()
        assert run.arrives(now, Discover, Y) == ()
    assert run.record(A) == AbstractRecord(key(X), 9 + LEASE, False)
    assert kinds(run.renews(20, X, A)) == [Ack]


def test_mute_for_ever_and_with_an_offer_on_its_lips() -> None:
    run = Run(probe_wait=PROBE_WAIT, misbehave=Misbehaviour(mute_from=1))
    assert len(run.arrives(0, Discover, X)) == 1
    assert run.at(1, in_use(A, Z)) == ()
    assert run.at(PROBE_WAIT, Timer()) == ()
    assert run.arrives(10**9, Discover, X) == ()
    assert deadline(run.server) is None


def test_nak() -> None:
    run = misbehaving(nak=True)
    assert run.discovers(0, X) == A
    assert kinds(run.takes(1, X, A)) == [Nak]
    assert kinds(run.reboots(1, X, A)) == [Nak]
    run.at(2, StartServer(((A, Binding(key(X), LEASE)),)))
    assert kinds(run.renews(3, X, A)) == [Nak]


def test_a_late_ack_is_on_record_before() -> None:
    run = misbehaving(ack_delay=5)
    assert run.takes(0, X, A) == (StoreBinding(A, Binding(key(X), LEASE)),)
    assert run.takes(1, X, A) == ()
    assert deadline(run.server) == 5
    assert run.at(4, Timer()) == ()
    ack = one(run.at(5, Timer()))
    assert (ack.type, ack.address, ack.lease) == (Ack, A, LEASE)
    assert run.record(A).server_end == LEASE
    assert deadline(run.server) is None
    assert run.renews(50, X, A) == (StoreBinding(A, Binding(key(X), 50 + LEASE)),)
    run.arrives(51, Release, X, ciaddr=A, server=SERVER)
    assert run.at(55, Timer()) == ()
    run.takes(60, X, A)
    assert run.at(65, StartServer()) == ()


def test_forget() -> None:
    run = misbehaving(forget_at=10)
    run.takes(0, X, A)
    assert deadline(run.server) == 10
    assert run.at(10, Timer()) == (StoreBinding(A, None),)
    assert run.record(A) == AbstractRecord(None, None, False)
    assert deadline(run.server) is None
    assert run.renews(11, X, A) == ()
    assert kinds(run.takes(11, Y, A)) == [Ack]
    assert run.at(12, Timer()) == ()
    assert run.record(A).owner == key(Y)


@pytest.mark.parametrize("seconds", [3, 0])
def test_shorten(seconds: int) -> None:
    run = misbehaving(shorten=seconds)
    assert one(run.takes(0, X, A)).lease == LEASE
    assert one(run.renews(1, X, A)).lease == seconds
    assert run.record(A).server_end == 1 + seconds


@pytest.mark.parametrize("lease", [LEASE, INFINITE])
def test_reuse_early(lease: int) -> None:
    run = Run(pool=(A,), lease=lease, misbehave=Misbehaviour(reuse_early=True))
    run.takes(0, X, A)
    assert run.discovers(1, Y) == A
    assert kinds(run.takes(2, Y, A)) == [Ack]
    assert run.record(A).owner == key(Y)
    assert kinds(run.renews(3, X, A)) == [Nak]


@pytest.mark.parametrize("wrong", ["wrong_xid", "wrong_server", "wrong_client_id"])
@pytest.mark.parametrize("client_id", [None, b"\1abc"])
def test_wrong_replies(wrong: str, client_id: bytes | None) -> None:
    right, run = Run(), Run(misbehave=Misbehaviour(**{wrong: True}))
    field = {"wrong_xid": "xid", "wrong_server": "server"}.get(wrong, "client_id")
    for now in (0, 1):
        expected = one(right.arrives(now, Discover, X, client_id=client_id))
        got = one(run.arrives(now, Discover, X, client_id=client_id))
        assert got != expected
        assert replace(got, **{field: getattr(expected, field)}) == expected
        assert reply_from_wire(reply_to_wire(got)) == got


# With a client, and at random --------------------------------------------------------------------


def test_the_reference_client_gets_its_lease() -> None:
    """One core's effects are the other's events, without delay."""
    constants: dict[str, Any] = {
        "second": 1,
        "start_least": 1,
        "start_most": 1,
        "offer_wait": 0,
        "probes": 0,
        "backoff_least": 4,
        "backoff_most": 64,
        "backoff_jitter": 0,
        "margin": 0,
    }
    run = Run(probe_wait=PROBE_WAIT)
    host = VirtualHost(ClientConfig(hardware=X, client_id=b"\1abc", **constants))
    chance = Chance(9, 0)
    host.step(host.start(), 0, chance)
    for now in range(1, 40):
        asked = host.step(Timer(), now, chance)
        said = run.at(now, Timer())
        while asked or said:
            for effect in asked:
                if isinstance(effect, Send):
                    said += run.at(now, ReceivedRequest(effect.request))
            asked = ()
            for reply in replies(said):
                asked += host.step(Received(reply), now, chance)
            said = ()
    assert host.client.phase is Phase.BOUND
    assert host.client.leased.address == A
    owner, end = run.record(A).owner, run.record(A).server_end
    assert (owner, end) == (ClientKey(b"\1abc", given=True), host.client.leased.end)


def test_a_server_is_a_value() -> None:
    one, other = Run(), Run()
    one.takes(0, X, A)
    other.takes(0, Y, B)
    other.arrives(1, Release, Y, ciaddr=B)
    other.takes(0, X, A)
    assert one.server == other.server
    assert len({one.server, other.server}) == 1
    assert one.server != Run().server


hosts = st.sampled_from([X, Y, Z])
places = st.sampled_from([*POOL, FOREIGN])
anything = st.builds(
    BootRequest,
    type=st.sampled_from(MessageType),
    xid=st.integers(0, 3),
    chaddr=hosts,
    client_id=st.sampled_from([None, b"id", X]),
    broadcast=st.booleans(),
    ciaddr=st.sampled_from([NO_ADDRESS, *POOL]),
    giaddr=st.sampled_from([NO_ADDRESS, RELAY]),
    requested=st.none() | places,
    server=st.sampled_from([None, SERVER, OTHER]),
    lease=st.sampled_from([None, 0, 1, 7, INFINITE]),
)


def well_formed(kind: MessageType, **fields: Any) -> st.SearchStrategy[BootRequest]:
    """RFC 2131 Table 5."""
    some = st.none() | st.sampled_from([1, 7, INFINITE])
    return st.builds(BootRequest, st.just(kind), st.just(7), hosts, lease=some, **fields)


ours = st.just(SERVER)
requests = [
    anything,
    well_formed(Discover),
    well_formed(Discover, requested=places),
    well_formed(Request, requested=places, server=ours),
    well_formed(Request, requested=st.just(A), server=ours),
    well_formed(Request, requested=places, server=st.just(OTHER)),
    well_formed(Request, requested=places),
    well_formed(Request, ciaddr=places),
    well_formed(Request, ciaddr=st.just(A)),
    well_formed(Decline, requested=places, server=ours),
    well_formed(Release, ciaddr=places, server=ours),
]
events: st.SearchStrategy[ServerEvent | None] = st.one_of(
    *(st.builds(ReceivedRequest, request) for request in requests),
    st.just(Timer()),
    st.builds(in_use, places, hosts),
    st.builds(Reinstate, places),
    st.builds(Recording, st.booleans()),
    st.none(),  # a restart with what was stored
)
wrongs = st.builds(
    Misbehaviour,
    mute_from=st.sampled_from([None, None, 15]),
    mute_until=st.sampled_from([None, 25]),
    nak=st.sampled_from([False, False, False, True]),
    ack_delay=st.sampled_from([0, 0, 3]),
    forget_at=st.sampled_from([None, None, 20]),
    shorten=st.sampled_from([None, None, 1]),
    reuse_early=st.sampled_from([False, False, True]),
    wrong_xid=st.booleans(),
    wrong_server=st.booleans(),
    wrong_client_id=st.booleans(),
)


def explained(
    before: AbstractRecord,
    after: AbstractRecord,
    event: ServerEvent,
    config: ServerConfig,
    now: int,
) -> bool:
    """The lease table has a row for it: a record changes hands only as it may."""
    wrong = config.misbehave
    if isinstance(event, StartServer) or before.owner is None:
        return True
    over = before.server_end is not None and now - before.server_end > config.grace
    if after.withheld and not before.withheld and isinstance(event, ReceivedRequest):
        # Declined, so on record for nobody: by its owner, or by who may have it by now.
        others = over or wrong.reuse_early or wrong.forget_at is not None
        return after.owner is None and (others or sender(event) == before.owner)
    if after.owner == before.owner:
        kept = after.server_end is None or (
            before.server_end is not None and before.server_end <= after.server_end
        )
        return kept or wrong.shorten is not None
    if wrong.forget_at is not None:
        return True
    if after.owner is not None:
        return over or wrong.reuse_early
    assert isinstance(event, ReceivedRequest)
    return sender(event) == before.owner and event.request.type in (Release, Decline)


def sender(event: ReceivedRequest) -> ClientKey:
    said = event.request
    return ClientKey(said.client_id or said.chaddr, given=said.client_id is not None)


RUNS = st.builds(
    Run,
    pool=st.sampled_from([(A,), (A, B), POOL]),
    lease=st.sampled_from([8, 8, INFINITE]),
    grace=st.integers(0, 3),
    probe_wait=st.integers(0, 2),
    decline_time=st.sampled_from([3, 9]),
    verify_wait=st.integers(0, 2),
    offer_time=st.integers(1, 5),
    misbehave=st.just(Misbehaviour()) | wrongs,
)
STORIES = st.lists(st.tuples(st.integers(0, 6), events), min_size=20, max_size=40)


@given(RUNS, STORIES)
def test_whatever_happens(run: Run, story: list[tuple[int, ServerEvent | None]]) -> None:
    """No state beyond the pool, no address bound twice, no DHCPACK before its record."""
    play(run, story)


UNSEEN = {"both-addresses-unheard"}
"""Silence breaks no promise."""


@pytest.mark.parametrize("name", [d.name for d in defects_of("server") if d.name not in UNSEEN])
def test_a_server_with_a_defect_is_found_out_at_random(name: str) -> None:
    """`defects.toml`; the exploration finds them, too."""
    core = mutant(next(defect for defect in defects_of("server") if defect.name == name))

    @settings(max_examples=3000, database=None, derandomize=True, phases=[Part.generate])
    @given(RUNS, STORIES)
    def hunt(run: Run, story: list[tuple[int, ServerEvent | None]]) -> None:
        run.step = core.step
        play(run, story)

    with pytest.raises(AssertionError):
        hunt()


def play(run: Run, story: list[tuple[int, ServerEvent | None]]) -> None:
    """Each event at its time, and what must hold after it."""
    config, now, stored = run.server.config, 0, dict[IPv4Address, Binding]()
    for wait, told in story:
        now += wait
        event = StartServer(tuple(stored.items())) if told is None else told
        before = abstract(run.server)
        open_by_now = abstract(run.step(run.server, Timer(), now)[0])  # what is due comes first
        for effect in run.at(now, event):
            if isinstance(effect, StoreBinding):
                assert run.server.recording or effect.binding is None
                stored.pop(effect.address, None)
                if effect.binding is not None:
                    stored[effect.address] = effect.binding
            if isinstance(effect, SendReply) and effect.reply.lease is not None:
                late = config.misbehave.ack_delay > 0 or effect.reply.type is not Ack
                assert late or not open_by_now[effect.reply.address].withheld
                check_promise(effect.reply, stored, config, now)
        known = [address for address, _ in run.server.entries]
        assert known == sorted(set(known) & set(config.pool))
        assert stored == {a: e.binding for a, e in run.server.entries if e.binding is not None}
        offers = [e.offer.key for _, e in run.server.entries if e.offer is not None]
        assert len(offers) == len(set(offers))
        due = deadline(run.server)
        assert due is None or due > now
        for address, after in abstract(run.server).items():
            assert explained(before[address], after, event, config, now)


def check_promise(
    reply: BootReply, stored: dict[IPv4Address, Binding], config: ServerConfig, now: int
) -> None:
    """What a client is promised is on record, for it and for as long."""
    assert reply.lease is not None
    assert reply.address in config.pool
    if reply.type is Ack:
        binding = stored[reply.address]
        identity = binding.key.identifier
        assert identity in (reply.chaddr, reply.client_id) or config.misbehave.wrong_client_id
        if reply.lease == INFINITE:
            assert binding.end is None
        else:
            assert binding.end is not None
            late = now + reply.lease - binding.end
            assert late == 0 or late >= config.misbehave.ack_delay > 0
