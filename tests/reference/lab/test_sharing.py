"""What a record says of two hosts with one address; made by hand, instants are in seconds."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from holdover.reference.lab.record.measure import FOREVER, Unknown
from holdover.reference.lab.record.record import Captured, Record
from holdover.reference.lab.record.sharing import Sharing, measure_sharing
from holdover.reference.wire.arp import IPV4_TYPE, Arp, ArpOperation
from holdover.reference.wire.frames import (
    ALL_HOSTS,
    EVERYONE,
    IPV4,
    Datagram,
    checksum,
    encode_frame,
)
from holdover.reference.wire.messages import BootRequest, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode
from tests.reference.lab.test_measure import (
    LEASED,
    OTHER,
    SERVER,
    A,
    B,
    S,
    added,
    answer,
    at,
    record,
    removed,
    said,
)


def asked(
    when: float,
    kind: MessageType = MessageType.DISCOVER,
    hardware: bytes = A,
    client_id: bytes | None = None,
    requested: IPv4Address | None = None,
) -> Captured:
    request = BootRequest(kind, 1, hardware, client_id, requested=requested)
    payload = encode(request_to_wire(request))
    datagram = Datagram(NO_ADDRESS, ALL_HOSTS, 68, 67, payload)
    return Captured(at(when), encode_frame(EVERYONE, hardware, datagram))


def pinged(when: float, source: IPv4Address = LEASED, hardware: bytes = B) -> Captured:
    """The answer to a ping, but for its bytes."""
    head = IPV4.pack(0x45, 0, IPV4.size, 0, 0, 64, 1, 0, source.packed, SERVER.packed)
    summed = checksum(head)
    head = head[:10] + summed.to_bytes(2, "big") + head[12:]
    return Captured(at(when), S + hardware + IPV4_TYPE.to_bytes(2, "big") + head)


def shared(made: Record, asker: str = "a") -> Sharing:
    found = measure_sharing(made, "a", asker, LEASED)
    assert isinstance(found, Sharing), found
    return found


# For how long ------------------------------------------------------------------------------------


def test_the_longest_of_several_times_is_told_and_all_together() -> None:
    seen = (added(1), added(3, host="b"), removed(6.04), added(10), removed(12.04), added(20.04))
    made = record(seen=(*seen, removed(25, host="b")), end=40)
    found = shared(made)
    assert found.shared == pytest.approx(4.92), "surely until 24.96, though it went at 25"
    assert found.total == pytest.approx(3 + 2 + 4.92)
    assert (found.spells, found.at_end) == (3, 1)


def test_what_lasts_to_the_end_is_for_ever() -> None:
    found = shared(record(seen=(added(1), added(3, host="b")), end=40))
    assert (found.shared, found.total, found.spells, found.at_end) == (FOREVER, 37, 1, 2)


@pytest.mark.parametrize(
    "seen",
    [(added(1), removed(3), added(4, host="b")), (added(1),), (added(1, host="b"),), ()],
    ids=["one after the other", "the client", "the other", "nobody"],
)
def test_one_host_after_another_is_not_both(seen: tuple[object, ...]) -> None:
    found = shared(record(seen=seen))  # type: ignore[arg-type]
    assert (found.shared, found.total, found.spells) == (0, 0, 0)
    assert found.other_had_it is any(each.host == "b" for each in seen)  # type: ignore[attr-defined]


def test_who_answers_while_both_have_it() -> None:
    frames = (answer(2, B), answer(4, A), answer(4, B))
    seen = (added(1), added(3, host="b"))
    assert shared(record(*frames[:2], seen=seen)).answered == 1, "the first answer came before"
    assert shared(record(*frames, seen=seen)).answered == 2


# Who asks meanwhile ------------------------------------------------------------------------------


def test_what_the_asker_was_offered_and_granted_and_declined() -> None:
    offer, ack, decline = MessageType.OFFER, MessageType.ACK, MessageType.DECLINE
    frames = (
        said(1, offer),
        said(1.1),
        said(1.2),
        said(2, offer, hardware=B),
        said(2.1, ack, hardware=B),
        said(2.2, ack, hardware=B, address=OTHER),
        asked(3, decline, B, requested=LEASED),
        asked(3.1, decline, B, requested=OTHER),
        asked(3.2, MessageType.REQUEST, B, requested=LEASED),
    )
    made = record(*frames, seen=(added(1),))
    mine, theirs = shared(made, "a"), shared(made, "b")
    assert (mine.offered, mine.granted, mine.declined) == (1, 2, 0)
    assert (theirs.offered, theirs.granted, theirs.declined) == (1, 1, 1)


def test_who_is_told_that_an_address_is_in_use() -> None:
    """By ARP or by the answer to a ping; what the asker says itself tells it nothing."""
    other = Captured(at(2), encode_frame(S, B, Arp(ArpOperation.REPLY, B, OTHER, S, SERVER)))
    asks = Captured(
        at(2), encode_frame(EVERYONE, B, Arp(ArpOperation.REQUEST, B, LEASED, S, SERVER))
    )
    none = (other, asks, answer(2, A), pinged(2, OTHER), pinged(2, LEASED, A), said(2))
    made = record(*none, seen=(added(1, host="b"),))
    assert shared(made).told == 0
    assert shared(made, "b").told == 2
    assert shared(replace(made, frames=(*none, answer(3, B)))).told == 1
    assert shared(replace(made, frames=(*none, pinged(3)))).told == 1


@pytest.mark.parametrize(
    ("mine", "theirs", "one"),
    [
        (b"clone", b"clone", True),
        (b"clone", b"other", False),
        (b"clone", None, False),
        (None, None, False),
    ],
)
def test_clones_have_one_client_identifier(
    mine: bytes | None, theirs: bytes | None, one: bool
) -> None:
    frames = (asked(1, client_id=mine), asked(2, hardware=B, client_id=theirs))
    made = record(*frames, seen=())
    assert shared(made, "b").one_identity is one
    assert shared(made, "a").one_identity is False, "a host is no clone of its own"
    later = asked(3, MessageType.REQUEST, B, client_id=b"third")
    assert shared(replace(made, frames=(*frames, later)), "b").one_identity is False
    assert shared(replace(made, frames=frames[:1]), "b").one_identity is False
    changes = (later, asked(4, MessageType.REQUEST, client_id=b"third"))
    assert shared(replace(made, frames=(*frames, *changes)), "b").one_identity is False


def test_a_record_with_a_gap_says_nothing() -> None:
    found = measure_sharing(record(seen=(), gap="2 frames were dropped"), "a", "a", LEASED)
    assert found == Unknown("the record has a gap: 2 frames were dropped")
