"""A DHCPACK is the server's word: what it leaves is what the client has, if that is nothing too.

The server's record moves back when it answers with less than it had granted; whoever goes on with
what it had holds what may be somebody else's.  § alone is a section of RFC 2131.
"""

from __future__ import annotations

import pytest

from holdover.reference.core.client_state import Effects, abstract
from holdover.reference.core.events import Configure, Notice, Notify, Phase, Remove, SendArp, Store
from holdover.reference.core.instants import SECOND
from holdover.reference.wire.arp import announcement
from holdover.reference.wire.options import INFINITE
from tests.reference.core.clients import ACK, HOUR, MAC, OTHER, A, B, Driver, driven, of

ASKING = (Phase.RENEWING, Phase.REBINDING, Phase.REBOOTING)
ANSWERED = (Phase.PROBING, Phase.BOUND)


def ends(driver: Driver, **fields: object) -> None:
    """A DHCPACK ends the lease: removed, then forgotten, then told; and all begins anew."""
    before = driver.client
    removed = () if before.holds is None else (Remove(before.holds),)
    forgotten = () if before.lease is None else (Store(None),)
    told = Notify(Notice.TOO_SHORT, before.lease)
    assert driver.receive(ACK, **fields) == (*removed, *forgotten, told)
    after = driver.client
    assert (after.phase, after.holds, after.lease) == (Phase.INIT, None, None)
    assert after.due is not None, "it never begins again"


# The first answer --------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ASKING, ids=lambda phase: phase.name)
@pytest.mark.parametrize("seconds", [0, 1, 2])
def test_an_answer_that_leaves_nothing_ends_the_lease_at_once(phase: Phase, seconds: int) -> None:
    """§4.4.5: the lease expires when the request was sent plus its time.

    The kernel, which may be late by the margin of 2.5 s, would have to remove the address now.
    """
    ends(driven(phase), lease=seconds)


def test_a_frozen_client_counts_from_its_request_what_it_finds_when_it_thaws() -> None:
    """60 s, then 10 s, of which 8.5 s have passed unseen: 1.5 s are less than the margin."""
    driver = driven(Phase.RENEWING, lease=60)
    assert driver.client.asking.asked is not None
    driver.now = driver.client.asking.asked + 8_500_000_000
    ends(driver, lease=10)


def test_what_is_more_than_the_margin_is_kept() -> None:
    """To the unit: at the margin nothing is left, one unit before there is."""
    for early, kept in ((0, False), (1, True)):
        driver = driven(Phase.RENEWING, lease=60)
        asked, margin = driver.client.asking.asked, driver.client.config.margin
        assert asked is not None
        driver.now = asked + 10 * SECOND - margin - early
        driver.receive(ACK, lease=10)
        assert (driver.client.holds == A) is kept
        if kept:
            assert abstract(driver.client).lease_end == asked + 10 * SECOND


def test_without_a_lease_it_begins_again_and_says_why() -> None:
    driver = driven(Phase.REQUESTING)
    ends(driver, lease=2)
    driver.until(Phase.SELECTING)


@pytest.mark.parametrize(
    "fields",
    [
        {"xid": 0xDEAD},
        {"chaddr": MAC[:5] + b"\7"},
        {"server": None},
        {"lease": None},
        {"address": B},
    ],
    ids=lambda fields: str(*fields),
)
def test_who_does_not_answer_this_client_ends_nothing(fields: dict[str, object]) -> None:
    """§4.4.1, §4.4.5, Table 3: another exchange, another client, no server, no lease; no answer."""
    driver = driven(Phase.RENEWING)
    before = driver.client
    assert driver.receive(ACK, **{"lease": 2, **fields}) == ()
    assert driver.client == before


def test_a_server_that_was_not_asked_ends_nothing() -> None:
    driver = driven(Phase.RENEWING)
    assert driver.receive(ACK, lease=2, server=OTHER) == ()
    ends(driven(Phase.REBINDING), lease=2, server=OTHER)


# A second answer ---------------------------------------------------------------------------------


def answered(phase: Phase, length: int = HOUR) -> tuple[Driver, int]:
    """A client whose request was answered once, and when it was sent."""
    driver = driven(phase, lease=length)
    kept = driver.client.answered
    assert kept is not None
    return driver, kept.asked


def again(driver: Driver, **fields: object) -> Effects:
    """Another DHCPACK to the same request."""
    kept = driver.client.answered
    assert kept is not None
    return driver.receive(ACK, **{"xid": kept.xid, **fields})


def test_in_bound_a_second_answer_takes_time_away() -> None:
    driver, asked = answered(Phase.BOUND)
    effects = again(driver, lease=600)
    lease, until = driver.client.lease, asked + 600 * SECOND - driver.client.config.margin
    assert lease is not None
    assert lease.end == asked + 600 * SECOND
    assert effects == (Store(lease), Configure(lease, until), Notify(Notice.EXTENDED, lease))
    assert driver.client.holds == A


def test_in_probing_it_does_before_anything_is_used_or_written() -> None:
    driver, asked = answered(Phase.PROBING)
    assert again(driver, lease=600) == ()
    driver.until(Phase.BOUND)
    (configured,) = of(Configure, driver.said[-1][1])
    assert configured.lease.end == asked + 600 * SECOND


@pytest.mark.parametrize("phase", ANSWERED, ids=lambda phase: phase.name)
def test_a_second_answer_that_leaves_nothing_ends_the_lease(phase: Phase) -> None:
    driver, _ = answered(phase)
    kept = driver.client.answered
    assert kept is not None
    ends(driver, xid=kept.xid, lease=2)


@pytest.mark.parametrize("phase", ANSWERED, ids=lambda phase: phase.name)
@pytest.mark.parametrize("seconds", [HOUR, HOUR + 1, 2 * HOUR, INFINITE])
def test_a_second_answer_gives_no_time(phase: Phase, seconds: int) -> None:
    """The server may have said it before the first: the earlier end is within either record."""
    driver, _ = answered(phase)
    before = driver.client
    assert again(driver, lease=seconds) == ()
    assert driver.client == before


@pytest.mark.parametrize("phase", ANSWERED, ids=lambda phase: phase.name)
def test_one_for_another_exchange_address_or_server_does_not_count(phase: Phase) -> None:
    driver, _ = answered(phase)
    before = driver.client
    for fields in ({"xid": 0xDEAD}, {"address": B}, {"server": OTHER}, {"lease": None}):
        assert again(driver, **{"lease": 600, **fields}) == ()
    assert driver.client == before


def test_whoever_was_asked_by_all_may_say_so() -> None:
    """§4.4.5 REBINDING asks any server, and they may keep one record."""
    driver = driven(Phase.REBINDING)
    driver.receive(ACK)
    asked = abstract(driver.client).asked
    assert asked is not None
    again(driver, lease=600, server=OTHER)
    assert abstract(driver.client).lease_end == asked + 600 * SECOND


def test_a_lease_without_end_may_be_given_one() -> None:
    """§3.3."""
    driver, asked = answered(Phase.BOUND, INFINITE)
    again(driver, lease=600)
    assert abstract(driver.client).lease_end == asked + 600 * SECOND
    assert driver.client.leased.renew_at is not None


def test_when_the_kernel_has_removed_the_address_only_the_file_is_written() -> None:
    driver, _ = answered(Phase.BOUND)
    driver.gone()
    effects = again(driver, lease=600)
    assert effects == (Store(driver.client.lease),)
    assert driver.client.holds is None


def test_the_remainder_of_a_remembered_lease_may_be_cut_short() -> None:
    """§3.2(3): the server that did not answer in time answers after all."""
    driver = driven(Phase.REBOOTING)
    driver.until(Phase.BOUND)
    asked = abstract(driver.client).asked
    assert asked is not None
    again(driver, lease=120)
    assert abstract(driver.client).lease_end == asked + 120 * SECOND


def test_the_announcements_go_on() -> None:
    """RFC 5227 §2.3: two, whatever becomes of the lease between them."""
    driver = driven(Phase.PROBING)
    driver.until(Phase.BOUND)
    again(driver, lease=600)
    said = driver.wait(10 * SECOND)
    assert [p.arp for _, e in said for p in of(SendArp, e)] == [announcement(MAC, A)]


def test_a_renewal_is_an_exchange_of_its_own() -> None:
    """§4.4.5: what answers the request before is discarded once the next one is sent."""
    driver, _ = answered(Phase.BOUND)
    old = driver.client.answered
    assert old is not None
    driver.until(Phase.RENEWING)
    assert driver.receive(ACK, xid=old.xid, lease=2) == ()
    assert driver.client.holds == A
