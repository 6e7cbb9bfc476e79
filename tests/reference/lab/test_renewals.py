"""What a record says of renewals: when they were asked for, and what became of another address."""

from ipaddress import IPv4Address

import pytest

from holdover.reference.lab.record.measure import FOREVER, Measurement, measure
from holdover.reference.lab.record.record import Captured, Change, HostAddresses
from holdover.reference.wire.frames import EVERYONE, Datagram, encode_frame
from holdover.reference.wire.messages import BootRequest, request_to_wire
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.packet import encode
from tests.reference.lab.test_measure import (
    HELD,
    LEASED,
    MOVED,
    OTHER,
    SERVER,
    A,
    B,
    Seen,
    added,
    at,
    nak,
    record,
    removed,
    said,
)


def asks(
    when: float,
    ciaddr: IPv4Address = LEASED,
    kind: MessageType = MessageType.REQUEST,
    hardware: bytes = A,
) -> Captured:
    request = BootRequest(kind, 1, hardware, ciaddr=ciaddr)
    datagram = Datagram(ciaddr, SERVER, 68, 67, encode(request_to_wire(request)))
    return Captured(at(when), encode_frame(EVERYONE, hardware, datagram))


def found(*frames: Captured, seen: tuple[Seen, ...]) -> Measurement:
    result = measure(record(*frames, seen=seen), "a", LEASED)
    assert isinstance(result, Measurement), result
    return result


def comes(when: float, there: bool = True) -> Change:
    """The other address, at the client's host."""
    return Change(at(when - 0.04), at(when), "a", MOVED, there=there)


HAD = (added(1.1), removed(10))

# When it asked -----------------------------------------------------------------------------------


def test_the_first_renewal_after_the_last_dhcpack_tells_when_it_asked() -> None:
    seen = found(said(1), asks(3), said(3.1), asks(5.6), asks(7), seen=HAD)
    assert seen.asked == pytest.approx(2.5)


@pytest.mark.parametrize(
    "frame",
    [
        asks(0.9),
        asks(4, ciaddr=NO_ADDRESS),
        asks(4, ciaddr=OTHER),
        asks(4, kind=MessageType.RELEASE),
        asks(4, hardware=B),
        said(4, hardware=B),
    ],
    ids=["before it", "for a first lease", "for another", "a release", "another host", "an answer"],
)
def test_nothing_else_is_asking_for_a_renewal(frame: Captured) -> None:
    frames = sorted((said(1), frame), key=lambda each: each.at)
    assert found(*frames, seen=HAD).asked is None


# Another address ---------------------------------------------------------------------------------


def test_how_long_the_old_address_stays_is_measured_from_the_dhcpack_of_another() -> None:
    frames = (said(1), said(6, address=OTHER))
    seen = found(*frames, seen=(added(1.1), comes(6.2), removed(8)))
    assert (seen.replaced, seen.next_address) == (2, OTHER)
    assert seen.holdover == -3, "by its own lease it is early"
    kept = found(*frames, seen=(added(1.1), comes(6.2)))
    assert (kept.replaced, kept.holdover) == (FOREVER, FOREVER)


def test_another_address_may_not_be_taken() -> None:
    seen = found(said(1), said(6, address=OTHER), seen=HAD)
    assert (seen.replaced, seen.next_address) == (4, None)


@pytest.mark.parametrize(
    "frames",
    [
        (said(1),),
        (said(1), said(5)),
        (said(1), said(6, hardware=B, address=OTHER)),
        (said(1), said(12, address=OTHER)),
        (said(1), said(6, MessageType.OFFER, address=OTHER)),
        (said(1), nak(6)),
        (said(0.5, address=OTHER), said(1)),
    ],
    ids=[
        "one only",
        "the same",
        "another host's",
        "when it was gone",
        "an offer",
        "a NAK",
        "before",
    ],
)
def test_nothing_was_replaced(frames: tuple[Captured, ...]) -> None:
    assert found(*frames, seen=HAD).replaced is None


def test_an_address_of_before_is_no_next_one() -> None:
    before = (comes(0.5), comes(0.9, there=False))
    assert found(said(1), seen=(*before, *HAD)).next_address is None
    looked = HostAddresses(at(6), at(6.1), "a", {HELD: None, MOVED: None})
    assert found(said(1), seen=(added(1.1), looked, removed(10))).next_address == OTHER
    theirs = Change(at(5), at(6), "b", MOVED, there=True)
    assert found(said(1), seen=(added(1.1), theirs, removed(10))).next_address is None
