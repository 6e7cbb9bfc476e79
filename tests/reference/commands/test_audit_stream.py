"""`holdover audit -` of a stream that has no end in sight: memory is that of the leases in it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from holdover.reference.core.instants import SECOND
from holdover.reference.wire.option_values import MessageType
from holdover.reference.wire.options import INFINITE
from tests.reference.audit.inputs import captures
from tests.reference.commands.running import PROGRAM

FRAME = captures.ip() + bytes(1460)
BATCH, GAP = 20_000, SECOND // 1000
"""Frames that are made at once, and nanoseconds between two."""

MORE = 24_000
"""kB that the whole program may take more for a stream thirty times as long."""


def exchange() -> bytes:
    """A host is given its address for ever, and begins to use it."""
    lease: dict[str, Any] = {"lease": INFINITE}
    frames = [
        captures.dhcp(captures.request(MessageType.DISCOVER)),
        captures.dhcp(captures.reply(MessageType.OFFER, **lease)),
        captures.dhcp(captures.request(requested=captures.ADDRESS, server=captures.SERVER)),
        captures.dhcp(captures.reply(**lease)),
        captures.arp(),
    ]
    return captures.pcap((captures.START + n * GAP, each) for n, each in enumerate(frames))


def batches(count: int) -> Iterator[bytes]:
    """So many times a batch of large frames, each later than the one before."""
    record = captures.pcap_record((0, FRAME))
    rows = np.tile(np.frombuffer(record, np.uint8), (BATCH, 1))
    stamps = rows[:, :8].copy().view("<u4")
    for number in range(1, count + 1):
        times = captures.START + SECOND + (number * BATCH + np.arange(BATCH, dtype=np.int64)) * GAP
        stamps[:, 0], stamps[:, 1] = np.divmod(times, SECOND)
        rows[:, :8] = stamps.view(np.uint8)
        yield rows.tobytes()


def audit_stream(count: int) -> tuple[Any, int]:
    """What is said of a stream of so many batches, and the most memory that it took, in kB."""
    program = subprocess.Popen(
        [*PROGRAM, "audit", "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    with program.stdout as pipe:
        feeding = threading.Thread(target=feed, args=(program.stdin, count))
        feeding.start()
        said = pipe.read()
        feeding.join()
    _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    assert program.returncode == 0
    return json.loads(said), used.ru_maxrss


def feed(pipe: IO[bytes], count: int) -> None:
    with pipe:
        pipe.write(exchange())
        for batch in batches(count):
            pipe.write(batch)


def test_a_gigabyte_takes_no_more_memory_than_the_first_thirty_megabytes() -> None:
    """So neither do a hundred: of what goes on unchanged, one run is kept."""
    audit_stream(1)  # numba compiles where it has kept nothing, and takes 100 MB for that
    few, little = audit_stream(1)
    many, much = audit_stream(34)
    for found, count in ((few, 1), (many, 34)):
        (source,) = found["sources"]
        assert source["frames"] == 5 + count * BATCH
        (line,) = found["addresses"]
        (use,) = line["uses"]
        assert (use["frames"], use["entitled"]) == (1 + count * BATCH, "yes")
    assert much - little < MORE, (little, much)
