"""The rules of the RFCs that a client is asked about, each by its number in requirements.toml.

A test feeds events at their instants and expects effects.  Its docstring has the wording of the
rule's source, which tests/model/clients/test_requirements.py compares.  § alone is a section of RFC
2131.
"""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.core.client import deadline
from holdover.reference.core.client_state import Effects
from holdover.reference.core.events import (
    Configure,
    Lease,
    Notice,
    Notify,
    Phase,
    Remove,
    Send,
    SendArp,
    Store,
)
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.wire.arp import Arp, announcement, probe
from holdover.reference.wire.messages import NO_OPTIONS, BootRequest
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType
from holdover.reference.wire.options import INFINITE, IPV6_ONLY_PREFERRED, PARAMETER_REQUEST_LIST
from tests.reference.core.clients import (
    ACK,
    ASKED,
    CONFIG,
    EPOCH,
    HOLDING,
    HOUR,
    IDENTIFIER,
    LEASED,
    MAC,
    NAK,
    OFFER,
    OTHER,
    SERVER,
    TOLD,
    A,
    B,
    Driver,
    blank,
    driven,
    gaps,
    notices,
    of,
    only,
    packets,
    probed_by_other,
    requests,
    used_by_other,
)

JITTERS = (0, 500, 1000)
jitters = pytest.mark.parametrize("jitter", JITTERS)
phases = pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name)
leased = pytest.mark.parametrize("phase", LEASED, ids=lambda phase: phase.name)
holding = pytest.mark.parametrize("phase", HOLDING, ids=lambda phase: phase.name)
asking = pytest.mark.parametrize(
    "phase", [Phase.REBOOTING, Phase.RENEWING, Phase.REBINDING], ids=lambda phase: phase.name
)

SENT = {
    "discover": MessageType.DISCOVER,
    "selecting": MessageType.REQUEST,
    "reboot": MessageType.REQUEST,
    "renewing": MessageType.REQUEST,
    "rebinding": MessageType.REQUEST,
    "decline": MessageType.DECLINE,
    "release": MessageType.RELEASE,
}


def sent(name: str, driver: Driver | None = None) -> Send:
    """The message of that name, as a client sends it that comes to send it."""
    driver = driver or Driver()
    match name:
        case "discover":
            driver.start()
            effects = driver.tick()
        case "selecting":
            driver.start()
            driver.until(Phase.SELECTING)
            effects = driver.receive(OFFER)
        case "reboot":
            driver.start(driver.remembered(), A)
            effects = driver.tick()
        case "renewing" | "rebinding":
            driver.bound().until(Phase[name.upper()])
            _, effects = driver.said[-1]
        case "decline":
            effects = driver.acknowledged().hear(used_by_other())
        case "release":
            effects = driver.bound().release()
    (message,) = of(Send, effects)
    return message


# Lease end ---------------------------------------------------------------------------------------


@holding
@pytest.mark.parametrize("late", [0, 1, HOUR * SECOND])
def test_r3_at_its_end_the_address_is_removed(phase: Phase, late: int) -> None:
    """§4.4.5, §3.7 MUST, whatever the phase in which the end finds the client.

    "If the lease expires before the client receives a DHCPACK, the client moves to INIT state,
    MUST immediately stop any other network processing".
    """
    driver = driven(phase)
    lease = driver.client.leased
    assert lease.end is not None
    effects = driver.freeze(lease.end + late - driver.now)
    assert effects == (Remove(A), Store(None), Notify(Notice.LAPSED, lease))
    assert driver.client.phase is Phase.INIT
    assert (driver.client.holds, driver.client.lease) == (None, None)


AT_THE_END: dict[str, Callable[[Driver], Effects]] = {
    "timer": lambda driver: driver.timer(),
    "ack": lambda driver: driver.receive(ACK),
    "nak": lambda driver: driver.receive(NAK),
    "conflict": lambda driver: driver.hear(used_by_other()),
    "gone": lambda driver: driver.gone(),
    "release": lambda driver: driver.release(),
}


@leased
@pytest.mark.parametrize("event", AT_THE_END)
def test_r3_no_event_comes_before_the_end(phase: Phase, event: str) -> None:
    """§4.4.5 MUST: a reply, an order or a conflict that comes at the end finds no lease."""
    driver = driven(phase)
    lease, held = driver.client.leased, driver.client.holds
    assert lease.end is not None
    driver.now = lease.end
    removed = () if held is None else (Remove(held),)
    lapsed = (*removed, Store(None), Notify(Notice.LAPSED, lease))
    assert AT_THE_END[event](driver) == lapsed


def test_r3_not_a_moment_too_early() -> None:
    """§4.4.5: until its end the lease is the client's."""
    driver = driven(Phase.REBINDING)
    lease = driver.client.leased
    assert lease.end is not None
    assert Remove(A) not in driver.freeze(lease.end - 1 - driver.now)
    assert driver.client.holds == A


def test_r4_after_its_end_the_client_is_uninitialised() -> None:
    """§4.4.5, §4.4.1, §4.1: what follows is what a client says that has just begun.

    It "requests network initialization parameters as if the client were uninitialized".
    """
    driver = driven(Phase.REBINDING)
    driver.until(Phase.INIT).until(Phase.SELECTING)
    (discover,) = of(Send, driver.said[-1][1])
    assert discover.to is None
    assert discover.request.ciaddr == NO_ADDRESS
    assert blank(discover.request) == blank(sent("discover").request)


@jitters
@pytest.mark.parametrize("delay", [0, 1, 25 * SECOND])
def test_r5_the_lease_counts_from_the_request(delay: int, jitter: int) -> None:
    """§4.4.1, §4.4.2, §4.4.5: not from the DHCPACK, nor from a DHCPREQUEST sent again.

    "The client records the lease expiration time as the sum of the time at which the DHCPREQUEST
    message was sent and the duration of the lease from the DHCPACK message."
    """
    driver = driven(Phase.REQUESTING)
    driver.jitter = jitter
    asked = driver.now
    driver.wait(delay)
    driver.receive(ACK)
    assert driver.client.leased.end == asked + HOUR * SECOND
    driver.until(Phase.BOUND)
    assert driver.client.leased.end == asked + HOUR * SECOND


@asking
def test_r5_so_does_one_that_is_extended(phase: Phase) -> None:
    """§4.4.5: from the DHCPREQUEST that the DHCPACK is for."""
    driver = driven(phase)
    asked = driver.now
    driver.now += 3 * SECOND
    driver.receive(ACK, lease=2 * HOUR)
    assert driver.client.phase is Phase.BOUND
    assert driver.client.leased.end == asked + 2 * HOUR * SECOND


@pytest.mark.parametrize("asked", ["selecting", "reboot"])
def test_r6_a_new_address_takes_the_place_of_the_old(asked: str) -> None:
    """§4.4.5 MUST NOT.

    "If the client is given a new network address, it MUST NOT continue using the previous network
    address".
    """
    driver = Driver()
    sent(asked, driver)
    held = driver.client.holds
    effects = driver.receive(ACK, address=B)
    assert of(Remove, effects) == ([] if held is None else [Remove(held)])
    driver.until(Phase.BOUND)
    assert driver.client.holds == driver.client.leased.address == B
    said = [effect for _, effects in driver.said for effect in effects]
    assert [each.lease.address for each in of(Configure, tuple(said))] == [B]


@pytest.mark.parametrize("phase", [Phase.RENEWING, Phase.REBINDING])
def test_r6_extending_is_not_changing(phase: Phase) -> None:
    """§4.4.5: in RENEWING and REBINDING another address is no answer to what was asked."""
    driver = driven(phase)
    before = driver.client
    assert driver.receive(ACK, address=B) == ()
    assert driver.client == before


def test_r7_the_same_address_after_the_end_is_used_again() -> None:
    """§4.4.5 SHOULD.

    "If the client then receives a DHCPACK allocating that client its previous network address, the
    client SHOULD continue network processing."
    """
    driver = driven(Phase.REBINDING).until(Phase.INIT)
    assert driver.client.holds is None
    driver.until(Phase.SELECTING).receive(OFFER)
    driver.until(Phase.REQUESTING).receive(ACK)
    driver.until(Phase.BOUND)
    assert driver.client.holds == A
    assert driver.client.leased.end is not None
    assert driver.now < driver.client.leased.end


@pytest.mark.parametrize("found", [None, A])
def test_r8_without_an_answer_only_the_remainder_is_used(found: IPv4Address | None) -> None:
    """§3.2(3) MAY.

    "the client MAY choose to use the previously allocated network address and configuration
    parameters for the remainder of the unexpired lease".
    """
    driver = Driver()
    lease = driver.remembered(600 * SECOND)
    driver.start(lease, found)
    driver.until(Phase.BOUND)
    assert driver.client.leased == lease
    (configured,) = of(Configure, driver.said[-1][1])
    assert lease.end is not None
    assert configured == Configure(lease, lease.end - CONFIG.margin)
    driver.until(Phase.INIT)
    assert driver.now == lease.end
    assert driver.said[-1][1] == (Remove(A), Store(None), Notify(Notice.LAPSED, lease))


@pytest.mark.parametrize("milliseconds", [30_000, 60_000, 62_000, 62_500])
@pytest.mark.parametrize("found", [None, A])
def test_r8_a_remainder_that_is_over_is_not_used(
    milliseconds: int, found: IPv4Address | None
) -> None:
    """§3.2(3) MAY: nor is one of which nothing would be left when it could be used."""
    driver = Driver()
    lease = driver.remembered(milliseconds * SECOND // 1000)
    driver.start(lease, found)
    driver.until(Phase.INIT)
    assert driver.now == lease.end
    assert [each for _, effects in driver.said for each in of(Configure, effects)] == []


@asking
def test_r9_a_dhcpnak_ends_the_use(phase: Phase) -> None:
    """§3.2(3), Figure 5: the address goes, then DHCPDISCOVER.

    "If the client receives a DHCPNAK message, it cannot reuse its remembered network address."
    """
    driver = driven(phase)
    lease = driver.client.leased
    effects = driver.receive(NAK)
    assert effects == (Remove(A), Store(None), Notify(Notice.REFUSED, lease))
    assert driver.client.phase is Phase.INIT
    driver.until(Phase.SELECTING)
    assert only(driver.said[-1][1]).type is MessageType.DISCOVER


def test_r9_so_it_does_while_requesting() -> None:
    """§3.1(5): "If the client receives a DHCPNAK message, the client restarts"."""
    driver = driven(Phase.REQUESTING)
    assert driver.receive(NAK) == (Notify(Notice.REFUSED),)
    assert driver.client.phase is Phase.INIT


@pytest.mark.parametrize("phase", [Phase.REQUESTING, Phase.RENEWING])
def test_r9_another_servers_dhcpnak_is_none(phase: Phase) -> None:
    """§4.3.2, §4.4.5: where one server was asked, that one answers."""
    driver = driven(phase)
    before = driver.client
    assert driver.receive(NAK, server=OTHER) == ()
    assert driver.client == before


# T1 and T2 ---------------------------------------------------------------------------------------

lengths = st.one_of(st.integers(6, 100), st.integers(6, INFINITE - 1))
seconds = st.one_of(st.none(), st.integers(0, 100), st.integers(0, INFINITE))


@given(lengths, seconds, seconds, st.integers(0, 1000))
def test_r10_t1_before_t2_before_the_end(
    length: int, t1: int | None, t2: int | None, jitter: int
) -> None:
    """§4.4.5 MUST, whatever the server says.

    "T1 MUST be earlier than T2, which, in turn, MUST be earlier than the time at which the client's
    lease will expire."
    """
    driver = driven(Phase.REQUESTING)
    driver.jitter = jitter
    asked = driver.now
    driver.receive(ACK, lease=length, t1=t1, t2=t2)
    lease = driver.client.leased
    assert lease.renew_at is not None
    assert lease.rebind_at is not None
    assert lease.end is not None
    assert asked < lease.renew_at < lease.rebind_at < lease.end == asked + length * SECOND


USUAL = (1800, 3150)


@pytest.mark.parametrize(
    ("t1", "t2", "expected"),
    [
        (None, None, USUAL),
        (600, 1200, (600, 1200)),
        (1, 2, (1, 2)),
        (3598, 3599, (3598, 3599)),
        (600, None, (600, 3150)),
        (None, 1801, (1800, 1801)),
        (0, 1200, USUAL),
        (1200, 1200, USUAL),
        (1200, 600, USUAL),
        (600, 3600, USUAL),
        (3600, 7200, USUAL),
        (3150, None, USUAL),
        (None, 1800, USUAL),
        (INFINITE, INFINITE, USUAL),
    ],
)
def test_r11_t1_and_t2_are_the_servers_or_the_usual(
    t1: int | None, t2: int | None, expected: tuple[int, int]
) -> None:
    """§4.4.5, RFC 2132 §9.11, §9.12: options 58 and 59 where they are in order, else both usual.

    "T1 defaults to (0.5 * duration_of_lease).  T2 defaults to (0.875 * duration_of_lease)."
    """
    driver = driven(Phase.REQUESTING)
    driver.jitter = 0
    asked = driver.now
    driver.receive(ACK, t1=t1, t2=t2)
    lease = driver.client.leased
    got = (lease.renew_at, lease.rebind_at)
    assert got == tuple(asked + each * SECOND for each in expected)


@jitters
def test_r11_they_are_fuzzed(jitter: int) -> None:
    """§4.4.5 SHOULD: "some random "fuzz" around a fixed value"; only ever earlier, up to 1 %."""
    driver = driven(Phase.REQUESTING)
    driver.jitter = jitter
    asked = driver.now
    driver.receive(ACK)
    fuzz = 36 * SECOND * jitter // 1000
    lease = driver.client.leased
    assert lease.renew_at == asked + 1800 * SECOND - fuzz
    assert lease.rebind_at == asked + 3150 * SECOND - fuzz


def test_r11_they_are_what_the_client_goes_by() -> None:
    """§4.4.5: it enters RENEWING at T1, REBINDING at T2, to the unit."""
    driver = Driver(jitter=0).bound(t1=600, t2=1200)
    lease = driver.client.leased
    driver.until(Phase.RENEWING)
    assert driver.now == lease.renew_at
    driver.until(Phase.REBINDING)
    assert driver.now == lease.rebind_at


def renewal(driver: Driver, began: Instant) -> BootRequest:
    """§4.3.2: `ciaddr`, and of the options that name addresses none."""
    return BootRequest(
        MessageType.REQUEST,
        driver.client.asking.xid,
        MAC,
        IDENTIFIER,
        secs=(driver.now - began) // SECOND,
        ciaddr=A,
        options=ASKED,
    )


def test_r12_renewing_is_unicast() -> None:
    """§4.3.2 MUST: to the server of the lease; `ciaddr`, no option 50 and no option 54.

    "'server identifier' MUST NOT be filled in, 'requested IP address' option MUST NOT be filled in,
    'ciaddr' MUST be filled in with client's IP address."
    """
    driver = Driver()
    message = sent("renewing", driver)
    assert message == Send(renewal(driver, driver.now), SERVER)


def test_r13_rebinding_is_broadcast() -> None:
    """§4.3.2 MUST: otherwise it is as in RENEWING.

    "This message MUST be broadcast to the 0xffffffff IP broadcast address."
    """
    driver = Driver()
    message = sent("rebinding", driver)
    began = driver.client.leased.renew_at
    assert began is not None
    assert message == Send(renewal(driver, began), None)


def test_r13_any_server_may_answer_it() -> None:
    """§4.4.5: in REBINDING any, in RENEWING the one that was asked."""
    driver = driven(Phase.RENEWING)
    assert driver.receive(ACK, server=OTHER) == ()
    driver.until(Phase.REBINDING).receive(ACK, server=OTHER)
    assert driver.client.phase is Phase.BOUND
    assert driver.client.leased.server == OTHER


def test_r14_retries_halve_what_is_left() -> None:
    """§4.4.5 SHOULD: it waits half of the time to T2, then half of the time to the end.

    "down to a minimum of 60 seconds, before retransmitting the DHCPREQUEST message".
    """
    driver = Driver(jitter=0).acknowledged()
    asked = driver.said[-1][0]
    said = driver.wait(3599 * SECOND - (driver.now - asked))
    assert [(now - asked) * 1000 // SECOND for now, _ in requests(said)] == [
        1_800_000,
        2_475_000,
        2_812_500,
        2_981_250,
        3_065_625,
        3_125_625,
        3_150_000,
        3_375_000,
        3_487_500,
        3_547_500,
    ]
    assert [each.to for _, each in requests(said)] == [SERVER] * 6 + [None] * 4
    driver.tick()
    assert driver.now == asked + HOUR * SECOND


@given(st.integers(6, 10**7), st.integers(0, 1000))
def test_r14_never_sooner_than_a_minute(length: int, jitter: int) -> None:
    """§4.4.5 SHOULD: but T2 is a new beginning."""
    driver = Driver(jitter=jitter).acknowledged(lease=length)
    driver.until(Phase.INIT)
    for sort in (SERVER, None):
        instants = [
            now
            for now, each in requests(driver.said)
            if each.to == sort and each.request.ciaddr == A
        ]
        assert all(gap >= 60 * SECOND for gap in gaps(instants))


# What is sent ------------------------------------------------------------------------------------


def test_r15_selecting_names_server_and_address() -> None:
    """§4.3.2, §3.1(3) MUST: options 50 and 54 as in the offer.

    "'ciaddr' MUST be zero, 'requested IP address' MUST be filled in with the yiaddr value from the
    chosen DHCPOFFER."
    """
    driver = Driver()
    discover = sent("discover", driver).request
    driver.receive(OFFER, address=B, server=OTHER, lease=HOUR + 1)
    driver.receive(OFFER)
    assert driver.tick() == (
        Send(replace(discover, type=MessageType.REQUEST, requested=B, server=OTHER)),
    )


def test_r16_init_reboot_names_the_address_only() -> None:
    """§4.3.2, Table 4 MUST: broadcast, `ciaddr` zero.

    "'server identifier' MUST NOT be filled in, 'requested IP address' option MUST be filled in with
    client's notion of its previously assigned address."
    """
    driver = Driver()
    message = sent("reboot", driver)
    assert message == Send(
        BootRequest(
            MessageType.REQUEST,
            driver.client.asking.xid,
            MAC,
            IDENTIFIER,
            requested=A,
            options=ASKED,
        )
    )


def test_r17_selecting_keeps_the_xid_of_the_offer() -> None:
    """§4.4.1, Table 5, also when it is sent again.

    "The DHCPREQUEST message contains the same 'xid' as the DHCPOFFER message."
    """
    driver = Driver()
    xid = sent("discover", driver).request.xid
    driver.receive(OFFER, xid=xid)
    said = driver.wait(30 * SECOND)
    assert {each.request.type for _, each in requests(said)} == {MessageType.REQUEST}
    assert {each.request.xid for _, each in requests(said)} == {xid}
    assert len(requests(said)) > 1


@pytest.mark.parametrize("broadcast", [False, True])
def test_r18_selecting_keeps_secs_and_destination(broadcast: bool) -> None:
    """§3.1(3) MUST, also when it is sent again.

    "the DHCPREQUEST message MUST use the same value in the DHCP message header's 'secs' field and
    be sent to the same IP broadcast address as the original DHCPDISCOVER message"
    """
    driver = driven(Phase.SELECTING, replace(CONFIG, broadcast=broadcast))
    driver.tick()
    discover = driver.said[-1][1][0]
    assert isinstance(discover, Send)
    assert (discover.request.secs, discover.to) == (4, None)
    driver.now += 3 * SECOND
    driver.receive(OFFER)
    said = requests(driver.wait(40 * SECOND))
    assert len(said) > 2
    for _, each in said:
        assert each == Send(
            replace(discover.request, type=MessageType.REQUEST, requested=A, server=SERVER)
        )


@phases
def test_r19_another_xid_is_discarded(phase: Phase) -> None:
    """§4.4.1, §4.4.5: of a DHCPOFFER, a DHCPACK, and a DHCPNAK too.

    "If the 'xid' of an arriving DHCPOFFER message does not match the 'xid' of the most recent
    DHCPDISCOVER message, the DHCPOFFER message must be silently discarded."
    """
    driver = driven(phase)
    before = driver.client
    right = driver.reply(OFFER).xid
    for kind in (OFFER, ACK, NAK):
        for xid in (0, right ^ 1, right - 1, 0xFFFF_FFFF):
            assert driver.receive(kind, xid=xid) == ()
            assert driver.client == before


@asking
def test_r19_the_xid_of_the_message_before_is_another(phase: Phase) -> None:
    """§4.4.5: in RENEWING and REBINDING each DHCPREQUEST has its own; what came late is old."""
    driver = driven(phase)
    late = driver.client.asking.xid
    driver.tick()
    again = driver.client.asking.xid
    assert (again == late) is (phase is Phase.REBOOTING)
    if again != late:
        assert driver.receive(ACK, xid=late) == driver.receive(NAK, xid=late) == ()
    driver.receive(ACK)
    assert driver.client.phase is Phase.BOUND


@jitters
@pytest.mark.parametrize("name", ["discover", "reboot", "selecting"])
def test_r20_retransmission_backs_off(name: str, jitter: int) -> None:
    """§4.1 MUST: 4, 8, 16, 32, 64, 64 seconds (SHOULD), each give or take one.

    "The client MUST adopt a retransmission strategy that incorporates a randomized exponential
    backoff algorithm to determine the delay between retransmissions."
    """
    driver = Driver(replace(CONFIG, ask_time=400 * SECOND), jitter=jitter)
    first = sent(name, driver).request.type
    begun = driver.now
    said = driver.wait(300 * SECOND)
    instants = [now for now, each in requests(said) if each.request.type is first]
    offset = (jitter - 500) * SECOND // 500
    expected = [each * SECOND + offset for each in (4, 8, 16, 32, 64, 64)]
    assert gaps([begun, *instants])[:6] == expected


@given(st.lists(st.integers(0, 1000), min_size=12, max_size=12))
def test_r20_the_wait_stays_in_its_bounds(chances: list[int]) -> None:
    """§4.1: whatever chance brings, no wait is shorter than 3 or longer than 65 seconds."""
    driver = driven(Phase.SELECTING)
    before, low = driver.now, 0
    for jitter in chances:
        driver.jitter = jitter
        driver.tick()
        wait, before = driver.now - before, driver.now
        assert max(low, 3 * SECOND) <= wait <= 65 * SECOND
        low = min(wait, 63 * SECOND)


@pytest.mark.parametrize(("jitter", "wait"), [(0, 1000), (500, 5500), (1000, 10_000)])
def test_r21_the_start_is_delayed(jitter: int, wait: int) -> None:
    """§4.4.1 SHOULD: from one second to ten.

    "The client SHOULD wait a random time between one and ten seconds to desynchronize the use of
    DHCP at startup."
    """
    driver = Driver(jitter=jitter)
    assert driver.start() == ()
    assert deadline(driver.client) == EPOCH + wait * SECOND // 1000
    assert driver.freeze(wait * SECOND // 1000 - 1) == ()
    driver.now += 1
    assert only(driver.timer()).type is MessageType.DISCOVER


def test_r22_without_an_answer_it_begins_again() -> None:
    """§3.1(5): after four transmissions in sixty seconds; the user is told.

    "the client reverts to INIT state and restarts the initialization process".
    """
    driver = driven(Phase.REQUESTING)
    asked = driver.now
    said = driver.wait(60 * SECOND - 1)
    assert [(now - asked) // SECOND for now, _ in requests(said)] == [4, 12, 28]
    assert driver.tick() == (Notify(Notice.UNANSWERED),)
    assert driver.now == asked + 60 * SECOND
    assert driver.client.phase is Phase.INIT
    driver.until(Phase.SELECTING)
    assert only(driver.said[-1][1]).type is MessageType.DISCOVER


# In use ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["selecting", "reboot"])
def test_r23_a_new_address_is_probed_first(way: str) -> None:
    """§2.2, §3.1(5), §4.4.1 SHOULD: also one that is remembered and not on the interface.

    "the client SHOULD probe the newly received address, e.g., with ARP".
    """
    driver = Driver()
    if way == "selecting":
        driver.acknowledged()
    else:
        driver.start(driver.remembered())
        driver.until(Phase.REBOOTING).receive(ACK)
    assert driver.client.phase is Phase.PROBING
    assert driver.client.holds is None
    before = len(driver.said)
    driver.until(Phase.BOUND)
    *probing, (_, use) = driver.said[before:]
    assert [effects for _, effects in probing] == [(SendArp(probe(MAC, A)),)] * 3
    assert of(Configure, use)


def test_r24_the_probe_uses_no_address() -> None:
    """§4.4.1: whatever the operation, the sender's addresses are these.

    "the client must fill in its own hardware address as the sender's hardware address, and 0 as the
    sender's IP address".
    """
    driver = Driver().acknowledged()
    driver.tick()
    ((_, packet),) = packets(driver.said)
    assert (packet.sender_hardware, packet.sender, packet.target) == (MAC, NO_ADDRESS, A)


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("conflict", [used_by_other(), probed_by_other()], ids=["use", "probe"])
def test_r25_an_address_in_use_is_declined(after: int, conflict: Arp) -> None:
    """§3.1(5), §3.2(3), §4.4.1 MUST: before the first probe, and after each.

    "the client MUST send a DHCPDECLINE message to the server and restarts the configuration
    process".
    """
    driver = Driver().acknowledged()
    lease = driver.client.leased
    for _ in range(after):
        driver.tick()
    effects = driver.hear(conflict)
    declined = BootRequest(
        MessageType.DECLINE, driver.xid, MAC, IDENTIFIER, requested=A, server=SERVER
    )
    assert effects == (Store(None), Send(declined), Notify(Notice.DECLINED, lease))
    assert driver.client.phase is Phase.INIT


def test_r25_its_own_packets_and_other_addresses_are_no_conflict() -> None:
    """RFC 5227 §2.1.1: what comes back from the link is not another host."""
    driver = Driver().acknowledged()
    before = driver.client
    for packet in (probe(MAC, A), announcement(MAC, A), used_by_other(B), probed_by_other(B)):
        assert driver.hear(packet) == ()
    assert driver.client == before


def test_r26_decline_is_broadcast_release_unicast() -> None:
    """§4.4.4.

    "The client unicasts DHCPRELEASE messages to the server."
    """
    assert sent("decline").to is None
    assert sent("release").to == SERVER


@jitters
def test_r27_ten_seconds_after_a_dhcpdecline(jitter: int) -> None:
    """§3.1(5) SHOULD.

    "The client SHOULD wait a minimum of ten seconds before restarting the configuration process".
    """
    driver = Driver(jitter=jitter).acknowledged()
    driver.hear(used_by_other())
    assert driver.wait(10 * SECOND - 1) == []
    assert only(driver.tick()).type is MessageType.DISCOVER


def test_r29_release_names_address_and_server() -> None:
    """Table 5, §3.1(6) MUST: `ciaddr` and option 54, neither 50 nor 51, nor any other.

    "it MUST use the same 'client identifier' in the DHCPRELEASE message".
    """
    driver = Driver(replace(CONFIG, broadcast=True))
    message = sent("release", driver)
    assert message.request == BootRequest(
        MessageType.RELEASE, driver.xid, MAC, IDENTIFIER, ciaddr=A, server=SERVER
    )


@leased
def test_r30_after_dhcprelease_no_use(phase: Phase) -> None:
    """§4.4.6: removed and forgotten first, then given back; the client waits for `Start`.

    "If the client no longer requires use of its assigned network address (e.g., the client is
    gracefully shut down), the client sends a DHCPRELEASE message to the server."
    """
    driver = driven(phase)
    lease, held = driver.client.leased, driver.client.holds
    *before, released, told = driver.release()
    assert before == ([Store(None)] if held is None else [Remove(A), Store(None)])
    assert isinstance(released, Send)
    assert (released.request.type, released.request.ciaddr) == (MessageType.RELEASE, A)
    assert told == Notify(Notice.RELEASED, lease)
    assert deadline(driver.client) is None
    assert driver.hear(used_by_other()) == driver.receive(ACK) == driver.timer() == ()
    assert driver.wait(2 * HOUR * SECOND) == []


@leased
def test_r30_no_dhcprelease_for_a_lease_that_is_over(phase: Phase) -> None:
    """§4.4.6, our reading: there is nothing left to give back."""
    driver = driven(phase)
    end = driver.client.leased.end
    assert end is not None
    driver.now = end
    assert of(Send, driver.release()) == []
    assert deadline(driver.client) is None


# Clock and identifier ----------------------------------------------------------------------------


def test_r36_an_infinite_lease_has_no_end() -> None:
    """§3.3: nothing to renew, nothing to lapse, no lifetime in the kernel."""
    driver = Driver().bound(lease=INFINITE, t1=1, t2=2)
    lease = driver.client.leased
    assert lease == Lease(A, SERVER, None, None, None, TOLD)
    configured = [each for _, effects in driver.said for each in of(Configure, effects)]
    assert configured == [Configure(lease, None)]
    assert deadline(driver.client) is None
    for length in (INFINITE * SECOND, 10**30):
        assert driver.freeze(length) == ()
    assert driver.client.phase is Phase.BOUND
    assert driver.client.holds == A


def test_r36_an_infinite_lease_is_remembered() -> None:
    """§3.3: also by one that has slept for ever."""
    driver = Driver()
    lease = Lease(A, SERVER, None, None, None, TOLD)
    driver.start(lease, A)
    driver.until(Phase.REBOOTING)
    driver.wait(HOUR * SECOND)
    assert (driver.client.phase, driver.client.leased) == (Phase.BOUND, lease)


@pytest.mark.parametrize("begin", [0, EPOCH, -EPOCH])
def test_r36_a_lease_counts_on_the_clients_clock(begin: int) -> None:
    """§3.3: from whatever its clock shows; a suspend of any length is time that has passed.

    "times are represented in DHCP messages as relative times, to be interpreted with respect to the
    client's local clock".
    """
    driver = Driver(now=begin, jitter=0)
    driver.acknowledged()
    asked = driver.now
    driver.until(Phase.BOUND)
    assert driver.client.leased.end == asked + HOUR * SECOND
    assert Remove(A) in driver.freeze(HOUR * SECOND)


@pytest.mark.parametrize("identifier", [None, IDENTIFIER])
def test_r37_the_identifier_is_the_same_in_all_messages(identifier: bytes | None) -> None:
    """§2, §4.2 MUST: the one it is configured with, also across leases.

    "If the client uses a 'client identifier' in one message, it MUST use that same identifier in
    all subsequent messages".
    """
    config = replace(CONFIG, client_id=identifier)
    for name, kind in SENT.items():
        request = sent(name, Driver(config)).request
        assert request.type is kind
        assert (request.client_id, request.chaddr) == (identifier, MAC)


@pytest.mark.parametrize("name", SENT)
def test_r37_the_requested_parameters_are_in_all_but_farewells(name: str) -> None:
    """§4.4.1 MUST include that list in all subsequent messages; Table 5 MUST NOT in farewells."""
    request = sent(name).request
    farewell = request.type in (MessageType.DECLINE, MessageType.RELEASE)
    assert request.options == (NO_OPTIONS if farewell else ASKED)
    assert farewell or PARAMETER_REQUEST_LIST.code in request.options


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("broadcast", [False, True])
def test_r37_the_broadcast_flag_is_in_all_but_farewells(name: str, broadcast: bool) -> None:
    """Table 5: flags 0 in DHCPDECLINE and DHCPRELEASE, else as the client needs it; no giaddr."""
    request = sent(name, Driver(replace(CONFIG, broadcast=broadcast))).request
    farewell = request.type in (MessageType.DECLINE, MessageType.RELEASE)
    assert request.broadcast is (broadcast and not farewell)
    assert (request.giaddr, request.lease) == (NO_ADDRESS, None)


@phases
@pytest.mark.parametrize("identifier", [b"\0\0", IDENTIFIER + b"\0", IDENTIFIER[:-1]])
def test_r38_client_drops_another_identifier(phase: Phase, identifier: bytes) -> None:
    """RFC 6842 §3 MUST.

    "If the two client identifiers do not match, the client MUST silently discard the message."
    """
    driver = driven(phase)
    before = driver.client
    for kind in (OFFER, ACK, NAK):
        assert driver.receive(kind, client_id=identifier) == ()
        assert driver.client == before


def test_r38_client_without_identifier_drops_any() -> None:
    """RFC 6842 §3: the server echoes what it was sent, and that was none."""
    driver = driven(Phase.SELECTING, replace(CONFIG, client_id=None))
    assert driver.receive(OFFER, client_id=IDENTIFIER) == ()
    assert driver.client.offers == ()


def test_r38_client_accepts_an_old_server() -> None:
    """RFC 6842 §1: RFC 2131 has servers echo none; whoever does not is old."""
    driver = Driver().acknowledged(client_id=None)
    assert driver.client.phase is Phase.PROBING


# RFC 5227, RFC 3203 ------------------------------------------------------------------------------


@jitters
def test_r39_three_probes_then_a_wait(jitter: int) -> None:
    """RFC 5227 §2.1.1: within a second, one to two seconds apart, then two seconds.

    "should then send PROBE_NUM probe packets, each of these probe packets spaced randomly and
    uniformly, PROBE_MIN to PROBE_MAX seconds apart".
    """
    driver = Driver(jitter=jitter).acknowledged()
    acknowledged = driver.now
    driver.until(Phase.BOUND)
    (*probes, (used, first)) = packets(driver.said)
    assert [packet for _, packet in probes] == [probe(MAC, A)] * 3
    instants = [now for now, _ in probes]
    assert instants[0] == acknowledged + jitter * SECOND // 1000
    assert gaps(instants) == [SECOND + jitter * SECOND // 1000] * 2
    assert used == instants[-1] + 2 * SECOND
    assert first == announcement(MAC, A)


def test_r39_after_ten_conflicts_once_a_minute() -> None:
    """RFC 5227 §2.1.1: MAX_CONFLICTS, RATE_LIMIT_INTERVAL; a lease in use ends it."""
    driver = Driver()
    driver.start()
    waits = []
    for _ in range(12):
        driver.until(Phase.SELECTING).receive(OFFER)
        driver.until(Phase.REQUESTING).receive(ACK)
        driver.hear(used_by_other())
        before = driver.now
        driver.until(Phase.SELECTING)
        waits.append((driver.now - before) // SECOND)
    assert waits == [10] * 9 + [60] * 3
    driver.receive(OFFER)
    driver.until(Phase.REQUESTING).receive(ACK)
    driver.until(Phase.BOUND)
    assert driver.client.conflicts == 0


def test_r40_an_address_is_announced_twice() -> None:
    """RFC 5227 §2.3 MUST: two announcements, two seconds apart, once it is in use.

    "a host implementing this specification MUST then announce that it is commencing to use this
    address by broadcasting ANNOUNCE_NUM ARP Announcements".
    """
    driver = Driver().acknowledged().until(Phase.BOUND)
    used = driver.now
    assert [type(effect) for effect in driver.said[-1][1]] == [Store, Configure, SendArp, Notify]
    driver.wait(1000 * SECOND)
    said = [(now, packet) for now, packet in packets(driver.said) if not packet.is_probe]
    assert said == [(used, announcement(MAC, A)), (used + 2 * SECOND, announcement(MAC, A))]


def test_r40_one_that_is_extended_is_not_announced() -> None:
    """RFC 5227 §2.3: it is in use already."""
    driver = driven(Phase.RENEWING)
    effects = driver.receive(ACK)
    lease = driver.client.leased
    assert lease.end is not None
    until = lease.end - CONFIG.margin
    assert effects == (Store(lease), Configure(lease, until), Notify(Notice.EXTENDED, lease))
    assert packets(driver.wait(100 * SECOND)) == []


@holding
def test_r41_a_second_conflict_within_ten_seconds(phase: Phase) -> None:
    """RFC 5227 §2.4(b) MUST: defend once, then cease; RFC 2131 §3.1(5): DHCPDECLINE.

    "within DEFEND_INTERVAL seconds, then the host MUST immediately cease using this address and
    signal an error to the configuring agent".
    """
    driver = driven(phase)
    lease = driver.client.leased
    assert driver.hear(used_by_other()) == (SendArp(announcement(MAC, A)),)
    driver.now += 10 * SECOND - 1
    declined = BootRequest(
        MessageType.DECLINE, driver.xid + 1, MAC, IDENTIFIER, requested=A, server=SERVER
    )
    assert driver.hear(used_by_other()) == (
        Remove(A),
        Store(None),
        Send(declined),
        Notify(Notice.CEASED, lease),
    )
    assert driver.client.phase is Phase.INIT
    assert requests(driver.wait(10 * SECOND - 1)) == []


@holding
def test_r41_conflicts_that_are_apart_are_defended(phase: Phase) -> None:
    """RFC 5227 §2.4(b): more than DEFEND_INTERVAL after the one before."""
    driver = driven(phase)
    for _ in range(5):
        assert driver.hear(used_by_other()) == (SendArp(announcement(MAC, A)),)
        driver.now += 10 * SECOND
    assert driver.client.phase is phase


def test_r41_a_renewal_does_not_forget_a_conflict() -> None:
    """RFC 5227 §2.4(b): it is still the same address."""
    driver = driven(Phase.RENEWING)
    driver.hear(used_by_other())
    driver.receive(ACK)
    driver.now += SECOND
    assert Remove(A) in driver.hear(used_by_other())


@holding
def test_r41_only_another_host_that_uses_it_is_a_conflict(phase: Phase) -> None:
    """RFC 5227 §2.4: not its own packets, nor a probe, whose sender address is zero."""
    driver = driven(phase)
    before = driver.client
    for packet in (announcement(MAC, A), used_by_other(B), probed_by_other(), probe(MAC, A)):
        assert driver.hear(packet) == ()
    assert driver.client == before


@phases
def test_r43_dhcpforcerenew_is_dropped(phase: Phase) -> None:
    """RFC 3203, from memory: none is authenticated here, so each is dropped, whatever it says."""
    driver = driven(phase)
    before = driver.client
    assert driver.receive(MessageType.FORCERENEW) == ()
    assert driver.receive(MessageType.FORCERENEW, xid=0, lease=None) == ()
    assert driver.client == before


def test_option_108_is_not_asked_for_and_not_heeded() -> None:
    """RFC 8925 §3.2, from memory: why R42 does not concern this client."""
    driver = driven(Phase.REBOOTING)
    driver.receive(ACK, options=type(TOLD)([*TOLD.items(), IPV6_ONLY_PREFERRED(300)]))
    assert driver.client.phase is Phase.BOUND
    assert notices(driver.said)[-1][1].notice is Notice.EXTENDED
