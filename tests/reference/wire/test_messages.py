"""Requests and replies, to the wire and back."""

from collections.abc import Mapping
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.wire.messages import (
    BootReply,
    BootRequest,
    reply_from_wire,
    reply_to_wire,
    request_from_wire,
    request_to_wire,
)
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType, Value
from holdover.reference.wire.options import (
    CLIENT_IDENTIFIER,
    DOMAIN_NAME,
    HOST_NAME,
    LEASE_TIME,
    MESSAGE_TYPE,
    NAME_SERVERS,
    PARAMETER_REQUEST_LIST,
    REBINDING_TIME,
    RENEWAL_TIME,
    REQUESTED_ADDRESS,
    SERVER_ID,
    Options,
)
from holdover.reference.wire.packet import Message, Op, decode, encode

MAC = b"\2\0\0\0\0\1"
A, SERVER, RELAY = (IPv4Address(f"10.0.0.{i}") for i in (101, 1, 254))

addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
numbers = st.integers(0, 2**32 - 1)
identifiers = st.binary(min_size=2, max_size=30)
hardware = st.binary(max_size=16)
more: st.SearchStrategy[Mapping[int, Value]] = st.fixed_dictionaries(
    {},
    optional={
        HOST_NAME.code: st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=20),
        NAME_SERVERS.code: st.lists(addresses, min_size=1, max_size=3).map(tuple),
        PARAMETER_REQUEST_LIST.code: st.lists(st.integers(0, 255), min_size=1).map(tuple),
        200: st.binary(max_size=20),
    },
)
types = st.sampled_from(MessageType)


def or_none(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.none(), values)


requests = st.builds(
    BootRequest,
    types,
    numbers,
    hardware,
    client_id=or_none(identifiers),
    secs=st.integers(0, 2**16 - 1),
    broadcast=st.booleans(),
    ciaddr=addresses,
    giaddr=addresses,
    requested=or_none(addresses),
    server=or_none(addresses),
    lease=or_none(numbers),
    options=more.map(Options),
)
replies = st.builds(
    BootReply,
    types,
    numbers,
    hardware,
    client_id=or_none(identifiers),
    broadcast=st.booleans(),
    address=addresses,
    ciaddr=addresses,
    giaddr=addresses,
    server=or_none(addresses),
    lease=or_none(numbers),
    t1=or_none(numbers),
    t2=or_none(numbers),
    options=more.map(Options),
)


@given(requests)
def test_a_request_is_read_as_it_was_written(request: BootRequest) -> None:
    message = request_to_wire(request)
    assert message.op is Op.BOOTREQUEST
    assert request_from_wire(message) == request
    assert request_from_wire(decode(encode(message))) == request
    assert reply_from_wire(message) is None


@given(replies)
def test_a_reply_is_read_as_it_was_written(reply: BootReply) -> None:
    message = reply_to_wire(reply)
    assert message.op is Op.BOOTREPLY
    assert reply_from_wire(message) == reply
    assert reply_from_wire(decode(encode(message))) == reply
    assert request_from_wire(message) is None


def test_each_field_of_a_request_has_its_place() -> None:
    """RFC 2131 Table 1, Table 5."""
    more = (HOST_NAME("here"), PARAMETER_REQUEST_LIST((1, 3)))
    request = BootRequest(
        MessageType.REQUEST, 7, MAC, b"\1" + MAC, 5, True, A, RELAY, A, SERVER, 600, Options(more)
    )
    assert request_to_wire(request) == Message(
        op=Op.BOOTREQUEST,
        xid=7,
        chaddr=MAC,
        secs=5,
        broadcast=True,
        ciaddr=A,
        giaddr=RELAY,
        options=Options(
            [
                MESSAGE_TYPE(MessageType.REQUEST),
                CLIENT_IDENTIFIER(b"\1" + MAC),
                REQUESTED_ADDRESS(A),
                SERVER_ID(SERVER),
                LEASE_TIME(600),
                *more,
            ]
        ),
    )


def test_each_field_of_a_reply_has_its_place() -> None:
    """RFC 2131 Table 1, Table 3."""
    more = (DOMAIN_NAME("example.org"),)
    reply = BootReply(
        MessageType.ACK,
        7,
        MAC,
        b"\1" + MAC,
        True,
        A,
        IPv4Address(9),
        RELAY,
        SERVER,
        600,
        300,
        500,
        Options(more),
    )
    assert reply_to_wire(reply) == Message(
        op=Op.BOOTREPLY,
        xid=7,
        chaddr=MAC,
        broadcast=True,
        ciaddr=IPv4Address(9),
        yiaddr=A,
        giaddr=RELAY,
        options=Options(
            [
                MESSAGE_TYPE(MessageType.ACK),
                CLIENT_IDENTIFIER(b"\1" + MAC),
                SERVER_ID(SERVER),
                LEASE_TIME(600),
                RENEWAL_TIME(300),
                REBINDING_TIME(500),
                *more,
            ]
        ),
    )


def test_what_is_not_said_is_not_written() -> None:
    options = Options([MESSAGE_TYPE(MessageType.DISCOVER)])
    request = request_to_wire(BootRequest(MessageType.DISCOVER, 7, MAC))
    assert request == Message(op=Op.BOOTREQUEST, xid=7, chaddr=MAC, options=options)
    reply = reply_to_wire(BootReply(MessageType.DISCOVER, 7, MAC))
    assert reply == Message(op=Op.BOOTREPLY, xid=7, chaddr=MAC, options=options)
    assert reply.yiaddr == NO_ADDRESS


@pytest.mark.parametrize("op", Op)
def test_bootp_is_none(op: Op) -> None:
    """RFC 2131 §1.1, §3: without option 53 it is BOOTP, which grants no lease."""
    message = Message(op=op, xid=7, chaddr=MAC, yiaddr=A, options=Options([SERVER_ID(SERVER)]))
    assert request_from_wire(message) is None
    assert reply_from_wire(message) is None


def test_secs_stops_at_the_largest() -> None:
    """RFC 2131 Table 1: sixteen bits; a client may have asked for longer than that."""
    for secs in (65_535, 65_536, 10**9):
        assert request_to_wire(BootRequest(MessageType.REQUEST, 7, MAC, secs=secs)).secs == 65_535


def test_an_option_with_a_field_has_no_second_place() -> None:
    twice = BootRequest(MessageType.REQUEST, 7, MAC, server=A, options=Options([SERVER_ID(A)]))
    with pytest.raises(ValueError, match="given twice"):
        request_to_wire(twice)
    again = BootReply(MessageType.ACK, 7, MAC, t1=1, options=Options([RENEWAL_TIME(1)]))
    with pytest.raises(ValueError, match="given twice"):
        reply_to_wire(again)
