"""What the wire tells of a host that nobody looks into, on records made by hand; seconds."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from holdover.reference.core.instants import SECOND
from holdover.reference.lab.record.measure import FOREVER, Measurement, Unknown, measure
from holdover.reference.lab.record.premises import DevicePremises, measure_device, premises
from holdover.reference.lab.record.record import Captured, Mark, Record
from holdover.reference.lab.record.wire_view import (
    ASKERS,
    DEVICE,
    SPACING,
    seen_from_wire,
    signs_of,
    stays_of,
)
from holdover.reference.wire.arp import Arp, ArpOperation, probe
from holdover.reference.wire.frames import ALL_HOSTS, EVERYONE, Datagram, encode_frame
from tests.reference.lab.test_measure import (
    LEASE,
    LEASED,
    SERVER,
    A,
    B,
    S,
    added,
    at,
    nak,
    record,
    removed,
    said,
)

EACH = SPACING / SECOND
TOOK = 0.002
"""Seconds that an answer takes."""

IS_A = (Mark(at(0.5), DEVICE + A.hex(":")),)


def question(when: float, asker: IPv4Address) -> Captured:
    arp = Arp(ArpOperation.REQUEST, S, asker, bytes(6), LEASED)
    return Captured(at(when), encode_frame(EVERYONE, S, arp))


def answered(when: float, asker: IPv4Address, hardware: bytes = A) -> Captured:
    arp = Arp(ArpOperation.REPLY, hardware, LEASED, S, asker)
    return Captured(at(when), encode_frame(S, hardware, arp))


def sent(when: float, hardware: bytes = A, source: IPv4Address = LEASED) -> Captured:
    content = Datagram(source, ALL_HOSTS, 9, 9, b"")
    return Captured(at(when), encode_frame(EVERYONE, hardware, content))


def asked(
    *spans: tuple[float, float],
    begin: float = 1.0,
    end: float = 20.0,
    missed: tuple[int, ...] = (),
    took: float = TOOK,
    hardware: bytes = A,
) -> list[Captured]:
    """Questions from `begin` to `end`, answered in these spans, but for the `missed` numbers."""
    found = []
    for number in range(round((end - begin) / EACH)):
        when, asker = begin + number * EACH, ASKERS[number % len(ASKERS)]
        found.append(question(when, asker))
        if number not in missed and any(first <= when < last for first, last in spans):
            found.append(answered(when + took, asker, hardware))
    return found


def device(*frames: Captured, end: float = 20.0) -> Record:
    in_time = sorted(frames, key=lambda each: each.at)
    return replace(record(*in_time, seen=(), marks=IS_A, end=end), hosts={"b": B})


def found(made: Record) -> Measurement:
    result = measure_device(made, LEASED, SERVER)
    assert isinstance(result, Measurement), result
    return result


def stand(made: Record) -> DevicePremises:
    result = premises(made, LEASED)
    assert result is not None
    return result


# When it let go ----------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [8.0, 13.525])
def test_it_had_let_go_by_the_first_question_without_an_answer(gone: float) -> None:
    """And surely had it at the last one with an answer: the width is that of two questions."""
    result = found(device(said(1), *asked((1.2, gone))))
    end = gone - 1 - LEASE
    assert end <= result.holdover <= end + EACH + TOOK + 1e-6
    assert result.uncertainty == pytest.approx(EACH + TOOK)
    assert result.holdover - result.uncertainty <= end
    assert (result.enforcer, result.doubt) == ("", "")


def test_the_reading_does_not_hang_on_what_the_kernel_said() -> None:
    """A host that is looked into as well is read by its frames alone."""
    frames = (said(1), *asked((1.2, 13.0)))
    looked_into = record(*frames, seen=(added(1.1), removed(5)), end=20)
    told = measure(seen_from_wire(looked_into, LEASED), "a", LEASED)
    assert isinstance(told, Measurement)
    assert told.holdover == pytest.approx(2.0 + TOOK)


def test_who_answers_to_the_end_is_late_for_ever() -> None:
    assert found(device(said(1), *asked((1.2, 99)))).holdover == FOREVER


def test_slow_answers_make_the_end_less_sure() -> None:
    result = found(device(said(1), *asked((1.2, 9.0), took=0.04)))
    assert result.uncertainty == pytest.approx(EACH + 0.04)


def test_an_answer_that_comes_after_the_next_question_is_to_the_one_before() -> None:
    """It names who has asked.  Else the host would be taken to have had the address for longer."""
    result = found(device(said(1), *asked((1.2, 9.0), took=0.12)))
    assert result.holdover - result.uncertainty < 9.0 - 1 - LEASE


def test_a_frame_from_the_address_is_a_sign_of_it() -> None:
    result = found(device(said(1), *asked((1.2, 9.0)), sent(9.01)))
    assert result.uncertainty == pytest.approx(EACH + TOOK - 0.01)


def test_frames_of_others_and_probes_are_none() -> None:
    arp = Captured(at(15), encode_frame(EVERYONE, A, probe(A, LEASED)))
    result = found(device(said(1), *asked((1.2, 9.0)), sent(14, B), sent(14, A, SERVER), arp))
    assert result.holdover < 0


def test_a_nak_is_measured_from_the_wire_too() -> None:
    result = found(device(said(1), nak(5), *asked((1.2, 7.0))))
    assert result.after_nak == pytest.approx(2 + TOOK)


def test_who_leaves_questions_without_an_answer_is_waited_for_as_many_more() -> None:
    """Three were missed while it had the address: so three more tell nothing."""
    careless = device(said(1), *asked((1.2, 9.0), missed=(40, 41, 42, 80)))
    good = device(said(1), *asked((1.2, 9.0)))
    assert found(careless).holdover == pytest.approx(found(good).holdover + 3 * EACH)


def test_two_stays_with_a_dhcpack_between_are_two() -> None:
    """Without it the host was silent, and may have had the address all the while."""
    spans = asked((1.2, 5.0), (9.0, 12.0))
    for ack, parts in ((said(8.5),), 2), ((), 1):
        signs = signs_of(device(said(1), *ack, *spans), A, LEASED)
        assert len(list(stays_of(signs, at(20)))) == parts


# Who lies ----------------------------------------------------------------------------------------


def test_of_who_answers_nothing_only_its_frames_are_known() -> None:
    """The last was after the lease end: it was surely late, and nobody knows until when."""
    talk = [sent(each) for each in (2, 6, 10, 13)]
    result = found(device(said(1), *asked(), *talk))
    assert result.holdover - result.uncertainty == pytest.approx(13 - 11)
    assert result.holdover == pytest.approx(20 - 11)
    assert "answers no ARP" in result.doubt


def test_of_who_answers_nothing_and_sends_nothing_nothing_is_known() -> None:
    result = measure_device(device(said(1), *asked()), LEASED, SERVER)
    assert isinstance(result, Unknown)
    assert "answers no ARP" in result.reason


def test_who_sends_after_it_has_stopped_to_answer_may_have_it_on() -> None:
    result = found(device(said(1), *asked((1.2, 6.0)), sent(9)))
    assert result.holdover == pytest.approx(20 - 11)
    assert result.holdover - result.uncertainty == pytest.approx(9 - 11)
    assert "while it answered no question" in result.doubt


def test_an_answer_of_another_hardware_is_none_of_the_device() -> None:
    """A proxy that answers for it does not make it late, and is told."""
    frames = [*asked((1.2, 9.0)), *asked((1.2, 99), hardware=B)]
    made = device(said(1), *frames)
    assert found(made).holdover < 0
    assert stand(made).others == (B.hex(":"),)
    assert any("others answered" in each for each in stand(made).sentences())


# On what it stands -------------------------------------------------------------------------------


def test_another_server_on_the_link_makes_it_unknown() -> None:
    other = IPv4Address("192.0.2.9")
    made = device(said(1), *asked((1.2, 9.0)))
    result = measure_device(made, LEASED, other)
    assert isinstance(result, Unknown)
    assert str(SERVER) in result.reason


def test_a_record_of_no_device_is_unknown() -> None:
    made = replace(device(said(1)), marks=())
    assert isinstance(measure_device(made, LEASED, SERVER), Unknown)
    assert premises(made, LEASED) is None


def test_the_premises_count_questions_until_the_last_sign() -> None:
    told = stand(device(said(1), *asked((1.2, 9.0), missed=(50,)), sent(4)))
    assert (told.asked, told.answered, told.frames) == (156, 155, 1)
    assert told.apart == pytest.approx(EACH)
    assert told.slowest == pytest.approx(TOOK)
    assert told.hardware == A.hex(":")


# What is not known is not sure -------------------------------------------------------------------


def test_who_let_go_just_before_the_record_ended_is_not_sure_to_have_it() -> None:
    """It left eight questions without an answer before, and there were no nine left to ask."""
    silent = tuple(range(40, 48))
    made = device(said(1), *asked((1.2, 19.8), missed=silent))
    result = found(made)
    assert result.holdover == pytest.approx(20 - 11)
    assert result.uncertainty == pytest.approx(0.25, abs=EACH)


def test_of_who_is_mute_it_is_not_sure_that_it_had_the_address_at_the_next_dhcpack() -> None:
    """Its frame was in the first lease; the second one began after that had ended."""
    made = device(said(1), *asked(), sent(4), said(15, lease=4), end=20)
    result = found(made)
    assert result.holdover - result.uncertainty <= 0, "it is not called late"


def test_a_message_of_dhcp_is_no_sign() -> None:
    """Clients send it past the kernel: dhclient does, from an address that is gone."""
    content = Datagram(LEASED, ALL_HOSTS, 68, 67, b"")
    late = Captured(at(12), encode_frame(EVERYONE, A, content))
    assert found(device(said(1), *asked((1.2, 9.0)), late)).holdover < 0
