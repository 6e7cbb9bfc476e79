"""A server of the lab's choosing: what it answers, to whom, and from when on."""

from ipaddress import IPv4Address

import pytest

from holdover.reference.lab.stand_ins.choosing_server import Choice, ChosenTerms, terms_in
from holdover.reference.lab.testbed.scene import ANOTHER, LEASED, OWN
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    CLIENT_PORT,
    EVERYONE,
    SERVER_PORT,
    Datagram,
    decode_frame,
    encode_frame,
)
from holdover.reference.wire.messages import BootReply, BootRequest, message_in, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE, SUBNET_MASK
from holdover.reference.wire.packet import encode

A, B, S = (bytes((2, 0, 0, 0, 0, n)) for n in (1, 2, 3))
LEASE, FREE_AT = 40, 140.0
DISCOVER, REQUEST = MessageType.DISCOVER, MessageType.REQUEST
OFFER, ACK = MessageType.OFFER, MessageType.ACK

CHOICE = Choice(OWN.ip, A, ChosenTerms(ANOTHER, LEASE), ChosenTerms(LEASED, LEASE), FREE_AT)


def sent(request: BootRequest, choice: Choice = CHOICE, now: float = 100) -> list[bytes]:
    source = request.ciaddr
    datagram = Datagram(
        source, ALL_HOSTS, CLIENT_PORT, SERVER_PORT, encode(request_to_wire(request))
    )
    frame = decode_frame(encode_frame(EVERYONE, request.chaddr, datagram))
    return list(choice.answer(frame, S, now))


def answered(request: BootRequest, choice: Choice = CHOICE, now: float = 100) -> BootReply:
    (frame,) = sent(request, choice, now)
    reply = message_in(decode_frame(frame).content)
    assert isinstance(reply, BootReply)
    return reply


RENEWAL = BootRequest(REQUEST, 7, A, client_id=b"me", ciaddr=LEASED)


def test_a_renewal_of_one_address_is_granted_another() -> None:
    reply = answered(RENEWAL)
    assert (reply.type, reply.xid, reply.address, reply.ciaddr) == (ACK, 7, ANOTHER, LEASED)
    assert (reply.lease, reply.t1, reply.t2, reply.server) == (LEASE, None, None, OWN.ip)
    assert reply.client_id == b"me"
    assert reply.options.get(SUBNET_MASK.code) is not None
    assert answered(BootRequest(REQUEST, 8, A, ciaddr=ANOTHER)).address == ANOTHER


def test_whoever_asks_is_granted_t1_t2_and_a_lease_without_end() -> None:
    chosen = Choice(OWN.ip, b"", ChosenTerms(LEASED, INFINITE, 80, 120), None, 0)
    offer = answered(BootRequest(DISCOVER, 1, B), chosen)
    assert (offer.type, offer.address, offer.ciaddr) == (OFFER, LEASED, NO_ADDRESS)
    ack = answered(BootRequest(REQUEST, 1, B, requested=LEASED, server=OWN.ip), chosen)
    assert (ack.type, ack.lease, ack.t1, ack.t2) == (ACK, INFINITE, 80, 120)


@pytest.mark.parametrize(
    "request_",
    [
        BootRequest(REQUEST, 1, A, requested=LEASED),
        BootRequest(REQUEST, 1, A, requested=ANOTHER, server=IPv4Address("10.77.0.9")),
        BootRequest(MessageType.RELEASE, 1, A, ciaddr=LEASED),
        BootRequest(MessageType.DECLINE, 1, A, requested=ANOTHER),
    ],
    ids=["another address", "another server", "a release", "a decline"],
)
def test_what_it_does_not_answer(request_: BootRequest) -> None:
    assert sent(request_) == []


def test_the_old_address_is_granted_to_others_when_its_lease_is_over_and_not_before() -> None:
    theirs = BootRequest(DISCOVER, 1, B)
    assert sent(theirs, now=FREE_AT - 0.1) == []
    assert answered(theirs, now=FREE_AT).address == LEASED
    nothing = Choice(OWN.ip, A, ChosenTerms(ANOTHER, LEASE), None, FREE_AT)
    assert sent(theirs, nothing, now=FREE_AT) == []


@pytest.mark.parametrize(
    ("request_", "to", "destination"),
    [
        (RENEWAL, A, LEASED),
        (BootRequest(DISCOVER, 1, A), A, ANOTHER),
        (BootRequest(DISCOVER, 1, A, broadcast=True), EVERYONE, ALL_HOSTS),
    ],
    ids=["to ciaddr", "to yiaddr", "to everybody"],
)
def test_an_answer_goes_where_the_rfc_has_it(
    request_: BootRequest, to: bytes, destination: IPv4Address
) -> None:
    (frame,) = map(decode_frame, sent(request_))
    assert isinstance(frame.content, Datagram)
    assert (frame.destination, frame.content.destination) == (to, destination)


@pytest.mark.parametrize(
    "terms", [ChosenTerms(LEASED, 40), ChosenTerms(ANOTHER, INFINITE, 80, None)]
)
def test_terms_are_the_same_after_the_command_line(terms: ChosenTerms) -> None:
    assert terms_in(terms.words()) == terms


def test_terms_are_told_in_words() -> None:
    assert str(ChosenTerms(LEASED, 40, 80, 120)) == "10.77.0.50 for 40 s, T1 80 s, T2 120 s"
