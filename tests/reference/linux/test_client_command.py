"""The commands as a system runs them: read by nobody, and as the units in systemd/ have it."""

import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdover.reference.cli
from holdover.model.errors import InputError
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.testbed.netns import COMMANDS
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.linux import units
from holdover.reference.linux.hooks.line_writer import WAITING, LineWriter
from tests.checkout import ROOT
from tests.net.scenes import needs, scene
from tests.net.stage import LEASED, Stage

LEASE = 10
UNITS = ROOT / "reference/systemd"
CLIENT, SERVER = UNITS / "holdover-client@.service", UNITS / "holdover-server.service"
NOBODY = 65534


# Lines -------------------------------------------------------------------------------------------


class Pipe:
    """A pipe that is full before anything else is written to it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.open = {self.reader, self.writer}
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        self.filled = os.write(self.writer, b"." * 4095 + b"\n")
        self.lines = LineWriter(self.writer, "{} lost".format)

    def close(self, *files: int) -> None:
        for file in files:
            os.close(file)
            self.open.remove(file)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    try:
        yield made
    finally:  # a thread that still writes would write to the next file of this number
        made.close(*made.open - {made.writer})
        made.lines.close()
        ended(made.lines)
        made.close(*made.open)


def ended(lines: LineWriter) -> None:
    """Its thread, which a write without a reader does not keep."""
    thread = lines._thread
    eventually(lambda: thread is None or not thread.is_alive(), PATIENCE, "it has ended")


def stuck(lines: LineWriter) -> None:
    """The thread has a line, and cannot write it."""
    eventually(lambda: lines._busy and not lines._waiting, PATIENCE, "it writes")


def test_nobody_waits_for_a_reader_who_does_not_read(pipe: Pipe) -> None:
    left = list[str]()

    def put() -> None:
        for number in range(20 * WAITING):
            pipe.lines.put(f"{number}" * 50)
        left.extend(pipe.lines.close())

    putting = threading.Thread(target=put, daemon=True)
    putting.start()
    putting.join(PATIENCE)
    assert not putting.is_alive()
    assert 0 < len(left) <= WAITING


def test_who_reads_again_is_told_how_many_are_missing_and_where(pipe: Pipe) -> None:
    pipe.lines.put("0")
    stuck(pipe.lines)
    for number in range(1, WAITING + 11):
        pipe.lines.put(str(number))
    text = b""

    def read() -> None:
        nonlocal text
        while said := os.read(pipe.reader, 1 << 20):
            text += said

    reader = threading.Thread(target=read)
    reader.start()
    assert pipe.lines.close(PATIENCE) == []
    pipe.close(pipe.writer)
    reader.join(PATIENCE)
    _, *said = text[pipe.filled - 1 :].decode().splitlines()
    assert said == ["0", "10 lost", *map(str, range(11, WAITING + 11))]


def test_a_reader_who_is_gone_ends_nothing(pipe: Pipe) -> None:
    pipe.close(pipe.reader)
    for line in "abc":
        pipe.lines.put(line)
    assert pipe.lines.close(PATIENCE) == []
    assert pipe.lines._missing == 3


# Scenes ------------------------------------------------------------------------------------------


@scene
def test_renewal_and_release_go_on_where_nobody_reads(stage: Stage) -> None:
    """All that a client says goes to a pipe that is full."""
    server, watch = stage.server(lease=LEASE), stage.cli.watch()
    fifo = stage.place / "fifo"
    os.mkfifo(fifo)
    pipe = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    filled = os.write(pipe, b"." * 4096)
    under = ("sh", "-c", f'exec "$@" >{fifo} 2>&1', "sh")
    client = stage.client("--no-probe", "--journal", stage.journal, under=under)
    server.says("DHCPACK", PATIENCE, times=4)
    server.signal(signal.SIGKILL)
    deleted, _ = watch.says("Deleted", PATIENCE)
    acks = [ack["at"] + ack["lease"] * SECOND for ack in server.events("DHCPACK")]
    assert deleted <= acks[-1]
    eventually(lambda: "LAPSED" in stage.journal.read_text(), PATIENCE, "it goes on")
    client.signal(signal.SIGTERM)
    assert client.ended() == 0, "and it ends"
    text = os.read(pipe, 1 << 20)
    os.close(pipe)
    assert text[filled:] == b"", "the pipe had room for nothing"


def unit(path: Path) -> dict[str, str]:
    """The settings of a unit; of several of a kind the last."""
    return dict(re.findall(r"^(\w+)=(.*)$", path.read_text(), re.MULTILINE))


def powers(path: Path) -> tuple[str, ...]:
    """A program that has the capabilities of the unit, and is nobody's."""
    said = unit(path)
    sets = [
        ",".join(["-all", *(f"+{name.lower().removeprefix('cap_')}" for name in names.split())])
        for names in (said["AmbientCapabilities"], said["CapabilityBoundingSet"])
    ]
    return (
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "--no-new-privs",
        f"--inh-caps={sets[0]}",
        f"--ambient-caps={sets[0]}",
        f"--bounding-set={sets[1]}",
    )


def readable() -> str:
    """A shell's: what nobody may not pass on the way to this Python, is seen with other modes."""
    files = [Path(sys.executable), Path(sys.executable).resolve(), Path(os.__file__)]
    files.append(Path(holdover.reference.cli.__file__).resolve())
    closed = {place for file in files for place in file.parents if not place.stat().st_mode & 0o001}
    return "".join(
        f'mkdir -p "$1/open{place}/upper" "$1/open{place}/work";'
        f'mount -t overlay -o "lowerdir={place},upperdir=$1/open{place}/upper,'
        f'workdir=$1/open{place}/work" overlay {place}; chmod a+x {place};'
        for place in sorted(closed)
    )


@scene
def test_the_units_capabilities_are_enough_for_a_user_who_owns_nothing(stage: Stage) -> None:
    """Client and server as the units start them: a lease, renewed, and the end."""
    needs("setpriv")
    prepared = f"install -d -o {NOBODY} -m 700 /run/state; cd /; umask 077; {readable()}"
    ours = (sys.executable, "-u", "-c", COMMANDS)
    server = stage.srv.apart(
        *powers(SERVER),
        *ours,
        "server",
        "eth0",
        "--pool",
        str(LEASED),
        "--lease",
        str(LEASE),
        "--leases",
        "/run/state/leases",
        "--no-probe",
        "--json",
        setup=prepared,
    )
    server.says("started", PATIENCE)
    client = stage.cli.apart(
        *powers(CLIENT),
        *ours,
        "client",
        "eth0",
        "--state-dir",
        "/run/state",
        "--no-probe",
        "--json",
        setup=prepared,
    )
    client.says("EXTENDED", PATIENCE)
    assert [address.ip for address in stage.cli.addresses()] == [LEASED]
    for process in (server, client):
        inner = process.tree()[-1]
        status = Path(f"/proc/{inner}/status").read_text()
        said = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert set(said["Uid"].split()) == {str(NOBODY)}
        assert int(said["CapPrm"], 16) == 1 << 12 | 1 << 13, "the third is dropped"
    os.kill(client.tree()[-1], signal.SIGTERM)
    assert client.ended() == 0
    assert stage.cli.addresses() == {}
    assert client.errors + server.errors == []


# Units -------------------------------------------------------------------------------------------


@pytest.fixture
def called(tmp_path: Path) -> Path:
    """The command, by a link as pipx makes one."""
    program = Path(sysconfig.get_path("scripts"), "holdover")
    if not program.exists():
        pytest.skip("needs holdover as a command: pip install")
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin" / "holdover"
    link.symlink_to(program)
    return link


def printed(called: Path, name: str) -> str:
    done = subprocess.run(
        [called, name, "--print-unit"], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    return done.stdout


@pytest.mark.parametrize(
    ("name", "path"), [("client", CLIENT), ("server", SERVER)], ids=["client", "server"]
)
def test_systemd_has_nothing_to_say_of_a_unit(
    called: Path, name: str, path: Path, tmp_path: Path
) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs the program systemd-analyze")
    copy = tmp_path / path.name
    copy.write_text(printed(called, name))
    assert unit(copy)["ExecStart"].split()[0] == str(called)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    said = [line for line in done.stderr.splitlines() if str(copy) in line or path.name in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("opt/holdover/bin/holdover", "DynamicUser=yes"),
        ("home/tenant/.local/bin/holdover", "ProtectHome=read-only"),
        ("tmp/holdover/bin/holdover", "PrivateTmp=no"),
    ],
)
def test_a_unit_hides_nothing_that_its_program_needs(
    monkeypatch: pytest.MonkeyPatch, place: str, line: str
) -> None:
    """As if installed there, for everybody."""
    monkeypatch.setattr(units, "only", lambda files: None)
    monkeypatch.setattr(units, "HOMES", ("/home",))
    monkeypatch.setattr(units, "TEMPORARY", ("/tmp/holdover",))
    text = units.unit(CLIENT.name, Path("/", place))
    assert line in text.splitlines()
    assert f"ExecStart=/{place} client" in text
    others = {"ProtectHome=read-only", "PrivateTmp=no"} - {line}
    assert not others & set(text.splitlines())


def test_a_unit_runs_as_who_alone_can_enter_where_it_is_installed(tmp_path: Path) -> None:
    program = tmp_path / "shut" / "holdover"
    program.parent.mkdir(mode=0o700)
    program.touch()
    assert units.only([program]) == pwd.getpwuid(os.geteuid()).pw_name
    assert units.only([Path("/usr/bin/env")]) is None


def test_a_path_that_systemd_reads_as_something_else_is_refused() -> None:
    with pytest.raises(InputError, match="plainer name"):
        units.unit(CLIENT.name, Path("/opt/100%/holdover"))


def test_a_supervisor_begins_again_whatever_the_end() -> None:
    """A lease file that is refused stays where it is, and is refused again (test_server.py)."""
    for path in (CLIENT, SERVER):
        assert unit(path)["Restart"] == "on-failure"
        assert "RestartPreventExitStatus" not in unit(path)
