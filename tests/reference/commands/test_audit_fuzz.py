"""`holdover audit` with cut, damaged, foreign and empty files: a verdict or a line, in time.

Each file is given as each kind of source.  A traceback, an internal error (70) or a status that is
none of its own fails the test; so does *holds* of something that was cut (rule three of design).
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference.audit.recordings.reading import unpack
from tests.reference.commands.running import run

STATUSES = {0, 1, 2, 3}
SOURCES = ((), ("--host-log",), ("--leases",))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A capture and a host's log."""
    made = unpack("holdover-dhclient-frozen", tmp_path_factory.mktemp("record"))
    return made.frames.read_bytes(), made.link.read_bytes()


def audit(data: bytes, place: Path, *words: str) -> int:
    """The exit status; nothing that goes wrong is told but in a line."""
    file = place / "file"
    file.write_bytes(data)
    result = run("audit", *words, file)
    assert result.exit_code in STATUSES, result.output
    if result.exit_code == 2:
        assert result.stderr.startswith("error: ")
        assert len(result.stderr.splitlines()) == 1
        assert str(file) in result.stderr
    return result.exit_code


FOREIGN = (
    b"",
    b"\0",
    b"\n\n\n",
    bytes(4096),
    b"\xff" * 4096,
    b"\x1f\x8b",
    b"\x1f\x8b" + bytes(100),
    gzip.compress(b"", mtime=0),
    gzip.compress(gzip.compress(b"x", mtime=0), mtime=0),
    b"\x28\xb5\x2f\xfd" + bytes(50),
    b"\xa1\xb2\xc3\xd4",
    b"\xd4\xc3\xb2\xa1" + bytes(20),
    b"\xd4\xc3\xb2\xa1" + b"\xff" * 60,
    b"\x0a\x0d\x0d\x0a",
    b"\x0a\x0d\x0d\x0a" + b"\xff" * 60,
    b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a" + b"\xff" * 60,
    b"PK\x03\x04" + bytes(60),
    b"%PDF-1.4\n",
    b"{" * 100_000,
    b'{"kind": "head"}\n',
    b'{"kind": "head", "wall": 1, "at": 1e999, "hosts": {"a": "zz"}}\n',
    b"lease 1.2.3.4 {\n" * 1000,
    b"address,hwaddr,client_id\n1,2\n",
    "# mac äöü\n[2026-99-99T00:00:00] 1: eth0 inet 1.2.3.4\n".encode(),
)
"""Files that are no capture, no log and no record."""


@pytest.mark.parametrize("source", SOURCES, ids=" ".join)
@pytest.mark.parametrize("data", FOREIGN, ids=range(len(FOREIGN)))
def test_what_is_foreign_or_empty(data: bytes, source: tuple[str, ...], tmp_path: Path) -> None:
    assert audit(data, tmp_path, *source) in (2, 3)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 2**20), seed=st.integers(0, 2**32), bits=st.integers(0, 60))
def test_what_is_cut_or_damaged(
    record: tuple[bytes, bytes], tmp_path: Path, cut: int, seed: int, bits: int
) -> None:
    random = Random(seed)
    for data, source in zip(record, ((), ("--host-log",)), strict=True):
        short = data[: cut % len(data)]
        assert audit(short, tmp_path, *source) != 0
        damaged = bytearray(data)
        for _ in range(bits):
            damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        audit(bytes(damaged), tmp_path, *source)


@pytest.mark.parametrize("form", ["--json", "--sarif"])
def test_a_damaged_capture_is_told_in_each_form(
    form: str, record: tuple[bytes, bytes], tmp_path: Path
) -> None:
    random, data = Random(5), bytearray(record[0])
    for _ in range(200):
        data[random.randrange(24, len(data))] ^= 1 << random.randrange(8)
    (tmp_path / "x.pcap").write_bytes(data)
    page, copy = tmp_path / "x.html", tmp_path / "x.pcapng"
    result = run("audit", tmp_path / "x.pcap", form, "--html", page, "--annotate", copy)
    assert result.exit_code in (1, 3)
    json.loads(result.stdout)
    assert page.exists()
    assert copy.exists()


def test_a_directory_a_device_and_what_may_not_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        assert run("audit", path).exit_code == 2
    assert run("audit", "/dev/null").exit_code in (2, 3)
