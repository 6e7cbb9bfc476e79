"""What a record says of holdover, on records made by hand; instants are in seconds."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.experiments.faults import FAULTS, TABLE
from holdover.reference.lab.record.measure import (
    DEAD,
    FOREVER,
    LOCKED,
    RUNNING,
    STOPPED,
    UNLOCKED,
    Measurement,
    Unknown,
    measure,
)
from holdover.reference.lab.record.record import Captured, Change, HostAddresses, Kept, Mark, Record
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.wire.arp import Arp, ArpOperation, announcement
from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, Datagram, encode_frame
from holdover.reference.wire.messages import BootReply, BootRequest, reply_to_wire, request_to_wire
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import INFINITE
from holdover.reference.wire.packet import encode

SERVER, LEASED, OTHER = (IPv4Address(f"10.77.0.{n}") for n in (1, 50, 51))
HELD, MOVED = (IPv4Interface(f"10.77.0.{n}/24") for n in (50, 51))
A, B, S = (bytes((2, 0, 0, 0, 0, n)) for n in (1, 2, 3))
LEASE = 10
Seen = HostAddresses | Change


def at(seconds: float) -> int:
    return round(seconds * SECOND)


def said(
    when: float,
    kind: MessageType = MessageType.ACK,
    hardware: bytes = A,
    address: IPv4Address = LEASED,
    lease: int | None = LEASE,
) -> Captured:
    reply = BootReply(kind, 1, hardware, address=address, server=SERVER, lease=lease)
    payload = encode(reply_to_wire(reply))
    datagram = Datagram(SERVER, ALL_HOSTS, 67, 68, payload)
    return Captured(at(when), encode_frame(EVERYONE, S, datagram))


def nak(when: float) -> Captured:
    return said(when, MessageType.NAK, address=IPv4Address(0), lease=None)


def answer(when: float, hardware: bytes) -> Captured:
    arp = Arp(ArpOperation.REPLY, hardware, LEASED, S, SERVER)
    return Captured(at(when), encode_frame(S, hardware, arp))


def added(when: float, valid: int | None = None, host: str = "a") -> Change:
    return Change(at(when - 0.04), at(when), host, HELD, there=True, valid=valid)


def removed(when: float, host: str = "a") -> Change:
    return Change(at(when - 0.04), at(when), host, HELD, there=False)


def record(
    *frames: Captured,
    seen: tuple[Seen, ...],
    marks: tuple[Mark, ...] = (),
    end: float = 40,
    gap: str | None = None,
) -> Record:
    return Record(0, at(end), {"a": A, "b": B}, frames, seen, marks, gap)


def found(made: Record) -> Measurement:
    result = measure(made, "a")
    assert isinstance(result, Measurement), result
    return result


# Early, late, forever ----------------------------------------------------------------------------


@pytest.mark.parametrize(("gone", "holdover"), [(8.0, -3.0), (11.0, 0.0), (13.5, 2.5)])
def test_holdover_is_from_the_last_ack_and_its_lease(gone: float, holdover: float) -> None:
    result = found(record(said(1), seen=(added(1.1), removed(gone))))
    assert (result.address, result.lease, result.holdover) == (LEASED, LEASE, holdover)
    assert result.at_least == holdover
    assert result.uncertainty == pytest.approx(0.04)


def test_an_address_that_stays_is_held_for_ever_and_the_window_is_told() -> None:
    result = found(record(said(1), seen=(added(1.1),), end=40))
    assert (result.holdover, result.at_least, result.enforcer) == (FOREVER, 29, "")


def test_a_renewal_in_time_moves_the_end() -> None:
    result = found(record(said(1), said(6, lease=4), seen=(added(1.1), removed(9))))
    assert (result.lease, result.holdover) == (4, -1)
    assert found(record(said(1), said(6), seen=(added(1.1), removed(7)))).holdover == -9


def test_a_renewal_that_moves_the_end_back_is_measured_against_its_own() -> None:
    """Whatever the client has heard of it: the server's record is what it is."""
    result = found(record(said(1), said(3, lease=2), seen=(added(1.1), removed(8.5))))
    assert (result.lease, result.holdover) == (2, 3.5)


def test_a_lease_of_no_length_ends_as_it_begins() -> None:
    for gone, holdover in ((3.25, 0.25), (8, 5)):
        result = found(record(said(1), said(3, lease=0), seen=(added(1.1), removed(gone))))
        assert (result.lease, result.holdover) == (0, holdover)


def test_a_record_may_be_asked_of_one_address() -> None:
    """The server offered another one meanwhile, and that lease has no end in the record."""
    frames = (said(1), nak(6), said(7, address=OTHER, lease=60))
    seen = (added(1.1), replace(added(7.1), address=MOVED), removed(8))
    assert isinstance(measure(record(*frames, seen=seen, end=20), "a"), Unknown)
    result = measure(record(*frames, seen=seen, end=20), "a", LEASED)
    assert isinstance(result, Measurement)
    assert (result.after_nak, result.holdover, result.address) == (2, -3, LEASED)


def test_a_renewal_after_the_end_does_not_undo_a_holdover() -> None:
    result = found(record(said(1), said(14), seen=(added(1.1), removed(20))))
    assert result.holdover == 3
    assert result.enforcer == "", "nobody had removed it when it was leased again"


def test_the_worst_of_several_lease_ends_is_told() -> None:
    seen = (added(1.1), removed(12), added(20), removed(29))
    assert found(record(said(1), said(20), seen=seen)).holdover == 1


def test_an_address_that_comes_back_after_the_end_is_held() -> None:
    seen = (added(1.1), removed(9), added(15), removed(16))
    assert found(record(said(1), seen=seen)).holdover == 5


def test_a_look_is_enough_where_the_kernel_said_nothing() -> None:
    seen = (
        HostAddresses(at(1), at(1.04), "a", {HELD: 9}),
        HostAddresses(at(12.0), at(12.5), "a", {}),
    )
    result = found(record(said(1), seen=seen))
    assert (result.holdover, result.uncertainty, result.enforcer) == (1.5, 0.5, "kernel")


def test_another_hosts_lease_and_another_address_are_not_this_ones() -> None:
    frames = (said(1), said(5, hardware=B, address=OTHER), said(6, address=OTHER))
    gone = replace(removed(5), address=IPv4Interface("10.77.0.51/24"))
    with_others = record(*frames, seen=(added(1.1), gone, removed(9)))
    assert found(with_others).holdover == -2


# Who removed it ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("valid", "states", "enforcer"),
    [
        (None, (), "process"),
        (20, (RUNNING,), "process"),
        (7, (RUNNING,), "kernel"),
        (20, (STOPPED,), "kernel"),
        (None, (DEAD,), "kernel"),
        (20, (STOPPED, RUNNING), "process"),
    ],
)
def test_the_enforcer(valid: int | None, states: tuple[str, ...], enforcer: str) -> None:
    marks = tuple(Mark(at(number + 2), state) for number, state in enumerate(states))
    made = record(said(1), seen=(added(1.1, valid), removed(9)), marks=marks)
    assert found(made).enforcer == enforcer


def test_what_becomes_of_the_client_afterwards_does_not_count() -> None:
    made = record(said(1), seen=(added(1.1), removed(9)), marks=(Mark(at(12), DEAD),))
    assert found(made).enforcer == "process"


def test_the_lifetime_that_counts_is_the_last_one() -> None:
    made = record(said(1), seen=(added(1.1, 3), added(3, 30), removed(9)))
    assert found(made).enforcer == "process"


# The kernel is busy -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "free", "locked"), [(5, 12, 4), (0.5, 12, 8), (5, 7, 2), (5, None, 4), (10, 12, 0)]
)
def test_how_long_nobody_could_change_an_address_while_it_was_there(
    held: float, free: float | None, locked: float
) -> None:
    """From the DHCPACK at 1 to the removal at 9; a lock that is not given back is held on."""
    marks = [Mark(at(held), LOCKED), *([] if free is None else [Mark(at(free), UNLOCKED)])]
    made = record(said(1), seen=(added(1.1), removed(9)), marks=tuple(marks))
    assert found(made).locked == locked
    assert found(replace(made, marks=())).locked == 0


@pytest.mark.parametrize(
    ("since", "until", "kept"), [(5, 7, 2), (0, 3, 2), (8, 20, 1), (9.5, 12, 0)]
)
def test_how_long_another_program_had_the_lock_while_the_address_was_there(
    since: float, until: float, kept: float
) -> None:
    """From the DHCPACK at 1 to the removal at 9; what the lab had itself is not another's."""
    made = record(said(1), seen=(added(1.1), removed(9)))
    made = replace(made, kept=(Kept(at(since), at(until)),))
    assert found(made).kept == kept
    ours = (Mark(at(since), LOCKED), Mark(at(until), UNLOCKED))
    assert (found(replace(made, marks=ours)).kept, found(replace(made, marks=ours)).locked) == (
        0,
        kept,
    )


# NAK ---------------------------------------------------------------------------------------------


def test_a_nak_is_measured_by_itself() -> None:
    result = found(record(said(1), nak(6), seen=(added(1.1), removed(6.25))))
    assert (result.after_nak, result.holdover) == (0.25, -4.75)


def test_a_nak_that_is_not_heeded_is_no_excuse_after_the_end() -> None:
    result = found(record(said(1), nak(6), seen=(added(1.1), removed(13))))
    assert (result.after_nak, result.holdover) == (7, 2)
    assert found(record(said(1), nak(6), seen=(added(1.1),))).after_nak == FOREVER


def test_a_nak_is_of_the_lease_that_it_ends() -> None:
    result = found(record(said(1), said(6), nak(8), seen=(added(1.1), removed(8.25))))
    assert (result.after_nak, result.holdover) == (0.25, -7.75)


def test_a_nak_that_comes_when_the_address_is_gone_says_nothing() -> None:
    made = record(said(1), nak(9.5), seen=(added(1.1), removed(9)))
    assert found(made).after_nak is None


# Two hosts ---------------------------------------------------------------------------------------


def test_both_hosts_had_it_and_both_answered() -> None:
    seen = (added(1.1), added(12, host="b"), removed(15.04))
    told = Captured(at(13), encode_frame(EVERYONE, B, announcement(B, LEASED)))
    frames = (said(1), answer(11, B), answer(13, A), answer(13, S), told)
    result = found(record(*frames, seen=seen))
    assert result.duplicate == pytest.approx(3.0)
    assert result.answered == 1, "one of them out of its time, one no host that is watched"
    result = found(record(*frames, answer(14, B), seen=seen))
    assert result.answered == 2


def test_one_after_the_other_is_no_duplicate() -> None:
    seen = (added(1.1), removed(9), added(12, host="b"))
    result = found(record(said(1), answer(13, B), seen=seen))
    assert (result.duplicate, result.answered) == (0, 0)


# Nothing is known --------------------------------------------------------------------------------

USUAL = record(said(1), seen=(added(1.1), removed(9)))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (replace(USUAL, gap="3 frames were dropped"), "3 frames were dropped"),
        (replace(USUAL, frames=()), "no DHCPACK"),
        (replace(USUAL, frames=(said(1, hardware=B),)), "no DHCPACK"),
        (replace(USUAL, frames=(said(1, MessageType.OFFER),)), "no DHCPACK"),
        (replace(USUAL, frames=(said(1, lease=INFINITE),)), "no DHCPACK"),
        (replace(USUAL, frames=(Captured(at(1), b"torn"),)), "no DHCPACK"),
        (replace(USUAL, end=at(10.9)), "ends before the lease"),
        (replace(USUAL, seen=()), "not in use"),
        (replace(USUAL, seen=(added(1.1, host="b"),)), "not in use"),
        (replace(USUAL, seen=(added(0.5), removed(0.9))), "not in use"),
    ],
)
def test_unknown_with_a_reason(made: Record, reason: str) -> None:
    assert isinstance(measure(USUAL, "a"), Measurement)
    result = measure(made, "a")
    assert isinstance(result, Unknown)
    assert reason in result.reason


# The table of faults -----------------------------------------------------------------------------


def test_faults_have_names_of_their_own() -> None:
    assert len(FAULTS) == len(TABLE)
    assert CLIENTS["reference"].hook is not None, "for the fault of that name"


# Given away --------------------------------------------------------------------------------------


def test_what_was_given_to_another_is_measured_from_that_dhcpack() -> None:
    given = found(record(said(1), said(3, hardware=B), seen=(added(1.1), removed(7))))
    assert given.displaced == 4
    assert given.holdover == -4, "by its own lease it is early"
    kept = found(record(said(1), said(3, hardware=B), seen=(added(1.1),), end=40))
    assert kept.displaced == FOREVER


def test_it_ends_where_the_server_grants_it_to_the_first_one_again() -> None:
    again = record(said(1), said(3, hardware=B), said(5), seen=(added(1.1), removed(14)))
    assert found(again).displaced == 2


@pytest.mark.parametrize(
    "frames",
    [
        (said(1),),
        (said(1), said(3, hardware=B, address=OTHER)),
        (said(1), said(9, hardware=B)),
        (said(1), said(3, MessageType.NAK, hardware=B, address=IPv4Address(0), lease=None)),
    ],
    ids=["nobody else", "another address", "after it was gone", "a refusal"],
)
def test_nothing_was_given_away_while_it_was_held(frames: tuple[Captured, ...]) -> None:
    assert found(record(*frames, seen=(added(1.1), removed(7)))).displaced is None


# A lease that is given back ----------------------------------------------------------------------


def asks(when: float, kind: MessageType, hardware: bytes) -> Captured:
    request = BootRequest(kind, 1, hardware, ciaddr=LEASED, server=SERVER)
    datagram = Datagram(LEASED, SERVER, 68, 67, encode(request_to_wire(request)))
    return Captured(at(when), encode_frame(S, hardware, datagram))


@pytest.mark.parametrize(
    ("kind", "hardware", "released"),
    [
        (MessageType.RELEASE, A, True),
        (MessageType.RELEASE, B, False),
        (MessageType.REQUEST, A, False),
    ],
)
def test_who_gives_its_lease_back_is_told_from_who_keeps_it(
    kind: MessageType, hardware: bytes, released: bool
) -> None:
    made = record(said(1), asks(5, kind, hardware), seen=(added(1.1), removed(5.1)))
    assert found(made).released is released
