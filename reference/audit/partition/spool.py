"""Observations on disk, so that several workers can read them: what one source group showed.

Theory of operation.  A spool is a file of records in order of time.  A record has a head - when,
the number of its first key (`components.py`), whether it is a server's reply, how long a lease it
grants - and the pickled observation.  A worker reads all heads, and unpickles what concerns its own
partition; of others' it needs the time, the leases and the replies (`Monitor.overhear`).

A spool is written under another name and takes its own when it is whole: a worker that is killed
leaves nothing that anybody reads, and one that does the same again writes the same.

What it does not know: whom to trust.  Unpickling runs code; a spool is written by this program into
a directory of its own, which nobody else may write.
"""

from __future__ import annotations

import pickle
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdover.reference.audit.collector import rarely_collected
from holdover.reference.audit.observations import (
    Coverage,
    DhcpMessage,
    Gap,
    Observation,
    Recorded,
    Unreadable,
)
from holdover.reference.audit.partition.components import Components, Key, keys_of
from holdover.reference.core.instants import SECOND, Instant
from holdover.reference.wire.messages import BootReply
from holdover.reference.wire.option_values import NO_ADDRESS, MessageType

HEAD = struct.Struct("=q 2I q I")
"""When; the number of the key or EVERYBODY; REPLY or 0; the lease or NO_LEASE; bytes to come."""

EVERYBODY = 0xFFFF_FFFF
REPLY = 1
NO_LEASE = -1

BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Spooled:
    """A spool: its file, the keys by number, what belongs together, and how often each is first.

    `began`: the instant of its first observation that has one.
    """

    path: Path
    keys: tuple[Key, ...]
    groups: tuple[tuple[Key, ...], ...]
    counts: tuple[int, ...]
    began: Instant | None
    coverage: tuple[Coverage, ...]


@dataclass(frozen=True, slots=True)
class SpooledRecord:
    """A record, as it is read: `number` and `lease` may be none; the observation when asked for."""

    at: Instant
    number: int
    reply: bool
    lease: int | None
    data: bytes

    @property
    def observation(self) -> Observation:
        """What was seen."""
        found: Observation = pickle.loads(self.data)
        return found


@rarely_collected()
def write_spool(
    observations: Iterable[Observation], coverage: Callable[[], Sequence[Coverage]], path: Path
) -> Spooled:
    """Write a spool; `coverage` is asked for at the end."""
    components, counts = Components(), Counter[int]()
    began: Instant | None = None
    at: Instant = 0
    made = path.with_suffix(".part")
    with made.open("wb", buffering=BUFFER) as file:
        for seen in observations:
            if not isinstance(seen, Gap | Unreadable):
                at = max(at, seen.at) if began is not None else seen.at
                began = at if began is None else began
            keys = keys_of(seen)
            number = components.join(keys) if keys else EVERYBODY
            counts[number] += 1
            data = pickle.dumps(seen, pickle.HIGHEST_PROTOCOL)
            reply = isinstance(seen, DhcpMessage) and isinstance(seen.message, BootReply)
            lease = lease_of(seen)
            head = HEAD.pack(
                at, number, REPLY * reply, NO_LEASE if lease is None else lease, len(data)
            )
            file.write(head + data)
    made.replace(path)
    return Spooled(
        path,
        tuple(components.numbers),
        tuple(map(tuple, components.groups())),
        tuple(counts[number] for number in range(len(components.numbers))),
        began,
        tuple(coverage()),
    )


def read_spool(path: Path) -> Iterator[SpooledRecord]:
    """Its records, in order."""
    with path.open("rb", buffering=BUFFER) as file:
        while head := file.read(HEAD.size):
            at, number, flags, lease, size = HEAD.unpack(head)
            granted = None if lease == NO_LEASE else lease
            yield SpooledRecord(at, number, bool(flags & REPLY), granted, file.read(size))


def lease_of(seen: Observation) -> int | None:
    """How many seconds a server grants or has on record; None: it says nothing of that."""
    if isinstance(seen, DhcpMessage) and isinstance(seen.message, BootReply):
        message = seen.message
        granted = message.type is MessageType.ACK and message.address != NO_ADDRESS
        return message.lease if granted and not seen.copy else None
    if isinstance(seen, Recorded) and seen.state == "leased" and seen.hardware is not None:
        if seen.begin is None or seen.end is None:
            return None
        return max(0, seen.end - seen.begin) // SECOND
    return None
