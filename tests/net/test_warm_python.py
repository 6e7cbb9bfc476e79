"""A program that was forked is what a Python that was started would be."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdover.reference.lab.testbed.netns import COMMANDS, Host, Links
from holdover.reference.lab.testbed.process import PATIENCE, Process, UnheardError, eventually
from holdover.reference.lab.warm.warm_python import PROGRAMS, UNTOLD, Forked, WarmPython

TELLS = """
# LINES, COLUMNS: readline tells them to the C library and not to Python.
import json, os, signal, socket, sys, threading
print(json.dumps({
    "event": "told",
    "argv": sys.argv,
    "links": sorted(name for _, name in socket.if_nameindex()),
    "ipv6": os.path.exists("/proc/net/if_inet6") and open("/proc/net/if_inet6").read(),
    "cwd": os.getcwd(),
    "environment": {k: v for k, v in os.environ.items() if k not in ("LINES", "COLUMNS")},
    "files": sorted(n for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")),
    "input": sys.stdin.read(),
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "threads": threading.active_count(),
    "name": __name__,
}))
"""


@pytest.fixture(scope="module")
def forks() -> None:
    """Of no Python: here our programs are started, for what is forked to be compared with."""


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmPython]:
    with WarmPython() as there:
        yield there


@pytest.fixture(scope="module")
def host(links: Links) -> Host:
    return links(a="10.77.0.9/24")["a"]


def forked(warm: WarmPython, host: Host, text: str, *words: str) -> Process:
    return Process(warm.start(host.space, (sys.executable, "-u", "-c", text, *words)))


def told(process: Process) -> dict[str, Any]:
    process.says('"told"', PATIENCE)
    assert process.ended() == 0
    (line,) = process.events("told")
    return line


def test_a_forked_program_finds_what_a_started_one_finds(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOLDOVER_BEFORE", "gone since")
    with WarmPython() as warm:
        monkeypatch.delenv("HOLDOVER_BEFORE")
        monkeypatch.setenv("HOLDOVER_SINCE", "of this test")
        monkeypatch.chdir(tmp_path)
        seen = told(forked(warm, host, TELLS, "a", "b"))
    assert seen == told(host.start(sys.executable, "-u", "-c", TELLS, "a", "b"))
    assert (seen["links"], not seen["ipv6"]) == (["eth0", "lo"], True)
    assert (seen["argv"], seen["cwd"]) == (["-c", "a", "b"], str(tmp_path))
    assert seen["environment"]["HOLDOVER_SINCE"] == "of this test"


@pytest.mark.parametrize(
    ("text", "status", "error"),
    [
        ("print('well')", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('no such thing')", 1, "no such thing"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("import os; os._exit(7)", 7, ""),
    ],
)
def test_its_status_and_its_words_are_those_of_a_program(
    warm: WarmPython, host: Host, text: str, status: int, error: str
) -> None:
    process = forked(warm, host, text)
    assert process.ended() == status
    assert "".join(process.errors[-1:]) == error
    assert host.start(sys.executable, "-u", "-c", text).ended() == status


def test_its_words_are_heard_while_it_runs_and_it_ends_with_what_it_has_started(
    warm: WarmPython, host: Host
) -> None:
    text = "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\nprint('there')\n"
    process = forked(warm, host, f"{text}time.sleep(600)")
    process.says("there", PATIENCE)
    assert process.running.poll() is None
    both = process.tree()
    assert len(both) == 2
    process.end()
    assert process.running.poll() == -signal.SIGKILL
    eventually(lambda: not any(Path(f"/proc/{p}/exe").exists() for p in both), PATIENCE, "gone")


def test_each_thread_that_asks_is_told_the_same_status(
    warm: WarmPython, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = Forked._is_told

    def asks_slowly(each: Forked) -> bool:
        is_told = asks(each)
        time.sleep(0.05 if is_told else 0)  # so that others ask meanwhile
        return is_told

    monkeypatch.setattr(Forked, "_is_told", asks_slowly)
    process, found = forked(warm, host, "import time; time.sleep(0.3); raise SystemExit(5)"), []
    asking = [
        threading.Thread(target=lambda: found.append(process.running.wait(PATIENCE)))
        for _ in range(8)
    ]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert found == [5] * 8


def test_our_own_programs_are_forked_on_the_hosts_of_such_links(
    privileged: None, tmp_path: Path
) -> None:
    with WarmPython() as warm:
        links = Links(tmp_path, warm)
        try:
            hosts = links(srv="10.77.0.1/24", a=None)
            stranger = hosts["srv"].start(
                *(sys.executable, "-m", f"{PROGRAMS}testbed.stranger", "10.77.0.50", "10.77.0.1")
            )
            stranger.says("ready", PATIENCE)
            status = Path(f"/proc/{stranger.running.pid}/status").read_text()
            parent = int(status.partition("PPid:")[2].split()[0])
            words = Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")
            assert b"holdover.reference.lab.warm.forking" in words
            hosts["srv"].under = ("env",)
            slow = hosts["srv"].start(sys.executable, "-u", "-c", "print('started')")
            slow.says("started", PATIENCE)
            assert slow.running.pid not in warm_children(parent)
        finally:
            links.close()
    assert stranger.running.poll() == -signal.SIGKILL


def test_it_has_imported_what_else_is_named(privileged: None, host: Host) -> None:
    name = "holdover.reference.commands.explain"
    for more, there in (((name,), "True"), ((), "False")):
        with WarmPython(more) as warm:
            said = forked(warm, host, f"import sys; print({name!r} in sys.modules)")
            assert said.ended() == 0
        assert [line for _, line in said.lines] == [there]


def warm_children(process: int) -> list[int]:
    return [
        int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def test_without_the_warm_python_nothing_is_a_status(privileged: None, host: Host) -> None:
    warm = WarmPython()
    process = forked(warm, host, "import time; print(1); time.sleep(600)")
    process.says("1", PATIENCE)
    warm._running.kill()
    assert process.running.wait(PATIENCE) == UNTOLD
    os.kill(process.running.pid, signal.SIGKILL)
    warm._running.wait()
    with pytest.raises(OSError):  # noqa: PT011 -- of a socket, or our own words
        warm.start(host.space, (sys.executable, "-u", "-c", ""))
    warm.close()


def test_a_host_that_is_not_there_is_an_error_of_the_program(warm: WarmPython) -> None:
    process = Process(warm.start("nowhere", (sys.executable, "-u", "-c", "print('here')")))
    assert process.ended() == 1
    assert "nowhere" in process.errors[-1]
    assert process.lines == []


def test_who_waits_for_its_end_waits_no_longer_than_he_says(warm: WarmPython, host: Host) -> None:
    process = forked(warm, host, "import time; time.sleep(600)")
    began = time.monotonic()
    with pytest.raises(UnheardError, match="still there"):
        process.ended(0.2)
    assert time.monotonic() - began < PATIENCE
    process.end()


@pytest.mark.parametrize(
    ("words", "does"),
    [
        ((sys.executable, "-u", "-c", COMMANDS, "server"), True),
        ((sys.executable, "-m", f"{PROGRAMS}testbed.recorder", "x"), True),
        ((sys.executable, "-m", "pyroute2.dhcp.cli"), False),
        ((sys.executable, "x.py"), False),
        (("env", sys.executable, "-u", "-c", COMMANDS), False),
    ],
)
def test_what_a_warm_python_runs(words: tuple[str, ...], does: bool) -> None:
    assert WarmPython.runs(words) is does
