"""Kinds of option values: lengths, examples of the RFCs, and any bytes at all."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.wire import option_values
from holdover.reference.wire.option_values import Kind, MessageType, Route, SubOption, WireError

KINDS = {kind.name: kind for kind in vars(option_values).values() if isinstance(kind, Kind)}
A, B = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
AB = A.packed + B.packed

RFC3442 = [
    ("0.0.0.0/0", "00"),
    ("10.0.0.0/8", "080a"),
    ("10.0.0.0/24", "180a0000"),
    ("10.17.0.0/16", "100a11"),
    ("10.27.129.0/24", "180a1b81"),
    ("10.229.0.128/25", "190ae50080"),
    ("10.198.122.47/32", "200ac67a2f"),
]
"""Destination descriptors: the table of RFC 3442, "Classless Route Option Format"."""


@pytest.mark.parametrize(("network", "descriptor"), RFC3442)
def test_rfc3442_destination_descriptors(network: str, descriptor: str) -> None:
    routes = (Route(IPv4Network(network), A),)
    assert option_values.ROUTES.write(routes) == bytes.fromhex(descriptor) + A.packed
    assert option_values.ROUTES.read(bytes.fromhex(descriptor) + A.packed) == routes


def test_rfc3442_bits_beyond_the_mask_are_cleared() -> None:
    """RFC 3442: 129.210.177.132 with mask 255.255.255.128 installs 129.210.177.128."""
    data = b"\x19" + IPv4Address("129.210.177.132").packed + A.packed
    assert option_values.ROUTES.read(data) == (Route(IPv4Network("129.210.177.128/25"), A),)


def test_rfc3442_several_routes_in_one_option() -> None:
    routes = tuple(Route(IPv4Network(network), B) for network, _ in RFC3442)
    data = b"".join(bytes.fromhex(descriptor) + B.packed for _, descriptor in RFC3442)
    assert option_values.ROUTES.read(data) == routes
    assert option_values.ROUTES.write(routes) == data


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (option_values.U8, b"\xff", 255),
        (option_values.U16, b"\x02\x40", 576),
        (option_values.U32, b"\xff\xff\xff\xff", 2**32 - 1),
        (option_values.I32, b"\xff\xff\xff\xff", -1),
        (option_values.SECONDS, b"\0\x01\x51\x80", 86400),
        (option_values.FLAG, b"\0", False),
        (option_values.FLAG, b"\1", True),
        (option_values.TEXT, b"host", "host"),
        (option_values.TEXT, b"\0", ""),
        (option_values.TEXT, b"caf\xe9", "caf\xe9"),
        (option_values.ADDRESS, A.packed, A),
        (option_values.ADDRESSES, AB, (A, B)),
        (option_values.ADDRESSES_OR_NONE, b"", ()),
        (option_values.PAIRS, AB, ((A, B),)),
        (option_values.U16S, b"\0\1\0\2", (1, 2)),
        (option_values.CODES, b"\x01\x79\x03", (1, 121, 3)),
        (option_values.BYTES, b"", b""),
        (option_values.CLIENT_ID, b"\1\2", b"\1\2"),
        (option_values.TYPE, b"\5", MessageType.ACK),
        (option_values.RELAY, b"\1\2ab\2\0", (SubOption(1, b"ab"), SubOption(2, b""))),
    ],
)
def test_a_value_and_its_bytes(kind: Kind[object], data: bytes, value: object) -> None:
    assert kind.read(data) == value
    assert type(kind.read(data)) is type(value)
    assert kind.write(value) == data


@pytest.mark.parametrize("data", [b"", b"\0\0", b"a\0\0"])
def test_trailing_nuls_of_text_are_deleted(data: bytes) -> None:
    """RFC 2132 §2: the receiver MUST be prepared to delete trailing nulls."""
    assert option_values.TEXT.read(data) == data.decode().rstrip("\0")


@pytest.mark.parametrize(
    ("kind", "data", "offset"),
    [
        (option_values.U8, b"", 0),
        (option_values.U8, b"ab", 1),
        (option_values.U16, b"a", 1),
        (option_values.SECONDS, b"abc", 3),
        (option_values.SECONDS, b"abcde", 4),
        (option_values.FLAG, b"", 0),
        (option_values.FLAG, b"\0\0", 1),
        (option_values.FLAG, b"\2", 0),
        (option_values.ADDRESS, b"abcde", 4),
        (option_values.ADDRESSES, b"", 0),
        (option_values.ADDRESSES, b"abcdef", 4),
        (option_values.PAIRS, b"abcdefghabcd", 8),
        (option_values.CLIENT_ID, b"a", 1),
        (option_values.TYPE, b"\0", 0),
        (option_values.TYPE, b"\x0e", 0),
        (option_values.TYPE, b"\1\1", 1),
        (option_values.ROUTES, b"", 0),
        (option_values.ROUTES, b"\x21abcdefgh", 0),
        (option_values.ROUTES, b"\0abcd\x08", 6),
        (option_values.ROUTES, b"\x18abcdef", 7),
        (option_values.RELAY, b"", 0),
        (option_values.RELAY, b"\1\0\2", 3),
        (option_values.RELAY, b"\1\3ab", 1),
    ],
)
def test_a_misfit_is_found_where_it_is(kind: Kind[object], data: bytes, offset: int) -> None:
    with pytest.raises(WireError) as error:
        kind.read(data)
    assert error.value.offset == offset
    assert str(error.value) == f"byte {offset}: {error.value.message}"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (option_values.U8, 256),
        (option_values.U8, True),
        (option_values.U16, -1),
        (option_values.U32, "1"),
        (option_values.FLAG, 1),
        (option_values.TEXT, "a\0"),
        (option_values.TEXT, "\u20ac"),
        (option_values.TEXT, b"a"),
        (option_values.BYTES, "a"),
        (option_values.SOME_BYTES, b""),
        (option_values.ADDRESS, "10.0.0.1"),
        (option_values.ADDRESSES, ()),
        (option_values.ADDRESSES, [A]),
        (option_values.PAIRS, ((A,),)),
        (option_values.PAIRS, ((A, 1),)),
        (option_values.CODES, (256,)),
        (option_values.TYPE, 5),
        (option_values.ROUTES, ()),
        (option_values.ROUTES, (A,)),
        (option_values.RELAY, ()),
        (option_values.RELAY, (b"",)),
        (option_values.RELAY, (SubOption(1, bytes(256)),)),
        (option_values.RELAY, (SubOption(256, b""),)),
    ],
)
def test_what_is_no_value_of_a_kind_is_not_written(kind: Kind[object], value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each kind has its own words
        kind.write(value)


@given(kind=st.sampled_from(sorted(KINDS)), data=st.binary(max_size=40))
def test_any_bytes_are_a_value_or_a_wire_error(kind: str, data: bytes) -> None:
    try:
        value = KINDS[kind].read(data)
    except WireError as error:
        assert 0 <= error.offset <= len(data)  # noqa: PT017  # raising is one of two outcomes
    else:
        written = KINDS[kind].write(value)
        assert KINDS[kind].read(written) == value
        assert KINDS[kind].write(KINDS[kind].read(written)) == written


EXACT = [name for name, kind in KINDS.items() if kind.exact]


@pytest.mark.parametrize("name", EXACT)
@given(st.binary(max_size=16) | st.sampled_from([b"", *(bytes((n,)) for n in range(14))]))
def test_an_exact_kind_writes_the_bytes_that_it_read(name: str, data: bytes) -> None:
    kind = KINDS[name]
    try:
        value = kind.read(data)
    except WireError:
        return
    assert kind.write(value) == data


def test_what_can_be_said_in_several_ways_is_not_exact() -> None:
    said = {"text": b"host\0", "classless routes": b"\x01\xff" + A.packed}
    assert set(KINDS) - set(EXACT) == set(said)
    for name, data in said.items():
        assert KINDS[name].write(KINDS[name].read(data)) != data
