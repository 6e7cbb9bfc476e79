"""A crew: who expands the states of a search, level by level, and keeps them.

Theory of operation.  States are dealt out to partitions (`partition.py`).  A level is worked off in
*rounds*: each thread expands states until its buffers for successors are full; when all have, the
buffers are put into their partitions, each by one thread, so that no table is touched by two.

`Threads` are the threads of one process; `cluster.py` has a crew of several machines.

What it does not know: what is looked for, and when to end; that is the search's (`engine.py`).
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from holdover.model.engine.checkpoint import Checkpoint
from holdover.model.engine.kernel import canonize, deal, expand, scratch_for
from holdover.model.engine.partition import (
    BYTES,
    FULL,
    PIECE,
    NoRoomError,
    Partition,
    WordFile,
    pieces,
)
from holdover.model.explorer.explore import Progress
from holdover.model.packed.program import NOTHING, PARTITIONS, Program, Tally, add_up, empty_tally
from holdover.model.packed.symmetry import Symmetry
from holdover.model.readings.ground import Array

ROOM = 1 << 18
"""States that a worker reads at once, and successors that it collects for one partition before they
are put in.  Many, so that a part of the table that has come into the cache is used again."""

BATCH = 1 << 15
"""Successors that a worker finds before it deals them out: as many as stay in the cache."""

SMALL = 1 << 10
"""States of a piece at least: fewer are not worth a thread."""

FORMAT = 1
"""Raised when the same arrays come to mean something else: checkpoints are of one format."""


@dataclass(frozen=True)
class Task:
    """What each worker of a search is given: an instance as arrays, and its symmetry, if used."""

    program: Program
    symmetry: Symmetry | None

    @property
    def rules(self) -> int:
        """How many rules there are."""
        return len(self.program.rules)

    @property
    def key(self) -> str:
        """A hash of all that decides which state has which word and where it is put."""
        digest = hashlib.sha256(f"{FORMAT} {PARTITIONS}".encode())
        for part in (*self.program, *(self.symmetry or ())):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def partition_of(self, word: int) -> int:
        """Where a state belongs."""
        counts = np.zeros(PARTITIONS, dtype=np.int64)
        room = np.empty((PARTITIONS, 1), dtype=np.uint64)
        deal(np.array([word], dtype=np.uint64), room, counts)
        return int(np.argmax(counts))


class LevelRunner(Protocol):
    """Who does the work of a level.  Depths count from 0, the initial state's."""

    def start(self, word: int) -> None:
        """Put the initial state in."""

    def level(self, active: Array, progress: Progress | None) -> Tally:
        """Expand the deepest states; NoRoomError if their successors cannot be kept."""

    def close_level(self) -> list[int]:
        """The level has ended: how many states each partition has."""

    def sync(self) -> None:
        """Have all that was logged on the disk."""

    def look(self, depth: int, active: Array) -> Tally:
        """See what the active rules see in the states of a depth; none of them may be a step."""

    def lead_to(self, depth: int, goals: Array, active: Array) -> Array:
        """For each goal the least state of this depth that a step leads from to it, or NOTHING."""

    def close(self) -> None:
        """The search has ended."""


class Worker:
    """A thread's memory: what it expands, and its successors by partition."""

    def __init__(self, task: Task, room: int):
        self.task = task
        self.out = np.empty((PARTITIONS, room), dtype=np.uint64)
        self.counts = np.zeros(PARTITIONS, dtype=np.int64)
        self.fresh = np.empty(room, dtype=np.uint64)
        self.buffer = np.empty(room, dtype=np.uint64)
        self.successors = np.empty(max(task.rules, BATCH), dtype=np.uint64)
        self.weights = np.ones(room, dtype=np.int64)
        self.unused = np.empty(len(self.successors), dtype=np.int64)
        self.states: Array = np.zeros(0, dtype=np.uint64)
        self.begin = 0
        self.tally = empty_tally(task.rules)
        self.value, self.row = np.empty((2, len(task.program.parts)), dtype=np.uint64)
        self.scratch = () if task.symmetry is None else scratch_for(task.symmetry)

    def start(self) -> None:
        """A level begins."""
        self.tally = empty_tally(self.task.rules)

    @property
    def idle(self) -> bool:
        """Whether it has expanded all that it took."""
        return self.begin == len(self.states)

    def expand(self, pieces: Iterator[Piece], active: Array) -> None:
        """Expand pieces until there are no more, or no more room for successors."""
        self.counts[:] = 0
        room = len(self.fresh)
        while (left := room - int(self.counts.max())) >= self.task.rules:
            if self.idle:
                piece = next(pieces, None)
                if piece is None:
                    return
                self.take(piece)
            deal(self.successors_of(active, left), self.out, self.counts)

    def look_back(self, piece: Piece, goals: Array, least: Array, active: Array) -> None:
        """For each goal, of the states of a piece that lead to it and of `least` the least."""
        self.take(piece)
        states = self.states
        while not self.idle:
            begin = self.begin
            if leading(self.successors_of(active), goals).any():
                end = self.begin
                for state in states[begin:end]:  # which of them is it?
                    self.states, self.begin = np.array([state]), 0
                    led = leading(self.successors_of(active), goals)
                    least[led] = np.minimum(least[led], state)
                self.states, self.begin = states, end

    def take(self, piece: Piece) -> None:
        """The states of a piece are to be expanded."""
        self.states, self.begin = piece.read(self.buffer), 0
        if self.task.symmetry is not None:
            canonize(self.task.symmetry, self.states, self.weights, self.scratch)

    def successors_of(self, active: Array, room: int | None = None) -> Array:
        """Successors of the states that come next, as many as there is room for."""
        found = self.successors[:room]
        self.begin, count = expand(
            self.task.program,
            self.states,
            self.weights,
            self.begin,
            found,
            self.tally,
            active,
            self.value,
            self.row,
        )
        if self.task.symmetry is not None:
            canonize(self.task.symmetry, found[:count], self.unused, self.scratch)
        return found[:count]


def leading(found: Array, goals: Array) -> Array:
    """Which of the goals are among the successors found."""
    return np.array([(found == goal).any() for goal in goals])


@dataclass(frozen=True)
class Piece:
    """Some logged states: the log, the number of the first, and how many."""

    log: WordFile
    start: int
    count: int

    def read(self, buffer: Array) -> Array:
        """The states, in memory that stays: to have it mapped anew each time is slow."""
        return self.log.read(self.start, self.count, buffer)


class Pieces:
    """Logged states of some partitions in pieces, to be taken by several threads."""

    def __init__(self, partitions: Sequence[Partition], depth: int, size: int):
        self.left = deque(
            Piece(partition.log, at, count)
            for partition in partitions
            for at, count in pieces(partition.levels[depth], partition.levels[depth + 1], size)
        )

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        try:
            return self.left.popleft()
        except IndexError:
            raise StopIteration from None


class Threads:
    """A crew of threads that share the memory of this process."""

    def __init__(
        self,
        task: Task,
        threads: int,
        memory: int,
        journal: Checkpoint | None = None,
        expected: int = 0,
    ):
        self.task = task
        buffer = (PARTITIONS + 2) * BYTES * threads
        successors = max(2 * task.rules, min(ROOM, memory // 8 // buffer))
        self.memory = memory - successors * buffer
        self.workers = [Worker(task, successors) for _ in range(threads)]
        # More than its share, as shares differ and a piece is put in only where there is room for
        # all of it; and half of the memory at most, as what is expected may be wrong.
        room = int(self.memory / 2 / BYTES * FULL) // PARTITIONS
        share = expected // PARTITIONS
        self.expected = min(share + min(share, 2 * PIECE), room)
        self.pool = ThreadPoolExecutor(threads)
        self.partitions: list[Partition] = []
        try:
            self._open(journal)
        except BaseException:
            self.close()
            raise

    def _open(self, journal: Checkpoint | None) -> None:
        for number in range(PARTITIONS):
            if journal is None:
                partition = Partition(expected=self.expected)
            else:
                log = journal.directory / f"{number:02d}.states"
                partition = Partition(
                    log, [0, *(counts[number] for counts, _ in journal.levels)], self.expected
                )
            self.partitions.append(partition)
            self._make_room(partition, partition.needed(0))
            partition.rebuild(self.workers[0].fresh)

    def start(self, word: int) -> None:
        """Put the initial state in."""
        arrived: list[list[Array]] = [[] for _ in self.partitions]
        arrived[self.task.partition_of(word)] = [np.array([word], dtype=np.uint64)]
        self._spread(arrived)
        self._settle()

    def level(self, active: Array, progress: Progress | None) -> Tally:
        """Expand the states of the greatest depth."""
        depth = len(self.partitions[0].levels) - 2
        waiting = self._pieces(depth)
        for worker in self.workers:
            worker.start()
        while True:
            self._together(lambda worker: worker.expand(waiting, active))
            self._spread(
                [
                    [worker.out[p, : worker.counts[p]] for worker in self.workers]
                    for p in range(PARTITIONS)
                ]
            )
            if not waiting.left and all(worker.idle for worker in self.workers):
                break
            if progress is not None:
                progress(
                    depth,
                    sum(p.count for p in self.partitions),
                    sum(piece.count for piece in waiting.left),
                )
        self._settle()
        return add_up(worker.tally for worker in self.workers)

    def close_level(self) -> list[int]:
        """The level has ended."""
        for partition in self.partitions:
            partition.close_level()
        return [partition.count for partition in self.partitions]

    def sync(self) -> None:
        """Have all that was logged on the disk."""
        for partition in self.partitions:
            partition.log.sync()

    def look(self, depth: int, active: Array) -> Tally:
        """See what the active rules see in the states of a depth."""
        waiting = self._pieces(depth)
        for worker in self.workers:
            worker.start()
            worker.states, worker.begin = worker.states[:0], 0
        self._together(lambda worker: worker.expand(waiting, active))
        return add_up(worker.tally for worker in self.workers)

    def lead_to(self, depth: int, goals: Array, active: Array) -> Array:
        """For each goal the least state of this depth that a step leads from to it."""
        waiting = self._pieces(depth)
        found = [np.full(len(goals), NOTHING, dtype=np.uint64) for _ in self.workers]

        def look_back(worker: Worker) -> None:
            for piece in waiting:
                worker.look_back(piece, goals, found[self.workers.index(worker)], active)

        self._together(look_back)
        least: Array = np.min(found, axis=0)
        return least

    def close(self) -> None:
        """Let go of threads, memory and files."""
        self.pool.shutdown()
        for partition in self.partitions:
            partition.close()

    def _together(self, work: Callable[[Worker], None]) -> None:
        if len(self.workers) == 1:  # to hand over and to wait takes longer than a small level
            work(self.workers[0])
            return
        for done in [self.pool.submit(work, worker) for worker in self.workers]:
            done.result()

    def _pieces(self, depth: int) -> Pieces:
        states = sum(p.levels[depth + 1] - p.levels[depth] for p in self.partitions)
        share = states // (4 * len(self.workers))
        return Pieces(self.partitions, depth, min(len(self.workers[0].buffer), max(SMALL, share)))

    def _spread(self, arrived: Sequence[list[Array]]) -> None:
        """Put into each partition what has arrived for it; none is touched by two threads."""
        sizes = [sum(map(len, states)) for states in arrived]
        while True:
            here = [
                (p.needed(size), p)
                for p, size in zip(self.partitions, sizes, strict=True)
                if not p.spilled
            ]
            moving = sorted(p.held for size, p in here if size > p.held)[-len(self.workers) :]
            if sum(size for size, _ in here) + sum(moving) <= self.memory or not here:
                break
            max(here, key=lambda entry: entry[1].held)[1].spill()

        def store(worker: Worker) -> None:
            for number in range(self.workers.index(worker), PARTITIONS, len(self.workers)):
                partition = self.partitions[number]
                if partition.spilled:
                    partition.wait(arrived[number])
                else:
                    partition.put(arrived[number], worker.fresh)

        self._together(store)

    def _settle(self) -> None:
        """Put in what waits for partitions whose tables are on disk."""
        for partition in self.partitions:
            partition.settle(partial(self._make_room, partition), self.workers[0].fresh)

    def _make_room(self, partition: Partition, size: int) -> None:
        """Make `size` bytes of room, spilling other partitions; NoRoomError if there is none."""
        others = [p for p in self.partitions if p is not partition]
        while sum(p.held for p in others) + size > self.memory:
            largest = max(others, key=lambda p: p.held, default=partition)
            if not largest.held or largest is partition:
                raise NoRoomError
            largest.spill()
