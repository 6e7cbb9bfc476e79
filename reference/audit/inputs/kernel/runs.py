"""Runs: frames of one host that use one address one after another, put together as they come.

Theory of operation.  Runs that are not over stand in `runs`, found by a hash table of (hardware
address, key) in `slots` (open addressing, linear probing; 0 marks a free place).  A run that is
over goes to `out`.  `sweep`, after each batch, takes those out that have ended meanwhile, so the
memory is that of the pairs that were alive within RUN, and of one batch.

What it does not know: what a frame says (`frames.py`).
"""

from __future__ import annotations

import numpy as np

from holdover.reference.audit.inputs.kernel.columns import (
    FIRST,
    FRAMES,
    HARDWARE,
    KEY,
    LAST,
    RUN_COLUMNS,
    SINCE,
    UNTIL,
)
from holdover.reference.audit.inputs.kernel.compiled import inner, jit
from holdover.reference.audit.inputs.kernel.words import GOLDEN, MURMUR, SHIFT


@inner
def home(hardware, key, size):
    """Where the search for a run begins; `size` is a power of two."""
    word = np.uint64(hardware) * GOLDEN ^ np.uint64(key) * MURMUR
    word ^= word >> SHIFT
    word *= GOLDEN
    return np.int64((word >> np.uint64(20)) & np.uint64(size - 1))


@inner
def begin_run(run, hardware, key, at, number):
    """A run of one frame."""
    run[HARDWARE] = hardware
    run[KEY] = key
    run[SINCE] = at
    run[UNTIL] = at
    run[FRAMES] = 1
    run[FIRST] = number
    run[LAST] = number


@inner
def note(slots, runs, counts, out, hardware, key, at, number, gap, longest):
    """A frame that uses an address: it continues a run, or begins one.  counts: runs, out."""
    place = home(hardware, key, len(slots))
    while True:
        there = slots[place]
        if there == 0:
            slots[place] = counts[0] + 1
            begin_run(runs[counts[0]], hardware, key, at, number)
            counts[0] += 1
            return
        run = runs[there - 1]
        if run[HARDWARE] == hardware and run[KEY] == key:
            break
        place = (place + 1) & (len(slots) - 1)
    if run[SINCE] <= at <= run[UNTIL] + gap and at - run[SINCE] <= longest:
        run[FRAMES] += 1
        if at >= run[UNTIL]:
            run[UNTIL] = at
            run[LAST] = number
        return
    for column in range(RUN_COLUMNS):
        out[counts[1], column] = run[column]
    counts[1] += 1
    begin_run(run, hardware, key, at, number)


@jit
def sweep(slots, runs, counts, out, over):
    """Take out the runs that ended before `over`; the least beginning of those that stay."""
    slots[:] = 0
    kept = 0
    least = np.int64(0x7FFF_FFFF_FFFF_FFFF)
    for i in range(counts[0]):
        if runs[i, UNTIL] < over:
            for column in range(RUN_COLUMNS):
                out[counts[1], column] = runs[i, column]
            counts[1] += 1
            continue
        for column in range(RUN_COLUMNS):
            runs[kept, column] = runs[i, column]
        least = min(least, runs[kept, SINCE])
        place = home(runs[kept, HARDWARE], runs[kept, KEY], len(slots))
        while slots[place]:
            place = (place + 1) & (len(slots) - 1)
        kept += 1
        slots[place] = kept
    counts[0] = kept
    return least
