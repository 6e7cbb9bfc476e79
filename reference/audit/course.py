"""The course of an audit: sources are read once, each observation is thought about, then concluded.

Theory of operation.  `run_course` ties the rooms together: `inputs` gives observations in order of
time, the monitor takes each of them, and its conclusions are the audit.  Where the reading is
interrupted, what would have come is a gap, and the audit is of what was read so far.

What it does not know: formats, rules, and how an audit is told; many workers (`partition`), and
interfaces (`following.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from holdover.model.clients.profile import Profile, load
from holdover.reference.audit.collector import rarely_collected
from holdover.reference.audit.inputs.reading import read_all
from holdover.reference.audit.inputs.stream import Bytes, Source, open_bytes
from holdover.reference.audit.interruption import Interruption
from holdover.reference.audit.monitor.context import DRIFT, default_premises
from holdover.reference.audit.monitor.monitor import Monitor
from holdover.reference.audit.monitor.results import Audit, Premises
from holdover.reference.audit.observations import Coverage, Gap, Observation, Where
from holdover.reference.audit.report.words import show_instant
from holdover.reference.console.progress import Progress
from holdover.reference.core.instants import Instant

EVERY = 0.5
"""Seconds between two words of progress."""

BETWEEN = 1024
"""Observations between two looks at the clock."""

STANDARD_INPUT: Literal["-"] = "-"

INTERRUPTED = "interrupted: what came after that was not read"


@dataclass(frozen=True, slots=True)
class Sources:
    """What is audited: captures ("-" is standard input), hosts' logs, servers' records."""

    captures: tuple[str, ...] = ()
    host_logs: tuple[Path, ...] = ()
    leases: tuple[Path, ...] = ()

    @property
    def named(self) -> tuple[Source, ...]:
        """The captures, as the inputs take them."""
        return tuple(
            STANDARD_INPUT if each == STANDARD_INPUT else Path(each) for each in self.captures
        )


@dataclass(frozen=True, slots=True)
class Grounding:
    """On what an audit rests: its premises, and what is known of the clients."""

    premises: Premises
    profile: Profile | None = None

    @classmethod
    def of(
        cls, profile: str | None = None, *, complete: bool = False, drift: Fraction | None = None
    ) -> Grounding:
        """By options; `drift` is a ratio.  InputError where there is no such profile."""
        premises = default_premises(complete=complete, drift=DRIFT if drift is None else drift)
        if profile is None:
            return cls(premises)
        known = load(profile)
        return cls(replace(premises, profile=known.name), known)

    def monitor(self) -> Monitor:
        """A monitor that has seen nothing."""
        return Monitor(self.premises, self.profile)


def run_course(sources: Sources, grounding: Grounding) -> Audit:
    """The audit of all sources, by this process."""
    monitor = grounding.monitor()
    interruption = Interruption()
    with Progress("audit") as progress, interruption.heard(), rarely_collected():
        progress.say("audit: opening")
        reading = read_all(sources.named, sources.host_logs, sources.leases)
        watch = ReadingProgress(progress)
        last = think(monitor, interruption.until(iter(reading)), watch)
        if interruption.came:
            monitor.observe(interruption_gap(reading.coverage, last))
        progress.say("audit: concluding")
        return monitor.finish(reading.coverage)


def think(
    monitor: Monitor, source: Iterator[Observation], progress: ReadingProgress
) -> Instant | None:
    """Have a monitor observe all; the last instant."""
    last: Instant | None = None
    observe = monitor.observe
    for count, seen in enumerate(source, 1):
        observe(seen)
        if not isinstance(seen, Gap) and seen.at is not None:
            last = seen.at
        if count % BETWEEN == 0:
            progress.tick(count, last)
    return last


class ReadingProgress:
    """Says now and then how far it is."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._next = progress, time.monotonic() + EVERY

    def tick(self, count: int, at: Instant | None) -> None:
        """So many observations by now, the last of that instant."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            when = "" if at is None else f", {show_instant(at)}"
            self._progress.say(f"audit: {count:,} observations{when}")


def interruption_gap(coverage: tuple[Coverage, ...], last: Instant | None) -> Gap:
    """What would have come after the last instant."""
    files = [each for each in coverage if each.frames] or list(coverage)
    where = Where(files[-1].file, files[-1].frames) if files else Where(STANDARD_INPUT, 0)
    return Gap(last, None, where, INTERRUPTED)


# The bytes of a capture --------------------------------------------------------------------------


class UnpackedBytes:
    """What is in a source, unpacked, to be read piece by piece."""

    def __init__(self, window: Bytes) -> None:
        self._window, self._at = window, 0

    def read(self, size: int) -> bytes:
        """The next bytes; fewer at the end."""
        window = self._window
        while window.end - self._at < size:
            moved = window.more(self._at)
            if moved is None:
                break
            self._at = moved
        begin, self._at = self._at, min(self._at + size, window.end)
        return window.data[begin : self._at].tobytes()


@contextmanager
def open_capture(name: str) -> Iterator[UnpackedBytes]:
    """The bytes of a capture, unpacked; InputError where it cannot be opened."""
    window = open_bytes(Path(name))
    try:
        yield UnpackedBytes(window)
    finally:
        window.close()
