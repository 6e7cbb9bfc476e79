"""From batches of frames to observations in time order.

Theory of operation.  `Walk` gives each batch to the kernel, makes observations of what comes out,
and lets go of those that nothing earlier can follow any more: that is up to the beginning of the
oldest run that is still open, and SLACK before the newest frame, for captures of several interfaces
or processors are a little out of order.  A run is cut after LONGEST, so that nothing waits longer.
At the same instant a use comes before a message: a DHCPRELEASE is itself sent from its address.

Where the clock of a capture goes back by more than SLACK (somebody set it), the frames are moved to
the instant that was reached before, and a `Gap` spans all of that.

What it does not know: other captures (`points.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network
from itertools import repeat
from operator import itemgetter
from typing import Any

import numpy as np

from holdover.reference.audit.inputs.build import tuple_maker
from holdover.reference.audit.inputs.dhcp import observe_messages
from holdover.reference.audit.inputs.formats import BATCH, Loss
from holdover.reference.audit.inputs.kernel import columns, frames, places, runs
from holdover.reference.audit.inputs.names import NameTables
from holdover.reference.audit.observations import (
    RUN,
    DhcpMessage,
    Gap,
    How,
    Observation,
    Probe,
    Unreadable,
    Use,
    Where,
)
from holdover.reference.core.instants import SECOND, Duration, Instant

Array = np.ndarray[Any, Any]

LONGEST: Duration = 5 * SECOND
"""Nanoseconds: no run is longer."""

SLACK: Duration = SECOND
"""Nanoseconds: by so much frames may be out of order."""

FRAMES_AT_ONCE = 1 << 15
"""Frames after which runs are swept."""

MESSAGES_AT_ONCE = 1 << 10
"""Messages after which runs are swept, so that those that wait stay in the processor's cache."""

AT_ONCE = 1 << 8
"""Messages that are made at once, for the same reason; fewer wait, as the rows that they are."""

new_where, new_use, new_probe = tuple_maker(Where), tuple_maker(Use), tuple_maker(Probe)

NEVER: Instant = -(1 << 62)

HOWS: tuple[How, How, str] = ("ARP", "IP", "probe")
"""By `kernel/columns.py`; the last is no use."""


Item = tuple[Instant, Observation, int, int]
"""When it is due, the observation, the interface at which it was made, and its fingerprint (of a
message), or 0."""

ADDRESS = (1 << columns.HOW_AT) - 1
due = itemgetter(0)


class Walk:
    """The observations of one capture; `networks`: only uses of their addresses, if there are."""

    def __init__(
        self, file: str, networks: Iterable[IPv4Network] = (), offset: Duration = 0
    ) -> None:
        rows = [(int(each.network_address), int(each.netmask)) for each in networks]
        self._networks = np.array(rows, np.int64).reshape(len(rows), 2)
        self._file, self._names, self._offset = file, NameTables(), offset
        self._slots = np.zeros(1 << 15, np.int32)
        self._runs = np.zeros((1 << 14, columns.RUN_COLUMNS), np.int64)
        self._out = np.zeros((1 << 15, columns.RUN_COLUMNS), np.int64)
        self._rows = np.zeros((BATCH + AT_ONCE, columns.MESSAGE_COLUMNS), np.int64)
        self._side = np.zeros(1 << 21, np.uint8)
        self._counts = np.zeros(6, np.int64)
        self._no_prints = np.zeros((0, 2), np.int64)
        self._messages: list[Item] = []
        self._waiting: list[Item] = []
        self._unswept = 0
        self.begin: Instant | None = None
        self.newest: Instant | None = None
        self.frames = 0

    def feed(
        self,
        data: Array,
        arrays: tuple[Array, Array, Array, Array],
        count: int,
        links: Array,
        losses: list[Loss],
    ) -> Sequence[Item]:
        """Look at a batch: off, cap, times, iface (`Capture`); what can be let go of.

        `losses` are emptied.
        """
        off, cap, times, iface = arrays
        self._in_order(times[:count])
        self._note(losses)
        self._make_room(cap[:count])
        frames.look(
            data,
            off,
            cap,
            times,
            iface,
            count,
            self.frames + 1,
            links,
            self._networks,
            self._slots,
            self._runs,
            self._out,
            self._rows,
            self._side,
            self._counts,
            self._no_prints,
            0,
            RUN,
            LONGEST,
        )
        self.frames += count
        self._unswept += count
        rows, odd = self._counts[2], self._counts[5]
        if odd or rows >= AT_ONCE:
            self._take_messages(data)
        is_due = self._unswept >= FRAMES_AT_ONCE or len(self._messages) >= MESSAGES_AT_ONCE
        return self.flush(False) if is_due else ()

    def flush(self, over: bool = True) -> list[Item]:
        """What can be let go of; `over`: all of it, for no frame comes any more."""
        self._take_messages(None)
        if self.newest is None:
            messages, self._messages = self._messages, []
            return messages
        self._unswept = 0
        oldest = runs.sweep(
            self._slots, self._runs, self._counts, self._out, 1 << 62 if over else self.newest - RUN
        )
        ended = self._out[: self._counts[1]]
        self._counts[1] = 0
        found = (
            self._runs_of(ended) + self._waiting + self._messages
        )  # in this order where due alike
        self._messages = []
        found.sort(key=due)
        if over:
            self._waiting = []
            return found
        before = min(int(oldest), self.newest - SLACK)
        ready = _count_before(found, before)
        self._waiting = found[ready:]
        return found[:ready]

    def finish(self, losses: list[Loss]) -> Sequence[Item]:
        """What is left, when no frame comes any more; `losses` are emptied."""
        self._note(losses)
        return self.flush()

    def pass_time(self, now: Instant) -> None:
        """No frame from before `now` comes any more, though none has come since."""
        self.newest = now if self.newest is None else max(self.newest, now)

    # Before the kernel ---------------------------------------------------------------------------

    def _in_order(self, times: Array) -> None:
        """Move instants to the clock of the audit, and those that go back too far up again."""
        if self._offset:
            times[times != columns.SIMPLE_TIME] += self._offset
        reached = NEVER if self.newest is None else self.newest
        least, reached, first, lowest, moved_to = places.check_order(times, reached, SLACK)
        if least == columns.NO_TIME:
            return
        if first >= 0:
            why = "the clock of the capture was set back: times after that cannot be told"
            self._note([Loss(int(lowest), int(moved_to), self.frames + int(first) + 1, why)], 0)
        self.newest = int(reached)
        self.begin = int(least) if self.begin is None else min(self.begin, int(least))

    def _note(self, losses: list[Loss], offset: Duration | None = None) -> None:
        moved = self._offset if offset is None else offset
        for loss in losses:
            since = None if loss.since is None else loss.since + moved
            until = None if loss.until is None else loss.until + moved
            due_at = until if since is None else since
            at = self.newest or 0 if due_at is None else due_at
            gap = Gap(since, until, Where(self._file, max(loss.number, 1)), loss.why)
            self._messages.append((at, gap, 0, 0))
        losses.clear()

    def _make_room(self, sizes: Array) -> None:
        """For as many runs and bytes as there can be."""
        most = int(self._counts[0]) + len(sizes)
        if most > len(self._runs):
            self._runs = np.concatenate([self._runs, np.zeros_like(self._runs)])
            self._slots = np.zeros(2 * len(self._slots), np.int32)
            runs.sweep(self._slots, self._runs, self._counts, self._out, -(1 << 62))
        if self._counts[1] + 2 * most > len(self._out):
            self._out = np.concatenate([self._out, np.zeros_like(self._out)])

    # After it ------------------------------------------------------------------------------------

    def _take_messages(self, data: Array | None) -> None:
        """Make messages of the rows that wait; `data`: of those that were not plain, if any are."""
        count = int(self._counts[2])
        if not count:
            return
        side = self._side[: self._counts[3]].tobytes()
        rows, found = self._rows[:count], list[DhcpMessage | Unreadable]()
        for begin in range(0, count, AT_ONCE):
            some = rows[begin : begin + AT_ONCE]
            found += observe_messages(some, side, data, self._names, self._file)
        times, interfaces, prints = (
            rows[:, each].tolist() for each in (columns.AT, columns.INTERFACE, columns.PRINT)
        )
        self._messages += zip(times, found, interfaces, prints, strict=True)
        self._counts[2] = self._counts[3] = self._counts[5] = 0

    def _runs_of(self, ended: Array) -> list[Item]:
        """Uses and probes, in the order of their beginnings."""
        ordered = ended[np.argsort(ended[:, columns.SINCE], kind="stable")]
        keys = ordered[:, columns.KEY]
        ways = keys >> columns.HOW_AT & 3
        since, until, frames, first, last = (
            ordered[:, each].tolist()
            for each in (columns.SINCE, columns.UNTIL, columns.FRAMES, columns.FIRST, columns.LAST)
        )
        names, file = self._names, self._file
        hardware = list(map(names.hardware.__getitem__, ordered[:, columns.HARDWARE].tolist()))
        address = list(map(names.address.__getitem__, (keys & ADDRESS).tolist()))
        vlans = list(map(names.vlans.__getitem__, (keys >> columns.VLAN_AT).tolist()))
        how = map(HOWS.__getitem__, ways.tolist())
        where = [new_where((file, number)) for number in first]
        ends = [
            begin if begin.number == number else new_where((file, number))
            for begin, number in zip(where, last, strict=True)
        ]
        found: list[Observation] = list(
            map(
                new_use,
                zip(since, where, hardware, address, how, vlans, frames, until, ends, strict=True),
            )
        )
        for i in np.flatnonzero(ways == columns.BY_PROBE).tolist():
            found[i] = new_probe((since[i], where[i], hardware[i], address[i], vlans[i]))
        return list(zip(since, found, repeat(0), repeat(0)))


def seen_of(batch: Sequence[Item]) -> list[Observation]:
    """The observations of items."""
    return [item[1] for item in batch]


def _count_before(items: list[Item], at: Instant) -> int:
    """How many of them, which are in order, are due before an instant."""
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle][0] < at:
            low = middle + 1
        else:
            high = middle
    return low
