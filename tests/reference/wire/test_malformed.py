"""Malformed options: what a message without them is, for a client and for a server."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.core.config import ServerConfig
from holdover.reference.core.events import Phase, Received
from holdover.reference.core.instants import SECOND
from holdover.reference.core.server import step
from holdover.reference.core.server_state import ReceivedRequest, SendReply, Server, StoreBinding
from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from,
    request_from,
    request_to_wire,
)
from holdover.reference.wire.option_layout import Dropped
from holdover.reference.wire.option_values import MessageType, WireError
from holdover.reference.wire.options import HOST_NAME, option_of
from holdover.reference.wire.packet import decode, encode, read
from tests.measure.malformed import CASES, GOOD, LEASE, MASK, SERVER, TYPE, ended
from tests.net import odd
from tests.reference.core.clients import MAC, Driver
from tests.reference.wire.test_packet import raw

ADDRESS = IPv4Address("10.77.0.50")
OPTIONAL = [name for name, case in CASES.items() if not case.rests]
VITAL = [name for name, case in CASES.items() if case.rests]


def asking(driver: Driver) -> Driver:
    """A client that has selected, and waits for its DHCPACK."""
    driver.start()
    driver.until(Phase.SELECTING)
    take(driver, GOOD + "ff", MessageType.OFFER)
    assert driver.client.phase is Phase.REQUESTING
    return driver


def payload(driver: Driver, options: str, kind: MessageType = MessageType.ACK) -> bytes:
    """A reply to its exchange."""
    asked = BootRequest(kind, driver.client.asking.xid, MAC)
    return odd.reply(asked, ADDRESS, odd.options(options, kind))


def take(driver: Driver, options: str, kind: MessageType = MessageType.ACK) -> BootReply:
    """Hand in a reply as it is read."""
    reply = reply_from(read(payload(driver, options, kind)))
    driver.feed(Received(reply))
    return reply


# The client --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("kind", [MessageType.OFFER, MessageType.ACK])
def test_a_reply_is_taken_without_an_option_that_no_lease_rests_on(
    name: str, kind: MessageType
) -> None:
    data = payload(asking(Driver()), ended(name), kind)
    reading = read(data)
    code = int(name.split()[1])
    assert [each.code for each in reading.dropped] == [code]
    assert str(reading.dropped[0]).startswith(f"option {code} ({option_of(code).name}): expected")
    reply = reply_from(reading)
    assert (reply.type, reply.lease, reply.address) == (kind, 600, ADDRESS)
    assert code not in reply.options
    assert (reply.t1, reply.t2) == (None, None)
    with pytest.raises(WireError):  # who judges messages sees the same error
        decode(data)


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_client_is_bound_by_it(name: str) -> None:
    driver = asking(Driver())
    take(driver, ended(name))
    driver.until(Phase.BOUND)
    assert driver.client.holds == ADDRESS


@pytest.mark.parametrize("name", VITAL)
@pytest.mark.parametrize("kind", [MessageType.OFFER, MessageType.ACK])
def test_a_reply_is_refused_for_an_option_that_a_lease_rests_on(
    name: str, kind: MessageType
) -> None:
    reading = read(payload(asking(Driver()), ended(name), kind))
    code = int(name.split()[1])
    with pytest.raises(WireError, match=rf"^byte \d+: option {code} "):
        reply_from(reading)


def test_a_dhcpnak_does_not_rest_on_a_lease_time() -> None:
    """RFC 2131 Table 3: it MUST NOT have one; what it refuses is refused all the same."""
    driver = asking(Driver())
    take(driver, TYPE + SERVER + "3300ff", MessageType.NAK)
    assert driver.client.phase is Phase.INIT


def test_t1_and_t2_are_computed_where_they_cannot_be_read() -> None:
    """RFC 2131 §4.4.5: half and seven eighths of the lease, less the fuzz."""
    driver = asking(Driver(jitter=0))
    asked = driver.client.asking.asked
    take(driver, GOOD + "3a0100" + "3b0100" + "ff")
    lease = driver.client.lease
    assert lease is not None
    assert asked is not None
    assert (lease.renew_at, lease.rebind_at) == (asked + 300 * SECOND, asked + 525 * SECOND)


def test_what_a_cut_off_option_hides_is_missing() -> None:
    """A lease time behind it is none: the core takes no lease without (Table 3 MUST)."""
    driver = asking(Driver())
    assert take(driver, TYPE + SERVER + MASK + "0cff" + LEASE).lease is None
    assert driver.client.phase is Phase.REQUESTING


def test_fields_are_no_options_where_option_52_cannot_be_read() -> None:
    """Nothing says that they hold any: they are names, as far as anybody knows."""
    data = raw(bytes.fromhex("34010433040000003cff"), file=bytes.fromhex("0c0161ff"))
    reading = read(data)
    assert reading.dropped == (Dropped(52, "expected 1, 2 or 3, got 4", 242, hides=True),)
    assert reading.message.file == b"\x0c\1a\xff"
    assert list(reading.message.options) == [51]


def test_a_field_that_is_cut_off_is_read_up_to_there() -> None:
    data = raw(bytes.fromhex("340101ff"), file=bytes.fromhex("0c01610fff") + b"x" * 123)
    reading = read(data)
    assert [(each.code, each.hides) for each in reading.dropped] == [(15, True)]
    assert reading.message.options == {HOST_NAME.code: "a"}


def test_pieces_before_the_one_that_is_cut_off_are_no_value() -> None:
    """RFC 3396 §7: they are one value, and its end is lost."""
    reading = read(raw(bytes.fromhex("33040000003c33ff00")))
    assert [(each.code, each.hides) for each in reading.dropped] == [(51, True)]
    assert not reading.message.options


# The server --------------------------------------------------------------------------------------

OWN = IPv4Address("10.77.0.1")
CONFIG = ServerConfig(identifier=OWN, hardware=b"\2" * 6, pool=(ADDRESS,), probe_wait=0)
REQUEST = "350103" + SERVER + "32040a4d0032"


def request(options: str) -> bytes:
    asked = BootRequest(MessageType.DISCOVER, 7, MAC)
    return encode(request_to_wire(asked))[:240] + bytes.fromhex(options)


@pytest.mark.parametrize(
    "option",
    [
        "0600",
        "2b00",
        "3c00",
        "3700",
        "3900",
        "390101",
        "3300",
        "33030000ff",
        "5200",
        "520105",
        "0100",
        "3a00",
    ],
)
def test_a_request_is_answered_without_an_option_that_it_does_not_rest_on(option: str) -> None:
    reading = read(request(REQUEST + option + "ff"))
    assert [each.code for each in reading.dropped] == [int(option[:2], 16)]
    asked = request_from(reading)
    assert asked.lease is None
    _, effects = step(Server(CONFIG), ReceivedRequest(asked), 0)
    assert isinstance(effects[0], StoreBinding)
    (ack,) = (each.reply for each in effects if isinstance(each, SendReply))
    assert (ack.type, ack.lease) == (MessageType.ACK, CONFIG.lease)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("35020303" + SERVER + "32040a4d0032" + "ff", 53),
        ("350163" + SERVER + "32040a4d0032" + "ff", 53),
        ("350103" + "36030a4d00" + "32040a4d0032" + "ff", 54),
        ("350103" + SERVER + "32030a4d00" + "ff", 50),
        (REQUEST + "3d0101" + "ff", 61),
        (REQUEST + "3d00" + "ff", 61),
        (REQUEST + "0cff61", 12),
        (REQUEST + "340100" + "ff", 52),
        (REQUEST + "3402", 52),
    ],
)
def test_a_request_is_refused_for_what_it_rests_on(options: str, code: int) -> None:
    """And for what hides whether it names a server, an address, a client: that is Table 4."""
    with pytest.raises(WireError, match=rf"option {code} "):
        request_from(read(request(options)))


# Both --------------------------------------------------------------------------------------------


@given(st.binary(max_size=120).map(raw))
def test_reading_and_decoding_differ_in_what_is_dropped_only(data: bytes) -> None:
    reading = read(data)
    if reading.dropped:
        with pytest.raises(WireError) as error:
            decode(data)
        assert str(error.value) == str(reading.dropped[0].error)
    else:
        assert decode(data) == reading.message
    assert all(0 <= each.offset <= len(data) for each in reading.dropped)


@given(st.binary(max_size=120).map(raw), st.booleans())
def test_no_reply_or_request_rests_on_what_was_dropped(data: bytes, to_client: bool) -> None:
    reading = read(data)
    codes = {each.code for each in reading.dropped}
    acted: BootReply | BootRequest
    try:
        acted = reply_from(reading) if to_client else request_from(reading)
    except WireError:
        return
    assert not codes & {53, 54, 61}
    assert not codes & {51 if to_client and acted.type is not MessageType.NAK else 53}


def test_what_is_no_message_says_so() -> None:
    reading = read(request("350101ff"))
    with pytest.raises(WireError, match=r"byte 0: expected op 2 \(BOOTREPLY\), got 1"):
        reply_from(reading)
    with pytest.raises(WireError, match=r"expected option 53 \(DHCP message type\), got none"):
        request_from(read(request("ff")))
