"""Root file systems: what is read of one, and how one is made, listed and removed.

What makes one is a program of a few lines here, in the place of mmdebstrap, in no namespaces.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdover.model.errors import InputError
from holdover.reference.commands.lab import cells
from holdover.reference.lab.roots import making
from holdover.reference.lab.roots.made import PARTIAL, cache_folder, made_roots
from holdover.reference.lab.roots.making import find_mirror, in_turn, make_root
from holdover.reference.lab.roots.release import RELEASES, packages
from holdover.reference.lab.roots.root import Root, root_of, upstream
from holdover.reference.lab.testbed.client_program import ClientProgram, version_numbers
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.process import PATIENCE, UnheardError, eventually
from tests.reference.commands.running import run

MIRROR = "http://mirror.example/debian"


def of_debian(place: Path, package: str, version: str, *programs: str) -> Path:
    """A folder with a shell, programs, and a package of Debian's in it."""
    for program in ("/bin/sh", *programs):
        file = place / program.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    status = place / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    said = f"Package: {package}\nStatus: install ok installed\nVersion: {version}\n"
    status.write_text(f"{said}Description: x\n Version: 9\n\nPackage: none\nVersion: 1\n")
    return place


# What is in one ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ("1:1.37.0-6+b3", "1.37.0"),
        ("4.4.3-P1-8", "4.4.3-P1"),
        ("257.13-1~deb13u1", "257.13"),
        ("258~rc2-1", "258"),
        ("1.30.6-1+deb11u1", "1.30.6"),
        ("2.0.12+dfsg-1", "2.0.12"),
        ("9.4.1", "9.4.1"),
    ],
)
def test_a_packages_version_is_its_makers(version: str, shown: str) -> None:
    assert upstream(version) == shown


def test_versions_are_compared_by_their_numbers() -> None:
    assert version_numbers("1.30.1") < version_numbers("1.34") < version_numbers("1.100")
    assert version_numbers("4.4.3-P1") == (4, 4, 3)


def test_a_program_is_in_a_root_wherever_path_leads(tmp_path: Path) -> None:
    place = of_debian(tmp_path / "root", "dhcpcd5", "7.1.0-2+b1", "/usr/sbin/dhcpcd")
    (place / "usr/bin").mkdir()
    (place / "usr/bin/mtr").symlink_to("/etc/alternatives/mtr")
    root = Root("old", place)
    assert root.has("dhcpcd")
    assert root.has("/usr/sbin/dhcpcd")
    assert root.has("mtr"), "its link leads to a place of the root's"
    assert not root.has("/sbin/dhcpcd")
    assert not root.has("dhclient")


def test_a_client_of_a_root_has_that_roots_programs_and_package(tmp_path: Path) -> None:
    place = of_debian(tmp_path / "root", "dhcpcd5", "7.1.0-2+b1", "/sbin/dhcpcd")
    client = CLIENTS["dhcpcd"].in_root(Root("old", place))
    assert (client.label, client.missing(), client.version()) == ("old/dhcpcd", None, "7.1.0")
    gone = CLIENTS["udhcpc"].in_root(Root("old", place))
    assert gone.missing() == f"udhcpc, /etc/udhcpc/default.script in {place}"
    with pytest.raises(UnheardError, match=r"old/udhcpc: .* has no package udhcpc"):
        gone.version()
    assert "of no root" in str(CLIENTS["reference"].in_root(Root("old", place)).missing())


@pytest.mark.parametrize(
    ("version", "profile"),
    [("1:1.30.1-6", "udhcpc-1.30"), ("1:1.34.0-1", "udhcpc"), ("1:1.37.0-6", "udhcpc")],
)
def test_an_older_version_has_a_profile_of_its_own(
    version: str, profile: str, tmp_path: Path
) -> None:
    place = of_debian(tmp_path / "root", "udhcpc", version)
    assert CLIENTS["udhcpc"].in_root(Root("old", place)).profile == profile


@pytest.mark.parametrize(
    ("said", "profile"),
    [
        ("BusyBox v1.30.1 (Debian 1:1.30.1-6)", "udhcpc-1.30"),
        ("BusyBox v1.37.0", "udhcpc"),
        ("no number", "udhcpc"),
    ],
)
def test_the_machines_own_client_has_the_profile_of_its_version_as_well(
    said: str, profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "udhcpc"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert CLIENTS["udhcpc"].as_installed().profile == profile
    (played, *_) = cells([CLIENTS["udhcpc"]], (), (), None, 1, 15)
    assert played.client.profile == profile


def test_a_client_that_is_not_here_keeps_the_profile_that_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert CLIENTS["udhcpc"].as_installed() == CLIENTS["udhcpc"]


def test_a_folder_without_packages_of_debians_says_no_version(tmp_path: Path) -> None:
    assert Root("x", tmp_path).packages() == {}


# --root ------------------------------------------------------------------------------------------


def test_a_root_is_named_by_folder_by_name_and_by_release(tmp_path: Path) -> None:
    made = of_debian(tmp_path / "made/trixie", "udhcpc", "1").parent
    assert root_of(f"{made}/trixie", made) == Root("trixie", made / "trixie")
    assert root_of(f"new={made}/trixie", made) == Root("new", made / "trixie")
    assert root_of("trixie", made) == Root("trixie", made / "trixie")


def test_without_root_only_ones_own_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trixie/bin").mkdir(parents=True)
    (tmp_path / "trixie/bin/sh").touch(mode=0o755)
    assert root_of("trixie", tmp_path).name == "trixie"
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "trixie").stat().st_uid + 1)
    with pytest.raises(InputError, match="is another user's; without root"):
        root_of("trixie", tmp_path)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("sid", "`holdover lab roots make sid` makes one"),
        ("/nowhere/sid", "there is no directory /nowhere/sid"),
        ("x=/nowhere", "there is no directory /nowhere"),
        ("a b=/", "'a b' is no name"),
        ("=/", "'' is no name"),
        ("empty={}", "has no /bin/sh"),
    ],
)
def test_what_is_no_root_is_refused(given: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        root_of(given.replace("{}", str(tmp_path)), tmp_path)


def test_bad_roots_are_bad_input_of_the_command(tmp_path: Path) -> None:
    place = of_debian(tmp_path / "trixie", "udhcpc", "1")
    twice = run("lab", "run", "--root", place, "--root", f"trixie={place}")
    assert twice.exit_code == 2
    assert "the name trixie is there twice" in twice.output
    machines = run("lab", "run", "--root", f"machine={place}")
    assert "the name machine is the machine's own" in machines.output
    nothing = run("lab", "run", "--root", place)
    assert nothing.exit_code == 2
    assert "no client is there" in nothing.output
    unknown = run("lab", "run", "--root", place, "--client", "trixie/udhcp")
    assert unknown.exit_code == 2
    assert "trixie/udhcpc" in unknown.output
    several = run(*("lab", "learn", "--root", place, "--root", f"b={place}", "--client", "udhcpc"))
    assert several.exit_code == 2
    assert "in several root file systems" in several.output


# Made --------------------------------------------------------------------------------------------

Maker = Callable[[str], Path]


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """What puts a shell's words in the place of mmdebstrap, and gives the folder of roots."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(making, "SPACES", ())
    monkeypatch.setattr(making, "KEYS", Path(__file__))

    def made(text: str) -> Path:
        program = programs / "mmdebstrap"
        program.write_text(f"#!/bin/sh\nfor last; do before=$place; place=$last; done\n{text}")
        program.chmod(0o755)
        return cache_folder()

    return made


GOOD = f"""
place=$before
mkdir -p "$place/bin" "$place/etc"
: >"$place/bin/sh"
echo 'PRETTY_NAME="Debian, of a test"' >"$place/etc/os-release"
echo "$@" >"$place/etc/asked"
echo "I: downloading packages with apt..." >&2
test "$last" = {MIRROR}
"""


def test_a_root_is_made_of_the_packages_of_its_release(maker: Maker) -> None:
    folder = maker(GOOD)
    told: list[str] = []
    with in_turn(folder):
        place = make_root(folder, "trixie", MIRROR, told.append)
    assert place == folder / "trixie"
    assert told == ["trixie: downloading packages with apt"]
    asked = (place / "etc/asked").read_text()
    assert f"--include={','.join(packages('trixie'))}" in asked
    assert "Valid-Until" not in asked
    assert [*made_roots(folder)] == ["trixie"]


def test_each_release_is_asked_for_what_it_has() -> None:
    assert "dhcpcd5" in packages("bullseye")
    assert "isc-dhcp-client" in packages("trixie")
    assert "isc-dhcp-client" not in packages("sid")
    assert packages("one-of-later-years") == packages("sid")
    assert all(len(set(packages(each))) == len(packages(each)) for each in RELEASES)


def test_a_failure_is_told_in_its_own_words_and_leaves_nothing(maker: Maker) -> None:
    folder = maker('mkdir "$before"; echo "E: Unable to locate package x" >&2; exit 25')
    with in_turn(folder), pytest.raises(InputError) as refused:
        make_root(folder, "trixie", MIRROR, print)
    assert str(refused.value) == (
        f"trixie: mmdebstrap could not make it from {MIRROR}\n  E: Unable to locate package x"
    )
    assert [*folder.iterdir()] == []


def test_what_was_made_before_stays_where_it_cannot_be_made_anew(maker: Maker) -> None:
    folder = maker("exit 25")
    of_debian(folder / "trixie", "udhcpc", "1")
    with in_turn(folder), pytest.raises(InputError):
        make_root(folder, "trixie", MIRROR, print)
    assert [*made_roots(folder)] == ["trixie"]


def test_an_expired_archive_is_taken_if_one_says_so(maker: Maker) -> None:
    folder = maker('echo "E: Release file is expired" >&2; exit 25')
    with in_turn(folder), pytest.raises(InputError, match="--stale takes it all the same"):
        make_root(folder, "sid", MIRROR, print)
    maker(GOOD)
    with in_turn(folder):
        place = make_root(folder, "sid", MIRROR, print, stale=True)
    assert "Valid-Until" in (place / "etc/asked").read_text()


def test_what_a_killed_run_has_left_is_removed_by_the_next(maker: Maker) -> None:
    folder = maker(GOOD)
    (folder / f"sid{PARTIAL}" / "bin").mkdir(parents=True)
    (folder / f"sid{PARTIAL}" / "bin/sh").touch()
    assert made_roots(folder) == {}, "it is no root yet"
    with in_turn(folder):
        assert [*folder.iterdir()] == []


def test_two_runs_do_not_make_roots_at_once(maker: Maker) -> None:
    folder = maker(GOOD)
    with in_turn(folder), pytest.raises(InputError, match="another run"), in_turn(folder):
        pass


# By command --------------------------------------------------------------------------------------


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)


@pytest.mark.usefixtures("as_root")
def test_the_command_says_before_what_it_takes_and_after_what_it_made(maker: Maker) -> None:
    folder = maker(GOOD)
    made = run("lab", "roots", "make", "trixie", "sid", "--mirror", MIRROR)
    assert made.exit_code == 0, made.output
    assert f"2 to make in {folder}: some 800 MB and 4 minutes" in made.output
    assert made.output.count("made: ") == 2
    assert "now: holdover lab --root trixie --root sid" in made.output
    listed = run("lab", "roots", "list")
    assert "Debian, of a test" in listed.output
    found = json.loads(run("lab", "roots", "list", "--json").output)["roots"]
    assert [each["name"] for each in found] == ["sid", "trixie"]
    assert run("lab", "roots", "remove", "sid").exit_code == 0
    assert [*made_roots(folder)] == ["trixie"]
    assert "no root 'sid'" in run("lab", "roots", "remove", "sid").output


def test_without_roots_the_list_says_how_to_make_them(maker: Maker) -> None:
    maker(GOOD)
    assert "holdover lab roots make bullseye" in run("lab", "roots", "list").output


@pytest.mark.usefixtures("as_root")
def test_what_is_missing_is_named(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    maker(GOOD)
    monkeypatch.setattr(making, "KEYS", Path("/nowhere.gpg"))
    assert "debian-archive-keyring" in run("lab", "roots", "make", "sid").output
    monkeypatch.setattr(making, "NEEDS", {"no-such-program": "its-package"})
    lacking = run("lab", "roots", "make", "sid")
    assert lacking.exit_code == 2
    assert "apt-get install its-package" in lacking.output


def test_it_takes_root(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    maker(GOOD)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "run it as root" in run("lab", "roots", "make", "sid").output


@pytest.mark.usefixtures("as_root")
def test_too_little_room_is_told_before(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = maker(GOOD)
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=5 * 10**6))
    told = run("lab", "roots", "make", "sid", "--mirror", MIRROR)
    assert told.exit_code == 2
    assert "5 MB are free" in told.output
    assert made_roots(folder) == {}


@pytest.mark.parametrize("name", ["../x", "Trixie", "a/b", "--x"])
def test_what_is_no_name_of_a_release_is_refused(name: str) -> None:
    assert run("lab", "roots", "make", "--", name).exit_code == 2


def test_the_mirror_is_the_one_of_this_machines_apt(maker: Maker, tmp_path: Path) -> None:
    maker(GOOD)
    apt = tmp_path / "programs/apt-get"
    apt.write_text(f"#!/bin/sh\necho {MIRROR}; echo http://other.example\n")
    apt.chmod(0o755)
    assert find_mirror() == MIRROR
    apt.write_text("#!/bin/sh\necho E: broken >&2; exit 100\n")
    with pytest.raises(InputError, match="--mirror URL\n  E: broken"):
        find_mirror()


AS_ROOT = """
import os
from pathlib import Path
from holdover.reference.lab.roots import making
making.SPACES, making.NEEDS, making.KEYS = (), {}, Path(making.__file__)
os.geteuid = lambda: 0
from holdover.reference.cli import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_is_interrupted_leaves_nothing_behind(maker: Maker, number: signal.Signals) -> None:
    folder = maker('mkdir "$before"; exec sleep 600')
    words = [sys.executable, "-c", AS_ROOT, "lab", "roots", "make", "sid", "--mirror", MIRROR]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as command:
        eventually((folder / f"sid{PARTIAL}").is_dir, PATIENCE, "it has begun")
        command.send_signal(number)
        assert command.wait(PATIENCE) == 128 + signal.SIGINT
    assert [*folder.iterdir()] == []


def test_a_client_tells_the_root_it_is_of() -> None:
    client = ClientProgram(name="x", title="x", command="x", needs=("x",), lease=1)
    assert (client.label, client.in_root(Root("sid", Path("/s"))).label) == ("x", "sid/x")
