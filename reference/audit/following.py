"""An audit of what happens on an interface, while it happens; Linux.

Theory of operation.  The monitor that audits files observes what the interface shows, until Ctrl-C;
then there is a report as of a file.  Before that, conclusions are drawn now and then
(`Monitor.so_far`): each new finding is told at once, and whoever asks for metrics gets them.
Drawing them takes longer the more there is to conclude from, so they come at least REST times as
far apart as the last ones took.

Logs of hosts and records of servers are read once, at the beginning, for what was before.

What it does not know: how frames are heard (`inputs/live.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import TypeVar

import click

from holdover.model.inputs import printable
from holdover.reference.audit.course import Grounding, Sources
from holdover.reference.audit.inputs.live import InterfaceFollower
from holdover.reference.audit.inputs.points import mark_copies
from holdover.reference.audit.inputs.reading import read_all
from holdover.reference.audit.inputs.walk import seen_of
from holdover.reference.audit.interruption import Interruption
from holdover.reference.audit.monitor.monitor import Monitor
from holdover.reference.audit.monitor.results import Audit, AuditFinding
from holdover.reference.audit.observations import Coverage
from holdover.reference.audit.report.metrics import MetricsServer, open_metrics
from holdover.reference.audit.report.words import show_instant
from holdover.reference.console.progress import Progress

LOOK, REST = 2.0, 20
"""Seconds between two conclusions at least, and by how much longer than one takes."""

T = TypeVar("T")


def follow_interface(
    interface: str, sources: Sources, grounding: Grounding, metrics: str | None, *, tell: bool
) -> Audit:
    """The audit of an interface, until Ctrl-C; `tell`: print each finding when there is one.

    InputError where it cannot be heard, or metrics cannot be served.
    """
    monitor, stop = grounding.monitor(), threading.Event()
    with ExitStack() as opened:
        follower = InterfaceFollower(interface)
        server = None
        if metrics is not None:
            server = opened.enter_context(closing(MetricsServer(metrics)))
        before = read_all((), sources.host_logs, sources.leases)
        for seen in before:
            monitor.observe(seen)
        opened.enter_context(Interruption(stop).heard())
        progress = opened.enter_context(Progress(interface))
        lookout = Lookout(monitor, server, progress, tell=tell)

        def coverage() -> tuple[Coverage, ...]:
            walk = follower.walk
            end = None if walk.begin is None else time.time_ns()
            return (*before.coverage, Coverage(interface, walk.begin, end, walk.frames))

        batches = do_before_each(follower.run(stop), lambda: lookout.look(coverage))
        for some in mark_copies(map(seen_of, batches)):
            for seen in some:
                monitor.observe(seen)
        return monitor.finish(coverage())


def do_before_each(source: Iterator[T], then: Callable[[], None]) -> Iterator[T]:
    """What a source gives; something is done before each."""
    for each in source:
        then()
        yield each


class Lookout:
    """Draws conclusions now and then, and tells what is new."""

    def __init__(
        self, monitor: Monitor, server: MetricsServer | None, progress: Progress, *, tell: bool
    ) -> None:
        self._monitor, self._server, self._progress = monitor, server, progress
        self._tell = tell
        self._known: set[tuple[object, ...]] = set()
        self._next = time.monotonic()

    def look(self, coverage: Callable[[], tuple[Coverage, ...]]) -> None:
        """If it is time, conclude and tell."""
        began = time.monotonic()
        if began < self._next:
            return
        found = self._monitor.so_far(coverage())
        if self._server is not None:
            self._server.tell(open_metrics(found))
        for finding in found.findings:
            key = name_finding(finding)
            if key not in self._known:
                self._known.add(key)
                if self._tell:
                    when = show_instant(time.time_ns())
                    click.echo(f"{when} {printable(finding.sentence)}")
        frames = coverage()[-1].frames
        self._progress.say(
            f"{coverage()[-1].file}: {frames:,} frames, {len(found.addresses)} addresses, "
            f"{len(found.findings)} findings; Ctrl-C ends it"
        )
        took = time.monotonic() - began
        self._next = time.monotonic() + max(LOOK, REST * took)


def name_finding(finding: AuditFinding) -> tuple[object, ...]:
    """What stays the same of a finding while it goes on."""
    return finding.kind, finding.address, finding.hardware, finding.since
