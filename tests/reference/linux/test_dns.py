"""Name servers of a lease: handed on while it runs, withdrawn with it, and nothing else touched."""

import os
import re
import signal
import subprocess
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdover.model.errors import InputError
from holdover.reference.core.events import Lease, Notice
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.netns import COMMANDS
from holdover.reference.lab.testbed.process import PATIENCE, Process, eventually
from holdover.reference.linux.hooks.dns import File, Resolvconf, Resolver, lines, resolver
from holdover.reference.wire.options import DOMAIN_NAME, NAME_SERVERS, Options
from tests.net.scenes import scene
from tests.net.stage import Stage
from tests.reference.core.clients import OTHER, SERVER, A
from tests.reference.wire.test_packet import options as any_options

SERVERS = NAME_SERVERS((SERVER, OTHER))
WRITTEN = "search example.org\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n"
MARK = "# from holdover client eth0; it goes with the lease\n"
FORMER = "nameserver 192.0.2.53\n"
OVER = [
    Notice.LAPSED,
    Notice.REFUSED,
    Notice.DECLINED,
    Notice.CEASED,
    Notice.RELEASED,
    Notice.STOPPED,
    Notice.UNANSWERED,
]


def lease(*options: tuple[int, Any]) -> Lease:
    return Lease(A, SERVER, None, None, None, Options(options))


FULL = lease(SERVERS, DOMAIN_NAME("example.org"))


# Values ------------------------------------------------------------------------------------------


def test_what_a_lease_says_becomes_lines() -> None:
    assert lines(FULL).decode() == WRITTEN


@pytest.mark.parametrize(
    ("name", "searched"),
    [
        ("a.example b.example", "search a.example b.example\n"),
        ("a\nnameserver 10.0.0.9", ""),
        ("a\roptions rotate", ""),
        ("a\tb", ""),
        ("a;b", ""),
        ("-a", ""),
        ("", ""),
    ],
    ids=ascii,
)
def test_a_domain_is_one_or_there_is_none(name: str, searched: str) -> None:
    said = lines(lease(NAME_SERVERS((SERVER,)), DOMAIN_NAME(name)))
    assert said.decode() == f"{searched}nameserver 10.0.0.1\n"


NO_HOSTS = [
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.0.0.53",
    "224.0.0.251",
    "255.255.255.255",
    "240.0.0.1",
]


@pytest.mark.parametrize("no_host", NO_HOSTS)
def test_a_name_server_is_a_host(no_host: str) -> None:
    assert lines(lease(NAME_SERVERS((IPv4Address(no_host),)), DOMAIN_NAME("a.example"))) == b""
    both = lines(lease(NAME_SERVERS((IPv4Address(no_host), SERVER))))
    assert both == b"nameserver 10.0.0.1\n"


def test_a_name_server_that_is_none_is_said_once(tmp_path: Path) -> None:
    notes: list[str] = []
    file = File(tmp_path / "resolv.conf", "eth0", note=notes.append)
    for notice in (Notice.BOUND, Notice.EXTENDED, Notice.EXTENDED):
        file.tell(notice, lease(NAME_SERVERS((IPv4Address("127.0.0.1"), SERVER))))
    file.close(20)
    assert (tmp_path / "resolv.conf").read_text() == f"{MARK}nameserver 10.0.0.1\n"
    (note,) = notes
    assert "the server names 127.0.0.1, which cannot be a name server" in note


def test_without_a_server_a_domain_is_not_handed_on() -> None:
    assert lines(lease(DOMAIN_NAME("example.org"))) == b""


@given(any_options, st.text(), st.lists(st.ip_addresses(v=4), min_size=1))
def test_whatever_the_network_says_lines_are_of_two_kinds(
    options: Options, name: str, servers: list[IPv4Address]
) -> None:
    said = dict(options) | dict([NAME_SERVERS(tuple(servers))])
    if name.isascii() and name and not name.endswith("\0"):
        said |= dict([DOMAIN_NAME(name)])
    text = lines(Lease(A, SERVER, None, None, None, Options(said))).decode()
    line = r"(search( [\w-]+(\.[\w-]+)*\.?)+|nameserver \d+\.\d+\.\d+\.\d+)\n"
    assert re.fullmatch(rf"({line})*", text, re.ASCII)


# A file ------------------------------------------------------------------------------------------


class Place:
    """A directory with a resolv.conf; `notes`: what was said."""

    def __init__(self, directory: Path) -> None:
        self.path, self.notes = directory / "resolv.conf", list[str]()
        self.path.write_text(FORMER)
        self.path.chmod(0o640)

    def file(self, interface: str = "eth0") -> File:
        return File(self.path, interface, note=self.notes.append)

    def after(self, *told: tuple[Notice, Lease | None]) -> str:
        """What is there after notices, each of them done."""
        file = self.file()
        for notice, lease in told:
            file.tell(notice, lease)
            settled(file)
        assert file.close(10) == []
        return self.path.read_text()


def settled(told: Resolver) -> None:
    with told._changed:
        assert told._changed.wait_for(lambda: not told._waiting and not told._busy, 20)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("notice", OVER)
def test_it_is_there_while_an_address_is_in_use_and_the_former_one_comes_back(
    place: Place, notice: Notice
) -> None:
    before = place.path.stat()
    assert place.after((Notice.BOUND, FULL)) == MARK + WRITTEN
    assert place.path.stat().st_mode & 0o777 == 0o644
    assert place.after((notice, FULL)) == FORMER
    after = place.path.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode), "the very same file"
    assert [*place.path.parent.iterdir()] == [place.path]
    assert place.notes == []


def test_where_there_was_none_there_is_none_afterwards(place: Place) -> None:
    place.path.unlink()
    assert place.after((Notice.BOUND, FULL)) == MARK + WRITTEN
    file = place.file()
    file.withdraw()
    file.close(10)
    assert [*place.path.parent.iterdir()] == []


def test_what_has_not_changed_is_not_written_again(place: Place) -> None:
    file, seen = place.file(), list[int]()
    other = lease(NAME_SERVERS((OTHER,)))
    for told in (FULL, FULL, other):
        file.tell(Notice.EXTENDED, told)
        settled(file)
        seen.append(place.path.stat().st_ino)
    file.close(10)
    assert seen[0] == seen[1] != seen[2]
    assert place.path.read_text() == MARK + "nameserver 10.0.0.2\n"


def test_a_lease_without_servers_withdraws_those_of_the_one_before(place: Place) -> None:
    assert place.after((Notice.BOUND, FULL), (Notice.EXTENDED, lease())) == FORMER


def test_what_a_killed_client_left_is_replaced_and_the_first_of_all_comes_back(
    place: Place,
) -> None:
    place.after((Notice.BOUND, FULL))
    other = lease(NAME_SERVERS((OTHER,)))
    assert place.after((Notice.BOUND, other)) == MARK + "nameserver 10.0.0.2\n"
    assert place.after((Notice.UNANSWERED, None)) == FORMER


def test_a_crash_between_keeping_and_writing_loses_nothing(place: Place) -> None:
    place.file()._keep()
    (place.path.parent / "resolv.conf.eth0-new").write_text("torn")
    assert place.after((Notice.BOUND, FULL), (Notice.LAPSED, None)) == FORMER


def test_what_somebody_else_has_written_meanwhile_stays_and_that_is_said(place: Place) -> None:
    file = place.file()
    file.tell(Notice.BOUND, FULL)
    settled(file)
    place.path.write_text("nameserver 198.51.100.1\n")
    file.withdraw()
    file.close(10)
    assert place.path.read_text() == "nameserver 198.51.100.1\n"
    assert place.notes == [f"--dns {place.path}: somebody else has written it; it stays as it is"]


@pytest.mark.parametrize(
    ("target", "who"),
    [
        ("../run/systemd/resolve/stub-resolv.conf", ""),
        ("/run/systemd/resolve/stub-resolv.conf", ", which systemd-resolved writes"),
        ("/var/run/NetworkManager/resolv.conf", ", which NetworkManager writes"),
        ("/etc/resolvconf/run/resolv.conf", ", which resolvconf writes"),
    ],
)
def test_a_symbolic_link_is_refused_and_whose_it_is_is_said(
    place: Place, target: str, who: str
) -> None:
    place.path.unlink()
    place.path.symlink_to(target)
    with pytest.raises(
        InputError, match=f"it is a symbolic link to [^,]*{who}\\.  Use --dns resol"
    ):
        place.file()
    assert place.path.is_symlink()


def test_a_link_that_comes_later_is_not_replaced(place: Place) -> None:
    file, other = place.file(), place.path.with_name("other")
    other.write_text(FORMER)
    place.path.unlink()
    place.path.symlink_to(other)
    file.tell(Notice.BOUND, FULL)
    settled(file)
    file.withdraw()
    file.close(10)
    assert place.path.is_symlink()
    assert other.read_text() == FORMER
    (note,) = place.notes
    assert note.startswith(f"--dns {place.path}: not written: --dns {place.path}: it is a symbolic")


def test_the_file_of_another_client_is_refused(place: Place) -> None:
    place.after((Notice.BOUND, FULL))
    with pytest.raises(InputError, match=r"it begins with '# from .* eth0; .* for eth1"):
        place.file("eth1")


def test_who_cannot_be_or_could_be_replaced_by_anybody_is_refused(place: Place) -> None:
    with pytest.raises(InputError, match="expected `resolvconf`, or a path"):
        resolver("resolv.conf", "eth0", 10, place.notes.append)
    place.path.parent.chmod(0o777)
    with pytest.raises(InputError, match="everybody may write there"):
        place.file()


def test_a_file_that_is_mounted_by_itself_is_refused(privileged: None, place: Place) -> None:
    """As in containers: nothing can be renamed to it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from holdover.reference.linux.hooks.dns import File\n"
        "File(Path(sys.argv[1]), 'eth0')"
    )
    mounted = 'mount --bind "$1" "$1"; shift; exec "$@"'
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "sh",
            "-ec",
            mounted,
            "sh",
            place.path,
            sys.executable,
            "-c",
            code,
            place.path,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert "no file can be put in its place: Invalid cross-device link" in done.stderr
    assert place.path.read_text() == FORMER


# resolvconf --------------------------------------------------------------------------------------


class Program:
    """A resolvconf in a directory, first of the path; it writes down what it is given."""

    def __init__(self, place: Path, more: str = "") -> None:
        self.out, self.notes = place / "out", list[str]()
        self.place = place / "bin"
        self.place.mkdir()
        program = self.place / "resolvconf"
        program.write_text(f'#!/bin/sh\n{{ echo "$@"; cat; }} >> {self.out}\ncd {place}\n{more}\n')
        program.chmod(0o755)

    @property
    def path(self) -> str:
        return f"{self.place}:{os.environ['PATH']}"

    def said(self) -> str:
        return self.out.read_text() if self.out.exists() else ""


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Program:
    made = Program(tmp_path, getattr(request, "param", ""))
    monkeypatch.setenv("PATH", made.path)
    return made


def test_resolvconf_is_handed_lines_and_told_when_they_go(program: Program) -> None:
    told = Resolvconf("eth0", note=program.notes.append)
    for notice, lease in ((Notice.BOUND, FULL), (Notice.EXTENDED, FULL), (Notice.LAPSED, FULL)):
        told.tell(notice, lease)
        settled(told)
    told.withdraw()
    told.close(PATIENCE)
    assert program.said() == f"-a eth0.holdover\n{WRITTEN}-d eth0.holdover\n"
    assert program.notes == []


@pytest.mark.parametrize("program", ["[ -e once ] || { : > once; exit 3; }"], indirect=True)
def test_what_has_failed_is_tried_again_at_the_next_notice(program: Program) -> None:
    told = Resolvconf("eth0", note=program.notes.append)
    for notice in (Notice.BOUND, Notice.EXTENDED, Notice.EXTENDED):
        told.tell(notice, FULL)
        settled(told)
    told.close(PATIENCE)
    assert program.said() == f"-a eth0.holdover\n{WRITTEN}" * 2
    assert program.notes == ["--dns resolvconf: -a: exit status 3"]


@pytest.mark.parametrize("program", ["echo none >&2; exit 1"], indirect=True)
def test_that_nothing_was_left_is_no_failure(
    program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of two kinds of resolvconf, one fails at what it does not find."""
    told = Resolvconf("eth0", note=program.notes.append)
    told.withdraw()
    settled(told)
    told.withdraw()
    told.close(PATIENCE)
    assert program.said() == "-d eth0.holdover\n"
    assert program.notes == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("program", ["mkfifo gate; exec 3<>gate; read line <&3"], indirect=True)
def test_a_slow_one_is_not_waited_for_is_ended_and_only_the_latest_counts(program: Program) -> None:
    told = Resolvconf("eth0", 0.5, program.notes.append)
    before = time.monotonic()
    told.tell(Notice.BOUND, FULL)
    eventually(lambda: program.said().endswith(WRITTEN), PATIENCE, "it runs")
    for _ in range(100):
        told.tell(Notice.LAPSED, FULL)
        told.tell(Notice.BOUND, lease(NAME_SERVERS((OTHER,))))
    told.withdraw()
    assert time.monotonic() - before < 50, "it took half a second each time"
    told.close(PATIENCE)
    assert program.said() == f"-a eth0.holdover\n{WRITTEN}-d eth0.holdover\n"
    assert program.notes[0] == "--dns resolvconf: -a: took more than 0.5 s; it was ended"


def test_without_the_program_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="--dns resolvconf: resolvconf: no such program"):
        Resolvconf("eth0")


# A client ----------------------------------------------------------------------------------------


def serve(stage: Stage) -> Process:
    return stage.server("--dns", "10.0.0.1,10.0.0.2", "--domain", "example.org")


@scene
def test_the_file_of_the_machine_is_written_and_comes_back_when_the_lease_lapses(
    stage: Stage,
) -> None:
    """In a view of its own.  Root needs no capability for its own files: only two are left then."""
    server = serve(stage)
    client = stage.cli.apart(
        sys.executable,
        "-u",
        "-c",
        COMMANDS,
        "client",
        "eth0",
        "--state-dir",
        stage.state,
        "--no-probe",
        "--json",
        "--dns",
        "/etc/resolv.conf",
        setup=f"echo '{FORMER}' >/etc/former;"
        "rm -f /etc/resolv.conf; mv /etc/former /etc/resolv.conf",
    )
    client.says("BOUND", PATIENCE)
    view = Path(f"/proc/{client.running.pid}/root/etc/resolv.conf")
    eventually(lambda: MARK in view.read_text(), PATIENCE, "it is written")
    assert view.read_text() == MARK + WRITTEN
    server.signal(signal.SIGKILL)
    client.says("LAPSED", PATIENCE)
    eventually(lambda: MARK not in view.read_text(), PATIENCE, "it is restored")
    assert view.read_text().strip() == FORMER.strip()
    assert client.errors == []


@scene
def test_however_a_client_ends_it_is_withdrawn_by_it_or_by_the_next(stage: Stage) -> None:
    """Ended in order; killed, and withdrawn by the next; kept by --once."""
    path = stage.place / "resolv.conf"
    path.write_text(FORMER)
    server = serve(stage)
    ours = ("--no-probe", "--dns", path)
    first = stage.client(*ours)
    eventually(lambda: MARK in path.read_text(), PATIENCE, "it is written")
    first.signal(signal.SIGTERM)
    first.ended()
    assert path.read_text() == FORMER
    second = stage.client(*ours)
    eventually(lambda: MARK in path.read_text(), PATIENCE, "it is written")
    second.signal(signal.SIGKILL)
    second.ended()
    assert path.read_text() == MARK + WRITTEN
    server.signal(signal.SIGKILL)
    stage.cli.ip("addr", "flush", "dev", "eth0")
    third = stage.client(*ours)
    eventually(lambda: MARK not in path.read_text(), PATIENCE, "it is withdrawn")
    assert path.read_text() == FORMER
    third.signal(signal.SIGTERM)
    third.ended()
    serve(stage)
    assert stage.client("--once", *ours).ended(PATIENCE) == 0
    assert path.read_text() == MARK + WRITTEN


@scene
def test_a_resolvconf_that_never_ends_delays_neither_renewal_nor_release(stage: Stage) -> None:
    program = Program(stage.place, "exec sleep 60")
    server, watch = serve(stage), stage.cli.watch()
    client = stage.bound("--dns", "resolvconf", under=("env", f"PATH={program.path}"))
    client.says("EXTENDED", PATIENCE, times=2)
    server.signal(signal.SIGKILL)
    deleted, _ = watch.says("Deleted", PATIENCE)
    acks = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")]
    assert deleted <= acks[-1]
    client.says("LAPSED", PATIENCE)
    assert program.said().startswith("-d eth0.holdover\n-a eth0.holdover\n"), "first what was left"
    assert "--dns resolvconf: -a: took more than 10 s; it was ended" in client.errors
