"""The table of options against RFC 2132, and the mapping that messages carry."""

from ipaddress import IPv4Address

import pytest

from holdover.reference.wire import option_values, options
from holdover.reference.wire.option_values import Kind, Value
from holdover.reference.wire.options import (
    CLIENT_IDENTIFIER,
    LEASE_TIME,
    ROUTERS,
    SUBNET_MASK,
    TABLE,
    Options,
    option_of,
)

A = IPv4Address("10.0.0.1")

LENGTHS = {
    "4": (1, 2, 16, 24, 28, 32, 35, 38, 50, 51, 54, 58, 59, 91, 108),
    "2": (13, 22, 26, 57),
    "1": (19, 20, 23, 27, 29, 30, 31, 34, 36, 37, 39, 46, 53),
    "4, 8, ...": (*range(3, 12), 41, 42, 44, 45, 48, 49, 65, *range(69, 77), 92),
    "0, 4, ...": (68,),
    "8, 16, ...": (21, 33),
    "2, 4, ...": (25,),
    "0, 1, ...": (12, 14, 15, 17, 18, 40, 56, 64, 66, 67),
    "1, 2, ...": (43, 47, 55, 60),
    "2, 3, ...": (61,),
}
"""Legal lengths as the RFCs give them, but for text, which may be empty (`option_values.py`)."""


def test_every_option_of_the_table_has_the_length_of_its_rfc() -> None:
    stated = {code: lengths for lengths, codes in LENGTHS.items() for code in codes}
    for code, lengths in stated.items():
        first, *more = lengths.split(", ")
        step = int(more[0]) - int(first) if more else 0
        legal = {int(first) + i * step for i in range(40)} if more else {int(first)}
        for length in range(20):
            assert accepts(option_of(code).kind, length) == (length in legal), (code, length)
    assert set(TABLE) == {*stated, 82, 121}


def accepts(kind: Kind[object], length: int) -> bool:
    """Whether a value of so many bytes, each 1, can be read."""
    try:
        kind.read(bytes([1] * length))
    except option_values.WireError:
        return False
    return True


def test_every_row_names_its_source_and_has_a_name_of_its_own() -> None:
    rows = [row for row in vars(options).values() if isinstance(row, options.Option)]
    assert {row.code: row for row in rows} == TABLE
    assert len({row.name for row in rows}) == len(rows)
    assert len({row.source for row in rows if "2132" in row.source}) == len(
        [row for row in rows if "2132" in row.source]
    )
    assert all(row.source.startswith("RFC ") for row in rows)


def test_a_code_that_is_not_in_the_table_has_bytes() -> None:
    assert option_of(224).kind is option_values.BYTES
    assert str(option_of(224)) == "option 224 (unknown)"


def test_options_are_an_ordered_mapping() -> None:
    pairs: list[tuple[int, Value]] = [ROUTERS((A,)), SUBNET_MASK(A), (224, b"x")]
    mapping = Options(pairs)
    assert list(mapping) == [3, 1, 224]
    assert len(mapping) == 3
    assert mapping[3] == (A,)
    assert mapping == Options(reversed(pairs)) == Options(dict(pairs))
    assert mapping == dict(pairs)
    assert mapping != Options()
    assert mapping != 1
    assert hash(mapping) == hash(Options(reversed(pairs)))
    assert str(A) in repr(mapping)
    assert Options({**mapping, 51: 60}).get(51) == 60


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        ([(0, b"")], "option 0 .*no option"),
        ([(52, b"\1")], "option 52 .*no option"),
        ([(255, b"")], "option 255 .*no option"),
        ([(256, b"")], "option 256 .*no option"),
        ([LEASE_TIME(1), LEASE_TIME(1)], "lease time.*given twice"),
        ([LEASE_TIME(-1)], "lease time.*expected 4 bytes"),
        ([(54, "10.0.0.1")], "server identifier.*expected IPv4Address"),
        ([CLIENT_IDENTIFIER(b"x")], "client-identifier.*expected 2 or more bytes"),
    ],
)
def test_illegal_options_cannot_be_built(pairs: list[tuple[int, Value]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Options(pairs)
