"""The server's file of leases: what was stored is read again, whatever becomes of the file."""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from holdover.model.errors import InputError
from holdover.reference.core.instants import SECOND
from holdover.reference.core.server_state import Binding, ClientKey
from holdover.reference.linux.storage import lease_database
from holdover.reference.linux.storage.lease_database import BindingNotStoredError, LeaseFile
from tests.reference.linux.leases_on_disk import NOW, SERVER, full, leases

FIRST, SECOND_ONE, THIRD = (IPv4Address(f"10.77.0.{n}") for n in (50, 51, 52))
KEY = ClientKey(b"\1\2\0\0\0\0\1", given=True)
LATER = NOW + 20 * SECOND


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Three leases: one runs for 100 s more, one is over, one has no end."""
    with leases(path := tmp_path / "leases") as file:
        file.put(THIRD, Binding(KEY, NOW + 7 * SECOND), NOW)
        file.put(FIRST, Binding(KEY, NOW + 110 * SECOND), NOW + SECOND)
        file.put(SECOND_ONE, Binding(ClientKey(KEY.identifier, given=False), NOW), NOW)
        file.put(THIRD, None, NOW + 10 * SECOND)
        file.put(THIRD, Binding(KEY, None), NOW + 10 * SECOND)
    return path


def test_what_was_stored_is_read_again(stored: Path) -> None:
    for _ in range(2):  # from the log, and from what was rewritten
        with leases(stored, NOW + 20 * SECOND) as file:
            assert file.notes == []
            assert file.bindings == (
                (FIRST, Binding(KEY, NOW + 110 * SECOND)),
                (SECOND_ONE, Binding(ClientKey(KEY.identifier, given=False), NOW)),
                (THIRD, Binding(KEY, None)),
            )
    assert [each.name for each in stored.parent.iterdir()] == ["leases"]


@pytest.mark.parametrize("rebooted", [True, False])
def test_by_another_clock_a_lease_runs_as_long_as_it_had_left(
    stored: Path, rebooted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 3 * SECOND  # earlier than it was stored, so even the same boot's clock is another
    if rebooted:
        monkeypatch.setattr(lease_database, "this_clock", lambda: "another boot")
        now = 5000 * SECOND
    with leases(stored, now) as file:
        ends = {address: binding.end for address, binding in file.bindings}
        assert ends == {FIRST: now + 100 * SECOND, SECOND_ONE: now - 10 * SECOND, THIRD: None}
        assert "another clock" in file.notes[0]
    with leases(stored, now + SECOND) as file:
        assert file.notes == []
        assert dict(file.bindings)[FIRST].end == now + 100 * SECOND


@pytest.mark.parametrize("cut", [1, 30, 120])
def test_a_last_record_that_is_cut_off_is_left_out_and_noted(stored: Path, cut: int) -> None:
    stored.write_bytes(stored.read_bytes()[:-cut])
    with leases(stored, NOW + 20 * SECOND) as file:
        assert [address for address, _ in file.bindings] == [FIRST, SECOND_ONE]
        assert file.notes == [
            "line 6, the last, is cut off or garbled and was left out: it had not been synced, so "
            "no DHCPACK had left for it"
        ]
        file.put(THIRD, Binding(KEY, NOW), NOW + 20 * SECOND)
    with leases(stored, NOW + 20 * SECOND) as file:
        assert file.notes == []
        assert len(file.bindings) == 3


def changed(text: bytes, line: int) -> bytes:
    rows = text.splitlines(keepends=True)
    rows[line] = rows[line].replace(b"1", b"2")
    return b"".join(rows)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "record": (lambda text: changed(text, 2), "line 3 is damaged, and is not the last"),
    "head": (lambda text: changed(text, 0), "its first line is not that of"),
    "zeros": (lambda text: bytes(len(text)), "its first line is not that of"),
    "foreign": (lambda text: b"lease 10.77.0.50 {\n}\n", "its first line is not that of"),
    "record first": (lambda text: text.split(b"\n", 1)[1], "its first line is not that of"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_file_is_refused_again_and_again(stored: Path, damage: str) -> None:
    change, reason = DAMAGES[damage]
    text = change(stored.read_bytes())
    stored.write_bytes(text)
    for _ in range(2):  # as often as a supervisor starts it again
        with pytest.raises(InputError, match=f"{reason}.*move it away"):
            LeaseFile(stored, SERVER, NOW + 20 * SECOND)
        assert [each.name for each in stored.parent.iterdir()] == ["leases"]
        assert stored.read_bytes() == text


def test_another_servers_leases_are_refused(stored: Path) -> None:
    with pytest.raises(InputError, match=r"leases of '10\.77\.0\.1', not of 10\.77\.0\.50"):
        LeaseFile(stored, FIRST, NOW)
    assert stored.exists()


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    path.rename(path.with_name("old"))
    path.write_text("something else")


def restored(path: Path) -> None:
    """By `cp`, which writes into the file that is there."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"lease 10.77.0.50 {\n}\n")


@pytest.mark.parametrize(
    ("become", "says"),
    [
        (deleted, "it was deleted"),
        (replaced, "it was replaced; what was there is now leases.refused"),
        (restored, "another program wrote to it; as it was then it is now leases.refused"),
        (appended, "another program wrote to it; as it was then it is now leases.refused"),
    ],
)
@pytest.mark.parametrize("by", ["put", "look"])
def test_what_becomes_of_the_file_is_noticed_and_made_good(
    stored: Path, become: Callable[[Path], None], says: str, by: str
) -> None:
    with leases(stored, LATER) as file:
        become(stored)
        if by == "put":
            file.put(FIRST + 3, Binding(KEY, LATER), LATER)
        else:
            file.look(LATER)
        (note,) = file.notes
        expected = file.bindings
        assert note.startswith(f"{says}; written anew from memory, leases: {len(expected)}.")
        file.look(LATER)
        assert len(file.notes) == 1
    assert len(expected) == (4 if by == "put" else 3)
    with leases(stored, LATER) as file:
        assert (file.bindings, file.notes) == (expected, [])


def test_what_another_server_has_put_there_is_not_touched(stored: Path) -> None:
    with leases(stored, LATER) as file:
        stored.rename(stored.with_name("old"))
        with leases(stored, LATER), pytest.raises(InputError, match="another server is using it"):
            file.look(LATER)


def test_two_servers_cannot_have_one_file(stored: Path) -> None:
    with leases(stored), pytest.raises(InputError, match="another server is using it"):
        LeaseFile(stored, SERVER, NOW)


def test_what_cannot_be_a_file_of_leases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a regular file"):
        LeaseFile(Path("/dev/null"), SERVER, NOW)
    with pytest.raises(InputError, match="No such file"):
        LeaseFile(tmp_path / "nowhere" / "leases", SERVER, NOW)
    (tmp_path / "leases").touch()
    (tmp_path / "leases").chmod(0o666)
    with pytest.raises(InputError, match="everybody may write"):
        LeaseFile(tmp_path / "leases", SERVER, NOW)


def test_a_record_that_does_not_fit_is_left_out_until_there_is_room(stored: Path) -> None:
    fourth = FIRST + 3
    with leases(stored, LATER) as file:
        before, text = file.bindings, stored.read_bytes()
        with full(stored, 10):
            for _ in range(2):
                with pytest.raises(BindingNotStoredError, match="File too large"):
                    file.put(fourth, Binding(KEY, LATER), LATER)
                assert file.bindings == before
                assert stored.read_bytes() == text
            with pytest.raises(BindingNotStoredError):
                file.put(THIRD, None, LATER)
        assert file.failure
        assert stored.read_bytes() == text
        assert [each.name for each in stored.parent.iterdir()] == ["leases"]
        file.write_anew(LATER)
        assert file.failure == ""
        file.put(fourth, Binding(KEY, LATER), LATER)
        after = file.bindings
    assert dict(after) == {**{a: b for a, b in before if a != THIRD}, fourth: Binding(KEY, LATER)}
    with leases(stored, LATER) as file:
        assert (file.bindings, file.notes) == (after, [])


def test_a_disk_that_is_full_at_the_start_leaves_what_is_on_record(stored: Path) -> None:
    with leases(stored, LATER) as file:
        expected = file.bindings
    with full(stored, -10), leases(stored, LATER) as file:
        assert file.bindings == expected
        assert "File too large" in file.failure


def test_the_log_is_rewritten_before_it_gets_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_database, "SPARE", 10)
    with leases(path := tmp_path / "leases") as file:
        for number in range(100):
            file.put(FIRST, Binding(KEY, NOW + number), NOW)
            assert len(path.read_bytes().splitlines()) <= 14
        file.put(SECOND_ONE, Binding(KEY, NOW), NOW)
    with leases(path) as file:
        assert file.bindings == ((FIRST, Binding(KEY, NOW + 99)), (SECOND_ONE, Binding(KEY, NOW)))
