"""Checks of the engine that take a second each, for `test_engine_defects.py`: which goes red.

Theory of operation.  `battery` makes the checks one after the other and stops at the first that
fails, the one that is asked for first of all.  Each compares a search with what does not come from
the engine: pinned counts, the explorer, the finite reading.  A search that finds more states than
it should is ended there, since one with a defect may never end by itself.

It runs in a process of its own, where the code it looks at may have been changed.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from holdover.model.engine import engine, kernel
from holdover.model.engine.checkpoint import NAME as JOURNAL
from holdover.model.engine.checkpoint import Checkpoint, NotThisSearchError
from holdover.model.engine.engine import search
from holdover.model.engine.partition import BYTES, LEAST, NoRoomError, Partition, WordFile
from holdover.model.engine.workers import Task, Threads
from holdover.model.errors import InputError
from holdover.model.explorer.explore import EngineResult, Exploration, Trace, explore
from holdover.model.packed.program import PARTITIONS, program
from holdover.model.packed.symmetry import NotSymmetricError, Symmetry, renamings
from holdover.model.packed.tabulated import Tabulated
from holdover.model.readings.finite import Instance, State
from holdover.model.table.expr import DURATION, Expr, exists, forall, lift
from holdover.model.table.properties import ALWAYS, SOMETIMES, STEPS, Property
from holdover.model.table.vocabulary import HOST, h, holds, lease_end, now
from tests.model.engine.orbits import all_orbits
from tests.model.engine.prepared import (
    LATE,
    LATEST_AMID,
    PINNED,
    SMALLEST,
    THREE_HOSTS,
    TWO_ADDRESSES,
    TWO_MESSAGES,
    WIDER,
    explored,
    instance_of,
    tables,
)


class CrashedError(Exception):
    """A check ended by an error that is none of its own; the message says which."""


def same(what: str, found: object, wanted: object) -> None:
    """AssertionError unless they are equal."""
    if found != wanted:
        raise AssertionError(f"{what}: {found}, not {wanted}")


# Searches ----------------------------------------------------------------------------------------


def searched(name: str, **how: Any) -> EngineResult:
    """What the engine finds, but not more states than there are."""

    def progress(depth: int, stored: int, left: int) -> None:
        if stored > PINNED[name].states:
            raise AssertionError(f"{name}: more than {PINNED[name].states} states")

    how = {"threads": 1, "progress": progress, **how}
    with patch.object(engine, "Tabulated", tables):
        return search(instance_of(name), ALWAYS, STEPS, SOMETIMES, **how)


def lengths(violations: Mapping[str, Trace]) -> dict[str, int]:
    """How long each run is."""
    return {name: len(trace) for name, trace in violations.items()}


def as_pinned(name: str, found: EngineResult) -> None:
    """The numbers are those of the manifest."""
    configuration = PINNED[name]
    same(f"{name}, complete", found.complete, True)
    for what in ("states", "steps", "depth"):
        same(f"{name}, {what}", getattr(found, what), getattr(configuration, what))
    same(f"{name}, broken", lengths(found.violations), dict(configuration.broken))
    same(f"{name}, seen", tuple(sorted(found.witnessed)), configuration.sometimes)


def as_explored(name: str, found: EngineResult) -> None:
    """And beyond what is pinned, what the explorer says."""
    as_pinned(name, found)
    seen = explored(name)
    same(f"{name}, worst", found.worst, seen.worst)
    same(f"{name}, fired", found.fired, seen.fired)


# Counts ------------------------------------------------------------------------------------------


def counts(symmetry: bool) -> None:
    """Pinned counts and what the explorer says, by one thread."""
    for name in (SMALLEST, LATE, LATEST_AMID):
        as_explored(name, searched(name, symmetry=symmetry))
    for name in (TWO_MESSAGES, THREE_HOSTS, TWO_ADDRESSES):
        as_pinned(name, searched(name, symmetry=symmetry))


def every_state() -> None:
    """Without symmetry."""
    counts(symmetry=False)


def up_to_symmetry() -> None:
    """With symmetry."""
    counts(symmetry=True)


def threads() -> None:
    """Several threads come to the same."""
    for name in (LATE, TWO_ADDRESSES):
        as_pinned(name, searched(name, threads=3))


# Runs --------------------------------------------------------------------------------------------


def runs() -> None:
    """Runs are runs of the finite reading and break the property by their last step, not before."""
    for name, symmetry in product((SMALLEST, LATE, WIDER), (False, True)):
        instance = instance_of(name)
        for broken, trace in searched(name, symmetry=symmetry).violations.items():
            same(f"{broken}, begins", trace.states[0], instance.initial)
            steps = zip(trace.states, trace.labels, trace.states[1:], strict=False)
            for before, label, after in steps:
                step = (instance.labels.index(label), after)
                same(f"{broken}, {label} is a step", step in instance.successors(before), True)
            same(f"{broken}, kept", kept(instance, broken, trace), [True] * len(trace) + [False])


def kept(instance: Instance, broken: str, trace: Trace) -> list[bool]:
    """Whether each state of a run, or each of its steps, has the property."""
    term = next(p.term for p in (*ALWAYS, *STEPS) if p.name == broken)
    if broken in {p.name for p in STEPS}:
        check = instance.step_predicate(term)
        pairs = zip(trace.states, trace.states[1:], strict=False)
        return [True, *(check(before, after) for before, after in pairs)]
    return [instance.predicate(term)(state) for state in trace.states]


def least_runs() -> None:
    """Of the shortest runs the one shown is that to the least word, back by the least of words."""
    for name in (SMALLEST, LATE):
        instance, seen = instance_of(name), explored(name)
        tabulated = tables(instance, ALWAYS, STEPS, SOMETIMES)
        levels = by_depth(seen)
        for broken, trace in searched(name, symmetry=False).violations.items():
            term = next(p.term for p in (*ALWAYS, *STEPS) if p.name == broken)
            end = len(trace)
            if broken in {p.name for p in STEPS}:
                step_check = instance.step_predicate(term)
                end -= 1
                ends = [
                    state
                    for state in levels[end]
                    if not all(step_check(state, s) for _, s in instance.successors(state))
                ]
            else:
                check = instance.predicate(term)
                ends = [state for state in levels[end] if not check(state)]
            least = min(tabulated.pack(state) for state in ends)
            same(f"{name}, {broken}, end", tabulated.pack(trace.states[end]), least)
            for depth in range(end, 0, -1):
                goal = trace.states[depth]
                before = [
                    state
                    for state in levels[depth - 1]
                    if any(after == goal for _, after in instance.successors(state))
                ]
                least = min(tabulated.pack(state) for state in before)
                shown = tabulated.pack(trace.states[depth - 1])
                same(f"{name}, {broken}, state {depth - 1}", shown, least)


def by_depth(seen: Exploration) -> list[list[State]]:
    """The states of each depth."""
    levels: list[list[State]] = [[] for _ in range(seen.depth + 1)]
    depths: list[int] = []
    for state, parent in zip(seen.states, seen.parents, strict=True):
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
        levels[depths[-1]].append(state)
    return levels


# The reading and its symmetry --------------------------------------------------------------------


def words() -> None:
    """States are words and back."""
    for name in (SMALLEST, LATE):
        tabulated = tables(instance_of(name), ALWAYS, STEPS, SOMETIMES)
        for state in explored(name).states[::5]:
            same(f"{name}, a word", tabulated.unpack(tabulated.pack(state)), state)


def unset() -> None:
    """A property that compares an instant which is not set is an error, as for the explorer."""
    ever = lift(1 << 20, DURATION)
    careless = Property("careless", "-", "-", forall(h, lease_end[h] <= now + ever))
    for look in (explore, search):
        try:
            look(instance_of(SMALLEST), (careless,))
        except TypeError:
            continue
        raise AssertionError("an instant that is not set was compared")


def orbits() -> None:
    """All renamings of a state have one canonical state, one of them; how many there are is so."""
    for tabulated, found in all_orbits():
        symmetry = renamings(tabulated)
        for orbit in found:
            seen = canonical_states(symmetry, orbit)
            same("canonical states of an orbit", len(seen), 1)
            ((word, size),) = seen
            same("the canonical state is in the orbit", word in orbit, True)
            same("states of an orbit", size, len(orbit))


def canonical_states(symmetry: Symmetry, words: Collection[int]) -> set[tuple[int, int]]:
    """The canonical states of these, each with how many it stands for."""
    states, weights = np.array(list(words), dtype=np.uint64), np.zeros(len(words), dtype=np.int64)
    kernel.canonize(symmetry, states, weights, kernel.scratch_for(symmetry))
    return set(zip(states.tolist(), weights.tolist(), strict=True))


def names_matter() -> None:
    """A term that names a host has no symmetry, and that is said."""
    first = Expr("literal", (0,), HOST)
    named = Property("named", "-", "-", exists(h, (h == first) & (holds[h] == holds[h])))
    try:
        renamings(Tabulated(instance_of(SMALLEST), (named,)))
    except NotSymmetricError:
        return
    raise AssertionError("a term that names a host was taken for symmetric")


# Memory ------------------------------------------------------------------------------------------


class Watched(Threads):
    """A crew that says how much memory its tables took too much, and how many were on disk."""

    over = spills = enlarged = 0
    last: Threads

    def _open(self, journal: Any) -> None:
        Watched.last, Watched.over, Watched.spills, Watched.enlarged = self, 0, 0, 0
        super()._open(journal)

    def _make_room(self, part: Partition, size: int) -> None:
        super()._make_room(part, size)
        Watched.look_at(size - part.held)

    def _spread(self, arrived: Any) -> None:
        super()._spread(arrived)
        Watched.look_at(0)

    @classmethod
    def look_at(cls, coming: int) -> None:
        """See what the tables take now."""
        taken = sum(p.held for p in cls.last.partitions) + coming
        cls.over = max(cls.over, taken - cls.last.memory)
        cls.spills = max(cls.spills, sum(p.spilled for p in cls.last.partitions))


@contextmanager
def watching() -> Iterator[None]:
    """Searches are watched, also while a table is moved."""
    enlarge = Partition.enlarge

    def enlarges(part: Partition, arriving: int, fresh: Any) -> None:
        if part.needed(arriving) > part.held:
            Watched.enlarged += 1
            Watched.look_at(part.needed(arriving))
        enlarge(part, arriving, fresh)

    with patch.object(engine, "Threads", Watched), patch.object(Partition, "enlarge", enlarges):
        yield


def spilled() -> None:
    """A search that goes to disk comes to the same, and keeps within its memory."""
    for name, memory, symmetry in (
        (WIDER, 100_000, False),
        (WIDER, 150_000, False),
        (WIDER, 200_000, False),
        (WIDER, 90_000, True),
        (TWO_ADDRESSES, 1_000_000, False),
    ):
        with watching():
            found = searched(name, symmetry=symmetry, memory=memory)
        as_pinned(name, found)
        same(f"{name}, spilled", Watched.spills > 0, True)
        same(f"{name}, bytes too much", Watched.over, 0)


def sized() -> None:
    """Tables made for what is expected: for all, they are not enlarged; for too many, they fit."""
    states = PINNED[TWO_ADDRESSES].states
    for expected, memory in ((states, 1 << 30), (states // 4, 1 << 30), (1 << 40, 5_000_000)):
        with watching():
            found = searched(TWO_ADDRESSES, symmetry=False, expected=expected, memory=memory)
        as_pinned(TWO_ADDRESSES, found)
        same(f"{expected} expected, enlarged", Watched.enlarged > PARTITIONS, expected != states)
        same(f"{expected} expected, bytes too much", Watched.over, 0)


class Tiny(Threads):
    """A crew with room for a few of the empty tables."""

    def _open(self, journal: Any) -> None:
        self.memory = 3 * LEAST * BYTES
        super()._open(journal)


def spilled_at_once() -> None:
    """The table of the initial state may be on disk before it is put in."""
    with patch.object(engine, "Threads", Tiny):
        as_pinned(SMALLEST, searched(SMALLEST))


def cramped(last: int) -> type[Threads]:
    """A crew that has no more room once the states of depth `last` have been found."""

    class Cramped(Threads):
        def level(self, active: Any, progress: Any) -> Any:
            tally = super().level(active, progress)
            if len(self.partitions[0].levels) - 1 == last:
                raise NoRoomError
            return tally

    return Cramped


def cut_off() -> None:
    """Of a search that was cut off, what was found last is looked at too; what it saw is true."""
    for name, length in PINNED[LATE].broken.items():
        with patch.object(engine, "Threads", cramped(length)):
            found = searched(LATE)
        same("stopped by", (found.stopped_by, found.complete), ("memory", False))
        same("depth", found.depth, length)
        same(f"run to {name}", lengths(found.violations).get(name), length)
        levels = by_depth(explored(LATE))[: length + 1]
        same("states", found.states, sum(map(len, levels)))
    for room in (10_000, 40_000, 70_000):
        with disk(room):
            # Little memory, so that there are states which a worker took and did not expand.
            found = searched(WIDER, symmetry=False, memory=100_000)
        same("stopped by", (found.stopped_by, found.complete), ("disk", False))
        same("states that were looked at", found.states, found.stored)
        same("less than all", 0 < found.states < PINNED[WIDER].states, True)


@contextmanager
def disk(room: int) -> Iterator[None]:
    """The disk is full after so many bytes."""
    pwrite, written = os.pwrite, 0

    def write(file: int, data: Any, at: int) -> int:
        nonlocal written
        written += len(data)
        if written > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(file, data, at)

    with patch.object(os, "pwrite", write):
        yield


# Checkpoints -------------------------------------------------------------------------------------


@contextmanager
def directory() -> Iterator[Path]:
    """A directory for a search."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made) / "search"


def cut_off_and_resumed() -> None:
    """What was cut off for want of memory is gone on with where there is more."""
    with directory() as where:
        for last in (7, 15):
            with patch.object(engine, "Threads", cramped(last)):
                same("complete", searched(LATE, directory=where).complete, False)
        as_explored(LATE, searched(LATE, directory=where))


class Killed(BaseException):
    """The process ends here."""


APPEND, SYNC, LINE, HALF = "append", "sync", "line", "half a line"

KILLS = (
    (HALF, 0),
    (APPEND, 0),
    (SYNC, 0),
    (LINE, 0),
    (HALF, 1),
    (APPEND, 30),
    (SYNC, 3),
    (LINE, 2),
    (HALF, 2),
    (APPEND, 66),
    (SYNC, 40),
    (LINE, 3),
    (HALF, 3),
    (LINE, 4),
    (APPEND, 74),
    (SYNC, 50),
)
"""Of what, and how many of it come before: what a process is killed just before.

A level is logged in a dozen pieces; some of these come between two pieces of one level."""


class Touches:
    """What touches the disk; at the given touch the process is killed.

    `synced` is how many words of each log have been put on the disk for sure.
    """

    def __init__(self, kind: str, number: int):
        self.kind, self.left = kind, number
        self.synced: Counter[str] = Counter()

    def reached(self, kind: str) -> None:
        """One more touch."""
        if kind == self.kind:
            if not self.left:
                raise Killed
            self.left -= 1

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count, while this lasts."""
        append, sync, write = WordFile.append, WordFile.sync, Checkpoint._write

        def appends(file: WordFile, states: Any) -> None:
            self.reached(APPEND)
            append(file, states)

        def syncs(file: WordFile) -> None:
            self.reached(SYNC)
            sync(file)
            self.synced[str(file._file.name)] = file.count

        def writes(journal: Checkpoint, entry: Any) -> None:
            self.reached(LINE)
            position = journal._file.seek(0, os.SEEK_END)
            journal._file.write(b'{"counts": [1, 2')
            journal._file.flush()
            self.reached(HALF)
            journal._file.truncate(position)
            write(journal, entry)

        with ExitStack() as stack:
            for owner, name, touch in (
                (WordFile, "append", appends),
                (WordFile, "sync", syncs),
                (Checkpoint, "_write", writes),
            ):
                stack.enter_context(patch.object(owner, name, touch))
            yield


def resumed() -> None:
    """A search killed again and again, each time later, comes to the same in the end.

    In between the machine goes down with it: logs lose what was not put on the disk, or have
    zeros there.
    """
    try:
        with directory() as where:
            for number, (kind, left) in enumerate(KILLS):
                touches, before = Touches(kind, left), committed(where)
                try:
                    with touches.counting():
                        searched(LATE, directory=where)
                except Killed:
                    for log in where.glob("*.states") if number % 3 else ():
                        size = log.stat().st_size
                        sure = max(touches.synced[str(log)], before[log.name]) * BYTES
                        os.truncate(log, min(size, sure))
                        if number % 3 == 2:
                            os.truncate(log, size)
                else:
                    raise AssertionError(f"not killed before {left} times {kind}")
            same("levels are left", sum(committed(where).values()) < PINNED[LATE].states, True)
            as_explored(LATE, searched(LATE, directory=where))
            with patch.object(Threads, "level", None):  # finished: read and not made again
                as_explored(LATE, searched(LATE, directory=where))
    except InputError as error:
        raise AssertionError(f"its own directory is refused: {error}") from error


def committed(where: Path) -> Counter[str]:
    """How many words of each log the journal in a directory speaks of."""
    if not (where / JOURNAL).exists():
        return Counter()
    lines = (where / JOURNAL).read_bytes().splitlines(keepends=True)
    levels = [json.loads(line)["counts"] for line in lines[1:] if line.endswith(b"\n")]
    return Counter({f"{n:02d}.states": count for n, count in enumerate(levels[-1:] and levels[-1])})


def refused() -> None:
    """A directory with a search of something else is refused, or where another one is writing."""
    tabulated = tables(instance_of(SMALLEST), ALWAYS, STEPS, SOMETIMES)
    plain = Task(program(tabulated), None)
    reduced = Task(plain.program, renamings(tabulated))
    with directory() as where, closing(Checkpoint(where, reduced.key, plain.rules)):
        same("a second one is refused", refuses(where, reduced), True)
    with directory() as where:
        searched(SMALLEST, directory=where)
        same("its own directory is refused", refuses(where, reduced), False)
        same("that of a search up to symmetry is refused", refuses(where, plain), True)
        other = tables(instance_of(LATE), ALWAYS, STEPS, SOMETIMES)
        another = Task(program(other), renamings(other))
        same("that of another instance is refused", refuses(where, another), True)


def refuses(where: Path, task: Task) -> bool:
    """Whether a search cannot be kept there."""
    try:
        Checkpoint(where, task.key, task.rules).close()
    except NotThisSearchError:
        return True
    return False


# All of them -------------------------------------------------------------------------------------

CHECKS: Mapping[str, Callable[[], None]] = {
    check.__name__: check
    for check in (
        every_state,
        up_to_symmetry,
        threads,
        runs,
        least_runs,
        words,
        unset,
        orbits,
        names_matter,
        spilled,
        sized,
        spilled_at_once,
        cut_off,
        resumed,
        cut_off_and_resumed,
        refused,
    )
}


def battery(first: str = "") -> None:
    """Make all checks.  AssertionError or Crashed, with the name of the check that goes red.

    Nothing waits for the disk: what a machine loses that goes down is decided by `resumed`.
    """
    for name in sorted(CHECKS, key=lambda name: name != first):
        try:
            with patch.object(os, "fdatasync"):
                CHECKS[name]()
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
        except Exception as error:
            raise CrashedError(f"{name}: {error!r}") from error
