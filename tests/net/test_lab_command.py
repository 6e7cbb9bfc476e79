"""`holdover lab` as a user runs it; as root, but for what is refused before anything is played.

All runs are played at once; a test looks at one of them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from holdover.reference.commands.lab import USUAL, cells
from holdover.reference.console.exit import EXIT
from holdover.reference.core.instants import SECOND
from holdover.reference.lab.record import record
from holdover.reference.lab.record.measure import Measurement, measure
from holdover.reference.lab.testbed import sandbox
from holdover.reference.lab.testbed.client_program import ClientProgram
from holdover.reference.lab.testbed.clients import CLIENTS
from holdover.reference.lab.testbed.netns import COMMANDS
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from holdover.reference.lab.testbed.scene import LEASED
from holdover.reference.lab.testbed.servers import ServerProgram
from holdover.reference.linux.kernel.clock import now
from holdover.reference.wire.arp import Arp, ArpOperation
from holdover.reference.wire.frames import decode_frame
from tests.net.conftest import machine
from tests.reference.commands.running import as_json, refused, told
from tests.reference.commands.running import run as run_here
from tests.schemas import checked_text
from tests.slow import stretched

LOOKS = 10
"""Seconds in which a busy machine surely sees that the watch is over."""

PLAYS = 6
"""Processes of a run that plays: two of itself, the recorder, the server, the client and theirs."""

REFUSES = "sh -c 'echo unknown option -Q for {iface} >&2; exit 64'"
"""A client that ends at once, and says why."""

ENDS = "sh -c 'echo goes into the background; exit 0 # {iface}'"
"""One that ends at once as if all were well."""

HOOKED = "udhcpc -f -i {iface} -s {hook:/etc/udhcpc/default.script}"
"""A command line with a hook of the lab's, which runs the usual one."""

RUNS = {
    "ours": (
        "run",
        "--client",
        "reference",
        "--server",
        "holdover",
        "--fault",
        "frozen",
        "--fault",
        "NAK",
        "--lease",
        "10",
    ),
    "late": (
        "run",
        "--client",
        "pyroute2",
        "--server",
        "holdover",
        "--fault",
        "frozen",
        "--repeat",
        "2",
        "--watch",
        "3",
    ),
    "template": (
        "run",
        "--client",
        "{python} -m pyroute2.dhcp.cli {iface}",
        "--server",
        "holdover",
        "--fault",
        "hook",
    ),
    "absent": (
        "run",
        "--client",
        "nosuch-client {iface}",
        "--server",
        "holdover",
        "--fault",
        "frozen",
    ),
    "refuses": ("run", "--client", REFUSES, "--server", "holdover", "--fault", "frozen"),
    "ends": ("run", "--client", ENDS, "--server", "holdover", "--fault", "frozen"),
    "hooked": (
        *("run", "--client", HOOKED, "--server", "holdover", "--fault", "hook"),
        *("--lease", "30", "--watch", "10"),
    ),
    "former": ("run", "--client", "NetworkManager", "--server", "holdover", "--fault", "nosuch"),
    "unlearned": ("learn", "--client", REFUSES),
    "collides": ("replay", "wfwg311", "--beside", "wfwg311-fixed", "--json"),
    "corrected": ("replay", "wfwg311-fixed", "--json"),
    "rootless": (
        "run",
        "--client",
        "reference",
        "--server",
        "holdover",
        "--fault",
        "frozen",
        "--lease",
        "10",
    ),
    "learns": ("learn", "--client", "reference"),
}


NOT_ROOT = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""What starts a program as a user without any right, who owns our files."""


@dataclass
class Ran:
    """What a run has said, and where it has written."""

    status: int
    said: str
    errors: str
    out: Path


def command(*words: object) -> list[str]:
    return [sys.executable, "-c", COMMANDS, "lab", *map(str, words)]


def started(*words: object, under: Sequence[str] = (), **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*under, *command(*words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    )


UNKNOWN = ("template", "absent", "refuses", "ends", "unlearned")
"""Of whom nothing can be known."""

TIMES = 3
"""How often others are run of whom nothing was known on a busy machine: unknown is no pass."""


def ran(place: Path, name: str) -> Ran:
    under = NOT_ROOT if name == "rootless" else ()
    for number in range(TIMES):
        out = place / f"{name}-{number}"
        page = ("--html", page_of(out)) if name == "collides" else ()
        process = started(*RUNS[name], "--out", out, *page, under=under)
        said, errors = process.communicate(timeout=2 * PATIENCE)
        if process.returncode != EXIT["unknown"] or name in UNKNOWN:
            break
    return Ran(process.returncode, said, errors, out)


def page_of(out: Path) -> Path:
    """Where a replay writes its page."""
    return out.with_suffix(".html")


def interrupted(number: int, place: Path) -> tuple[int, str, list[Path]]:
    """A run that is sent a signal when it plays: its status, its words, and what it leaves.

    `place` is its place for temporary files.
    """
    words = ("--client", "reference", "--server", "holdover", "--fault", "frozen", "--lease", "120")
    with started("run", *words, TMPDIR=str(place)) as process:
        try:
            eventually(lambda: len(descendants(process.pid)) > PLAYS, PATIENCE, "it plays")
            assert len(list(place.iterdir())) == 1
            processes = descendants(process.pid)
            sent = now()
            process.send_signal(number)
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    eventually(lambda: not any(map(alive, processes)), PATIENCE, "programs of the lab have ended")
    most = sandbox.PATIENCE * stretched() * SECOND
    assert now() - sent < most, "not when it was told to"
    return process.returncode, errors, list(place.iterdir())


def descendants(process: int) -> list[int]:
    try:  # a thread has its own
        texts = [each.read_text() for each in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        return []
    found = [int(each) for text in texts for each in text.split()]
    return found + [each for child in found for each in descendants(child)]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def runs(
    privileged: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Ran]]]:
    place, before = tmp_path_factory.mktemp("lab"), machine()
    with ThreadPoolExecutor(len(RUNS)) as pool:
        yield {name: pool.submit(ran, place, name) for name in RUNS}
    assert machine() == before, "the lab has changed the machine itself"


@pytest.fixture
def played(runs: dict[str, Future[Ran]], request: pytest.FixtureRequest) -> Ran:
    return runs[request.param].result(TIMES * PATIENCE)


def run(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("played", names, indirect=True)


# What it says ------------------------------------------------------------------------------------


@run("ours")
def test_the_reference_client_holds(played: Ran) -> None:
    assert played.status == 0, played
    assert "reference: holds" in played.said
    data = checked_text((played.out / "lab.json").read_text())
    assert data["outcome"] == "holds"
    assert [(each["fault"], each["outcome"]) for each in data["cells"]] == [
        ("frozen", "holds"),
        ("NAK", "holds"),
    ]
    for each in data["cells"]:  # while others hold the networking lock, the kernel may be later
        assert each["holdover"] <= 0
        assert each["predicted"] <= each["kept"]
    assert {"date", "system", "versions", "command"} <= data["conditions"].keys()


@run("rootless")
def test_a_user_who_is_not_root_may_run_it(played: Ran) -> None:
    assert played.status == 0, played
    assert "reference: holds" in played.said


@run("late")
def test_a_late_client_is_violated_and_each_repeat_is_told(played: Ran) -> None:
    assert played.status == 1, played
    assert "pyroute2: violated" in played.said
    assert "forever" in played.said
    (suite,) = ElementTree.parse(played.out / "lab.xml").iter("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "2", "0")
    failures = [failure.get("type") for failure in suite.iter("failure")]
    assert failures == ["late", "late"]
    for case in suite.iter("testcase"):
        assert float(case.get("time", "")) > 3
        said = case.findtext("system-out") or ""
        assert "--- client.log" in said
        assert "--- server.log" in said
    assert (played.out / "lab.tap").read_text().count("not ok") == 2
    assert played.said.count("late: for ever") >= 1, "told without colour"
    cells = checked_text((played.out / "lab.json").read_text())["cells"]
    assert [each["repeat"] for each in cells] == [1, 2]
    assert all(each["holdover"] == "unbounded" for each in cells)
    assert all(3 <= each["at_least"] < 3 + LOOKS for each in cells), "watched for as long as asked"


@run("late")
def test_the_records_are_kept_and_say_the_same(played: Ran) -> None:
    cells = checked_text((played.out / "lab.json").read_text())["cells"]
    places = sorted((played.out / "records").iterdir())
    assert len(places) == len(cells)
    for place, each in zip(places, cells, strict=True):
        seen = measure(record.read(place), "a")
        assert isinstance(seen, Measurement)
        assert seen.at_least == each["at_least"]


@run("late")
def test_the_page_is_one_file_with_a_picture_of_each_cell(played: Ran) -> None:
    page = (played.out / "lab.html").read_text()
    assert page.count("<svg") >= 2
    assert "pyroute2&#x27;s DHCP client" in page or "pyroute2's DHCP client" in page


@run("template")
def test_a_fault_that_a_client_cannot_have_is_unknown(played: Ran) -> None:
    assert played.status == 3, played
    assert "has no hook that could block" in played.said


@run("absent")
def test_a_client_that_is_not_here_is_unknown_and_named(played: Ran) -> None:
    assert played.status == 3, played
    assert "unknown: nosuch-client {iface}, holdover, frozen, run 1: missing: nosuch-client" in (
        played.said
    )


@run("refuses", "unlearned")
def test_a_client_that_ends_with_an_error_is_told_with_its_words(played: Ran) -> None:
    """And nobody waits for its address, which would take `scene.START` seconds."""
    assert played.status == 3, played
    assert (
        "the client has ended without an address; its exit status is 64; it sent 0 DHCPDISCOVER "
        "and DHCPREQUEST; its last words: unknown option -Q for eth0"
    ) in played.said + played.errors
    assert "not within" not in played.said + played.errors


@run("refuses")
def test_what_it_has_said_is_kept_with_its_record(played: Ran) -> None:
    (place,) = (played.out / "records").iterdir()
    said = (place / "client.log").read_text()
    assert "err unknown option -Q for eth0" in said
    assert said.endswith("exit status 64\n")


@run("ends")
def test_a_client_that_ends_well_without_an_address_is_told_at_once(played: Ran) -> None:
    assert played.status == 3, played
    assert (
        "the client has ended without an address; one that goes into the background has to be "
        "told not to; its exit status is 0; it sent 0 DHCPDISCOVER and DHCPREQUEST; its last "
        "words: goes into the background"
    ) in played.said


@run("hooked")
def test_a_command_line_may_have_a_hook_that_blocks(played: Ran) -> None:
    """The client waits for it, and so is late by a minute: longer than the watch."""
    if CLIENTS["udhcpc"].missing():
        pytest.skip("not here: udhcpc")
    assert played.status == 1, played
    (cell,) = checked_text((played.out / "lab.json").read_text())["cells"]
    assert cell["holdover"] > 50
    assert cell["severity"] == "one lease or more"


@run("former")
def test_a_former_name_is_accepted_with_a_hint(played: Ran) -> None:
    assert played.status == 2, played
    assert "NetworkManager: it is called networkmanager now" in played.errors


@run("late")
def test_a_capture_has_the_date_at_which_it_was_made(played: Ran) -> None:
    """Other programs read it; the record itself counts in CLOCK_BOOTTIME."""
    for place in (played.out / "records").iterdir():
        data = (place / record.FRAMES).read_bytes()
        seconds, *_ = record.CAPTURED.unpack_from(data, record.PCAP.size)
        assert abs(seconds - time.time()) < 3600
        assert abs(record.read(place).frames[0].at - now()) < 3600 * SECOND


# Collisions and profiles -------------------------------------------------------------------------


@run("collides")
def test_the_collision_ends_with_two_hosts_that_answer_and_a_pcap_that_shows_it(
    played: Ran,
) -> None:
    assert played.status == 1, played
    found = checked_text(played.said)
    assert (found["outcome"], found["as_predicted"]) == ("violated", True)
    assert len(set(found["answered"])) == 2
    assert answering(played.out) == {bytes.fromhex(e.replace(":", "")) for e in found["answered"]}


@run("collides")
def test_the_fix_beside_it_is_played_too_and_both_are_on_one_page(played: Ran) -> None:
    (beside,) = checked_text(played.said)["beside"]
    assert (beside["profile"], beside["outcome"]) == ("wfwg311-fixed", "holds")
    assert beside["as_predicted"] is True
    assert len(answering(played.out / "beside")) == 1
    page = page_of(played.out).read_text("utf-8")
    parts = page.split('<section class="recorded"')[1:]
    recorded = [part.partition("</section>")[0] for part in parts]
    assert ["two hosts have" in each for each in recorded] == [True, False]
    assert all('class="held"' in each and 'class="rival' in each for each in recorded)


@run("corrected")
def test_the_corrected_client_leaves_one_that_answers(played: Ran) -> None:
    assert played.status == 0, played
    found = checked_text(played.said)
    assert (found["outcome"], found["as_predicted"]) == ("holds", True)
    assert len(found["answered"]) == 1


def answering(place: Path) -> set[bytes]:
    """Who says by ARP in the last second of a record that it has the address."""
    frames = record.read(place).frames
    late = [f.data for f in frames if f.at > frames[-1].at - SECOND]
    arps = [content for data in late if isinstance(content := decode_frame(data).content, Arp)]
    return {
        arp.sender_hardware
        for arp in arps
        if arp.operation is ArpOperation.REPLY and arp.sender == LEASED
    }


@run("learns")
def test_the_profile_of_the_reference_client_is_measured_and_proved(played: Ran) -> None:
    assert played.status == 0, played
    assert ' = "measured: ' in played.out.read_text()
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, "verify", played.out, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done


# What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--client", "udhcp"), "no client 'udhcp'; "),
        (("--client", "udhcpc {nowhere} {iface}"), "no {nowhere}; there are {iface}, {place}"),
        (("--server", "keya"), "no server 'keya'; "),
        (("--fault", "frosen"), "no fault 'frosen'; "),
        (("--lease", "0"), "0 is not in the range"),
    ],
)
def test_bad_input_is_named_before_anything_is_played(words: tuple[str, ...], reason: str) -> None:
    assert reason in refused(run_here("lab", "run", *words))


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--client", "reference", "--out", "/proc/nowhere"),
        ("learn", "--client", "reference", "--out", "/nowhere/my.toml"),
        ("replay", "wfwg311", "--out", "/proc/nowhere"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_before_anything_is_played(
    privileged: None, words: tuple[str, ...]
) -> None:
    done = subprocess.run(
        command(*words), capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 2
    assert f"error: --out {words[-1]}: " in done.stderr


def test_options_in_front_of_a_command_are_not_lost() -> None:
    said = refused(run_here("lab", "--lease", "10", "list"))
    assert "--lease has no meaning in front of list" in said


def test_files_of_others_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    said = refused(run_here("lab", "run", "--out", tmp_path))
    assert "it has other files; name another directory" in said
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


UNUSUAL = {"pyroute2", "iwd", "dhcpcanon", "networkmanager-dhclient", "networkmanager-dhcpcd"}


def test_list_tells_what_is_here_and_how_to_get_the_rest() -> None:
    done = subprocess.run(
        command("list", "--versions", "--json"), capture_output=True, text=True, check=True
    )
    found = checked_text(done.stdout)
    assert len(found["clients"]) >= 12
    assert {each["name"] for each in found["servers"]} == {
        "holdover",
        "kea",
        "isc",
        "dnsmasq",
        "udhcpd",
    }
    assert len(found["faults"]) >= 14
    for each in found["clients"] + found["servers"]:
        assert bool(each["version"]) == (each["missing"] is None), each
        assert each["package"] or each["missing"] is None
        assert each.get("usual", True) == (each["name"] not in UNUSUAL)
    assert "systemd-networkd with KeepConfiguration=dhcp" in told(run_here("lab", "list"), 0)
    quickly = as_json(run_here("lab", "list", "--json"), 0)
    for kind in ("clients", "servers"):
        assert quickly[kind] == [{**each, "version": None} for each in found[kind]]


def test_with_nothing_but_the_project_the_reference_client_meets_our_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for kind in (ClientProgram, ServerProgram):
        monkeypatch.setattr(kind, "missing", lambda self: ", ".join(self.needs) or None)
    played = cells((), (), (), None, 1, 15)
    assert {(each.client.name, each.server.name) for each in played} == {("reference", "holdover")}
    assert {each.fault.name for each in played} == set(USUAL)
    (chosen,) = {each.client.name for each in cells((CLIENTS["pyroute2"],), (), (), None, 1, 15)}
    assert chosen == "pyroute2"


# The end -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(
    privileged: None, number: signal.Signals, tmp_path: Path
) -> None:
    before = machine()
    status, errors, left = interrupted(number, tmp_path)
    assert (status, errors.split(), left) == (130, ["interrupted"], [])
    assert machine() == before


def test_killed_it_leaves_an_empty_directory_which_the_next_run_clears(
    privileged: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = machine()
    status, _, left = interrupted(signal.SIGKILL, tmp_path)
    assert status == -signal.SIGKILL
    assert machine() == before
    (place,) = left
    assert not list(place.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sandbox.clear()
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_cleared_before_it_is_in_use_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two that begin at the same time: one makes a directory, and the other clears it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make, made = tempfile.mkdtemp, list[str]()

    def make_and_clear(**more: str) -> str:
        made.append(make(**more))
        if len(made) == 1:
            sandbox.clear()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_clear)
    with sandbox.make_place() as place:
        assert Path(place).is_dir()
    assert len(made) == 2


def test_a_directory_in_use_is_not_cleared() -> None:
    with sandbox.make_place() as place:
        sandbox.clear()
        assert Path(place).is_dir()
    assert not Path(place).exists()
