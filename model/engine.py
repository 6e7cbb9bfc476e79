"""The engine: the search of the explorer over the tabulated reading, for millions of states.

Theory of operation.  Breadth first, a level at a time.  A *crew* does the work on partitions: it
expands the states of one depth, deals the successors out, and puts them into their partitions.
Here the crew is the threads of one process (`Threads`); `cluster.py` has one of several machines.
The search itself (`search`) decides what to look for and when to end, keeps the journal, and finds
shortest runs afterwards: from a state that breaks a property, back through the levels in the logs
to a predecessor at a time, then forward again through the finite reading, which so checks every
step of a run that the engine shows.

With symmetry, one state of each orbit is stored; `states`, `steps` and `fired` count all.

What it does not know: the order in which states of one depth are found.  Everything it says is
independent of that, and of how many threads or machines there were.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from holdover.model.explore import Found, Progress, Trace
from holdover.model.finite import Instance, Label, State
from holdover.model.ground import Array
from holdover.model.journal import Journal
from holdover.model.kernel import (
    LEAST_VALUE,
    NOTHING,
    PARTITIONS,
    Program,
    Tally,
    added,
    canonical,
    empty_tally,
    expand,
    lead_to,
    mixed,
    program,
    scratch_for,
)
from holdover.model.partition import BYTES, NoRoom, Partition, WordFile, pieces
from holdover.model.properties import Property
from holdover.model.symmetry import Symmetry, renamings
from holdover.model.tabulated import MEASURE, STEP, WATCH, Tabulated

ROOM = 1 << 18
"""States that a worker reads at once, and successors that it collects for one partition before they
are put in.  Many, so that a part of the table that has come into the cache is used again."""

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
        return len(self.program.form)

    @property
    def key(self) -> str:
        """A hash of all that decides which state has which word and where it is put."""
        digest = hashlib.sha256(f"{FORMAT} {PARTITIONS}".encode())
        for part in (*self.program, *(self.symmetry or ())):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def partition_of(self, word: int) -> int:
        """Where a state belongs."""
        return int(mixed(np.uint64(word)) >> np.uint64(16)) % PARTITIONS


class Crew(Protocol):
    """Who does the work of a level.  Depths count from 0, the initial state's."""

    def start(self, word: int) -> None:
        """Put the initial state in."""

    def level(self, active: Array, progress: Progress | None) -> Tally:
        """Expand the states of the greatest depth; NoRoom if what they lead to cannot be kept."""

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


def search(
    instance: Instance,
    always: Sequence[Property] = (),
    steps: Sequence[Property] = (),
    sometimes: Sequence[Property] = (),
    *,
    threads: int | None = None,
    memory: int = 1 << 30,
    symmetry: bool = True,
    directory: Path | None = None,
    progress: Progress | None = None,
) -> Found:
    """Every state within reach, or as many as there is room for; then it is not complete.

    `memory` in bytes bounds tables and buffers; the process takes some 250 MB beside.  `directory`
    is where the search is kept, and resumed from if it is there already.

    TooLarge if the instance has no tables; NotSymmetric, where symmetry is asked for, if it has
    none; NotThisSearch if the directory has another search.
    """
    tabulated = Tabulated(instance, always, steps, sometimes)
    task = Task(program(tabulated), renamings(tabulated) if symmetry else None)
    journal = None if directory is None else Journal(directory, task.key, task.rules)
    try:
        crew = Threads(task, threads or len(os.sched_getaffinity(0)), memory, journal)
        with closing(crew):
            return Search(tabulated, task, crew, journal, progress).run()
    except NoRoom:  # not even for empty tables
        return Found(instance, stopped_by="memory")
    finally:
        if journal is not None:
            journal.close()


@dataclass(frozen=True)
class Sight:
    """Where a watch first saw something: at which depth, in which state, by which rule."""

    depth: int
    word: int
    rule: int


class Search:
    """A search by a crew that has whatever the journal has."""

    def __init__(
        self, tabulated: Tabulated, task: Task, crew: Crew, journal: Journal | None,
        progress: Progress | None = None,
    ):  # fmt: skip
        self.tabulated, self.task, self.crew, self.journal = tabulated, task, crew, journal
        self.progress = progress
        self.found = Found(tabulated.instance)
        self.sights: dict[str, Sight] = {}
        self.fired = np.zeros(task.rules, dtype=np.int64)
        self.active = self._bits(rule.form != STEP for rule in tabulated.rules)
        self.moves = self._bits(rule.form == STEP for rule in tabulated.rules)

    def run(self) -> Found:
        """To closure, or to an honest stop."""
        totals = [0]
        for counts, tally in self.journal.levels if self.journal is not None else ():
            self._take(len(totals) - 2, tally)
            totals.append(sum(counts))
        if len(totals) == 1:
            self.crew.start(self.canonical(self.tabulated.instance.initial))
            totals.append(self._close(empty_tally(self.task.rules)))
        while totals[-1] > totals[-2]:
            depth = len(totals) - 2
            with self._stopping():
                tally = self.crew.level(self.active | self.moves, self.progress)
            if self.found.stopped_by:
                tally = self.crew.look(depth, self.active)
            totals.append(self._close(tally))
            self._take(depth, tally)
            if self.progress is not None:
                self.progress(depth + 1, totals[-1], totals[-1] - totals[-2])
            if self.found.stopped_by:
                self._take(depth + 1, self.crew.look(depth + 1, self.active))
                break
        self.found.stored = totals[-1]
        self.found.depth = sum(a < b for a, b in itertools.pairwise(totals)) - 1
        self.found.complete = not self.found.stopped_by
        self._conclude()
        return self.found

    def canonical(self, state: State) -> int:
        """The word that stands for a state."""
        word, symmetry = self.tabulated.pack(state), self.task.symmetry
        if symmetry is None:
            return word
        return int(canonical(symmetry, np.uint64(word), scratch_for(symmetry))[0])

    def _bits(self, chosen: Iterable[bool]) -> Array:
        bits = np.zeros(self.task.program.masks.shape[1], dtype=np.uint64)
        for rule, wanted in enumerate(chosen):
            if wanted:
                bits[rule // 64] |= np.uint64(1) << np.uint64(rule % 64)
        return bits

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """What ends in want of memory or disk ends the search."""
        try:
            yield
        except NoRoom:
            self.found.stopped_by = "memory"
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            self.found.stopped_by = "disk"

    def _close(self, tally: Tally) -> int:
        """End a level, and commit it if it is whole; how many states there are."""
        counts = self.crew.close_level()
        if self.journal is not None and not self.found.stopped_by:
            with self._stopping():
                self.crew.sync()
                self.journal.commit(counts, tally)
        return sum(counts)

    def _take(self, depth: int, tally: Tally) -> None:
        """What was seen in the states of a depth; a property once seen broken is done with."""
        self.found.states += int(tally.covered[0])
        self.fired += tally.fired
        for number, rule in enumerate(self.tabulated.rules):
            if rule.form == WATCH and tally.example[number] != NOTHING:
                sight = Sight(depth, int(tally.example[number]), number)
                known = self.sights.get(rule.name)
                if known is None or (sight.depth, sight.word) < (known.depth, known.word):
                    self.sights[rule.name] = sight
            elif rule.form == MEASURE and tally.largest[number] != LEAST_VALUE:
                value = int(tally.largest[number])
                worst = self.found.worst
                self.found.worst = value if worst is None else max(worst, value)
        self.active &= ~self._bits(rule.name in self.sights for rule in self.tabulated.rules)

    def _conclude(self) -> None:
        for number, rule in enumerate(self.tabulated.rules):
            if rule.form == STEP and self.fired[number]:
                self.found.steps += int(self.fired[number])
                self.found.fired[rule.name] += int(self.fired[number])
        broken = {p.name: p for p in (*self.tabulated.always, *self.tabulated.steps)}
        self.found.witnessed = set(self.sights) - set(broken)
        wanted = {name: sight for name, sight in self.sights.items() if name in broken}
        order = sorted(wanted, key=lambda name: (wanted[name].depth, list(broken).index(name)))
        words = self._words({name: wanted[name] for name in order})
        for name in order:
            self.found.violations[name] = self._trace(broken[name], words[name])

    # Shortest runs -------------------------------------------------------------------------------

    def _words(self, goals: Mapping[str, Sight]) -> dict[str, list[int]]:
        """For each goal the states on a shortest run to it, from the initial one."""
        runs = {name: [sight.word] for name, sight in goals.items()}
        for depth in range(max((s.depth for s in goals.values()), default=0), 0, -1):
            open_ = [name for name, sight in goals.items() if sight.depth >= depth]
            ends = np.array([runs[name][0] for name in open_], dtype=np.uint64)
            before = self.crew.lead_to(depth - 1, ends, self.moves)
            for name, word in zip(open_, before, strict=True):
                runs[name].insert(0, int(word))
        return runs

    def _trace(self, broken: Property, words: Sequence[int]) -> Trace:
        """The run through these states by the finite reading, to where the property is broken."""
        instance = self.tabulated.instance
        state = instance.initial
        labels: list[Label] = []
        states = [state]
        for word in words[1:]:
            edge, state = next(
                (edge, following) for edge, following in instance.successors(state)
                if self.canonical(following) == word
            )  # fmt: skip
            labels.append(instance.labels[edge])
            states.append(state)
        if broken in self.tabulated.steps:
            check = instance.step_predicate(broken.term)
            edge, following = next(
                (edge, following) for edge, following in instance.successors(state)
                if not check(state, following)
            )  # fmt: skip
            labels.append(instance.labels[edge])
            states.append(following)
        elif instance.predicate(broken.term)(state):
            raise RuntimeError(f"{broken.name}: readings disagree on {instance.describe(state)}")
        return Trace(instance, tuple(labels), tuple(states))


# Threads -----------------------------------------------------------------------------------------


class Worker:
    """A thread's memory: what it expands, and its successors by partition."""

    def __init__(self, task: Task, room: int):
        self.task = task
        self.out = np.empty((PARTITIONS, room), dtype=np.uint64)
        self.counts = np.zeros(PARTITIONS, dtype=np.int64)
        self.fresh = np.empty(room, dtype=np.uint64)
        self.buffer = np.empty(room, dtype=np.uint64)
        self.states: Array = np.zeros(0, dtype=np.uint64)
        self.begin = 0
        self.tally = empty_tally(task.rules)

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
        while True:
            if self.idle:
                piece = next(pieces, None)
                if piece is None:
                    return
                self.states, self.begin = piece.read(self.buffer), 0
            self.begin = expand(self.task.program, self.task.symmetry, self.states, self.begin,
                                self.out, self.counts, self.tally, active)  # fmt: skip
            if not self.idle:
                return


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
            Piece(partition.log, at, count) for partition in partitions
            for at, count in pieces(partition.levels[depth], partition.levels[depth + 1], size)
        )  # fmt: skip

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        try:
            return self.left.popleft()
        except IndexError:
            raise StopIteration from None


class Threads:
    """A crew of threads that share the memory of this process."""

    def __init__(self, task: Task, threads: int, memory: int, journal: Journal | None = None):
        self.task = task
        buffer = (PARTITIONS + 2) * BYTES * threads
        room = max(2 * task.rules, min(ROOM, memory // 8 // buffer))
        self.memory = memory - room * buffer
        self.workers = [Worker(task, room) for _ in range(threads)]
        self.pool = ThreadPoolExecutor(threads)
        self.partitions: list[Partition] = []
        try:
            self._open(journal)
        except BaseException:
            self.close()
            raise

    def _open(self, journal: Journal | None) -> None:
        for number in range(PARTITIONS):
            if journal is None:
                partition = Partition()
            else:
                log = journal.directory / f"{number:02d}.states"
                partition = Partition(log, [0, *(counts[number] for counts, _ in journal.levels)])
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
            self._spread([[worker.out[p, : worker.counts[p]] for worker in self.workers]
                          for p in range(PARTITIONS)])  # fmt: skip
            if not waiting.left and all(worker.idle for worker in self.workers):
                break
            if progress is not None:
                progress(depth, sum(p.count for p in self.partitions),
                         sum(piece.count for piece in waiting.left))  # fmt: skip
        self._settle()
        return added(worker.tally for worker in self.workers)

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
        return added(worker.tally for worker in self.workers)

    def lead_to(self, depth: int, goals: Array, active: Array) -> Array:
        """For each goal the least state of this depth that a step leads from to it."""
        waiting = self._pieces(depth)
        found = [np.full(len(goals), NOTHING, dtype=np.uint64) for _ in self.workers]

        def look_back(worker: Worker) -> None:
            for piece in waiting:
                lead_to(self.task.program, self.task.symmetry, piece.read(worker.buffer), goals,
                        found[self.workers.index(worker)], active)  # fmt: skip

        self._together(look_back)
        return np.min(found, axis=0)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Let go of threads, memory and files."""
        self.pool.shutdown()
        for partition in self.partitions:
            partition.close()

    def _together(self, work: Callable[[Worker], None]) -> None:
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
            here = [(p.needed(size), p) for p, size in zip(self.partitions, sizes, strict=True)
                    if not p.spilled]  # fmt: skip
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
                    partition.enlarge(sizes[number])
                    partition.put(arrived[number], worker.fresh)

        self._together(store)

    def _settle(self) -> None:
        """Put in what waits for partitions whose tables are on disk."""
        for partition in self.partitions:
            partition.settle(partial(self._make_room, partition), self.workers[0].fresh)

    def _make_room(self, partition: Partition, size: int) -> None:
        """Have `size` bytes for a partition, spilling others; NoRoom where that does not do."""
        others = [p for p in self.partitions if p is not partition]
        while sum(p.held for p in others) + size > self.memory:
            largest = max(others, key=lambda p: p.held, default=partition)
            if not largest.held or largest is partition:
                raise NoRoom
            largest.spill()
