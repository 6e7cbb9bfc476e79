"""A partition: the states of one share of a search, their table, and their log on disk.

Theory of operation.  The *log* is a file of words, all states in the order in which they were
found, so those of one depth stand together.  It is the truth: the table only answers whether a
state is known, and is built again from the log after a kill.  What was logged after the last
commit (`levels`) is cut off when the log is opened again.

A table that has no room in memory is *spilled*: it lies in a file, what arrives is appended to
another, and `settle` loads the one, puts in the other and writes it back.

Files without a directory have no name either: they are gone with the process, however it ends.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from holdover.model.engine.kernel import insert
from holdover.model.engine.system import read_at, sync, write_at
from holdover.model.errors import InputError
from holdover.model.readings.ground import Array

FULL = 0.8
"""A table fuller than this is enlarged: probing gets slow."""

GROWTH = 1.6
"""By how much."""

LEAST = 1 << 8
"""Places of the first table at least."""

PIECE = 1 << 14
"""States that are put in at once."""

ONE = np.uint64(1)

BYTES = 8
"""Bytes of a word."""

ON_DISK = Path("/var/tmp")
"""Where nameless files lie unless TMPDIR says otherwise: /tmp is memory on many systems."""


class NoRoomError(MemoryError):
    """Even a single partition does not fit into the memory allowed."""


class WordFile:
    """A file of words that grows at its end."""

    def __init__(self, path: Path | None = None):
        if path is None:
            where = None if "TMPDIR" in os.environ or not ON_DISK.is_dir() else ON_DISK
            self._file = tempfile.TemporaryFile(dir=where, buffering=0)  # noqa: SIM115 -- see close
        else:
            self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self.count = os.fstat(self._file.fileno()).st_size // BYTES

    @property
    def number(self) -> int:
        """By which this process knows the open file."""
        return self._file.fileno()

    def append(self, words: Array) -> None:
        """Put words at the end; OSError where the disk is full."""
        left = np.ascontiguousarray(words).data.cast("B")
        at = self.count * BYTES
        while left:
            written = write_at(self.number, left, at)
            left, at = left[written:], at + written
        self.count += len(words)

    def read(self, start: int, count: int, into: Array | None = None) -> Array:
        """So many words from number `start` on, in the memory of `into` if it is given."""
        words = np.empty(count, dtype=np.uint64) if into is None else into[:count]
        left, at = words.data.cast("B"), start * BYTES
        while left:
            got = read_at(self.number, left, at)
            if not got:
                raise OSError(f"{self._file.name}: ends before word {start + count}")
            left, at = left[got:], at + got
        return words

    def truncate(self, count: int) -> None:
        """Forget what comes after the first `count` words."""
        self._file.truncate(count * BYTES)
        self.count = count

    def sync(self) -> None:
        """Have it on the disk, whatever happens to the machine."""
        sync(self.number)

    def close(self) -> None:
        """Close the file; a nameless one is gone then."""
        self._file.close()


def pieces(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """The numbers from `start` to `stop` in pieces: the first of each, and how many."""
    return ((at, min(size, stop - at)) for at in range(start, stop, size))


def places(states: int) -> int:
    """How many places a table for so many states has at least."""
    return int(states / FULL) + 1


class Partition:
    """One share of the states.  `levels[d]` is how many of them have a depth below `d`.

    Its first table has places for `expected` states.
    """

    def __init__(self, log: Path | None = None, levels: Sequence[int] = (0,), expected: int = 0):
        self.log = WordFile(log)
        if self.log.count < levels[-1]:
            self.log.close()
            raise InputError(
                f"{log}: has {self.log.count} states; the journal says {levels[-1]}. "
                "Take another directory"
            )
        self.log.truncate(levels[-1])
        self.levels = list(levels)
        self.table: Array = np.zeros(0, dtype=np.uint64)
        self._size = 0
        self._least = max(LEAST, places(expected))
        self._spilled: WordFile | None = None
        self._waiting: WordFile | None = None

    @property
    def count(self) -> int:
        """How many states it has."""
        return self.log.count

    # Memory --------------------------------------------------------------------------------------

    @property
    def spilled(self) -> bool:
        """Whether the table lies in a file."""
        return self._spilled is not None

    @property
    def held(self) -> int:
        """Bytes of memory that the table takes now."""
        return len(self.table) * BYTES

    def needed(self, arriving: int) -> int:
        """Bytes of a table that has room for so many more states."""
        return self._room(arriving) * BYTES

    def _room(self, arriving: int) -> int:
        wanted = places(self.count + arriving)
        return self._size if wanted <= self._size else max(self._least, int(wanted * GROWTH))

    def spill(self) -> None:
        """Write the table to a file and give its memory back."""
        if self._spilled is None:
            self._spilled = WordFile()
            self._waiting = WordFile()
        self._spilled.truncate(0)
        self._spilled.append(self.table)
        self.table = np.zeros(0, dtype=np.uint64)

    def enlarge(self, arriving: int, fresh: Array) -> None:
        """Give the table room for so many more states."""
        size = self._room(arriving)
        if size > self._size:
            larger = np.zeros(size, dtype=np.uint64)
            for at, count in pieces(0, len(self.table), len(fresh)):
                stored = self.table[at : at + count]
                insert(larger, stored[stored > 0] - ONE, fresh)
            self.table, self._size = larger, size

    def rebuild(self, fresh: Array) -> None:
        """The table from the log; `fresh` is memory for some words."""
        self.enlarge(0, fresh)
        for at, count in pieces(0, self.count, len(fresh)):
            insert(self.table, self.log.read(at, count), fresh)

    # States --------------------------------------------------------------------------------------

    def put(self, arrived: Sequence[Array], fresh: Array) -> None:
        """Put states in, and log those that are new.

        Most that arrive are known, so the table is enlarged only when it is about to be too full,
        and then for all that are still to come: once at most, and to what `needed` says at most.
        `fresh` is memory for as many words as the longest of them has.
        """
        assert len(self.table) == self._size, "the table is on disk"
        left = sum(map(len, arrived))
        for states in arrived:
            for at, count in pieces(0, len(states), PIECE):
                if places(self.count + count) > self._size:
                    self.enlarge(left, fresh)
                piece = states[at : at + count]
                self.log.append(fresh[: insert(self.table, piece, fresh)])
                left -= count

    def wait(self, arrived: Iterable[Array]) -> None:
        """Keep states for `settle`."""
        assert self._waiting is not None
        for states in arrived:
            self._waiting.append(states)

    def settle(self, make_room: Callable[[int], None], fresh: Array) -> None:
        """Put in what waits, with the table in memory meanwhile.

        `make_room` is called with the bytes that this partition is about to take, and raises
        NoRoomError if they are not to be had.
        """
        if self._spilled is None or self._waiting is None or not self._waiting.count:
            return
        make_room(self._size * BYTES)
        self.table = self._spilled.read(0, self._size)
        for at, count in pieces(0, self._waiting.count, len(fresh)):
            states = self._waiting.read(at, count)
            if self.needed(len(states)) > self.held:
                make_room(self.held + self.needed(len(states)))
                self.enlarge(len(states), fresh)
            self.put([states], fresh)
        self.spill()
        self._waiting.truncate(0)

    def close_level(self) -> int:
        """All states of a depth are in: how many there are."""
        self.levels.append(self.count)
        return self.count - self.levels[-2]

    def close(self) -> None:
        """Close the files."""
        for file in (self.log, self._spilled, self._waiting):
            if file is not None:
                file.close()
