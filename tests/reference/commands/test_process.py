"""Commands as processes: interruptions, pipes, terminals, full disks."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdover.model.errors import InputError
from holdover.reference.console.exit import UNREAD
from holdover.reference.console.output import write_file
from holdover.reference.lab.testbed.process import PATIENCE, eventually
from tests.reference.commands.running import PROGRAM, SMALL, program, started
from tests.slow import stretched


def members(group: int) -> dict[int, int]:
    """The processes of a group that are not done, and the clock ticks that each has computed."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[2]) == group and fields[0] != "Z":
            found[int(entry.parent.name)] = int(fields[11])
    return found


def all_ended(group: int, seconds: float) -> None:
    """No process of a group is left behind."""
    eventually(lambda: not members(group), seconds, "every process has ended")


def busy(group: int, processes: int) -> bool:
    """Whether so many processes of a group have computed for some time."""
    used = members(group).values()
    return len(used) >= processes and sum(used) > 40 * processes + 40


@contextmanager
def computing(*args: str, processes: int) -> Iterator[subprocess.Popen[str]]:
    """A command in the midst of its work; nothing of it is left afterwards."""
    process = started(*args)
    try:
        end = time.monotonic() + PATIENCE
        while not busy(process.pid, processes):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.1)  # each look reads of all processes of the machine
        yield process
    finally:
        if members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("command", ["client", "server"])
def test_what_runs_on_a_device_imports_no_solver(command: str) -> None:
    code = f"""
import sys, holdover.reference.commands.{command}, holdover.reference.linux.{command}
print(*sorted({{'z3', 'networkx', 'numpy', 'rich', 'dask'}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


LONG = ("explore", "rfc2131", "--hosts", "3", "--addresses", "3", "--no-symmetry")


def test_no_thread_is_older_than_the_watch_for_interruptions() -> None:
    """It would get the signal that all others block."""
    code = "import os, holdover.reference.cli; print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize(
    ("args", "processes", "number"),
    [
        (("verify",), 3, signal.SIGINT),
        (("matrix",), 3, signal.SIGINT),
        (("verify", "rfc2131", "wfwg311-fixed", "udhcpc", "--solver", "both"), 1, signal.SIGINT),
        (("verify", "reference", "--anew"), 3, signal.SIGINT),
        (LONG, 1, signal.SIGINT),
        (("verify",), 3, signal.SIGTERM),
    ],
    ids=["claims", "matrix", "proofs", "code", "search", "terminated"],
)
def test_interruption_ends_everything_at_once(
    args: tuple[str, ...], processes: int, number: signal.Signals
) -> None:
    slow = stretched()
    with computing(*args, processes=processes) as process:
        start = time.monotonic()
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        took, slow = time.monotonic() - start, max(slow, stretched())
        assert took < 2 * slow
        assert (process.returncode, out, err) == (128 + number, "", "interrupted\n")
        all_ended(process.pid, 2 * slow)


FORKING = """
import multiprocessing, os, signal
from holdover.reference import signals

signals.watch()
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), {number}) or signal.pause())
multiprocessing.get_context("fork").Process(target=signal.pause).start()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_being_forked_ends_too(number: int) -> None:
    """Nobody knows yet that it is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", FORKING.format(number=int(number))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, err = process.communicate(timeout=PATIENCE)  # both ends of its pipes are closed
        assert "Traceback" not in err
        all_ended(process.pid, PATIENCE)  # which a process does before it has ended
    finally:
        if members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_interruption_ends_graphviz_too(tmp_path: Path) -> None:
    slow = tmp_path / "dot"
    slow.write_text('#!/bin/sh\ntouch "$0.started"\nexec sleep 60\n')
    slow.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    process = started(*SMALL, "--graph", str(tmp_path / "g.svg"), PATH=path)
    end = time.monotonic() + PATIENCE
    while not (tmp_path / "dot.started").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err.strip()) == (130, "interrupted")
    all_ended(process.pid, PATIENCE)
    assert not (tmp_path / "g.svg").exists()


@pytest.mark.parametrize(
    "args", [("profiles",), ("profiles", "--json"), ("profiles", "udhcpc"), ("verify", "--help")]
)
def test_closed_pipe_is_quiet_and_no_verdict(args: tuple[str, ...]) -> None:
    process = started(*args)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (UNREAD, "")


@pytest.mark.parametrize("args", [("profiles",), ("profiles", "--json")])
def test_full_disk_is_told(args: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")


def test_of_a_file_that_could_not_be_written_whole_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = tmp_path / "page.html", Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write(self, data[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"--html: .*page\.html: No space left on device"):
        write_file("html", path, "whole")
    assert not path.exists()


def test_terminal_that_knows_ascii_only_gets_question_marks() -> None:
    done = program("explain", "wfwg311", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, "")
    assert "? bind a1" in done.stdout


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    path = tmp_path / "markup.toml"
    path.write_text('name = "[/x]"\n')
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*PROGRAM, "verify", str(path), "--assume", "rfc2131"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        check=False,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0
    assert done.stdout.startswith("[/x]: holds")
    assert "[/x]: proving" in shown
    assert "Traceback" not in shown


def test_program_in_a_pipe_shows_no_progress() -> None:
    done = program("verify", "wfwg311")
    assert (done.returncode, done.stderr) == (1, "")
    assert "\x1b" not in done.stdout
    assert program("verify", "wfwg311", FORCE_COLOR="1").stderr == ""
