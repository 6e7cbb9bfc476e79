"""What is left after `drop`, and which files are trusted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdover.model.errors import InputError
from holdover.reference.lab.testbed.process import PATIENCE
from holdover.reference.linux.kernel.privilege import check_safe

BOTH = f"{1 << 12 | 1 << 13:016x}"
"""CAP_NET_ADMIN and CAP_NET_RAW, as /proc/self/status has them."""

NAMESPACE = ["unshare", "-Urn"]
AS_ROOT: list[list[str]] = [[]] if os.geteuid() == 0 else []

HEAD = """
import os, socket, subprocess, threading
from holdover.model.clients.profile import InputError
from holdover.reference.linux.kernel import privilege
def status(text=None):
    lines = (text or open("/proc/self/status").read()).splitlines()
    return dict(line.split(":", 1) for line in lines)
def say(said):
    for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs"):
        print(key, said[key].strip())
def hold(*numbers):
    kept = sum(1 << number for number in numbers)
    sets = (privilege._Sets * 2)(privilege._Sets(kept, kept, kept), privilege._Sets())
    header = privilege._Header(privilege.CAPABILITY_VERSION_3, 0)
    privilege._call("capset", privilege.ctypes.byref(header), sets)
"""


def child(code: str, *before: str) -> str:
    """What a Python prints that has the helpers above."""
    done = subprocess.run(
        [*before, sys.executable, "-c", HEAD + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sets(said: str) -> dict[str, str]:
    return dict(line.split() for line in said.splitlines())


LEFT = {"CapInh": BOTH, "CapPrm": BOTH, "CapEff": BOTH, "CapBnd": BOTH, "NoNewPrivs": "1"}


@pytest.mark.parametrize("before", [NAMESPACE, *AS_ROOT], ids=str)
def test_two_capabilities_are_left_and_no_program_gets_more(before: list[str]) -> None:
    code = "privilege.drop()\n"
    assert sets(child(code + "say(status())", *before)) == LEFT
    cat = 'say(status(subprocess.check_output(["cat", "/proc/self/status"], text=True)))'
    of_program = sets(child(code + cat, *before))
    assert of_program == LEFT, "root's programs have what is in the bounding set"


@pytest.mark.parametrize("before", [NAMESPACE, *AS_ROOT], ids=str)
def test_a_packet_socket_opens_afterwards_and_chroot_fails(before: list[str]) -> None:
    said = child(
        "privilege.drop()\n"
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()\n"
        "try: os.chroot('/')\n"
        "except PermissionError: print('refused')",
        *before,
    )
    assert said == "refused\n"


def test_dropping_twice_is_dropping_once() -> None:
    assert sets(child("privilege.drop(); privilege.drop(); say(status())", *NAMESPACE)) == LEFT


@pytest.mark.parametrize(
    ("held", "missing"),
    [((12,), "CAP_NET_RAW"), ((13,), "CAP_NET_ADMIN"), ((), "CAP_NET_RAW and CAP_NET_ADMIN")],
    ids=str,
)
def test_missing_capabilities_are_named_and_nothing_changes(
    held: tuple[int, ...], missing: str
) -> None:
    said = child(
        f"hold(*{held}); before = status()\n"
        "try: privilege.drop()\n"
        "except InputError as error: print(error)\n"
        "after = status()\n"
        "print(all(before[key] == after[key] for key in before if key.startswith(('Cap', 'NoN'))))",
        *NAMESPACE,
    )
    first, same = said.splitlines()
    assert first.startswith(f"missing {missing}, for packet sockets")
    assert same == "True"


def test_without_setpcap_the_bounding_set_stays_and_no_new_privileges_closes_it() -> None:
    said = sets(child("hold(12, 13); privilege.drop(); say(status())", *NAMESPACE))
    assert said.pop("CapBnd") != BOTH
    assert said == {key: value for key, value in LEFT.items() if key != "CapBnd"}


def test_a_second_thread_would_keep_everything() -> None:
    said = child(
        "end = threading.Event(); threading.Thread(target=end.wait).start()\n"
        "try: privilege.drop()\n"
        "except RuntimeError as error: print(error)\n"
        "end.set()",
        *NAMESPACE,
    )
    assert "second thread" in said


# Files -------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a file, and links to it."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "file").write_text("#!/bin/sh\n")
    (tmp_path / "absolute").symlink_to(inner / "file")
    (tmp_path / "relative").symlink_to("inner/../inner/file")
    (tmp_path / "way").symlink_to("inner")
    (tmp_path / "twice").symlink_to("way/file")
    return tmp_path


WAYS = ("inner/file", "absolute", "relative", "way/file", "twice", "way/../inner/file")


@pytest.mark.parametrize("way", WAYS)
def test_what_only_this_user_can_change_is_safe(place: Path, way: str) -> None:
    check_safe(place / way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("open_to_all", ["inner/file", "inner", "."])
def test_what_everybody_can_change_is_not_on_whatever_way(
    place: Path, way: str, open_to_all: str
) -> None:
    changed = place / open_to_all
    changed.chmod(changed.stat().st_mode | 0o002)
    with pytest.raises(InputError, match=f"everybody may write there.*chmod o-w {changed}$"):
        check_safe(place / way)


def test_a_sticky_directory_may_be_on_the_way_and_not_the_end(place: Path) -> None:
    """In /tmp a name can be replaced only by its owner."""
    (place / "inner").chmod(0o1777)
    check_safe(place / "inner/file")
    with pytest.raises(InputError, match="everybody may write there"):
        check_safe(place / "inner")


@pytest.mark.parametrize("owner", [1, 65534], ids=["daemon", "nobody"])
@pytest.mark.parametrize("others", ["inner/file", "inner", "absolute"])
def test_what_belongs_to_somebody_else_is_not_safe(
    place: Path, others: str, owner: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """User 65534 is the overflow user id: somebody here, nobody known in a user namespace."""
    if os.geteuid() == 0:
        os.chown(place / others, owner, -1, follow_symlinks=False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 1)
    with pytest.raises(InputError, match=r"belongs to user \d+, not to root or to user"):
        check_safe(place / "absolute")


def test_an_owner_that_a_user_namespace_does_not_know_is_taken_for_root(place: Path) -> None:
    file = place / "inner/file"
    if os.geteuid() == 0:
        os.chown(file, 1, -1)
    code = f"privilege.check_safe(privilege.Path({str(file)!r})); print('safe')"
    assert child(code, *NAMESPACE) == "safe\n"


def test_a_missing_file_and_a_loop_of_links_are_named(place: Path) -> None:
    with pytest.raises(InputError, match="nowhere: No such file"):
        check_safe(place / "nowhere/file")
    with pytest.raises(InputError, match="inner/file/x: Not a directory"):
        check_safe(place / "inner/file/x")
    (place / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="more than 40 symbolic links"):
        check_safe(place / "loop")
