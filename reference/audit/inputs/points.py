"""Several points of capture: how far their clocks are apart, and what is the same frame or message.

Theory of operation.  `measure_offsets` reads each capture once beforehand, and takes fingerprints
of a part of its frames (`frames.look`).  A frame that is just once in the first capture, and just
once in another one, was seen by both: the difference of its times is the offset of their clocks,
and of the frame's way between the points.  The offset is the median of all differences, its
uncertainty half of the range of the middle 98 % of them: so the way, which is in the offset, and
the drift of the clocks are in it too.  A capture that shares no frame with the first one is
compared with the others that are known already.

`join` drops what was seen before: the same message within WINDOW at another point, and a use that
lies within one of the same host and address at another point.  `mark_copies` marks what a relay has
passed on, and what was seen on its other side before: the same transaction, type and client, to or
from a relay where the first was not, or to another server.

What it does not know: how long frames take from one point to the other; clocks that step.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdover.reference.audit.inputs.formats import BATCH, capture_of
from holdover.reference.audit.inputs.kernel import columns, frames
from holdover.reference.audit.inputs.stream import Source, name_of, open_bytes
from holdover.reference.audit.inputs.walk import Item
from holdover.reference.audit.observations import DhcpMessage, Observation, Probe, Use
from holdover.reference.core.instants import SECOND, Duration, Instant
from holdover.reference.wire.messages import BootRequest

Array = np.ndarray[Any, Any]

SPARSE = 8
"""Of so many frames one has its fingerprint taken."""

MOST_PRINTS = 1 << 20
"""Fingerprints of one capture, at most."""

WINDOW: Duration = SECOND // 20
"""Nanoseconds within which the same frame comes by at all points, once their clocks agree."""

RELAYED_WITHIN: Duration = 2 * SECOND
"""Nanoseconds that a relay takes at most."""

NEVER: Instant = -(1 << 62)

MOST_WAITING = 1 << 10
"""Messages that are remembered before those that are too old for a relay are looked for."""

MOST_ALIKE = 32
"""Messages of one transaction that are remembered at most."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """By how much a capture's clock is ahead of the first one's, and how sure that is.

    `common`: the number of frames that both saw; 0: there is none, so nothing is known, `offset` is
    0 and `uncertainty` None.  One frame has no spread: its uncertainty is None too.
    """

    file: str
    offset: Duration
    uncertainty: Duration | None
    common: int


def measure_offsets(sources: Sequence[Source]) -> list[ClockOffset]:
    """Of each capture; of standard input, which can be read once only, nothing is known."""
    first = ClockOffset(name_of(sources[0]), 0, 0, 0) if sources else None
    if len(sources) < 2:
        return [first] if first else []
    found: dict[int, ClockOffset] = {0: ClockOffset(name_of(sources[0]), 0, 0, 0)}
    prints = [None if each == "-" else unique_prints(each) for each in sources]
    left = list(range(1, len(sources)))
    progress = True
    while progress:
        progress = False
        for i in left:
            for j, known in found.items():
                offset = compare(prints[j], prints[i])
                if offset is None or (j and not known.common):
                    continue
                middle, spread, common = offset
                if known.uncertainty is None or spread is None:
                    uncertainty = None
                else:
                    uncertainty = known.uncertainty + spread
                found[i] = ClockOffset(
                    name_of(sources[i]), known.offset + middle, uncertainty, common
                )
                left.remove(i)
                progress = True
                break
            if progress:
                break
    for i in left:
        found[i] = ClockOffset(name_of(sources[i]), 0, None, 0)
    return [found[i] for i in range(len(sources))]


def compare(
    first: Array | None, second: Array | None
) -> tuple[Duration, Duration | None, int] | None:
    """How far the second is ahead, the spread, and of how many frames; None: none in common."""
    if first is None or second is None:
        return None
    _, here, there = np.intersect1d(first[:, 0], second[:, 0], True, True)
    if not len(here):
        return None
    apart = np.sort(second[there, 1] - first[here, 1])
    count = len(apart)
    middle = int(apart[count // 2])
    if count == 1:
        return middle, None, 1
    low, high = int(apart[count // 100]), int(apart[count - 1 - count // 100])
    return middle, max(high - middle, middle - low), count


def unique_prints(source: Source) -> Array:
    """Rows of fingerprint and time, of frames that the capture has just once."""
    window = open_bytes(source)
    try:
        capture = capture_of(window, name_of(source))
        if capture is None:
            return np.zeros((0, 2), np.int64)
        slots = np.zeros(4 * BATCH, np.int32)
        runs = np.zeros((BATCH, columns.RUN_COLUMNS), np.int64)
        out = np.zeros((4 * BATCH, columns.RUN_COLUMNS), np.int64)
        rows = np.zeros((BATCH, columns.MESSAGE_COLUMNS), np.int64)
        side = np.zeros(1 << 16, np.uint8)
        networks = np.zeros((0, 2), np.int64)
        prints = np.zeros((MOST_PRINTS, 2), np.int64)
        counts = np.zeros(6, np.int64)
        for count in capture.batches():
            capture.losses.clear()
            frames.look(
                capture.data,
                capture.off,
                capture.cap,
                capture.times,
                capture.iface,
                count,
                1,
                capture.links,
                networks,
                slots,
                runs,
                out,
                rows,
                side,
                counts,
                prints,
                SPARSE,
                0,
                0,
            )
            counts[:4] = 0
            slots[:] = 0
    finally:
        window.close()
    taken = prints[: counts[4]]
    _, first, times = np.unique(taken[:, 0], return_index=True, return_counts=True)
    unique: Array = taken[first[times == 1]]
    return unique


# What is the same --------------------------------------------------------------------------------

Placed = tuple[Instant, Observation, tuple[int, int], int]
"""As an `Item` of the walk; its point is the number of the file, and of the interface."""


def place_items(batches: Iterable[Sequence[Item]], file: int) -> Iterator[Placed]:
    """The items of one capture."""
    for batch in batches:
        for at, what, interface, mark in batch:
            yield at, what, (file, interface), mark


def join(items: Iterable[Placed], window: Duration = WINDOW) -> Iterator[Observation]:
    """Those that were not seen before, in their order."""
    messages: dict[tuple[int, bytes | None], tuple[Instant, tuple[int, int]]] = {}
    uses: dict[object, tuple[Use, int]] = {}
    probes: dict[object, tuple[Instant, int]] = {}
    cleaned = 0
    for at, what, point, mark in items:
        if isinstance(what, DhcpMessage):
            key = mark, what.hardware
            before = messages.get(key)
            if mark and before and before[1] != point and at - before[0] <= window:
                continue
            messages[key] = at, point
        elif isinstance(what, Probe):
            about = what.hardware, what.address, what.vlan
            last = probes.get(about)
            if last and last[1] != point[0] and at - last[0] <= window:
                continue
            probes[about] = at, point[0]
        elif isinstance(what, Use):
            name = what.hardware, what.address, what.how, what.vlan
            earlier = uses.get(name)
            if earlier and earlier[1] != point[0]:
                use = earlier[0]
                if use.at - window <= what.at and what.until <= use.until + window:
                    continue
            uses[name] = what, point[0]
        if at - cleaned > 10 * SECOND:
            messages = {k: v for k, v in messages.items() if at - v[0] <= window}
            probes = {k: v for k, v in probes.items() if at - v[0] <= window}
            uses = {k: v for k, v in uses.items() if at - v[0].until <= window}
            cleaned = at
        yield what


def mark_copies(batches: Iterable[Sequence[Observation]]) -> Iterator[Sequence[Observation]]:
    """The same, with `copy` where a relay has passed a message on, and it was seen before.

    As long as no message has to do with a relay, they are but remembered.
    """
    waiting: deque[DhcpMessage] = deque()
    known, plain_after, full = KnownMessages(), NEVER, MOST_WAITING
    for batch in batches:
        messages = [what for what in batch if isinstance(what, DhcpMessage)]
        if not messages:
            yield batch
            continue
        if messages[0].at > plain_after and not any(what.relayed for what in messages):
            waiting += messages
            if len(waiting) >= full:
                _drop_before(waiting, messages[-1].at - RELAYED_WITHIN)
                full = max(MOST_WAITING, 2 * len(waiting))
            yield batch
            continue
        marked = list[Observation]()
        for what in batch:
            if not isinstance(what, DhcpMessage):
                marked.append(what)
            elif not what.relayed and what.at > plain_after:
                waiting.append(what)
                marked.append(what)
            else:
                if what.relayed:
                    plain_after = what.at + RELAYED_WITHIN
                _drop_before(waiting, what.at - RELAYED_WITHIN)
                while waiting:
                    known.add(waiting.popleft())
                marked.append(what._replace(copy=True) if known.add(what) else what)
        yield marked


def _drop_before(waiting: deque[DhcpMessage], since: Instant) -> None:
    while waiting and waiting[0].at < since:
        waiting.popleft()


class KnownMessages:
    """The messages of the last seconds, by transaction."""

    def __init__(self) -> None:
        self._recent: dict[object, list[DhcpMessage]] = {}
        self._older: dict[object, list[DhcpMessage]] = {}
        self._turned: Instant = 0

    def add(self, what: DhcpMessage) -> bool:
        """Whether one of them is the same on the other side of a relay."""
        if what.at - self._turned > RELAYED_WITHIN:
            self._recent, self._older, self._turned = {}, self._recent, what.at
        message = what.message
        key = message.xid, message.type, message.chaddr
        earlier = self._recent.get(key) or self._older.get(key) or []
        self._recent[key] = [*earlier[-MOST_ALIKE:], what]
        return is_passed_on(what, earlier)


def is_passed_on(what: DhcpMessage, earlier: Sequence[DhcpMessage]) -> bool:
    """Whether a relay has passed on one of the earlier messages as this one, or the other way."""
    own = _flow(what)
    flows = Counter(
        _flow(each)
        for each in earlier
        if each.message.server == what.message.server and what.at - each.at <= RELAYED_WITHIN
    )
    return any(
        other != own and count > flows[own] and (own[0] or other[0])
        for other, count in flows.items()
    )


def _flow(what: DhcpMessage) -> tuple[bool, object, object]:
    """Whether a message is between a relay and a server, and from where to where it goes."""
    message = what.message
    is_request = isinstance(message, BootRequest)
    beyond = bool(int(message.giaddr)) and (is_request or what.destination == message.giaddr)
    return beyond, what.source, what.destination
