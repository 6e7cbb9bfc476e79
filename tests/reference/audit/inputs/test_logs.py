"""Logs of hosts and servers: what real programs wrote, and others by their form."""

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.model.errors import InputError
from holdover.reference.audit.inputs.logs.recognize import FORMATS, LogContents, read_log
from holdover.reference.audit.inputs.reading import read_all
from holdover.reference.audit.observations import Gap, Held, Observation, Recorded, Unreadable
from holdover.reference.core.instants import SECOND
from tests.reference.audit.inputs import captures
from tests.reference.audit.inputs.captures import MAC

SAMPLES = Path(__file__).parent / "samples"
MS = SECOND // 1000


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def read(place: Path, text: str) -> LogContents:
    (place / "log").write_text(text, encoding="utf-8")
    return read_log(place / "log")


def records(place: Path, text: str) -> list[Recorded]:
    found = read(place, text).observations
    assert all(isinstance(o, Recorded) for o in found), found
    return [o for o in found if isinstance(o, Recorded)]


# As published ------------------------------------------------------------------------------------


def at(clock: str, day: str = "2026-11-28") -> int:
    moment = datetime.fromisoformat(f"{day}T{clock}+00:00")
    return int(moment.timestamp()) * SECOND


def sample(name: str, kind: str) -> list[Recorded]:
    log = read_log(SAMPLES / name)
    assert log.kind == kind
    assert all(isinstance(each, Recorded) for each in log.observations), log.observations
    return [each for each in log.observations if isinstance(each, Recorded)]


def test_windows_as_published() -> None:
    """Vendor classes have commas of their own only behind the columns that are read."""
    friday = "2026-11-27"
    assert [
        (each.at, str(each.address), each.hardware, each.state, each.where.number)
        for each in sample("DhcpSrvLog-Fri.log", "Windows' DhcpSrvLog")
    ] == [
        (at("09:30:31", friday), "192.0.2.108", bytes.fromhex("02000000006c"), "leased", 20),
        (at("09:30:39", friday), "192.0.2.109", bytes.fromhex("02000000006d"), "leased", 22),
        (at("09:30:43", friday), "192.0.2.108", None, "declined", 23),
        (at("09:31:00", friday), "192.0.2.109", bytes.fromhex("02000000006d"), "released", 24),
    ]


def test_zeek_as_published() -> None:
    """An offer is no lease, and DHCPINFORM gives none."""
    refused, leased = sample("zeek-dhcp.log", "Zeek's dhcp.log")
    assert (refused.state, str(refused.address)) == ("refused", "192.0.2.11")
    assert (leased.state, str(leased.address)) == ("leased", "198.51.100.11")
    assert leased.server == "Zeek, of 198.51.100.1"
    assert leased.end == leased.at + 86_400 * SECOND
    (renewed,) = sample("zeek-dhcp.json", "Zeek's dhcp.log")
    assert (str(renewed.address), renewed.state) == ("192.0.2.132", "leased")
    assert renewed.end == renewed.at + 1800 * SECOND


def test_keas_legal_log_as_published() -> None:
    device = bytes.fromhex("020000000032")
    found = [
        (each.at, str(each.address), each.hardware, each.state, each.end)
        for each in sample("kea-legal.txt", "Kea's legal log")
    ]
    assert found == [
        (at("14:00:00"), "192.0.2.50", device, "leased", at("15:06:40")),
        (at("14:10:00"), "192.0.2.50", device, "leased", at("16:02:15")),
        (at("14:11:00"), "192.0.2.50", device, "released", at("14:11:00")),
        (at("14:12:00"), "192.0.2.51", device[:-1] + b"\x33", "leased", at("16:04:15")),
        (at("14:13:00"), "192.0.2.60", device[:-1] + b"\x3c", "leased",
         at("14:13:00") + (5 * 86_400 + 18 * 3600 + 53 * 60 + 20) * SECOND),
        (at("14:15:00"), "192.0.2.61", device[:-1] + b"\x3d", "leased", at("14:25:00")),
        (at("14:16:00"), "192.0.2.60", None, "free", at("14:16:00")),
    ]  # fmt: skip


# What the real programs wrote --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("ip-ts-monitor-address.txt", MAC),
        ("ip-ts-o-monitor-address.txt", None),
        ("ip-t-monitor.txt", None),
    ],
)
def test_a_hosts_log(name: str, owner: bytes | None) -> None:
    log = read_log(SAMPLES / name)
    assert log.kind == "ip -ts monitor"
    held = [o for o in log.observations if isinstance(o, Held)]
    assert len(held) == len(log.observations)
    assert [(str(o.address), o.there, o.valid) for o in held] == [
        ("10.9.0.5", True, 2),
        ("10.9.0.6", True, None),
        ("10.9.0.6", False, None),
        ("10.9.0.5", True, 3),
        ("10.9.0.5", False, None),
    ]
    assert {o.hardware for o in held} == {owner}
    assert abs(held[0].at - (1795897545 * SECOND + 498 * MS)) < MS
    assert all(o.at - o.since == 100 * MS for o in held)


def test_keas_memfile() -> None:
    log = read_log(SAMPLES / "kea-leases4.csv")
    assert log.kind == "Kea's memfile"
    first, second = log.observations
    end = 1795897634 * SECOND
    assert first == Recorded(
        end - 60 * SECOND,
        first.where,
        IPv4Address("10.9.0.50"),
        MAC,
        bytes.fromhex("01020000000a0b"),
        end - 60 * SECOND,
        end,
        "leased",
        "Kea",
    )
    assert (first.where.number, second.where.number) == (2, 3)


def test_dhcpd_leases() -> None:
    log = read_log(SAMPLES / "dhcpd.leases")
    assert log.kind == "ISC dhcpd.leases"
    assert [
        (str(o.address), o.state, o.at // SECOND, o.where.number)
        for o in log.observations
        if isinstance(o, Recorded)
    ] == [
        ("10.9.0.50", "declined", 1795897576, 9),
        ("10.9.0.51", "declined", 1795897579, 17),
        ("10.9.0.52", "leased", 1795897583, 25),
        ("10.9.0.52", "free", 1795897591, 36),
    ]
    leased = log.observations[2]
    assert isinstance(leased, Recorded)
    assert (leased.hardware, leased.client_id) == (MAC, b"\1" + MAC)
    assert leased.end == 1795897591 * SECOND


def test_dnsmasq_leases(tmp_path: Path) -> None:
    file = tmp_path / "any name"
    file.write_bytes((SAMPLES / "dnsmasq.leases").read_bytes())
    os.utime(file, ns=(0, 1795897600 * SECOND))
    (lease,) = read_log(file).observations
    assert isinstance(lease, Recorded)
    assert (lease.at, lease.end) == (1795897600 * SECOND, 1795897716 * SECOND)
    assert (lease.hardware, lease.client_id, lease.server) == (MAC, b"\1" + MAC, "dnsmasq")


# By their form -----------------------------------------------------------------------------------


def test_dnsmasq_has_leases_for_ever_and_of_ipv6(tmp_path: Path) -> None:
    text = "duid 00:01:00:01\n0 06-02:00:00:00:00:0a 10.0.0.5 * *\n17 9 fd00::5 name 00:01\n"
    (lease,) = records(tmp_path, text)
    assert (lease.end, lease.forever, lease.hardware, lease.client_id) == (None, True, None, None)


KEA_HEAD = (
    "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,"
    "user_context,pool_id\n"
)


def test_keas_memfile_has_other_states(tmp_path: Path) -> None:
    text = KEA_HEAD + (
        "10.0.0.5,02:00:00:00:00:0a,,100,1000,1,0,0,,0,,0\n"
        "10.0.0.6,,,100,1050,1,0,0,a&#x2cb,1,,0\n"
        "10.0.0.5,02:00:00:00:00:0a,,0,900,1,0,0,,0,,0\n"
        "10.0.0.7,02:00:00:00:00:0b,,4294967295,99,1,0,0,,0,,0\n"
    )
    found = records(tmp_path, text)
    assert [(o.state, o.at // SECOND, o.forever) for o in found] == [
        ("leased", 900, False), ("declined", 950, False), ("free", 950, False),
        ("leased", 950, True),
    ]  # fmt: skip
    assert found[3].end is None


def test_keas_legal_log(tmp_path: Path) -> None:
    device = "a device with hardware address: hwtype=1 02:00:00:00:00:0a, client-id: 01:02:0a"
    text = (
        f"2026-01-02 12:13:14 UTC Address: 10.0.0.5 has been assigned for 1 hrs 52 min 15 secs to "
        f"{device} connected via relay at address: 10.1.0.1\n"
        f"2026-01-02 12:13:15.123 GMT Address: 10.0.0.5 has been released from {device}\n"
    )
    given_, gone = records(tmp_path, text)
    assert given_.end is not None
    assert given_.begin is not None
    assert given_.end - given_.begin == (3600 + 52 * 60 + 15) * SECOND
    assert (given_.hardware, given_.client_id) == (MAC, bytes.fromhex("01020a"))
    assert (gone.state, gone.at - given_.at) == ("released", SECOND)
    elsewhere = read(tmp_path, text.replace(" UTC ", " XYZ ")).observations
    assert [type(o) for o in elsewhere] == [Unreadable, Recorded]


def test_windows(tmp_path: Path) -> None:
    text = (
        "\t\tMicrosoft DHCP Service Activity Log\r\n\r\nEvent ID  Meaning\r\n00\tstarted.\r\n\r\n"
        "ID,Date,Time,Description,IP Address,Host Name,MAC Address,User Name, TransactionID\r\n"
        "00,05/11/18,03:14:55,Started,,,,,0\r\n"
        "10,05/11/18,03:15:00,Assign,10.0.0.5,pc.test,02000000000A,,1\r\n"
        "12,05/11/18,03:16:00,Release,10.0.0.5,pc.test,02000000000A,,1\r\n"
        "13,05/11/18,03:17:00,BAD_ADDRESS,10.0.0.6,,,,0\r\n"
        "32,05/11/18,03:17:00,DNS Update Successful,10.0.0.5,pc.test,,,0\r\n"
    )
    found = records(tmp_path, text)
    assert [(o.state, o.where.number, o.hardware) for o in found] == [
        ("leased", 8, MAC), ("released", 9, MAC), ("declined", 10, None),
    ]  # fmt: skip
    assert found[0].at == 1526008500 * SECOND
    assert found[0].end is None


def test_zeek_in_both_forms(tmp_path: Path) -> None:
    head = ("ts", "uids", "client_addr", "server_addr", "mac", "requested_addr", "assigned_addr",
            "lease_time", "msg_types", "duration")  # fmt: skip
    rows = [
        ("1000.5", "C1", "-", "10.0.0.1", "02:00:00:00:00:0a", "-", "10.0.0.5", "60.000000",
         "DISCOVER,OFFER,REQUEST,ACK", "0.500000"),
        ("1020.0", "C2", "10.0.0.5", "-", "02:00:00:00:00:0a", "-", "-", "-", "RELEASE",
         "0.000000"),
        ("1030.0", "C3", "-", "-", "02:00:00:00:00:0a", "-", "-", "-", "DISCOVER", "0.000000"),
    ]  # fmt: skip
    lines = ["#separator \\x09", "#path\tdhcp", "#fields\t" + "\t".join(head), "#types\tany"]
    as_tsv = records(tmp_path, "\n".join([*lines, *map("\t".join, rows), "#close\tx"]) + "\n")
    objects = []
    for row in rows:
        each: dict[str, object] = {n: v for n, v in zip(head, row, strict=True) if v != "-"}
        each |= {"uids": [row[1]], "msg_types": row[8].split(","), "duration": float(row[9])}
        objects.append(json.dumps(each))
    as_json = records(tmp_path, "\n".join(objects))
    for found in (as_tsv, as_json):
        assert [(o.state, o.at, o.end, str(o.address)) for o in found] == [
            ("leased", 1001 * SECOND, 1061 * SECOND, "10.0.0.5"),
            ("released", 1020 * SECOND, 1020 * SECOND, "10.0.0.5"),
        ]
        assert found[0].server == "Zeek, of 10.0.0.1"


def test_the_labs_log_is_moved_to_the_wall_clock(tmp_path: Path) -> None:
    wall = 1000 * SECOND
    lines = [
        {"kind": "head", "at": 50, "version": 1, "wall": wall, "hosts": {"a": MAC.hex()}},
        {"kind": "look", "at": 60, "since": 55, "host": "a", "addresses": {"10.0.0.5/24": 9}},
        {"kind": "change", "at": 80, "since": 70, "host": "a", "address": "10.0.0.5/24",
         "there": False, "valid": None},
        {"kind": "look", "at": 90, "since": 85, "host": "a", "addresses": {"10.0.0.6/24": None}},
        {"kind": "look", "at": 99, "since": 95, "host": "a", "addresses": {}},
        {"kind": "lost", "at": 99, "what": "3 frames were dropped"},
    ]  # fmt: skip
    log = read(tmp_path, "\n".join(map(json.dumps, lines)) + "\n")
    assert [
        (str(o.address), o.there, o.valid, o.since - wall, o.at - wall)
        for o in log.observations
        if isinstance(o, Held)
    ] == [
        ("10.0.0.5", True, 9, 5, 10),
        ("10.0.0.5", False, None, 20, 30),
        ("10.0.0.6", True, None, 35, 40),
        ("10.0.0.6", False, None, 45, 49),
    ]
    assert [o.why for o in log.observations if isinstance(o, Gap)] == [
        "3 frames were dropped", "the recorder did not come to its end",
    ]  # fmt: skip


def test_an_identifier_of_dhcpd_is_read_as_it_is_written(tmp_path: Path) -> None:
    text = (
        "lease 10.0.0.5 {\n  starts 4 2026/01/01 00:00:00;\n  ends never;\n"
        '  uid "\\001a\\"\\\\\\377";\n  binding state active;\n}\n'
        "lease 10.0.0.6 {\n  starts epoch 1000; # then\n  ends epoch 1060;\n  uid 01:02:ff;\n"
        "  binding state released;\n}\nlease 10.0.0.7 {\n  binding state active;\n}\n"
    )
    found = read(tmp_path, text).observations
    nothing, released, forever = found
    assert isinstance(nothing, Unreadable)
    assert isinstance(forever, Recorded)
    assert isinstance(released, Recorded)
    assert (forever.client_id, forever.forever, forever.end) == (b'\1a"\\\xff', True, None)
    assert (released.client_id, released.at, released.state) == (
        b"\1\2\xff", 1060 * SECOND, "released",
    )  # fmt: skip


# What cannot be read -----------------------------------------------------------------------------


def test_a_bad_line_is_noted_and_the_rest_is_read(tmp_path: Path) -> None:
    text = KEA_HEAD + "10.0.0.5\n10.0.0.400,,,1,2,1,0,0,,0,,0\n10.0.0.5,,,1,2,1,0,0,,0,,0\n"
    found = read(tmp_path, text).observations
    assert [(type(o), o.where.number) for o in found] == [
        (Unreadable, 2), (Unreadable, 3), (Recorded, 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty: expected one of: the lab's log"),
        (b"Nov 28 dhcpd: DHCPACK on 10.0.0.5\n", "line 1: 'Nov 28 dhcpd.*expected one of"),
        (captures.pcap([]), "line 1: .*expected one of"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "log").write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_log(tmp_path / "log")


def test_logs_and_captures_are_one_row(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(
        captures.pcap([(i * SECOND, captures.ip()) for i in (5, 900, 960)])
    )
    (tmp_path / "k").write_text(KEA_HEAD + "10.0.0.5,,,100,1050,1,0,0,,0,,0\n", encoding="utf-8")
    reading = read_all([tmp_path / "c"], [], [tmp_path / "k"])
    assert [getattr(o, "at", 0) // SECOND for o in reading] == [5, 900, 950, 960]
    assert [(c.file, c.frames) for c in reading.coverage] == [
        (str(tmp_path / "c"), 3), (str(tmp_path / "k"), 0),
    ]  # fmt: skip


WHOLE = [file.read_bytes() for file in sorted(SAMPLES.iterdir()) if file.suffix != ".md"]
WHOLE += [KEA_HEAD.encode(), b"ID,Date,Time,Description,IP Address\n10,99/99/99,99:99:99,A,1,,2\n"]
WHOLE += [
    b'{"kind": "head", "wall": 1}\n{"kind": "look", "at": "x"}\n[]\n',
    b'{"ts":1,"uids":1,"mac":1}',
]
WHOLE += [b"2026-99-99 99:13:14 UTC Address: 10.0.0.5 has been assigned for 9 secs to\n"]
WHOLE += [b"[9999-99-99T99:99:99.000000] 1: e    inet 10.0.0.300/24 \n#separator \\x09\n"]


@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 900), st.binary(max_size=4)), max_size=6),
)
def test_nothing_but_an_input_error_is_raised(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, spoiled: list[tuple[int, bytes]]
) -> None:
    data = bytearray(whole)
    for at, value in spoiled:
        data[at : at + 1] = value
    file = tmp_path_factory.getbasetemp() / "log"
    file.write_bytes(data)
    found: list[Observation] = []
    try:
        found += read_log(file).observations
    except InputError as error:
        assert str(file) in str(error)  # noqa: PT017
    assert all(o.where.number >= 1 for o in found)


def test_each_format_is_known_by_one_test_only() -> None:
    for file in SAMPLES.iterdir():
        if file.suffix != ".md":
            head = file.read_text("utf-8")
            assert sum(knows(head) for knows, _ in FORMATS.values()) == 1, file
