"""A capture that is handed to a command which takes none: that one is told of `audit`."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from holdover.reference.console.captures import BEGINNINGS, ZSTD, hint
from tests.reference.commands.running import refused, run


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "office.pcap"
    path.write_bytes(BEGINNINGS[1] + bytes(40))
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("explain",),
        ("verify",),
        ("verify", "--network"),
        ("grace", "--profile"),
        ("explore",),
        ("prove",),
        ("profiles",),
        ("export", "tla"),
        ("situations",),
        ("lab", "replay"),
        (),
    ],
    ids=" ".join,
)
def test_any_command_tells_of_audit(words: tuple[str, ...], capture: Path) -> None:
    error, told = refused(run(*words, capture)).splitlines()
    assert error.startswith("error: ")
    assert told == f"{capture} is a capture of a network; read it by: holdover audit {capture}"


def test_an_option_with_its_value_is_seen_too(capture: Path) -> None:
    assert "holdover audit" in refused(run("verify", f"--network={capture}"))


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_each_beginning(begin: bytes, tmp_path: Path) -> None:
    plain, packed = tmp_path / "x y", tmp_path / "x.gz"
    plain.write_bytes(begin)
    packed.write_bytes(gzip.compress(begin + bytes(100)))
    assert str(hint(["verify", str(plain)])).endswith(f"holdover audit '{plain}'")
    assert str(hint(["verify", str(packed)])).endswith(f"holdover audit {packed}")


def test_what_is_under_zstd_goes_by_its_name(tmp_path: Path) -> None:
    for name, known in (("x.pcap.zst", True), ("x.zst", False)):
        (tmp_path / name).write_bytes(ZSTD + bytes(20))
        assert (hint([str(tmp_path / name)]) is not None) == known


@pytest.mark.parametrize(
    "data", [b"", b"\xa1", b"\x1f\x8b", b"\x1f\x8b" + bytes(60), b"anchor = 1"]
)
def test_other_files_are_none(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert hint(["verify", str(path), "", "\0", str(tmp_path)]) is None


def test_audit_itself_is_not_told(capture: Path) -> None:
    assert hint(["audit", str(capture)]) is None
