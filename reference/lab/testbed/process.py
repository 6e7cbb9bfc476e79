"""A program that runs, what it says and when, and its end.

Theory of operation.  Two threads read what a program writes, so that it never waits for a reader;
each line of its standard output has the instant of CLOCK_BOOTTIME at which it was read.  `says`
waits for a line, and fails with all that was said when the program has ended or the time is over.

What is started here is ended here, by pid: `end` kills the whole tree below it, whatever state it
is in, and waits.

What it does not know: where it runs (`netns.py`), and what its words mean.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from holdover.reference.core.instants import Instant
from holdover.reference.linux.kernel.clock import now

Line = tuple[Instant, str]

PAUSE = 0.02
"""Seconds between two looks."""

PATIENCE = 240
"""Seconds after which what was waited for never comes, on a machine that is busy with other things
too.  Who waits goes on as soon as it is there; so nobody waits that long but for a failure."""


SMALL = 1 << 16
"""Bytes of a file of the kernel's that is read at once."""


class UnheardError(AssertionError):
    """A program has not said, or a host not done, what was waited for."""


class Running(Protocol):
    """What `Process` needs of a program that was started: of subprocess.Popen, or of another."""

    pid: int
    stdout: IO[str] | None
    stderr: IO[str] | None

    def poll(self) -> int | None:
        """Its status; None: it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its status, when it has ended; subprocess.TimeoutExpired after so many seconds."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal, unless it has ended."""


def start(command: Sequence[str | Path]) -> Running:
    """A program of a command line."""
    return subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


class Process:
    """A program: a command line that is started here, or one that runs already.

    `lines`: its standard output so far; `errors`: its standard error.  `heard`: both in the order
    in which they were read, with "out" or "err".
    """

    def __init__(self, program: Sequence[str | Path] | Running) -> None:
        self.lines: list[Line] = []
        self.errors: list[str] = []
        self.heard: list[tuple[Instant, str, str]] = []
        self._parsing, self._parsed = threading.Lock(), 0
        self._events: list[dict[str, Any]] = []
        self.running = start(program) if isinstance(program, Sequence) else program
        assert self.running.stdout is not None
        assert self.running.stderr is not None
        self._readers = [
            threading.Thread(target=_read, args=(self.running.stdout, self._line), daemon=True),
            threading.Thread(target=_read, args=(self.running.stderr, self._error), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _line(self, line: str) -> None:
        self.lines.append((now(), line))
        self.heard.append((self.lines[-1][0], "out", line))

    def _error(self, line: str) -> None:
        self.errors.append(line)
        self.heard.append((now(), "err", line))

    def said(self, pattern: str) -> list[Line]:
        """Its lines with that regular expression in them, so far."""
        return [(at, line) for at, line in list(self.lines) if re.search(pattern, line)]

    def says(self, pattern: str, seconds: float, *, times: int = 1) -> Line:
        """When it has said it so often, and that line; UnheardError if it does not in time."""
        end = time.monotonic() + seconds
        while len(found := self.said(pattern)) < times:
            over = not any(reader.is_alive() for reader in self._readers)
            if len(found := self.said(pattern)) >= times:  # it may have been its last line
                break
            if over or time.monotonic() >= end:
                why = "it has ended" if over else f"not within {seconds} s"
                raise UnheardError(f"{pattern}: {why}\n{self.lines}\n{self.errors}")
            time.sleep(PAUSE)
        return found[times - 1]

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Its JSON lines about those events."""
        with self._parsing:  # each line once: who waits asks four times a second
            for _, line in self.lines[self._parsed :]:
                self._parsed += 1
                if line.startswith("{"):
                    self._events.append(json.loads(line))
            return [event for event in self._events if event["event"] in names]

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.running.send_signal(number)

    def tree(self) -> list[int]:
        """Its pid and those of all processes below it, parents first."""
        found = [self.running.pid]
        for process in found:
            found += children(process)
        return found

    def ended(self, seconds: float = PATIENCE) -> int:
        """Its status, when it has ended and everything it said is read."""
        try:
            status = self.running.wait(seconds)
        except subprocess.TimeoutExpired:
            raise UnheardError(
                f"still there after {seconds} s\n{self.lines}\n{self.errors}"
            ) from None
        for reader in self._readers:
            reader.join(seconds)
        return status

    def end(self) -> None:
        """End it and what it has started, whatever state they are in."""
        for process in reversed(self.tree()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, 9)
        self.ended()


def _read(stream: IO[str], take: Callable[[str], None]) -> None:
    with stream:
        for line in stream:
            take(line.rstrip("\n"))


def children(process: int) -> list[int]:
    """The pids below a process; none where it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 -- paths take longer
            found += map(int, read_bytes(f"/proc/{process}/task/{task}/children").split())
    return found


def read_bytes(path: str) -> bytes:
    """What is in a small file of the kernel's, which is read many times a second."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(opened, SMALL)
    finally:
        os.close(opened)


def state(process: int) -> str:
    """The letter that the kernel has for what a process does; Z: it is dead."""
    with contextlib.suppress(OSError):
        stat = read_bytes(f"/proc/{process}/stat")
        return stat.rpartition(b")")[2].split()[0].decode()
    return "Z"


def eventually(wanted: Callable[[], Any], seconds: float, what: str) -> Any:
    """What `wanted` gives as soon as it is true; UnheardError if it is not in time."""
    end = time.monotonic() + seconds
    while not (found := wanted()):
        if time.monotonic() >= end:
            raise UnheardError(f"not within {seconds} s: {what}")
        time.sleep(PAUSE)
    return found
