"""`holdover audit`: options, exit status, what is printed and written; by recordings of the lab."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from holdover.reference.audit.course import INTERRUPTED
from holdover.reference.lab.record.record import pcap_head
from holdover.reference.wire.option_values import MessageType
from tests.reference.audit.inputs import captures
from tests.reference.audit.recordings.reading import Recording, unpack
from tests.reference.commands.running import PROGRAM, as_json, refused, run, started, told

SECONDS = 240


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Two hosts have an address, and the client is at fault."""
    return unpack("holdover-dhclient-frozen", tmp_path_factory.mktemp("frozen"))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A client that lets go in time."""
    return unpack("reference-frozen", tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A client that overstays, and nobody else."""
    return unpack("holdover-udhcpc", tmp_path_factory.mktemp("alone"))


# Verdicts ----------------------------------------------------------------------------------------


def test_somebody_is_at_fault(frozen: Recording) -> None:
    said = told(run("audit", frozen.frames), 1)
    assert said.startswith("violated: 1 finding about 1 address\n")
    assert "the client is at fault" in said


def test_nobody_is(good: Recording) -> None:
    said = told(run("audit", good.frames, "--host-log", good.link, "--complete"), 0)
    assert said.startswith("holds: ")


def test_it_cannot_be_told_what_a_missed_renewal_would_explain(alone: Recording) -> None:
    assert told(run("audit", alone.frames), 3).startswith("unknown: ")
    assert told(run("audit", alone.frames, "--complete"), 1).startswith("violated: ")


def test_a_hosts_log_alone_shows_no_lease(alone: Recording) -> None:
    assert told(run("audit", "--host-log", alone.link), 3).startswith("unknown: ")


def test_a_capture_without_a_frame_is_unknown(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(pcap_head())
    assert as_json(run("audit", empty, "--json"), 3)["verdict"] == "unknown"


def test_a_duty_that_is_broken_is_violated_where_no_address_is_at_stake(tmp_path: Path) -> None:
    """A DHCPRELEASE to everybody, which names no server."""
    path = tmp_path / "release.pcap"
    release = captures.dhcp(captures.request(MessageType.RELEASE, ciaddr=captures.ADDRESS))
    path.write_bytes(captures.pcap([(captures.START, release)]))
    said = told(run("audit", path), 1)
    assert said.startswith("violated: no finding about an address, but broken: R26, R29; ")
    assert as_json(run("audit", path, "--json"), 1)["findings"] == []


# What is printed ---------------------------------------------------------------------------------


def test_json(frozen: Recording) -> None:
    found = as_json(run("audit", frozen.frames, "--json"), 1)
    (finding,) = found["findings"]
    assert (finding["kind"], finding["address"]) == ("client_holdover", "10.77.0.50")
    assert finding["mac"] == frozen.record.hosts["a"].hex(":")
    assert finding["evidence"][0]["file"] == str(frozen.frames)
    assert [each["file"] for each in found["sources"]] == [str(frozen.frames)]


def test_sarif(frozen: Recording) -> None:
    found = json.loads(told(run("audit", frozen.frames, "--sarif"), 1))
    assert found["version"] == "2.1.0"
    assert [r["ruleId"] for r in found["runs"][0]["results"] if r["level"] == "error"] == ["R3"]


def test_of_one_rule_alone(frozen: Recording) -> None:
    assert told(run("audit", frozen.frames, "--rule", "r3"), 1).startswith("violated: 1 finding")
    found = as_json(run("audit", frozen.frames, "--rule", "R10,R12", "--json"), 0)
    assert (found["verdict"], found["findings"]) == ("holds", [])
    assert [name for name, rule in found["rules"].items() if rule] == ["R10", "R12"]


def test_a_profile_is_told_among_the_premises(frozen: Recording) -> None:
    found = as_json(run("audit", frozen.frames, "--profile", "dhclient", "--json"), 1)
    assert found["premises"]["profile"] == "dhclient"


# What is written ---------------------------------------------------------------------------------


def test_a_page(frozen: Recording, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = run("audit", frozen.frames, "--html", page)
    assert (result.exit_code, result.stderr) == (1, f"written: {page}\n")
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "the client is at fault" in text
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_an_annotated_capture(frozen: Recording, tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("needs the program tshark")
    packed, out = tmp_path / "frames.pcap.gz", tmp_path / "out.pcapng"
    packed.write_bytes(gzip.compress(frozen.frames.read_bytes()))
    assert run("audit", packed, "--annotate", out).exit_code == 1
    found = as_json(run("audit", packed, "--json"), 1)
    numbers = sorted({each["frame"] for each in found["findings"][0]["evidence"]})
    fields = ("-T", "fields", "-e", "frame.number", "-e", "frame.comment")
    shown = subprocess.run(
        ["tshark", "-r", out, "-Y", "frame.comment", *fields],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [line for line in shown.splitlines() if line[:1].isdigit()]
    assert [int(line.split("\t")[0]) for line in lines] == numbers
    assert "the client is at fault" in shown
    counted = subprocess.run(
        ["tshark", "-r", out, "-T", "fields", "-e", "frame.number"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(counted) == len(frozen.record.frames)


def test_what_is_there_stays_where_the_input_is_bad(tmp_path: Path) -> None:
    page, bad = tmp_path / "report.html", tmp_path / "bad.pcap"
    page.write_text("before")
    bad.write_bytes(b"no capture")
    assert "byte 0" in refused(run("audit", bad, "--html", page))
    assert page.read_text() == "before"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad.pcap", "report.html"]


# Bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give a capture"),
        (("--json", "--sarif", "F"), "--json and --sarif: choose one"),
        (("--metrics", ":9100", "F"), "--metrics is for --follow"),
        (("--follow", "eth0", "F"), "--follow watches an interface"),
        (("-", "-"), "standard input, which can be read once"),
        (("-", "--annotate", "x"), "--annotate copies captures"),
        (("--rule", "R99", "F"), "no rule 'R99'; nearest: R"),
        (("none.pcap",), "'none.pcap' does not exist"),
        (("--spool", "x", "F"), "--spool is for --workers"),
        (("-", "--workers", "2"), "'-' and --follow are one stream"),
        (("--cluster", "tcp://127.0.0.1:1", "F"), "takes --spool DIR"),
        (("--profile", "dhclien", "F"), "nearest: dhclient"),
        (("--drift-ppm", "-1", "F"), "--drift-ppm"),
        (("--html", "F", "F"), "it is read as well"),
        (("--html", "none/x", "F"), "--html none/x: No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_told(
    words: tuple[str, ...],
    said: str,
    frozen: Recording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(frozen.frames) if word == "F" else word for word in words]
    error = refused(run("audit", *given))
    assert error.startswith("error: ")
    assert said in error


def test_a_text_is_no_capture_and_a_capture_no_text(frozen: Recording) -> None:
    assert "--host-log" in refused(run("audit", frozen.link))
    assert str(frozen.frames) in refused(run("audit", "--leases", frozen.frames))


# Streams and signals -----------------------------------------------------------------------------


def test_standard_input(frozen: Recording) -> None:
    done = subprocess.run(
        [*PROGRAM, "audit", "-", "--json"],
        input=frozen.frames.read_bytes(),
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["kind"] == "client_holdover"


def test_ctrl_c_gives_the_report_so_far(frozen: Recording, tmp_path: Path) -> None:
    """Of a pipe that says nothing more; what would have come is a gap."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = frozen.frames.read_bytes()
    program = started("audit", str(pipe), "--json")
    with pipe.open("wb") as file:
        file.write(data)
        file.flush()
        # When the program waits for more, it has read all that is there.
        end = time.monotonic() + SECONDS
        while not waits(program.pid) and time.monotonic() < end:
            time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        out, errors = program.communicate(timeout=SECONDS)
    assert errors == ""
    found = json.loads(out)
    assert any("interrupted" in gap["why"] for gap in found["gaps"])
    assert program.returncode == {"violated": 1, "unknown": 3}[found["verdict"]]


def test_ctrl_c_gives_the_report_so_far_with_workers_too(frozen: Recording, tmp_path: Path) -> None:
    """The pipe was not read to its end, so that nothing of it is known."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    program = started("audit", str(pipe), "--workers", "2", "--spool", str(tmp_path), "--json")
    with pipe.open("wb") as file:
        file.write(frozen.frames.read_bytes())
        file.flush()
        end = time.monotonic() + SECONDS
        while not any(map(waits, children(program.pid))) and time.monotonic() < end:
            time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        out, errors = program.communicate(timeout=SECONDS)
    assert errors == ""
    found = json.loads(out)
    assert [gap["why"] for gap in found["gaps"]] == [INTERRUPTED]
    assert (found["verdict"], program.returncode) == ("unknown", 3)
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


def waits(process: int) -> bool:
    """Whether it has the test's pipe open, and sleeps in the read of one."""
    try:
        opened = [each.readlink().name for each in Path(f"/proc/{process}/fd").iterdir()]
        return "pipe" in Path(f"/proc/{process}/wchan").read_text() and "pipe" in opened
    except OSError:
        return False


def children(process: int) -> list[int]:
    """The processes that it has started."""
    return [
        int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def test_it_imports_no_solver_and_nothing_of_linux(frozen: Recording) -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\n"
        "from holdover.reference.cli import main\n"
        f"CliRunner().invoke(main, ['audit', {str(frozen.frames)!r}])\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    roots = {name.partition(".")[0] for name in done.stdout.split()}
    assert "click" in roots
    assert not roots & {"z3", "cvc5", "pyroute2", "networkx", "distributed"}
