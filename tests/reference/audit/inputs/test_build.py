"""What is built fast, or late, is what is built plainly."""

from __future__ import annotations

import pickle
from copy import deepcopy
from ipaddress import IPv4Address

import pytest

from holdover.reference.audit.inputs.build import KnownAddress, tuple_maker, twin
from holdover.reference.audit.inputs.names import REMEMBERED, LateOptions, NameTables
from holdover.reference.audit.observations import Where
from holdover.reference.wire import options
from holdover.reference.wire.options import Options

HOST = bytes([12, 3]) + b"ann"
CIRCUIT = bytes([82, 4, 1, 2]) + b"ab"
MASK_TOO_SHORT = bytes([1, 2, 255, 255])


def test_a_known_address_is_an_address() -> None:
    known, plain = KnownAddress(0x0A000001), IPv4Address("10.0.0.1")
    assert known == plain
    assert hash(known) == hash(plain)
    assert {plain: 1}[known] == 1
    assert plain in {known: 1}
    assert repr(known) == repr(plain)
    assert f"{known}" == f"{plain}"
    for again in (pickle.loads(pickle.dumps(known)), deepcopy(known)):
        assert (again, hash(again)) == (plain, hash(plain))


def test_a_tuple_is_that_of_its_class() -> None:
    made = tuple_maker(Where)(("x.pcap", 7))
    assert type(made) is Where
    assert made == Where("x.pcap", 7)


def test_a_class_that_checks_its_values_has_no_twin() -> None:
    class Checks:
        def __post_init__(self) -> None: ...

    with pytest.raises(TypeError):
        twin(Checks)


@pytest.mark.parametrize("again", [False, True], ids=["itself", "pickled"])
def test_options_are_read_late_and_are_the_same(again: bool) -> None:
    late: Options = LateOptions(HOST + CIRCUIT)
    late = pickle.loads(pickle.dumps(late)) if again else late
    plain = Options([options.HOST_NAME("ann"), (82, late[82])])
    assert late == plain
    assert hash(late) == hash(plain)
    assert list(late) == [12, 82]
    assert repr(late) == repr(plain)
    assert late.get(12) == "ann"
    with pytest.raises(AttributeError):
        getattr(late, "nothing")  # noqa: B009


@pytest.mark.parametrize(
    ("data", "relayed"),
    [(b"", False), (HOST, False), (HOST + CIRCUIT, True), (bytes([12, 2, 82, 1]), False)],
)
def test_a_relay_s_option_is_seen_before_they_are_read(data: bytes, relayed: bool) -> None:
    assert NameTables().options[data][1] is relayed


def test_what_cannot_be_read_is_left_out() -> None:
    found, _ = NameTables().options[MASK_TOO_SHORT + HOST]
    assert dict(found) == {12: "ann"}


def test_what_is_not_there_is_none() -> None:
    names = NameTables()
    for table in (names.address, names.hardware, names.client_id, names.seconds):
        assert table[-1] is None
    assert names.client_id[0x020000000001] == bytes.fromhex("01020000000001")


def test_names_are_bounded() -> None:
    names = NameTables()
    for number in range(REMEMBERED + 10):
        assert int(names.address[number] or IPv4Address(0)) == number
    assert len(names.address) <= REMEMBERED
