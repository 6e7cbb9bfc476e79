"""Messages to bytes and back: at random both ways, RFC examples, layouts, and linear work."""

import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.reference.wire import option_values as kinds
from holdover.reference.wire.option_layout import Overload, TooLargeError
from holdover.reference.wire.option_values import (
    Kind,
    MessageType,
    Route,
    SubOption,
    Value,
    WireError,
)
from holdover.reference.wire.options import (
    BOOTFILE_NAME,
    HOST_NAME,
    LEASE_TIME,
    MESSAGE_TYPE,
    RELAY_INFORMATION,
    ROUTERS,
    SERVER_ID,
    SUBNET_MASK,
    TABLE,
    Options,
)
from holdover.reference.wire.packet import (
    BOOTP_SIZE,
    COOKIE,
    LARGEST_SIZE,
    USUAL_SIZE,
    Message,
    Op,
    decode,
    encode,
)

A, B = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
HEAD = 236 + 4
"""Where options begin."""

# Generated messages ------------------------------------------------------------------------------

addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
routes = st.builds(
    lambda address, width, router: Route(IPv4Network((address, width), strict=False), router),
    u32,
    st.integers(0, 32),
    addresses,
)


def tuples(items: st.SearchStrategy[Any], least: int = 1) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=least, max_size=80).map(tuple)


LONG = 600
"""More than two pieces (RFC 3396)."""

BY_KIND: dict[Kind[Any], st.SearchStrategy[Any]] = {
    kinds.U8: u8,
    kinds.U16: u16,
    kinds.I32: st.integers(-(2**31), 2**31 - 1),
    kinds.SECONDS: u32,
    kinds.FLAG: st.booleans(),
    kinds.TEXT: st.text(st.characters(codec="latin-1"), max_size=LONG).map(
        lambda text: text.rstrip("\0")
    ),
    kinds.BYTES: st.binary(max_size=LONG),
    kinds.SOME_BYTES: st.binary(min_size=1, max_size=LONG),
    kinds.CLIENT_ID: st.binary(min_size=2, max_size=40),
    kinds.ADDRESS: addresses,
    kinds.ADDRESSES: tuples(addresses),
    kinds.ADDRESSES_OR_NONE: tuples(addresses, 0),
    kinds.PAIRS: tuples(st.tuples(addresses, addresses)),
    kinds.U16S: tuples(u16),
    kinds.CODES: tuples(u8),
    kinds.TYPE: st.sampled_from(MessageType),
    kinds.ROUTES: tuples(routes),
    kinds.RELAY: tuples(st.builds(SubOption, u8, st.binary(max_size=40))),
}
FREE_CODES = [code for code in range(1, 255) if code not in TABLE and code != 52]
options = st.lists(
    st.one_of(
        [st.tuples(st.just(code), BY_KIND[row.kind]) for code, row in TABLE.items()]
        + [st.tuples(st.sampled_from(FREE_CODES), BY_KIND[kinds.BYTES])] * 10
    ),
    max_size=12,
    unique_by=lambda pair: pair[0],
).map(Options)


def texts(size: int) -> st.SearchStrategy[bytes]:
    """Empty half of the time, so that the field is free."""
    return st.just(b"") | st.binary(min_size=1, max_size=size).map(lambda b: b.replace(b"\0", b"."))


messages = st.builds(
    Message,
    op=st.sampled_from(Op),
    htype=u8,
    hops=u8,
    xid=u32,
    secs=u16,
    broadcast=st.booleans(),
    reserved=st.integers(0, 2**15 - 1),
    ciaddr=addresses,
    yiaddr=addresses,
    siaddr=addresses,
    giaddr=addresses,
    chaddr=st.binary(max_size=16),
    sname=texts(64),
    file=texts(128),
    options=options,
)


def message(*pairs: tuple[int, Value]) -> Message:
    """A small one."""
    return Message(op=Op.BOOTREPLY, xid=1, chaddr=b"abcdef", options=Options(pairs))


def raw(tail: bytes, **fields: bytes) -> bytes:
    """A message with these bytes after the cookie, and fields set by hand."""
    data = bytearray(encode(message())[:HEAD])
    for at, content in ((44, fields.get("sname")), (108, fields.get("file"))):
        if content is not None:
            data[at : at + len(content)] = content
    return bytes(data) + tail


def in_order(options: Options) -> list[tuple[int, Value]]:
    """As `encode` orders them: relay information last in its field (RFC 3046 §2.2)."""
    return sorted(options.items(), key=lambda pair: pair[0] == 82)


# Both ways ---------------------------------------------------------------------------------------


@given(messages)
def test_what_is_encoded_decodes_to_the_same(original: Message) -> None:
    data = encode(original, limit=LARGEST_SIZE)
    assert decode(data) == original
    assert list(decode(data).options.items()) == in_order(original.options)
    assert len(data) >= BOOTP_SIZE


@given(messages, st.integers(BOOTP_SIZE, 900), st.none() | st.sampled_from(Overload))
def test_any_layout_decodes_to_the_same(
    original: Message, limit: int, overload: Overload | None
) -> None:
    if original.message_type is MessageType.NAK:
        overload = Overload.NONE
    elif overload is not None:
        original = replace(
            original,
            sname=b"" if Overload.SNAME in overload else original.sname,
            file=b"" if Overload.FILE in overload else original.file,
        )
    try:
        data = encode(original, limit=limit, overload=overload)
    except TooLargeError:
        lengths = [len(written) for _, written in original.options.pairs()]
        headers = 2 * sum(1 + length // 255 for length in lengths)
        # Besides: option 52, end, and what the boundaries of fields cost.
        assert sum(lengths) + headers + 3 + 1 + 12 > limit - HEAD
        return
    assert len(data) <= limit
    assert decode(data) == original
    stay = [pair for pair in decode(data).options.items() if pair[0] != 82]
    assert stay == [pair for pair in original.options.items() if pair[0] != 82]


@given(st.binary(max_size=LONG) | st.binary(max_size=400).map(raw))
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    check_total(data)


@given(st.data())
def test_a_mutated_message_is_a_message_or_a_wire_error(data: st.DataObject) -> None:
    mutated = bytearray(encode(data.draw(messages), limit=LARGEST_SIZE))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(mutated) - 1) | st.integers(HEAD - 4, HEAD + 40))
        match data.draw(st.sampled_from(["set", "cut", "drop", "insert"])):
            case "set":
                mutated[at : at + 1] = bytes((data.draw(u8),))
            case "cut":
                del mutated[max(at, 1) :]
            case "drop":
                del mutated[at : min(at + 1, len(mutated) - 1)]
            case _:
                mutated[at:at] = data.draw(st.binary(max_size=8))
    check_total(bytes(mutated))


@given(st.binary(max_size=300), st.binary(max_size=128), st.binary(max_size=64), st.integers(0, 4))
def test_any_overloaded_bytes_are_a_message_or_a_wire_error(
    tail: bytes, file: bytes, sname: bytes, overload: int
) -> None:
    check_total(raw(b"\x34\1" + bytes((overload,)) + tail, file=file, sname=sname))


def check_total(data: bytes) -> None:
    """A WireError within the input, or a message whose encoding is a normal form."""
    try:
        decoded = decode(data)
    except WireError as error:
        assert 0 <= error.offset <= len(data)  # noqa: PT017  # raising is one of two outcomes
    else:
        normal = encode(decoded, limit=LARGEST_SIZE)
        assert decode(normal) == decoded
        assert encode(decode(normal), limit=LARGEST_SIZE) == normal


# Fields ------------------------------------------------------------------------------------------


def test_the_fields_stand_where_rfc2131_figure_1_has_them() -> None:
    data = encode(
        Message(
            op=Op.BOOTREQUEST,
            htype=6,
            hops=3,
            xid=0x01020304,
            secs=0x0506,
            broadcast=True,
            reserved=1,
            ciaddr=IPv4Address("1.1.1.1"),
            yiaddr=IPv4Address("2.2.2.2"),
            siaddr=IPv4Address("3.3.3.3"),
            giaddr=IPv4Address("4.4.4.4"),
            chaddr=b"abcde",
            sname=b"server",
            file=b"boot",
            options=Options([MESSAGE_TYPE(MessageType.DISCOVER), (224, b"x")]),
        )
    )
    expected = (
        bytes((1, 6, 5, 3, 1, 2, 3, 4, 5, 6, 0x80, 1))
        + bytes([1] * 4 + [2] * 4 + [3] * 4 + [4] * 4)
        + b"abcde".ljust(16, b"\0")
        + b"server".ljust(64, b"\0")
        + b"boot".ljust(128, b"\0")
        + bytes((99, 130, 83, 99))
        + bytes((53, 1, 1, 224, 1))
        + b"x"
        + b"\xff"
    )
    assert data == expected.ljust(300, b"\0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"xid": 2**32},
        {"xid": -1},
        {"htype": 256},
        {"hops": 256},
        {"secs": 65536},
        {"reserved": 0x8000},
        {"chaddr": bytes(17)},
        {"sname": b"x" * 65},
        {"file": b"x" * 129},
        {"file": b"a\0b"},
    ],
)
def test_an_illegal_message_cannot_be_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(message(), **wrong)


def test_options_are_read_by_their_type() -> None:
    ack = message(MESSAGE_TYPE(MessageType.ACK), LEASE_TIME(60))
    lease: int | None = ack.get(LEASE_TIME)
    assert lease == 60
    assert ack.get(SERVER_ID) is None
    assert ack.message_type is MessageType.ACK
    assert message().message_type is None
    assert hash(ack) == hash(decode(encode(ack)))


# What is refused, and where ----------------------------------------------------------------------


def with_byte(at: int, value: int) -> bytes:
    data = bytearray(encode(message()))
    data[at] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "offset", "complaint"),
    [
        (b"", 0, "at least 240 bytes, got 0"),
        (raw(b"")[:-1], 239, "at least 240 bytes, got 239"),
        (raw(bytes(LARGEST_SIZE + 1 - HEAD)), LARGEST_SIZE, "at most 65507"),
        (with_byte(0, 3), 0, "op 1 .* got 3"),
        (with_byte(2, 17), 2, "hlen 0 to 16, got 17"),
        (with_byte(238, 0), 236, "magic cookie 63825363, got 63820063"),
        (raw(b"\x33"), 241, r"option 51 \(IP address lease time\): expected a length"),
        (raw(b"\x33\4\0\0\0"), 241, "expected 4 bytes, got 3 to the field's end"),
        (raw(b"\0\x33\3\0\0\0"), 246, "option 51 .*expected 4 bytes .*got a length of 3"),
        (raw(b"\x35\1\5\x35\1\5"), 245, "option 53 .*expected 1 byte, got a length of 2"),
        (raw(b"\x35\1\x63"), 242, "expected a message type .*got 99"),
        (raw(b"\x34\1\0"), 242, "option 52 .*expected 1, 2 or 3, got 0"),
        (raw(b"\x34\1\4"), 242, "option 52 .*expected 1, 2 or 3, got 4"),
        (raw(b"\x34\1\1\x34\1\1"), 245, "option 52 .*expected 1 byte, got a length of 2"),
        (raw(b"\x34\1\1", file=b"\x34\1\2"), 108, "option 52 .*in the options field"),
        (raw(b"\x34\1\2", sname=b"\x0c\x40"), 45, "host name.*expected 64 bytes, got 62"),
        (raw(b"\x34\1\2", sname=bytes(63) + b"\x0c"), 108, "host name.*expected a length"),
        (raw(b"\x79\2\x18a\xe0\1x\x79\7bc\1\2\3\4\x21"), 255, "width of a mask.*got 33"),
        (raw(b"\x34\1\1\3\3abc", file=b"\3\4defg"), 111, "3 .*length of 7"),
    ],
)
def test_malformed_bytes_are_refused_where_they_are(
    data: bytes, offset: int, complaint: str
) -> None:
    with pytest.raises(WireError, match=complaint) as error:
        decode(data)
    assert error.value.offset == offset


# What is tolerated -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        raw(b"\x33\4\0\0\0\x3c"),
        raw(b"\x33\4\0\0\0\x3c\xff"),
        raw(b"\x33\4\0\0\0\x3c\xff\x33\1\0garbage"),
        raw(b"\0\0\x33\4\0\0\0\x3c\0\xff"),
        raw(b"\x33\4\0\0\0\x3c".ljust(LARGEST_SIZE - HEAD, b"\0")),
        raw(b"\x33\1\0\0\x33\3\0\0\x3c"),
        raw(b"\x34\1\1\x33\1\0\xff", file=b"\0\x33\3\0\0\x3c"),
        raw(b"\x34\1\1\xff", file=b"\0\x33\4\0\0\0\x3c"),
        raw(b"\x33\4\0\0\0\x3c", file=b"\0after", sname=b"\0after"),
    ],
)
def test_what_cannot_be_misunderstood_is_read(data: bytes) -> None:
    assert decode(data) == message(LEASE_TIME(60))


def test_a_name_may_fill_its_field() -> None:
    decoded = decode(raw(b"", sname=b"s" * 64, file=b"f" * 128))
    assert (decoded.sname, decoded.file) == (b"s" * 64, b"f" * 128)
    assert decode(encode(decoded)) == decoded


def test_bytes_past_hlen_are_ignored() -> None:
    data = bytearray(encode(message()))
    data[34:44] = b"0123456789"
    assert decode(bytes(data)) == message()


# Layout ------------------------------------------------------------------------------------------


def test_the_example_of_rfc3396() -> None:
    """RFC 3396 §8: bootfile name /diskless/foo in two pieces is one option."""
    pieces = b"\x43\x07/diskle" + b"\x43\x06ss/foo"
    assert decode(raw(pieces + b"\xff")) == message(BOOTFILE_NAME("/diskless/foo"))
    whole = b"\x43\x0d/diskless/foo\xff"
    assert encode(message(BOOTFILE_NAME("/diskless/foo")))[HEAD:].startswith(whole)


def test_pieces_are_joined_in_the_order_options_file_sname() -> None:
    """RFC 3396 §5: not the order in which the fields stand."""
    data = raw(b"\x34\1\3\x0c\1a\xff", file=b"\x0c\1b\xff", sname=b"\x0c\1c\xff")
    assert decode(data) == message(HOST_NAME("abc"))


def test_a_long_option_is_cut_into_pieces_of_255() -> None:
    data = encode(message((224, bytes(range(256)) * 2)), limit=1000)[HEAD:]
    assert data[:2] == b"\xe0\xff"
    assert data[257:259] == b"\xe0\xff"
    assert data[514:516] == b"\xe0\x02"
    assert data[518] == 255


def test_the_fewest_fields_are_overloaded() -> None:
    """And the field's content begins with its first octet (RFC 2131 §4.1)."""
    pairs = [(224, bytes(240)), (225, bytes(60)), (226, bytes(100))]
    fitting = encode(message(*pairs[:2]))
    assert decode(fitting) == message(*pairs[:2])
    assert b"\x34\1" not in fitting
    with_file = encode(message(*pairs))
    assert with_file[108:111] == b"\xe2\x64\0"
    assert with_file[210] == 255
    assert not any(with_file[211:236])
    assert with_file[HEAD + 242 + 62 :] == b"\x34\1\1\xff"


def test_a_field_with_content_is_not_overloaded() -> None:
    long = message((224, bytes(200)), (225, bytes(50)))
    data = encode(replace(long, file=b"boot"), limit=HEAD + 210)
    assert decode(data) == replace(long, file=b"boot")
    assert data[44:46] == b"\xe1\x32"
    with pytest.raises(TooLargeError, match="options of 254 bytes"):
        encode(replace(long, file=b"boot", sname=b"server"), limit=HEAD + 210)
    with pytest.raises(ValueError, match="these fields are taken"):
        encode(replace(long, file=b"boot"), overload=Overload.BOTH)


def test_values_are_cut_at_the_end_of_a_field_only_without_a_choice() -> None:
    """RFC 3396 §4: SHOULD NOT split unless it has no choice."""
    data = encode(message((224, bytes(40)), (225, bytes(100))), limit=BOOTP_SIZE)
    assert data[108:110] == b"\xe1\x64"
    data = encode(message((224, bytes(40)), (225, bytes(120)), (226, bytes(62))), limit=BOOTP_SIZE)
    assert data[HEAD + 42 : HEAD + 44] == b"\xe1\x0c"
    assert data[108:110] == b"\xe1\x6c"
    assert decode(data).options[225] == bytes(120)


def test_fields_are_filled_up_to_their_end_option() -> None:
    full = [(224, bytes(54)), (225, bytes(125)), (226, bytes(61))]
    data = encode(message(*full), limit=BOOTP_SIZE)
    assert decode(data) == message(*full)
    assert (data[107], data[235], data[299]) == (255, 255, 255)
    with pytest.raises(TooLargeError):
        encode(message(*full, (227, b"")), limit=BOOTP_SIZE)


def test_a_piece_may_have_one_byte() -> None:
    original = message((224, bytes(51)), (225, bytes(126)))
    data = encode(original, limit=BOOTP_SIZE)
    assert data[HEAD + 53 :] == b"\xe1\1\0" + b"\x34\1\1\xff"
    assert decode(data) == original


def test_overload_can_be_asked_for_or_forbidden() -> None:
    small = message(LEASE_TIME(60))
    data = encode(small, overload=Overload.BOTH)
    assert data[HEAD:].startswith(b"\x33\4\0\0\0\x3c\x34\1\3\xff")
    assert (data[108], data[44]) == (255, 255)
    assert decode(data) == small
    with pytest.raises(TooLargeError):
        encode(message((224, bytes(400))), overload=Overload.NONE)


def test_a_nak_is_never_overloaded() -> None:
    """RFC 2131 Table 3: use of file and sname in a DHCPNAK: MUST NOT."""
    nak = message(MESSAGE_TYPE(MessageType.NAK), (224, bytes(100)))
    with pytest.raises(TooLargeError):
        encode(nak, limit=BOOTP_SIZE)
    with pytest.raises(ValueError, match="DHCPNAK"):
        encode(nak, overload=Overload.FILE)


def test_relay_information_is_last_and_in_the_options_field() -> None:
    """RFC 3046 §2.2: SHOULD be last, SHALL NOT be in sname or file."""
    relay = RELAY_INFORMATION((SubOption(1, b"circuit"),))
    original = message(SUBNET_MASK(A), relay, ROUTERS((A,)), (224, bytes(100)))
    data = encode(original, limit=BOOTP_SIZE)
    assert data[HEAD:].rstrip(b"\0").endswith(b"\x34\1\1\x52\x09\x01\x07circuit\xff")
    assert decode(data) == original
    with pytest.raises(TooLargeError):
        encode(message(RELAY_INFORMATION((SubOption(1, bytes(60)),))), limit=BOOTP_SIZE)


@pytest.mark.parametrize("limit", [BOOTP_SIZE - 1, LARGEST_SIZE + 1])
def test_a_limit_that_no_message_has_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit {limit}"):
        encode(message(), limit=limit)


def test_the_usual_size_is_what_rfc2131_promises() -> None:
    """RFC 2131 §2: an options field of at least 312 octets, a datagram of 576."""
    assert USUAL_SIZE == 236 + 312
    assert bytes.fromhex("63825363") == COOKIE


# Work --------------------------------------------------------------------------------------------


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python a piece of work executes."""
    count = 0

    def tracer(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


HARD = {
    "pads": lambda n: raw(bytes(n)),
    "empty pieces of one code": lambda n: raw(b"\xe0\0" * (n // 2)),
    "pieces of one byte": lambda n: raw(b"\x0c\1a" * (n // 3)),
    "empty options of every code": lambda n: raw(
        b"".join(bytes((1 + i % 254, 0)) for i in range(n // 2) if 1 + i % 254 in FREE_CODES)
    ),
    "pieces that end in an error": lambda n: raw(b"\x03\1a" * (3 * (n // 9)) + b"\x03\1a"),
    "routes": lambda n: raw((b"\x79\xff" + b"\0aaaa" * 51) * (n // 257)),
    "sub-options": lambda n: raw((b"\x52\xfe" + b"\1\0" * 127) * (n // 256)),
}


@pytest.mark.parametrize("shape", HARD)
def test_decoding_takes_linear_work(shape: str) -> None:
    """Twice the bytes, at most twice the steps, and at most a hundred a byte."""

    def work(size: int) -> Callable[[], object]:
        data = HARD[shape](size)

        def decoded() -> None:
            try:
                decode(data)
            except WireError as error:
                assert error.offset <= len(data)  # noqa: PT017  # raising is one of two outcomes

        return decoded

    small, large = steps(work(4000)), steps(work(8000))
    assert large < 2.2 * small
    assert large < 100 * 8000


def test_encoding_takes_linear_work() -> None:
    def work(count: int) -> Callable[[], object]:
        built = message((224, bytes(count)), ROUTERS((A, B) * (count // 8)))
        return lambda: encode(built, limit=LARGEST_SIZE)

    small, large = steps(work(8000)), steps(work(16000))
    assert large < 2.2 * small
