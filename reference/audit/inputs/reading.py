"""All sources of an audit, as one row of observations in time order.

Theory of operation.  Captures are walked as they come (`walk.py`); host logs and server records are
read into memory and sorted, for a lease file is in no order.  What several captures saw is carried
over to the clock of the first one, and joined (`points.py`); then everything is merged by time, in
the order of the sources where two are due at the same instant.

A gap may be told after what happened in it: a capture says at its end what it has dropped.

What it does not know: the clocks of hosts and servers; their logs are taken as they stand.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from itertools import chain
from operator import itemgetter
from pathlib import Path

from holdover.model.errors import InputError
from holdover.reference.audit.inputs.formats import Capture, Pcapng, capture_of
from holdover.reference.audit.inputs.logs.recognize import read_log
from holdover.reference.audit.inputs.points import (
    WINDOW,
    ClockOffset,
    join,
    mark_copies,
    measure_offsets,
    place_items,
)
from holdover.reference.audit.inputs.stream import Source, name_of, open_bytes
from holdover.reference.audit.inputs.walk import Item, Walk, seen_of
from holdover.reference.audit.observations import Coverage, Observation, due_at
from holdover.reference.core.instants import SECOND, Duration, Instant

LAB_YEAR: Instant = 365 * 86400 * SECOND
"""A capture that begins before that counts from its machine's start: it is the lab's."""


class AuditReading(Iterator[Observation]):
    """The observations; what each source covered, as far as it has been read."""

    def __init__(
        self,
        captures: Sequence[Source],
        host_logs: Sequence[Path] = (),
        leases: Sequence[Path] = (),
        networks: Iterable[IPv4Network] = (),
        *,
        boottime: bool | None = None,
    ) -> None:
        if list(captures).count("-") > 1:
            raise InputError("standard input: named twice, and can be read once")
        self.offsets: list[ClockOffset] = measure_offsets(captures)
        self._networks, self._boottime = tuple(networks), boottime
        self._coverage: dict[str, Coverage] = {}
        self._items = self._all(captures, [*host_logs, *leases])

    def __iter__(self) -> Iterator[Observation]:
        """The observations themselves, with no call of Python between."""
        return self._items

    def __next__(self) -> Observation:
        return next(self._items)

    @property
    def coverage(self) -> tuple[Coverage, ...]:
        """Of each source, in their order."""
        return tuple(self._coverage.values())

    def _all(self, captures: Sequence[Source], logs: Sequence[Path]) -> Iterator[Observation]:
        opened: list[Capture] = []
        try:
            for source in captures:
                opened.append(open_capture(source))
                self._coverage[opened[-1].name] = Coverage(opened[-1].name, None, None, 0)
            frames = chain.from_iterable(mark_copies(self._frames(opened)))
            first = next(frames, None) if logs else None
            frames = frames if first is None else chain((first,), frames)
            if self._boottime is None:
                self._boottime = first is not None and is_boottime(due_at(first))
            records = []
            for path in logs:
                log = read_log(path, boottime=self._boottime)
                self._coverage[log.coverage.file] = log.coverage
                records.append(log.observations)
            if records:
                keyed = [((due_at(each), each) for each in source) for source in (frames, *records)]
                yield from (each for _, each in heapq.merge(*keyed, key=itemgetter(0)))
            else:
                yield from frames
        finally:
            for capture in opened:
                capture.window.close()

    def _frames(self, opened: Sequence[Capture]) -> Iterator[Sequence[Observation]]:
        """What the captures show, each thing once, batch by batch."""
        walked = [
            self._walk(capture, offset.offset)
            for capture, offset in zip(opened, self.offsets, strict=True)
        ]
        if len(opened) == 1 and not isinstance(opened[0], Pcapng):  # so it is one interface
            yield from map(seen_of, walked[0])
            return
        unsure = max((each.uncertainty or 0 for each in self.offsets), default=0)
        points = [place_items(each, number) for number, each in enumerate(walked)]
        for each in join(heapq.merge(*points, key=itemgetter(0)), WINDOW + unsure):
            yield (each,)

    def _walk(self, capture: Capture, offset: Duration) -> Iterator[Sequence[Item]]:
        """The observations of a capture, batch by batch."""
        walk = Walk(capture.name, self._networks, -offset)
        arrays = capture.off, capture.cap, capture.times, capture.iface
        batches = capture.batches()
        while True:
            count = next(batches, None)
            found = (
                walk.finish(capture.losses)
                if count is None
                else walk.feed(capture.data, arrays, count, capture.links, capture.losses)
            )
            seen = Coverage(capture.name, walk.begin, walk.newest, walk.frames)
            self._coverage[capture.name] = seen
            if found:
                yield found
            if count is None:
                return


def is_boottime(first: Instant) -> bool:
    """Whether a capture that begins then is of the lab, which counts from its machine's start."""
    return 0 <= first < LAB_YEAR


def open_capture(source: Source) -> Capture:
    """A capture; InputError where it is none."""
    window, name = open_bytes(source), name_of(source)
    try:
        capture = capture_of(window, name)
        if capture is None:
            head = window.head(8)
            raise InputError(f"{name}: {window.broken}" if window.broken else _foreign(name, head))
    except InputError:
        window.close()
        raise
    return capture


def _foreign(name: str, head: bytes) -> str:
    """Why a file is no capture."""
    if not head:
        return f"{name}: is empty: expected a capture (pcap or pcapng)"
    return (
        f"{name}: byte 0: {head.hex(' ')}: expected a capture (pcap or pcapng, perhaps packed by "
        "gzip or zstd); a host's log goes with --host-log, a server's leases with --leases"
    )


def read_all(
    captures: Sequence[Source],
    host_logs: Sequence[Path] = (),
    leases: Sequence[Path] = (),
    networks: Iterable[IPv4Network] = (),
    *,
    boottime: bool | None = None,
) -> AuditReading:
    """The observations of all sources in time order; InputError where one cannot be used.

    `networks`: uses of other addresses are left out, as of hosts beyond a router.  `boottime`: a
    log of the lab goes with captures in the lab's clock; None: the captures say so.
    """
    return AuditReading(captures, host_logs, leases, networks, boottime=boottime)
