"""What is remembered: over crashes at any point, full disks, damage, reboots and set clocks."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.model.errors import InputError
from holdover.reference.core.client import Client, step
from holdover.reference.core.events import Chance, Lease, Phase, Remove, Start, Store
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.lab.testbed.process import PATIENCE
from holdover.reference.linux.storage import lease_file
from holdover.reference.linux.storage.lease_file import NotStoredError, load, save
from holdover.reference.wire.options import INFINITE
from tests.checkout import ROOT
from tests.reference.core.clients import CONFIG, MAC, PEER, SERVER, TOLD, A
from tests.reference.wire.test_packet import options

LONGEST = INFINITE * SECOND


def now() -> Instant:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def lease(seconds: int = 3600, address: IPv4Address = A) -> Lease:
    at, length = now(), seconds * SECOND
    return Lease(address, SERVER, at + length // 2, at + length * 7 // 8, at + length, TOLD)


def unheeded(note: str) -> None:
    """What is noted is the matter of another test."""


FOREVER = Lease(A, SERVER, None, None, None, TOLD)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "leases"


def refused(directory: Path, **given: Any) -> str:
    """Why nothing is loaded; the file is set aside, as it was."""
    path = directory / "eth0.json"
    before, notes = path.read_bytes() if path.is_file() else None, list[str]()
    assert load(directory, "eth0", note=notes.append, **given) is None
    (note,) = notes
    assert note.startswith(f"{path}: ")
    assert not path.exists()
    aside = directory / note.rpartition(" ")[2]
    assert before is None or aside.read_bytes() == before
    return note


def rewrite(directory: Path, **changes: Any) -> None:
    """Change what the file says, with the checksum of that."""
    path = directory / "eth0.json"
    said = json.loads(path.read_text()) | changes
    said["sum"] = lease_file.checksum(said)
    path.write_text(json.dumps(said))


# Writing and reading -----------------------------------------------------------------------------


@given(st.lists(st.integers(1, LONGEST), min_size=3, max_size=3).map(sorted) | st.none(), options)
def test_what_is_loaded_is_what_was_saved(dates: list[int] | None, options: Any) -> None:
    renew_at, rebind_at, end = dates or (None, None, None)
    saved = Lease(A, SERVER, renew_at, rebind_at, end, options)
    with TemporaryDirectory() as directory:
        save(Path(directory), "eth0", saved)
        loaded = load(Path(directory), "eth0", note=pytest.fail)
        assert loaded == saved
        assert loaded is not None
        assert [*loaded.options] == [*options], "the order of options is kept"


def test_a_new_lease_takes_the_place_of_the_old_and_none_of_both(place: Path) -> None:
    assert load(place, "eth0", note=pytest.fail) is None
    for saved in (lease(), lease(60), FOREVER):
        save(place, "eth0", saved)
        assert load(place, "eth0", note=pytest.fail) == saved
    save(place, "eth0", None)
    assert load(place, "eth0", note=pytest.fail) is None
    save(place, "eth0", None)
    assert [*place.iterdir()] == []
    assert place.stat().st_mode & 0o777 == 0o700


def test_each_interface_has_a_lease_of_its_own(place: Path) -> None:
    save(place, "eth0", lease())
    save(place, "eth1", FOREVER)
    save(place, "eth0", None)
    assert load(place, "eth0") is None
    assert load(place, "eth1") == FOREVER


@pytest.mark.parametrize("name", ["", "a/b", "../x", "x" * 16, "a\0b"])
def test_what_is_no_name_of_an_interface_is_refused(place: Path, name: str) -> None:
    with pytest.raises(InputError, match="no name of an interface"):
        load(place, name)
    with pytest.raises(InputError, match="no name of an interface"):
        save(place, name, FOREVER)


# Clocks ------------------------------------------------------------------------------------------

days = st.integers(-50_000, 50_000)


@given(days, st.integers(-LONGEST, 2 * LONGEST))
def test_after_a_reboot_nothing_is_left_of_a_lease_whatever_the_clocks_say(
    away: int, stored: int
) -> None:
    """RFC 2131 §3.2(3): only "the unexpired remainder" may be used, and nobody knows it."""
    with TemporaryDirectory() as name:
        directory, notes = Path(name), list[str]()
        saved = lease()
        save(directory, "eth0", saved)
        wall = (datetime.now(UTC) - timedelta(days=away)).isoformat()
        at = max(stored, saved.end - LONGEST if saved.end is not None else 0)
        rewrite(directory, clock="another boot", wall=wall, stored=at)
        loaded = load(directory, "eth0", note=notes.append)
        assert loaded == replace(saved, renew_at=0, rebind_at=0, end=0)
        assert loaded is not None
        assert not loaded.runs(0), "over before the first instant of this boot"
        assert "not relied on" in notes[0]


def test_the_core_then_releases_what_was_found_and_begins_in_init(place: Path) -> None:
    save(place, "eth0", lease())
    rewrite(place, clock="another boot")
    loaded = load(place, "eth0", note=unheeded)
    assert loaded is not None
    client, effects = step(Client(CONFIG), Start(loaded, A), now(), Chance(1, 0))
    assert client.phase is Phase.INIT
    assert effects == (Remove(A), Store(None))
    assert load(place, "eth0", note=unheeded) == loaded, "it is the core that forgets it"


@pytest.mark.parametrize("wall", ["1970-01-01T00:00:00+00:00", "2199-01-01T00:00:00+00:00"])
def test_within_a_boot_the_wall_clock_changes_nothing(place: Path, wall: str) -> None:
    saved = lease()
    save(place, "eth0", saved)
    rewrite(place, wall=wall)
    assert load(place, "eth0", note=pytest.fail) == saved


def test_a_lease_without_end_is_carried_over_a_reboot(place: Path) -> None:
    """RFC 2131 §3.3: infinite."""
    save(place, "eth0", FOREVER)
    rewrite(place, clock="another boot")
    assert load(place, "eth0", note=pytest.fail) == FOREVER


def test_another_time_namespace_is_another_clock(place: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from holdover.reference.linux.storage import lease_file as storage\n"
        "print(storage.load(Path(sys.argv[1]), 'eth0', note=str).end)"
    )
    saved = lease()
    save(place, "eth0", saved)
    shifted = ["unshare", "-UrT", "--boottime", "100", sys.executable, "-c", code, str(place)]
    assert run(shifted) == "0\n"
    assert run([sys.executable, "-c", code, str(place)]) == f"{saved.end}\n"


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Damage ------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_byte_is_seen(at: int, byte: int) -> None:
    with TemporaryDirectory() as name:
        directory, saved = Path(name), lease()
        save(directory, "eth0", saved)
        path = directory / "eth0.json"
        text = bytearray(path.read_bytes())
        text[at % len(text)] = byte
        path.write_bytes(text)
        loaded = load(directory, "eth0", note=unheeded)
        assert loaded in (None, saved)
        assert path.exists() == (loaded == saved)


def test_a_torn_file_is_refused_and_kept(place: Path) -> None:
    save(place, "eth0", lease())
    path = place / "eth0.json"
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:size])
        assert "damaged" in refused(place)
    assert len([*place.iterdir()]) == len(range(0, len(whole) - 1, 7)), "each under its own name"


def deep(said: dict[str, Any], *keys: str, value: object) -> dict[str, Any]:
    """With another value somewhere inside."""
    if not keys:
        return said
    inner = value if len(keys) == 1 else deep(said[keys[0]], *keys[1:], value=value)
    return said | {keys[0]: inner}


@pytest.mark.parametrize(
    ("keys", "value", "says"),
    [
        (("format",), "holdover client lease 2", "its format is 'holdover client lease 2', not"),
        (("interface",), "eth1", "it is of interface 'eth1'"),
        (("more",), 1, "damaged"),
        (("stored",), True, "no lease"),
        (("stored",), 1 << 62, "stored later than now"),
        (("wall",), "noon", "no lease"),
        (("clock",), 5, "no lease"),
        (("lease",), None, "no lease"),
        (("lease", "address"), "10.0.0.300", "no lease"),
        (("lease", "address"), 5, "no lease"),
        (("lease", "end"), None, "no lease (a lease has T1, T2 and an end, or none"),
        (("lease", "end"), "1", "no lease"),
        (("lease", "end"), 1.5, "no lease"),
        (("lease", "end"), 1, "instants of its lease cannot be"),
        (("lease", "end"), 1 << 63, "instants of its lease cannot be"),
        (("lease", "renew_at"), -1, "instants of its lease cannot be"),
        (("lease", "renew_at"), 1 << 62, "instants of its lease cannot be"),
        (("lease", "options"), [[1, "00"]], "no lease"),
        (("lease", "options"), {}, "no lease"),
        (("lease", "more"), 1, "no lease"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_its_reason(
    place: Path, keys: tuple[str, ...], value: object, says: str
) -> None:
    save(place, "eth0", lease())
    said = json.loads((place / "eth0.json").read_text())
    rewrite(place, **deep(said, *keys, value=value))
    note = refused(place)
    assert says in note
    assert "is not used, and was set aside as eth0.json.refused" in note


@pytest.mark.parametrize("text", [b"", b"\0" * 100, b"[]", b"null", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_lease_at_all_is_refused(place: Path, text: bytes) -> None:
    save(place, "eth0", None)
    (place / "eth0.json").write_bytes(text)
    refused(place)


def test_another_network_card_is_not_the_same_client(place: Path) -> None:
    saved = lease()
    save(place, "eth0", saved, hardware=MAC)
    assert load(place, "eth0", hardware=MAC, note=pytest.fail) == saved
    assert load(place, "eth0", note=pytest.fail) == saved
    assert "network card with address 02:00:00:00:00:01" in refused(place, hardware=PEER)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to("nowhere"),
        lambda path: os.mkfifo(path),
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(bytes(2 << 20)),
    ],
    ids=["link", "broken link", "fifo", "directory", "huge"],
)
def test_what_is_no_file_of_a_lease_is_refused(place: Path, make: Callable[[Path], None]) -> None:
    save(place, "eth0", None)
    make(place / "eth0.json")
    assert "not a regular file" in refused(place)
    save(place, "eth0", FOREVER)
    assert load(place, "eth0", note=pytest.fail) == FOREVER


# Crashes and full disks --------------------------------------------------------------------------

CALLS = ("open", "write", "fsync", "rename", "unlink")


class Calls:
    """The system calls of `save`, of which one can be made to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: int | None = None) -> None:
        self.seen: list[str] = []
        for name in CALLS:
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name), fails))

    def _counted(self, name: str, call: Callable[..., Any], fails: int | None) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.seen.append(name)
            if len(self.seen) - 1 == fails:
                raise OSError(28, "No space left on device")
            return call(*arguments, **named)

        return counted


def test_it_is_synced_before_it_has_its_name_and_the_name_after(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(place, "eth0", None)
    with monkeypatch.context() as patch:
        calls = Calls(patch)
        save(place, "eth0", lease())
    assert calls.seen == ["open", "write", "fsync", "rename", "open", "fsync"]
    with monkeypatch.context() as patch:
        calls = Calls(patch)
        save(place, "eth0", None)
    assert calls.seen == ["unlink", "unlink", "open", "fsync"]


@pytest.mark.parametrize("fails", range(6))
def test_a_failure_at_any_point_is_told_and_leaves_the_old_lease(
    place: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    old, new = lease(), lease(60)
    save(place, "eth0", old)
    with monkeypatch.context() as patch:
        Calls(patch, fails)
        with pytest.raises(NotStoredError, match=rf"{place}/eth0.json: No space left.*Make room"):
            save(place, "eth0", new)
    named = fails > CALLS.index("rename")
    assert load(place, "eth0", note=pytest.fail) == (new if named else old)
    assert [each.name for each in place.iterdir()] == ["eth0.json"]
    save(place, "eth0", new)
    assert load(place, "eth0", note=pytest.fail) == new


CRASH = """
import os, sys
from pathlib import Path
from holdover.reference.linux.storage import lease_file as storage
from tests.reference.linux.test_storage import CALLS, lease
place, old, new = Path(sys.argv[1]), lease(), lease(60)
def crash(at):
    left = [at]
    for name in CALLS:
        def call(*arguments, real=getattr(os, name), **named):
            if not left[0]:
                os._exit(7)
            left[0] -= 1
            return real(*arguments, **named)
        setattr(os, name, call)
    storage.save(place, "eth0", new)
    os._exit(0)
for at in range(100):
    storage.save(place, "eth0", old)
    child = os.fork() or crash(at)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print({old: "old", new: "new"}[storage.load(place, "eth0")])
    if not ended:
        break
"""


def test_a_crash_at_any_point_leaves_the_old_lease_or_the_new(place: Path) -> None:
    root = str(ROOT)
    said = subprocess.run(
        [sys.executable, "-c", CRASH, str(place)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=root,
    )
    assert said.stdout.split() == ["old"] * 4 + ["new"] * 3, said.stderr


FULL = """
import subprocess, sys
from dataclasses import replace
from pathlib import Path
from holdover.model.errors import InputError
from holdover.reference.linux.storage import lease_file as storage
from holdover.reference.wire.options import Options
from tests.reference.linux.test_storage import lease
place, old = Path(sys.argv[1]), lease()
storage.save(place, "eth0", old)
try: (place / "filler").write_bytes(bytes(1 << 20))
except OSError: pass
new = replace(old, options=Options([(200, bytes(20000))]))
try: storage.save(place, "eth0", new)
except storage.NotStoredError as error: print(error)
print(storage.load(place, "eth0") == old)
storage.save(place, "eth0", None)
print(storage.load(place, "eth0"))
subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
for act in (lambda: storage.save(place, "eth0", old), lambda: storage.load(place, "eth0")):
    try: act()
    except InputError as error: print(error)
"""


def test_on_a_full_disk_the_old_file_is_intact_and_on_a_read_only_one_nothing_begins(
    place: Path,
) -> None:
    place.mkdir()
    done = subprocess.run(
        [
            "unshare",
            "-Urm",
            "sh",
            "-ec",
            'mount -t tmpfs -o size=64k,mode=700 none "$1"; exec "$0" -c "$2" "$1"',
            sys.executable,
            str(place),
            FULL,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=ROOT,
    )
    full, intact, removed, *read_only = done.stdout.splitlines() or [done.stderr]
    assert full.startswith(f"{place}/eth0.json: No space left on device; ")
    assert intact == "True", "the old file is as it was"
    assert removed == "None", "a full disk does not keep a lease"
    assert read_only == [f"{place}: no directory that user 0 can write to.  Name one"] * 2


# Directories -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_directory_that_everybody_can_write_to_is_refused(place: Path, mode: int) -> None:
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(InputError, match=f"{place}: everybody may write there"):
        load(place, "eth0")
    with pytest.raises(InputError, match=f"{place}: everybody may write there"):
        save(place, "eth0", FOREVER)
    assert [*place.iterdir()] == []


def test_a_directory_below_one_that_everybody_can_write_to_is_refused(place: Path) -> None:
    place.parent.chmod(0o777)
    with pytest.raises(InputError, match=f"{place.parent}: everybody may write there"):
        save(place, "eth0", FOREVER)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda place: place.chmod(0o777), "everybody may write there"),
        (lambda place: place.parent.chmod(0o777), "everybody may write there"),
        (lambda place: os.chown(place, 1, -1), "belongs to user 1"),
        (lambda place: os.chown(place.parent, 1, -1), "belongs to user 1"),
        (lambda place: replaced(place, lambda: place.symlink_to("/tmp")), "everybody may write"),
        (lambda place: replaced(place, lambda: place.write_text("")), "no directory"),
    ],
    ids=["mode", "mode above", "owner", "owner above", "link", "file"],
)
def test_a_directory_that_was_good_is_looked_at_again(
    place: Path, change: Callable[[Path], None], says: str
) -> None:
    if os.geteuid() != 0 and "user" in says:
        pytest.skip("only root gives a file away")
    save(place, "eth0", FOREVER)
    save(place, "eth0", FOREVER)
    change(place)
    with pytest.raises(NotStoredError, match=says):
        save(place, "eth0", FOREVER)


def replaced(place: Path, make: Callable[[], object]) -> None:
    """Something else of the directory's name."""
    place.rename(place.with_name("away"))
    make()


def test_a_directory_that_is_gone_is_made_anew(place: Path) -> None:
    save(place, "eth0", FOREVER)
    place.rename(place.with_name("away"))
    save(place, "eth0", FOREVER)
    assert load(place, "eth0", note=pytest.fail) == FOREVER


def test_a_directory_of_somebody_else_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.mkdir()
    if os.geteuid() == 0:
        os.chown(place, 1, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 1)
    with pytest.raises(InputError, match=r"belongs to user \d"):
        save(place, "eth0", FOREVER)


def test_even_root_has_to_own_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of root's, as another user would see it."""
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(InputError, match=r"/usr: belongs to user 0\.  Name one of user 4711"):
        load(Path("/usr"), "eth0")


def test_a_missing_directory_is_made_if_its_parent_is_there(place: Path) -> None:
    save(place, "eth0", FOREVER)
    with pytest.raises(InputError, match=f"{place}/a/b: missing, and cannot be made: No such file"):
        load(place / "a/b", "eth0")
    with pytest.raises(InputError, match="no directory that user"):
        load(place / "eth0.json", "eth0")


def test_a_file_of_somebody_else_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a directory that a group may write to."""
    save(place, "eth0", FOREVER)
    path = place / "eth0.json"
    seen = os.stat_result((0o100600, 1, 1, 1, 4711, 0, 10, 0, 0, 0))
    monkeypatch.setattr(Path, "lstat", lambda self: seen)
    with pytest.raises(lease_file.FileRefusedError, match="belongs to user 4711"):
        lease_file.text_of(path)
